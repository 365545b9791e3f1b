"""Recordings made by the recorder's own segmenter and store, faster than time: the input of seek and export."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice

from csu.settings import Paths
from csu.simulator import encoding, loops
from csu.simulator.cameras import Quality
from recorder.accounts import Accounts, Cause
from recorder.files import IDENTITY_MEMORY, StorageDirectory
from recorder.index import Index
from recorder.machine import boot_id
from recorder.segmenter import PartReady, RunEnded, RunStarted, SegmentClosed, Segmenter, SegmentOpened
from recorder.store import NewSegment, SegmentStore
from streams import h264
from streams.packets import Packet, VideoFormat
from streams.ticks import us_from_at

KEPT = timedelta(days=31)
AUTHORISATION = "bench"
_WAVE_FRAMES = 1500


@contextlib.contextmanager
def storage(paths: Paths, now: datetime) -> Iterator[SegmentStore]:
    """The data directory's storage, new; nothing else may have it open."""
    directory = StorageDirectory.open(paths.recordings, paths.recorder / IDENTITY_MEMORY)
    try:
        with contextlib.closing(Index.open(directory.index_path, directory.identity, us_from_at(now))) as index:
            yield SegmentStore(directory, index, Accounts(index))
    finally:
        directory.close()


def open_playback(index: Index, now: datetime) -> None:
    """As a running recorder does that trusts the clock."""
    index.put("playback_boot", boot_id())
    index.put("alive_us", us_from_at(now))
    index.commit()


def record(store: SegmentStore, paths: Paths, camera: str, from_at: datetime, seconds: int, quality: Quality) -> int:
    """One run of the simulator's first scene; the number of pictures."""
    encoding.ensure(paths.simulator, [1], quality)
    segmenter, from_us = Segmenter(camera), us_from_at(from_at)
    store.accounts.gap(camera, from_us, Cause.CAMERA, "connecting")
    at_us, number = from_us, 0
    for number, packet in enumerate(islice(_packets(paths, quality), seconds * quality.main.fps), 1):
        at_us = from_us + packet.pts_90k * 100 // 9
        for event in segmenter.push(packet, at_us):
            _apply(store, camera, event)
        if number % _WAVE_FRAMES == 0:
            store.wave(at_us)
    for event in segmenter.end("stopped"):
        _apply(store, camera, event)
    store.wave(at_us)
    return number


def _packets(paths: Paths, quality: Quality) -> Iterator[Packet]:
    loop = loops.load(paths.simulator, 1, "main", quality)
    sps, pps = loop.parameter_sets
    format = VideoFormat("h264", *h264.picture_size(sps), sps, pps)
    pictures = [(b"".join(len(n).to_bytes(4, "big") + n for n in f.nals), f.is_key) for f in loop.frames]
    for number, (data, is_key) in enumerate(cycle(pictures)):
        yield Packet(data, number * 90_000 // quality.main.fps, is_key, 0.0, format)


def _apply(store: SegmentStore, camera: str, event: object) -> None:
    match event:
        case RunStarted(at_us):
            store.start_run(camera, at_us, AUTHORISATION, None)
        case SegmentOpened(start_us, format):
            deadline_us = start_us + KEPT // timedelta(microseconds=1)
            store.open_segment(NewSegment(camera, start_us, format, AUTHORISATION, deadline_us, None, None))
        case PartReady(part):
            store.append(camera, part)
        case SegmentClosed(end_us):
            store.close_segment(camera, end_us)
        case RunEnded(end_us, reason):
            store.end_run(camera, end_us, reason, Cause.CAMERA, reason)


def whole_minute(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(second=0, microsecond=0)
