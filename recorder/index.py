"""The index of one storage directory: SQLite in WAL mode, written by one thread, read by any process.

Rows change inside one transaction that `commit` ends; `rollback` forgets what came since. All times are UTC
microseconds. What each table is for, and which row a file has when, is in FORMAT.md.
"""

import contextlib
import json
import logging
import re
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from recorder.format import NO_HASH
from recorder.utc import text_from_us

log = logging.getLogger(__name__)

INDEX_VERSION = 5
OPEN, CLOSED = 0, 1
HOUR_US = 3_600_000_000
SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE storage(uuid TEXT PRIMARY KEY, since_us INTEGER NOT NULL) WITHOUT ROWID;
-- chain: the hash of the camera's last segment, which the next one bears. priority: as last ordered.
CREATE TABLE camera(id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, chain BLOB NOT NULL,
    priority INTEGER NOT NULL DEFAULT 0);
-- Under orders from .. to; to_us NULL while it is.
CREATE TABLE period(id INTEGER PRIMARY KEY, camera INTEGER NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER);
CREATE INDEX period_by_camera ON period(camera, from_us);
-- reason NULL while it goes on; to_us then is how far it is durable.
CREATE TABLE run(id INTEGER PRIMARY KEY AUTOINCREMENT, camera INTEGER NOT NULL, from_us INTEGER NOT NULL,
    to_us INTEGER NOT NULL, reason TEXT, lost INTEGER NOT NULL, clock_offset_us INTEGER, authorisation TEXT NOT NULL);
