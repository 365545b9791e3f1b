"""RTSP 1.0 messages as bytes, and back (RFC 2326). Pure; bounded; raises only CameraError."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from streams.errors import CameraError, CameraFault

DEFAULT_PORT, DEFAULT_TLS_PORT = 554, 322
MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024
USER_AGENT = "csu"

_STATUS = re.compile(r"RTSP/1\.\d (\d{3})(?: (.*))?")
_REQUEST = re.compile(r"[A-Z_]{3,20} \S+ RTSP/1\.\d")
_CONTROL = re.compile(r"[\x00-\x20\x7f-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a camera is, taken apart. `url` is sent as it stands and never holds credentials."""

    url: str
    host: str
    port: int
    is_tls: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A response (`status` set), or a request that the camera sent to us (`status` None)."""

    status: int | None
    reason: str
    headers: dict[str, list[str]]
    body: bytes

    def header(self, name: str) -> str:
        values = self.headers.get(name)
        return values[0] if values else ""


def check_url(url: str, schemes: tuple[str, ...]) -> tuple[str, int | None]:
    """A camera's address: its host and port. Raises ValueError with a reason that repeats nothing of it."""
    if _CONTROL.search(url):
        raise ValueError("the address holds spaces, control or non-ASCII characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the address cannot be taken apart") from None
    if "@" in parts.netloc:
        raise ValueError("an address must not hold a user name or password")
    if parts.scheme not in schemes or not host:
        raise ValueError(f"the address must read {schemes[0]}://host[:port]/path")
    return host, port


def parse_address(url: str) -> Address:
    """Checks an address for our own client. Raises ValueError, see `check_url`."""
    host, port = check_url(url, ("rtsp", "rtsps"))
    is_tls = urlsplit(url).scheme == "rtsps"
    return Address(url, host, port or (DEFAULT_TLS_PORT if is_tls else DEFAULT_PORT), is_tls)


def request(method: str, url: str, sequence: int, headers: dict[str, str]) -> bytes:
    lines = [f"{method} {url} RTSP/1.0", f"CSeq: {sequence}", f"User-Agent: {USER_AGENT}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def parse_message(view: memoryview, at: int, end: int) -> tuple[Message | None, int]:
    """Reads the message that begins at `at`. Returns it and where it ends, or (None, at) if cut short."""
    window = bytes(view[at : min(end, at + MAX_HEAD_BYTES)])
    length = window.find(b"\r\n\r\n")
    if length < 0:
        if len(window) >= MAX_HEAD_BYTES:
            raise CameraError(CameraFault.GARBAGE, f"no end of an RTSP head in {MAX_HEAD_BYTES} bytes")
        if not b"RTSP/1.".startswith(window[:7]) and not window[:1].isupper():
            raise CameraError(CameraFault.GARBAGE, f"neither RTSP nor RTP: {window[:16].hex(' ')}")
        return None, at
    status, reason, headers = _parse_head(window[:length].decode("latin-1"))
    body_at = at + length + 4
    size = _content_length(headers)
    if body_at + size > end:
        return None, at
    return Message(status, reason, headers, bytes(view[body_at : body_at + size])), body_at + size


def _parse_head(head: str) -> tuple[int | None, str, dict[str, list[str]]]:
    first, *lines = head.split("\r\n")
    match = _STATUS.fullmatch(first)
    if match is None and not _REQUEST.fullmatch(first):
        raise CameraError(CameraFault.GARBAGE, f"not an RTSP message: {printable(first)}")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), []).append(value.strip())
    return (int(match[1]), printable(match[2] or ""), headers) if match else (None, first.split()[0], headers)


def _content_length(headers: dict[str, list[str]]) -> int:
    text = headers.get("content-length", ["0"])[0]
    size = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not 0 <= size <= MAX_BODY_BYTES:
        raise CameraError(CameraFault.PROTOCOL, f"a body of {printable(text)} bytes")
    return size


def printable(text: str, limit: int = 80) -> str:
    """A camera's words made fit for one line of a log."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:limit])


def parse_session(value: str) -> tuple[str, float]:
    """The `Session` header: identifier, and timeout in seconds (60 unless told, RFC 2326 12.37)."""
    identifier, _, rest = value.partition(";")
    identifier = identifier.strip()
    if not identifier or len(identifier) > 256 or _CONTROL.search(identifier):
        raise CameraError(CameraFault.PROTOCOL, "no usable Session identifier")
    match = re.search(r"timeout\s*=\s*(\d{1,6})", rest)
    return identifier, min(max(float(match[1]) if match else 60.0, 2.0), 3600.0)


def parse_channels(transport: str) -> tuple[int, int]:
    """The interleaved channels of a `Transport` header (12.39): media, and its RTCP; as asked for if unsaid."""
    if "interleaved" not in transport and "RTP/AVP/TCP" in transport.upper():
        return 0, 1
    match = re.search(r"interleaved\s*=\s*(\d{1,3})(?:-(\d{1,3}))?", transport)
    media = int(match[1]) if match else 256
    control = int(match[2]) if match and match[2] else media + 1
    if media > 255 or control > 255 or media == control:
        raise CameraError(CameraFault.PROTOCOL, f"no interleaved channels in {printable(transport)!r}")
    return media, control


def wants_datagrams(transport: str) -> bool:
    """Whether an answer to a request for interleaved TCP names UDP ports instead."""
    return "interleaved" not in transport and re.search(r"(client|server)_port\s*=", transport) is not None


def parse_ports(transport: str) -> tuple[int, int]:
    """The UDP ports that the camera sends from (12.39): media, and its RTCP; 0 where it does not say."""
    if "multicast" in transport.lower() or not wants_datagrams(transport):
        raise CameraError(CameraFault.PROTOCOL, f"no unicast UDP in {printable(transport)!r}")
    match = re.search(r"server_port\s*=\s*(\d{1,5})(?:-(\d{1,5}))?", transport)
    media = int(match[1]) if match else 0
    control = int(match[2]) if match and match[2] else media + 1 if media else 0
    if media > 65_535 or control > 65_535:
        raise CameraError(CameraFault.PROTOCOL, f"no UDP ports in {printable(transport)!r}")
    return media, control


def resolve(base: str, control: str) -> str:
    """A track's address: absolute, the whole (`*` or none), or appended to the base (RFC 2326 C.1.1)."""
    control = _CONTROL.sub("", control)[:2048]
    if not control or control == "*":
        return base
    if control.lower().startswith(("rtsp://", "rtspu://", "rtsps://")):
        return control
    return base + control if base.endswith("/") else f"{base}/{control}"
