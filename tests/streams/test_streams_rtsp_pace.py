import asyncio
from collections.abc import Callable

import pytest
import uvloop
from h264_clip import avcc, make_clip
from rtsp_camera import Camera, Manners
from sinks import Collector

from streams.rtsp import pace
from streams.rtsp.pace import Pace, running_pace
from streams.source import SourceConfig, pull

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


class Transport:
    def __init__(self) -> None:
        self.acts: list[str] = []
        self.resumed = asyncio.Event()
        self.closing = False

    def pause_reading(self) -> None:
        self.acts.append("pause")

    def resume_reading(self) -> None:
        self.acts.append("resume")
        self.resumed.set()

    def is_closing(self) -> bool:
        return self.closing


async def test_all_that_wait_are_woken_by_one_beat() -> None:
    shared = running_pace()
    assert running_pace() is shared
    first, second, closing = Transport(), Transport(), Transport()
    closing.closing = True
    for transport in (first, second, closing):
        shared.pause(transport)
    async with asyncio.timeout(5):
        await first.resumed.wait()
    assert first.acts == second.acts == ["pause", "resume"]
    assert closing.acts == ["pause"]


async def test_no_wait_is_longer_than_a_beat() -> None:
    shared, loop = Pace(), asyncio.get_running_loop()
    for _ in range(5):
        transport = Transport()
        began_s = loop.time()
        shared.pause(transport)
        async with asyncio.timeout(5):
            await transport.resumed.wait()
        assert loop.time() - began_s < pace.BEAT_S + 1.0  # a beat, and what a busy machine adds


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
