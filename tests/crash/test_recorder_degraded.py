"""A recorder made slow for real gives up in the written order, keeps its first cameras whole, and comes back."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from recorder_process import RecorderProcess, Simulator, camera, camera_id, orders, recorder, simulator, wait_until

from recorder.feed import FeedBack, FeedEvent, FeedLost, FeedPacket, PacketFeedClient
from recorder.orders import CameraOrder
from recorder.utc import at_from_text

# By number of the camera. 0 is given up last.
PRIORITIES = {1: 0, 2: 0, 3: 4, 4: 9}

# Bounds are shrunk; the disk is real, but for its sync, which stands still while a file is there.
_SHRUNK = """
import functools, recorder.main
from recorder.degradation import BOUNDS, Bounds
bounds = {**BOUNDS, "sync": Bounds((2.0, 4.0, 6.0), 0.0)}
recorder.main.START_S = 0.0
recorder.main.Degradation = functools.partial(recorder.main.Degradation, bounds, calm_s=3.0)
"""
# Only the disk counts, however slow the machine is; each level lasts for longer than we may stand still, so that it is
# seen; and cameras stay on the disk that stalls.
_STALLING = (
    _SHRUNK
    + """
import os, time
import recorder.disks
bounds |= {"load": Bounds((600.0,) * 3, 0.0), "sync": Bounds((2.0, 8.0, 14.0), 0.0)}
recorder.main.Degradation.keywords["calm_s"] = 6.0
recorder.disks.STALLED_S = 600.0
synced = os.fdatasync
def stalling(fd):
    while os.path.exists("STALL") and "WHERE" in os.readlink(f"/proc/self/fd/{fd}"):
        time.sleep(0.02)
    synced(fd)
