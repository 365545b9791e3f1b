"""The little of H.264 (ITU-T H.264 chapter 7) that a recorder must read: picture size, reordering and slice kinds.

Every function takes bytes that a camera sent and raises nothing but `BadBits`.
"""

from __future__ import annotations

from collections.abc import Iterator

SLICE, IDR, SEI, SPS, PPS, DELIMITER = 1, 5, 6, 7, 8, 9
# Delimiter, end of sequence, end of stream, filler, and the types that mean nothing outside RTP.
WITHOUT_PICTURE = frozenset((0, DELIMITER, 10, 11, 12, *range(24, 32)))

MAX_SIDE = 16_384
_HEAD_BYTES = 512  # an SPS's size and VUI lie well within
_HIGH_PROFILES = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))


class BadBits(ValueError):
    """The bits are not what the standard allows."""


class Bits:
    """Reads a NAL unit's payload bit by bit, emulation prevention bytes taken out (7.3.1)."""

    def __init__(self, nal: bytes, header_bytes: int = 1) -> None:
        payload = nal[header_bytes:_HEAD_BYTES].replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(payload, "big")
        self._left = 8 * len(payload)

    def u(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise BadBits("the unit ends in the middle of a field")
        return self._value >> self._left & ((1 << count) - 1)

    def ue(self) -> int:
        """Exp-Golomb, 9.1; never above 2^32 - 2."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 31:
                raise BadBits("an Exp-Golomb code of more than 32 bits")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        value = self.ue()
        return (value + 1) // 2 if value & 1 else -(value // 2)


def picture_size(sps: bytes) -> tuple[int, int]:
    """Width and height in pixels after cropping, from a sequence parameter set (7.3.2.1.1)."""
    return _read_size(sps)[:2]


def reordered(sps: bytes) -> int:
    """How many pictures may be sent before one that is shown earlier: max_num_reorder_frames (E.2.1). 0 where the
    sequence doesn't say, and where its order of pictures leaves no room for any."""
    *_, in_order, bits = _read_size(sps)
    return 0 if in_order or not bits.u(1) else _read_reordered(bits)


def _read_size(sps: bytes) -> tuple[int, int, bool, Bits]:
    """Width, height, whether pictures are always sent in the order they are shown, and the bits from the VUI's flag
    on."""
    if len(sps) < 4 or sps[0] & 31 != SPS:
        raise BadBits("not a sequence parameter set")
    bits = Bits(sps)
    profile = bits.u(8)
    bits.u(16)
    bits.ue()
    chroma = _read_chroma(bits) if profile in _HIGH_PROFILES else 1
    in_order = _read_picture_order(bits) == 2
    bits.ue()
    bits.u(1)
    width_units, height_units = bits.ue() + 1, bits.ue() + 1
    frames_only = bits.u(1)
    if not frames_only:
        bits.u(1)
    bits.u(1)
    crop = [bits.ue() for _ in range(4)] if bits.u(1) else [0, 0, 0, 0]
    unit_x = 2 if chroma in (1, 2) else 1
    unit_y = (2 if chroma == 1 else 1) * (2 - frames_only)
    width = 16 * width_units - unit_x * (crop[0] + crop[1])
    height = 16 * height_units * (2 - frames_only) - unit_y * (crop[2] + crop[3])
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise BadBits(f"a picture of {width} x {height}")
    return width, height, in_order, bits


def _read_reordered(bits: Bits) -> int:
    """The VUI (E.1.1), as far as max_num_reorder_frames."""
    if bits.u(1) and bits.u(8) == 255:  # aspect ratio
        bits.u(32)
    if bits.u(1):  # overscan
        bits.u(1)
    if bits.u(1):  # signal
        bits.u(4)
        if bits.u(1):
            bits.u(24)
    if bits.u(1):  # place of chroma
        bits.ue()
        bits.ue()
    if bits.u(1):  # timing
        bits.u(65)
    is_buffered = False
    for _ in range(2):
        if bits.u(1):
            _skip_buffering(bits)
            is_buffered = True
    if is_buffered:
        bits.u(1)
    bits.u(1)
    if not bits.u(1):
        return 0
    bits.u(1)
    for _ in range(4):
        bits.ue()
    return bits.ue()


def _skip_buffering(bits: Bits) -> None:
    """hrd_parameters (E.1.2)."""
    count = bits.ue() + 1
    if count > 32:
        raise BadBits(f"{count} buffers")
    bits.u(8)
    for _ in range(count):
        bits.ue()
        bits.ue()
        bits.u(1)
    bits.u(20)


def _read_chroma(bits: Bits) -> int:
    chroma = bits.ue()
    if chroma == 3 and bits.u(1):
        chroma = 0  # separate planes crop like monochrome
    bits.ue()
    bits.ue()
    bits.u(1)
    if bits.u(1):
        for number in range(12 if chroma == 3 else 8):
            if bits.u(1):
                _skip_scaling_list(bits, 16 if number < 6 else 64)
    return chroma


def _skip_scaling_list(bits: Bits, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _read_picture_order(bits: Bits) -> int:
    bits.ue()
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.u(1)
        bits.se()
        bits.se()
        count = bits.ue()
        if count > 255:
            raise BadBits(f"{count} reference frames in a cycle")
        for _ in range(count):
            bits.se()
    elif kind > 2:
        raise BadBits(f"picture order count type {kind}")
    return kind


def pps_id(pps: bytes) -> int:
    if not pps or pps[0] & 31 != PPS:
        raise BadBits("not a picture parameter set")
    return Bits(pps).ue()


def has_b_slice(data: bytes) -> bool:
    """Whether the first slice of an access unit (4-byte lengths) is bidirectional (7.4.3, slice_type)."""
    for nal in iter_nals(data):
        if nal and nal[0] & 31 in (SLICE, 2, IDR):
            try:
                bits = Bits(nal)
                bits.ue()
                return bits.ue() % 5 == 1
            except BadBits:
                return False
    return False


def iter_nals(data: bytes) -> Iterator[bytes]:
    """The NAL units of an access unit with 4-byte lengths."""
    at = 0
    while at + 4 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 4 + length]
        at += 4 + length


def split_annexb(data: bytes) -> list[bytes]:
    """The NAL units of a byte stream with start codes (annex B). A unit never ends with a zero byte."""
    return [nal for piece in data.split(b"\0\0\1") if (nal := piece.rstrip(b"\0"))]
