"""What each camera's civil day came to, told to the centre once the day is over: the fact `coverage_day`.

Days are those of Europe/Paris, of 23, 24 or 25 hours. A day is told once, in one transaction for all its cameras, and
never again; days that ended while the recorder was down are told when it is back.
"""

import sqlite3
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from legal.retention import PARIS
from recorder.adoption import ADOPTING
from recorder.coverage import Coverage, read_month
from recorder.index import Index
from streams.ticks import at_from_us, us_from_at

_SETTLED_US = 600_000_000
"""How long after midnight what was recorded before it is surely durable."""
_MOST_DAYS = 31
"""So many days are told of an index that has told none yet: one made before there was this fact, or rebuilt."""
_TOLD = "coverage_day"


@dataclass(frozen=True, slots=True)
class Day:
    """A day that is over. `cameras` by uuid: those that were under orders at any time of it."""

    day: date
    cameras: dict[str, Coverage]


def bounds_us(day: date) -> tuple[int, int]:
    """From midnight to midnight in Paris, UTC microseconds; the clocks change at 2 or 3, never at midnight."""
    first = datetime.combine(day, time(), PARIS)
    return us_from_at(first), us_from_at(datetime.combine(day + timedelta(days=1), time(), PARIS))


def read_next_day(connection: sqlite3.Connection, now_us: int) -> Day | None:
    """The first day that is over and not told yet; None when there is none, or when not all of it is durable yet."""
    day = _next(connection, now_us)
    if day is None:
        return None
    from_us, to_us = bounds_us(day)
    (alive_us,) = connection.execute("SELECT value FROM meta WHERE key = 'alive_us'").fetchone() or (0,)
    cameras = read_month([connection], from_us, to_us, now_us)
    if alive_us < to_us or any(coverage.until_us < to_us for coverage in cameras.values()):
        return None
    return Day(day, cameras)


def _next(connection: sqlite3.Connection, now_us: int) -> date | None:
    over = at_from_us(now_us - _SETTLED_US).astimezone(PARIS).date() - timedelta(days=1)
    meta = dict(connection.execute("SELECT key, value FROM meta WHERE key IN (?, ?)", (_TOLD, ADOPTING)))
    if meta.get(ADOPTING) is not None:
        return None  # not every file has its row yet
    if meta.get(_TOLD) is not None:
        day = date.fromisoformat(meta[_TOLD]) + timedelta(days=1)
    else:
        (since_us,) = connection.execute("SELECT min(from_us) FROM period").fetchone()
        if since_us is None:
            return None
        day = max(at_from_us(since_us).astimezone(PARIS).date(), over - timedelta(days=_MOST_DAYS - 1))
    return day if day <= over else None


def tell_day(index: Index, day: Day, now_us: int) -> None:
    """Add the facts of a day, in seconds, and remember that it is told."""
    for camera, coverage in sorted(day.cameras.items()):
        sums = {name: us / 1e6 for name, us in coverage.sums().items()}
        index.fact(
            now_us, "coverage_day", camera, day=day.day.isoformat(), expected_s=coverage.expected_us / 1e6, sums=sums
        )
    index.put(_TOLD, day.day.isoformat())
