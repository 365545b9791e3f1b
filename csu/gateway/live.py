"""Live pictures: one WebSocket per browser, many channels on it. The protocol is in README.md.

Sending is synchronous and shared: a picture is written to every viewer's transport as the feed delivers it, without
a task or a queue per viewer. What waits is the transport's buffer, and it is bounded: a viewer over its allowance
gets nothing more until the next key frame finds the buffer low again, and is then told how many pictures it missed.
A viewer that reads nothing for 30 s is disconnected.
"""

import asyncio
import json
import logging
import socket
from typing import Any

from aiohttp import WSMsgType, web

from csu.gateway.desk import Desk, Opened
from csu.gateway.errors import REASONS, Refused
from csu.gateway.faults import fault_reason
from csu.gateway.frames import Frame, text_message
from csu.gateway.hub import Hub, LiveStream

log = logging.getLogger(__name__)

MAX_SOCKETS = 1000
MAX_CHANNELS = 64
MAX_MESSAGE_BYTES = 16 * 1024
MAX_BAD_MESSAGES = 8
MAX_TILE_CHARS = 64
HEARTBEAT_S = 40.0

# Unsent bytes that a viewer may have before it is skipped; a channel's first group of pictures comes on top, up to
# the second figure, so that opening a whole wall at once is not taken for slowness.
ALLOWANCE_BYTES = 2 * 1024 * 1024
MAX_ALLOWANCE_BYTES = 16 * 1024 * 1024
RESUME_BYTES = 256 * 1024
# The kernel keeps at most this much unsent, so that the transport's buffer tells the truth and a cut is soon over.
KERNEL_UNSENT_BYTES = 256 * 1024

STUCK_S = 30.0
# After a cut, what was already handed to the transport must be gone by then, or the socket is.
CUT_DRAIN_S = 2.0
TICK_S = 0.5

# Announced while a camera's own parameters are not known; a `format` message corrects it before the first picture.
_UNKNOWN_CODEC = "avc1.640028"


class Channel:
    """One tile: passes a stream's frames on to its viewer and counts them. It is the lease's holder."""

    __slots__ = ("_number", "_opened", "_skipped", "_viewer", "_waits_key", "live", "number")

    def __init__(self, viewer: "Viewer", number: int) -> None:
        self.number = number
        self.live: LiveStream | None = None
        self._viewer = viewer
        self._number = number.to_bytes(2, "big")
        self._opened: Opened | None = None
        self._skipped = 0
        self._waits_key = True

    def begin(self, opened: Opened, live: LiveStream, tile: str) -> None:
        """Tell the viewer that the channel is open, and send what the stream has at once."""
        self._opened, self.live = opened, live
        ticket = opened.lease.ticket
        codec = live.format.mime if live.format else _UNKNOWN_CODEC
        message = {"type": "opened", "tile": tile, "channel": self.number, "camera": ticket.camera}
        self._viewer.tell(message | {"mime": _mime(codec)})
        if live.init is not None:
            self._send(live.init)
        if live.fault is not None:
            self.lost(live.fault)
        if live.gop and self._viewer.allow(sum(frame.size for frame in live.gop)):
            for frame in live.gop:
                self._picture(frame)

    def frame(self, frame: Frame) -> None:
        viewer = self._viewer
        if viewer.transport.is_closing():
            return
        waiting = viewer.transport.get_write_buffer_size()
        if self._skipped or waiting > viewer.allowance:
            if not frame.is_key or waiting > RESUME_BYTES:
                self._skipped += 1
                return
            self.skipped(self._skipped)
            self._skipped = 0
        elif self._waits_key and not frame.is_key:
            return
        self._picture(frame)

    def _picture(self, frame: Frame) -> None:
        self._waits_key = False
        self._send(frame)
        assert self._opened is not None
        self._opened.account.picture(frame.at_us, frame.size)

    def _send(self, frame: Frame) -> None:
        viewer = self._viewer
        if not viewer.transport.is_closing():
            viewer.written += frame.size
            viewer.transport.writelines((frame.head + self._number, frame.tail))

    def format_changed(self, stream: LiveStream) -> None:
        assert stream.format is not None
        assert stream.init is not None
        self._waits_key = True
        if not stream.is_playable:
            self._viewer.refuse_codec(self)
            return
        self._viewer.tell({"type": "format", "channel": self.number, "mime": _mime(stream.format.mime)})
        self._send(stream.init)

    def reordered(self) -> None:
        """Fragments say when their pictures are shown, and browsers heed it."""

    def skipped(self, frames: int) -> None:
        self._viewer.tell({"type": "skipped", "channel": self.number, "frames": frames})

    def lost(self, fault: str) -> None:
        self._waits_key = True
        message = {"type": "lost", "channel": self.number, "fault": fault, "reason": fault_reason(fault)}
        self._viewer.tell(message)

    def back(self) -> None:
        self._viewer.tell({"type": "back", "channel": self.number})

    @property
    def is_behind(self) -> bool:
        return self._skipped > 0

    def close(self, desk: Desk, code: str) -> None:
        if self._opened is not None:
            desk.close(self._opened, code)

    def lease_ended(self, code: str, reason: str) -> None:
        self._viewer.channel_ended(self, code, reason)


