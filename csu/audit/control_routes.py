"""The journal for those who control, put together: looks, statistics, what to look at first, a file of what is found.

No picture. Each is a reading of the journal, and an entry of it; so is what an auditor says of an anomaly.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Annotated, Self
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import ColumnElement, RowMapping, func, insert, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts.guard import Guard, Visit
from csu.audit import anomalies, export, looks, ops, search, words
from csu.audit.anomalies import Anomaly, Denial, Look
from csu.audit.looks import Period
from csu.audit.search import JournalFilter
from csu.clock import iso
from csu.errors import Refusal
from csu.schemas import Body, CommuneRef, Insee, Instant, Line, MotifRef
from csu.store import facts, tables
from legal.acts import Act
from legal.motifs import KINDS
from legal.secrecy import Secrets, secrets_from

router = APIRouter(prefix="/api/journal", tags=["journal"])
export_router = APIRouter(prefix="/api", tags=["journal"])
LONGEST_TIMELINE = timedelta(days=31)
LONGEST_STATISTICS = timedelta(days=92)
MOST_LOOKS = 500
# What the rules are told at once: some seconds of work for the database and for them.
MOST_TO_JUDGE = 100_000
_JOURNAL = tables.journal
_REFUSED = _JOURNAL.c.result == literal_column("'refused'")  # written out: the index is over such rows only


class PeriodQuery(BaseModel):
    """A period, and whose or which looks of it."""

    model_config = ConfigDict(frozen=True)

    from_at: Annotated[Instant, Field(alias="from")]
    to_at: Annotated[Instant, Field(alias="to")]
    person: UUID | None = None
    camera: UUID | None = None
    commune: Insee | None = None

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if not self.from_at < self.to_at:
            raise ValueError("expected from before to")
        return self

    def period(self, longest: timedelta) -> Period:
        """Raises Refusal 422 when it is too long to be answered at once."""
        if self.to_at - self.from_at > longest:
            raise _too_long(f"La période demandée dépasse {longest.days} jours : réduisez-la.")
        return Period(self.from_at, self.to_at)

    def asked(self, what: str) -> dict[str, str]:
        """For the entry of the reading."""
        given = {"person": self.person, "camera": self.camera, "commune": self.commune}
        period = {"from_at": iso(self.from_at) or "", "to_at": iso(self.to_at) or ""}
        return {"view": what, **period, **{name: str(value) for name, value in given.items() if value is not None}}

    def chosen(self, visit: Visit) -> list[ColumnElement[bool]]:
        found = search.visible(visit)
        if self.person is not None:
            found.append(_JOURNAL.c.author == str(self.person))
        if self.camera is not None:
            found.append(_JOURNAL.c.camera == str(self.camera))
        if self.commune is not None:
            found.append(_JOURNAL.c.commune == self.commune)
        return found


class Interval(BaseModel):
    from_at: datetime = Field(serialization_alias="from")
    to_at: datetime = Field(serialization_alias="to")


class LookBody(BaseModel):
    """`ended_at` None: still open. `served`: the pictures' own times that really left; `reason` is what ended it.

    `page_says_stepped`: how many pictures were stepped through one by one, and between which times of theirs
    (`page_says_stepped_in`), by the word of the page that showed them. Nothing proves it.
    """

    leaf: int | None
    author: str
    person: str | None
    quality: str
    authority: str | None
    commune: str | None
    camera: str | None
    camera_name: str | None
    act: str
    motif: str | None
    motif_reference: str | None
    workstation: str | None
    begun_at: datetime
    ended_at: datetime | None
    reason: str | None
    served: list[Interval]
    frames: int
    bytes: int
    page_says_stepped: int
    page_says_stepped_in: list[Interval]


class LooksBody(BaseModel):
    looks: list[LookBody]
    is_cut: bool = Field(description="whether there are more than were told: the newest were")


@router.get("/looks")
async def list_looks(
    visit: Annotated[Visit, Depends(Guard(Act.JOURNAL_READ))], query: Annotated[PeriodQuery, Query()]
) -> LooksBody:
    """Who watched what when, and what was really served; the newest first."""
    period = query.period(LONGEST_TIMELINE)
    secrets = secrets_from(visit.session.actor)
    async with visit.perform(detail=query.asked("looks")) as connection:
        found = looks.looks(period, visit.now, query.chosen(visit)).subquery()
        leaf = tables.journal_leaf
        statement = select(found, leaf.c.leaf).join_from(found, leaf, leaf.c.entry == found.c.opening, isouter=True)
        statement = statement.order_by(found.c.begun_at.desc(), found.c.ticket).limit(MOST_LOOKS + 1)
        rows = (await connection.execute(statement)).mappings().all()
    return LooksBody(looks=[_look(row, secrets) for row in rows[:MOST_LOOKS]], is_cut=len(rows) > MOST_LOOKS)


def _look(row: RowMapping, secrets: Secrets) -> LookBody:
    stepped, stepped_in = looks.stepped(row["stepped"] or ())
    fields = {name: row[name] for name in LookBody.model_fields if name in row}
    return LookBody(
        **fields
        | {
            "author": row["author_name"],
            "person": row["author"],
            "served": [Interval(from_at=start, to_at=end) for start, end in looks.served(row["told"])],
            "page_says_stepped": stepped,
            "page_says_stepped_in": [Interval(from_at=start, to_at=end) for start, end in stepped_in],
        }
        | words.told_motif(row, secrets)
    )


class Sum(BaseModel):
    """`key` is an agent's id, a camera's, a commune's code or an hour; None where the entries have none."""

    key: str | None
    name: str
    live: int = 0
    replay: int = 0
    seconds: int = 0


