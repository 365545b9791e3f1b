"""How segments were dated, kept in the index by ranges of their numbers, and their deadlines brought in line with the
truth once it is known (FORMAT.md, "Clock"). What is decided, and why, is in `clock.py`.

The caller commits. A crash in between leaves ranges that are done and ranges that are not.
"""

import itertools
import logging

from legal.retention import LONGEST_DAYS, deadline_at
from recorder.clock import JUMP_US, Boot, BootTime, ClockMemory, Dating, aheads
from recorder.index import HOUR_US, Index
from streams.ticks import at_from_us, us_from_at

log = logging.getLogger(__name__)

SETTLED_AT_ONCE = 5000
"""Segments whose deadlines are moved in one go."""
_NO_NUMBER = 1 << 62
_SAME_US = 60_000_000
"""Less than this is no other clock: a camera's pictures come a little early or late."""


def note(index: Index, segment: int, start_us: int, taken: BootTime | None) -> None:
    """A segment is new in the index: its first picture is dated `start_us`, and was taken at `taken`; None where its
    file, of a format of before, doesn't say.

    As a rule it has the highest number of all, and so have those to come: they are dated alike. One that the index
    lost has a place of its own between others whose dating is known.
    """
    dating = Dating(segment, None, 0) if taken is None else Dating(segment, taken.boot_id, start_us - taken.us)
    if taken is not None:
        index.execute(
            "INSERT INTO boot VALUES (?, ?, NULL) ON CONFLICT(id) DO UPDATE SET seen_us = max(seen_us, ?)",
            (taken.boot_id, taken.us, taken.us),
        )
    found = index.query("SELECT * FROM dating WHERE first <= ? ORDER BY first DESC LIMIT 1", (segment,))
    around = Dating(*found[0]) if found else Dating(0, None, 0)
    if (around.boot_id, around.ahead_us) == (dating.boot_id, 0) and abs(around.lead_us - dating.lead_us) < _SAME_US:
        return
    index.execute("INSERT OR REPLACE INTO dating VALUES (?, ?, ?, 0)", dating[:3])
    if segment < index.get("last_segment") and around.boot_id is not None:
        index.execute("INSERT OR IGNORE INTO dating VALUES (?, ?, ?, ?)", (segment + 1, *around[1:]))


def note_boot(index: Index, before: str | None, clock: ClockMemory) -> None:
    """This boot goes on, or begins after the boot `before`; its time may have become known."""
    if before != clock.boot_id:
        _forget(index, before)
    zero_us = clock.anchor_us if clock.known else None
    index.execute(
        "INSERT INTO boot VALUES (?, ?, ?) ON CONFLICT(id) DO UPDATE SET seen_us = excluded.seen_us,"
        " zero_us = excluded.zero_us",
        (clock.boot_id, clock.seen_us, zero_us),
    )


def _forget(index: Index, before: str | None) -> None:
    """Datings that no segment has any more, and boots of which no dating is left. When nothing was recorded in the last
    one, at least its time has passed since the one before it."""
    index.execute(
        "DELETE FROM dating WHERE first < (SELECT max(first) FROM dating WHERE first <="
        " (SELECT coalesce(min(id), 0) FROM segment))"
    )
    index.execute(
        "UPDATE boot SET seen_us = seen_us + coalesce((SELECT seen_us FROM boot WHERE id = ? AND id NOT IN"
        " (SELECT boot FROM dating WHERE boot IS NOT NULL)), 0)"
        " WHERE id = (SELECT boot FROM dating ORDER BY first DESC LIMIT 1)",
        (before,),
    )
    index.execute("DELETE FROM boot WHERE id NOT IN (SELECT boot FROM dating WHERE boot IS NOT NULL)")


def forget_empty(index: Index, upto: int) -> None:
    """Datings that begin at or before this number and that no segment has: where files were filed in any order."""
    empty = index.query(
        "SELECT first FROM (SELECT first, lead(first) OVER (ORDER BY first) AS next FROM dating) WHERE first <= ?"
        " AND NOT EXISTS (SELECT 1 FROM segment WHERE id >= first AND (next IS NULL OR id < next))",
        (upto,),
    )
    index.execute_many("DELETE FROM dating WHERE first = ?", empty)


