"""The packet feed over a real socket: last group of pictures at once, skipping, loss, and a fast publisher."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from recorder.feed import (
    DEGRADED,
    GOP_BYTES,
    UNKNOWN_STREAM,
    FeedBack,
    FeedClosed,
    FeedEvent,
    FeedFormat,
    FeedLost,
    FeedPacket,
    FeedSkipped,
    PacketFeedClient,
    PacketFeedServer,
    Purpose,
)
from streams.packets import Packet, VideoFormat

FORMAT = VideoFormat("h264", 640, 360, bytes.fromhex("674d001e95a0"), bytes.fromhex("68ee3c80"))
CAMERA = "6f6c1a34-8f0e-4b0a-9d57-2f3f2a0b1c01"


def _packet(n: int, gop: int = 10, size: int = 100) -> Packet:
    return Packet(bytes([n % 256]) * size, n * 3600, n % gop == 0, n * 0.04, FORMAT)


async def _take(events: AsyncIterator[FeedEvent], count: int) -> list[FeedEvent]:
    async with asyncio.timeout(60):
        return [await anext(events) for _ in range(count)]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[PacketFeedServer]:
    async with PacketFeedServer(tmp_path / "packets.sock") as server:
        yield server


async def test_last_group_of_pictures_comes_at_once(server: PacketFeedServer, tmp_path: Path) -> None:
    stream = server.stream(CAMERA, "main")
    for n in range(13):
        stream.publish(_packet(n), n * 40_000)
    async with PacketFeedClient.open(tmp_path / "packets.sock") as feed:
        channel = await feed.subscribe(CAMERA, "main")
        events = feed.events()
        first = await _take(events, 4)
        assert first[0] == FeedFormat(channel, FORMAT)
        assert [e.pts_90k // 3600 for e in first[1:] if isinstance(e, FeedPacket)] == [10, 11, 12]
        stream.publish(_packet(13), 13 * 40_000)
        (live,) = await _take(events, 1)
        assert live == FeedPacket(channel, False, 13 * 3600, 13 * 40_000, bytes([13]) * 100)


async def test_of_pictures_of_one_byte_no_more_is_remembered_than_fits(
    server: PacketFeedServer, tmp_path: Path
) -> None:
    """Each takes more beside its data than that."""
    stream = server.stream(CAMERA, "main")
    for n in range(GOP_BYTES // 200):
        stream.publish(_packet(n, gop=1 << 30, size=1), n * 40)
    async with PacketFeedClient.open(tmp_path / "packets.sock") as feed:
        channel = await feed.subscribe(CAMERA, "main")
        events = feed.events()
        stream.lost("closed")
        assert await _take(events, 1) == [FeedLost(channel, "closed")], (
            "nothing was remembered for who came before that"
        )


async def test_loss_is_told_and_old_pictures_are_not_shown(server: PacketFeedServer, tmp_path: Path) -> None:
    async with PacketFeedClient.open(tmp_path / "packets.sock") as feed:
        channel = await feed.subscribe(CAMERA, "sub")
        events = feed.events()
        assert await _take(events, 1) == [FeedLost(channel, UNKNOWN_STREAM)]
        stream = server.stream(CAMERA, "sub")
        stream.publish(_packet(0), 0)
        assert (await _take(events, 3))[0] == FeedBack(channel)
        stream.lost("stalled")
        assert await _take(events, 1) == [FeedLost(channel, "stalled")]
        again = await feed.subscribe(CAMERA, "sub")
        assert await _take(events, 1) == [FeedLost(again, "stalled")]
        stream.publish(_packet(1), 0)
        stream.publish(_packet(10), 0)
        kinds = [type(e) for e in await _take(events, 5)]
        assert kinds == [FeedBack, FeedBack, FeedPacket, FeedFormat, FeedPacket]


async def test_slow_subscriber_skips_to_a_key_frame_and_others_lose_nothing(
    server: PacketFeedServer, tmp_path: Path
) -> None:
    stream = server.stream(CAMERA, "main")
    async with (
        PacketFeedClient.open(tmp_path / "packets.sock") as slow,
        PacketFeedClient.open(tmp_path / "packets.sock") as quick,
    ):
        await slow.subscribe(CAMERA, "main")
        await quick.subscribe(CAMERA, "main")
        slow_events, quick_events = slow.events(), quick.events()
        await _take(slow_events, 1)
        await _take(quick_events, 1)
        seen: list[int] = []
        total = 1200  # 60 MB: more than the slow one's queue and our buffer hold together
        for n in range(total):
            stream.publish(_packet(n, size=50_000), n)
            while len(seen) <= n:
                event = (await _take(quick_events, 1))[0]
                if isinstance(event, FeedPacket):
                    seen.append(event.at_us)
        assert seen == list(range(total))
        got: list[int] = []
        skipped = 0
        n = total
        while not skipped:
            stream.publish(_packet(n, size=50_000), n)
            n += 1
            event = (await _take(slow_events, 1))[0]
            if isinstance(event, FeedPacket):
                got.append(event.at_us)
            if isinstance(event, FeedSkipped):
                skipped = event.frames
        after = (await _take(slow_events, 1))[0]
        assert isinstance(after, FeedPacket)
        assert after.is_key
        assert after.at_us == got[-1] + skipped + 1
        assert got == list(range(len(got)))


async def test_analyses_are_suspended_and_viewers_are_not(server: PacketFeedServer, tmp_path: Path) -> None:
    stream = server.stream(CAMERA, "main")
    stream.publish(_packet(0), 0)
    async with PacketFeedClient.open(tmp_path / "packets.sock") as feed:
        viewer = await feed.subscribe(CAMERA, "main")
        detector = await feed.subscribe(CAMERA, "main", "analysis")
        events = feed.events()
        assert [type(e) for e in await _take(events, 4)] == [FeedFormat, FeedPacket] * 2
        server.suspend_analyses(True)
        server.suspend_analyses(True)
        stream.publish(_packet(10), 10)
        assert [await anext(events), (await anext(events)).channel] == [FeedLost(detector, DEGRADED), viewer]
        late = await feed.subscribe(CAMERA, "main", "analysis")
        elsewhere = await feed.subscribe(CAMERA, "sub", "analysis")
        assert await _take(events, 2) == [FeedLost(late, DEGRADED), FeedLost(elsewhere, DEGRADED)]
        await feed.unsubscribe(viewer)
        await feed.unsubscribe(late)
        again = await feed.subscribe(CAMERA, "main")
        assert {event.channel for event in await _take(events, 2)} == {again}
        await feed.unsubscribe(again)
        answered = await feed.subscribe(CAMERA, "unknown")
        assert await _take(events, 1) == [FeedLost(answered, UNKNOWN_STREAM)]
        assert not stream.is_followed
        server.suspend_analyses(False)
        assert stream.is_followed
        told = await _take(events, 3)
        assert (told[0], told[2]) == (FeedBack(detector), FeedLost(elsewhere, UNKNOWN_STREAM))
        assert isinstance(told[1], FeedPacket)
        assert (told[1].channel, told[1].at_us) == (detector, 10)


async def test_a_purpose_that_is_none_closes_the_connection(server: PacketFeedServer, tmp_path: Path) -> None:
    async with PacketFeedClient.open(tmp_path / "packets.sock") as feed:
        await feed.subscribe(CAMERA, "main", cast(Purpose, "curiosity"))
        with pytest.raises(FeedClosed):
            await _take(feed.events(), 1)


async def test_unsubscribed_channel_is_silent(server: PacketFeedServer, tmp_path: Path) -> None:
    stream = server.stream(CAMERA, "main")
    stream.publish(_packet(0), 0)
    async with PacketFeedClient.open(tmp_path / "packets.sock") as feed:
        first = await feed.subscribe(CAMERA, "main")
        await feed.unsubscribe(first)
        second = await feed.subscribe(CAMERA, "main")
        assert {e.channel for e in await _take(feed.events(), 2)} == {second}


async def test_garbage_closes_only_its_connection(server: PacketFeedServer, tmp_path: Path) -> None:
    server.stream(CAMERA, "main").publish(_packet(0), 0)
    async with (
        PacketFeedClient.open(tmp_path / "packets.sock") as bad,
        PacketFeedClient.open(tmp_path / "packets.sock") as good,
    ):
        bad._transport.write(b"\x00\x00\x00\x02\x01\x00\x00{]")
        with pytest.raises(FeedClosed):
            await _take(bad.events(), 1)
        await good.subscribe(CAMERA, "main")
        assert len(await _take(good.events(), 2)) == 2


async def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(FeedClosed):
        async with PacketFeedClient.open(tmp_path / "none.sock"):
            pass
