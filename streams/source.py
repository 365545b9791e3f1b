"""What goes through the door to a camera (`pull.py`): a configuration, and a sink for what the camera sends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from streams.packets import Packet, VideoFormat

Transport = Literal["tcp", "tls", "udp"]
AGAIN_S = 2.0
"""A camera is not connected again so soon after the last time, whatever became of that."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Where and as whom. The address holds no credentials; the password shows in no repr.

    `certificate`, 64 lower-case hexadecimal digits, is the SHA-256 of the very certificate that the camera must show
    over `rtsps`, in place of an authority's word: many sign their own.
    """

    url: str
    username: str | None = None
    password: str = field(default="", repr=False)
    adapter: Literal["native", "pyav"] = "native"
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What the camera said of itself before the first picture.

    `tracks` are the media kinds it advertises ("video", "audio", ...): only video is ever fetched.
    `format` is None where the parameters come with the pictures, `declared_fps` where it does not say. `transport` is
    how the pictures come.
    """

    server: str
    tracks: tuple[str, ...]
    format: VideoFormat | None
    declared_fps: float | None = None
    transport: Transport = "tcp"


class PacketSink(Protocol):
    """Receives from `pull`, in its event loop, in order. Must not block."""

    @property
    def is_watched(self) -> bool:
        """Whether somebody waits for each picture; otherwise several may come at once, up to 160 ms late."""

    def connected(self, info: SourceInfo) -> None: ...

    def packet(self, packet: Packet) -> None: ...

    def sender_report(self, ntp_at: datetime, rtp_90k: int, received_s: float) -> None:
        """The camera's clock showed `ntp_at` at the stream's time `rtp_90k` (unwrapped, as in packets)."""
