"""What a stream sends, tick by tick, without waiting for the clock."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from itertools import pairwise

import pytest

from csu.settings import Paths
from csu.simulator import loops
from csu.simulator.cameras import QUICK
from csu.simulator.client import Client, Tracks
from csu.simulator.stream import TICK_US, Manner, StreamSender

_START = 1_800_000_000_000_000 // TICK_US
_TICKS_PER_S = 1_000_000 // TICK_US


@pytest.fixture
def sender(simulator_paths: Paths) -> StreamSender:
    loop = loops.load(simulator_paths.simulator, 1, "main", QUICK)
    return StreamSender(1, "main", loop, Manner(QUICK))


class Counted(socket.socket):
    """Knows how much the kernel has taken."""

    sent = 0

    def send(self, data: memoryview, flags: int = 0) -> int:
        taken = super().send(data, flags)
        self.sent += taken
        return taken


class Pair:
    """The simulator's end of a connection, and the other one."""

    def __init__(self, ours: Counted, theirs: socket.socket) -> None:
        self.ours, self._theirs, self._received = ours, theirs, 0

    def receive(self) -> bytes:
        """All that has been sent until now and was not received yet, however long the kernel takes over it."""
        data = bytearray()
        while self._received + len(data) < self.ours.sent:
            data += self._theirs.recv(1 << 20)
        self._received += len(data)
        return bytes(data)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    with Counted(fileno=accepted.detach()) as ours, theirs:
        theirs.settimeout(60)
        yield Pair(ours, theirs)


def _packets(data: bytes) -> list[tuple[int, int, bool]]:
    """Sequence number, time and marker of each whole RTP packet."""
    packets, at = [], 0
    while at + 4 <= len(data):
        assert data[at] == 0x24
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == 0:
            kind, sequence, time = struct.unpack(">xBHI", data[at + 4 : at + 12])
            packets.append((sequence, time, bool(kind & 0x80)))
        at += 4 + size
    return packets


async def test_a_loop_ends_without_a_jump(sender: StreamSender, pair: Pair) -> None:
    client = Client(asyncio.get_running_loop(), pair.ours)
    client.tracks = Tracks(video=0)
    sender.add(client)
    data = b""
    for tick in range(_START, _START + 8 * _TICKS_PER_S):
        sender.tick(tick, tick * TICK_US / 1e6)
        data += pair.receive()
    packets = _packets(data)
    assert all((b[0] - a[0]) % 65536 == 1 for a, b in pairwise(packets))
    times = [time for _, time, marker in packets if marker]
    assert len(times) >= 8 * 25 - 1
    assert {(b - a) % 2**32 for a, b in pairwise(times)} == {3600}
    assert sender.drops == 0


async def test_frames_leave_in_eight_writes(sender: StreamSender, pair: Pair) -> None:
    client = Client(asyncio.get_running_loop(), pair.ours)
    client.tracks = Tracks(video=0)
    sender.add(client)
    for tick in range(_START, _START + 8):  # to the first frame's start
        sender.tick(tick, 0.0)
    pair.receive()
    arrivals = []
    for tick in range(_START + 8, _START + 8 + _TICKS_PER_S):
        sender.tick(tick, 0.0)
        arrivals.append(len(pair.receive()))
    assert sum(size > 0 for size in arrivals) > 0.8 * _TICKS_PER_S


@pytest.mark.parametrize("left_out", [3, 11, 3 * _TICKS_PER_S, -_TICKS_PER_S])
async def test_a_frame_is_sent_whole_though_the_clock_leaps_in_its_midst(
    sender: StreamSender, pair: Pair, left_out: int
) -> None:
    client = Client(asyncio.get_running_loop(), pair.ours)
    client.tracks = Tracks(video=0)
    sender.add(client)
    data = b""
    for second in range(8):
        from_tick = _START + second * (_TICKS_PER_S + left_out)
        for tick in range(from_tick, from_tick + _TICKS_PER_S + second):  # it ends at each piece of a frame
            sender.tick(tick, tick * TICK_US / 1e6)
            data += pair.receive()
    packets = _packets(data)
    assert all((b[0] - a[0]) % 65536 == 1 for a, b in pairwise(packets))
    assert all(a[2] or a[1] == b[1] for a, b in pairwise(packets)), "a frame ends with its marker"
    assert sum(marker for *_, marker in packets) >= 8 * 24


async def test_a_slow_client_loses_whole_frames_and_sees_the_gap(sender: StreamSender, pair: Pair) -> None:
    client = Client(asyncio.get_running_loop(), pair.ours)
    client.tracks = Tracks(video=0)
    sender.add(client)
    for tick in range(_START, _START + 20 * _TICKS_PER_S):
        sender.tick(tick, tick * TICK_US / 1e6)
    dropped = sender.drops
    assert dropped > 25
    data = pair.receive()
    while client._queue:
        await asyncio.sleep(0)  # its loop sends what the kernel takes now
        data += pair.receive()
    for tick in range(_START + 20 * _TICKS_PER_S, _START + 21 * _TICKS_PER_S):
        sender.tick(tick, tick * TICK_US / 1e6)
        data += pair.receive()
    assert sender.drops == dropped
    packets = _packets(data)
    gaps = [(a, b) for a, b in pairwise(packets) if (b[0] - a[0]) % 65536 != 1]
    assert gaps
    assert all(before[2] for before, _ in gaps)  # a gap follows a frame's last packet
    frames_missing = sum((b[1] - a[1]) % 2**32 // 3600 - 1 for a, b in gaps)
    assert frames_missing == dropped
