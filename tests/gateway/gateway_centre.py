"""A gateway with its neighbours: a real packet feed, a control plane's key and channel, browsers."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from gateway_support import CAMERA, make_ticket
from gateway_video import FPS, STEP_90K, STEP_US, encode

from csu.gateway.desk import Clock, SystemClock
from csu.gateway.main import GatewayConfig, gateway
from csu.gateway.spool import Spool
from csu.keys import ensure_keys, load_private
from csu.tickets import Ticket, sign
from recorder.channel import ChannelClient
from recorder.feed import PacketFeedServer, StreamFeed
from streams.packets import Packet
from streams.ticks import us_from_at

ORIGIN = "http://localhost:8080"
PATIENCE_S = 60


class ToldClock(SystemClock):
    """The machine's wall clock, and so much `more`. What is waited for never passes: a test that takes long is not
    taken for a control plane that is away, and no account is due meanwhile."""

    more = timedelta()

    def now(self) -> datetime:
        return super().now() + self.more

    def monotonic_s(self) -> float:
        return 1000.0


class Camera:
    """Publishes numbered pictures to a feed as the recorder does, at instants that the test chooses."""

    def __init__(self, feed: StreamFeed, packets: tuple[Packet, ...] | None = None) -> None:
        self.feed = feed
        self.packets = packets or encode(400)
        self.next = 0
        self.began_us = us_from_at(datetime.now(UTC))

    def publish(self, count: int = 1) -> None:
        for _ in range(count):
            rounds, place = divmod(self.next, len(self.packets))
            packet = self.packets[place]
            number = rounds * len(self.packets) + packet.pts_90k // STEP_90K
            pts_90k, received_s = number * STEP_90K, self.next / FPS
            whole = Packet(packet.data, pts_90k, packet.is_key, received_s, packet.format, 0, packet.offset_90k)
            self.feed.publish(whole, self.at_us(number))
            self.next += 1

    def at_us(self, n: int) -> int:
        return self.began_us + n * STEP_US


@dataclass
class Centre:
    """What a test needs to talk to a running gateway."""

    root: Path
    port: int
    feeds: PacketFeedServer
    control: ChannelClient
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def camera(self, packets: tuple[Packet, ...] | None = None, name: str = CAMERA, stream: str = "main") -> Camera:
        return Camera(self.feeds.stream(name, stream), packets)

    def ticket(self, **changes: Any) -> Ticket:
        """One that a slow test may take its time over."""
        now = datetime.now(UTC)
        return make_ticket(now, **({"redeem_by_at": now + timedelta(minutes=10)} | changes))

    def text(self, ticket: Ticket | None = None) -> str:
        return sign(ticket or self.ticket(), *load_private(self.root / "keys", "ticket"))

    async def spooled(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = (await self.control.call("spool", after=0, limit=1000))["entries"]
        return entries

    async def wait_spooled(self, count: int) -> list[dict[str, Any]]:
        """The first entries, once there are `count`."""
        async with asyncio.timeout(PATIENCE_S):
            while len(entries := await self.spooled()) < count:  # noqa: ASYNC110 - another task's file
                await asyncio.sleep(0.02)
        return entries

    @asynccontextmanager
    async def browser(self, origin: str = ORIGIN) -> AsyncIterator["Browser"]:
        url = f"{self.url}/live"
        async with self.session.ws_connect(url, headers={"Origin": origin}, max_msg_size=0) as socket:
            yield Browser(socket)


@dataclass
class Media:
    kind: int
    is_key: bool
    channel: int
    at_us: int
    bytes: bytes


@dataclass
class Browser:
    """One WebSocket; keeps the media of each channel as a player would."""

    socket: aiohttp.ClientWebSocketResponse
    media: dict[int, list[Media]] = field(default_factory=dict)

    async def say(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def open(self, text: str, tile: str = "tile") -> int:
        """Open a channel and return its number."""
        await self.say(type="open", ticket=text, tile=tile)
        opened = await self.told("opened")
        assert opened["tile"] == tile
        channel: int = opened["channel"]
        return channel

    async def told(self, kind: str) -> dict[str, Any]:
        """The next text message, which must be of this kind; media before it are kept."""
        while True:
            message = await self.receive()
            if isinstance(message, Media):
                continue
            assert message["type"] == kind, message
            return message

    async def receive(self) -> dict[str, Any] | Media:
        async with asyncio.timeout(PATIENCE_S):
            message = await self.socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            told: dict[str, Any] = json.loads(message.data)
            return told
        assert message.type is aiohttp.WSMsgType.BINARY, message
        data: bytes = message.data
        media = Media(
            data[0],
            bool(data[1] & 1),
            int.from_bytes(data[2:4], "big"),
            int.from_bytes(data[4:12], "big"),
            data[12:],
        )
        self.media.setdefault(media.channel, []).append(media)
        return media

    async def pictures(self, channel: int, count: int) -> list[Media]:
        """The fragments of a channel so far, once there are `count`; no word comes between, but of the format before
        the first where the recorder was late with it."""
        while len(self.fragments(channel)) < count:
            told = await self.receive()
            if isinstance(told, Media) or (told["type"] == "format" and not self.fragments(channel)):
                continue
            raise AssertionError(told)
        return self.fragments(channel)

    def fragments(self, channel: int) -> list[Media]:
        return [media for media in self.media.get(channel, []) if media.kind == 1]

    def film(self, channel: int) -> bytes:
        return b"".join(media.bytes for media in self.media.get(channel, []))


@asynccontextmanager
async def running(root: Path, clock: Clock | None = None, **changes: Any) -> AsyncIterator[Centre]:
    """A gateway in this process, with its feed and its channel in `root`."""
    ensure_keys(root / "keys")
    fields: dict[str, Any] = {
        "bind": "127.0.0.1",
        "port": 0,
        "console_origin": ORIGIN,
        "keys": root / "keys",
        "spool": root / "gateway",
        "recordings": (root / "recordings",),
        "packets_socket": root / "packets.sock",
        "control_socket": root / "gateway.sock",
    }
    async with (
        PacketFeedServer(root / "packets.sock") as feeds,
        gateway(GatewayConfig(**(fields | changes)), clock or ToldClock()) as port,
        ChannelClient(root / "gateway.sock") as control,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        yield Centre(root, port, feeds, control, session)


async def refusals(root: Path) -> Counter[str]:
    """The security events that a gateway, stopped since, has told, by code."""
    spool = Spool(root / "gateway")
    spool.open(datetime.now(UTC))
    try:
        told: Counter[str] = Counter()
        for line in await spool.read(0, 1000):
            if line["kind"] == "refused":
                told[line["code"]] += line["count"]
        return told
    finally:
        spool.close()


def in_future(**span: float) -> datetime:
    return datetime.now(UTC) + timedelta(**span)
