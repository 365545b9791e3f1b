"""Destruction of recordings (invariant 4), in the written order: mark, unlink, sync, file in the ledger; then tell.

What is due goes by the index's order of deadlines, never by walking the tree; what goes for want of space, by the
cameras' priority. The caller has a clock that it trusts. What was derived from a picture dies with it.
"""

import os
import struct
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from recorder.derived import doom
from recorder.format import NO_HASH, file_name, merkle_root
from recorder.index import CLOSED, HOUR_US, UNCOUNTED, Index
from recorder.store import SegmentStore
from recorder.utc import text_from_us

BATCH = 200
DEADLINE, RELEASED, SPACE = "deadline", "released", "space"
_LEAF = struct.Struct(">Q32s")  # in the ledger: a segment's number and its hash


def destroy_due(store: SegmentStore, due_us: int, now_us: int, limit: int = BATCH, after_us: int = 0) -> int:
    """Destroy up to `limit` segments whose deadline is at or before `due_us`, and after `after_us`; how many there
    were.

    An open segment is left until it is closed: a deadline is days away from it. What a hold names stays. The cause of
    what a hold kept beyond its deadline is its release.
    """
    store.index.begin()  # holds are read in the transaction that marks: there is no instant between
    rows = store.index.query(
        "SELECT id, camera, start_us, end_us, length, hash, previous, CASE WHEN released THEN ? ELSE ? END FROM unheld"
        " WHERE deadline_us > ? AND deadline_us <= ? AND state = ? ORDER BY deadline_us LIMIT ?",
        (RELEASED, DEADLINE, after_us, due_us, CLOSED, limit),
    )
    _destroy(store, rows, now_us)
    return len(rows)


def destroy_for_space(store: SegmentStore, nbytes: int, due_us: int, now_us: int, limit: int = BATCH) -> int:
    """Destroy what is past its minimum at `due_us` though not past its deadline, up to `limit` segments, until `nbytes`
    are free; how many bytes that was.

    The cameras of lowest priority first, of equal ones the oldest. What a hold names stays, read in the transaction
    that marks; so does what is below its minimum.
    """
    index = store.index
    index.begin()
    rows: list[Any] = []
    freed = 0
    for priority, hour_us in _early_hours(index, due_us):
        for row in index.query(
            "SELECT s.id, s.camera, s.start_us, s.end_us, s.length, s.hash, s.previous, ? FROM camera c"
            " CROSS JOIN unheld s ON s.camera = c.id WHERE c.priority = ? AND s.start_us >= ? AND s.start_us < ?"
            " AND s.state = ? AND s.early_us <= ? AND s.deadline_us > ? ORDER BY s.start_us",
            (SPACE, priority, hour_us, hour_us + HOUR_US, CLOSED, due_us, due_us),
        ):
            if freed >= nbytes or len(rows) >= limit:
                break
            rows.append(row)
            freed += row[4]
        if freed >= nbytes or len(rows) >= limit:
            break
    _destroy(store, rows, now_us)
    return freed


def _early_hours(index: Index, due_us: int) -> Iterator[tuple[int, int]]:
    """Priorities and hours of which something may be past its minimum, in the order in which it goes.

    While not all hours are counted the segments themselves tell, of each priority up to the first hour without any.
    """
    if not index.get(UNCOUNTED):
        yield from index.query(
            "SELECT DISTINCT c.priority, h.hour_us FROM hour h JOIN camera c ON c.id = h.camera WHERE h.early_us <= ?"
            " ORDER BY c.priority DESC, h.hour_us",
            (due_us,),
        )
        return
    for (priority,) in index.query("SELECT DISTINCT priority FROM camera ORDER BY priority DESC"):
        from_us = 0
        while (hour_us := _next_early_hour(index, priority, from_us, due_us)) is not None:
            yield priority, hour_us
            from_us = hour_us + HOUR_US


def _next_early_hour(index: Index, priority: int, from_us: int, due_us: int) -> int | None:
    """The next hour in which cameras of this priority began a segment; None if nothing of it is past its minimum."""
    ((first_us,),) = index.query(
        "SELECT min((SELECT min(start_us) FROM segment s WHERE s.camera = c.id AND s.start_us >= ?)) FROM camera c"
        " WHERE c.priority = ?",
        (from_us, priority),
    )
    if first_us is None:
        return None
    hour_us: int = first_us - first_us % HOUR_US
    is_early = index.query(
        "SELECT 1 FROM camera c CROSS JOIN segment s ON s.camera = c.id WHERE c.priority = ? AND s.start_us >= ?"
        " AND s.start_us < ? AND s.early_us <= ? LIMIT 1",
        (priority, hour_us, hour_us + HOUR_US, due_us),
    )
    return hour_us if is_early else None


def _destroy(store: SegmentStore, rows: list[Any], now_us: int) -> None:
    """Mark these rows in the transaction that read them, then finish. Each: id, camera, start, end, length, hash,
    previous, cause."""
    if not rows:
        return
    index = store.index
    for _, camera, *_, digest, previous, _ in rows:
        if digest is not None:
            _bridge(index, camera, previous, digest)
    index.execute_many("INSERT INTO destroy VALUES (?, ?, ?, ?, ?, ?, ?)", [(*row[:6], row[7]) for row in rows])
    doom(index, [row[:4] for row in rows])
    index.execute_many("DELETE FROM segment WHERE id = ?", [row[:1] for row in rows])
    index.execute_many("DELETE FROM part WHERE segment = ?", [row[:1] for row in rows])
    index.commit()
    finish_destruction(store, now_us)


