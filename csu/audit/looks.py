"""Looks: each ticket that was redeemed, from its opening to its end, with what was really served meanwhile.

They are the gateway's entries put together. A session lasts twelve hours at most, and no look outlasts it: entries of
twelve hours before and after a period tell every look that touches it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    and_,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from csu.accounts import sessions
from csu.store import tables

# Pictures further apart than this are two intervals: nothing was seen between them.
_APART = timedelta(seconds=2)
_JOURNAL = tables.journal
PARTS = ("picture:opened", "picture:served", "picture:closed")
_SHARED = (
    "author", "author_name", "quality", "authority", "commune", "camera", "camera_name",
    "motif_code", "motif_reference", "workstation",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Period:
    from_at: datetime
    to_at: datetime


def looks(period: Period, now: datetime, chosen: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """One row a look that touches the period: who, on what, why, `begun_at`, `ended_at` (null: still open), `reason`
    that ended it, `told` (intervals of each entry), `frames`, `bytes`, `stepped` (what the page
    told in each entry, or null), `opening` (the entry's id)."""
    told = cast(_JOURNAL.c.detail, JSONB)
    part = (
        select(
            _JOURNAL.c.id, _JOURNAL.c.at, _JOURNAL.c.op, *(_JOURNAL.c[name] for name in _SHARED),
            told["ticket"].astext.label("ticket"), told["act"].astext.label("act"),
            told["reason"].astext.label("reason"), told["intervals"].label("intervals"),
            told["page_says_stepped"].label("stepped"),
            cast(told["frames"].astext, Integer).label("frames"),
            func.coalesce(told["bytes"].astext, "0").label("bytes"),
        )
        .where(
            _JOURNAL.c.op.in_(PARTS),
            _JOURNAL.c.at >= period.from_at - sessions.LONGEST,
            _JOURNAL.c.at < period.to_at + sessions.LONGEST,
            *chosen,
        )
        .cte("part")
    )  # fmt: skip
    opened, closed = part.c.op == "picture:opened", part.c.op == "picture:closed"
    begun_at = func.min(part.c.at).filter(opened)
    ended_at = func.max(part.c.at).filter(closed)
    grouped = (part.c.ticket, part.c.act, *(part.c[name] for name in _SHARED))
    return (
        select(
            *grouped,
            begun_at.label("begun_at"),
            ended_at.label("ended_at"),
            func.max(part.c.reason).filter(closed).label("reason"),
            func.jsonb_agg(aggregate_order_by(part.c.intervals, part.c.at)).label("told"),
            func.jsonb_agg(part.c.stepped).filter(part.c.stepped.is_not(None)).label("stepped"),
            func.coalesce(func.sum(part.c.frames), 0).label("frames"),
            func.sum(cast(part.c.bytes, BigInteger)).label("bytes"),
            func.array_agg(part.c.id).filter(opened)[1].label("opening"),
        )
        .group_by(*grouped)
        .having(
            and_(
                begun_at < period.to_at,
                or_(ended_at.is_(None), ended_at > period.from_at),
                begun_at <= now,
            )
        )
    )


def counts(period: Period, now: datetime, chosen: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """How many looks, and their seconds within the period, by agent, camera, act and local hour of their beginning."""
    look = looks(period, now, chosen).cte("look")
    hour = func.extract("hour", func.timezone("Europe/Paris", look.c.begun_at))
    ends_at = func.least(func.coalesce(look.c.ended_at, now), period.to_at)
    seconds = func.extract("epoch", ends_at - func.greatest(look.c.begun_at, period.from_at))
    grouped = [look.c[name] for name in ("author", "author_name", "camera", "camera_name", "commune", "act")]
    return select(
        *grouped,
        cast(hour, Integer).label("hour"),
        func.count(literal(1)).label("looks"),
        cast(func.sum(func.greatest(seconds, 0)), Integer).label("seconds"),
    ).group_by(*grouped, literal_column("hour"))


def served(told: Sequence[Any]) -> list[tuple[datetime, datetime]]:
    """The pictures' own times that were served, in order and apart from each other."""
    return _joined(one for intervals in told for one in intervals or ())


def stepped(told: Sequence[Any]) -> tuple[int, list[tuple[datetime, datetime]]]:
    """How many pictures were stepped through one by one by the page's word, and between which times of theirs."""
    every = [one for stretches in told for one in stretches]
    return sum(frames for _, _, frames in every), _joined((start, end) for start, end, _ in every)


def _joined(every: Iterable[Sequence[str]]) -> list[tuple[datetime, datetime]]:
    found: list[tuple[datetime, datetime]] = []
    for start, end in sorted((datetime.fromisoformat(one[0]), datetime.fromisoformat(one[1])) for one in every):
        if found and start - found[-1][1] <= _APART:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
