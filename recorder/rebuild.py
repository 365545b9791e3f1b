"""`csu index rebuild`: a new index from the files alone in the place of the old one, while no recorder has the disk."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from recorder.adoption import Adopted, Adoption
from recorder.files import IDENTITY, INDEX, StorageDirectory, StorageRefused
from recorder.index import Index

_NEW, _OLD = "index.new", "index.old"
_STEP_S = 0.5


def rebuild(path: Path, identity_file: Path, now_us: int, progress: Callable[[int], None]) -> Adopted:
    """Rebuild the directory's index; the one before is kept beside it as `index.old`.

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
        _swap(storage)
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


def _swap(storage: StorageDirectory) -> None:
    fd = storage.open_existing(_NEW)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    set_aside(storage)
    storage.rename(_NEW, INDEX)
    storage.sync_directory("")


def set_aside(storage: StorageDirectory) -> None:
    """The index, which nobody has open, becomes `index.old`. Raises OSError.

    SQLite removes a log without its database, so that the database goes first.
    """
    for suffix in ("", "-wal"):
        storage.unlink(_OLD + suffix)
    for suffix in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            storage.rename(INDEX + suffix, _OLD + suffix)
    storage.unlink(INDEX + "-shm")
    storage.sync_directory("")
