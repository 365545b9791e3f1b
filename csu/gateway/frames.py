"""Live messages as bytes: WebSocket frames around our 12-byte header around fMP4. Pure.

One picture becomes one `Frame`, made once and shared by all its viewers. Only the first 8 to 14 bytes differ
between them, by the channel's number: a viewer is sent `frame.head + number` and then `frame.tail`, without a
copy of the picture.

    WebSocket header (RFC 6455 section 5.2: final, binary, not masked, not compressed)
    kind u8 (0 init, 1 fragment) | flags u8 (bit 0: key frame) | channel u16 | capture time u64 (UTC, microseconds)
    fMP4 bytes

Media time starts at 0 when the gateway begins to follow the stream, and is gapless: a fragment begins where the
one before it ends. A fragment's duration is the time since the picture before it, for that of the next is not
known yet; so media time follows the camera's clock one picture late, and neither drifts nor makes a browser wait
for a picture that never comes. A hole of more than a second, or a clock that jumps, takes no media time.

Where pictures are sent in another order than they are shown (B-frames), all this goes by their decode time, and each
fragment bears how much later its picture is shown; the capture time is that of the decode time too, so that both
times of a fragment mark the same instant.
"""

import struct
from dataclasses import dataclass, field

from recorder.feed import FeedPacket
from streams.fmp4 import fragment, init_segment
from streams.packets import Packet, VideoFormat
from streams.ticks import us_from_90k

MAX_STEP_90K = 90_000
FIRST_STEP_90K = 3_600

_INIT, _FRAGMENT = 0, 1
_HEADER_BYTES = 12
_AT = struct.Struct(">Q")
_SMALL = struct.Struct(">BBBB")
_MIDDLE = struct.Struct(">BBHBB")
_LARGE = struct.Struct(">BBQBB")


def websocket_header(opcode: int, size: int) -> bytes:
    """The header of a whole, unmasked message of `size` bytes."""
    if size < 126:
        return bytes((0x80 | opcode, size))
    if size < 65536:
        return struct.pack(">BBH", 0x80 | opcode, 126, size)
    return struct.pack(">BBQ", 0x80 | opcode, 127, size)


def text_message(text: str) -> bytes:
    data = text.encode()
    return websocket_header(1, len(data)) + data


@dataclass(slots=True)
class Frame:
    """A binary message short of its channel's number. `at_us` is 0 for an init segment.

    `pts_90k` is media time, by decoding; `data_at` is where the picture's own bytes begin in `tail`; `size` counts the
    whole message with its WebSocket header.
    """

    head: bytes
    tail: bytes
    is_key: bool
    at_us: int
    pts_90k: int
    data_at: int
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.head) + 2 + len(self.tail)

    @property
    def picture(self) -> memoryview:
        """The access unit as it came: length-prefixed NAL units."""
        return memoryview(self.tail)[self.data_at :]


def init_frame(format: VideoFormat) -> Frame:
    body = init_segment(format)
    return Frame(_head(_INIT, 0, len(body)), _AT.pack(0) + body, False, 0, 0, 8)


def _head(kind: int, flags: int, body_bytes: int) -> bytes:
    size = _HEADER_BYTES + body_bytes
    if size < 126:
        return _SMALL.pack(0x82, size, kind, flags)
    if size < 65536:
        return _MIDDLE.pack(0x82, 126, size, kind, flags)
    return _LARGE.pack(0x82, 127, size, kind, flags)


class FrameMaker:
    """Packets of one stream in, frames out, on one gapless media clock."""

    def __init__(self) -> None:
        self._sequence = 0
        self._base_90k = 0
        self._step_90k = FIRST_STEP_90K
        self._last_dts_90k: int | None = None
        self._reorders = False

    def frame(self, packet: FeedPacket, format: VideoFormat) -> Frame:
        dts_90k = packet.pts_90k - packet.offset_90k
        if self._last_dts_90k is not None:
            step_90k = dts_90k - self._last_dts_90k
            if 0 < step_90k <= MAX_STEP_90K:
                self._step_90k = step_90k
        self._last_dts_90k = dts_90k
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        offset_90k = None
        if packet.offset_90k or self._reorders:
            self._reorders = True
            # Media time is one picture late; an uneven one must not move when this one is shown.
            offset_90k = packet.offset_90k + self._step_90k - FIRST_STEP_90K
        unit = Packet(packet.data, packet.pts_90k, packet.is_key, 0.0, format)
        body = fragment(self._sequence, unit, self._step_90k, self._base_90k, offset_90k)
        pts_90k = self._base_90k
        self._base_90k += self._step_90k
        return Frame(
            _head(_FRAGMENT, int(packet.is_key), len(body)),
            _AT.pack(packet.at_us - us_from_90k(offset_90k or 0)) + body,
            packet.is_key,
            packet.at_us,
            pts_90k,
            8 + len(body) - len(packet.data),
        )
