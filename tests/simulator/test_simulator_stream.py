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


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with ours, theirs:
        theirs.setblocking(False)
        yield ours, theirs


def _receive(connection: socket.socket) -> bytes:
    data = bytearray()
    while True:
        try:
            data += connection.recv(1 << 20)
        except BlockingIOError:
            return bytes(data)


async def _receive_until_silent(connection: socket.socket) -> bytes:
    data = b""
    try:
        while True:
            async with asyncio.timeout(0.3):
                data += await asyncio.get_running_loop().sock_recv(connection, 1 << 20)
    except TimeoutError:
        return data


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


async def test_a_loop_ends_without_a_jump(sender: StreamSender, pair: tuple[socket.socket, socket.socket]) -> None:
    client = Client(asyncio.get_running_loop(), pair[0])
    client.tracks = Tracks(video=0)
    sender.add(client)
    data = b""
    for tick in range(_START, _START + 8 * _TICKS_PER_S):
        sender.tick(tick, tick * TICK_US / 1e6)
        data += _receive(pair[1])
    packets = _packets(data)
    assert all((b[0] - a[0]) % 65536 == 1 for a, b in pairwise(packets))
    times = [time for _, time, marker in packets if marker]
    assert len(times) >= 8 * 25 - 1
    assert {(b - a) % 2**32 for a, b in pairwise(times)} == {3600}
    assert sender.drops == 0


async def test_frames_leave_in_eight_writes(sender: StreamSender, pair: tuple[socket.socket, socket.socket]) -> None:
    client = Client(asyncio.get_running_loop(), pair[0])
    client.tracks = Tracks(video=0)
    sender.add(client)
    for tick in range(_START, _START + 8):  # to the first frame's start
        sender.tick(tick, 0.0)
    _receive(pair[1])
    arrivals = []
    for tick in range(_START + 8, _START + 8 + _TICKS_PER_S):
        sender.tick(tick, 0.0)
        arrivals.append(len(_receive(pair[1])))
    assert sum(size > 0 for size in arrivals) > 0.8 * _TICKS_PER_S


@pytest.mark.parametrize("left_out", [3, 11, 3 * _TICKS_PER_S, -_TICKS_PER_S])
async def test_a_frame_is_sent_whole_though_the_clock_leaps_in_its_midst(
    sender: StreamSender, pair: tuple[socket.socket, socket.socket], left_out: int
) -> None:
    client = Client(asyncio.get_running_loop(), pair[0])
    client.tracks = Tracks(video=0)
    sender.add(client)
    data = b""
    for second in range(8):
        from_tick = _START + second * (_TICKS_PER_S + left_out)
        for tick in range(from_tick, from_tick + _TICKS_PER_S + second):  # it ends at each piece of a frame
            sender.tick(tick, tick * TICK_US / 1e6)
            data += _receive(pair[1])
    packets = _packets(data)
    assert all((b[0] - a[0]) % 65536 == 1 for a, b in pairwise(packets))
    assert all(a[2] or a[1] == b[1] for a, b in pairwise(packets)), "a frame ends with its marker"
    assert sum(marker for *_, marker in packets) >= 8 * 24


async def test_a_slow_client_loses_whole_frames_and_sees_the_gap(
    sender: StreamSender, pair: tuple[socket.socket, socket.socket]
) -> None:
    client = Client(asyncio.get_running_loop(), pair[0])
    client.tracks = Tracks(video=0)
    sender.add(client)
    for tick in range(_START, _START + 20 * _TICKS_PER_S):
        sender.tick(tick, tick * TICK_US / 1e6)
    dropped = sender.drops
    assert dropped > 25
    data = await _receive_until_silent(pair[1])
    for tick in range(_START + 20 * _TICKS_PER_S, _START + 21 * _TICKS_PER_S):
        sender.tick(tick, tick * TICK_US / 1e6)
        data += _receive(pair[1])
    assert sender.drops == dropped
    packets = _packets(data)
    gaps = [(a, b) for a, b in pairwise(packets) if (b[0] - a[0]) % 65536 != 1]
    assert gaps
    assert all(before[2] for before, _ in gaps)  # a gap follows a frame's last packet
    frames_missing = sum((b[1] - a[1]) % 2**32 // 3600 - 1 for a, b in gaps)
    assert frames_missing == dropped
