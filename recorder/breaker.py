"""The breaker: a destruction far beyond plan waits for two persons (invariant 7).

Planned is what falls due as time passes, however much that is after an outage. Two things only make more fall due than
that. An order that shortens a delay: when by it more than half of what a camera has under that authorisation (and an
hour more) would be due at once, the deadlines stay as they are until two persons agree. And a clock that is trusted
yet runs ahead of the machine's own (CLOCK_BOOTTIME): more than one day ahead in a day, and destruction goes on by the
machine's own. What isn't destroyed for that isn't shown either, and dies at its deadline of before at the latest.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from recorder.clock import ClockMemory
from recorder.index import HOUR_US, Index

LEAP_US = 86_400_000_000
RETENTION, CLOCK = "retention", "clock"


@dataclass(frozen=True, slots=True)
class Breaker:
    """What waits. `id` names exactly this: it changes with what waits. `reason`: "retention", "clock", or both."""

    id: str
    reason: str
    segments: int
    bytes: int


class Moved(NamedTuple):
    """A segment that no hold names, with the deadline that a shorter delay would give it. Microseconds, bytes."""

    time_us: int
    length: int
    deadline_us: int
    new_deadline_us: int


def due_by_order(segments: Sequence[Moved], due_us: int) -> list[Moved]:
    """What an order would make due at once at `due_us`; empty when that isn't far beyond plan."""
    kept_us = sum(segment.time_us for segment in segments if segment.deadline_us > due_us)
    due = [segment for segment in segments if segment.new_deadline_us <= due_us < segment.deadline_us]
    lost_us = sum(segment.time_us for segment in due)
    return due if lost_us > kept_us // 2 + HOUR_US else []


@dataclass(frozen=True, slots=True)
class Plan:
    """At boot time `boot_us` of this boot deadlines were held against `due_us`. `leapt_us`: the time to which the clock
    leapt from there, while that waits for two persons."""

    boot_id: str
    boot_us: int
    due_us: int
    leapt_us: int | None = None


def follow(plan: Plan | None, boot_id: str, boot_us: int, due_us: int) -> Plan:
    """The plan now that deadlines would be held against `due_us`: `allowed_us` of it says how far they are.

    Nothing tells how long a machine was off: after a reboot the trusted clock is believed, unless it was not before.
    """
    if plan is None or (plan.leapt_us is None and plan.boot_id != boot_id):
        return Plan(boot_id, boot_us, due_us)
    since_us = boot_us - plan.boot_us if plan.boot_id == boot_id else boot_us
    planned_us = plan.due_us + since_us
    if due_us - planned_us > LEAP_US:
        return Plan(boot_id, boot_us, planned_us, plan.leapt_us or due_us)
    if plan.leapt_us is not None or since_us >= LEAP_US or due_us < planned_us - LEAP_US:
        return Plan(boot_id, boot_us, due_us)
    return plan


def allowed_us(plan: Plan, due_us: int) -> int:
    """The time that destruction may hold deadlines against."""
    return due_us if plan.leapt_us is None else min(plan.due_us, due_us)


def planned(index: Index, clock: ClockMemory, due_us: int) -> int:
    """Follow the plan that the index remembers; the time that destruction may hold deadlines against now."""
    plan = load_plan(index)
    followed = follow(plan, clock.boot_id, clock.seen_us, due_us)
    is_new = plan is not None and plan.leapt_us is None and followed.leapt_us is not None
    if is_new and not _due_between(index, followed.due_us, due_us)[0]:
        followed = Plan(clock.boot_id, clock.seen_us, due_us)  # the clock leapt, and nothing is due for it
    if followed != plan:
        _save_plan(index, followed)
    return allowed_us(followed, due_us)


def load_plan(index: Index) -> Plan | None:
    boot_id = index.get("plan_boot_id")
    if boot_id is None:
        return None
    return Plan(boot_id, index.get("plan_boot_us"), index.get("plan_due_us"), index.get("plan_leapt_us"))


def forget_plan(index: Index) -> None:
    """Two persons have said that the clock is right: what falls due by it is planned."""
    index.put("plan_boot_id", None)


