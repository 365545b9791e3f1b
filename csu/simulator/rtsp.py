"""The words of RTSP 1.0 as a camera speaks them, without any input or output (RFC 2326; Digest: RFC 2617, MD5)."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from csu.simulator.rtp import PCMA_TYPE, VIDEO_TYPE

REALM = "csu-simulator"
METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
METHODS_OF_OLD = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"
MAX_REQUEST_BYTES = 16_384
VIDEO_TRACK, AUDIO_TRACK = "trackID=0", "trackID=1"
REASONS = {
    200: "OK",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
}
_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]*))')
_INTERLEAVED = re.compile(r"interleaved=(\d{1,3})-\d{1,3}")
_CLIENT_PORT = re.compile(r"client_port=(\d{1,5})-(\d{1,5})")


class BadRequest(Exception):
    """What came is no RTSP request; the connection can't be used any more."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    headers: dict[str, str]  # names in lower case

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


@dataclass(frozen=True, slots=True)
class Credentials:
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"


def take_requests(buffer: bytearray) -> list[Request]:
    """Take all whole requests out of the buffer, and throw interleaved packets (receiver reports) away."""
    requests: list[Request] = []
    while buffer:
        if buffer[0] == 0x24:
            if len(buffer) < 4:
                break
            end = 4 + int.from_bytes(buffer[2:4], "big")
            if len(buffer) < end:
                break
            del buffer[:end]
            continue
        if buffer[:2] == b"\r\n":
            del buffer[:2]
            continue
        head_end = buffer.find(b"\r\n\r\n")
        if head_end < 0:
            if len(buffer) > MAX_REQUEST_BYTES:
                raise BadRequest("no end of a request within its size limit")
            break
        request = _parse(bytes(buffer[:head_end]))
        length = _content_length(request)
        if len(buffer) < head_end + 4 + length:
            break
        del buffer[: head_end + 4 + length]
        requests.append(request)
    return requests


def response(status: int, request: Request | None, headers: dict[str, str] | None = None, body: str = "") -> bytes:
    lines = [f"RTSP/1.0 {status} {REASONS[status]}"]
    if request is not None:
        lines.append(f"CSeq: {request.headers.get('cseq', '0')}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def challenge(nonce: str) -> str:
    return f'Digest realm="{REALM}", nonce="{nonce}"'


def is_authorised(request: Request, credentials: Credentials, nonce: str) -> bool:
    """Whether the request bears the right Digest answer to our nonce (RFC 2617 3.2.2.1, without qop)."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "digest":
        return False
    given = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
    secret = _md5(f"{credentials.user}:{REALM}:{credentials.password}")
    uri = given.get("uri", "")
    wanted = _md5(f"{secret}:{nonce}:" + _md5(f"{request.method}:{uri}"))
    return (
        given.get("username") == credentials.user
        and given.get("nonce") == nonce
        and urlsplit(uri).path.rstrip("/") == request.path.rstrip("/")
        and hmac.compare_digest(given.get("response", "").encode(), wanted.encode())
    )


def interleaved_channel(request: Request, default: int) -> int | None:
    """The even channel that the client wants for RTP, or None when it wants no interleaved TCP."""
    for transport in request.headers.get("transport", "").split(","):
        if "RTP/AVP/TCP" not in transport.upper():
            continue
        match = _INTERLEAVED.search(transport)
        channel = int(match[1]) if match else default
        return channel if channel < 255 else None
    return None


def datagram_ports(request: Request) -> tuple[int, int] | None:
    """The client's ports for RTP and RTCP over UDP, or None when it does not ask for that."""
    for transport in request.headers.get("transport", "").split(","):
        match = _CLIENT_PORT.search(transport)
        if match and "RTP/AVP/TCP" not in transport.upper() and "multicast" not in transport:
            ports = int(match[1]), int(match[2])
            return ports if max(ports) < 65_536 else None
    return None


def session_description(parameter_sets: Sequence[bytes], codec: str, fps: int, audio: bool) -> str:
    """The SDP of a stream (RFC 4566; parameter sets as in RFC 6184 8.1 and RFC 7798 7.1); without a whole group of
    sets none is named."""
    texts = [base64.b64encode(x).decode() for x in parameter_sets]
    sets = "packetization-mode=1" if codec == "h264" else "tx-mode=SRST"
    if codec == "h264" and len(texts) == 2:
        sets += f";profile-level-id={parameter_sets[0][1:4].hex()};sprop-parameter-sets={','.join(texts)}"
    elif codec == "h265" and len(texts) == 3:
        sets += ";sprop-vps={};sprop-sps={};sprop-pps={}".format(*texts)
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=csu simulator",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
        f"m=video 0 RTP/AVP {VIDEO_TYPE}",
        f"a=rtpmap:{VIDEO_TYPE} {codec.upper()}/90000",
        f"a=fmtp:{VIDEO_TYPE} {sets}",
        f"a=framerate:{fps}",
        f"a=control:{VIDEO_TRACK}",
    ]
    if audio:
        lines += [f"m=audio 0 RTP/AVP {PCMA_TYPE}", "a=rtpmap:8 PCMA/8000", f"a=control:{AUDIO_TRACK}"]
    return "\r\n".join(lines) + "\r\n"


def _parse(head: bytes) -> Request:
    try:
        first, *rest = head.decode("utf-8").split("\r\n")
        method, url, version = first.split(" ")
    except ValueError as error:
        raise BadRequest("expected METHOD URL RTSP/1.0") from error
    if not version.startswith("RTSP/1."):
        raise BadRequest(f"expected RTSP/1.0, found {version[:20]!r}")
    headers = {}
    for line in rest:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Request(method.upper(), url, headers)


def _content_length(request: Request) -> int:
    text = request.headers.get("content-length", "0")
    if not text.isascii() or not text.isdigit() or int(text) > MAX_REQUEST_BYTES:
        raise BadRequest("content length out of bounds")
    return int(text)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
