"""Run by the test inside `unshare -Urm`: a real recorder on a small tmpfs that fills, and is made larger.

Three simulated cameras: of priority 0 and 5 without a minimum, and of 9 with one. The bounds are made as small as the
disk. Prints one JSON object. Arguments: an empty directory.
"""

import asyncio
import json
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recorder_process import camera, camera_id, orders, recorder, simulator, until_recorded, wait_until

from csu.settings import Paths
from recorder.index import open_reader, read_facts

SMALL, LARGE = "size=16m,mode=750", "remount,size=200m"
SHRUNK = """
from functools import partial
from recorder import camera, index, pressure, rounds, space, writer
rounds.PRESS_TICKS, pressure.AHEAD_S, pressure.RESUME_S, pressure.STEP_S = 1, 12.0, 36.0, 12.0
writer.RESERVE_BYTES, writer.LOW_BYTES, rounds.LOW_BYTES = 1 << 20, 4 << 20, 4 << 20
space.STEP_S = pressure.STEP_S
camera.Segmenter = partial(camera.Segmenter, segment_us=4_000_000)
opened = index.Index.open
def small(*words):
    made = opened(*words)
    made.query("PRAGMA wal_autocheckpoint = 100")  # else the log alone takes half of the disk
    return made
index.Index.open = small
"""


async def run(path: Path) -> dict[str, Any]:
    data = path / "data"
    disk = Paths(data).recordings
    disk.mkdir(parents=True)
    await asyncio.to_thread(_mount, disk, SMALL)
    since = datetime.now(UTC)
    with simulator(path / "simulator", 3) as cameras, recorder(data, SHRUNK) as process:
        await process.order(
            orders(
                camera(cameras, 1, priority=0, minimum_days=0),
                camera(cameras, 2, priority=5, minimum_days=0),
                camera(cameras, 3, priority=9, minimum_days=1),
            )
        )

        async def alarms() -> set[tuple[str, str, str]]:
            facts = [f for f in await process.facts() if f["kind"].startswith("alarm")]
            return {(f["kind"], f["code"], f["subject"]) for f in facts}

        async def stopped() -> bool:
            return ("alarm_raised", "PRIORITY_STOPPED", camera_id(3)) in await alarms()

        async def third_is_shown() -> bool:
            return await process.state(camera_id(3)) == "live"

        await wait_until(stopped, 150)
        await wait_until(third_is_shown)
        pressure = (await process.call("status"))["storage"][0]["pressure"]

        await until_recorded(process, datetime.now(UTC), 12, 1, 2)  # the others go on
        gone = await asyncio.to_thread(_destroyed, disk)
        third = await process.coverage(camera_id(3), since)
        await asyncio.to_thread(_mount, disk, LARGE)

        async def begins_again() -> bool:
            return await process.state(camera_id(3)) == "recording"

        await wait_until(begins_again, 60)

        async def told() -> bool:
            return ("alarm_ended", "PRIORITY_STOPPED", camera_id(3)) in await alarms()

        await wait_until(told)
        found = {
            "pressure": pressure,
            "gone": gone,
            "third": [(gap["cause"], gap["detail"]) for gap in third["gaps"]],
            "gaps": {n: (await process.coverage(camera_id(n), since))["gaps"] for n in (1, 2)},
            "alarms": sorted(await alarms()),
            "stopped": process.stop(),
        }
        found["check"] = process.csu("check", "--deep")[1]
        return found


def _mount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(disk)], check=True)


def _destroyed(disk: Path) -> list[tuple[str, str, int]]:
    """Of each camera, and why; of an hour that is over it may be told already."""
    with closing(open_reader(disk / "index.db")) as reader:
        reader.execute("BEGIN")
        rows = reader.execute(
            "SELECT c.uuid, l.cause, l.count FROM ledger l JOIN camera c ON c.id = l.camera ORDER BY c.priority"
        ).fetchall()
        facts = read_facts(reader, 0, 5000)["facts"]
    told = [(fact["camera"], fact["cause"], fact["count"]) for fact in facts if fact["kind"] == "destroyed"]
    return [*(tuple(row) for row in rows), *told]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(Path(sys.argv[1])))))