class CodeCount(BaseModel):
    """`reason` is one of those that were told with the code."""

    code: str
    reason: str
    count: int


class StatisticsBody(BaseModel):
    """Looks that touch the period; their seconds are those within it."""

    agents: list[Sum]
    cameras: list[Sum]
    communes: list[Sum]
    hours: list[Sum]
    refusals: list[CodeCount]


@router.get("/statistics")
async def read_statistics(
    visit: Annotated[Visit, Depends(Guard(Act.JOURNAL_READ))], query: Annotated[PeriodQuery, Query()]
) -> StatisticsBody:
    """How many looks, live and replayed, and how long, by agent, camera, commune and hour; refusals by code."""
    period, chosen = query.period(LONGEST_STATISTICS), query.chosen(visit)
    refused = (
        select(_JOURNAL.c.code, func.count().label("count"), func.max(_JOURNAL.c.reason).label("reason"))
        .where(_REFUSED, _JOURNAL.c.at >= period.from_at, _JOURNAL.c.at < period.to_at, *chosen)
        .group_by(_JOURNAL.c.code)
        .order_by(func.count().desc(), _JOURNAL.c.code)
    )
    async with visit.perform(detail=query.asked("statistics")) as connection:
        rows = (await connection.execute(looks.counts(period, visit.now, chosen))).mappings().all()
        refusals = (await connection.execute(refused)).mappings().all()
    async with visit.centre.store.facts() as connection:
        names = {insee: known.legal.name for insee, known in (await facts.communes(connection)).items()}
    hours = _sums((str(row["hour"]), f"{row['hour']} h", row) for row in rows)
    empty = {str(hour): Sum(key=str(hour), name=f"{hour} h") for hour in range(24)}
    return StatisticsBody(
        agents=_largest(_sums((row["author"], row["author_name"], row) for row in rows)),
        cameras=_largest(_sums((row["camera"], row["camera_name"] or "", row) for row in rows)),
        communes=_largest(
            _sums((row["commune"], names.get(row["commune"] or "", row["commune"] or ""), row) for row in rows)
        ),
        hours=list((empty | {one.key or "": one for one in hours}).values()),
        refusals=[
            CodeCount(code=row["code"] or "", reason=row["reason"] or "", count=row["count"]) for row in refusals
        ],
    )


def _sums(told: Iterable[tuple[str | None, str, RowMapping]]) -> list[Sum]:
    """By key: a person or a camera that was renamed meanwhile stays one."""
    sums: dict[str | None, Sum] = {}
    for key, name, row in told:
        one = sums.setdefault(key, Sum(key=key, name=name))
        if row["act"] == "replay":
            one.replay += row["looks"]
        else:
            one.live += row["looks"]
        one.seconds += row["seconds"]
    return list(sums.values())


def _largest(sums: list[Sum]) -> list[Sum]:
    return sorted(sums, key=lambda one: (-one.seconds, one.name, one.key or ""))


class RuleBody(BaseModel):
    code: str
    label: str
    bound: str


class SeenBody(BaseModel):
    """Who has looked into it, when, and what they say of it."""

    by: str
    at: datetime
    comment: str


class AnomalyBody(BaseModel):
    """`seen` is told to those who control the whole centre."""

    id: str
    code: str
    author: str
    author_name: str
    camera: str | None
    camera_name: str | None
    from_at: datetime = Field(serialization_alias="from")
    to_at: datetime = Field(serialization_alias="to")
    count: int
    seconds: int
    reference: str | None
    seen: SeenBody | None


class AnomalyComment(Body):
    """`anomaly`: its id, as it was told for the same period."""

    anomaly: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    comment: Annotated[Line, Field(min_length=3, max_length=200)]


