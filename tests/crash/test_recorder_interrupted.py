"""Announced interruptions, obeyed by the recorder alone: maintenance is told as such, masked pictures don't exist."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from recorder_process import (
    RecorderProcess,
    Simulator,
    camera,
    camera_id,
    is_whole,
    orders,
    recorder,
    simulator,
    wait_until,
)

from recorder.channel import ChannelClient
from recorder.feed import FeedLost, FeedPacket, PacketFeedClient
from recorder.orders import Interruption
from recorder.utc import at_from_text, text_from_at


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulator(tmp_path_factory.mktemp("simulator"), 2) as running:
        yield running


async def _until_state(process: RecorderProcess, state: str, number: int = 1) -> None:
    async def reached() -> bool:
        return await process.state(camera_id(number)) == state

    await wait_until(reached, 60)


async def _gaps(process: RecorderProcess, since: datetime) -> list[dict[str, Any]]:
    coverage = await process.coverage(camera_id(1), since)
    assert is_whole(coverage)
    gaps: list[dict[str, Any]] = coverage["gaps"]
    return gaps


async def _until_told(process: RecorderProcess, since: datetime, cause: str, from_at: datetime) -> None:
    async def told() -> bool:
        return any((gap["cause"], gap["from"]) == (cause, text_from_at(from_at)) for gap in await _gaps(process, since))

    await wait_until(told, 60)


async def test_maintenance_is_told_as_such_over_a_restart_and_raises_no_alarm(
    tmp_path: Path, cameras: Simulator
) -> None:
    """The camera fails before the window, stays dead all through it, also over a kill, and comes back after."""
    with recorder(tmp_path / "data") as process:
        await process.order(orders(camera(cameras, 1)))
        await _until_state(process, "recording")
        since = datetime.now(UTC)
        async with ChannelClient(cameras.control) as simulated:
            try:
                await simulated.call("fault", camera=1, fault="reset")
                await _until_state(process, "lost")
                now = datetime.now(UTC)
                window = Interruption("planned", now + timedelta(seconds=8), now + timedelta(seconds=40))
                await process.order(orders(camera(cameras, 1, interruptions=(window,))))
                await _until_told(process, since, "planned", window.from_at)
                process.kill()
                process.start()
                await _until_state(process, "lost")
                await _until_told(process, since, "network", window.to_at)
            finally:
                await simulated.call("fault", camera=1, fault=None)
        await _until_state(process, "recording")
        told: list[list[str]] = []

        async def both_ends() -> bool:
            told[:] = [[gap["cause"], gap["from"], gap["to"]] for gap in await _gaps(process, since)]
            return {text_from_at(window.from_at), text_from_at(window.to_at)} <= {at for gap in told for at in gap[1:]}

        await wait_until(both_ends)
        within = [gap for gap in told if window.from_at <= at_from_text(gap[1]) < window.to_at]
        assert {cause for cause, _, _ in within} <= {"planned", "ours"}
        assert (within[0][:2], within[-1][0], within[-1][2]) == (
            ["planned", text_from_at(window.from_at)],
            "planned",
            text_from_at(window.to_at),
        )
        assert {cause for cause, from_at, _ in told if at_from_text(from_at) >= window.to_at} == {"network"}
        raised = [f for f in await process.facts() if f["kind"] == "alarm_raised" and f["code"] == "CAMERA_LOST"]
        assert [f for f in raised if window.from_at <= at_from_text(f["at"]) < window.to_at] == []
        assert process.stop() == 0
        assert process.csu("check", "--deep")[1]["ok"]


async def test_a_mask_holds_at_once_and_alone_and_nobody_sees_through(tmp_path: Path, cameras: Simulator) -> None:
    with recorder(tmp_path / "data") as process:
        since = datetime.now(UTC)
        await process.order(orders(camera(cameras, 1), camera(cameras, 2)))
        await _until_state(process, "recording")
        async with PacketFeedClient.open(process.paths.packets_socket) as feed:
            await feed.subscribe(camera_id(1), "main")
            now = datetime.now(UTC)
            first = Interruption("masked", now - timedelta(hours=1), now + timedelta(seconds=10))
            second = Interruption("masked", now + timedelta(seconds=20), now + timedelta(seconds=26))
            await process.order(orders(camera(cameras, 1, interruptions=(first, second)), camera(cameras, 2)))
            assert await process.state(camera_id(1)) == "masked"
            ordered = datetime.now(UTC)
            seen: list[datetime] = []
            masks = 0
            async with asyncio.timeout(90):
                async for event in feed.events():
                    if isinstance(event, FeedPacket):
                        seen.append(datetime.fromtimestamp(event.at_us / 1e6, UTC))
                    if isinstance(event, FeedLost) and event.fault == "masked":
                        masks += 1
                        if masks == 1:  # what was shown before the order may be dated a little ahead
                            seen.clear()
                    if seen and seen[-1] > second.to_at:
                        break
        assert masks == 2
        for mask in (Interruption("masked", ordered, first.to_at), second):
            assert [at for at in seen if mask.from_at <= at < mask.to_at] == []
        gaps: list[dict[str, Any]] = []

        async def recorded_again() -> bool:
            gaps[:] = await _gaps(process, since)
            return gaps[-1]["detail"] == "starting" and at_from_text(gaps[-1]["to"]) > second.to_at

        await wait_until(recorded_again)
        masked = [gap for gap in gaps if gap["cause"] == "masked"]
        assert [gap["to"] for gap in masked] == [text_from_at(first.to_at), text_from_at(second.to_at)]
        assert at_from_text(masked[0]["from"]) < ordered + timedelta(milliseconds=100)
        # From the last picture on; when the camera or the recorder stood still, the last ones before it never came.
        last_at = max(at for at in seen if at < second.from_at)
        assert abs(at_from_text(masked[1]["from"]) - last_at) < timedelta(milliseconds=100)
        assert {gap["cause"] for gap in gaps} == {"ours", "masked"}
        status, figures = process.csu(
            "coverage", "--camera", camera_id(1), "--from", masked[1]["from"], "--to", masked[1]["to"]
        )
        assert (status, figures["expected_s"], figures["recorded_s"]) == (0, 0.0, 0.0)
        assert process.stop() == 0
        assert process.csu("check", "--deep")[1]["ok"]
