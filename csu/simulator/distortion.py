"""What faulty cameras do to packets that were right: pure functions over framed RTP packets (rtp.py)."""

import struct
from collections.abc import Iterator
from itertools import zip_longest

_FRAME_BYTES = 4
_HEADER_BYTES = 12
_EXTENDED = 0x10
_FRAGMENTS = {"h264": (0x1F, 28), "h265": (0x7E, 49 << 1)}


def split(data: bytes) -> Iterator[bytes]:
    """The packets of `data`, each with its frame."""
    at = 0
    while at < len(data):
        end = at + _FRAME_BYTES + int.from_bytes(data[at + 2 : at + 4], "big")
        yield data[at:end]
        at = end


def without_end(data: bytes, codec: str) -> tuple[bytes, int]:
    """Without the last packet when it ends a fragmented NAL unit, and how many packets were left out."""
    *kept, last = split(data)
    mask, kind = _FRAGMENTS[codec]
    if last[_FRAME_BYTES + _HEADER_BYTES] & mask != kind:
        return data, 0
    return b"".join(kept), 1


def mixed(data: bytes, other: bytes) -> bytes:
    """Packet by packet of each in turn."""
    ours, theirs = list(split(data)), list(split(other))
    return b"".join(a + b for a, b in zip_longest(ours, theirs, fillvalue=b""))


def extended(data: bytes, is_right: bool) -> bytes:
    """Each packet with a header extension of one word (RFC 3550 5.3.1) that tells its length, or a far greater one."""
    extension = struct.pack(">HHI", 0xBEDE, 1 if is_right else 0x4000, 0x10FF0000)
    out: list[bytes] = []
    for packet in split(data):
        size = len(packet) - _FRAME_BYTES + len(extension)
        head = packet[:2] + size.to_bytes(2, "big") + bytes((packet[4] | _EXTENDED,)) + packet[5:16]
        out += (head, extension, packet[16:])
    return b"".join(out)