class AnomaliesBody(BaseModel):
    rules: list[RuleBody]
    anomalies: list[AnomalyBody]


@router.get("/anomalies")
async def list_anomalies(
    visit: Annotated[Visit, Depends(Guard(Act.JOURNAL_READ))], query: Annotated[PeriodQuery, Query()]
) -> AnomaliesBody:
    """What to look at first, by rules whose bounds are told with them. None of it is a fault by itself."""
    period, chosen = query.period(LONGEST_TIMELINE), query.chosen(visit)
    async with visit.perform(detail=query.asked("anomalies")) as connection:
        told = await _told(connection, period, visit.now, chosen)
        seen = await _seen(connection, period)
    by_reference = secrets_from(visit.session.actor).open_motifs is None
    found = await asyncio.to_thread(anomalies.find, *told, by_reference=by_reference)
    return AnomaliesBody(
        rules=[
            RuleBody(code=code, label=label, bound=bound)
            for code, (label, bound) in anomalies.RULES.items()
            if by_reference or code not in anomalies.BY_REFERENCE
        ],
        anomalies=[AnomalyBody(**asdict(one), id=one.id, seen=_seen_of(one, seen)) for one in found],
    )


@router.post("/anomalies/seen", status_code=201)
async def see_anomaly(
    body: AnomalyComment,
    visit: Annotated[Visit, Depends(Guard(Act.ANOMALY_SEE))],
    query: Annotated[PeriodQuery, Query()],
) -> SeenBody:
    """The auditor has looked into it. What the rules find in the period now must be what was told: one that has grown
    since is another, and is looked into again."""
    period, chosen = query.period(LONGEST_TIMELINE), query.chosen(visit)
    await visit.demand(detail={"anomaly": body.anomaly})
    await visit.demand_words(body.comment)
    async with visit.centre.store.transaction(visit.communes) as connection:
        told = await _told(connection, period, visit.now, chosen)
    one = next((a for a in await asyncio.to_thread(anomalies.find, *told) if a.id == body.anomaly), None)
    detail = {"anomaly": body.anomaly, "given": body.comment}
    async with visit.refusing(visit.entry(visit.act, detail=detail)):
        if one is None:
            reason = "Ce qui était signalé a changé, ou des images en sont encore ouvertes : regardez de nouveau."
            raise Refusal(409, "ANOMALY_CHANGED", reason)
    assert one is not None
    row = {name: getattr(one, name) for name in ("code", "author", "camera", "reference", "from_at", "to_at")}
    row |= {"id": str(uuid4()), "comment": body.comment, "seen_at": visit.now, "seen_by": visit.session.actor.id}
    about = f"{anomalies.RULES[one.code][0]}, {one.author_name}"
    async with visit.perform(detail=detail | {"about": about}) as connection:
        await connection.execute(insert(tables.anomaly_seen).values(row))
    return SeenBody(by=visit.session.author.name, at=visit.now, comment=body.comment)


async def _seen(connection: AsyncConnection, period: Period) -> list[RowMapping]:
    """What has been looked into of a period, the latest first."""
    seen, account = tables.anomaly_seen, tables.account
    statement = (
        select(seen, account.c.name)
        .join_from(seen, account, account.c.id == seen.c.seen_by)
        .where(seen.c.from_at < period.to_at, seen.c.to_at >= period.from_at)
        .order_by(seen.c.seen_at.desc())
    )
    return list((await connection.execute(statement)).mappings().all())


def _seen_of(one: Anomaly, seen: Sequence[RowMapping]) -> SeenBody | None:
    """One is seen when it reaches no further than what was seen of it: what has grown since comes back."""
    about = one.code, one.author, one.camera, one.reference
    for row in seen:
        same = about == (row["code"], row["author"], row["camera"], row["reference"])
        if same and row["from_at"] <= one.from_at and one.to_at <= row["to_at"]:
            return SeenBody(by=row["name"], at=row["seen_at"], comment=row["comment"])
    return None


