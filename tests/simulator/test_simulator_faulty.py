"""Cameras that break the rules of RTP, before the product's own client."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import pytest
from conftest import Start

from csu.settings import Paths
from csu.simulator import distortion, loops, rtp, running, sei
from csu.simulator.cameras import QUICK
from csu.simulator.faults import Fault, concerns
from csu.simulator.running import Simulation
from streams.errors import CameraError, CameraFault
from streams.packets import Packet
from streams.pull import pull
from streams.rtsp import tls
from streams.source import SourceConfig, SourceInfo
from streams.timeline import Anchor, Timeline


class Sink:
    is_watched = True

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self._more = asyncio.Event()

    def connected(self, info: SourceInfo) -> None:
        pass

    def packet(self, packet: Packet) -> None:
        self.packets.append(packet)
        self._more.set()

    def sender_report(self, ntp_at: datetime, rtp_90k: int, received_s: float) -> None:
        pass

    async def wait(self, condition: Callable[[list[int]], bool]) -> list[int]:
        """Until the absolute numbers of the frames that came meet the condition; more may come before the pull ends."""
        while not condition(numbers := [_number(packet) for packet in self.packets]):
            self._more.clear()
            await self._more.wait()
        return numbers


def _number(packet: Packet) -> int:
    stamp = sei.find(packet.data)
    assert stamp is not None
    return stamp.number


@asynccontextmanager
async def pulling(simulation: Simulation, secret: str, camera: int = 1) -> AsyncIterator[Sink]:
    """What the camera gives until the block ends; the pull must not end before."""
    sink = Sink()
    task = asyncio.create_task(pull(_config(simulation, secret, camera), sink))
    try:
        async with asyncio.timeout(120):
            yield sink
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _config(simulation: Simulation, secret: str, camera: int = 1) -> SourceConfig:
    user, _, password = secret.partition(":")
    return SourceConfig(simulation.urls("main")[camera - 1], user, password)


async def _failure(simulation: Simulation, secret: str) -> CameraError:
    with pytest.raises(CameraError) as caught:
        async with asyncio.timeout(120):
            await pull(_config(simulation, secret), Sink())
    return caught.value


def _struck(numbers: list[int]) -> list[int]:
    return [number for number in range(numbers[0], numbers[-1]) if concerns(number)]


@pytest.mark.parametrize("fault", [Fault.TRUNCATED_NAL, Fault.WRONG_EXTENSIONS])
async def test_a_broken_picture_is_left_out_and_told_by_the_next(
    simulate: Start, secret: str, simulator_paths: Paths, fault: Fault
) -> None:
    async with simulate(fault=fault) as simulation, pulling(simulation, secret) as sink:
        numbers = await sink.wait(lambda numbers: len(numbers) > 110)
    loop = loops.load(simulator_paths.simulator, 1, "main", QUICK)
    broken = set(_struck(numbers))
    if fault is Fault.TRUNCATED_NAL:  # only what is fragmented lacks its end
        broken = {n for n in broken if len(loop.frames[n % len(loop.frames)].nals[-1]) > 1400}
    assert len(broken) > 3
    assert set(numbers) == set(range(numbers[0], numbers[-1] + 1)) - broken
    for number, packet in zip(numbers[1:], sink.packets[1 : len(numbers)], strict=True):
        assert (packet.lost_before > 0) == (number - 1 in broken)


async def test_stamps_that_go_back_are_repaired_and_counted(simulate: Start, secret: str) -> None:
    async with simulate(fault=Fault.BACKWARDS) as simulation, pulling(simulation, secret) as sink:
        numbers = await sink.wait(lambda numbers: len(numbers) > 100)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    timeline = Timeline(Anchor(0.0, 0))
    placed, cuts = [], []
    for packet in sink.packets[: len(numbers)]:
        placed.append(timeline.place(packet.pts_90k, packet.received_s))
        cuts.append(timeline.cut)
    assert placed == sorted(set(placed))
    assert set(cuts) == {None}
    assert timeline.backwards == len([number for number in numbers[1:] if concerns(number)])


async def test_a_camera_without_parameter_sets_is_told(simulate: Start, secret: str) -> None:
    async with simulate(fault=Fault.MISSING_SPS) as simulation:
        error = await _failure(simulation, secret)
    assert error.fault is CameraFault.GARBAGE
    assert "parameter sets" in error.detail


async def test_a_trickle_is_a_stall_and_costs_the_others_nothing(simulate: Start, secret: str) -> None:
    async with simulate(fault=Fault.TRICKLE) as simulation, pulling(simulation, secret, camera=2) as other:
        error = await _failure(simulation, secret)
        numbers = await other.wait(lambda numbers: len(numbers) > 50)
    assert error.fault is CameraFault.STALLED
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


async def test_cameras_over_tls(
    simulate: Start, secret: str, simulator_paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls._context.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(running.certificate_file(simulator_paths)))
    async with simulate(tls=True) as simulation:
        assert simulation.urls("main")[0].startswith("rtsps://")
        async with pulling(simulation, secret) as one, pulling(simulation, secret, camera=2) as two:
            for sink in (one, two):
                numbers = await sink.wait(lambda numbers: len(numbers) > 60)
                assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert simulation.server.stats()["drops"] == 0
        monkeypatch.delenv("SSL_CERT_FILE")
        tls._context.cache_clear()
        assert "certificate" in (await _failure(simulation, secret)).detail
    tls._context.cache_clear()


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_distorted_packets_are_as_told(codec: str) -> None:
    nals = (b"\x41\x01" + bytes(range(1, 200)), b"\x41\x01" + bytes(range(1, 255)) * 20)
    data, count = rtp.packetise(nals, 0, 7, 1, 2, codec)
    packets = list(distortion.split(data))
    assert len(packets) == count
    cut, missing = distortion.without_end(data, codec)
    assert (cut, missing) == (b"".join(packets[:-1]), 1)
    whole, _ = rtp.packetise(nals[:1], 0, 7, 1, 2, codec)
    assert distortion.without_end(whole, codec) == (whole, 0)
    for is_right in (True, False):
        dressed = list(distortion.split(distortion.extended(data, is_right)))
        assert [packet[24:] for packet in dressed] == [packet[16:] for packet in packets]
        assert all(int.from_bytes(packet[2:4], "big") == len(packet) - 4 for packet in dressed)
