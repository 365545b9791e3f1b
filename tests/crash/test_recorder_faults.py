"""Cameras that lie, stall, reset or send garbage cost only themselves, and the account says why."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from recorder_process import Pulse, Simulator, camera, camera_id, orders, recorder, simulator, wait_until

from recorder.channel import ChannelClient


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulator(tmp_path_factory.mktemp("simulator"), 2) as running:
        yield running


@pytest.mark.parametrize(
    ("fault", "cause", "details"),
    [
        ("silent", "camera", {"stalled"}),
        ("reset", "network", {"reset"}),
        ("401", "camera", {"refused_credentials"}),
        ("garbage", "camera", {"garbage", "stalled"}),
        ("clock-jump", "camera", {"camera_clock"}),
        ("trickle", "camera", {"stalled"}),
    ],
)
async def test_only_the_faulty_camera_has_a_gap(
    tmp_path: Path, cameras: Simulator, fault: str, cause: str, details: set[str]
) -> None:
    since = datetime.now(UTC)
    gaps: list[dict[str, Any]] = []
    with recorder(tmp_path / "data") as process:
        await process.order(orders(camera(cameras, 1), camera(cameras, 2)))

        pulse = Pulse(process)

        async def both_record() -> bool:
            return {await process.state(camera_id(n)) for n in (1, 2)} == {"recording"}

        async def gap_told() -> bool:
            await pulse.beat()
            gaps[:] = (await process.coverage(camera_id(1), since))["gaps"]
            return any(gap["detail"] in details for gap in gaps)

        await wait_until(both_record)
        async with ChannelClient(cameras.control) as simulated:
            await pulse.begin()
            try:
                await simulated.call("fault", camera=1, fault=fault)
                await wait_until(gap_told)
            finally:
                await simulated.call("fault", camera=1, fault=None)
        causes = {gap["cause"] for gap in gaps if gap["detail"] in details}
        assert causes == {cause} or (pulse.may_have_paused and causes <= {cause, "ours"})

        async def other_is_durable() -> bool:
            return bool((await process.coverage(camera_id(2), since))["runs"])

        await wait_until(other_is_durable)
        other = await process.coverage(camera_id(2), since)
        assert len(other["runs"]) == 1
        assert {gap["cause"] for gap in other["gaps"]} == {"ours"}
        assert process.stop() == 0
        assert process.csu("check", "--deep")[1]["ok"]


async def test_the_cameras_clock_is_measured_and_stored_for_each_run(tmp_path: Path, cameras: Simulator) -> None:
    """Its reports come after the run's start; a jump begins a run with another offset."""
    since = datetime.now(UTC)
    with recorder(tmp_path / "data") as process:
        await process.order(orders(camera(cameras, 1)))

        async def offset() -> float | None:
            (row,) = (await process.call("status"))["cameras"]
            return None if row["clock_offset_s"] is None else float(row["clock_offset_s"])

        async def is_right() -> bool:
            found = await offset()
            is_recorded = await process.state(camera_id(1)) == "recording"
            return is_recorded and found is not None and abs(found) < 5

        async def is_ahead() -> bool:
            found = await offset()
            return found is not None and abs(found - 3600) < 5

        await wait_until(is_right)
        async with ChannelClient(cameras.control) as simulated:
            try:
                await simulated.call("fault", camera=1, fault="clock-jump")
                await wait_until(is_ahead)
            finally:
                await simulated.call("fault", camera=1, fault=None)
        assert process.stop() == 0
        until = datetime.now(UTC)
        words = ["--camera", camera_id(1), "--from", since.isoformat(), "--to", until.isoformat()]
        _, account = process.csu("coverage", *words)
        offsets = [round(run["offset_s"]) for run in account["clock_offsets"]]
        assert len(offsets) >= 2
        assert offsets[0] in range(-5, 6)
        assert any(abs(one - 3600) <= 5 for one in offsets)
