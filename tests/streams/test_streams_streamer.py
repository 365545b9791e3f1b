import asyncio
import time
from contextlib import suppress

import pytest
from rtsp_camera import Camera, Manners
from sinks import Collector

from streams import streamer
from streams.errors import CameraError, CameraFault
from streams.source import SourceConfig
from streams.streamer import Backoff, ConnectBudget, Streamer


def test_waits_double_up_to_a_cap_and_start_again_after_a_healthy_stretch() -> None:
    backoff = Backoff()
    waits = [backoff.wait_s(CameraFault.RESET, 1.0, 1.0) for _ in range(9)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert backoff.wait_s(CameraFault.STALLED, 31.0, 1.0) == 0.5
    assert backoff.wait_s(CameraFault.STALLED, 0.0, 0.0) == 0.5  # half of the second wait


def test_what_a_person_must_mend_is_not_asked_often() -> None:
    assert Backoff().wait_s(CameraFault.REFUSED_CREDENTIALS, 0.0, 0.0) == 15


async def test_the_budget_spreads_connections() -> None:
    budget = ConnectBudget(per_s=50)
    started_s = time.monotonic()
    await asyncio.gather(*(budget.wait_turn() for _ in range(11)))
    assert 0.2 <= time.monotonic() - started_s < 2


async def test_a_camera_that_breaks_is_tried_again_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamer, "FIRST_WAIT_S", 0.01)
    lost: list[CameraError] = []
    sink = Collector()
    async with Camera(Manners(stop_after=10, ending="reset")) as camera:
        keeper = Streamer(SourceConfig(camera.url), sink, ConnectBudget(1000), lost.append)
        task = asyncio.create_task(keeper.run())
        await sink.wait_packets(30)
        assert camera.connections >= 3
        assert {error.fault for error in lost} == {CameraFault.RESET}
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_fault_of_ours_does_not_end_the_camera(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(streamer, "FIRST_WAIT_S", 0.01)
    lost: list[CameraError] = []
    second = asyncio.Event()

    class Broken(Collector):
        def packet(self, packet: object) -> None:
            raise ZeroDivisionError

    def on_lost(error: CameraError) -> None:
        lost.append(error)
        if len(lost) == 2:
            second.set()

    async with Camera() as camera:
        task = asyncio.create_task(Streamer(SourceConfig(camera.url), Broken(), ConnectBudget(1000), on_lost).run())
        async with asyncio.timeout(10):
            await second.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert "ZeroDivisionError" in lost[0].detail
    assert "our own fault" in caplog.text
