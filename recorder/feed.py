"""The packet feed: what the cameras give, to the other processes of this machine, over a Unix stream socket.

A message is a header (length of what follows, u32; kind, u8; channel, u16; big-endian) and a body:

    to the recorder    1 SUBSCRIBE    JSON {"camera", "stream", "purpose"}; the channel's number is the client's choice.
                                      purpose: "view" (also when it is absent) or "analysis"
                       2 UNSUBSCRIBE  empty
    from the recorder 16 FORMAT       JSON {"codec", "width", "height", "sps", "pps", "vps"} (sets in hex)
                      17 PACKET       flags u8 (bit 0: key frame), pts i64 (90 kHz), UTC i64 (microseconds), how much
                                      later it is shown than decoded i64 (90 kHz), data
                      18 SKIPPED      frames u32: these were left out because the subscriber was slow
                      19 LOST         fault, text: the camera gives nothing for now, or this channel gets nothing
                      20 BACK         empty: it gives again

The recorder never waits for a subscriber. It keeps each stream's last group of pictures (at most 8 MiB), which a new
subscription gets at once. A connection with too much waiting in its buffer is skipped to a next key frame and told
how many frames that cost. A frame is serialised only when somebody subscribes to its stream.

Analyses are the first to be given up when the recorder has too much to do (DEGRADED.md): their channels are told LOST
with the fault "degraded", and BACK or the stream's own fault when that is over. A stream that nobody views may be
closed meanwhile.
"""

import asyncio
import collections
import json
import logging
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

from recorder.channel import connect_unix, listen_unix, peer_allowed
from streams.packets import Packet, VideoFormat

log = logging.getLogger(__name__)

GOP_BYTES = 8 * 1024 * 1024
_PICTURE_BYTES = 256  # what one takes beside its data
_SKIP_ABOVE_BYTES = 12 * 1024 * 1024
_RESUME_BELOW_BYTES = 2 * 1024 * 1024
_CLIENT_QUEUE_BYTES = 16 * 1024 * 1024
_MAX_REQUEST_BYTES = 64 * 1024
_MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_MAX_CHANNELS = 4096

_HEADER = struct.Struct(">IBH")
_PACKET = struct.Struct(">Bqqq")
_FRAMES = struct.Struct(">I")
_SUBSCRIBE, _UNSUBSCRIBE = 1, 2
_FORMAT, _PACKET_KIND, _SKIPPED, _LOST, _BACK = 16, 17, 18, 19, 20

DEGRADED = "degraded"
"""The fault of what the recorder has given up for now."""
Purpose = Literal["view", "analysis"]
UNKNOWN_STREAM = "unknown_stream"
"""The fault of a subscription to a stream that the recorder has no order for; it may come with later orders."""


@dataclass(frozen=True, slots=True)
class FeedFormat:
    """The packets that follow on this channel need these parameters; before the first packet and at each change."""

    channel: int
    format: VideoFormat


@dataclass(slots=True)
class FeedPacket:
    """`at_us` is when the picture is shown, as `pts_90k`; its decode time is `offset_90k` before."""

    channel: int
    is_key: bool
    pts_90k: int
    at_us: int
    data: bytes
    offset_90k: int = 0


@dataclass(frozen=True, slots=True)
class FeedSkipped:
    channel: int
    frames: int


@dataclass(frozen=True, slots=True)
class FeedLost:
    """`fault` is a streams.errors.CameraFault's value, DEGRADED, UNKNOWN_STREAM, or a state: "connecting", "forbidden",
    "masked"."""

    channel: int
    fault: str


@dataclass(frozen=True, slots=True)
class FeedBack:
    channel: int


FeedEvent = FeedFormat | FeedPacket | FeedSkipped | FeedLost | FeedBack


class FeedClosed(ConnectionError):
    """The recorder left, or one side broke the protocol; open the feed again."""


def _message(kind: int, channel: int, body: bytes = b"") -> bytes:
    return _HEADER.pack(len(body), kind, channel) + body


def _format_body(format: VideoFormat) -> bytes:
    return json.dumps(
        {
            "codec": format.codec,
            "width": format.width,
            "height": format.height,
            "sps": format.sps.hex(),
            "pps": format.pps.hex(),
            "vps": format.vps.hex(),
        }
    ).encode()