def is_of_one_clock(index: Index, clock: ClockMemory) -> bool:
    """Whether all that there is was recorded in this boot, and dated as the clock stands."""
    ((unlike, first, oldest),) = index.query(
        "SELECT count(*) FILTER (WHERE boot IS NOT ? OR abs(lead_us - ?) > ?), min(first),"
        " (SELECT min(id) FROM segment) FROM dating",
        (clock.boot_id, clock.anchor_us, JUMP_US),
    )
    return unlike == 0 and (oldest is None or (first is not None and first <= oldest))


def settle(index: Index, clock: ClockMemory, limit: int = SETTLED_AT_ONCE) -> bool:
    """Bring the deadlines of up to `limit` segments in line with what is known of the time, under a clock that is
    trusted; True when all are."""
    datings = [Dating(*row) for row in index.query("SELECT * FROM dating ORDER BY first")]
    boots = {boot_id: Boot(*row) for boot_id, *row in index.query("SELECT * FROM boot")}
    following = itertools.pairwise([*datings, Dating(_NO_NUMBER, None, 0)])
    for (dating, after), ahead_us in zip(following, aheads(datings, boots, clock), strict=True):
        if abs(ahead_us - dating.ahead_us) >= _SAME_US:
            done = _move(index, dating, after.first, ahead_us, limit)
            log.warning("%d segments were dated %d s ahead: their deadlines come forward", done, ahead_us // 1_000_000)
            return False
    return True


def _move(index: Index, dating: Dating, end: int, ahead_us: int, limit: int) -> int:
    """Bring the first `limit` segments of a dating in line; the rest becomes a dating of its own."""
    rows = index.query(
        "SELECT s.id, s.camera, s.start_us, s.deadline_us, t.retention_days FROM segment s LEFT JOIN terms t"
        " ON t.camera = s.camera AND t.authorisation = s.authorisation WHERE s.id >= ? AND s.id < ?"
        " ORDER BY s.id LIMIT ?",
        (dating.first, end, limit),
    )
    by_us = ahead_us - dating.ahead_us
    index.execute_many(
        "UPDATE segment SET deadline_us = ?, minimum_us = minimum_us - ? WHERE id = ?",
        [
            (_moved_us(deadline_us, start_us, dating.ahead_us, ahead_us, days), by_us, segment)
            for segment, _, start_us, deadline_us, days in rows
        ],
    )
    for camera, hour in sorted({(camera, start_us // HOUR_US) for _, camera, start_us, *_ in rows}):
        index.count_hours(camera, hour * HOUR_US, (hour + 1) * HOUR_US)
    index.execute("UPDATE dating SET ahead_us = ? WHERE first = ?", (ahead_us, dating.first))
    if len(rows) == limit and rows[-1][0] + 1 < end:
        index.execute("INSERT INTO dating VALUES (?, ?, ?, ?)", (rows[-1][0] + 1, *dating[1:]))
    return len(rows)


def due_us(start_us: int, ahead_us: int, retention_days: int) -> int:
    """The deadline of what is dated `start_us`, and so much ahead of the truth.

    Never later than that of its date, which its file bears: at a month's end that may be up to a day earlier.
    """
    dated_us, true_us = (
        us_from_at(deadline_at(at_from_us(us), retention_days)) for us in (start_us, start_us - ahead_us)
    )
    return min(dated_us, true_us)


def _moved_us(deadline_us: int, start_us: int, ahead_us: int, new_us: int, days: int | None) -> int:
    """A deadline, which was reckoned as if dated `ahead_us` ahead, as if dated `new_us` ahead.

    Anew from the delay that gave it, for a month isn't always as long. Where several would have given it, that in force
    (`days`), else the longest. One that none gave moves along.
    """
    for delay in (days or LONGEST_DAYS, *range(LONGEST_DAYS, 0, -1)):
        if due_us(start_us, ahead_us, delay) == deadline_us:
            return due_us(start_us, new_us, delay)
    return deadline_us - (new_us - ahead_us)
