"""Requests and answers between processes of one machine: one JSON object a line over a Unix stream socket.

A request is `{"op": name, ...}`; the answer `{"result": {...}}` or `{"error": {"code", "reason"}}`. Requests on one
connection are answered in order. The peer is known by SO_PEERCRED (unix(7)): our own user, root, or a user that the
server was told of; any other is closed without an answer.

A socket's path may be longer than the 107 bytes of sockaddr_un: its directory is opened with O_PATH and the socket
named through /proc/self/fd.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_UCRED = struct.Struct("3i")  # pid, uid, gid

Handler = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


class ChannelError(Exception):
    """The other side refused or can't be reached: a stable code, and a reason for logs."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


@contextlib.contextmanager
def _short_name(path: Path) -> Iterator[str]:
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def listen_unix(path: Path, mode: int = 0o660) -> socket.socket:
    """A listening socket at `path`, replacing the leftover of a server that died. Raises OSError.

    The caller makes sure that no other live server owns the path (the recorder holds its directory's lock).
    """
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with contextlib.ExitStack() as failed:
        sock = failed.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        with _short_name(path) as name:
            sock.bind(name)
            os.chmod(name, mode)
        sock.listen(128)
        failed.pop_all()
    return sock


def connect_unix(path: Path) -> socket.socket:
    """A connected, non-blocking socket. Raises OSError when nobody listens or its backlog is full; never waits."""
    with contextlib.ExitStack() as failed:
        sock = failed.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
        with _short_name(path) as name:
            sock.connect(name)
        failed.pop_all()
    return sock


def peer_uid(transport: asyncio.BaseTransport) -> int:
    """The user at the other end of a Unix socket, as the kernel knows it."""
    sock = transport.get_extra_info("socket")
    raw: bytes = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(raw)[1])


def peer_allowed(transport: asyncio.BaseTransport, allowed_uids: frozenset[int]) -> bool:
    uid = peer_uid(transport)
    return uid in (0, os.geteuid()) or uid in allowed_uids


class ChannelServer:
    """Answers requests with `handler(op, fields)`; a ChannelError raised there becomes the error answer."""

    def __init__(
        self,
        path: Path,
        handler: Handler,
        allowed_uids: frozenset[int] = frozenset(),
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        """`refused` is called for each connection of another user."""
        self._path = path
        self._refused = refused
        self._handler = handler
        self._allowed_uids = allowed_uids
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        sock = listen_unix(self._path)
        self._server = await asyncio.start_unix_server(self._accept, sock=sock, limit=MAX_MESSAGE_BYTES)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not peer_allowed(writer.transport, self._allowed_uids):
                log.warning("%s: user %d refused", self._path.name, peer_uid(writer.transport))
                self._refused()
                return
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line), separators=(",", ":")).encode() + b"\n")
                await writer.drain()
        except ValueError:
            log.warning("%s: a message over %d bytes; connection closed", self._path.name, MAX_MESSAGE_BYTES)
        except ConnectionError:
            pass  # the client left; it asks again on a new connection
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            op = request.pop("op")
            if not isinstance(op, str):
                raise TypeError
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"error": {"code": "BAD_REQUEST", "reason": "expected one JSON object with a text `op`"}}
        try:
            return {"result": await self._handler(op, request)}
        except ChannelError as error:
            return {"error": {"code": error.code, "reason": error.reason}}
        except Exception as error:  # a bug behind one request must not end the service of the others
            log.exception("%s: %s failed", self._path.name, op)
            return {"error": {"code": "INTERNAL", "reason": type(error).__name__}}


class ChannelClient:
    """Calls a ChannelServer; one connection, opened when first needed and again after it broke.

    A call that is cancelled (by the caller's timeout) closes the connection, so that a late answer can't be taken for
    the next call's. No call is repeated by itself: the caller knows which of its requests may be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def call(self, op: str, **fields: Any) -> dict[str, Any]:
        """The answer's result. Raises ChannelError: the server's own codes, or UNREACHABLE, or TOO_LARGE."""
        message = json.dumps({"op": op, **fields}, separators=(",", ":")).encode() + b"\n"
        if len(message) > MAX_MESSAGE_BYTES:
            raise ChannelError("TOO_LARGE", f"{op}: {len(message)} bytes, at most {MAX_MESSAGE_BYTES}")
        async with self._lock:
            answer = await self._exchange(op, message)
        if "error" in answer:
            raise ChannelError(answer["error"]["code"], answer["error"]["reason"])
        result: dict[str, Any] = answer["result"]
        return result

    async def _exchange(self, op: str, message: bytes) -> dict[str, Any]:
        with contextlib.ExitStack() as failed:
            failed.callback(self.close)
            try:
                answer = await self._send(message)
            except (OSError, ValueError) as error:
                raise ChannelError("UNREACHABLE", f"{op} on {self._path.name}: {error}") from error
            failed.pop_all()
        return answer

    async def _send(self, message: bytes) -> dict[str, Any]:
        """Raises OSError, ValueError."""
        if self._streams is not None and self._streams[0].at_eof():
            self.close()  # the server went away since the last call: nothing of this one was sent there
        if self._streams is None:
            sock = connect_unix(self._path)
            self._streams = await asyncio.open_unix_connection(sock=sock, limit=MAX_MESSAGE_BYTES)
        reader, writer = self._streams
        writer.write(message)
        await writer.drain()
        line = await reader.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("closed before its answer")
        answer: dict[str, Any] = json.loads(line)
        return answer
