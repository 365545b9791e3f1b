"""A recording in fast motion on a real directory: two cameras, rotation, a new hour, an end, destruction, restarts."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from disk_model import Op, RecordedOs, image

from recorder import files
from recorder.accounts import Accounts, Cause
from recorder.derived import put_derived
from recorder.destruction import destroy_due, destroy_for_space, tell_destroyed
from recorder.files import StorageDirectory
from recorder.index import Index
from recorder.recovery import recover
from recorder.sealed import OrderRefused
from recorder.segmenter import PartReady, RunEnded, RunStarted, SegmentClosed, Segmenter, SegmentOpened
from recorder.store import NewSegment, SegmentStore
from streams.packets import Packet, VideoFormat

CAMERAS = ("6f6c1a34-8f0e-4b0a-9d57-2f3f2a0b1c01", "0d8f5a0e-23a7-4b54-8a3e-5d3b1f7a9e02")
FORMAT = VideoFormat("h264", 640, 360, bytes.fromhex("674d001e95a0"), bytes.fromhex("68ee3c80"))
BEGIN_US = 1_795_442_392_000_000  # 2026-11-23 13:59:52 UTC: the hour ends 8 s later
SECONDS = 30
_FPS = 5
_SEGMENT_US = 6_000_000
_KEPT_US = 14_000_000
_MINIMUM_US = 9_000_000
_DERIVES_AT_S = (5, 14)
_WANTS_SPACE_AT_S = 12
_ENDS_AT_S = 17
_BEGINS_AGAIN_AT_S = 19


class Sequence:
    """Records on `path`; what it does to the disk is in `log`. A failed operation starts it over, as in the writer."""

    def __init__(self, path: Path, log: list[Op], disk: RecordedOs | None = None) -> None:
        self._path = path
        self._log = log
        self._disk = disk
        self._store: SegmentStore | None = None
        self._segmenters: dict[str, Segmenter] = {}
        self.restarts = 0

    def prepare(self) -> None:
        """The directory with its identity and its empty index, durable."""
        storage, index = _open(self._path)
        index.commit()
        self.committed(index)
        index.close()
        storage.close()

    def run(self) -> None:
        self._attempt(lambda: None, BEGIN_US)
        for second in range(SECONDS):
            self._attempt(partial(self._second, second), BEGIN_US + second * 1_000_000)
        self._attempt(self._end, BEGIN_US + SECONDS * 1_000_000)

    def _attempt(self, step: Callable[[], None], at_us: int) -> None:
        """Do one step, after a start where there is no store. What fails drops all, and counts as done."""
        try:
            if self._store is None:
                self._start(at_us)
            step()
        except (OSError, sqlite3.Error):
            self.restarts += 1
            self.let_go()

    def let_go(self) -> None:
        store, self._store = self._store, None
        self._segmenters.clear()
        if store is not None:
            store.abandon()
            store.index.close()
            store.storage.close()

    def _start(self, at_us: int) -> None:
        storage, index = _open(self._path)
        index.sequence = self
        with ExitStack() as failed:
            for let_go in (storage.close, index.close, index.rollback):
                failed.callback(let_go)
            recover(storage, index, at_us, Cause.STORAGE, "storage_failed")
            self._store = SegmentStore(storage, index, Accounts(index))
            failed.pop_all()
        for camera in CAMERAS:
            if camera not in self._store.accounts.cameras():
                self._store.accounts.gap(camera, at_us, Cause.OURS, "starting")

    def _second(self, second: int) -> None:
        assert self._store is not None
        for n in range(_FPS):
            at_us = BEGIN_US + second * 1_000_000 + n * 1_000_000 // _FPS
            self._log.append(("at", at_us))
            for camera in CAMERAS:
                if camera != CAMERAS[1] or not _ENDS_AT_S <= second < _BEGINS_AGAIN_AT_S:
                    self._push(camera, second * _FPS + n, at_us)
        if second == _ENDS_AT_S and (segmenter := self._segmenters.pop(CAMERAS[1], None)) is not None:
            self._apply(CAMERAS[1], segmenter.end("reset"))
        wall_us = BEGIN_US + (second + 1) * 1_000_000
        self._store.wave(wall_us)
        if second in _DERIVES_AT_S:
            self._derive(wall_us)
        destroy_due(self._store, wall_us, wall_us, limit=1)
        if second == _WANTS_SPACE_AT_S:
            destroy_for_space(self._store, 1, wall_us, wall_us)
        tell_destroyed(self._store.index, wall_us)
        self._store.index.commit()

    def _derive(self, wall_us: int) -> None:
        """A picture of the first camera, that dies with the segment of two seconds ago."""
        store = self._store
        assert store is not None
        window = (wall_us - 3_000_000, wall_us - 2_000_000)
        with suppress(OrderRefused):
            put_derived(store.storage, store.index, CAMERAS[0], *window, "jpg", b"picture" * 9, wall_us)

    def _end(self) -> None:
        assert self._store is not None
        for camera, segmenter in self._segmenters.items():
            self._apply(camera, segmenter.end("stopped"))
        self._store.wave(BEGIN_US + SECONDS * 1_000_000)
        self._log.append(("at", BEGIN_US + SECONDS * 1_000_000))

    def _push(self, camera: str, n: int, at_us: int) -> None:
        segmenter = self._segmenters.setdefault(camera, Segmenter(camera, _SEGMENT_US))
        data = random.Random(f"{camera} {n}").randbytes(300 if n % _FPS == 0 else 60)
        self._apply(camera, segmenter.push(Packet(data, n * 18_000, n % _FPS == 0, at_us / 1e6, FORMAT), at_us))

    def _apply(self, camera: str, events: Any) -> None:
        store = self._store
        assert store is not None
        for event in events:
            match event:
                case RunStarted(at_us):
                    store.start_run(camera, at_us, "27-2026-001", None)
                case SegmentOpened(start_us, format):
                    new = NewSegment(
                        camera, start_us, format, "27-2026-001", start_us + _KEPT_US, start_us + _MINIMUM_US, None
                    )
                    store.open_segment(new)
                case PartReady(part):
                    store.append(camera, part)
                case SegmentClosed(end_us):
                    store.close_segment(camera, end_us)
                case RunEnded(end_us, reason):
                    store.end_run(camera, end_us, reason, Cause.NETWORK, reason)

    def committing(self) -> None:
        if self._disk is not None:
            self._disk.count("commit")

    def committed(self, index: Index) -> None:
        self._log.append(("commit", image(index._db)))


class _ToldIndex(Index):
    """Tells of each commit before and after it is done."""

    sequence: Sequence | None = None

    def commit(self) -> None:
        if self.sequence is None:
            super().commit()
            return
        self.sequence.committing()
        super().commit()
        self.sequence.committed(self)


def _open(path: Path) -> tuple[StorageDirectory, _ToldIndex]:
    with ExitStack() as failed:
        storage = StorageDirectory.open(path / "recordings", path / "state" / "storage.json")
        failed.callback(storage.close)
        index = _ToldIndex.open(storage.index_path, storage.identity, BEGIN_US)
        failed.pop_all()
    return storage, index


@contextmanager
def recorded(path: Path, log: list[Op], **fault: int) -> Iterator[RecordedOs]:
    """While it lasts, recorder/files.py works through the recorder of operations."""
    disk = RecordedOs(path / "recordings", log, **fault)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "os", disk)
        yield disk
