"""What is made from a camera's pictures (a thumbnail, a crop, a preview, a copy of an extraction) and dies with them.

Law: erasure covers every derivative (CSI L.252-5: recordings are destroyed within the delay). A derived file is kept
below the storage directory under a name that says whose it is, of which interval and until when, and has a row. Its
parents are the camera's segments that touch its interval: it bears the earliest of their deadlines, and is marked in
the transaction that marks the first of them, whatever the cause. So a hold on all of them keeps it. One without a row
is destroyed: it can be derived again. In the writer's thread.
"""

import os
import re
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from recorder.coverage import subtract, union
from recorder.files import StorageDirectory
from recorder.index import CLOSED, OPEN, Index
from recorder.sealed import OrderRefused
from recorder.utc import text_from_us
from streams.ticks import at_from_us, us_from_at

DIRECTORY = "derived"
MOST_BYTES = 32 * 1024 * 1024
_DAY_US = 86_400_000_000
_STAMP = "%Y%m%dT%H%M%S%fZ"
_KIND = re.compile(r"[a-z0-9]{1,8}")
_NAME = re.compile(r"(\d{8}T\d{12}Z)_(\d{8}T\d{12}Z)_(\d{8}T\d{12}Z)_[0-9a-f]{32}\.[a-z0-9]{1,8}")


class DerivedName(NamedTuple):
    """What a file's name says of it: the interval that it is of, and its deadline at birth. UTC microseconds."""

    from_us: int
    to_us: int
    deadline_us: int


def read_name(name: str) -> DerivedName | None:
    """None for a name that isn't a derived file's."""
    match = _NAME.fullmatch(name)
    return DerivedName(*(_us(stamp) for stamp in match.groups())) if match else None


def put_derived(
    storage: StorageDirectory, index: Index, camera: str, from_us: int, to_us: int, kind: str, data: bytes, due_us: int
) -> dict[str, Any]:
    """Keep bytes made from [from, to) of a camera, durable when it returns and the caller has committed; their file's
    name inside the storage directory, and their deadline.

    `kind` is the name's ending ("jpg"), `due_us` the time that deadlines are held against. Raises OrderRefused, also
    when a picture of the interval is destroyed or past its deadline: nothing may be made of that any more.
    """
    if not _KIND.fullmatch(kind) or not 0 < len(data) <= MOST_BYTES or from_us >= to_us:
        raise OrderRefused("DERIVED_INVALID", f"expected an interval, a kind like jpg, and 1 to {MOST_BYTES} bytes")
    number = next((number for number, name in index.cameras().items() if name == camera), None)
    deadline_us = None if number is None else _deadline_us(index, number, from_us, to_us)
    if number is None or deadline_us is None or deadline_us <= due_us:
        raise OrderRefused("PARENT_GONE", "a picture of this interval is gone, or past its deadline")
    stamps = "_".join(at_from_us(us).strftime(_STAMP) for us in (from_us, to_us, deadline_us))
    directory = f"{DIRECTORY}/{camera}/{at_from_us(from_us):%Y/%m/%d/%H}"
    name = f"{directory}/{stamps}_{uuid.uuid4().hex}.{kind}"
    values = (name, number, from_us, to_us, OPEN, len(data))
    index.execute("INSERT INTO derived VALUES (?, ?, ?, ?, ?, ?)", values)
    index.commit()
    try:
        _write(storage, name, data)
    except OSError as error:  # a copy that finds no room costs the recording nothing
        _discard(storage, index, name)
        raise OrderRefused("DERIVED_UNWRITTEN", error.strerror or "not written") from error
    index.execute("UPDATE derived SET state = ? WHERE name = ?", (CLOSED, name))
    return {"name": name, "deadline": text_from_us(deadline_us)}


def has_parents(index: Index, camera: str, from_us: int, to_us: int) -> bool:
    """Whether this index knows of recordings of the interval, still there or not."""
    runs = "SELECT 1 FROM run r JOIN camera c ON c.id = r.camera WHERE c.uuid = ? AND from_us < ? AND to_us > ? LIMIT 1"
    return bool(index.query(runs, (camera, to_us, from_us)))


