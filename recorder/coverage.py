"""What was recorded and what is missing: runs and gaps of one camera over an interval (invariant 2).

Under orders is under orders whether or not a row says more: what neither a run nor a gap covers is itself a gap,
`ours` and "unaccounted", so that the sum is always 100 %.

Expected is what the recorder had to record. Time without an authorisation isn't, nor masked time: recording was not
allowed (CSI L.252-1), or forbidden by order. Planned time is: the camera has to be recorded and is while it gives
pictures, and an announcement must not make a month look better than it was; that it was announced is its own cause.
"""

import bisect
import operator
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from recorder.accounts import Cause
from recorder.utc import text_from_us

ALIVE_US = 15_000_000
"""A recorder whose last wave is older than this isn't running: the time since is a gap already."""

RECORDED = "recorded"
NOT_EXPECTED = frozenset({Cause.AUTHORISATION, Cause.MASKED})
"""Causes for which nothing was to be recorded."""
Interval = tuple[int, int]
_FROM = operator.itemgetter(0)


class Missing(NamedTuple):
    from_us: int
    to_us: int
    cause: str
    detail: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """Microseconds; `runs` and `gaps` don't overlap, in order, and fill what was under orders up to `until_us`."""

    until_us: int
    expected_us: int
    recorded_us: int
    runs: list[Interval]
    gaps: list[Missing]

    def sums(self) -> dict[str, int]:
        """Microseconds recorded and missing by cause, every cause named: together what was under orders."""
        sums = {RECORDED: self.recorded_us, **{str(cause): 0 for cause in Cause}}
        for gap in self.gaps:
            sums[gap.cause] = sums.get(gap.cause, 0) + gap.to_us - gap.from_us
        return sums

    def to_json(self) -> dict[str, Any]:
        # Where a run ends a gap begins: each instant is put into words once, which is most of the work.
        bounds = {us for run in self.runs for us in run} | {us for g in self.gaps for us in (g.from_us, g.to_us)}
        texts = {us: text_from_us(us) for us in bounds}
        return {
            "runs": [{"from": texts[a], "to": texts[b]} for a, b in self.runs],
            "gaps": [
                {"from": texts[g.from_us], "to": texts[g.to_us], "cause": g.cause, "detail": g.detail}
                for g in self.gaps
            ],
        }


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Half-open intervals joined where they touch or overlap, in order, without empty ones."""
    joined: list[Interval] = []
    for start, end in sorted(intervals):
        if end <= start:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def subtract(intervals: Sequence[Interval], taken: Sequence[Interval]) -> list[Interval]:
    """What of `intervals` (disjoint, in order) lies in none of `taken` (the same)."""
    left: list[Interval] = []
    first = 0
    for start, end in intervals:
        while first < len(taken) and taken[first][1] <= start:
            first += 1
        at = first
        while at < len(taken) and taken[at][0] < end:
            if taken[at][0] > start:
                left.append((start, taken[at][0]))
            start = max(start, taken[at][1])
            at += 1
        if start < end:
            left.append((start, end))
    return left


def account(
    periods: Sequence[Interval], runs: Sequence[Interval], gaps: Sequence[Missing], from_us: int, to_us: int
) -> Coverage:
    """Add up an interval. Runs win over gaps, and of two gaps the one that began first (or came first)."""
    recorded = _within(union(runs), from_us, to_us)
    missing: list[Missing] = []
    at_us = from_us  # no gap before reaches further
    first = 0  # of the runs that end after it
    for gap in sorted(gaps, key=_FROM):
        low, high = max(gap.from_us, at_us), min(gap.to_us, to_us)
        if low >= high:
            continue
        at_us = high
        while first < len(recorded) and recorded[first][1] <= low:
            first += 1
        if first < len(recorded) and recorded[first][0] < high:
            last = bisect.bisect_left(recorded, (high, high), first)
            left = subtract([(low, high)], recorded[first:last])
            missing += [Missing(a, b, gap.cause, gap.detail) for a, b in left]
        else:
            missing.append(Missing(low, high, gap.cause, gap.detail))
    covered = union([*recorded, *((gap.from_us, gap.to_us) for gap in missing)])
    ordered = _within(union(periods), from_us, to_us)
    missing += [Missing(a, b, Cause.OURS, "unaccounted") for a, b in subtract(ordered, covered)]
    missing.sort(key=_FROM)
    recorded_us = sum(b - a for a, b in recorded)
    expected_us = recorded_us + sum(g.to_us - g.from_us for g in missing if g.cause not in NOT_EXPECTED)
    return Coverage(to_us, expected_us, recorded_us, recorded, missing)


def percentages(sums: Mapping[str, int]) -> dict[str, float]:
    """Shares of the whole with two decimals, that add up to exactly 100 (by the largest remainders); 0 of nothing."""
    total = sum(sums.values())
    if not total:
        return dict.fromkeys(sums, 0.0)
    floors = {name: part * 10_000 // total for name, part in sums.items()}
    by_remainder = sorted(sums, key=lambda name: -(sums[name] * 10_000 % total))
    for name in by_remainder[: 10_000 - sum(floors.values())]:
        floors[name] += 1
    return {name: share / 100 for name, share in floors.items()}


@dataclass(frozen=True, slots=True)
class Account:
    """What one index has of a camera in an interval, as its rows are; ends that are None are still to come. `alive_us`:
    its last wave. `open_runs` go on, and end where they are durable."""

    alive_us: int | None
    periods: list[tuple[int, int | None]]
    runs: list[Interval]
    open_runs: list[Interval]
    gaps: list[tuple[int, int | None, str, str]]

    @property
    def came_us(self) -> int:
        """Since when the camera is under orders here; 0 when it isn't."""
        return max((a for a, b in self.periods if b is None), default=0)


