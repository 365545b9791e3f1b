"""The asyncio shell of the RTSP session: the one file that opens a camera's socket."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from typing import NoReturn, cast

from streams.errors import CameraError, CameraFault
from streams.rtsp.auth import Authenticator
from streams.rtsp.messages import Address, parse_address
from streams.rtsp.pace import BUFFER_BYTES, Pace, running_pace
from streams.rtsp.session import Session, State
from streams.rtsp.video import HEAD_BYTES
from streams.source import PacketSink, SourceConfig

HANDSHAKE_S = 10.0
STALL_S = 5.0
KEY_FRAME_S = 60.0
_POLL_S = 0.5
_READ_BYTES = BUFFER_BYTES - HEAD_BYTES  # the parser may look a little beyond the end


class _Connection(asyncio.BufferedProtocol):
    """Reads into the loop's shared buffer and feeds the session in place.

    Only what is cut short at a read's end is copied: the tail of a message or frame into `_rest`, the pieces
    of an unfinished picture by `settle`.
    """

    def __init__(self, session: Session, pace: Pace, ended: asyncio.Future[NoReturn]) -> None:
        self.ended = ended
        self._session = session
        self._pace = pace
        self._view = pace.buffer
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._session.start()
        self.flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        rest = self._rest
        if rest:
            self._view[: len(rest)] = rest
        return self._view[len(rest) : _READ_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        session, now_s = self._session, time.monotonic()
        end = len(self._rest) + nbytes
        try:
            done = session.receive(self._view, end, now_s)
            self._rest = bytes(self._view[done:end]) if done < end else b""
            session.video.settle(now_s)
        except Exception as error:  # also a sink's own fault: the task that pulls must get it, not the loop
            self._fail(error)
            return
        if session.outgoing:
            self.flush()
        if (self._rest or session.video.inside) and self._transport is not None:
            self._pace.pause(self._transport)

    def eof_received(self) -> None:
        self._fail(CameraError(CameraFault.CLOSED, "the camera closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(CameraError(CameraFault.RESET, "the connection broke"))

    def flush(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(self._session.outgoing))
        self._session.outgoing.clear()

    def close(self) -> None:
        self._session.stop()
        self.flush()
        if self._transport is not None:
            self._transport.abort()
        if not self.ended.cancel():
            self.ended.exception()  # it may have failed while the task was being cancelled: no complaint

    def _fail(self, error: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
        self._session.state = State.OVER
        if self._transport is not None:
            self._transport.abort()


async def pull_rtsp(config: SourceConfig, sink: PacketSink) -> NoReturn:
    """Fetches one camera by our own client. Ends by CameraError, what the sink raised, or cancellation."""
    try:
        address = parse_address(config.url)
    except ValueError as error:
        raise CameraError(CameraFault.UNREACHABLE, str(error)) from None
    authenticator = None
    if config.username is not None:
        authenticator = Authenticator(config.username, config.password, secrets.token_hex(8))
    session = Session(address, authenticator, sink)
    connection = _Connection(session, running_pace(), asyncio.get_running_loop().create_future())
    deadline_s = time.monotonic() + HANDSHAKE_S
    try:
        await _connect(address, connection)
        await _watch(session, connection, deadline_s)
    finally:
        connection.close()


async def _connect(address: Address, connection: _Connection) -> None:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(HANDSHAKE_S):
            await loop.create_connection(lambda: connection, address.host, address.port)
    except TimeoutError:
        raise CameraError(CameraFault.TIMEOUT, f"no connection within {HANDSHAKE_S:.0f} s") from None
    except (socket.gaierror, UnicodeError):
        raise CameraError(CameraFault.UNREACHABLE, "the camera's name cannot be resolved") from None
    except OSError as error:
        raise CameraError(CameraFault.UNREACHABLE, error.strerror or "cannot connect") from None


async def _watch(session: Session, connection: _Connection, deadline_s: float) -> NoReturn:
    """Waits for the connection's end; meanwhile keeps the session awake and notices silence."""
    ended = connection.ended
    while not session.playing:
        await asyncio.wait((ended,), timeout=_POLL_S)
        if ended.done():
            ended.result()
        if not session.playing and time.monotonic() > deadline_s:
            raise CameraError(CameraFault.TIMEOUT, f"no answer to {session.state.name} in {HANDSHAKE_S:.0f} s")
    played_s = time.monotonic()
    alive_s = played_s + session.keep_alive_s
    while True:
        now_s = time.monotonic()
        video = session.video
        silent_s = max(video.finished_s, played_s) + STALL_S
        if now_s >= silent_s:
            raise CameraError(CameraFault.STALLED, f"no picture for {STALL_S:.0f} s")
        if not video.started and now_s >= played_s + KEY_FRAME_S:
            raise CameraError(CameraFault.STALLED, f"no key frame in {KEY_FRAME_S:.0f} s")
        if now_s >= alive_s:
            session.keep_alive()
            connection.flush()
            alive_s = now_s + session.keep_alive_s
        await asyncio.wait((ended,), timeout=min(silent_s, alive_s) - now_s)
        if ended.done():
            ended.result()
