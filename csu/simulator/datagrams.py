"""RTP over UDP to one client: a pair of sockets, and a network between that may lose, double and reorder packets."""

import asyncio
import socket
from collections.abc import Callable, Iterator

from csu.simulator.faults import Fault

_FRAME_BYTES = 4
_RECEIVER_REPORT = 201
_LARGE_BYTES = 200  # more than a frame's stamp, by which tests tell frames


class Network:
    """What becomes of packets on their way. Pure."""

    def __init__(self) -> None:
        self._count = self._large = 0
        self._late: bytes | memoryview | None = None
        self._late_by = 0

    def carry(self, packet: bytes | memoryview, fault: Fault | None) -> Iterator[bytes | memoryview]:
        """What comes out when this goes in."""
        self._count += 1
        self._large += len(packet) > _LARGE_BYTES
        if fault is Fault.LOSS and self._large % 31 == 30 and len(packet) > _LARGE_BYTES:
            return
        if fault is Fault.REORDERING and self._count % 7 == 0 and self._late is None:
            self._late, self._late_by = packet, 3
            return
        yield packet
        if fault is Fault.DUPLICATION and self._count % 7 == 0:
            yield packet
        if self._late is not None:
            self._late_by -= 1
            if self._late_by <= 0:
                yield self._late
                self._late = None


class Datagrams:
    """Bound to an even port and the next one; sends from there to the client's ports, and counts its reports."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        host: str,
        client: tuple[str, int, int],
        fault: Callable[[], Fault | None],
    ) -> None:
        self.reports = 0  # receiver reports that came
        self.lost_told = 0  # packets lost, by the last of them
        self.refused = 0  # packets that the kernel did not take
        self._loop = loop
        self._fault = fault
        self._network = Network()
        self._media, self._control = _bound_pair(host)
        self.port: int = self._media.getsockname()[1]
        self._media.connect((client[0], client[1]))
        self._control.connect((client[0], client[2]))
        loop.add_reader(self._control, self._readable)

    def send(self, framed: memoryview) -> None:
        """Framed packets, as they would go on one connection: those of odd channels are RTCP."""
        at = 0
        while at < len(framed):
            end = at + _FRAME_BYTES + int.from_bytes(framed[at + 2 : at + 4], "big")
            packet = framed[at + _FRAME_BYTES : end]
            if framed[at + 1] % 2:
                self._send(self._control, packet)
            else:
                for carried in self._network.carry(packet, self._fault()):
                    self._send(self._media, carried)
            at = end

    def close(self) -> None:
        self._loop.remove_reader(self._control)
        self._media.close()
        self._control.close()

    def _send(self, sock: socket.socket, packet: bytes | memoryview) -> None:
        try:
            sock.send(packet)
        except OSError:
            self.refused += 1

    def _readable(self) -> None:
        try:
            data = self._control.recv(2048)
        except OSError:
            return
        if len(data) >= 8 and data[1] == _RECEIVER_REPORT:
            self.reports += 1
            if data[0] & 31:
                self.lost_told = int.from_bytes(data[13:16], "big")


def _bound_pair(host: str) -> tuple[socket.socket, socket.socket]:
    while True:
        media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        media.bind((host, 0))
        control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        port = media.getsockname()[1]
        try:
            if port % 2 == 0:
                control.bind((host, port + 1))
                media.setblocking(False)
                control.setblocking(False)
                return media, control
        except OSError:
            pass  # another's
        media.close()
        control.close()