def _bridge(index: Index, camera: int, before: bytes, after: bytes) -> None:
    """Remember that the chain goes on over what is destroyed, in one row for each stretch."""
    values = (camera, before)
    for row, first in index.query("SELECT id, before FROM bridge WHERE camera = ? AND after = ?", values):
        index.execute("DELETE FROM bridge WHERE id = ?", (row,))
        before = first
    for row, last in index.query("SELECT id, after FROM bridge WHERE camera = ? AND before = ?", (camera, after)):
        index.execute("DELETE FROM bridge WHERE id = ?", (row,))
        after = last
    index.execute("INSERT INTO bridge(camera, before, after) VALUES (?, ?, ?)", (camera, before, after))


def finish_destruction(store: SegmentStore, now_us: int) -> None:
    """Unlink what is marked, then forget the marks and file them in the ledger; also after a crash in between."""
    index, storage = store.index, store.storage
    rows = index.query("SELECT segment, camera, start_us, end_us, length, hash, cause FROM destroy ORDER BY segment")
    images = index.query("SELECT name, segment FROM doomed ORDER BY name")
    if not rows and not images:
        return
    cameras = index.cameras()
    missing: set[int] = set()
    directories: set[str] = set()
    for segment, camera, start_us, *_ in rows:
        name = file_name(cameras[camera], start_us, segment)
        if not storage.unlink(name):
            missing.add(segment)
        directories.add(os.path.dirname(name))
    derived: dict[int, int] = defaultdict(int)
    for name, segment in images:
        storage.unlink(name)
        derived[segment] += 1
        directories.add(os.path.dirname(name))
    for directory in sorted(directories):
        if storage.sync_directory(directory):
            storage.prune(directory)
    groups: dict[tuple[int, int, str], list[Any]] = defaultdict(list)
    for row in rows:
        groups[row[1], row[2] - row[2] % HOUR_US, row[6]].append(row)
    for key, group in groups.items():
        _file(index, key, group, missing, derived, now_us)
    index.execute_many("DELETE FROM destroy WHERE segment = ?", [row[:1] for row in rows])
    index.execute("DELETE FROM doomed")
    index.commit()


def _file(
    index: Index, key: tuple[int, int, str], rows: list[Any], missing: set[int], derived: dict[int, int], now_us: int
) -> None:
    """Add what was destroyed of a camera's hour under one cause to its row in the ledger."""
    leaves = b"".join(_LEAF.pack(row[0], bytes(row[5] or NO_HASH)) for row in rows)
    known = index.query("SELECT hashes FROM ledger WHERE camera = ? AND hour_us = ? AND cause = ?", key)
    index.execute(
        "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(camera, hour_us, cause) DO UPDATE SET"
        " count = count + excluded.count, bytes = bytes + excluded.bytes, first_us = min(first_us, excluded.first_us),"
        " last_us = max(last_us, excluded.last_us), missing = missing + excluded.missing,"
        " derived = derived + excluded.derived, at_us = excluded.at_us, hashes = excluded.hashes",
        (
            *key,
            len(rows),
            sum(row[4] for row in rows),
            min(row[2] for row in rows),
            max(row[3] for row in rows),
            sum(row[0] in missing for row in rows),
            sum(derived.get(row[0], 0) for row in rows),
            now_us,
            bytes(known[0][0]) + leaves if known else leaves,
        ),
    )


def tell_destroyed(index: Index, now_us: int) -> None:
    """Move rows of the ledger to the feed, once nothing of their camera and hour is left to destroy now.

    An hour in which destruction has stopped (for want of space no longer wanted, waiting for two persons) is told when
    nothing has gone for an hour. The caller commits: the fact is there when the row isn't.
    """
    cameras = index.cameras()
    for camera, hour_us, cause, count, size, first_us, last_us, missing, derived, hashes in index.query(
        "SELECT camera, hour_us, cause, count, bytes, first_us, last_us, missing, derived, hashes FROM ledger l"
        " WHERE at_us NOT BETWEEN ? AND ? OR (hour_us + ? <= ? AND NOT EXISTS (SELECT 1 FROM unheld s WHERE"
        " s.camera = l.camera AND s.start_us >= l.hour_us AND s.start_us < l.hour_us + ?))",
        (now_us - HOUR_US, now_us + HOUR_US, HOUR_US, now_us, HOUR_US),
    ):
        leaves = [digest for _, digest in sorted(_LEAF.iter_unpack(hashes))]
        index.fact(
            now_us,
            "destroyed",
            cameras[camera],
            hour=text_from_us(hour_us),
            count=count,
            bytes=size,
            first=text_from_us(first_us),
            last=text_from_us(last_us),
            cause=cause,
            root=merkle_root(leaves).hex(),
            missing=missing,
            derived=derived,
        )
        index.execute(
            "DELETE FROM ledger WHERE camera = ? AND hour_us = ? AND cause = ?",
            (camera, hour_us, cause),
        )
