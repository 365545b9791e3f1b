"""The SEI message that tells when a frame was captured: user_data_unregistered (H.264 and H.265 D.2.7, type 5).

Payload after the uuid: u64 UTC microseconds of the capture, u64 absolute frame number, u16 camera, big endian.
It is told by the simulator's true clock, also while a `clock-jump` fault falsifies RTP and RTCP.
"""

import re
import struct
import uuid
from dataclasses import dataclass

UUID = uuid.UUID("5d2c1f0e-8a47-4f5b-9e33-c50a71d3e6b4").bytes
_BODY = struct.Struct(">QQH")
_HEAD = bytes((5, len(UUID) + _BODY.size)) + UUID
_NAL_HEADERS = {"h264": b"\x06", "h265": bytes((39 << 1, 1))}
_TO_ESCAPE = re.compile(rb"\x00\x00(?=[\x00-\x03])")


@dataclass(frozen=True, slots=True)
class Stamp:
    at_us: int
    number: int
    camera: int


def nal(stamp: Stamp, codec: str = "h264") -> bytes:
    """The NAL unit, without start code, with emulation prevention (H.264 7.4.1)."""
    raw = _HEAD + _BODY.pack(stamp.at_us, stamp.number, stamp.camera) + b"\x80"
    return _NAL_HEADERS[codec] + _TO_ESCAPE.sub(b"\x00\x00\x03", raw)


def empty(size: int, codec: str, behind: bool) -> bytes:
    """A message that tells nothing: filler payload (type 3) of that size, for before or `behind` a picture."""
    header = _NAL_HEADERS[codec] if codec == "h264" or not behind else bytes((40 << 1, 1))
    return header + b"\x03" + b"\xff" * (size // 255) + bytes((size % 255,)) + b"\xff" * size + b"\x80"


def find(data: bytes) -> Stamp | None:
    """The stamp in an access unit (any framing), or None."""
    start = data.find(UUID)
    if start < 0:
        return None
    escaped = data[start + len(UUID) : start + len(UUID) + 2 * _BODY.size]
    body = escaped.replace(b"\x00\x00\x03", b"\x00\x00")[: _BODY.size]
    if len(body) < _BODY.size:
        return None
    return Stamp(*_BODY.unpack(body))