os.fdatasync = stalling
"""
)
_STOPPED_S, _RUNNING_S = 2.2, 0.3  # the pace at which a process gets too little time


def _stalling(stall: Path, where: str) -> str:
    return _STALLING.replace('"STALL"', repr(str(stall))).replace("WHERE", f"/{where}/")


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulator(tmp_path_factory.mktemp("simulator"), len(PRIORITIES)) as running:
        yield running


def _orders(cameras: Simulator) -> list[CameraOrder]:
    return [camera(cameras, n, sub=True, priority=priority) for n, priority in PRIORITIES.items()]


class Watch:
    """What the recorder says of its level, each time that it says something else."""

    def __init__(self, process: RecorderProcess) -> None:
        self._process = process
        self.seen: list[tuple[int, frozenset[tuple[str, str]]]] = []
        self.reasons: set[str] = set()

    async def look(self) -> int:
        degraded = (await self._process.call("status"))["degraded"]
        said = degraded["level"], frozenset((one["camera"], one["stream"]) for one in degraded["given_up"])
        if not self.seen or self.seen[-1] != said:
            self.seen.append(said)
        self.reasons.add(degraded["reason"])
        return said[0]

    def levels(self) -> list[int]:
        found = [level for level, _ in self.seen]
        return [level for n, level in enumerate(found) if n == 0 or found[n - 1] != level]

    def at(self, level: int) -> set[tuple[str, str]]:
        return set().union(*(given_up for found, given_up in self.seen if found == level))


@asynccontextmanager
async def _all_recording(
    tmp_path: Path, cameras: Simulator, prelude: str, storage: tuple[Path, ...] = ()
) -> AsyncIterator[tuple[RecorderProcess, datetime]]:
    with recorder(tmp_path / "data", prelude, storage) as process:
        await process.order(orders(*_orders(cameras)))

        async def nothing_given_up() -> bool:
            return await Watch(process).look() == 0

        await wait_until(nothing_given_up, 60)
        await _until_all_record(process)
        yield process, datetime.now(UTC)
        assert process.stop() == 0
        assert process.csu("check", "--deep")[1]["ok"]


async def _until_all_record(process: RecorderProcess) -> None:
    async def recording() -> bool:
        status = await process.call("status")
        return {row["state"] for row in status["cameras"]} == {"recording", "live"} and {
            row["state"] for row in status["cameras"] if row["stream"] == "main"
        } == {"recording"}

    await wait_until(recording, 60)


async def _follow(feed: PacketFeedClient, told: dict[int, list[FeedEvent]]) -> None:
    async for event in feed.events():
        told[event.channel].append(event)


async def _gaps(process: RecorderProcess, number: int, since: datetime) -> list[dict[str, Any]]:
    gaps: list[dict[str, Any]] = (await process.coverage(camera_id(number), since))["gaps"]
    return gaps


async def _settled(process: RecorderProcess, since: datetime) -> None:
    """The last gap of every camera is closed, durably."""

    async def closed() -> bool:
        accounts = [await process.coverage(camera_id(n), since) for n in PRIORITIES]
        return all(a["runs"] and (not a["gaps"] or a["gaps"][-1]["to"] <= a["runs"][-1]["from"]) for a in accounts)

    await wait_until(closed, 60)


async def test_a_disk_that_stalls(tmp_path: Path, cameras: Simulator) -> None:
    stall = tmp_path / "stall"
    async with _all_recording(tmp_path, cameras, _stalling(stall, "recordings")) as (process, since):
        watch = Watch(process)
        async with PacketFeedClient.open(process.paths.packets_socket) as feed:
            viewer = await feed.subscribe(camera_id(1), "sub")
            detector = await feed.subscribe(camera_id(2), "sub", "analysis")
            told: dict[int, list[FeedEvent]] = {viewer: [], detector: []}
            following = asyncio.create_task(_follow(feed, told))

            async def reached() -> bool:
                return await watch.look() == 3 and bool(watch.at(3) >= {(camera_id(3), "main")})

            async def over() -> bool:
                return await watch.look() == 0

            async def both_are_shown() -> bool:
                return all(isinstance(events[-1], FeedPacket) for events in told.values())

            await over()
            stall.touch()
            await wait_until(reached, 60)
            stall.unlink()
            await wait_until(over, 60)
            await _until_all_record(process)
            await wait_until(both_are_shown)
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
        await _settled(process, since)

        subs = {(camera_id(n), "sub") for n in PRIORITIES}
        assert watch.levels() == [0, 1, 2, 3, 2, 1, 0]
        assert watch.reasons == {"", "sync"}
        assert watch.at(1) >= subs - {(camera_id(1), "sub")}  # whom nobody views; all, for an instant, on the way back
        assert watch.at(2) == subs
        assert watch.at(3) == subs | {(camera_id(4), "main"), (camera_id(3), "main")}
        for channel in (viewer, detector):
            assert [e.fault for e in told[channel] if isinstance(e, FeedLost)] == ["degraded", "connecting"]
            kinds = [type(event) for event in told[channel]]
            assert kinds.index(FeedLost) < kinds.index(FeedBack)

        for number, priority in PRIORITIES.items():
            gaps = await _gaps(process, number, since)
            assert {(g["cause"], g["detail"]) for g in gaps} == (set() if priority == 0 else {("ours", "degraded")})
        facts = [f for f in await process.facts() if f.get("code") == "DEGRADED" and at_from_text(f["at"]) >= since]
        raised = [f["detail"] for f in facts if f["kind"] == "alarm_raised"]
        assert raised == ["1 sync", "2 sync", "3 sync", "2 sync", "1 sync"]
        assert facts[-1]["kind"] == "alarm_ended"


async def test_one_of_two_disks_stalls_and_only_its_own_cameras_are_given_up(
    tmp_path: Path, cameras: Simulator
) -> None:
    stall = tmp_path / "stall"
    disks = tmp_path / "disk1", tmp_path / "disk2"
    for disk in disks:
        disk.mkdir()
    async with _all_recording(tmp_path, cameras, _stalling(stall, "disk2"), disks) as (process, since):
        watch = Watch(process)
        rows = (await process.call("status"))["cameras"]
        on_second = {row["camera"] for row in rows if row.get("storage") == "disk2"}
        there = {n: priority for n, priority in PRIORITIES.items() if camera_id(n) in on_second}
        assert 0 < len(there) < len(PRIORITIES)
        stopped = {(camera_id(n), "main") for n, priority in there.items() if priority > min(there.values())}
        deepest = 3 if stopped else 2  # with one priority there nothing is left to give up

        async def reached() -> bool:
            return await watch.look() == deepest and bool(watch.at(deepest) >= stopped)

        async def over() -> bool:
            return await watch.look() == 0

        stall.touch()
        await wait_until(reached, 60)
        stall.unlink()
        await wait_until(over, 60)
        await _until_all_record(process)
        await _settled(process, since)
        assert {one for one in watch.at(deepest) if one[1] == "main"} == stopped
        for number in PRIORITIES:
            gaps = {(gap["cause"], gap["detail"]) for gap in await _gaps(process, number, since)}
            assert gaps == ({("ours", "degraded")} if (camera_id(number), "main") in stopped else set())


async def test_an_event_loop_that_gets_too_little_time(tmp_path: Path, cameras: Simulator) -> None:
    """The process is stopped for most of the time, until it has given up cameras."""
    async with _all_recording(tmp_path, cameras, _SHRUNK) as (process, since):
        watch = Watch(process)
        assert process.process is not None
        async with asyncio.timeout(90):
            while await watch.look() < 3:
                process.process.send_signal(signal.SIGSTOP)
                try:
                    await asyncio.sleep(_STOPPED_S)
                finally:
                    process.process.send_signal(signal.SIGCONT)
                await asyncio.sleep(_RUNNING_S)

        async def over() -> bool:
            return await watch.look() == 0

        await wait_until(over, 90)
        await _until_all_record(process)
        await _settled(process, since)
        assert {"load"} <= watch.reasons <= {"", "load", "sync"}  # the disk's thread is stopped with it
        assert watch.at(3) >= {(camera_id(4), "main")}
        for number in (1, 2):
            assert await _gaps(process, number, since) == []
        assert {(g["cause"], g["detail"]) for g in await _gaps(process, 4, since)} == {("ours", "degraded")}