class _Splitter:
    """Pure: bytes as they come in, (kind, channel, body) out."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """The messages that are now whole. Raises FeedClosed for one over the bound."""
        buffer = self._buffer
        buffer += data
        messages: list[tuple[int, int, bytes]] = []
        at = 0
        with memoryview(buffer) as view:
            while len(buffer) - at >= _HEADER.size:
                length, kind, channel = _HEADER.unpack_from(buffer, at)
                if length > self._max_bytes:
                    raise FeedClosed(f"a message of {length} bytes, at most {self._max_bytes}")
                end = at + _HEADER.size + length
                if end > len(buffer):
                    break
                messages.append((kind, channel, bytes(view[at + _HEADER.size : end])))
                at = end
        if at:
            del buffer[:at]
        return messages


class StreamFeed:
    """One stream's place in the feed: its last group of pictures, and who follows it. Never blocks."""

    __slots__ = ("_analyses", "_bytes", "_gop", "_subscribers", "_suspended", "fault", "format")

    def __init__(self, suspended: bool = False) -> None:
        self.format: VideoFormat | None = None
        self.fault: str | None = "connecting"
        self._gop: list[tuple[Packet, int]] = []
        self._bytes = 0
        self._subscribers: list[_Subscription] = []
        self._analyses: list[_Subscription] = []  # which get nothing while they are suspended
        self._suspended = suspended

    @property
    def is_followed(self) -> bool:
        """Whether a packet would go to anybody."""
        return bool(self._subscribers)

    def publish(self, packet: Packet, at_us: int) -> None:
        """A packet with its UTC. Called for each frame, so it does next to nothing without a subscriber."""
        if packet.is_key:
            self._gop = []
            self._bytes = 0
        self._bytes += len(packet.data) + _PICTURE_BYTES
        if self._bytes <= GOP_BYTES:
            self._gop.append((packet, at_us))
        elif self._gop:
            self._gop = []  # a group of pictures without its end is of no use
        if self.fault is not None:
            self.fault = None
            for subscription in self._subscribers:
                subscription.back()
        self.format = packet.format
        if self._subscribers:
            body = _PACKET.pack(packet.is_key, packet.pts_90k, at_us, packet.offset_90k)
            for subscription in self._subscribers:
                subscription.packet(packet, body)

    def lost(self, fault: str) -> None:
        """The camera gives nothing for now. What it gave last is old: a new subscriber doesn't get it."""
        self.fault = fault
        self._gop = []
        self._bytes = GOP_BYTES  # nothing is kept before the next key frame
        for subscription in self._subscribers:
            subscription.lost(fault)

    def add(self, subscription: "_Subscription") -> None:
        if self._suspended and subscription.analyses:
            self._analyses.append(subscription)
            subscription.lost(DEGRADED)
            return
        self._subscribers.append(subscription)
        if self.fault is not None:
            subscription.lost(self.fault)
            return
        for packet, at_us in self._gop:
            subscription.packet(packet, _PACKET.pack(packet.is_key, packet.pts_90k, at_us, packet.offset_90k))

    def remove(self, subscription: "_Subscription") -> None:
        (self._analyses if subscription in self._analyses else self._subscribers).remove(subscription)

    def suspend_analyses(self, suspended: bool) -> None:
        self._suspended = suspended
        if suspended:
            self._analyses = [one for one in self._subscribers if one.analyses]
            self._subscribers = [one for one in self._subscribers if not one.analyses]
            for subscription in self._analyses:
                subscription.lost(DEGRADED)
        else:
            waiting, self._analyses = self._analyses, []
            for subscription in waiting:
                if self.fault is None:
                    subscription.back()
                self.add(subscription)


