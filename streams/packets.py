"""What a camera gives: encoded access units, and the parameters needed to decode them."""

from __future__ import annotations

from dataclasses import dataclass

from streams import h265


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """Everything a decoder must know before the first picture. The sets are bare NAL units.

    `codec` is "h264" or "h265"; only H.265 has a `vps`.
    """

    codec: str
    width: int
    height: int
    sps: bytes
    pps: bytes
    vps: bytes = b""

    @property
    def mime(self) -> str:
        """RFC 6381 section 3.3: for H.264 profile, constraints and level are the SPS's first bytes."""
        if self.codec == "h265":
            return h265.mime(self.sps)
        return f"avc1.{self.sps[1:4].hex()}"


@dataclass(slots=True)
class Packet:
    """One access unit: 4-byte length-prefixed NAL units, without parameter sets and delimiters.

    `pts_90k` is when it is shown, unwrapped; it starts anywhere. `offset_90k` is how much later that is than its
    decode time, in whose order packets come: 0 where pictures are sent in the order they are shown. `received_s` is
    the monotonic clock at the arrival of the last byte. `lost_before` counts the RTP packets missing just before: the
    picture may be damaged. `format` is the same object as long as it does not change.
    """

    data: bytes
    pts_90k: int
    is_key: bool
    received_s: float
    format: VideoFormat
    lost_before: int = 0
    offset_90k: int = 0

    @property
    def dts_90k(self) -> int:
        return self.pts_90k - self.offset_90k
