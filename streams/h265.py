"""The little of H.265 (ITU-T H.265 chapter 7) that a recorder must read: picture size, profile, kinds of units.

Every function takes bytes that a camera sent and raises nothing but `BadBits`.
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.h264 import MAX_SIDE, BadBits, Bits

VPS, SPS, PPS, DELIMITER, AGGREGATE, FRAGMENT = 32, 33, 34, 35, 48, 49
# Random access: BLA, IDR, CRA. A CRA's leading pictures can't be decoded where one begins with it; decoders pass them
# over, and a film leaves them out.
KEYS = frozenset(range(16, 22))
SLICES = frozenset((*range(10), *KEYS))
# Reserved and unspecified types, delimiter, ends, filler, and what means something inside RTP only.
WITHOUT_PICTURE = frozenset((*range(10, 16), *range(22, 32), *range(DELIMITER, 39), *range(41, 64)))

_HEADER_BYTES = 2
_PROFILE_BITS = 96
_MAX_REORDERED = 16


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a sequence parameter set says. `profile` are the 12 bytes of general profile, tier and level (7.3.3)."""

    width: int
    height: int
    profile: bytes
    sub_layers: int
    nested: bool
    chroma: int
    depth: int
    chroma_depth: int
    reordered: int  # pictures that may come before one that is shown earlier


def kind_of(first: int) -> int:
    """The type of a NAL unit, from its first byte (7.3.1.2)."""
    return first >> 1 & 63


def layer_of(first: int, second: int) -> int:
    """The layer of a NAL unit, from its first two bytes; pictures of layers above 0 need a decoder of another kind."""
    return (first & 1) << 5 | second >> 3


def read_sequence(sps: bytes) -> Sequence:
    """7.3.2.2, as far as the number of reordered pictures."""
    if len(sps) < 4 or kind_of(sps[0]) != SPS:
        raise BadBits("not a sequence parameter set")
    bits = Bits(sps, _HEADER_BYTES)
    bits.u(4)
    more_layers, nested = bits.u(3), bits.u(1)
    if more_layers > 6:
        raise BadBits("more sub-layers than seven")
    profile = bits.u(_PROFILE_BITS).to_bytes(12, "big")
    _skip_sub_layers(bits, more_layers)
    bits.ue()
    chroma = bits.ue()
    if chroma > 3:
        raise BadBits(f"chroma format {chroma}")
    separate = chroma == 3 and bits.u(1)
    width, height = bits.ue(), bits.ue()
    crop = [bits.ue() for _ in range(4)] if bits.u(1) else [0, 0, 0, 0]
    width -= (2 if chroma in (1, 2) and not separate else 1) * (crop[0] + crop[1])
    height -= (2 if chroma == 1 else 1) * (crop[2] + crop[3])
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise BadBits(f"a picture of {width} x {height}")
    depth, chroma_depth = 8 + bits.ue(), 8 + bits.ue()
    if depth > 16 or chroma_depth > 16:
        raise BadBits(f"{depth} bits a sample")
    bits.ue()
    reordered = 0
    for _ in range(more_layers + 1 if bits.u(1) else 1):
        bits.ue()
        reordered = bits.ue()
        bits.ue()
    if reordered > _MAX_REORDERED:
        raise BadBits(f"{reordered} reordered pictures")
    return Sequence(width, height, profile, more_layers + 1, bool(nested), chroma, depth, chroma_depth, reordered)


def picture_size(sps: bytes) -> tuple[int, int]:
    """Width and height in pixels after cropping."""
    sequence = read_sequence(sps)
    return sequence.width, sequence.height


def reordered(sps: bytes) -> int:
    return read_sequence(sps).reordered


def pps_id(pps: bytes) -> int:
    if len(pps) < 3 or kind_of(pps[0]) != PPS:
        raise BadBits("not a picture parameter set")
    return Bits(pps, _HEADER_BYTES).ue()


def mime(sps: bytes) -> str:
    """RFC 6381 name, ISO/IEC 14496-15 annex E.3: profile, its compatibility flags reversed, tier and level, rest."""
    profile = read_sequence(sps).profile
    space = ("", "A", "B", "C")[profile[0] >> 6]
    compatible = int(f"{int.from_bytes(profile[1:5], 'big'):032b}"[::-1], 2)
    tier = "H" if profile[0] & 0x20 else "L"
    constraints = [f"{byte:X}" for byte in profile[5:11].rstrip(b"\0")]
    return ".".join(("hvc1", f"{space}{profile[0] & 31}", f"{compatible:X}", f"{tier}{profile[11]}", *constraints))


def configuration(vps: bytes, sps: bytes, pps: bytes) -> bytes:
    """The content of `hvcC` (ISO/IEC 14496-15 section 8.3.3.1.2), all sets in it."""
    sequence = read_sequence(sps)
    # No word on segmentation and parallelism; unknown mean rate; sub-layers, nesting, and lengths of 4 bytes.
    layers = sequence.sub_layers << 3 | sequence.nested << 2 | 3
    depths = bytes((0xFC | sequence.chroma, 0xF8 | (sequence.depth - 8) & 7, 0xF8 | (sequence.chroma_depth - 8) & 7))
    head = b"\1" + sequence.profile + b"\xf0\0\xfc" + depths + b"\0\0" + bytes((layers, 3))
    sets = ((VPS, vps), (SPS, sps), (PPS, pps))
    return head + b"".join(bytes((0x80 | kind, 0, 1)) + len(nal).to_bytes(2, "big") + nal for kind, nal in sets)


def read_configuration(content: bytes) -> tuple[bytes, bytes, bytes]:
    """VPS, SPS and PPS of a `hvcC` that `configuration` wrote. Raises BadBits."""
    sets: dict[int, bytes] = {}
    at = 23
    for _ in range(content[22] if len(content) > 22 else 0):
        size = int.from_bytes(content[at + 3 : at + 5], "big")
        nal = content[at + 5 : at + 5 + size]
        if not size or len(nal) < size or content[at + 1 : at + 3] != b"\0\1":
            raise BadBits("a set of the configuration is cut short")
        sets[content[at] & 63] = nal
        at += 5 + size
    if not {VPS, SPS, PPS} <= set(sets):
        raise BadBits("the configuration lacks a parameter set")
    read_sequence(sets[SPS])
    return sets[VPS], sets[SPS], sets[PPS]


def _skip_sub_layers(bits: Bits, more_layers: int) -> None:
    present = [(bits.u(1), bits.u(1)) for _ in range(more_layers)]
    if more_layers:
        bits.u(2 * (8 - more_layers))
    for profile, level in present:
        bits.u(88 * profile + 8 * level)