class _Subscription:
    """One channel of one connection: passes frames on, or skips to a key frame while the connection is slow."""

    __slots__ = ("_channel", "_format", "_skipped", "_slow", "_transport", "_waiting_key", "analyses", "stream")

    def __init__(self, transport: asyncio.Transport, channel: int, stream: StreamFeed, analyses: bool) -> None:
        self._transport = transport
        self._channel = channel
        self._format: VideoFormat | None = None
        self._waiting_key = True
        self._slow = False
        self._skipped = 0
        self.stream = stream
        self.analyses = analyses

    def packet(self, packet: Packet, body: bytes) -> None:
        transport = self._transport
        waiting = transport.get_write_buffer_size()
        if self._slow or waiting > _SKIP_ABOVE_BYTES:
            if not packet.is_key or waiting > _RESUME_BELOW_BYTES:
                self._slow = True
                self._skipped += 1
                return
            transport.write(_message(_SKIPPED, self._channel, _FRAMES.pack(self._skipped)))
            self._slow = False
            self._skipped = 0
        elif self._waiting_key and not packet.is_key:
            return
        self._waiting_key = False
        if packet.format is not self._format:
            self._format = packet.format
            transport.write(_message(_FORMAT, self._channel, _format_body(packet.format)))
        header = _HEADER.pack(_PACKET.size + len(packet.data), _PACKET_KIND, self._channel)
        transport.writelines((header, body, packet.data))

    def lost(self, fault: str) -> None:
        self._waiting_key = True
        self._transport.write(_message(_LOST, self._channel, fault.encode()))

    def back(self) -> None:
        self._transport.write(_message(_BACK, self._channel))


class _ServerConnection(asyncio.Protocol):
    def __init__(self, server: "PacketFeedServer") -> None:
        self._server = server
        self._splitter = _Splitter(_MAX_REQUEST_BYTES)
        self._subscriptions: dict[int, _Subscription] = {}
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        self.transport = transport
        if not peer_allowed(transport, self._server.allowed_uids):
            log.warning("a user that is not allowed asked for the packet feed")
            transport.abort()
            return
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        for subscription in self._subscriptions.values():
            subscription.stream.remove(subscription)
        self._subscriptions.clear()

    def data_received(self, data: bytes) -> None:
        try:
            for kind, channel, body in self._splitter.feed(data):
                self._request(kind, channel, body)
        except (FeedClosed, ValueError, KeyError, TypeError) as error:
            log.warning("packet feed: %s; connection closed", error)
            self.transport.abort()

    def _request(self, kind: int, channel: int, body: bytes) -> None:
        known = self._subscriptions.pop(channel, None)
        if known is not None:
            known.stream.remove(known)
        if kind == _SUBSCRIBE:
            if len(self._subscriptions) >= _MAX_CHANNELS:
                raise ValueError("too many channels")
            wanted = json.loads(body)
            stream = self._server.stream(str(wanted["camera"]), str(wanted["stream"]))
            purpose = wanted.get("purpose", "view")
            if purpose not in ("view", "analysis"):
                raise ValueError("purpose: expected view or analysis")
            subscription = _Subscription(self.transport, channel, stream, purpose == "analysis")
            self._subscriptions[channel] = subscription
            stream.add(subscription)
        elif kind != _UNSUBSCRIBE:
            raise ValueError(f"unknown request {kind}")


class PacketFeedServer:
    """Serves the streams that the recorder opens; a subscription to one it hasn't waits for it."""

    def __init__(self, path: Path, allowed_uids: frozenset[int] = frozenset()) -> None:
        self._path = path
        self.allowed_uids = allowed_uids
        self.connections: set[_ServerConnection] = set()
        self._streams: dict[tuple[str, str], StreamFeed] = {}
        self._suspended = False
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _ServerConnection(self), sock=listen_unix(self._path))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for connection in list(self.connections):
            connection.transport.abort()
        self._path.unlink(missing_ok=True)

    def stream(self, camera: str, stream: str) -> StreamFeed:
        """The stream's place, made when first asked for."""
        found = self._streams.get((camera, stream))
        if found is None:
            if len(self._streams) > 65536:
                raise ValueError("too many streams asked for")
            found = self._streams[camera, stream] = StreamFeed(self._suspended)
            found.fault = UNKNOWN_STREAM
        return found

    def suspend_analyses(self, suspended: bool) -> None:
        """Give followers that analyse nothing for now, or pictures again."""
        if suspended != self._suspended:
            self._suspended = suspended
            for stream in self._streams.values():
                stream.suspend_analyses(suspended)


