"""Odd cameras beside each other, each with an oddity of its own, before one recorder: every picture that was sent whole
is in the files bit for bit, every second is accounted for, and no camera costs another anything.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from recorder_process import (
    Pulse,
    RecorderProcess,
    camera,
    camera_id,
    is_whole,
    orders,
    recorded_s,
    recorder,
    wait_until,
)
from served_frames import Frames, check_served

from csu.simulator import encoding, loops, sei
from csu.simulator.cameras import PLACES, QUICK, STREAMS, Quality, Stream, path
from csu.simulator.faults import PERIOD_FRAMES, Fault, concerns
from csu.simulator.loops import Frame, Loop
from csu.simulator.server import Server
from csu.simulator.stream import Manner
from recorder.orders import StreamAddress

RECORDED_S = 12

HARMLESS = (
    Fault.TWO_SOURCES,
    Fault.AGGREGATES,
    Fault.ODD_SEI,
    Fault.SETS_DESCRIBED,
    Fault.SETS_IN_BAND,
    Fault.REDIRECT,
    Fault.ODD_BASE,
    Fault.SHORT_SESSION,
    Fault.OPTIONS_ONLY,
    Fault.RESIZE,
    Fault.NEW_SOURCE,
    Fault.BACKWARDS,
)
"""Not a picture may be missing."""
HARMFUL = (Fault.TRUNCATED_NAL, Fault.WRONG_EXTENSIONS, Fault.GOODBYE)
"""Some pictures never come, or only after a new connection."""
HOPELESS: dict[Fault | None, str] = {Fault.MISSING_SPS: "garbage", Fault.TRICKLE: "stalled"}
"""Nothing is recorded, and the account's detail says why."""
FAULTS = (None, *HARMLESS, *HARMFUL, *HOPELESS)

Loops = dict[Stream, Loop]


def _loops(directory: Path, quality: Quality) -> Loops:
    encoding.ensure(directory, [1], quality)
    return {stream: loops.load(directory, 1, stream, quality) for stream in STREAMS}


@asynccontextmanager
async def _odd_cameras(encoded: Loops, quality: Quality) -> AsyncIterator[int]:
    """Camera n has the fault n - 1; all show one scene. Gives the port."""
    scenes = {(scene, stream): encoded[stream] for scene in range(1, len(PLACES) + 1) for stream in STREAMS}
    server = Server(len(FAULTS), scenes, Manner(quality), None)
    for number, fault in enumerate(FAULTS, 1):
        server.set_fault(number, fault)
    async with server.serving(0) as port:
        yield port


def _frames(fault: Fault | None, encoded: Loops, codec: str) -> Frames:
    """What is recorded of a frame, behind its stamp."""

    def frame(number: int) -> Frame:
        is_small = fault is Fault.RESIZE and number // PERIOD_FRAMES % 2
        frames = encoded["sub" if is_small else "main"].frames
        found = frames[number % len(frames)]
        if fault is Fault.ODD_SEI:
            before, behind = sei.empty(3000, codec, behind=False), sei.empty(30, codec, behind=True)
            return replace(found, nals=(before, *found.nals, behind))
        return found

    return frame


@pytest.mark.timeout(240)
@pytest.mark.parametrize("codec", ["h264", "h265"])
async def test_each_odd_camera_is_recorded_and_costs_only_itself(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, codec: str
) -> None:
    quality = replace(QUICK, codec=codec)
    encoded = await asyncio.to_thread(_loops, tmp_path_factory.mktemp("loops"), quality)
    since = datetime.now(UTC)
    numbers = range(1, len(FAULTS) + 1)
    async with _odd_cameras(encoded, quality) as port:
        with recorder(tmp_path / "data") as process:
            await process.order(orders(*(_order(port, number) for number in numbers)))
            pulse = Pulse(process)
            await wait_until(lambda: _all_told(process, since, pulse), 120)
            accounts = {number: await process.coverage(camera_id(number), since) for number in numbers}
            assert await asyncio.to_thread(process.stop) == 0
            assert (await asyncio.to_thread(process.csu, "check", "--deep"))[1]["ok"]
            for number, fault in enumerate(FAULTS, 1):
                _check_account(fault, accounts[number], pulse.may_have_paused)
                got = _recorded(process, number, _frames(fault, encoded, codec), codec)
                _check_pictures(fault, got, encoded["main"])


def _order(port: int, number: int) -> Any:
    now = datetime.now(UTC)

    class Nobody:
        def address(self, number: int, stream: Stream) -> StreamAddress:
            return StreamAddress(f"rtsp://127.0.0.1:{port}{path(number, stream)}")

    return camera(Nobody(), number, record_from_at=now)


async def _all_told(process: RecorderProcess, since: datetime, pulse: Pulse) -> bool:
    """Whether each camera was recorded for long enough, or its fault is in the account."""
    for number, fault in enumerate(FAULTS, 1):
        await pulse.beat()
        account = await process.coverage(camera_id(number), since)
        details = {gap["detail"] for gap in account["gaps"]}
        if fault in HOPELESS or fault is Fault.GOODBYE:
            if HOPELESS.get(fault, "closed") not in details:
                return False
            continue
        if recorded_s(account) < RECORDED_S:
            return False
    return True


def _check_account(fault: Fault | None, account: dict[str, Any], paused: bool) -> None:
    """`paused`: of a gap that began in a pause of the recorder's, the recorder says that it is its own."""
    assert is_whole(account), fault
    details = {(gap["cause"], gap["detail"]) for gap in account["gaps"]} - {("ours", "starting")}
    if paused:
        details = {("camera" if cause == "ours" else cause, detail) for cause, detail in details}
    if fault in HOPELESS:
        assert not account["runs"], fault
        assert ("camera", HOPELESS[fault]) in details
    elif fault is Fault.GOODBYE:
        assert details == {("camera", "closed")}
    elif fault is Fault.NEW_SOURCE:
        assert details <= {("camera", "camera_clock")}
        assert len(account["runs"]) >= 2
    elif fault is Fault.RESIZE:
        assert details <= {("camera", "format")}
    else:
        assert details == set(), fault
        assert len(account["runs"]) == 1, fault


def _recorded(process: RecorderProcess, number: int, frames: Frames, codec: str) -> list[int]:
    files = sorted(process.paths.recordings.glob(f"{camera_id(number)}/**/*.mp4"))
    return [n for file in files for n in check_served(file, frames, codec)]


def _check_pictures(fault: Fault | None, numbers: list[int], loop: Loop) -> None:
    assert numbers == sorted(set(numbers)), fault
    if fault in HOPELESS:
        assert numbers == []
    elif fault is not Fault.GOODBYE:  # of which much is missing between its connections
        sent = range(numbers[0], numbers[-1] + 1)
        assert set(sent) - set(numbers) == {number for number in sent if _is_broken(fault, number, loop)}, fault


def _is_broken(fault: Fault | None, number: int, loop: Loop) -> bool:
    """Whether this picture is sent so that it cannot be had."""
    if fault is Fault.TRUNCATED_NAL:  # only what is fragmented lacks its end
        return concerns(number) and len(loop.frames[number % len(loop.frames)].nals[-1]) > 1400
    return fault is Fault.WRONG_EXTENSIONS and concerns(number)
