"""The breaker: a destruction far beyond plan waits for two persons (invariant 7).

Planned is what falls due as time passes, however much that is after an outage. Two things only make more fall due than
that. An order that shortens a delay: when by it more than half of what a camera has under that authorisation (and an
hour more) would be due at once, the deadlines stay as they are until two persons agree. And a clock that is trusted
yet runs ahead of the machine's own (CLOCK_BOOTTIME): more than one day ahead in a day, and destruction goes on by the
machine's own. What isn't destroyed for that isn't shown either, and dies at its deadline of before at the latest.

What waits is told one act at a time: the leap of the clock, then orders, the oldest first. An act has the same name in
every directory, however much of it each has judged, and is told once all have judged what they have of it.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from recorder.clock import ClockMemory
from recorder.index import CLOSED, HOUR_US, UNCOUNTED, Index

LEAP_US = 86_400_000_000
RETENTION, CLOCK = "retention", "clock"


@dataclass(frozen=True, slots=True)
class Breaker:
    """What waits by one act. `reason`: "retention" or "clock"; `act`: of orders, when they were issued, in microseconds
    (UTC); of a clock, the day to which it leapt, as it would have been when the machine started."""

    reason: str
    act: int
    segments: int
    bytes: int
    judging: bool = False

    @property
    def id(self) -> str:
        """What two persons sign for."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.reason} {self.act}"))


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
    if is_new and not _is_any_due(index, followed.due_us, due_us):
        followed = Plan(clock.boot_id, clock.seen_us, due_us)  # the clock leapt, and nothing is due for it
    elif is_new:
        index.put("plan_act", (due_us - clock.seen_us) // LEAP_US)
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
    index: Index,
    camera: int,
    authorisation: str,
    retention_days: int,
    segments: Sequence[Moved],
    due_us: int,
    act_us: int,
) -> bool:
    """Whether this shorter delay, of the orders of `act_us`, has to wait for two persons; what waits is remembered. The
    caller commits."""
    key = (camera, authorisation)
    known: list[Any] = index.query(
        "SELECT retention_days, released FROM withheld WHERE camera = ? AND authorisation = ?", key
    )
    if known == [(retention_days, 1)]:
        return False  # still remembered until all of it is done: a crash in the midst asks nobody again
    due = due_by_order(segments, due_us)
    if not due:
        index.execute("DELETE FROM withheld WHERE camera = ? AND authorisation = ?", key)
        return False
    if known != [(retention_days, 0)]:
        index.execute(
            "INSERT OR REPLACE INTO withheld VALUES (?, ?, ?, ?, ?, ?, 0)",
            (*key, retention_days, len(due), sum(segment.length for segment in due), act_us),
        )
    return True


def is_withheld(index: Index, camera: int, authorisation: str, retention_days: int) -> bool:
    """Whether this delay was judged, and waits or was released."""
    values = (camera, authorisation, retention_days)
    query = "SELECT 1 FROM withheld WHERE camera = ? AND authorisation = ? AND retention_days = ?"
    return bool(index.query(query, values))


def read_breakers(index: Index, judging: Collection[int] = ()) -> list[Breaker]:
    """What waits for two persons now, by act. `judging`: orders of which this directory hasn't judged all yet."""
    found = {act_us: Breaker(RETENTION, act_us, 0, 0, judging=True) for act_us in judging}
    for act_us, count, size in index.query(
        "SELECT since_us, sum(segments), sum(bytes) FROM withheld WHERE NOT released GROUP BY 1 ORDER BY 1"
    ):
        found[act_us] = Breaker(RETENTION, act_us, count, size, judging=act_us in found)
    plan = load_plan(index)
    if plan is None or plan.leapt_us is None:
        return list(found.values())
    waiting, is_counting = _due_between(index, plan.due_us, plan.leapt_us), bool(index.get(UNCOUNTED))
    return [Breaker(CLOCK, index.get("plan_act", 0), *waiting, judging=is_counting), *found.values()]


def release_breaker(index: Index, breaker: str) -> bool:
    """Let go what waits by this act, as two persons signed for; False when nothing does here. The caller commits."""
    waiting = next((one for one in read_breakers(index) if one.id == breaker), None)
    plan = load_plan(index)
    if waiting is None:
        return False
    if waiting.reason == RETENTION:
        index.execute("UPDATE withheld SET released = 1 WHERE since_us = ?", (waiting.act,))
    elif plan is not None and plan.leapt_us is not None:
        _save_plan(index, Plan(plan.boot_id, plan.boot_us, max(plan.leapt_us, index.get("clock_due_us", 0))))
    return True


def unite(breakers: Iterable[Breaker]) -> Breaker | None:
    """The act to be released next, of all directories together; None when there is none, or not all of it is known."""
    acts: dict[str, list[Breaker]] = {}
    for breaker in breakers:
        acts.setdefault(breaker.id, []).append(breaker)
    known = [
        Breaker(of_one[0].reason, of_one[0].act, sum(b.segments for b in of_one), sum(b.bytes for b in of_one))
        for of_one in acts.values()
        if not any(breaker.judging for breaker in of_one)
    ]
    return min(known, key=lambda breaker: (breaker.reason != CLOCK, breaker.act), default=None)


def released_terms(index: Index) -> list[tuple[str, str, int, int]]:
    """Shorter delays that two persons have released and that aren't applied yet: camera, authorisation, days, act."""
    return [
        (camera, authorisation, days, act_us)
        for camera, authorisation, days, act_us in index.query(
            "SELECT c.uuid, w.authorisation, w.retention_days, w.since_us FROM withheld w"
            " JOIN camera c ON c.id = w.camera WHERE w.released"
        )
    ]


def _is_any_due(index: Index, from_us: int, to_us: int) -> bool:
    """Whether anything falls due in between, held or not."""
    query = "SELECT 1 FROM segment WHERE deadline_us > ? AND deadline_us <= ? AND state = ? LIMIT 1"
    return bool(index.query(query, (from_us, to_us, CLOSED)))


def _due_between(index: Index, from_us: int, to_us: int) -> tuple[int, int]:
    """Segments and bytes of the hours that fall due in between, held or not."""
    values = (from_us, to_us)
    ((count, size),) = index.query(
        "SELECT coalesce(sum(count), 0), coalesce(sum(bytes), 0) FROM hour WHERE deadline_us > ? AND deadline_us <= ?",
        values,
    )
    return count, size
