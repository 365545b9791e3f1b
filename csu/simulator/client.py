"""One connected client as the sender sees it: bytes that leave at once, or wait up to a second, or are dropped."""

import asyncio
import socket
import struct
from collections import deque
from dataclasses import dataclass

from csu.simulator.datagrams import Datagrams

MAX_QUEUED_S = 1.0
_KERNEL_BUFFER_BYTES = 128 * 1024  # small, so that what waits does so here, where it is counted


@dataclass(frozen=True, slots=True)
class Tracks:
    """The interleaved channels that a client asked for; RTCP goes on the next higher one. `whole`: as datagrams."""

    video: int | None = None
    audio: int | None = None
    whole: bool = False


class Client:
    """Writes to one connection without ever waiting for it.

    Frames come in pieces. A frame is taken whole or dropped whole: the decision falls at its first piece, by the age of
    the oldest byte that still waits. Replies to requests go out between frames only.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
        self.tracks = Tracks()
        self.datagrams: Datagrams | None = None
        self.drops = 0
        self.is_open = True
        self._loop = loop
        self._socket = connection
        self._queue: deque[tuple[float, memoryview]] = deque()
        self._skips_frame = True
        self._within_frame = False
        self._ends = False
        self._replies: list[bytes] = []
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER_BYTES)

    def piece(self, data: memoryview, at_s: float, opens: bool, closes: bool) -> None:
        """Send a part of a frame; `at_s` is the monotonic time, `opens` and `closes` mark first and last part."""
        if self.datagrams is not None:
            self.datagrams.send(data)
            return
        if opens:
            self._skips_frame = bool(self._queue) and at_s - self._queue[0][0] > MAX_QUEUED_S
            self.drops += self._skips_frame
        if not self._skips_frame:
            self._within_frame = not closes
            self._send(data, at_s)
        if closes and self._replies:
            replies, self._replies = self._replies, []
            for reply in replies:
                self._send(memoryview(reply), at_s)
        if closes and self._ends:
            self.close()

    def reply(self, data: bytes) -> None:
        if self._within_frame:
            self._replies.append(data)
        else:
            self._send(memoryview(data), self._loop.time())

    def end(self) -> None:
        """Close once the frame in hand and the replies have been sent."""
        self._ends = True
        if not self._within_frame:
            self.close()

    def close(self, reset: bool = False) -> None:
        """End the connection; with `reset`, by a TCP RST."""
        if not self.is_open:
            return
        self.is_open = False
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._queue.clear()
        self._socket.close()
        if self.datagrams is not None:
            self.datagrams.close()

    def _send(self, data: memoryview, at_s: float) -> None:
        if not self.is_open:
            return
        if self._queue:
            self._queue.append((at_s, data))
            return
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        if sent < len(data):
            self._queue.append((at_s, data[sent:]))
            self._loop.add_writer(self._socket, self._drain)

    def _drain(self) -> None:
        while self._queue:
            at_s, data = self._queue[0]
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                return
            except OSError:
                self.close()
                return
            if sent < len(data):
                self._queue[0] = (at_s, data[sent:])
                return
            self._queue.popleft()
        self._loop.remove_writer(self._socket)
