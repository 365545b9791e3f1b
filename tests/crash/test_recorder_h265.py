"""An H.265 camera from its lens to playback: every picture that was served is in the files, bit for bit."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest
from recorder_process import Simulator, camera, camera_id, orders, recorder, simulator, until_recorded
from served_frames import check_served, of_loop

from csu.settings import Paths
from csu.simulator import barcode, loops
from csu.simulator.cameras import QUICK
from recorder.feed import FeedFormat, FeedPacket, PacketFeedClient
from recorder.playback import PlaybackStore, VirtualMp4

H265 = replace(QUICK, codec="h265")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("simulator")


@pytest.fixture(scope="module")
def cameras(data: Path) -> Iterator[Simulator]:
    with simulator(data, 1, "h265") as running:
        yield running


async def test_h265_is_recorded_and_played_bit_for_bit(tmp_path: Path, data: Path, cameras: Simulator) -> None:
    since = datetime.now(UTC)
    with recorder(tmp_path / "data") as process:
        await process.order(orders(camera(cameras, 1)))

        await until_recorded(process, since, 5, 1)
        async with PacketFeedClient.open(process.paths.packets_socket) as feed:
            await feed.subscribe(camera_id(1), "main")
            kinds = []
            async for event in feed.events():
                kinds.append(type(event))
                if isinstance(event, FeedFormat):
                    assert event.format.codec == "h265"
                    assert event.format.mime.startswith("hvc1.1.6.L")
                if isinstance(event, FeedPacket):
                    break
        assert FeedFormat in kinds
        plan = PlaybackStore(process.paths.recordings).plan(camera_id(1), since, datetime.now(UTC), datetime.now(UTC))
        film = VirtualMp4(plan)
        media = b"".join(film.read(0, film.size, datetime.now(UTC)))
        assert process.stop() == 0
    assert film.mime.startswith('video/mp4; codecs="hvc1.')
    files = sorted((tmp_path / "data").rglob("*.mp4"))
    loop = loops.load(Paths(data).simulator, 1, "main", H265)
    for source in (files[0], io.BytesIO(media)):
        _is_what_was_served(source, loop)


def _is_what_was_served(source: Path | io.BytesIO, loop: loops.Loop) -> None:
    numbers = check_served(source, of_loop(loop), "h265")
    assert len(numbers) >= 100
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    if isinstance(source, io.BytesIO):
        source.seek(0)
    with av.open(str(source) if isinstance(source, Path) else source, "r") as container:
        for number, picture in zip(numbers, container.decode(video=0), strict=True):
            reading = barcode.read(np.asarray(picture.to_ndarray(format="bgr24"), np.uint8))
            assert reading is not None
            assert reading.frame == number % len(loop.frames)
