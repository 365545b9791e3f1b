"""What the readers must know of a codec, H.264 and H.265 side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streams import h264, h265


@dataclass(frozen=True, slots=True)
class Codec:
    """`kind_of` takes a NAL unit's first byte. H.264 has no VPS: its `vps` is a kind that never comes.

    `reordered` tells by the sequence how many pictures may be sent before one that is shown earlier. Where H.264 says
    nothing, `is_bidirectional` tells by an access unit whether a picture that is shown before the one sent last is
    meant so; in H.265 the sequence always says it.
    """

    name: str
    vps: int
    sps: int
    pps: int
    slices: frozenset[int]
    keys: frozenset[int]
    without_picture: frozenset[int]
    kind_of: Callable[[int], int]
    picture_size: Callable[[bytes], tuple[int, int]]
    pps_id: Callable[[bytes], int]
    reordered: Callable[[bytes], int]
    is_bidirectional: Callable[[bytes], bool]


H264 = Codec(
    "h264",
    -1,
    h264.SPS,
    h264.PPS,
    frozenset(range(1, 6)),
    frozenset((h264.IDR,)),
    h264.WITHOUT_PICTURE,
    lambda first: first & 31,
    h264.picture_size,
    h264.pps_id,
    h264.reordered,
    h264.has_b_slice,
)
H265 = Codec(
    "h265",
    h265.VPS,
    h265.SPS,
    h265.PPS,
    h265.SLICES,
    h265.KEYS,
    h265.WITHOUT_PICTURE,
    h265.kind_of,
    h265.picture_size,
    h265.pps_id,
    h265.reordered,
    lambda _: False,
)
CODECS = {codec.name: codec for codec in (H264, H265)}
