"""What each camera's civil day came to, told to the centre once the day is over: the fact `coverage_day`.

Days are those of Europe/Paris, of 23, 24 or 25 hours. A day is told once, over all storage directories, in the feed of
one of their indexes, in one transaction for all its cameras; every index remembers that it was. Days that ended while
the recorder was down are told when it is back. Pure but for the questions to an index.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from legal.retention import PARIS
from recorder.adoption import ADOPTING
from recorder.coverage import Account, Coverage, cameras_under_orders, read_account, unite
from recorder.index import Index
from streams.ticks import at_from_us, us_from_at

_SETTLED_US = 600_000_000
"""How long after midnight what was recorded before it is surely durable."""
_PATIENCE_US = 6 * 3_600_000_000
"""How long after midnight a directory that is away is waited for; then what only it knows is a gap `storage`."""
_MOST_DAYS = 31
"""So many days are told of indexes that have told none yet: made before there was this fact, or rebuilt."""
_TOLD = "coverage_day"


@dataclass(frozen=True, slots=True)
class Standing:
    """What one index says of the days: the last that it remembers told, the first of which it has an account, whether
    files still lack a row, its last wave."""

    told: date | None
    since: date | None
    adopting: bool
    alive_us: int


@dataclass(frozen=True, slots=True)
class Day:
    """A day that is over. `cameras` by uuid: those that were under orders at any time of it."""

    day: date
    cameras: dict[str, Coverage]


def bounds_us(day: date) -> tuple[int, int]:
    """From midnight to midnight in Paris, UTC microseconds; the clocks change at 2 or 3, never at midnight."""
    first = datetime.combine(day, time(), PARIS)
    return us_from_at(first), us_from_at(datetime.combine(day + timedelta(days=1), time(), PARIS))


def read_standing(connection: sqlite3.Connection) -> Standing:
    meta = dict(connection.execute("SELECT key, value FROM meta WHERE key IN (?, ?, 'alive_us')", (_TOLD, ADOPTING)))
    (since_us,) = connection.execute("SELECT min(from_us) FROM period").fetchone()
    return Standing(
        told=None if meta.get(_TOLD) is None else date.fromisoformat(meta[_TOLD]),
        since=None if since_us is None else _day_of(since_us),
        adopting=meta.get(ADOPTING) is not None,
        alive_us=meta.get("alive_us") or 0,
    )


def next_day(standings: Sequence[Standing], now_us: int, away: bool) -> date | None:
    """The first day that is over and not told yet; None when there is none, or when not all of it is known yet.

    `away`: there is a directory that says nothing. One whose last wave was before the day's end is like it. A day told
    whose end is still to come was told under a clock that was ahead: it says nothing.
    """
    over = _day_of(now_us - _SETTLED_US) - timedelta(days=1)
    days = [one.told for one in standings if one.told is not None]
    told = max((day for day in days if bounds_us(day)[1] <= now_us), default=None)
    since = min((one.since for one in standings if one.since is not None), default=None)
    if since is None or any(one.adopting for one in standings):
        return None
    day = max(since, over - timedelta(days=_MOST_DAYS - 1)) if told is None else told + timedelta(days=1)
    _, to_us = bounds_us(day)
    waits = away or any(one.alive_us < to_us for one in standings)
    return None if day > over or (waits and now_us < to_us + _PATIENCE_US) else day


def read_accounts(connection: sqlite3.Connection, day: date) -> dict[str, Account]:
    """What an index has of each camera that was under orders there at any time of the day."""
    from_us, to_us = bounds_us(day)
    names = cameras_under_orders(connection, from_us, to_us)
    found = {camera: read_account(connection, camera, from_us, to_us) for camera in names}
    return {camera: account for camera, account in found.items() if account is not None}


def add_up(day: date, accounts: Sequence[Mapping[str, Account]], now_us: int, away: bool) -> Day | None:
    """The day over all directories; None when a run that goes on is not durable yet up to its end."""
    from_us, to_us = bounds_us(day)
    cameras: dict[str, Coverage] = {}
    for camera in sorted({camera for one in accounts for camera in one}):
        coverage = unite([one[camera] for one in accounts if camera in one], from_us, to_us, now_us, away)
        if coverage is None:
            continue
        if coverage.until_us < to_us:
            return None
        cameras[camera] = coverage
    return Day(day, cameras)


def tell_day(index: Index, day: Day, now_us: int) -> None:
    """Add the facts of a day, in seconds, and remember that it is told."""
    for camera, coverage in sorted(day.cameras.items()):
        sums = {name: us / 1e6 for name, us in coverage.sums().items()}
        index.fact(
            now_us, "coverage_day", camera, day=day.day.isoformat(), expected_s=coverage.expected_us / 1e6, sums=sums
        )
    remember_day(index, day.day)


def remember_day(index: Index, day: date) -> None:
    """It is told, here or in the feed of another index."""
    index.put(_TOLD, day.isoformat())


def _day_of(us: int) -> date:
    return at_from_us(us).astimezone(PARIS).date()
