"""One subscription per camera stream to the recorder's packet feed, shared by all who look.

The feed's connection is opened anew, with growing waits, for as long as the gateway lives; meanwhile the streams
are lost, and back after it. A stream that nobody follows is kept for some seconds, then left.
"""

import asyncio
import contextlib
import logging
import random
import time
from pathlib import Path
from typing import Protocol

from csu.gateway.frames import Frame, FrameMaker, init_frame
from recorder.feed import (
    GOP_BYTES,
    FeedBack,
    FeedClosed,
    FeedEvent,
    FeedFormat,
    FeedLost,
    FeedPacket,
    FeedSkipped,
    PacketFeedClient,
)
from streams.packets import VideoFormat

log = logging.getLogger(__name__)

LINGER_S = 5.0
FIRST_WORD_S = 1.0  # in ticks: a pause of our own is one; less than LINGER_S
TICK_S = 0.1
FIRST_WAIT_S = 0.2
MAX_WAIT_S = 5.0
RECORDER_UNREACHABLE = "recorder_unreachable"
# H.265 is recorded, but most browsers don't play it, and nothing is decoded on the way to a viewer.
PLAYABLE_CODECS = frozenset(("h264",))


class Subscriber(Protocol):
    """Who looks at a stream. Called from the event loop, in order; must neither wait nor raise."""

    def frame(self, frame: Frame) -> None: ...
    def format_changed(self, stream: "LiveStream") -> None: ...
    def reordered(self) -> None: ...
    def skipped(self, frames: int) -> None: ...
    def lost(self, fault: str) -> None: ...
    def back(self) -> None: ...


class LiveStream:
    """One camera stream as it passes: its parameters, its state, its last group of pictures.

    Invariant: `gop` is empty or begins with a key frame that needs `init`, and holds every picture since.
    `is_reordered` once a picture came that is shown before the one that came before it (B-frames).
    """

    def __init__(self, camera: str, stream: str) -> None:
        self.key = (camera, stream)
        self.format: VideoFormat | None = None
        self.init: Frame | None = None
        self.fault: str | None = None
        self.gop: list[Frame] = []
        self.subscribers: list[Subscriber] = []
        self.empty_since_s: float | None = None
        self.channel: int | None = None
        self.known = asyncio.Event()
        self.is_reordered = False
        self._last_pts_90k = 0
        self._gop_bytes = 0
        self._maker = FrameMaker()

    @property
    def is_playable(self) -> bool:
        """Whether browsers play its pictures, as far as they are known."""
        return self.format is None or self.format.codec in PLAYABLE_CODECS

    def take(self, event: FeedEvent) -> None:
        self.known.set()
        if isinstance(event, FeedPacket):
            self._packet(event)
        elif isinstance(event, FeedFormat):
            self._new_format(event.format)
        elif isinstance(event, FeedLost):
            self.lose(event.fault)
        elif isinstance(event, FeedBack):
            self._return()
        elif isinstance(event, FeedSkipped):
            self._forget_gop()
            for subscriber in self.subscribers:
                subscriber.skipped(event.frames)

    def lose(self, fault: str) -> None:
        """No more pictures for now; those of before are old and not shown to whoever comes."""
        self.known.set()
        self._forget_gop()
        if self.fault != fault:
            self.fault = fault
            for subscriber in self.subscribers:
                subscriber.lost(fault)

    def _return(self) -> None:
        if self.fault is not None:
            self.fault = None
            for subscriber in self.subscribers:
                subscriber.back()

    def _new_format(self, format: VideoFormat) -> None:
        if format == self.format:
            return
        self.format = format
        self.is_reordered = False
        self.init = init_frame(format)
        self._forget_gop()
        for subscriber in self.subscribers:
            subscriber.format_changed(self)

    def _packet(self, packet: FeedPacket) -> None:
        self._return()
        if self.format is None:
            return
        if packet.offset_90k and not self.is_reordered and packet.pts_90k < self._last_pts_90k:
            self.is_reordered = True
            for subscriber in self.subscribers:
                subscriber.reordered()
        self._last_pts_90k = packet.pts_90k
        frame = self._maker.frame(packet, self.format)
        if frame.is_key:
            self.gop = [frame]
            self._gop_bytes = frame.size
        elif self.gop:
            self.gop.append(frame)
            self._gop_bytes += frame.size
            if self._gop_bytes > GOP_BYTES:
                self._forget_gop()
        for subscriber in self.subscribers:
            subscriber.frame(frame)

    def _forget_gop(self) -> None:
        self.gop = []
        self._gop_bytes = 0


