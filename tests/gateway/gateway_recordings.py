"""Recordings of real pictures, written by the recorder's own parts without its thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from gateway_support import CAMERA
from gateway_video import FPS, STEP_90K, encode, padded
from recorder_support import apply

from recorder.accounts import Accounts, Cause
from recorder.files import StorageDirectory
from recorder.index import Index
from recorder.machine import boot_id
from recorder.recovery import recover
from recorder.segmenter import Segmenter
from recorder.store import SegmentStore
from streams.packets import VideoFormat
from streams.ticks import us_from_90k, us_from_at


class Recordings:
    """A storage directory that records on request."""

    def __init__(self, root: Path, began_at: datetime) -> None:
        now_us = us_from_at(began_at)
        self.storage = StorageDirectory.open(root / "recordings", root / "state" / "storage.json")
        self.index = Index.open(self.storage.index_path, self.storage.identity, now_us)
        recover(self.storage, self.index, now_us, Cause.OURS, "killed")
        self.store = SegmentStore(self.storage, self.index, Accounts(self.index))
        self.store.accounts.gap(CAMERA, now_us, Cause.CAMERA, "connecting")
        self.trust_clock(True)

    def trust_clock(self, trusted: bool) -> None:
        self.index.put("playback_boot", boot_id() if trusted else None)
        self.index.commit()

    def record(
        self,
        from_at: datetime,
        seconds: int,
        first: int = 0,
        keep: timedelta = timedelta(days=15),
        format: VideoFormat | None = None,
        b_frames: int = 0,
        filler: int = 0,
    ) -> None:
        """A run of pictures; picture n has the shade of `first` + n, and so much `filler` behind it. The camera is lost
        after it.
        """
        segmenter = Segmenter(CAMERA)
        began_us, kept_us = us_from_at(from_at), keep // timedelta(microseconds=1)
        packets = encode(400, b_frames=b_frames)
        if filler:
            packets = tuple(padded(packet, filler) for packet in packets)
        for n in range(first, first + seconds * FPS):
            rounds, place = divmod(n, len(packets))
            number = rounds * len(packets) + packets[place].pts_90k // STEP_90K - first
            packet = replace(packets[place], pts_90k=number * STEP_90K)
            packet.format = format or packet.format
            apply(self.store, CAMERA, segmenter.push(packet, began_us + us_from_90k(packet.dts_90k)), kept_us)
        apply(self.store, CAMERA, segmenter.end("closed"), kept_us)
        self.store.wave(began_us + seconds * 1_000_000)

    def files(self) -> list[Path]:
        return sorted((self.storage.index_path.parent).rglob("*.mp4"))

    def close(self) -> None:
        self.store.abandon()
        self.index.close()
        self.storage.close()


@contextmanager
def recordings(root: Path, began_at: datetime) -> Iterator[Recordings]:
    made = Recordings(root, began_at)
    try:
        yield made
    finally:
        made.close()
