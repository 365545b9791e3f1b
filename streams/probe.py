"""What a camera really sends: pulled for a few seconds and measured, never taken from its own word."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from datetime import datetime

from streams.awake import timeout
from streams.packets import Packet, VideoFormat
from streams.pull import pull
from streams.source import SourceConfig, SourceInfo, Transport
from streams.ticks import TICKS_PER_S
from streams.timeline import Anchor, Timeline


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """Measured over `pictures` pictures. None: the time was too short to tell, or the camera does not say."""

    codec: str
    mime: str
    width: int
    height: int
    pictures: int
    fps: float | None  # by the camera's stamps
    arrival_fps: float | None  # by when they came
    declared_fps: float | None  # in the camera's description
    backwards: int  # pictures stamped before the one before them
    gop: int | None  # pictures from key frame to key frame, the longest seen
    bit_rate: int | None  # bits per second
    lost: int  # RTP packets
    audio: bool | None  # advertised; never fetched
    clock_offset_s: float | None  # the camera's clock ahead of ours
    first_picture_s: float  # from the start to the first key frame
    server: str
    transport: Transport  # how the pictures came

    @property
    def real_fps(self) -> float | None:
        """What can be counted on: stamps may promise more than comes, and what comes at once may be older."""
        if self.fps is None or self.arrival_fps is None:
            return None
        return min(self.fps, self.arrival_fps)


class _Measure:
    """A sink that adds up."""

    is_watched = True  # the clock is measured by when pictures come

    def __init__(self) -> None:
        self.info: SourceInfo | None = None
        self.first: Packet | None = None
        self.last: Packet | None = None
        self.pictures = self.size_bytes = self.lost = 0
        self.gop: int | None = None
        self.started = asyncio.Event()
        self.timeline = Timeline(Anchor(time.monotonic(), time.time_ns() // 1000))
        self._last_key: int | None = None

    def connected(self, info: SourceInfo) -> None:
        self.info = info

    def packet(self, packet: Packet) -> None:
        self.timeline.place(packet.dts_90k, packet.received_s, packet.offset_90k)
        if packet.is_key:
            if self._last_key is not None:
                self.gop = max(self.gop or 0, self.pictures - self._last_key)
            self._last_key = self.pictures
        if self.first is None:
            self.first = packet
            self.started.set()
        else:
            self.lost += packet.lost_before
            self.size_bytes += len(packet.data)
        self.last = packet
        self.pictures += 1

    def sender_report(self, ntp_at: datetime, rtp_90k: int, received_s: float) -> None:
        self.timeline.sender_report(ntp_at, rtp_90k)

    def report(self, format: VideoFormat, first_picture_s: float, adapter: str) -> ProbeReport:
        assert self.first is not None
        assert self.last is not None
        assert self.info is not None
        span_90k = self.last.dts_90k - self.first.dts_90k
        lasted_s = self.last.received_s - self.first.received_s
        measured = span_90k > 0 and self.pictures > 1
        offset_us = self.timeline.clock_offset_us
        return ProbeReport(
            codec=format.codec,
            mime=format.mime,
            width=format.width,
            height=format.height,
            pictures=self.pictures,
            fps=round((self.pictures - 1) * TICKS_PER_S / span_90k, 2) if measured else None,
            arrival_fps=round((self.pictures - 1) / lasted_s, 2) if measured and lasted_s > 0 else None,
            declared_fps=self.info.declared_fps,
            backwards=self.timeline.backwards,
            gop=self.gop,
            bit_rate=self.size_bytes * 8 * TICKS_PER_S // span_90k if measured else None,
            lost=self.lost,
            audio="audio" in self.info.tracks if adapter == "native" else None,
            clock_offset_s=None if offset_us is None else round(offset_us / 1e6, 3),
            first_picture_s=round(first_picture_s, 3),
            server=self.info.server,
            transport=self.info.transport,
        )


async def probe(config: SourceConfig, seconds: float) -> ProbeReport:
    """Pulls for `seconds` after the first picture, our own pauses not counted. Raises CameraError."""
    measure = _Measure()
    began_s = time.monotonic()
    pulling = asyncio.create_task(pull(config, measure))
    try:
        starting = asyncio.create_task(measure.started.wait())
        await asyncio.wait((pulling, starting), return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        first_picture_s = time.monotonic() - began_s
        with contextlib.suppress(TimeoutError):
            async with timeout(seconds):
                await asyncio.wait((pulling,))
        if pulling.done():
            pulling.result()
    finally:
        pulling.cancel()
        await asyncio.gather(pulling, return_exceptions=True)
    assert measure.last  # the pull neither failed nor was it without a picture
    return measure.report(measure.last.format, first_picture_s, config.adapter)
