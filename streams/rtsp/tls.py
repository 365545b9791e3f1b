"""RTSP over TLS: a connected socket made secure, read and written without waiting as the plain one is.

The camera's certificate must be good for its name or IP address and lead to an authority that the machine trusts: the
system's, or the file that `SSL_CERT_FILE` names for a network with an authority of its own. Nothing switches that off.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from functools import cache

from streams.errors import CameraError, CameraFault


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


class TlsSocket:
    """What `client.py` needs of a socket, over TLS."""

    def __init__(self, sock: socket.socket, host: str) -> None:
        self._sock = _context().wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)

    async def shake_hands(self) -> None:
        """Raises CameraError; the time limit is the caller's."""
        try:
            while True:
                try:
                    self._sock.do_handshake()
                    return
                except ssl.SSLWantReadError:
                    await _readable(self._sock)
        except TimeoutError:
            raise
        except ssl.SSLCertVerificationError as error:
            detail = f"the certificate is not trusted: {error.verify_message}"
            raise CameraError(CameraFault.PROTOCOL, detail) from None
        except ssl.SSLError as error:
            raise CameraError(CameraFault.PROTOCOL, f"no TLS: {error.reason or type(error).__name__}") from None
        except OSError:
            raise CameraError(CameraFault.RESET, "the connection broke") from None

    async def receive(self, size: int) -> bytes:
        """What has come, after waiting for it; nothing at the end. Raises OSError."""
        buffer = bytearray(size)
        while True:
            try:
                return bytes(buffer[: self.recv_into(memoryview(buffer))])
            except BlockingIOError:
                await _readable(self._sock)

    def recv_into(self, view: memoryview) -> int:
        """All that has come, up to the view's size; 0 at the end. Raises BlockingIOError, OSError."""
        at = 0
        while at < len(view):
            try:
                count = self._sock.recv_into(view[at:])  # one record at most
            except ssl.SSLWantReadError:
                if not at:
                    raise BlockingIOError from None
                break
            if not count:
                break
            at += count
        return at

    def send(self, data: bytes) -> int:
        """Raises OSError, also when nothing can be sent now."""
        return self._sock.send(data)

    def close(self) -> None:
        self._sock.close()


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sock.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sock.fileno())
