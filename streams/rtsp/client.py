"""The I/O around the RTSP session: the one file that opens a camera's socket, and reads it on the shared beat."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from dataclasses import replace
from typing import NoReturn

from streams.awake import running_awake, timeout
from streams.errors import CameraError, CameraFault
from streams.rtsp.auth import Authenticator
from streams.rtsp.messages import Address, parse_address
from streams.rtsp.pace import BUFFER_BYTES, Pace, running_pace
from streams.rtsp.session import RedirectedError, Session, State
from streams.rtsp.tls import TlsSocket
from streams.rtsp.udp import Datagrams
from streams.rtsp.video import HEAD_BYTES
from streams.source import AGAIN_S, PacketSink, SourceConfig

HANDSHAKE_S = 10.0
STALL_S = 5.0
KEY_FRAME_S = 60.0
_READ_BYTES = BUFFER_BYTES - HEAD_BYTES  # the parser may look a little beyond the end
_ANSWER_BYTES = 64 * 1024
_HANDSHAKE_BYTES = 1024 * 1024  # four answers, and what a camera may already send of its tracks
_MUCH_BYTES = 64 * 1024  # of one read: the kernel's buffer was filling, so the next beat is not left out

_HUNG_UP = (CameraFault.CLOSED, CameraFault.RESET)
_NEW_READS = 75  # three seconds: a run is placed on the clock by its first pictures, so they are not kept waiting


class _Connection:
    """Feeds the session in place from the loop's shared buffer.

    Only what is cut short at a read's end is copied: the tail of a message or frame into `_rest`, the pieces
    of an unfinished picture by `settle`.
    """

    def __init__(self, sock: socket.socket | TlsSocket, session: Session, pace: Pace, sink: PacketSink) -> None:
        self.ended: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()
        self._sock = sock
        self._session = session
        self._pace = pace
        self._view = pace.buffer
        self._rest = b""
        self._sink = sink
        self._much = True
        self._new = _NEW_READS
        self._datagrams: Datagrams | None = None

    @property
    def in_hurry(self) -> bool:
        return self._much or self._new > 0 or self._sink.is_watched or self._is_tight

    @property
    def _is_tight(self) -> bool:
        return self._datagrams is not None and not self._datagrams.is_roomy

    async def shake_hands(self) -> None:
        """Until the camera plays. Raises CameraError; the time limit is the caller's."""
        session = self._session
        session.start()
        self.flush()
        come = 0
        while not session.playing:
            try:
                data = await self._receive()
            except TimeoutError:
                raise
            except OSError:
                raise _broken() from None
            if not data:
                raise _closed()
            come += len(data)
            if come > _HANDSHAKE_BYTES:
                raise CameraError(CameraFault.GARBAGE, f"no end of its answers in {_HANDSHAKE_BYTES} bytes")
            data = self._rest + data
            self._view[: len(data)] = data
            self._parse(len(data))
            self._open_datagrams()
            self.flush()

    async def _receive(self) -> bytes:
        if isinstance(self._sock, TlsSocket):
            return await self._sock.receive(_ANSWER_BYTES)
        return await asyncio.get_running_loop().sock_recv(self._sock, _ANSWER_BYTES)

    def read(self) -> None:
        """What has arrived since the last beat. All that fails ends `ended`."""
        self._new -= self._new > 0
        if self._datagrams is not None:  # before the connection, whose end they may have come before
            try:
                much = self._datagrams.read(time.monotonic()) > _MUCH_BYTES or not self._datagrams.is_drained
            except Exception as error:  # the sink's own fault too, see below
                self._end(error)
                return
            if self._datagrams.is_drained:
                self._read_connection()
            self._much = much
        else:
            self._read_connection()

    def let_go(self) -> None:
        detail = "what it sends takes too long to take apart: empty packets, tiny pictures or the like, too many"
        self._end(CameraError(CameraFault.GARBAGE, detail))

    def _read_connection(self) -> None:
        rest, view = self._rest, self._view
        if rest:
            view[: len(rest)] = rest
        try:
            count = self._sock.recv_into(view[len(rest) : _READ_BYTES])
        except BlockingIOError:
            return
        except OSError:
            self._end(_broken())
            return
        self._much = count > _MUCH_BYTES
        try:
            if not count:
                raise _closed()
            self._parse(len(rest) + count)
        except Exception as error:  # also a sink's own fault: the task that pulls must get it, not the beat
            self._end(error)

    def flush(self) -> None:
        """Sends the session's requests. They are few and short: a camera that takes none of them is broken. One that
        has hung up is not told apart here: what it sent before is still read, and then its end."""
        data = b"".join(self._session.outgoing)
        self._session.outgoing.clear()
        try:
            if data and self._sock.send(data) < len(data):
                raise CameraError(CameraFault.RESET, "the camera takes no requests")
        except ConnectionError:
            return
        except OSError:
            raise _broken() from None

    def close(self) -> None:
        self._pace.leave(self)
        if not self.ended.cancel():
            self.ended.exception()  # it may have failed while the task was being cancelled: no complaint
        self._session.stop()
        try:
            self.flush()
        except CameraError:
            return  # the goodbye is a courtesy
        finally:
            self._sock.close()
            if self._datagrams is not None:
                self._datagrams.close()

    def _open_datagrams(self) -> None:
        """Gives the session the ports that it asks for, and turns them to the camera's before it is asked to play."""
        session = self._session
        if session.asks_ports and self._datagrams is None:
            assert isinstance(self._sock, socket.socket)  # over TLS the session refuses
            self._datagrams = Datagrams(self._sock, session, self._view)
            session.set_up_datagrams(self._datagrams.port)
        elif session.state is State.PLAY and session.server_ports is not None and self._datagrams is not None:
            self._datagrams.direct(session.server_ports)

    def _parse(self, end: int) -> None:
        session, view, now_s = self._session, self._view, time.monotonic()
        done = session.receive(view, end, now_s)
        self._rest = bytes(view[done:end]) if done < end else b""
        session.video.settle(now_s)
        if session.outgoing and session.playing:
            self.flush()

    def _end(self, error: Exception) -> None:
        self._pace.leave(self)
        if not self.ended.done():
            self.ended.set_exception(error)


