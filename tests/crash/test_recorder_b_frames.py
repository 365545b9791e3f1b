"""Cameras that send pictures in another order than they are shown: recorded by a real process, killed, replayed."""

import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from recorder_process import (
    Simulator,
    camera,
    camera_id,
    orders,
    recorder,
    simulator,
    until_recorded,
)

from csu.settings import Paths
from csu.simulator import barcode, loops, sei
from csu.simulator.cameras import QUICK, Quality
from recorder.feed import FeedPacket, PacketFeedClient
from recorder.playback import Clip, PlaybackStore, VirtualMp4

STEP_90K = 3600


@pytest.fixture(scope="module", params=["h264", "h265"])
def quality(request: pytest.FixtureRequest) -> Quality:
    return replace(QUICK, codec=request.param, b_frames=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("simulator")


@pytest.fixture(scope="module")
def cameras(data: Path, quality: Quality) -> Iterator[Simulator]:
    with simulator(data, 1, quality.codec, "--b-frames") as running:
        yield running


async def test_reordered_pictures_are_recorded_and_played_bit_for_bit(
    tmp_path: Path, data: Path, cameras: Simulator, quality: Quality
) -> None:
    since, wanted = datetime.now(UTC), orders(camera(cameras, 1))
    with recorder(tmp_path / "data") as process:
        await process.order(wanted)
        await until_recorded(process, since, 5, 1)
        async with PacketFeedClient.open(process.paths.packets_socket) as feed:
            await feed.subscribe(camera_id(1), "main")
            live = [event async for event in _packets(feed, 60)]
        process.kill()
        killed = datetime.now(UTC)
        process.start()
        await until_recorded(process, killed, 4, 1)
        assert process.stop() == 0
        status, found = process.csu("check", "--deep")
        assert (status, found["ok"]) == (0, True)
        now = datetime.now(UTC)
        plan = PlaybackStore(process.paths.recordings).plan(camera_id(1), since, now, now)
        film = VirtualMp4(plan)
        media = b"".join(film.read(0, film.size, now))
    loop = loops.load(Paths(data).simulator, 1, "main", quality)
    pictures = {place + frame.ahead: frame for place, frame in enumerate(loop.frames)}
    stamps = [_stamp_of(event.data) for event in live]
    first = stamps[0].number * STEP_90K - live[0].pts_90k
    assert [event.pts_90k + first for event in live] == [stamp.number * STEP_90K for stamp in stamps]
    assert any(event.offset_90k for event in live)
    clips = [item for item in plan.items if isinstance(item, Clip)]
    assert len(clips) >= 2
    _is_what_was_served(media, pictures, quality)


async def _packets(feed: PacketFeedClient, count: int) -> AsyncIterator[FeedPacket]:
    async for event in feed.events():
        if isinstance(event, FeedPacket):
            yield event
            count -= 1
            if not count:
                return


def _stamp_of(data: bytes) -> sei.Stamp:
    stamp = sei.find(data)
    assert stamp is not None
    return stamp


def _is_what_was_served(media: bytes, pictures: dict[int, loops.Frame], quality: Quality) -> None:
    numbers: list[tuple[int, int]] = []
    with av.open(io.BytesIO(media)) as container:
        for packet in container.demux(video=0):
            if not packet.size:
                continue
            stamp = _stamp_of(bytes(packet))
            frame = pictures[stamp.number % len(pictures)]
            served = (sei.nal(stamp, quality.codec), *frame.nals)
            assert bytes(packet) == b"".join(len(nal).to_bytes(4, "big") + nal for nal in served)
            assert bool(packet.is_keyframe) == frame.is_key
            assert packet.pts is not None
            numbers.append((packet.pts, stamp.number))
    sent = [number for _, number in numbers]
    assert sent != sorted(sent)
    shown = [number for _, number in sorted(numbers)]
    assert len(shown) >= 200
    # Two runs, each without a hole but for what was still to be shown when it ended.
    holes = [after - before for before, after in pairwise(shown) if after != before + 1]
    assert all(hole > 0 for hole in holes)
    assert len([hole for hole in holes if hole > 4]) == 1
    with av.open(io.BytesIO(media)) as container:
        decoded = [
            barcode.read(np.asarray(picture.to_ndarray(format="bgr24"), np.uint8))
            for picture in container.decode(video=0)
        ]
    whole = shown[: shown.index(next(b for b, a in pairwise(shown) if a != b + 1))]
    assert [r.frame if r else None for r in decoded][: len(whole)] == [n % len(pictures) for n in whole]
    assert len(decoded) >= len(shown) - 8