async def _told(
    connection: AsyncConnection, period: Period, now: datetime, chosen: list[ColumnElement[bool]]
) -> tuple[list[Look], list[Denial], dict[str, dict[date, frozenset[int]]]]:
    """The rows that the rules judge, of persons. Raises Refusal 422 when there are too many."""
    found = looks.looks(period, now, [*chosen, _JOURNAL.c.author.is_not(None)]).subquery()
    names = ("author", "author_name", "camera", "camera_name", "act", "begun_at", "workstation", "motif_reference")
    columns = [found.c[name] for name in names]
    statement = select(*columns, func.coalesce(found.c.ended_at, now).label("ended_at")).where(
        found.c.camera.is_not(None)
    )
    denied = select(_JOURNAL.c.author, _JOURNAL.c.author_name, _JOURNAL.c.at).where(
        _REFUSED,
        _JOURNAL.c.op != "picture:cut",
        _JOURNAL.c.author.is_not(None),
        _JOURNAL.c.at >= period.from_at,
        _JOURNAL.c.at < period.to_at,
        *chosen,
    )
    begun = func.timezone("Europe/Paris", _JOURNAL.c.at)
    habit = select(_JOURNAL.c.author, func.date(begun).label("day"), func.extract("hour", begun).label("hour")).where(
        _JOURNAL.c.op == "picture:opened",
        _JOURNAL.c.author.is_not(None),
        _JOURNAL.c.at >= period.from_at - anomalies.HISTORY - timedelta(days=1),
        _JOURNAL.c.at < period.to_at,
        *chosen,
    )
    rows = (await connection.execute(statement.limit(MOST_TO_JUDGE + 1))).mappings().all()
    refusals = (await connection.execute(denied.limit(MOST_TO_JUDGE + 1))).mappings().all()
    if max(len(rows), len(refusals)) > MOST_TO_JUDGE:
        raise _too_long("Trop de visualisations à examiner d'un coup : réduisez la période.")
    habits: dict[str, dict[date, set[int]]] = defaultdict(lambda: defaultdict(set))
    for row in (await connection.execute(habit.distinct())).mappings():
        habits[row["author"]][row["day"]].add(int(row["hour"]))
    return (
        [Look(**{("reference" if name == "motif_reference" else name): row[name] for name in row}) for row in rows],
        [Denial(**row) for row in refusals],
        {who: {day: frozenset(hours) for day, hours in days.items()} for who, days in habits.items()},
    )


class PersonRef(BaseModel):
    id: str
    name: str


class OpRef(BaseModel):
    op: str
    label: str


class PersonsBody(BaseModel):
    persons: list[PersonRef]
    communes: list[CommuneRef]
    ops: list[OpRef]
    motifs: list[MotifRef]


@router.get("/persons")
async def list_persons(visit: Annotated[Visit, Depends(Guard(Act.JOURNAL_PERSONS))]) -> PersonsBody:
    """What the journal may be searched for: the operations and motifs that are told to the person, and the agents and
    communes that concern them."""
    await visit.permit()
    secrets = secrets_from(visit.session.actor)
    told = sorted((label, op) for op, label in ops.LABELS.items() if op not in secrets.ops)
    account, held = tables.account, tables.habilitation
    statement = select(account.c.id, account.c.name).order_by(account.c.name, account.c.id)
    own = visit.communes
    if own is not None:
        statement = statement.where(account.c.id.in_(select(held.c.account).where(held.c.commune.in_(own))))
    async with visit.centre.store.facts() as connection:
        rows = (await connection.execute(statement)).mappings().all()
        communes = await facts.communes(connection)
    known = sorted(
        (one for insee, one in communes.items() if own is None or insee in own), key=lambda one: one.legal.name
    )
    return PersonsBody(
        persons=[PersonRef(**row) for row in rows],
        communes=[CommuneRef.of(commune) for commune in known],
        ops=[OpRef(op=op, label=label) for label, op in told],
        motifs=[MotifRef(code=code, label=kind.label) for code, kind in KINDS.items() if not secrets.withholds(code)],
    )


@export_router.get("/journal.csv", response_class=StreamingResponse)
async def export_journal(
    visit: Annotated[Visit, Depends(Guard(Act.JOURNAL_EXPORT))], query: Annotated[JournalFilter, Query()]
) -> Response:
    """What the filter finds, as it stands now, for a spreadsheet; the entry names how many rows leave, and to whom."""
    await visit.demand(detail=query.asked())
    leaf = tables.journal_leaf
    statement = search.readable(visit).where(*query.conditions(secrets_from(visit.session.actor)))
    async with visit.centre.store.transaction(visit.communes) as connection:
        upto = await connection.scalar(select(func.coalesce(func.max(leaf.c.leaf), -1)))
        statement = statement.where(leaf.c.leaf <= upto)
        rows = await connection.scalar(select(func.count()).select_from(statement.subquery()))
    detail = query.asked() | {"upto": upto, "rows": rows}
    await visit.record(visit.entry(visit.act, detail=detail, recipients=(visit.session.author.name,)))
    name = f"journal-{visit.now:%Y%m%d-%H%M%S}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(export.pages(visit, statement), media_type="text/csv", headers=headers)


def _too_long(reason: str) -> Refusal:
    return Refusal(422, "PERIOD_TOO_LONG", reason)