def _save_plan(index: Index, plan: Plan) -> None:
    index.put("plan_boot_id", plan.boot_id)
    index.put("plan_boot_us", plan.boot_us)
    index.put("plan_due_us", plan.due_us)
    index.put("plan_leapt_us", plan.leapt_us)


def withhold(
    index: Index, camera: int, authorisation: str, retention_days: int, segments: Sequence[Moved], due_us: int
) -> bool:
    """Whether this shorter delay has to wait for two persons; what waits is remembered. The caller commits."""
    key = (camera, authorisation)
    known: list[Any] = index.query(
        "SELECT retention_days, released FROM withheld WHERE camera = ? AND authorisation = ?", key
    )
    due = due_by_order(segments, due_us)
    if known == [(retention_days, 1)] or not due:
        index.execute("DELETE FROM withheld WHERE camera = ? AND authorisation = ?", key)
        return False
    if known != [(retention_days, 0)]:
        index.execute(
            "INSERT OR REPLACE INTO withheld VALUES (?, ?, ?, ?, ?, ?, 0)",
            (*key, retention_days, len(due), sum(segment.length for segment in due), due_us),
        )
    return True


def read_breaker(index: Index) -> Breaker | None:
    """What waits for two persons now; None when nothing does."""
    rows = index.query(
        "SELECT camera, authorisation, retention_days, since_us, segments, bytes FROM withheld WHERE NOT released"
        " ORDER BY camera, authorisation"
    )
    plan = load_plan(index)
    leapt_us = None if plan is None else plan.leapt_us
    if not rows and leapt_us is None:
        return None
    name = "\n".join([f"clock {leapt_us}", *(" ".join(map(str, row[:4])) for row in rows)])
    count, size = sum(row[4] for row in rows), sum(row[5] for row in rows)
    reasons = [RETENTION] if rows else []
    if plan is not None and leapt_us is not None:
        more, more_bytes = _due_between(index, plan.due_us, leapt_us)
        count, size = count + more, size + more_bytes
        reasons.append(CLOCK)
    return Breaker(str(uuid.uuid5(uuid.UUID(index.get("directory")), name)), ", ".join(reasons), count, size)


def release_breaker(index: Index, breaker: str) -> bool:
    """Let go what waits, as two persons signed for; False when it isn't what they signed for. The caller commits."""
    waiting = read_breaker(index)
    if waiting is None or waiting.id != breaker:
        return False
    index.execute("UPDATE withheld SET released = 1")
    if (plan := load_plan(index)) is not None and plan.leapt_us is not None:
        _save_plan(index, Plan(plan.boot_id, plan.boot_us, max(plan.leapt_us, index.get("clock_due_us", 0))))
    return True


def unite(breakers: Iterable[Breaker]) -> Breaker | None:
    """Those of several directories as one, that is released as one."""
    ordered = sorted(breakers, key=lambda breaker: breaker.id)
    if len(ordered) <= 1:
        return ordered[0] if ordered else None
    reasons = sorted({reason for breaker in ordered for reason in breaker.reason.split(", ")})
    name = "\n".join(breaker.id for breaker in ordered)
    return Breaker(
        str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
        ", ".join(reasons),
        sum(breaker.segments for breaker in ordered),
        sum(breaker.bytes for breaker in ordered),
    )


def released_terms(index: Index) -> list[tuple[str, str, int]]:
    """Shorter delays that two persons have released and that aren't applied yet: camera, authorisation, days."""
    return [
        (camera, authorisation, days)
        for camera, authorisation, days in index.query(
            "SELECT c.uuid, w.authorisation, w.retention_days FROM withheld w JOIN camera c ON c.id = w.camera"
            " WHERE w.released"
        )
    ]


def _due_between(index: Index, from_us: int, to_us: int) -> tuple[int, int]:
    """Segments and bytes of the hours that fall due in between, held or not."""
    values = (from_us, to_us)
    ((count, size),) = index.query(
        "SELECT coalesce(sum(count), 0), coalesce(sum(bytes), 0) FROM hour WHERE deadline_us > ? AND deadline_us <= ?",
        values,
    )
    return count, size
