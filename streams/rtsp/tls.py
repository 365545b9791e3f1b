"""RTSP over TLS: a connected socket made secure, read and written without waiting as the plain one is.

The camera's certificate must be good for its name or IP address and lead to an authority that the machine trusts: the
system's, or the file that `SSL_CERT_FILE` names for a network with an authority of its own. A camera that signs its own
is trusted by its fingerprint: then that one certificate is good, and no other. Nothing switches both off.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import socket
import ssl
from functools import cache

from streams.errors import CameraError, CameraFault
from streams.rtsp.messages import parse_address


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


@cache
def _pinned_context() -> ssl.SSLContext:
    """For a certificate that is compared itself, before anything is said."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def fingerprint(certificate: bytes) -> str:
    """Of a certificate in DER, as `SourceConfig.certificate` has it."""
    return hashlib.sha256(certificate).hexdigest()


def read_fingerprint(text: str) -> str:
    """As `openssl x509 -fingerprint -sha256` and `csu camera probe` print it. Raises ValueError."""
    digits = text.replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError("expected the SHA-256 of a certificate: 64 hexadecimal digits")
    return digits


def shown_fingerprint(url: str) -> str | None:
    """Of the certificate that a camera shows now, whoever it is: for a person to compare. Waits up to 5 s."""
    address = parse_address(url)
    try:
        return fingerprint(
            ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((address.host, address.port), timeout=5))
        )
    except OSError:
        return None


class TlsSocket:
    """What `client.py` needs of a socket, over TLS. `certificate` is the fingerprint of the only one to trust."""

    def __init__(self, sock: socket.socket, host: str, certificate: str | None = None) -> None:
        context = _context() if certificate is None else _pinned_context()
        self._certificate = certificate
        self._is_heard = True  # as far as we know
        self._sock = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)

    async def shake_hands(self) -> None:
        """Raises CameraError; the time limit is the caller's."""
        try:
            while True:
                try:
                    self._sock.do_handshake()
                    break
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
        if self._certificate is not None:
            shown = fingerprint(self._sock.getpeercert(binary_form=True) or b"")
            if not hmac.compare_digest(shown, self._certificate):
                raise CameraError(CameraFault.PROTOCOL, f"another certificate than the expected one: SHA-256 {shown}")

    async def receive(self, size: int) -> bytes:
        """What has come, after waiting for it; nothing at the end. Raises OSError."""
        buffer = bytearray(size)
        while True:
            try:
                return bytes(buffer[: self.recv_into(memoryview(buffer))])
            except BlockingIOError:
                await _readable(self._sock)

    def recv_into(self, view: memoryview) -> int:
        """All that has come, up to the view's size; 0 at the end. Raises BlockingIOError, OSError.

        Where the connection broke after some of it, that is given first: the next call fails, or is at the end.
        """
        at = 0
        while at < len(view):
            try:
                count = self._sock.recv_into(view[at:])  # one record at most
            except ssl.SSLWantReadError:
                if not at:
                    raise BlockingIOError from None
                break
            except OSError:
                if not at:
                    raise
                break
            if not count:
                break
            at += count
        return at

    def send(self, data: bytes) -> int:
        """Raises OSError, also when nothing can be sent now; ConnectionError once the camera has hung up, as a plain
        socket does: what it sent before can still be read."""
        if self._is_heard:
            try:
                return self._sock.send(data)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError:
                self._is_heard = False  # what is sent after that, the library takes for the rest of this
        raise ConnectionResetError("the camera has hung up")

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