def read_account(connection: sqlite3.Connection, camera: str, from_us: int, to_us: int) -> Account | None:
    """None for a camera that this index never heard of."""
    row = connection.execute("SELECT id FROM camera WHERE uuid = ?", (camera,)).fetchone()
    if row is None:
        return None
    alive = connection.execute("SELECT value FROM meta WHERE key = 'alive_us'").fetchone()
    values = (row[0], to_us, from_us)
    # The + keeps a condition from choosing the index: without it, all runs before the interval's end would be read.
    runs = connection.execute(
        "SELECT from_us, to_us FROM run WHERE camera = ? AND +from_us < ? AND to_us > ? AND reason IS NOT NULL", values
    ).fetchall()
    open_runs = connection.execute(
        "SELECT from_us, to_us FROM run WHERE camera = ? AND +from_us < ? AND reason IS NULL", values[:2]
    ).fetchall()
    gaps = connection.execute(
        "SELECT from_us, to_us, cause, detail FROM gap WHERE camera = ? AND from_us < ? AND to_us > ?", values
    ).fetchall()
    gaps += connection.execute(
        "SELECT from_us, to_us, cause, detail FROM gap WHERE camera = ? AND from_us < ? AND to_us IS NULL", values[:2]
    ).fetchall()
    periods = connection.execute(
        "SELECT from_us, to_us FROM period WHERE camera = ? AND from_us < ? AND (to_us IS NULL OR to_us > ?)", values
    ).fetchall()
    return Account(alive[0] if alive else None, periods, runs, open_runs, gaps)


def read_offsets(connection: sqlite3.Connection, camera: str, from_us: int, to_us: int) -> list[dict[str, Any]]:
    """The camera's clock ahead of ours in each of its runs, as far as its reports told."""
    rows = connection.execute(
        "SELECT r.from_us, r.to_us, r.clock_offset_us FROM run r JOIN camera c ON c.id = r.camera WHERE c.uuid = ?"
        " AND r.from_us < ? AND r.to_us > ? AND r.clock_offset_us IS NOT NULL ORDER BY r.from_us",
        (camera, to_us, from_us),
    )
    return [{"from": text_from_us(a), "to": text_from_us(b), "offset_s": offset / 1e6} for a, b, offset in rows]


