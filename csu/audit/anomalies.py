"""What an auditor should look at first: pure rules over looks and refusals. None of them says that a person did wrong.

A day and an hour are civil ones in Europe/Paris.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256

from csu.clock import iso
from legal.retention import PARIS

# A whole wall is open at once for hours: what tells is one camera open while nothing else is.
ALONE = timedelta(hours=1)
LOOKS_A_DAY = 30
REPLAYS_A_DAY = 10
# An hour is unusual for an agent who worked on so many other days, never within an hour of it.
KNOWN_DAYS = 10
HISTORY = timedelta(days=28)
# A page of a wall can be refused at once: sixteen.
REFUSALS_AN_HOUR = 20
REFERENCE_DAYS = 3
# One post closes while the other opens.
POSTS_OVERLAP = timedelta(seconds=10)

RULES: dict[str, tuple[str, str]] = {
    "LONG_ON_ONE_CAMERA": (
        "Longtemps sur une seule caméra",
        "Une seule caméra ouverte par l'agent pendant une heure au moins, en une journée.",
    ),
    "OFTEN_ON_ONE_CAMERA": (
        "Souvent sur une même caméra",
        f"{LOOKS_A_DAY} ouvertures ou {REPLAYS_A_DAY} relectures de la même caméra au moins, en une journée.",
    ),
    "UNUSUAL_HOUR": (
        "Heure inhabituelle pour l'agent",
        f"Images ouvertes à plus d'une heure de toutes celles de ses {KNOWN_DAYS} autres journées au moins, "
        "sur quatre semaines.",
    ),
    "MANY_REFUSALS": ("Nombreux refus", f"{REFUSALS_AN_HOUR} refus opposés au même agent en une heure."),
    "REPLAY_WITHOUT_NUMBER": (
        "Relecture sans numéro d'intervention",
        "Pas de référence, ou une référence faite d'un seul chiffre répété.",
    ),
    "NUMBER_REUSED": (
        "Numéro d'intervention réutilisé",
        f"Une même référence donnée par l'agent pour des relectures de {REFERENCE_DAYS} journées au moins.",
    ),
    "TWO_POSTS": ("Deux postes à la fois", "Images ouvertes au même moment sur deux postes, plus de dix secondes."),
}

# Rules about what was given for a replay.
BY_REFERENCE = frozenset({"REPLAY_WITHOUT_NUMBER", "NUMBER_REUSED"})


@dataclass(frozen=True, slots=True)
class Look:
    """`ended_at` of one that is open is the present."""

    author: str
    author_name: str
    camera: str
    camera_name: str
    act: str
    begun_at: datetime
    ended_at: datetime
    workstation: str | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class Denial:
    author: str
    author_name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Anomaly:
    """`count` and `seconds` are what the rule measured; 0 where it does not."""

    code: str
    author: str
    author_name: str
    camera: str | None
    camera_name: str | None
    from_at: datetime
    to_at: datetime
    count: int = 0
    seconds: int = 0
    reference: str | None = None

    @property
    def id(self) -> str:
        """The same for the same finding, another once it has grown."""
        told = (self.code, self.author, self.camera, iso(self.from_at), iso(self.to_at), self.count, self.reference)
        return sha256(json.dumps(told).encode()).hexdigest()[:32]


# The hours of each agent's days: those in which pictures were opened.
Habits = Mapping[str, Mapping[date, frozenset[int]]]


def find(
    looks: Sequence[Look], denials: Sequence[Denial], habits: Habits, *, by_reference: bool = True
) -> list[Anomaly]:
    """All of them, the newest first; without `by_reference`, those that no reference is told by."""
    rules: tuple[Callable[[Sequence[Look]], Iterable[Anomaly]], ...] = (
        long_on_one_camera,
        often_on_one_camera,
        two_posts,
    )
    if by_reference:
        rules += (replays_without_number, numbers_reused)
    found = [anomaly for rule in rules for anomaly in rule(looks)]
    found += unusual_hours(looks, habits)
    found += many_refusals(denials)
    return sorted(found, key=lambda one: (one.from_at, one.code, one.author, one.camera or ""), reverse=True)


def long_on_one_camera(looks: Sequence[Look]) -> Iterable[Anomaly]:
    """Time in which a camera was all that the agent had open, by the day in which each such stretch begins."""
    for own in _by_agent(looks).values():
        alone: dict[tuple[str, date], list[tuple[datetime, datetime]]] = defaultdict(list)
        for camera, start, end in _alone(own):
            alone[camera, _day(start)].append((start, end))
        names = {look.camera: look for look in own}
        for (camera, _), stretches in alone.items():
            length = sum((end - start for start, end in stretches), timedelta())
            if length >= ALONE:
                bounds = stretches[0][0], stretches[-1][1]
                yield _of("LONG_ON_ONE_CAMERA", names[camera], bounds, len(stretches), int(length.total_seconds()))


def _alone(own: Sequence[Look]) -> Iterable[tuple[str, datetime, datetime]]:
    """Stretches with one camera open, however often it is open itself."""
    edges = sorted(
        [(look.begun_at, 1, look.camera) for look in own] + [(look.ended_at, -1, look.camera) for look in own]
    )
    count: dict[str, int] = defaultdict(int)
    since: datetime | None = None
    only: str | None = None
    for at, step, camera in edges:
        count[camera] += step
        if not count[camera]:
            del count[camera]
        now_only = next(iter(count)) if len(count) == 1 else None
        if now_only != only:
            if only is not None and since is not None and since < at:
                yield only, since, at
            since, only = at, now_only


def often_on_one_camera(looks: Sequence[Look]) -> Iterable[Anomaly]:
    groups: dict[tuple[str, str, date], list[Look]] = defaultdict(list)
    for look in looks:
        groups[look.author, look.camera, _day(look.begun_at)].append(look)
    for group in groups.values():
        replays = [look for look in group if look.act == "replay"]
        if len(group) >= LOOKS_A_DAY or len(replays) >= REPLAYS_A_DAY:
            yield _of("OFTEN_ON_ONE_CAMERA", group[0], _bounds(group), len(group))


def unusual_hours(looks: Sequence[Look], habits: Habits) -> Iterable[Anomaly]:
    """One a day and agent."""
    groups: dict[tuple[str, date], list[Look]] = defaultdict(list)
    for look in looks:
        groups[look.author, _day(look.begun_at)].append(look)
    for (author, day), group in groups.items():
        others = [hours for other, hours in habits.get(author, {}).items() if other != day and day - HISTORY <= other]
        if len(others) < KNOWN_DAYS:
            continue
        usual = {(hour + near) % 24 for hours in others for hour in hours for near in (-1, 0, 1)}
        odd = [look for look in group if look.begun_at.astimezone(PARIS).hour not in usual]
        if odd:
            yield _of("UNUSUAL_HOUR", odd[0], _bounds(odd), len(odd), camera=False)


def many_refusals(denials: Sequence[Denial]) -> Iterable[Anomaly]:
    """Stretches in which each refusal is one of so many within an hour."""
    groups: dict[str, list[Denial]] = defaultdict(list)
    for denial in sorted(denials, key=lambda one: one.at):
        groups[denial.author].append(denial)
    for author, own in groups.items():
        first, stretch = 0, range(0)
        found: list[range] = []
        for last, denial in enumerate(own):
            while denial.at - own[first].at >= timedelta(hours=1):
                first += 1
            if last - first + 1 < REFUSALS_AN_HOUR:
                continue
            if found and first < found[-1].stop:
                found[-1] = range(found[-1].start, last + 1)
            else:
                found.append(range(first, last + 1))
        for stretch in found:
            begins, ends = own[stretch.start].at, own[stretch.stop - 1].at
            yield Anomaly("MANY_REFUSALS", author, own[0].author_name, None, None, begins, ends, len(stretch))


def replays_without_number(looks: Sequence[Look]) -> Iterable[Anomaly]:
    for look in looks:
        digits = {char for char in look.reference or "" if char.isdigit()}
        if look.act == "replay" and len(digits) < 2:
            bounds = look.begun_at, look.ended_at
            yield _of("REPLAY_WITHOUT_NUMBER", look, bounds, reference=look.reference)


def numbers_reused(looks: Sequence[Look]) -> Iterable[Anomaly]:
    groups: dict[tuple[str, str], list[Look]] = defaultdict(list)
    for look in looks:
        if look.act == "replay" and look.reference is not None:
            groups[look.author, look.reference].append(look)
    for (_, reference), group in groups.items():
        if len({_day(look.begun_at) for look in group}) >= REFERENCE_DAYS:
            yield _of("NUMBER_REUSED", group[0], _bounds(group), len(group), camera=False, reference=reference)


def two_posts(looks: Sequence[Look]) -> Iterable[Anomaly]:
    """One a day and agent: from the first such moment to the last."""
    for own in _by_agent(looks).values():
        found: dict[date, Anomaly] = {}
        open_until: dict[str, datetime] = {}
        for look in own:
            post = look.workstation
            if post is None:
                continue
            meanwhile = max((end for other, end in open_until.items() if other != post), default=look.begun_at)
            until = min(look.ended_at, meanwhile)
            if until - look.begun_at > POSTS_OVERLAP:
                day = _day(look.begun_at)
                before = found.get(day)
                begins, count = (look.begun_at, 1) if before is None else (before.from_at, before.count + 1)
                ends = until if before is None else max(until, before.to_at)
                found[day] = _of("TWO_POSTS", look, (begins, ends), count, camera=False)
            open_until[post] = max(look.ended_at, open_until.get(post, look.ended_at))
        yield from found.values()


def _of(
    code: str,
    look: Look,
    bounds: tuple[datetime, datetime],
    count: int = 0,
    seconds: int = 0,
    *,
    camera: bool = True,
    reference: str | None = None,
) -> Anomaly:
    where, named = (look.camera, look.camera_name) if camera else (None, None)
    return Anomaly(code, look.author, look.author_name, where, named, bounds[0], bounds[1], count, seconds, reference)


def _by_agent(looks: Sequence[Look]) -> dict[str, list[Look]]:
    """Each agent's looks by their beginning."""
    groups: dict[str, list[Look]] = defaultdict(list)
    for look in sorted(looks, key=lambda one: one.begun_at):
        groups[look.author].append(look)
    return groups


def _bounds(group: Sequence[Look]) -> tuple[datetime, datetime]:
    return min(look.begun_at for look in group), max(look.ended_at for look in group)


def _day(at: datetime) -> date:
    return at.astimezone(PARIS).date()