def _mime(codec: str) -> str:
    return f'video/mp4; codecs="{codec}"'


class Viewer:
    """One browser's socket and its channels. `written` counts all bytes ever handed to the transport."""

    def __init__(self, transport: asyncio.Transport, desk: Desk, hub: Hub) -> None:
        self.transport = transport
        self.channels: dict[int, Channel] = {}
        self.allowance = ALLOWANCE_BYTES
        self.written = 0
        self._desk = desk
        self._hub = hub
        self._next = 1
        self._opening = 0
        self._bad = 0
        self._drain: tuple[int, float] | None = None  # bytes that must have left, by when (monotonic)
        self._behind_s = 0.0  # in ticks: a pause of our own is one

    def tell(self, message: dict[str, Any]) -> None:
        if not self.transport.is_closing():
            data = text_message(json.dumps(message, ensure_ascii=False, separators=(",", ":")))
            self.written += len(data)
            self.transport.write(data)

    def unsent_bytes(self) -> int:
        return 0 if self.transport.is_closing() else self.transport.get_write_buffer_size()

    def allow(self, burst_bytes: int) -> bool:
        """Room for a group of pictures beyond the allowance; False when this viewer has too much on the way."""
        wanted = max(self.allowance, self.unsent_bytes() + ALLOWANCE_BYTES) + burst_bytes
        if wanted > MAX_ALLOWANCE_BYTES:
            return False
        self.allowance = wanted
        return True

    async def hear(self, text: str) -> bool:
        """Do what one message of the browser asks. False when the socket is not worth keeping."""
        try:
            message = json.loads(text)
            kind = message["type"]
            if kind == "open":
                await self._open(_tile(message), message["ticket"])
            elif kind == "close":
                channel = self.channels.get(message["channel"])
                if channel is not None:
                    channel.close(self._desk, "VIEWER_LEFT")
            elif kind != "ping":
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            return self.bad_message()
        return True

    def bad_message(self) -> bool:
        self._bad += 1
        self._desk.refused("BAD_MESSAGE")
        self._refuse("", Refused("BAD_MESSAGE"))
        return self._bad < MAX_BAD_MESSAGES

    async def _open(self, tile: str, ticket: Any) -> None:
        if not isinstance(ticket, str):
            raise TypeError
        if len(self.channels) + self._opening >= MAX_CHANNELS:
            self._refuse(tile, Refused("TOO_MANY_CHANNELS"))
            return
        self._opening += 1
        try:
            channel = Channel(self, self._free_number())
            opened = await self._desk.open(ticket, "live", channel)
        except Refused as refusal:
            self._refuse(tile, refusal)
            return
        finally:
            self._opening -= 1
        wanted = opened.lease.ticket
        with self._desk.beginning(opened):
            live = await self._hub.find(wanted.camera, wanted.streams[0])
        if not opened.lease.is_open:
            code = opened.lease.reason or ""
            self._refuse(tile, Refused(code if code in REASONS else "RIGHT_WITHDRAWN"))
        elif self.transport.is_closing():
            self._desk.close(opened, "VIEWER_LEFT")
        elif not live.is_playable:
            self._desk.close(opened, "CODEC_NOT_PLAYABLE")
            self._refuse(tile, Refused("CODEC_NOT_PLAYABLE"))
        else:
            self.channels[channel.number] = channel
            self._hub.join(live, channel)
            channel.begin(opened, live, tile)

    def _free_number(self) -> int:
        number = self._next
        while number in self.channels:
            number = number % 0xFFFF + 1
        self._next = number % 0xFFFF + 1
        return number

    def _refuse(self, tile: str, refusal: Refused) -> None:
        self.tell({"type": "refused", "tile": tile, "code": refusal.code, "reason": refusal.reason})

    def channel_ended(self, channel: Channel, code: str, reason: str) -> None:
        if channel.live is None:  # it had not begun: `_open` refuses it
            return
        del self.channels[channel.number]
        self._hub.leave(channel.live, channel)
        self.tell({"type": "closed", "channel": channel.number, "code": code, "reason": reason})
        if code != "VIEWER_LEFT":
            by_s = self._desk.clock.monotonic_s() + CUT_DRAIN_S
            self._drain = (self.written, by_s if self._drain is None else min(by_s, self._drain[1]))

    def refuse_codec(self, channel: Channel) -> None:
        channel.close(self._desk, "CODEC_NOT_PLAYABLE")

    def close(self, code: str) -> None:
        for channel in list(self.channels.values()):
            channel.close(self._desk, code)

    def tick(self, monotonic_s: float) -> None:
        """Disconnect who is stuck, and whom withdrawn pictures still wait for."""
        waiting = self.unsent_bytes()
        if waiting <= RESUME_BYTES:
            self.allowance = ALLOWANCE_BYTES
        if self._drain is not None:
            upto, by_s = self._drain
            if self.written - waiting >= upto:
                self._drain = None
            elif monotonic_s >= by_s:
                self._drop("RIGHT_WITHDRAWN")
                return
        if any(channel.is_behind for channel in self.channels.values()) and waiting > RESUME_BYTES:
            if self._behind_s >= STUCK_S:
                self._drop("VIEWER_STUCK")
            self._behind_s += TICK_S
        else:
            self._behind_s = 0.0

    def _drop(self, code: str) -> None:
        self.transport.abort()
        self.close(code)


