"""How the space of a storage directory is used, read from its index: what pressure is decided on, and status shows."""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from recorder.index import HOUR_US, UNCOUNTED
from recorder.pressure import STEP_S, Need, full_at_us
from recorder.rates import read_rates

SHORT_MARGIN = 1.05
"""The alarm ends when it would still be enough at a rate that is so much higher."""


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes. `early` may go for want of space now, `later` in the steps of `pressure.STEP_S` from now; `due`: what
    falls due, by hour in microseconds; `per_day`: of each camera, at the rate of the last day on which it recorded."""

    recorded: int = 0
    held: int = 0
    early: int = 0
    later: Mapping[int, int] = field(default_factory=dict)
    due: Mapping[int, int] = field(default_factory=dict)
    per_day: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pressure:
    """The arithmetic as `status` shows it. `capacity_bytes`: what recordings may take; `full_at_us`: when they will
    have taken it though deadlines free space all the time, None when it is enough."""

    capacity_bytes: int
    needed_bytes: int
    held_bytes: int
    bytes_per_day: int
    full_at_us: int | None


def read_space(connection: sqlite3.Connection, due_us: int) -> Space | None:
    """As it is when deadlines are held against `due_us`; None while not all hours are counted (`Index.count_on`)."""
    if connection.execute("SELECT value FROM meta WHERE key = ? AND value > 0", (UNCOUNTED,)).fetchall():
        return None
    step_us = int(STEP_S * 1_000_000)
    ((recorded, early),) = connection.execute(
        "SELECT coalesce(sum(bytes), 0), coalesce(sum(CASE WHEN late_us <= ?1 THEN bytes WHEN early_us > ?1 THEN 0"
        " ELSE bytes * (1.0 * (?1 - early_us) / (late_us - early_us)) END), 0) FROM hour",
        (due_us,),
    ).fetchall()
    later, due = (
        Counter[int](dict(connection.execute(query, values)))
        for query, values in (
            ("SELECT (late_us - ?1) / ?2, sum(bytes) FROM hour WHERE late_us > ?1 GROUP BY 1", (due_us, step_us)),
            ("SELECT deadline_us / ?, sum(bytes) FROM hour GROUP BY 1", (HOUR_US,)),
        )
    )
    held = 0
    # CROSS JOIN: from the few holds to their segments; left to itself SQLite goes through all segments.
    for _, length, early_us, deadline_us in connection.execute(
        "SELECT DISTINCT s.id, s.length, s.early_us, s.deadline_us FROM hold h CROSS JOIN segment s"
        " ON s.camera = h.camera AND s.start_us < h.to_us AND s.end_us > h.from_us WHERE s.state = 1"
    ):
        held += length
        due[deadline_us // HOUR_US] -= length
        if early_us <= due_us:
            early -= length
        else:
            later[(early_us - due_us) // step_us] -= length
    in_hours = {hour * HOUR_US: max(0, size) for hour, size in due.items()}
    return Space(recorded, held, max(0, int(early)), later, in_hours, read_rates(connection))


def pressure_of(space: Space, retention_days: Mapping[str, int], room_bytes: int, now_us: int) -> Pressure:
    """`retention_days`: of the cameras that record here; `room_bytes`: free, without what has to stay free."""
    needs = [Need(space.per_day.get(camera, 0), days) for camera, days in retention_days.items()]
    return Pressure(
        capacity_bytes=space.recorded + room_bytes,
        needed_bytes=sum(need.bytes for need in needs),
        held_bytes=space.held,
        bytes_per_day=sum(need.bytes_per_day for need in needs),
        full_at_us=full_at_us(now_us, room_bytes, needs, space.due),
    )


def is_short(space: Space, retention_days: Mapping[str, int], room_bytes: int, now_us: int, was: bool) -> bool:
    """Whether it won't be enough; once it wasn't, with a margin."""
    margin = SHORT_MARGIN if was else 1.0
    needs = [Need(int(space.per_day.get(camera, 0) * margin), days) for camera, days in retention_days.items()]
    return full_at_us(now_us, room_bytes, needs, space.due) is not None
