import asyncio
import heapq
import time
from contextlib import AsyncExitStack, suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rtsp_camera import Camera, Manners
from sinks import Collector

from streams import streamer
from streams.errors import CameraError, CameraFault
from streams.source import AGAIN_S, SourceConfig
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
    await asyncio.gather(*(budget.wait_turn(f"camera {n}") for n in range(11)))
    assert time.monotonic() - started_s >= 0.2


@settings(max_examples=50)
@given(st.integers(1, 60), st.integers(0, 12), st.randoms(use_true_random=False))
def test_a_storm_connects_no_camera_twice_in_two_seconds_nor_more_than_the_budget(cameras, rounds, drawn) -> None:
    """In told time: each camera fails at once or after a while, and asks again as its task would."""
    budget = ConnectBudget(per_s=10)
    asking = [(0.0, n) for n in range(cameras)]
    turns: list[tuple[float, int]] = []
    while asking:
        now_s, camera = heapq.heappop(asking)
        url = f"camera {camera}"
        pause_s = budget.pause_s(url, now_s)
        if pause_s > 0:
            heapq.heappush(asking, (now_s + pause_s, camera))
            continue
        turn_s = budget.reserve(url, now_s)
        turns.append((turn_s, camera))
        if sum(n == camera for _, n in turns) <= rounds:
            heapq.heappush(asking, (turn_s + drawn.choice((0.0, 0.001, 0.3, 5.0)), camera))
    for camera in range(cameras):
        own = [turn_s for turn_s, n in turns if n == camera]
        assert len(own) == rounds + 1
        assert all(later - earlier > 1.999 for earlier, later in pairwise(own))
    times = sorted(turn_s for turn_s, _ in turns)
    assert all(later - earlier > 0.999 for earlier, later in zip(times, times[10:], strict=False))


async def test_a_storm_of_resets_before_real_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every camera resets every connection at once, however often it is tried."""
    monkeypatch.setattr(streamer, "FIRST_WAIT_S", 0.01)
    turns: dict[str, list[float]] = {}

    class Noted(ConnectBudget):
        def reserve(self, url: str, now_s: float) -> float:
            turn_s = super().reserve(url, now_s)
            turns.setdefault(url, []).append(turn_s)
            return turn_s

    budget = Noted(per_s=100)
    async with AsyncExitStack() as stack:
        cameras = [await stack.enter_async_context(Camera(Manners(stop_after=1, ending="reset"))) for _ in range(12)]
        streamers = [Streamer(SourceConfig(camera.url), Collector(), budget, lambda _: None) for camera in cameras]
        tasks = [asyncio.create_task(keeper.run()) for keeper in streamers]
        async with asyncio.timeout(300):
            await asyncio.gather(*(camera.wait_request("PLAY", 3) for camera in cameras))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert len(turns) == 12
    for own in turns.values():
        assert all(later - earlier > AGAIN_S - 0.001 for earlier, later in pairwise(own))


async def test_a_camera_that_breaks_is_tried_again_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamer, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(streamer, "AGAIN_S", 0.01)
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
    monkeypatch.setattr(streamer, "AGAIN_S", 0.01)
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
        async with asyncio.timeout(60):
            await second.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert "ZeroDivisionError" in lost[0].detail
    assert "our own fault" in caplog.text
