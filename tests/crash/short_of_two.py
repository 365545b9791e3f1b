"""Run by the test inside `unshare -Urm`: a real recorder on two tmpfs, of which first one and then both run short.

Simulated cameras with a minimum, of priority 0 and 9 on the first disk; the second disk comes with one of priority 0.
The bounds are made as small as the disks. Prints one JSON object. Arguments: an empty directory.
"""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recorder_process import RecorderProcess, camera, camera_id, orders, recorder, simulator, until_recorded, wait_until
from short_disk import SHRUNK

FIRST, SECOND, THIRD = (camera_id(n) for n in (1, 2, 3))
_LEFT_BYTES = 16 << 20  # what the recorder leaves free: the first camera has room there for minutes
_SHRUNK = f"{SHRUNK}\nwriter.LOW_BYTES = rounds.LOW_BYTES = {_LEFT_BYTES}"


async def run(path: Path) -> dict[str, Any]:
    data, disks = path / "data", (path / "one", path / "two")
    for disk in disks:
        disk.mkdir()
        await asyncio.to_thread(_mount, disk, "size=64m,mode=750")
    since = datetime.now(UTC)
    with simulator(path / "simulator", 3) as cameras, recorder(data, _SHRUNK, disks[:1]) as process:
        ordered = [camera(cameras, n, priority=p, minimum_days=1) for n, p in ((1, 0), (2, 9), (3, 0))]
        await process.order(orders(*ordered[:2]))
        await _until_on(process, {FIRST: "one", SECOND: "one"})
        process.stop()
        process.storage = disks
        process.start()
        await process.order(orders(*ordered))
        await _until_on(process, {FIRST: "one", SECOND: "one", THIRD: "two"})
        _fill(disks[0], 1 << 20)
        await _until_on(process, {FIRST: "one", SECOND: "two", THIRD: "two"})
        alarms_moved = await _alarms(process)
        _fill(disks[1], 1 << 18)
        _fill(disks[0], 1 << 18)

        async def stopped() -> bool:
            return await process.state(SECOND) == "live" and (SECOND, True) in await _alarms(process)

        await wait_until(stopped, 60)
        for one in (await process.call("status"))["storage"]:
            await process.call("ack", index=one["index"], upto=0)  # answered when all before is durable too
        begun = await _runs(process, since)
        process.kill()
        process.start()

        async def all_are_there() -> bool:
            rows = (await process.call("status"))["cameras"]
            wanted = {FIRST: "recording", SECOND: "live", THIRD: "recording"}
            return {row["camera"]: row["state"] for row in rows} == wanted

        await wait_until(all_are_there, 60)

        await until_recorded(process, datetime.now(UTC), 12, 1)  # long after the first look at the space
        begun_after = await _runs(process, since)
        (disks[1] / "filler").unlink()
        await _until_on(process, {FIRST: "one", SECOND: "two", THIRD: "two"})
        coverage = {number: await process.coverage(camera_id(number), since) for number in (1, 2)}
        alarms = await _alarms(process)
        found = {
            "alarms_moved": alarms_moved,
            "alarms": alarms,
            "begun": begun,
            "begun_after": begun_after,
            "coverage": coverage,
            "stopped": process.stop(),
        }
        found["check"] = process.csu("check", "--deep")[1]
        return found


async def _until_on(process: RecorderProcess, places: dict[str, str]) -> None:
    async def there() -> bool:
        rows = (await process.call("status"))["cameras"]
        return {row["camera"]: row["storage"] for row in rows if row["state"] == "recording"} == places

    await wait_until(there, 60)


async def _runs(process: RecorderProcess, since: datetime) -> int:
    return len((await process.coverage(SECOND, since))["runs"])


async def _alarms(process: RecorderProcess) -> list[tuple[str, bool]]:
    """Of cameras that stopped: whose, and whether it began or ended."""
    facts = [f for f in await process.facts() if f["kind"].startswith("alarm") and f["code"] == "PRIORITY_STOPPED"]
    return [(f["subject"], f["kind"] == "alarm_raised") for f in sorted(facts, key=lambda fact: str(fact["at"]))]


def _fill(disk: Path, more: int) -> None:
    """So much is left beyond what has to stay free, and at no moment more."""
    space = os.statvfs(disk)
    with (disk / "filler").open("ab") as file:
        os.posix_fallocate(file.fileno(), 0, file.tell() + space.f_bavail * space.f_frsize - _LEFT_BYTES - more)


def _mount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(disk)], check=True)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(Path(sys.argv[1])))))
