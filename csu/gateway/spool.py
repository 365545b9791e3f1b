"""What was really served, written down before it leaves: a numbered, durable log that the control plane pulls.

Invariants:
1. An entry that was acknowledged to the caller survives a crash of the machine: SQLite in WAL mode with
   `synchronous = FULL` fsyncs each commit, and drops a torn tail by its checksums at the next start.
2. A ticket's id enters `redeemed` in the same transaction as its `opened` entry: it opens once, also across
   restarts.
3. Numbers rise by one and are never used twice, also after entries were acknowledged and deleted.
4. Every `opened` entry is followed by one `closed` entry, written at the next start if the process died.

All writing is done by one thread, which commits together what was asked for meanwhile: a wall of sixteen
tiles costs one fsync. A failed commit fails every entry in it; the next one tries anew.
"""

import asyncio
import contextlib
import json
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal
from uuid import uuid4

from csu.gateway.errors import Refused, SpoolError
from csu.gateway.steps import Stretch
from csu.tickets import Ticket

Kind = Literal["opened", "served", "closed", "refused"]
Interval = tuple[datetime, datetime]

# Redeemed ids are kept long after their ticket is late: a clock set back must not make it good again.
REDEEMED_KEPT = timedelta(days=30)
MAX_PULL = 5000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS entry (n INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS redeemed (ticket TEXT PRIMARY KEY, redeemed_at TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS open_lease (ticket TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log. Counts and intervals are what was added since the ticket's previous entry.

    `intervals` are wall times of pictures, not of sending. `frames` of a replay, which is served as bytes, counts those
    of the parts that the bytes are from, each once. `reason` is the code that closed the lease. `stepped` is the page's
    word, not ours: in the line only where there is one.
    """

    at: datetime
    kind: Kind
    ticket: Ticket
    intervals: Sequence[Interval] = ()
    bytes: int = 0
    frames: int = 0
    reason: str | None = None
    stepped: Sequence[Stretch] = ()

    def body(self) -> dict[str, Any]:
        ticket = self.ticket
        told = [[time_text(one.from_at), time_text(one.to_at), one.frames] for one in self.stepped]
        return {
            "at": time_text(self.at),
            "kind": self.kind,
            "ticket": ticket.id,
            "camera": ticket.camera,
            "act": ticket.act,
            "actor": ticket.actor,
            "streams": list(ticket.streams),
            "from": time_text(ticket.from_at),
            "to": time_text(ticket.to_at),
            "intervals": [[time_text(start), time_text(end)] for start, end in self.intervals],
            "bytes": self.bytes,
            "frames": self.frames,
            "reason": self.reason,
        } | ({"page_says_stepped": told} if told else {})


@dataclass(frozen=True, slots=True)
class Refusals:
    """A security event: `count` times this code since `at`; `actor` is an account's id where a ticket proved it."""

    at: datetime
    code: str
    actor: str | None
    count: int
    kind: ClassVar[Kind] = "refused"

    def body(self) -> dict[str, Any]:
        return {
            "at": time_text(self.at),
            "kind": self.kind,
            "code": self.code,
            "actor": self.actor,
            "count": self.count,
        }


Line = Entry | Refusals


def time_text(at: datetime | None) -> str | None:
    """ISO 8601 in UTC with microseconds and a Z, as everywhere between the processes."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class _Work:
    """What one caller waits for: rows to write, or a question about them."""

    loop: asyncio.AbstractEventLoop
    entries: Sequence[Line] = ()
    ack_upto: int | None = None
    read_after: int | None = None
    limit: int = 0
    done: asyncio.Future[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.done = self.loop.create_future()


class Spool:
    """The log of one gateway. `open` fails when another process holds it."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "spool.sqlite3"
        self.uuid = ""
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._db: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    def open(self, now: datetime) -> None:
        """Create or recover the log, close what a dead process left open, and start the writer.

        Raises SpoolError: no room, no right, another gateway at work, or a file that is not a spool.
        """
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            # One thread at a time uses the connection: this one now, the writer from here on.
            db = sqlite3.connect(self.file, timeout=2.0, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f"{self.file}: {error}") from error
        try:
            self._prepare(db, now)
        except sqlite3.Error as error:
            db.close()
            raise SpoolError(f"{self.file}: {error}") from error
        self._db = db
        self._thread.start()

    def _prepare(self, db: sqlite3.Connection, now: datetime) -> None:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(_SCHEMA)
        with _transaction(db):
            db.execute("INSERT OR IGNORE INTO meta VALUES ('uuid', ?)", (str(uuid4()),))
            (self.uuid,) = db.execute("SELECT value FROM meta WHERE key = 'uuid'").fetchone()
            for (text,) in db.execute("SELECT body FROM open_lease ORDER BY ticket").fetchall():
                body = json.loads(text) | {"at": time_text(now), "kind": "closed", "reason": "GATEWAY_RESTARTED"}
                db.execute("INSERT INTO entry (body) VALUES (?)", (json.dumps(body),))
            db.execute("DELETE FROM open_lease")
            db.execute("DELETE FROM redeemed WHERE redeemed_at < ?", (time_text(now - REDEEMED_KEPT),))

    def close(self) -> None:
        """Write what is queued and stop the writer. Blocks for as long as the disk takes."""
        if self._db is None:
            return
        self._queue.put(None)
        self._thread.join()
        self._db.close()
        self._db = None

    async def append(self, entries: Sequence[Line]) -> None:
        """Durable on return. All entries of one call stand or fall together.

        Raises Refused(TICKET_USED) for an `opened` entry whose ticket was redeemed before, SpoolError when
        nothing can be written.
        """
        await self._ask(_Work(asyncio.get_running_loop(), entries=entries))

    async def read(self, after: int, limit: int) -> list[dict[str, Any]]:
        """The entries numbered above `after`, oldest first, at most `limit`. Raises SpoolError."""
        work = _Work(asyncio.get_running_loop(), read_after=after, limit=max(1, min(limit, MAX_PULL)))
        rows: list[dict[str, Any]] = await self._ask(work)
        return rows

    async def acknowledge(self, upto: int) -> None:
        """The control plane has these entries durably: forget them. Raises SpoolError."""
        await self._ask(_Work(asyncio.get_running_loop(), ack_upto=upto))

    async def _ask(self, work: _Work) -> Any:
        if self._db is None:
            raise SpoolError("the spool is closed")
        self._queue.put(work)
        # The row is written whether or not its caller still waits.
        return await asyncio.shield(work.done)

    # Below: the writer's thread.

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            batch = [work]
            stop = False
            with contextlib.suppress(queue.Empty):
                while (more := self._queue.get_nowait()) is not None:
                    batch.append(more)
                stop = True
            self._settle(batch)
            if stop:
                return

    def _settle(self, batch: list[_Work]) -> None:
        # Reads come after the commit: a number that was seen outside must never be given to another entry.
        self._together([work for work in batch if work.read_after is None], self._write)
        self._together([work for work in batch if work.read_after is not None], self._read)

    def _together(self, batch: list[_Work], do: Callable[[sqlite3.Connection, _Work], Any]) -> None:
        if not batch:
            return
        assert self._db is not None
        results: list[Any] = []
        try:
            with _transaction(self._db):
                results = [do(self._db, work) for work in batch]
        except sqlite3.Error as error:
            results = [SpoolError(f"{self.file}: {error}")] * len(batch)
        for work, result in zip(batch, results, strict=True):
            with contextlib.suppress(RuntimeError):  # its loop has ended: nobody waits
                work.loop.call_soon_threadsafe(_resolve, work.done, result)

    def _read(self, db: sqlite3.Connection, work: _Work) -> list[dict[str, Any]]:
        rows = db.execute("SELECT n, body FROM entry WHERE n > ? ORDER BY n LIMIT ?", (work.read_after, work.limit))
        return [{"n": n} | json.loads(body) for n, body in rows]

    def _write(self, db: sqlite3.Connection, work: _Work) -> Refused | None:
        if work.ack_upto is not None:
            db.execute("DELETE FROM entry WHERE n <= ?", (work.ack_upto,))
            return None
        for entry in work.entries:
            if isinstance(entry, Entry) and entry.kind == "opened" and self._was_redeemed(db, entry.ticket.id):
                return Refused("TICKET_USED")
        for entry in work.entries:
            self._insert(db, entry)
        return None

    def _was_redeemed(self, db: sqlite3.Connection, ticket: str) -> bool:
        return db.execute("SELECT 1 FROM redeemed WHERE ticket = ?", (ticket,)).fetchone() is not None

    def _insert(self, db: sqlite3.Connection, entry: Line) -> None:
        text = json.dumps(entry.body())
        db.execute("INSERT INTO entry (body) VALUES (?)", (text,))
        if isinstance(entry, Refusals):
            return
        if entry.kind == "opened":
            db.execute("INSERT INTO redeemed VALUES (?, ?)", (entry.ticket.id, time_text(entry.at)))
            db.execute("INSERT INTO open_lease VALUES (?, ?)", (entry.ticket.id, text))
        elif entry.kind == "closed":
            db.execute("DELETE FROM open_lease WHERE ticket = ?", (entry.ticket.id,))


def _resolve(done: asyncio.Future[Any], result: Any) -> None:
    if done.done():
        return
    if isinstance(result, Exception):
        done.set_exception(result)
        done.exception()  # a caller that went away has nobody left to retrieve it
    else:
        done.set_result(result)


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    with db:  # commits, or rolls back
        db.execute("BEGIN IMMEDIATE")
        yield