def _deadline_us(index: Index, camera: int, from_us: int, to_us: int) -> int | None:
    """The earliest deadline of the parents; None when there is none, or one of the interval is gone."""
    values = (camera, to_us, from_us)
    parents = index.query(
        "SELECT s.start_us, s.end_us, min(s.deadline_us, coalesce(s.start_us + w.retention_days * ?, s.deadline_us))"
        " FROM segment s LEFT JOIN withheld w ON w.camera = s.camera AND w.authorisation = s.authorisation"
        " WHERE s.camera = ? AND s.start_us < ? AND s.end_us > ?",
        (_DAY_US, *values),
    )
    runs = index.query("SELECT from_us, to_us FROM run WHERE camera = ? AND from_us < ? AND to_us > ?", values)
    recorded = union((max(a, from_us), min(b, to_us)) for a, b in runs)
    if not parents or subtract(recorded, union((a, b) for a, b, _ in parents)):
        return None
    return min(int(deadline_us) for *_, deadline_us in parents)


def doom(index: Index, segments: Sequence[tuple[int, int, int, int]]) -> None:
    """Mark what derives from these segments (number, camera, start, end), in the transaction that marks them."""
    if not index.query("SELECT 1 FROM derived LIMIT 1"):
        return
    for segment, camera, start_us, end_us in segments:
        values = (camera, end_us, start_us)
        index.execute(
            "INSERT INTO doomed SELECT name, ? FROM derived WHERE camera = ? AND from_us < ? AND to_us > ?",
            (segment, *values),
        )
        index.execute("DELETE FROM derived WHERE camera = ? AND from_us < ? AND to_us > ?", values)


def discard_unfinished(storage: StorageDirectory, index: Index) -> None:
    """After a crash: what was being written isn't kept. Raises OSError, sqlite3.Error."""
    for (name,) in index.query("SELECT name FROM derived WHERE state = ?", (OPEN,)):
        _discard(storage, index, name)


def discard_unknown(storage: StorageDirectory, index: Index) -> Iterator[None]:
    """After the loss of an index: files without a row, and rows without a file, a directory at a time."""
    level = [DIRECTORY]
    for _ in range(5):
        level = [f"{above}/{name}" for above in level for name in storage.names(above)]
    known = {name for (name,) in index.query("SELECT name FROM derived UNION SELECT name FROM doomed")}
    for directory in level:
        for name in storage.names(directory):
            if f"{directory}/{name}" not in known:
                storage.unlink(f"{directory}/{name}")
        storage.sync_directory(directory)
        storage.prune(directory)
        yield
    for (name,) in index.query("SELECT name FROM derived"):
        if os.path.basename(name) not in storage.names(os.path.dirname(name)):
            index.execute("DELETE FROM derived WHERE name = ?", (name,))


class Derived(NamedTuple):
    """A row, for the checker. `is_held`: a hold names some of its interval, so that its parents may live longer."""

    name: str
    state: int
    length: int
    deadline_us: int
    is_held: bool


def read_derived(connection: sqlite3.Connection) -> list[Derived]:
    """All rows; those that are marked for destruction as OPEN."""
    rows = connection.execute(
        "SELECT name, state, length, EXISTS (SELECT 1 FROM hold WHERE hold.camera = derived.camera"
        " AND hold.from_us < derived.to_us AND hold.to_us > derived.from_us) FROM derived"
        " UNION ALL SELECT name, ?, 0, 1 FROM doomed",
        (OPEN,),
    )
    found: list[Derived] = []
    for name, state, length, is_held in rows:
        told = read_name(os.path.basename(name))
        found.append(Derived(name, state, length, told.deadline_us if told else 0, bool(is_held)))
    return found


def _write(storage: StorageDirectory, name: str, data: bytes) -> None:
    storage.make_directory(os.path.dirname(name))
    fd = storage.create(name)
    try:
        storage.append(fd, [data])
        storage.sync(fd)
    finally:
        os.close(fd)
    storage.sync_directory(os.path.dirname(name))


def _discard(storage: StorageDirectory, index: Index, name: str) -> None:
    directory = os.path.dirname(name)
    storage.unlink(name)
    if storage.sync_directory(directory):
        storage.prune(directory)
    index.execute("DELETE FROM derived WHERE name = ?", (name,))


def _us(stamp: str) -> int:
    return us_from_at(datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC))
