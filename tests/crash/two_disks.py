"""Run by the test inside `unshare -Urm`: a recorder on two tmpfs, one of which is lost while it records.

Arguments: an empty directory, and what happens to the first disk. Reads the simulator's address from stdin; prints one
JSON object. Each disk is mounted where it lives and bound where the recorder finds it, so that it comes back unchanged.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recorder_process import (
    RecorderProcess,
    Simulator,
    camera,
    camera_id,
    is_whole,
    orders,
    recorder,
    until_recorded,
    wait_until,
)

CAMERAS = (1, 2)
_LEFT_BYTES = 32 * 1024 * 1024  # less than what the recorder leaves free


class Disks:
    """Two of ours, and one of another recorder."""

    def __init__(self, path: Path) -> None:
        self.homes = {name: path / "disks" / name for name in ("one", "two", "foreign")}
        self.places = (path / "srv" / "disk1", path / "srv" / "disk2")
        for home in self.homes.values():
            home.mkdir(parents=True)
            _run("mount", "-t", "tmpfs", "-o", "size=200m,mode=750", "none", str(home))
        for place, name in zip(self.places, ("one", "two"), strict=True):
            place.mkdir(parents=True)
            self.bind(name, place)
        (self.homes["foreign"] / "identity.json").write_text('{"directory": "00000000-0000-4000-8000-000000000001"}')

    def bind(self, name: str, place: Path, *options: str) -> None:
        _run("mount", "--bind", str(self.homes[name]), str(place))
        if options:
            _run("mount", "-o", ",".join(("remount", "bind", *options)), str(place))

    def unbind(self, place: Path) -> None:
        """Lazily, as a disk that vanishes: what is open stays open."""
        _run("umount", "-l", str(place))

    def fill(self, name: str) -> None:
        space = os.statvfs(self.homes[name])
        with (self.homes[name] / "filler").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - _LEFT_BYTES)

    def content(self, name: str) -> list[str]:
        return sorted(str(entry) for entry in self.homes[name].rglob("*"))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


# These disks have no room for what is kept free, nor for what is looked ahead for.
_SHORT_SIGHT = (
    "from recorder import pressure, writer; writer.LOW_BYTES = 4 << 20;"
    " pressure.STEP_S = pressure.AHEAD_S = 1.0; pressure.RESUME_S = 2.0"
)


async def scenario(what: str, path: Path, simulated: Simulator) -> dict[str, Any]:
    disks = Disks(path)
    one = disks.places[0]
    since = datetime.now(UTC)
    with recorder(path / "data", _SHORT_SIGHT, disks.places) as process:
        await process.order(orders(*(camera(simulated, number) for number in CAMERAS)))
        await _until_on(process, {"disk1", "disk2"})
        before = await _places(process)
        foreign = disks.content("foreign")
        lose, give_back, code = _acts(what, disks)
        if what == "read-only":
            process.kill()
        lose()
        if what == "read-only":
            process.start()
        swapped = what == "swapped"
        await _until_code(process, "disk1", code)
        if swapped:
            await _until_code(process, "disk2", code)
        else:
            await _until_on(process, {"disk2"})
            alarms = await _alarms(process, code, 1)
        beside: list[str] = []
        if what in ("unmounted", "foreign", "swapped"):
            await _two_waves(process, one, swapped)
        if what == "unmounted":
            beside = [entry.name for entry in one.iterdir()]
        foreign_after = disks.content("foreign")
        give_back()
        await _until_code(process, "disk1", "")
        await _until_on(process, None if swapped else {"disk2"})
        stayed = await _places(process)
        if swapped:  # while no directory answers only the status tells, which the centre makes alarms of
            alarms = await _alarms(process, code, 0)
        await asyncio.to_thread(process.stop)
        process.start()  # a camera stays where it was, over a restart
        await _until_on(process, set(stayed.values()))
        await _until_closed_there(process, since)
        coverage = [await process.coverage(camera_id(number), since) for number in CAMERAS]
        status = (await process.call("status"))["storage"]
        after = await _places(process)
        assert await asyncio.to_thread(process.stop) == 0
        to = datetime.now(UTC).isoformat()
        sums = [
            process.csu("coverage", "--camera", camera_id(number), "--from", since.isoformat(), "--to", to)[1]
            for number in CAMERAS
        ]
        check = process.csu("check", "--deep")
        rebuilt = process.csu("index", "rebuild")
        # Counted now: a camera's newest file is removed when its camera moved before the first part was written.
        files = sum(1 for place in disks.places for _ in place.rglob("*.mp4"))
        again = process.csu("check", "--deep")
    return {
        "before": before,
        "stayed": stayed,
        "after": after,
        "alarms": alarms,
        "contiguous": [is_whole(one) for one in coverage],
        "causes": sorted({gap["cause"] for one in coverage for gap in one["gaps"]}),
        "gaps": [one["gaps"] for one in coverage],
        "percent": [round(sum(one["percent"].values()), 6) for one in sums],
        "check": check,
        "rebuilt": rebuilt,
        "again": again,
        "files": files,
        "beside": beside,
        "foreign_touched": foreign != foreign_after,
        "codes": [one["code"] for one in status],
    }


def _acts(what: str, disks: Disks) -> tuple[Callable[[], object], Callable[[], object], str]:
    """What happens, how it ends, and how the recorder calls it."""
    one, two = disks.places

    def change(*bound: tuple[str, Path]) -> None:
        for _, place in bound:
            disks.unbind(place)
        for name, place in bound:
            if name:
                disks.bind(name, place)

    def end(*bound: tuple[str, Path]) -> None:
        for name, place in bound:
            if os.path.ismount(place):
                disks.unbind(place)
            disks.bind(name, place)

    match what:
        case "unmounted":
            return lambda: change(("", one)), lambda: end(("one", one)), "STORAGE_UNMOUNTED"
        case "foreign":
            return lambda: change(("foreign", one)), lambda: end(("one", one)), "STORAGE_FOREIGN"
        case "swapped":
            return (
                lambda: change(("two", one), ("one", two)),
                lambda: end(("one", one), ("two", two)),
                "STORAGE_FOREIGN",
            )
        case "filled":
            return lambda: disks.fill("one"), (disks.homes["one"] / "filler").unlink, "STORAGE_FULL"
        case "read-only":
            return (
                lambda: (disks.unbind(one), disks.bind("one", one, "ro")),
                lambda: end(("one", one)),
                "STORAGE_FAILED",
            )
    raise ValueError(what)


async def _places(process: RecorderProcess) -> dict[str, str]:
    return {one["camera"]: one["storage"] for one in (await process.call("status"))["cameras"]}


async def _until_on(process: RecorderProcess, names: set[str] | None) -> None:
    """Until every camera records, on exactly these directories together when they are given."""

    async def there() -> bool:
        cameras = (await process.call("status"))["cameras"]
        recording = len(cameras) == len(CAMERAS) and all(one["state"] == "recording" for one in cameras)
        return recording and names in (None, {one["storage"] for one in cameras})

    await wait_until(there, 60)


async def _until_code(process: RecorderProcess, name: str, code: str) -> None:
    async def told() -> bool:
        return any(one["name"] == name and one["code"] == code for one in (await process.call("status"))["storage"])

    await wait_until(told, 60)


async def _alarms(process: RecorderProcess, code: str, count: int) -> list[str]:
    """Whose alarm was told."""
    subjects: set[str] = set()

    async def told() -> bool:
        facts = await process.facts()
        subjects.update(f["subject"] for f in facts if f["kind"] == "alarm_raised" and f["code"] == code)
        return len(subjects) >= count

    await wait_until(told)
    return sorted(subjects)


async def _two_waves(process: RecorderProcess, place: Path, refused: bool) -> None:
    """Long enough for the refused directory to be tried again: as its identity is read, or else by what the other has
    durable meanwhile."""
    if not refused:
        await until_recorded(process, datetime.now(UTC), 5, 1)
        return
    identity = place / "identity.json"

    async def was_read() -> bool:
        return identity.stat().st_atime > 0

    for _ in range(2):
        os.utime(identity, (0, identity.stat().st_mtime))
        await wait_until(was_read)


async def _until_closed_there(process: RecorderProcess, since: datetime) -> None:
    """Until each camera's account goes on in one directory only: those left were told so."""

    async def one_run() -> bool:
        coverage = [await process.coverage(camera_id(number), since) for number in CAMERAS]
        return all(is_whole(one) and one["runs"] for one in coverage)

    await wait_until(one_run, 60)


if __name__ == "__main__":
    given = json.load(sys.stdin)
    simulated = Simulator(given["port"], given["username"], given["password"], Path(given["control"]))
    print(json.dumps(asyncio.run(scenario(sys.argv[2], Path(sys.argv[1]), simulated))))
