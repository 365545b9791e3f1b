"""What a camera gives: encoded access units, and the parameters needed to decode them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """Everything a decoder must know before the first picture. `sps` and `pps` are bare NAL units."""

    codec: str
    width: int
    height: int
    sps: bytes
    pps: bytes

    @property
    def mime(self) -> str:
        """RFC 6381 section 3.3: profile, constraints and level are the SPS's first bytes."""
        return f"avc1.{self.sps[1:4].hex()}"


@dataclass(slots=True)
class Packet:
    """One access unit: 4-byte length-prefixed NAL units, without parameter sets and delimiters.

    `pts_90k` is unwrapped and starts anywhere. `received_s` is the monotonic clock at the arrival of the
    last byte. `lost_before` counts the RTP packets missing just before: the picture may be damaged.
    `format` is the same object as long as it does not change.
    """

    data: bytes
    pts_90k: int
    is_key: bool
    received_s: float
    format: VideoFormat
    lost_before: int = 0