class Hub:
    """All streams that this gateway follows. `run` must be running."""

    def __init__(self, packets_socket: Path) -> None:
        self._socket = packets_socket
        self._streams: dict[tuple[str, str], LiveStream] = {}
        self._changed = asyncio.Event()
        self.connected = False

    async def find(self, camera: str, stream: str) -> LiveStream:
        """The stream, once the recorder has said something of it, or after FIRST_WORD_S without a word."""
        live = self._streams.get((camera, stream))
        if live is None:
            live = self._streams[camera, stream] = LiveStream(camera, stream)
            if not self.connected:
                live.lose(RECORDER_UNREACHABLE)
            self._changed.set()
        if not live.subscribers:
            live.empty_since_s = time.monotonic()
        waited_s = 0.0
        while not live.known.is_set() and waited_s < FIRST_WORD_S:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await live.known.wait()
            waited_s += TICK_S
        if not live.known.is_set():
            log.warning("camera %s %s: no word from the recorder", camera, stream)
        return live

    def join(self, live: LiveStream, subscriber: Subscriber) -> None:
        """Follow a stream from now on; what is there already is for the caller to take: `init`, `gop`, `fault`."""
        live.empty_since_s = None
        live.subscribers = [*live.subscribers, subscriber]

    def leave(self, live: LiveStream, subscriber: Subscriber) -> None:
        # A new list: the old one may be being walked through.
        live.subscribers = [other for other in live.subscribers if other is not subscriber]
        if not live.subscribers:
            live.empty_since_s = time.monotonic()
            self._changed.set()

    async def run(self) -> None:
        """Ends by cancellation only."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                await self.run_once()
            except* FeedClosed as closed:
                if self.connected:
                    wait_s = FIRST_WAIT_S
                    log.warning("packet feed lost: %s", closed.exceptions[0])
            self.connected = False
            for live in self._streams.values():
                live.channel = None
                live.lose(RECORDER_UNREACHABLE)
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            wait_s = min(wait_s * 2, MAX_WAIT_S)

    async def run_once(self) -> None:
        """One connection to the feed, until it breaks. Raises FeedClosed (in a group)."""
        async with PacketFeedClient.open(self._socket) as feed, asyncio.TaskGroup() as tasks:
            self.connected = True
            by_channel: dict[int, LiveStream] = {}
            tasks.create_task(self._keep_subscribed(feed, by_channel))
            async for event in feed.events():
                live = by_channel.get(event.channel)
                if live is not None:
                    live.take(event)

    async def _keep_subscribed(self, feed: PacketFeedClient, by_channel: dict[int, LiveStream]) -> None:
        """Subscribe to what is followed, leave what is followed no more."""
        while True:
            self._changed.clear()
            now_s = time.monotonic()
            next_s: float | None = None
            for live in list(self._streams.values()):
                if live.empty_since_s is not None and now_s - live.empty_since_s >= LINGER_S:
                    del self._streams[live.key]
                    if live.channel is not None:
                        del by_channel[live.channel]
                        await feed.unsubscribe(live.channel)
                    continue
                if live.empty_since_s is not None:
                    left_s = LINGER_S - (now_s - live.empty_since_s)
                    next_s = left_s if next_s is None else min(left_s, next_s)
                if live.channel is None:
                    live.channel = await feed.subscribe(*live.key)
                    by_channel[live.channel] = live
            try:
                async with asyncio.timeout(next_s):
                    await self._changed.wait()
            except TimeoutError:
                continue