def _tile(message: dict[str, Any]) -> str:
    tile = message["tile"]
    if not isinstance(tile, str) or len(tile) > MAX_TILE_CHARS:
        raise ValueError
    return tile


class Live:
    """The `/live` door and its viewers. `run` must be running."""

    def __init__(self, desk: Desk, hub: Hub, console_origin: str) -> None:
        self._desk = desk
        self._hub = hub
        self._origin = console_origin
        self._viewers: dict[Viewer, web.WebSocketResponse] = {}

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """A browser's socket, from its first byte to its last. Only the console's pages may open one."""
        if request.headers.get("Origin") != self._origin:
            raise Refused("ORIGIN_REFUSED")
        if len(self._viewers) >= MAX_SOCKETS:
            raise Refused("TOO_MANY_VIEWERS")
        websocket = web.WebSocketResponse(
            compress=False, max_msg_size=MAX_MESSAGE_BYTES, heartbeat=HEARTBEAT_S, timeout=2.0
        )
        await websocket.prepare(request)
        transport = request.transport
        if transport is None:
            return websocket
        _limit_kernel_buffer(transport)
        viewer = Viewer(transport, self._desk, self._hub)
        self._viewers[viewer] = websocket
        try:
            await self._listen(websocket, viewer)
        finally:
            del self._viewers[viewer]
            viewer.close("VIEWER_LEFT")
        return websocket

    async def _listen(self, websocket: web.WebSocketResponse, viewer: Viewer) -> None:
        """Tickets are redeemed side by side, so that a wall of tiles waits for the disk once."""
        room = asyncio.Semaphore(MAX_CHANNELS)

        async def hear(text: str) -> None:
            try:
                if not await viewer.hear(text):
                    await websocket.close(code=1008)
            finally:
                room.release()

        async with asyncio.TaskGroup() as tasks:
            async for message in websocket:
                if message.type is WSMsgType.TEXT:
                    await room.acquire()
                    tasks.create_task(hear(message.data))
                elif not viewer.bad_message():
                    await websocket.close(code=1008)

    async def run(self) -> None:
        """Look after the viewers. Ends by cancellation only."""
        while True:
            now_s = self._desk.clock.monotonic_s()
            for viewer in list(self._viewers):
                viewer.tick(now_s)
            await asyncio.sleep(TICK_S)

    async def close(self) -> None:
        """Say goodbye to everyone. A browser that does not answer is not waited for longer than two seconds."""
        closing = (websocket.close(code=1001) for websocket in list(self._viewers.values()))
        await asyncio.gather(*closing, return_exceptions=True)


def _limit_kernel_buffer(transport: asyncio.Transport) -> None:
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_UNSENT_BYTES)