def _broken() -> CameraError:
    return CameraError(CameraFault.RESET, "the connection broke")


def _closed() -> CameraError:
    return CameraError(CameraFault.CLOSED, "the camera closed the connection")


async def pull_rtsp(config: SourceConfig, sink: PacketSink) -> NoReturn:
    """Fetches one camera by our own client. Ends by CameraError, what the sink raised, or cancellation.

    One redirect is followed; credentials go with it only to the same host, and not from TLS into the clear.
    """
    try:
        address = parse_address(config.url)
    except ValueError as error:
        raise CameraError(CameraFault.UNREACHABLE, str(error)) from None
    try:
        await _pull(address, config, sink)
    except RedirectedError as elsewhere:
        try:
            other = parse_address(elsewhere.url)
        except ValueError as error:
            raise CameraError(CameraFault.PROTOCOL, f"redirected to no usable address: {error}") from None
    if other.host != address.host or (address.is_tls and not other.is_tls):
        config = replace(config, username=None, password="", certificate=None)
    await _pull(other, config, sink)


async def _pull(address: Address, config: SourceConfig, sink: PacketSink) -> NoReturn:
    """A camera that hung up when it had refused interleaved TCP is asked for UDP on a new connection."""
    session = Session(address, _authenticator(config), sink)
    try:
        await _pull_session(session, address, config, sink)
    except CameraError as error:
        if error.fault not in _HUNG_UP or not session.tcp_refused:
            raise
    await asyncio.sleep(AGAIN_S)
    await _pull_session(Session(address, _authenticator(config), sink, datagrams=True), address, config, sink)


def _authenticator(config: SourceConfig) -> Authenticator | None:
    if config.username is None:
        return None
    return Authenticator(config.username, config.password, secrets.token_hex(8))


async def _pull_session(session: Session, address: Address, config: SourceConfig, sink: PacketSink) -> NoReturn:
    pace = running_pace()
    sock: socket.socket | TlsSocket = await _connect(address)
    if isinstance(sock, socket.socket) and address.is_tls:
        sock = await _secure(sock, address.host, config.certificate)
    connection = _Connection(sock, session, pace, sink)
    try:
        try:
            async with timeout(HANDSHAKE_S):
                await connection.shake_hands()
        except TimeoutError:
            detail = f"no answer to {session.state.name} within {HANDSHAKE_S:.0f} s"
            raise CameraError(CameraFault.TIMEOUT, detail) from None
        pace.join(connection)
        await _watch(session, connection)
    finally:
        connection.close()


async def _connect(address: Address) -> socket.socket:
    """The first of the host's addresses that answers. Raises CameraError."""
    loop = asyncio.get_running_loop()
    fault = CameraError(CameraFault.UNREACHABLE, "the camera's name cannot be resolved")
    try:
        async with timeout(HANDSHAKE_S):
            for family, kind, protocol, _, place in await loop.getaddrinfo(
                address.host, address.port, type=socket.SOCK_STREAM
            ):
                with contextlib.ExitStack() as failed:
                    sock = failed.enter_context(socket.socket(family, kind, protocol))
                    try:
                        sock.setblocking(False)
                        await loop.sock_connect(sock, place)
                    except OSError as error:
                        fault = CameraError(CameraFault.UNREACHABLE, error.strerror or "cannot connect")
                        continue
                    failed.pop_all()
                    return sock
    except TimeoutError:
        raise CameraError(CameraFault.TIMEOUT, f"no connection within {HANDSHAKE_S:.0f} s") from None
    except (OSError, UnicodeError):
        raise fault from None
    raise fault


async def _secure(plain: socket.socket, host: str, certificate: str | None) -> TlsSocket:
    sock = TlsSocket(plain, host, certificate)
    with contextlib.ExitStack() as failed:
        failed.callback(sock.close)
        try:
            async with timeout(HANDSHAKE_S):
                await sock.shake_hands()
        except TimeoutError:
            raise CameraError(CameraFault.TIMEOUT, f"no TLS within {HANDSHAKE_S:.0f} s") from None
        failed.pop_all()
    return sock


async def _watch(session: Session, connection: _Connection) -> NoReturn:
    """Waits for the connection's end; meanwhile keeps the session awake and notices silence.

    In a pause of our own the camera was not silent: what it sent may not have been read yet.
    """
    ended, awake = connection.ended, running_awake()
    played_s = time.monotonic()
    alive_s = played_s + session.keep_alive_s
    while True:
        now_s = time.monotonic()
        video = session.video
        silent_s = awake.waited_s(max(video.finished_s, played_s), now_s)
        if silent_s >= STALL_S:
            raise CameraError(CameraFault.STALLED, f"no picture for {STALL_S:.0f} s")
        if not video.started and awake.waited_s(played_s, now_s) >= KEY_FRAME_S:
            raise CameraError(CameraFault.STALLED, f"no key frame in {KEY_FRAME_S:.0f} s")
        if now_s >= alive_s:
            session.keep_alive()
            connection.flush()
            alive_s = now_s + session.keep_alive_s
        await asyncio.wait((ended,), timeout=min(STALL_S - silent_s, alive_s - now_s))
        if ended.done():
            ended.result()