class PacketFeedClient(asyncio.Protocol):
    """Follows streams of the recorder of this machine.

    `async with PacketFeedClient.open(path) as feed:`; events of all channels come in order from `events()`, which one
    task reads. While more than 16 MiB wait to be read, reading from the socket pauses, and the recorder skips.
    """

    def __init__(self) -> None:
        self._splitter = _Splitter(_MAX_MESSAGE_BYTES)
        self._events: collections.deque[FeedEvent] = collections.deque()
        self._queued_bytes = 0
        self._paused = False
        self._closed: str | None = None
        self._wakeup: asyncio.Event = asyncio.Event()
        self._next_channel = 1
        self._live: set[int] = set()
        self._transport: asyncio.Transport

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator["PacketFeedClient"]:
        """Raises FeedClosed when no recorder listens."""
        try:
            sock = connect_unix(path)
            _, client = await asyncio.get_running_loop().create_unix_connection(cls, sock=sock)
        except OSError as error:
            raise FeedClosed(f"{path.name}: {error}") from error
        try:
            yield client
        finally:
            client._transport.abort()

    async def subscribe(self, camera: str, stream: str, purpose: Purpose = "view") -> int:
        """Follow a stream; returns its channel, under which events come. Raises FeedClosed."""
        if self._closed is not None:
            raise FeedClosed(self._closed)
        while self._next_channel in self._live:
            self._next_channel = self._next_channel % 65535 + 1
        channel = self._next_channel
        self._next_channel = self._next_channel % 65535 + 1
        self._live.add(channel)
        wanted = {"camera": camera, "stream": stream, "purpose": purpose}
        self._transport.write(_message(_SUBSCRIBE, channel, json.dumps(wanted).encode()))
        return channel

    async def unsubscribe(self, channel: int) -> None:
        """Stop following; events of this channel that are still queued are dropped."""
        self._live.discard(channel)
        if self._closed is None:
            self._transport.write(_message(_UNSUBSCRIBE, channel))

    async def events(self) -> AsyncIterator[FeedEvent]:
        """Raises FeedClosed at the end of the connection."""
        while True:
            while self._events:
                event = self._events.popleft()
                if isinstance(event, FeedPacket):
                    self._queued_bytes -= len(event.data)
                    if self._paused and self._queued_bytes < _CLIENT_QUEUE_BYTES // 2:
                        self._paused = False
                        self._transport.resume_reading()
                if event.channel in self._live:
                    yield event
            if self._closed is not None:
                raise FeedClosed(self._closed)
            self._wakeup.clear()
            await self._wakeup.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = self._closed or str(exc or "the recorder closed the feed")
        self._wakeup.set()

    def data_received(self, data: bytes) -> None:
        try:
            for kind, channel, body in self._splitter.feed(data):
                event = _event(kind, channel, body)
                self._events.append(event)
                if isinstance(event, FeedPacket):
                    self._queued_bytes += len(event.data)
        except (FeedClosed, ValueError, KeyError, struct.error) as error:
            self._closed = f"unreadable: {error}"
            self._transport.abort()
        if not self._paused and self._queued_bytes > _CLIENT_QUEUE_BYTES:
            self._paused = True
            self._transport.pause_reading()
        self._wakeup.set()


def _event(kind: int, channel: int, body: bytes) -> FeedEvent:
    if kind == _PACKET_KIND:
        flags, pts_90k, at_us, offset_90k = _PACKET.unpack_from(body)
        return FeedPacket(channel, bool(flags & 1), pts_90k, at_us, body[_PACKET.size :], offset_90k)
    if kind == _FORMAT:
        return FeedFormat(channel, _read_format(json.loads(body)))
    if kind == _SKIPPED:
        return FeedSkipped(channel, *_FRAMES.unpack(body))
    if kind == _LOST:
        return FeedLost(channel, body.decode())
    if kind == _BACK:
        return FeedBack(channel)
    raise ValueError(f"unknown message {kind}")


def _read_format(document: dict[str, Any]) -> VideoFormat:
    return VideoFormat(
        document["codec"],
        int(document["width"]),
        int(document["height"]),
        bytes.fromhex(document["sps"]),
        bytes.fromhex(document["pps"]),
        bytes.fromhex(document["vps"]),
    )