CREATE INDEX run_by_camera ON run(camera, from_us);
CREATE INDEX run_open ON run(camera) WHERE reason IS NULL;
-- Listing a month reads this and gap_closed alone, and nothing that ended before it. Without the runs that go on: their
-- to_us rises with each wave.
CREATE INDEX run_closed ON run(camera, to_us, from_us, reason) WHERE reason IS NOT NULL;
CREATE TABLE gap(id INTEGER PRIMARY KEY AUTOINCREMENT, camera INTEGER NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER,
    cause TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX gap_open ON gap(camera) WHERE to_us IS NULL;
CREATE INDEX gap_closed ON gap(camera, to_us, from_us, cause, detail) WHERE to_us IS NOT NULL;
-- early_us: when it may be destroyed at the earliest, for want of space (legal.retention.UNFIXED_MINIMUM_DAYS).
-- released: a hold that kept it beyond its deadline has ended.
CREATE TABLE segment(id INTEGER PRIMARY KEY, camera INTEGER NOT NULL, run INTEGER NOT NULL, start_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL, state INTEGER NOT NULL, length INTEGER NOT NULL, media_90k INTEGER NOT NULL,
    deadline_us INTEGER NOT NULL, minimum_us INTEGER, authorisation TEXT NOT NULL, previous BLOB NOT NULL, hash BLOB,
    released INTEGER NOT NULL DEFAULT 0,
    early_us INTEGER AS (min(deadline_us, coalesce(minimum_us, start_us + 691200000000))));
-- The delay that the segments' deadlines were last brought in line with.
CREATE TABLE terms(camera INTEGER NOT NULL, authorisation TEXT NOT NULL, retention_days INTEGER NOT NULL,
    PRIMARY KEY(camera, authorisation)) WITHOUT ROWID;
CREATE INDEX segment_by_time ON segment(camera, start_us);
CREATE INDEX segment_by_deadline ON segment(deadline_us);
CREATE INDEX segment_open ON segment(id) WHERE state = 0;
-- Where a segment's parts are; apart, so that listing a month never reads it.
CREATE TABLE part(segment INTEGER PRIMARY KEY, header_size INTEGER NOT NULL, entries BLOB NOT NULL);
-- What the closed segments of a camera's hour add up to, kept by triggers; those up to `uncounted` in meta are added by
-- count_on. early_us, late_us: the first and the last early_us of them; deadline_us: the last deadline.
CREATE TABLE hour(camera INTEGER NOT NULL, hour_us INTEGER NOT NULL, count INTEGER NOT NULL, bytes INTEGER NOT NULL,
    time_us INTEGER NOT NULL, early_us INTEGER NOT NULL, late_us INTEGER NOT NULL, deadline_us INTEGER NOT NULL,
    PRIMARY KEY(camera, hour_us)) WITHOUT ROWID;
CREATE TRIGGER hour_filed AFTER INSERT ON segment WHEN new.state = 1
    AND new.id > coalesce((SELECT value FROM meta WHERE key = 'uncounted'), 0) BEGIN
    INSERT INTO hour VALUES (new.camera,
    new.start_us - new.start_us % 3600000000, 1, new.length, new.end_us - new.start_us, new.early_us, new.early_us,
    new.deadline_us) ON CONFLICT(camera, hour_us) DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes,
    time_us = time_us + excluded.time_us, early_us = min(early_us, excluded.early_us),
    late_us = max(late_us, excluded.late_us), deadline_us = max(deadline_us, excluded.deadline_us); END;
CREATE TRIGGER hour_closed AFTER UPDATE OF state ON segment WHEN old.state = 0 AND new.state = 1
    AND new.id > coalesce((SELECT value FROM meta WHERE key = 'uncounted'), 0) BEGIN
    INSERT INTO hour VALUES (new.camera,
    new.start_us - new.start_us % 3600000000, 1, new.length, new.end_us - new.start_us, new.early_us, new.early_us,
    new.deadline_us) ON CONFLICT(camera, hour_us) DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes,
    time_us = time_us + excluded.time_us, early_us = min(early_us, excluded.early_us),
    late_us = max(late_us, excluded.late_us), deadline_us = max(deadline_us, excluded.deadline_us); END;
CREATE TRIGGER hour_left AFTER DELETE ON segment WHEN old.state = 1
    AND old.id > coalesce((SELECT value FROM meta WHERE key = 'uncounted'), 0) BEGIN
    UPDATE hour SET count = count - 1,
    bytes = bytes - old.length, time_us = time_us - (old.end_us - old.start_us)
    WHERE camera = old.camera AND hour_us = old.start_us - old.start_us % 3600000000; DELETE FROM hour
    WHERE camera = old.camera AND hour_us = old.start_us - old.start_us % 3600000000 AND count = 0; END;
CREATE TABLE destroy(segment INTEGER PRIMARY KEY, camera INTEGER NOT NULL, start_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL, length INTEGER NOT NULL, hash BLOB, cause TEXT NOT NULL);
-- What was destroyed of a camera's hour, until the centre is told. hashes: 40 bytes each, number and hash.
CREATE TABLE ledger(camera INTEGER NOT NULL, hour_us INTEGER NOT NULL, cause TEXT NOT NULL, count INTEGER NOT NULL,
    bytes INTEGER NOT NULL, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, missing INTEGER NOT NULL,
    derived INTEGER NOT NULL, at_us INTEGER NOT NULL, hashes BLOB NOT NULL,
    PRIMARY KEY(camera, hour_us, cause)) WITHOUT ROWID;
-- Shortened delays that wait for two persons; released once they have signed.
CREATE TABLE withheld(camera INTEGER NOT NULL, authorisation TEXT NOT NULL, retention_days INTEGER NOT NULL,
    segments INTEGER NOT NULL, bytes INTEGER NOT NULL, since_us INTEGER NOT NULL, released INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(camera, authorisation)) WITHOUT ROWID;
-- Files made from a camera's pictures of an interval; state OPEN until they are durable.
CREATE TABLE derived(name TEXT PRIMARY KEY, camera INTEGER NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL,
    state INTEGER NOT NULL, length INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX derived_by_time ON derived(camera, from_us);
-- A derived file marked for destruction, with the segment that takes it along.
CREATE TABLE doomed(name TEXT PRIMARY KEY, segment INTEGER NOT NULL) WITHOUT ROWID;
-- Destroyed stretches of a camera's chain: the hash before the first and that of the last.
CREATE TABLE bridge(id INTEGER PRIMARY KEY, camera INTEGER NOT NULL, before BLOB NOT NULL, after BLOB NOT NULL);
CREATE INDEX bridge_before ON bridge(camera, before);
CREATE INDEX bridge_after ON bridge(camera, after);
CREATE TABLE hold(id TEXT PRIMARY KEY, camera INTEGER NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL,
    requisition TEXT NOT NULL, since_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX hold_by_camera ON hold(camera, from_us);
-- The segments of which no hold names camera and any of their time.
CREATE VIEW unheld AS SELECT * FROM segment WHERE NOT EXISTS (SELECT 1 FROM hold WHERE hold.camera = segment.camera
    AND hold.from_us < segment.end_us AND hold.to_us > segment.start_us);
-- How segments were dated, from number `first` on, up to the next row (recorder/clock.py: Dating). boot NULL: unknown.
CREATE TABLE dating(first INTEGER PRIMARY KEY, boot TEXT, lead_us INTEGER NOT NULL, ahead_us INTEGER NOT NULL);
-- The boots in which they were recorded; zero_us where the time was known (Boot).
CREATE TABLE boot(id TEXT PRIMARY KEY, seen_us INTEGER NOT NULL, zero_us INTEGER) WITHOUT ROWID;
-- The directories that may hold files newer than the last commit.
CREATE TABLE active_directory(name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE alarm(code TEXT NOT NULL, subject TEXT NOT NULL, since_us INTEGER NOT NULL, detail TEXT NOT NULL,
    PRIMARY KEY(code, subject)) WITHOUT ROWID;
CREATE TABLE fact(n INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL, kind TEXT NOT NULL, camera TEXT,
    body TEXT NOT NULL, acked_us INTEGER);
CREATE INDEX fact_acked ON fact(acked_us) WHERE acked_us IS NOT NULL;
"""


UNCOUNTED = "uncounted"
"""The key in `meta` while the segments up to this number are not in `hour` yet."""
_EVER_US = 1 << 62
_COUNT_HOURS = (
    "INSERT INTO hour SELECT camera, start_us - start_us % 3600000000 AS of_us, count(*), sum(length),"
    " sum(end_us - start_us), min(early_us), max(early_us), max(deadline_us) FROM segment"
    " WHERE state = 1 AND {} GROUP BY camera, of_us"
    " ON CONFLICT(camera, hour_us) DO UPDATE SET count = count + excluded.count, bytes = bytes + excluded.bytes,"
    " time_us = time_us + excluded.time_us, early_us = min(early_us, excluded.early_us),"
    " late_us = max(late_us, excluded.late_us), deadline_us = max(deadline_us, excluded.deadline_us)"
)


class IndexRefused(Exception):
    """The index isn't of this directory, or of a later version."""


class Index:
    """The writing side. One thread; every method may raise sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection, created: bool) -> None:
        self._db = connection
        self.created = created
        self._cameras: dict[str, int] = dict(connection.execute("SELECT uuid, id FROM camera"))
        self.uuid: str = self.get("index")

    @classmethod
    def open(cls, path: Path, directory: str, now_us: int) -> Self:
        """Open or make the index of the directory of this identity. Raises IndexRefused."""
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        with contextlib.ExitStack() as failed:
            failed.callback(connection.close)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 2000")
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if not tables:
                _create(connection, directory, now_us)
            else:
                _migrate(connection)
            _check(connection, directory)
            index = cls(connection, created=not tables)
            failed.pop_all()
        return index

    def close(self) -> None:
        self._db.close()

    def begin(self) -> None:
        """Begin this wave's transaction, unless it has begun."""
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run a statement inside the transaction of this wave."""
        self.begin()
        return self._db.execute(statement, values)

    def execute_many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        self.begin()
        self._db.executemany(statement, rows)

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        return self._db.execute(statement, values).fetchall()

    def commit(self) -> None:
        """Make everything since the last commit durable."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")

    def rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def get(self, key: str, default: Any = None) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else default

    def put(self, key: str, value: str | int | None) -> None:
        self.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value", (key, value)
        )

    def renew(self, uuid: str) -> None:
        """Number the facts from here on under another uuid: those that the centre has may not be in this index."""
        self.put("index", uuid)
        self.uuid = uuid

    def fold(self) -> None:
        """Bring the log into the database's own file, which then is all there is."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def camera(self, camera: str) -> int:
        """The camera's number in this index, given when first asked for."""
        number = self._cameras.get(camera)
        if number is None:
            cursor = self.execute("INSERT INTO camera(uuid, chain) VALUES (?, ?)", (camera, NO_HASH))
            number = self._cameras[camera] = int(cursor.lastrowid or 0)
        return number

    def cameras(self) -> dict[int, str]:
        return {number: camera for camera, number in self._cameras.items()}

    def chain(self, camera: int) -> bytes:
        return bytes(self._db.execute("SELECT chain FROM camera WHERE id = ?", (camera,)).fetchone()[0])

    def set_chain(self, camera: int, digest: bytes) -> None:
        self.execute("UPDATE camera SET chain = ? WHERE id = ?", (digest, camera))

    def count_hours(self, camera: int, from_us: int = 0, to_us: int = _EVER_US) -> None:
        """Add up the camera's hours that begin in between anew, after deadlines have changed."""
        values = (camera, from_us, to_us)
        self.execute("DELETE FROM hour WHERE camera = ? AND hour_us >= ? AND hour_us < ?", values)
        where = "camera = ? AND start_us >= ? AND start_us < ? AND id > ?"
        self.execute(_COUNT_HOURS.format(where), (*values, self.get(UNCOUNTED) or 0))

    def count_on(self, numbers: int) -> bool:
        """Add to `hour` what an index of before has, so many segments' numbers further back; False when that is all.

        The newest come first. The caller commits.
        """
        upto = self.get(UNCOUNTED)
        if not upto:
            return False
        after: int = max(0, upto - numbers)
        self.execute(_COUNT_HOURS.format("id > ? AND id <= ?"), (after, upto))
        self.put(UNCOUNTED, after or None)
        return after > 0

    def fact(self, at_us: int, kind: str, camera: str | None, **body: Any) -> None:
        """Add to the numbered feed; it is visible to readers with the next commit."""
        self.execute(
            "INSERT INTO fact(at_us, kind, camera, body) VALUES (?, ?, ?, ?)",
            (at_us, kind, camera, json.dumps(body, separators=(",", ":"))),
        )

    def acknowledge(self, upto: int, now_us: int) -> None:
        self.execute("UPDATE fact SET acked_us = ? WHERE n <= ? AND acked_us IS NULL", (now_us, upto))

    def forget_facts(self, acked_before_us: int) -> None:
        self.execute("DELETE FROM fact WHERE acked_us < ?", (acked_before_us,))


def _create(connection: sqlite3.Connection, directory: str, now_us: int) -> None:
    connection.execute("BEGIN EXCLUSIVE")
    for statement in SCHEMA.split(";\n"):
        connection.execute(statement)
    rows = [("index", str(uuid.uuid4())), ("version", INDEX_VERSION), ("directory", directory), ("last_segment", 0)]
    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
    connection.execute("INSERT INTO storage VALUES (?, ?)", (directory, now_us))
    connection.execute("COMMIT")


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring an index of a version before to this one, in place and in one transaction; its hours are counted later."""
    (version,) = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone() or (None,)
    if version not in (1, 2, 3, 4):
        return
    connection.execute("BEGIN EXCLUSIVE")
    if version == 1:
        connection.execute(_statement("VIEW unheld"))
    if version < 3:
        _migrate_to_3(connection)
    if version < 4:
        _migrate_to_4(connection)
    _migrate_to_5(connection)
    connection.execute("UPDATE meta SET value = ? WHERE key = 'version'", (INDEX_VERSION,))
    connection.execute("COMMIT")


def _migrate_to_3(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE camera ADD COLUMN priority INTEGER NOT NULL DEFAULT 0")
    connection.execute("ALTER TABLE segment ADD COLUMN released INTEGER NOT NULL DEFAULT 0")
    connection.execute(
        "ALTER TABLE segment ADD COLUMN early_us INTEGER"
        " AS (min(deadline_us, coalesce(minimum_us, start_us + 691200000000)))"
    )
    for made in _MADE_BY_3:
        connection.execute(_statement(made))
    connection.execute("INSERT OR REPLACE INTO meta SELECT ?, max(id) FROM segment", (UNCOUNTED,))


_MADE_BY_3 = (
    "TABLE hour",
    "TRIGGER hour_filed",
    "TRIGGER hour_closed",
    "TRIGGER hour_left",
    "TABLE ledger",
    "TABLE withheld",
    "TABLE derived",
    "INDEX derived_by_time",
    "TABLE doomed",
)


def _migrate_to_4(connection: sqlite3.Connection) -> None:
    """What was recorded last, in one freeze or under one trust, is dated as far as the clock's memory tells; deadlines
    that were coming forward do so at once."""
    for made in ("TABLE dating", "TABLE boot"):
        connection.execute(_statement(made))
    clock = dict(connection.execute("SELECT key, value FROM meta WHERE key LIKE 'clock_%'").fetchall())
    if "clock_boot_id" in clock:
        boot_id, anchor_us = clock["clock_boot_id"], clock["clock_anchor_us"]
        since_us = clock["clock_due_us"] if clock.get("clock_reason") else anchor_us
        connection.execute("INSERT INTO boot VALUES (?, ?, NULL)", (boot_id, clock.get("clock_seen_us") or 0))
        connection.execute(
            "INSERT INTO dating SELECT coalesce(max(id), 0) + 1, ?, ?, 0 FROM segment WHERE start_us < ?",
            (boot_id, anchor_us + (clock.get("clock_ahead_us") or 0), since_us),
        )
    waiting = connection.execute("SELECT value FROM meta WHERE key = 'forward'").fetchone()
    for by_us, from_us, to_us, after, last, since_us, done in json.loads((waiting and waiting[0]) or "[]"):
        connection.execute(
            "UPDATE segment SET deadline_us = deadline_us - ?, minimum_us = minimum_us - ?"
            " WHERE camera > ? AND start_us >= ? AND start_us < ? AND id > ? AND (id <= ? OR start_us > ?)",
            (by_us, by_us, done, from_us, to_us, after, last, since_us + by_us // 2),
        )
        connection.execute("DELETE FROM hour")
        uncounted = connection.execute("SELECT value FROM meta WHERE key = ?", (UNCOUNTED,)).fetchone()
        connection.execute(_COUNT_HOURS.format("id > ?"), ((uncounted and uncounted[0]) or 0,))
    connection.execute("DELETE FROM meta WHERE key IN ('forward', 'forwarded', 'clock_ahead_us')")


def _migrate_to_5(connection: sqlite3.Connection) -> None:
    connection.execute("DROP INDEX gap_by_camera")
    for made in ("INDEX run_closed", "INDEX gap_closed"):
        connection.execute(_statement(made))


def _statement(made: str) -> str:
    """The schema's statement that makes this table, index, trigger or view."""
    return next(s for s in SCHEMA.split(";\n") if re.search(rf"\bCREATE {made}\b", s))


def _check(connection: sqlite3.Connection, directory: str) -> None:
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    if meta.get("version") != INDEX_VERSION:
        raise IndexRefused(f"expected index version {INDEX_VERSION}, found {meta.get('version')}")
    if meta.get("directory") != directory:
        raise IndexRefused(f"the index is of directory {meta.get('directory')}, found in {directory}")


def open_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection, for another thread or process. Raises sqlite3.Error when there is no index yet."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5)
    connection.execute("PRAGMA query_only = 1")
    return connection


def read_facts(connection: sqlite3.Connection, after: int, limit: int) -> dict[str, Any]:
    """The feed's facts after a number, with the index's uuid that the numbers belong to.

    In the place of one that is damaged comes the alarm INDEX_DAMAGED: it must not keep those after it.
    """
    (index,) = connection.execute("SELECT value FROM meta WHERE key = 'index'").fetchone()
    rows = connection.execute(
        "SELECT n, at_us, CAST(kind AS BLOB), CAST(camera AS BLOB), CAST(body AS BLOB) FROM fact WHERE n > ?"
        " ORDER BY n LIMIT ?",
        (after, limit),
    )
    return {"index": index, "facts": [_read_fact(index, *row) for row in rows]}


def _read_fact(index: str, n: int, at_us: int, kind: bytes, camera: bytes | None, body: bytes) -> dict[str, Any]:
    try:
        told = {"at": text_from_us(at_us), "kind": kind.decode(), "camera": None if camera is None else camera.decode()}
        return {"n": n, **told, **json.loads(body)}
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        log.error("fact %d can't be read: %s", n, error)
        at_us = at_us if isinstance(at_us, int) and 0 <= at_us < _EVER_US >> 8 else 0
        damaged = {"code": "INDEX_DAMAGED", "subject": index, "detail": str(n)}
        return {"n": n, "at": text_from_us(at_us), "kind": "alarm_raised", "camera": None, **damaged}
