"""RTP over UDP (RFC 3550; RFC 2326 section 12.39): a pair of sockets that only the camera can reach, read on the beat.

No event loop wakes for a datagram: the kernel's buffer holds them until the connection's turn. The sockets are bound to
the address that the RTSP connection goes out from, and connected to the camera's address and ports before PLAY, so the
kernel drops what others send; what came before is sifted. Who can forge the camera's own address and ports is beyond
this: UDP belongs on a network of cameras alone.
"""

from __future__ import annotations

import logging
import secrets
import socket
import struct

from streams.awake import running_awake
from streams.errors import CameraError, CameraFault
from streams.rtsp.pace import BUFFER_BYTES
from streams.rtsp.reorder import FRAME_BYTES, ROOM, Reorder
from streams.rtsp.rtcp import Reception, receiver_report
from streams.rtsp.session import Session
from streams.rtsp.video import HEAD_BYTES

RECEIVE_BYTES = 4 * 1024 * 1024  # a key frame of a large picture comes in one burst
_ROOMY_BYTES = 2 * 1024 * 1024  # room for several beats; the kernel counts more than twice what it holds
REPORT_S = 5.0
_MAX_DATAGRAMS = 4096  # a turn: a flood costs its own stream only
_MAX_REPORTS = 16
_TRIES = 64
_READ_BYTES = BUFFER_BYTES - HEAD_BYTES
_SO_MEMINFO = 55  # sock_diag(7): nine counters, the last the datagrams dropped for want of room

_log = logging.getLogger(__name__)


class Datagrams:
    """The client's side of one track: RTP on an even port, its RTCP on the next."""

    def __init__(self, connection: socket.socket, session: Session, view: memoryview) -> None:
        """Bound. Raises CameraError when no pair of ports is free."""
        self._peer: str = connection.getpeername()[0]
        self._media, self._control = _bound_pair(connection.family, connection.getsockname())
        self.port: int = self._media.port
        self.is_drained = True  # at the last read: nothing that had come was left for the next
        self.is_roomy = self._media.room_bytes >= _ROOMY_BYTES
        self._session = session
        self._view = view[:_READ_BYTES]
        self._order = Reorder()
        self._awake = running_awake()
        self._ours = secrets.randbits(32)
        self._report_s = 0.0
        self._reported = (0, 0, 0)  # source, expected, lost: as of the last report
        self._dropped = 0

    def direct(self, ports: tuple[int, int]) -> None:
        """To the ports that the camera sends from; 0 where it does not say. Opens the way through firewalls."""
        self._media.direct(self._peer, ports[0])
        self._control.direct(self._peer, ports[1])
        self._media.send(struct.pack(">BBHII", 0x80, 0, 0, 0, self._ours))
        self._control.send(receiver_report(self._ours, None))

    def read(self, now_s: float) -> int:
        """What has arrived since the last beat; how many bytes. Raises CameraError, and what the sink raises."""
        view, order, receive, video = self._view, self._order, self._media.receive, self._session.video
        heard_s = self._awake.clock_s(now_s)  # in a pause of our own no source is silent
        at, self.is_drained = order.release(view, 0), False
        for _ in range(_MAX_DATAGRAMS):
            if at > _READ_BYTES - ROOM:
                break  # the rest at the next beat
            size = receive(view[at + FRAME_BYTES : at + ROOM])
            if size < 0:
                at, self.is_drained = order.expire(view, at, heard_s), True
                break
            at = order.take(view, at, size, heard_s)
        if at:
            video.feed(view, 0, at, now_s)
            video.settle(now_s)
        for _ in range(_MAX_REPORTS):
            size = self._control.receive(view)
            if size < 0:
                break
            self._session.control_packet(view[:size], now_s)
        if now_s >= self._report_s:
            self._report_s = now_s + REPORT_S
            self._report(now_s)
        return at

    def close(self) -> None:
        order = self._order
        if order.late or order.duplicates or order.foreign:
            counts = (self._peer, order.late, order.duplicates, order.foreign)
            _log.info("UDP from %s: %d packets late, %d twice, %d of nobody known", *counts)
        self._media.close()
        self._control.close()

    def _report(self, now_s: float) -> None:
        order = self._order
        reception = None
        if order.source is not None:
            expected, lost = order.due - order.base, order.lost
            source, *before = self._reported
            if source != order.source or before[0] > expected:
                before = [0, 0]
            told, told_s = self._session.last_report
            since_s = now_s - told_s
            reception = Reception(order.source, expected, lost, before[0], before[1], order.due - 1, told, since_s)
            self._reported = order.source, expected, lost
        self._control.send(receiver_report(self._ours, reception))
        dropped = self._media.dropped()
        if dropped > self._dropped:
            words = "UDP from %s: %d datagrams dropped by this machine, its receive buffer was full"
            _log.warning(words, self._peer, dropped - self._dropped)
            self._dropped = dropped


class _Port:
    """One bound socket that takes datagrams from one host only, and from one port of it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.port: int = sock.getsockname()[1]
        self._peer = ""
        self._from = 0  # the port that datagrams must come from; 0 until it is known
        self._sifted = False  # whether only the peer's can be left in the kernel's buffer

    def direct(self, peer: str, port: int) -> None:
        self._peer, self._from = peer, port
        if port:
            self._sock.connect((peer, port, *self._sock.getsockname()[2:]))

    def receive(self, view: memoryview) -> int:
        """The size of the next datagram, which is in `view`; -1 when there is none."""
        try:
            if self._sifted:
                return self._sock.recv_into(view)
            return self._sift(view)
        except OSError:
            # Nothing left, or the answer of a host that has no such port: whether pictures stop is seen elsewhere.
            return -1

    def _sift(self, view: memoryview) -> int:
        for _ in range(_MAX_DATAGRAMS):
            try:
                size, place = self._sock.recvfrom_into(view)
            except BlockingIOError:
                self._sifted = self._from != 0
                raise
            if place[0] == self._peer and self._from in (0, place[1]):
                if not self._from:
                    self.direct(self._peer, place[1])
                return size
        return -1

    @property
    def room_bytes(self) -> int:
        return self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def send(self, data: bytes) -> None:
        """A courtesy: what cannot be sent now is not sent."""
        if self._from:
            try:
                self._sock.send(data)
            except OSError:
                return

    def dropped(self) -> int:
        counters = self._sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
        return int(struct.unpack("=9I", counters)[8]) if len(counters) == 36 else 0

    def close(self) -> None:
        self._sock.close()


def _bound_pair(family: int, local: tuple[str, int] | tuple[str, int, int, int]) -> tuple[_Port, _Port]:
    """An even port and the next one (RFC 3550 section 11), on the local address."""
    host, _, *rest = local
    for _ in range(_TRIES):
        socks: list[socket.socket] = []
        try:
            for port in (0, 1):
                sock = socket.socket(family, socket.SOCK_DGRAM)
                socks.append(sock)
                sock.setblocking(False)
                sock.bind((host, socks[0].getsockname()[1] + 1 if port else 0, *rest))
            if socks[0].getsockname()[1] % 2 == 0:
                socks[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
                return _Port(socks[0]), _Port(socks[1])
        except (OSError, OverflowError):
            pass  # the next port is another's, or beyond the last
        for sock in socks:
            sock.close()
    raise CameraError(CameraFault.UNREACHABLE, "no pair of UDP ports is free on this machine")
