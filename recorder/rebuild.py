"""`csu index rebuild`: a new index from the files alone in the place of the old one, while no recorder has the disk."""

import contextlib
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from legal.retention import LONGEST_DAYS
from recorder.adoption import Adopted, Adoption
from recorder.files import IDENTITY, INDEX, StorageDirectory, StorageRefused
from recorder.index import Index
from recorder.store import SegmentStore
from streams.ticks import at_from_us, us_from_at

KEPT_ASIDE = 3
"""So many indexes that were set aside stay, the newest."""
_NEW, _OLD = "index.new", "index.old."
_OLD_TIME = "%Y%m%dT%H%M%S%fZ"
_DAY_US = 86_400_000_000
_STEP_S = 0.5


def rebuild(path: Path, identity_file: Path, now_us: int, progress: Callable[[int], None]) -> Adopted:
    """Rebuild the directory's index; the one before is set aside.

    The old index is neither read nor trusted. Killed at any instant, either the old index or none is there, and a
    recorder that finds none does the same work itself. Raises StorageRefused (STORAGE_BUSY while a recorder runs),
    OSError, sqlite3.Error.
    """
    if not (path / IDENTITY).exists():
        raise StorageRefused("STORAGE_UNMOUNTED", f"{path}: no {IDENTITY}")
    storage = StorageDirectory.open(path, identity_file)
    try:
        for suffix in ("", "-wal", "-shm", "-journal"):
            storage.unlink(_NEW + suffix)
        report = _build(storage, path / _NEW, now_us, progress)
        _swap(storage, now_us)
    finally:
        storage.close()
    return report


def _build(storage: StorageDirectory, new: Path, now_us: int, progress: Callable[[int], None]) -> Adopted:
    index = Index.open(new, storage.identity, now_us)
    try:
        adoption = Adoption(storage, index, now_us)
        adoption.begin()
        while not adoption.step(time.monotonic() + _STEP_S):
            index.commit()
            progress(adoption.report.segments)
        index.put("alive_us", now_us)
        index.commit()
        index.fold()
    finally:
        index.close()
    progress(adoption.report.segments)
    return adoption.report


def _swap(storage: StorageDirectory, now_us: int) -> None:
    fd = storage.open_existing(_NEW)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    set_aside(storage, now_us)
    storage.rename(_NEW, INDEX)
    storage.sync_directory("")


def set_aside(storage: StorageDirectory, now_us: int) -> None:
    """The index, which nobody has open, becomes `index.old.<now>`: what was damaged is evidence. Raises OSError.

    SQLite removes a log without its database, so that the database goes first.
    """
    if INDEX in storage.names(""):
        for name, _ in _aside(storage)[: 1 - KEPT_ASIDE]:
            _forget(storage, name)
    old = _OLD + at_from_us(now_us).strftime(_OLD_TIME)
    for suffix in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            storage.rename(INDEX + suffix, old + suffix)
    storage.unlink(INDEX + "-shm")
    storage.sync_directory("")


def forget_aside(store: SegmentStore, now_us: int) -> None:
    """An index that was set aside goes after as long as any picture may be kept: the longest delay."""
    for name, at_us in _aside(store.storage):
        if at_us + LONGEST_DAYS * _DAY_US <= now_us:
            _forget(store.storage, name)


def _aside(storage: StorageDirectory) -> list[tuple[str, int]]:
    """The indexes that were set aside, with the time of that, the oldest first."""
    found: list[tuple[str, int]] = []
    for name in sorted(storage.names("")):
        with contextlib.suppress(ValueError):  # another file, or a log, which goes with its database
            at = datetime.strptime(name, _OLD + _OLD_TIME).replace(tzinfo=UTC)
            found.append((name, us_from_at(at)))
    return found


def _forget(storage: StorageDirectory, name: str) -> None:
    for suffix in ("", "-wal"):
        storage.unlink(name + suffix)
