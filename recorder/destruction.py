"""Destruction of what is past its deadline (invariant 4), in the written order: mark, unlink, sync, forget, tell.

Driven by the index's order of deadlines, never by walking the tree. The caller has a clock that it trusts.
"""

import os
from collections import defaultdict
from typing import Any

from recorder.format import file_name, hour_directory, merkle_root
from recorder.index import CLOSED, Index
from recorder.store import SegmentStore
from recorder.utc import text_from_us

BATCH = 200
DEADLINE = "deadline"


def destroy_due(store: SegmentStore, due_us: int, now_us: int, limit: int = BATCH) -> int:
    """Destroy up to `limit` segments whose deadline is at or before `due_us`; how many there were.

    An open segment is left until it is closed: a deadline is days away from it. What a hold names stays.
    """
    return _destroy(
        store,
        "SELECT id, camera, start_us, end_us, length, hash, previous FROM unheld WHERE deadline_us <= ? AND state = ?"
        " ORDER BY deadline_us LIMIT ?",
        (due_us, CLOSED, limit),
        DEADLINE,
        now_us,
    )


def _destroy(store: SegmentStore, query: str, values: tuple[int, int, int], cause: str, now_us: int) -> int:
    """Mark, then finish. Holds are read in the transaction that marks: there is no instant between."""
    index = store.index
    index.begin()
    rows = index.query(query, values)
    if not rows:
        return 0
    for _, camera, *_, digest, previous in rows:
        if digest is not None:
            _bridge(index, camera, previous, digest)
    index.execute_many("INSERT INTO destroy VALUES (?, ?, ?, ?, ?, ?, ?)", [(*row[:6], cause) for row in rows])
    index.execute_many("DELETE FROM segment WHERE id = ?", [row[:1] for row in rows])
    index.execute_many("DELETE FROM part WHERE segment = ?", [row[:1] for row in rows])
    index.commit()
    finish_destruction(store, now_us)
    return len(rows)


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
    """Unlink what is marked, then forget the marks and tell the centre; also after a crash in between."""
    index, storage = store.index, store.storage
    rows = index.query("SELECT segment, camera, start_us, end_us, length, hash, cause FROM destroy ORDER BY segment")
    if not rows:
        return
    cameras = index.cameras()
    missing: set[int] = set()
    directories: set[str] = set()
    for segment, camera, start_us, *_ in rows:
        name = file_name(cameras[camera], start_us, segment)
        if not storage.unlink(name):
            missing.add(segment)
        directories.add(os.path.dirname(name))
    for directory in sorted(directories):
        if storage.sync_directory(directory) and not store.is_active(directory):
            storage.prune(directory)
    groups: dict[tuple[str, str, str], list[Any]] = defaultdict(list)
    for row in rows:
        groups[cameras[row[1]], hour_directory(cameras[row[1]], row[2]), row[6]].append(row)
    for (camera, _, cause), group in groups.items():
        _tell(store, camera, cause, group, missing, now_us)
    index.execute_many("DELETE FROM destroy WHERE segment = ?", [row[:1] for row in rows])
    index.commit()


def _tell(store: SegmentStore, camera: str, cause: str, rows: list[Any], missing: set[int], now_us: int) -> None:
    """One fact per camera and hour, with a Merkle root (RFC 6962) over the hashes of what was destroyed."""
    store.index.fact(
        now_us,
        "destroyed",
        camera,
        count=len(rows),
        bytes=sum(row[4] for row in rows),
        first=text_from_us(min(row[2] for row in rows)),
        last=text_from_us(max(row[3] for row in rows)),
        cause=cause,
        root=merkle_root([bytes(row[5] or b"") for row in rows]).hex(),
        missing=sum(row[0] in missing for row in rows),
    )