def unite(accounts: Sequence[Account], from_us: int, to_us: int, now_us: int, away: bool = False) -> Coverage | None:
    """One camera's account over all directories; None for one that none of them ever heard of.

    It reaches to what is known: to the durable end of a run that goes on. When the recorder isn't running, what came
    after is a gap of ours; when only this directory isn't heard of any more, of its storage. A camera is under orders
    where it came last: what another directory still has open ended then. `away`: a directory can't be read. What no
    other accounts for may be there, and is a gap `storage` too.
    """
    if not accounts and not away:
        return None
    until_us = min(to_us, max(now_us, from_us))
    alive = [one.alive_us is None or now_us - one.alive_us < ALIVE_US for one in accounts]
    going_on = [end for one, is_alive in zip(accounts, alive, strict=True) for _, end in one.open_runs if is_alive]
    if going_on:
        until_us = max(from_us, min(until_us, max(going_on)))
    came_us = max((one.came_us for one in accounts), default=0)
    stopped = (Cause.STORAGE, "away") if any(alive) else (Cause.OURS, "not running")
    periods: list[Interval] = []
    missing: list[Missing] = []
    for one, is_alive in zip(accounts, alive, strict=True):
        left_us = until_us if one.came_us == came_us else min(came_us, until_us)
        periods += [(a, left_us if b is None else b) for a, b in one.periods]
        missing += [Missing(a, left_us if b is None else b, cause, detail) for a, b, cause, detail in one.gaps]
        if not is_alive:
            missing += [Missing(end_us, left_us, *stopped) for _, end_us in one.open_runs]
    runs = [run for one in accounts for run in (*one.runs, *one.open_runs)]
    if away:
        known = union([*periods, *runs, *((gap.from_us, gap.to_us) for gap in missing)])
        missing += [Missing(a, b, Cause.STORAGE, "away") for a, b in subtract([(from_us, until_us)], known)]
    return account(periods, runs, missing, from_us, until_us)


def read_coverage(
    connection: sqlite3.Connection, camera: str, from_us: int, to_us: int, now_us: int
) -> Coverage | None:
    """One camera's account from one index; None for a camera that it never heard of."""
    found = read_account(connection, camera, from_us, to_us)
    return None if found is None else unite([found], from_us, to_us, now_us)


def cameras_under_orders(connection: sqlite3.Connection, from_us: int, to_us: int) -> list[str]:
    """The uuids of those that were at any time of the interval."""
    cameras = connection.execute(
        "SELECT DISTINCT c.uuid FROM camera c JOIN period p ON p.camera = c.id"
        " WHERE p.from_us < ? AND (p.to_us IS NULL OR p.to_us > ?) ORDER BY c.uuid",
        (to_us, from_us),
    ).fetchall()
    return [camera for (camera,) in cameras]


def read_month(
    connections: Sequence[sqlite3.Connection], from_us: int, to_us: int, now_us: int, away: bool = False
) -> dict[str, Coverage]:
    """The account of every camera that was under orders in the interval, by its uuid, over all these indexes."""
    names = {camera for connection in connections for camera in cameras_under_orders(connection, from_us, to_us)}
    found: dict[str, Coverage] = {}
    for camera in sorted(names):
        accounts = [read_account(connection, camera, from_us, to_us) for connection in connections]
        coverage = unite([one for one in accounts if one is not None], from_us, to_us, now_us, away)
        if coverage is not None:
            found[camera] = coverage
    return found


def _within(intervals: Sequence[Interval], low: int, high: int) -> list[Interval]:
    """What of `intervals` (disjoint, in order) lies between the two."""
    inside = [(a, b) for a, b in intervals if a < high and b > low]
    if inside:
        inside[0] = max(inside[0][0], low), inside[0][1]
        inside[-1] = inside[-1][0], min(inside[-1][1], high)
    return inside
