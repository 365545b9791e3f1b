import asyncio
import time
from collections.abc import Callable

import pytest
import uvloop
from h264_clip import avcc, make_clip
from rtsp_camera import Camera, Manners
from sinks import Collector

from streams.pull import pull
from streams.rtsp import pace
from streams.rtsp.pace import Pace, running_pace
from streams.source import SourceConfig

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


class Counter:
    def __init__(self, *, in_hurry: bool = True) -> None:
        self.in_hurry = in_hurry
        self.reads = 0
        self.read_once = asyncio.Event()
        self.was_let_go = False

    def read(self) -> None:
        self.reads += 1
        self.read_once.set()

    def let_go(self) -> None:
        self.was_let_go = True


async def test_all_that_joined_are_read_within_a_beat_until_they_leave() -> None:
    shared = running_pace()
    assert running_pace() is shared
    readers = [Counter() for _ in range(9)]
    for reader in readers:
        shared.join(reader)
    async with asyncio.timeout(60):
        await readers[0].read_once.wait()
    assert [reader.reads for reader in readers] == [1] * 9
    for reader in readers[:-1]:
        shared.leave(reader)
    counts = [reader.reads for reader in readers]
    readers[-1].read_once.clear()
    async with asyncio.timeout(60):
        await readers[-1].read_once.wait()
    assert [reader.reads for reader in readers[:-1]] == counts[:-1]
    shared.leave(readers[-1])


async def test_who_is_in_no_hurry_is_read_every_few_beats() -> None:
    shared = Pace()
    hurried, calm = Counter(), [Counter(in_hurry=False) for _ in range(pace.CALM_BEATS)]
    for reader in (hurried, *calm):
        shared.join(reader)
    async with asyncio.timeout(60):
        while hurried.reads < 4 * pace.CALM_BEATS:
            hurried.read_once.clear()
            await hurried.read_once.wait()
    assert [reader.reads for reader in calm] == [4] * pace.CALM_BEATS
    for reader in (hurried, *calm):
        shared.leave(reader)


async def test_a_loop_that_stood_still_is_late_by_that_once() -> None:
    shared = Pace()
    reader = Counter()
    shared.join(reader)
    async with asyncio.timeout(60):
        await reader.read_once.wait()
        shared.take_late_s()
        reader.read_once.clear()
        time.sleep(0.5)  # noqa: ASYNC251 - the loop stands still
        await reader.read_once.wait()
    assert shared.take_late_s() >= 0.5 - pace.BEAT_S
    assert shared.take_late_s() == 0.0
    shared.leave(reader)


class _Dear(Counter):
    """Takes so much of the processor at each reading, every so many."""

    def __init__(self, shared: Pace, of_s: float, every: int = 1) -> None:
        super().__init__()
        self._shared = shared
        self._of_s = of_s
        self._every = every

    def read(self) -> None:
        super().read()
        until_s = time.thread_time() + self._of_s
        while self.reads % self._every == 0 and time.thread_time() < until_s:
            pass

    def let_go(self) -> None:
        super().let_go()
        self._shared.leave(self)


class _Slow(Counter):
    """Stands still at each reading, as where the machine is busy."""

    def read(self) -> None:
        super().read()
        time.sleep(2 * pace.DEAR_S)


async def test_who_takes_too_much_of_the_processor_again_and_again_is_let_go() -> None:
    shared = Pace()
    steadily, at_times = _Dear(shared, 4 * pace.DEAR_S), _Dear(shared, 6 * pace.DEAR_S, every=2)
    others = [Counter(), _Slow(), _Dear(shared, pace.DEAR_S / 4)]
    for reader in (steadily, at_times, *others):
        shared.join(reader)
    async with asyncio.timeout(120):
        while not (steadily.was_let_go and at_times.was_let_go):
            others[0].read_once.clear()
            await others[0].read_once.wait()
    assert not any(other.was_let_go for other in others)
    for reader in others:
        shared.leave(reader)


async def test_who_was_dear_for_a_moment_stays() -> None:
    shared = Pace()
    reader = _Dear(shared, 10 * pace.DEAR_S, every=pace.WEIGHED_TURNS // 2)
    shared.join(reader)
    async with asyncio.timeout(60):
        while reader.reads < 5 * pace.WEIGHED_TURNS // 2:
            reader.read_once.clear()
            await reader.read_once.wait()
    assert not reader.was_let_go
    shared.leave(reader)


async def test_reading_one_may_end_the_others() -> None:
    shared = Pace()
    others = [Counter() for _ in range(5)]

    class Ender(Counter):
        def read(self) -> None:
            super().read()
            for other in others:
                shared.leave(other)

    ender = Ender()
    for reader in (ender, *others):
        shared.join(reader)
    async with asyncio.timeout(60):
        await ender.read_once.wait()
    shared.leave(ender)
    assert [other.reads for other in others] == [0] * 5


async def test_many_are_dealt_over_turns_and_each_is_read_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "TURN_READERS", 4)
    shared = Pace()
    readers = [Counter() for _ in range(10)]
    for reader in readers:
        shared.join(reader)
    async with asyncio.timeout(60):
        while readers[0].reads < 5:
            readers[0].read_once.clear()
            await readers[0].read_once.wait()
    assert all(abs(reader.reads - 5) <= 1 for reader in readers)
    for reader in readers:
        shared.leave(reader)


@pytest.mark.parametrize("make_loop", LOOPS)
@pytest.mark.parametrize("pieces", [1, 8])
def test_many_cameras_on_one_loop_of_either_kind(
    make_loop: Callable[[], asyncio.AbstractEventLoop], pieces: int
) -> None:
    """They share one buffer: nothing of one may show up in another."""
    clips = [make_clip(), make_clip(320, 192, 30, 15)]

    async def body() -> None:
        async with (
            Camera(Manners(speed=4, pieces=pieces, mtu=200), clips[0]) as first,
            Camera(Manners(speed=4, pieces=pieces, mtu=333, stop_after=45, ending="reset"), clips[1]) as second,
        ):
            sinks = [Collector() for _ in range(20)]
            pulls = [
                asyncio.create_task(pull(SourceConfig((first, second)[number % 2].url), sink))
                for number, sink in enumerate(sinks)
            ]
            await asyncio.gather(*(sink.wait_packets(40) for sink in sinks))
            for task in pulls:
                task.cancel()
            await asyncio.gather(*pulls, return_exceptions=True)
        for number, sink in enumerate(sinks):
            units = clips[number % 2].units
            wanted = [avcc(units[at % len(units)]) for at in range(40)]
            assert [packet.data for packet in sink.packets[:40]] == wanted

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(body())
