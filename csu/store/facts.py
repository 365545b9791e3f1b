"""The legal facts of tables, read under the guard's role and handed to `legal` by value.

`at` asks for what was known at a past date (`history.py`) instead of what is known now.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, RowMapping, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.store import in_force, tables
from csu.store.history import known as known_at
from legal import facts, persons
from legal.facts import Basis, Category, Regime, Right, Role, Subject, Validity
from legal.interruptions import Cause

INQUIRY_BLOCKS = "INQUIRY_BLOCKS"
"""The centre's rule that an agrément whose inquiry is over five years old opens nothing."""


@dataclass(frozen=True, slots=True)
class KnownCommune:
    """A commune as the law sees it, and under whose authority its pictures are seen."""

    legal: facts.Commune
    authority: str


@dataclass(frozen=True, slots=True)
class AnnouncedInterruption:
    """One that is decided: its cause, and when it holds."""

    cause: Cause
    validity: Validity


@dataclass(frozen=True, slots=True)
class KnownCamera:
    """A camera as the guard knows it: no address, no secret."""

    id: str
    number: str
    name: str
    site: str
    commune: KnownCommune
    streams: tuple[str, ...]
    subject: Subject
    # Those decided, past ones too, by their beginning.
    interruptions: tuple[AnnouncedInterruption, ...] = ()

    @property
    def insee(self) -> str:
        return self.commune.legal.insee


async def communes(connection: AsyncConnection, at: datetime | None = None) -> dict[str, KnownCommune]:
    """Every commune, by INSEE code, with its conventions for lent staff (CSI L.132-14 IV)."""
    conventions: dict[str, list[facts.Convention]] = {}
    table = known_at(tables.convention, at)
    statement = select(table.c.id, table.c.commune, *_dates(table)).where(table.c.kind == "IV")
    for row in (await connection.execute(statement)).mappings():
        conventions.setdefault(row["commune"], []).append(facts.Convention(row["id"], _validity(row)))
    rows = (await connection.execute(select(known_at(tables.commune, at)))).mappings()
    return {
        row["insee"]: KnownCommune(
            facts.Commune(row["insee"], row["name"], row["departement"], tuple(conventions.get(row["insee"], ()))),
            row["authority"],
        )
        for row in rows
    }


async def cameras(
    connection: AsyncConnection,
    ids: Iterable[str] | None = None,
    *,
    of_communes: Iterable[str] | None = None,
    at: datetime | None = None,
) -> dict[str, KnownCamera]:
    """Cameras by id, each with the lines of every arrêté that names it; all of them, or those named, or of communes."""
    table, announced = known_at(tables.camera, at), tables.interruption
    line, authorisation = known_at(tables.authorisation_line, at), known_at(tables.authorisation, at)
    chosen, lines_chosen, announced_chosen = [], [], []
    if ids is not None:
        wanted = list(ids)
        chosen.append(table.c.id.in_(wanted))
        lines_chosen.append(line.c.camera.in_(wanted))
        announced_chosen.append(announced.c.camera.in_(wanted))
    if of_communes is not None:
        places = list(of_communes)
        chosen.append(table.c.commune.in_(places))
        lines_chosen.append(line.c.commune.in_(places))
        announced_chosen.append(announced.c.commune.in_(places))
    known = await communes(connection, at)
    lines = await _lines(connection, line, authorisation, lines_chosen)
    announcements = await interruptions(connection, *announced_chosen)
    statement = select(
        table.c.id, table.c.commune, table.c.number, table.c.name, table.c.site, table.c.regime, table.c.sub_url
    )
    statement = statement.where(*chosen).order_by(table.c.number)
    rows = (await connection.execute(statement)).mappings().all()
    deports = await _deports(connection, known_at(tables.deport, at), {row["commune"] for row in rows})
    found = {}
    for row in rows:
        commune = known[row["commune"]]
        known_of = tuple(announcements.get(row["id"], ()))
        masks = tuple(one.validity for one in known_of if one.cause is Cause.MASKED)
        opened = tuple(one for cameras, one in deports.get(row["commune"], ()) if not cameras or row["id"] in cameras)
        of_camera = tuple(lines.get(row["id"], ()))
        legal_camera = facts.Camera(row["id"], Regime(row["regime"]), of_camera, masks, opened)
        found[row["id"]] = KnownCamera(
            id=row["id"],
            number=row["number"],
            name=row["name"],
            site=row["site"],
            commune=commune,
            streams=("main",) if row["sub_url"] is None else ("main", "sub"),
            subject=Subject(commune.legal, legal_camera),
            interruptions=known_of,
        )
    return found


async def actors(connection: AsyncConnection, ids: Iterable[str], at: datetime | None = None) -> dict[str, facts.Actor]:
    """Open accounts as the law sees them, by id."""
    wanted = list(ids)
    held: dict[str, list[facts.Habilitation]] = {}
    table = known_at(tables.habilitation, at)
    for row in (await connection.execute(select(table).where(table.c.account.in_(wanted)))).mappings():
        held.setdefault(row["account"], []).append(habilitation_of(row))
    account = known_at(tables.account, at)
    is_open: list[ColumnElement[bool]] = [account.c.closed_at.is_(None)]
    if at is not None:
        is_open = [or_(account.c[end].is_(None), account.c[end] > at) for end in ("closed_at", "closes_at")]
    statement = select(
        *(account.c[name] for name in ("id", "role", "category", "employer")),
        *(column for column in account.c if column.name.startswith("agrement_")),
    ).where(account.c.id.in_(wanted), *is_open)
    rule = known_at(tables.centre_rule, at)
    blocks = bool(await connection.scalar(select(rule.c.is_on).where(rule.c.name == INQUIRY_BLOCKS)))
    return {
        row["id"]: facts.Actor(
            id=row["id"],
            role=Role(row["role"]),
            category=Category(row["category"]),
            employer=row["employer"],
            agrement=_agrement(row, blocks),
            habilitations=tuple(held.get(row["id"], ())),
        )
        for row in (await connection.execute(statement)).mappings()
    }


def habilitation_of(row: Mapping[Any, Any]) -> facts.Habilitation:
    rights = frozenset(Right(right) for right in row["rights"])
    regimes = None if row["regimes"] is None else frozenset(Regime(regime) for regime in row["regimes"])
    return facts.Habilitation(row["id"], row["commune"], Basis(row["basis"]), rights, _validity(row), regimes)


def deport_of(row: Mapping[Any, Any]) -> facts.Deport:
    rights = frozenset(Right(right) for right in row["rights"])
    return facts.Deport(row["reference"], frozenset(row["persons"]), rights, row["recipient_days"], _validity(row))


def inquiry_at(row: RowMapping) -> datetime | None:
    """When the administrative inquiry of an account's agrément was last made: before it, where nothing else is told."""
    made: datetime | None = row["agrement_inquiry_at"] or row["agrement_from_at"]
    return made


async def _lines(
    connection: AsyncConnection, line: FromClause, authorisation: FromClause, chosen: Sequence[ColumnElement[bool]]
) -> dict[str, list[facts.Authorisation]]:
    statement = in_force.lines(line, authorisation).where(*chosen)
    lines: dict[str, list[facts.Authorisation]] = {}
    for row in (await connection.execute(statement)).mappings():
        fact = facts.Authorisation(
            row["id"], frozenset(row["finalites"]), row["visualised"], row["recorded"], _validity(row)
        )
        lines.setdefault(row["camera"], []).append(fact)
    return lines


async def _deports(
    connection: AsyncConnection, deport: FromClause, communes: Iterable[str]
) -> dict[str, list[tuple[frozenset[str], facts.Deport]]]:
    """By commune, each with the cameras that it names; none of them: it opens every one of the commune."""
    found: dict[str, list[tuple[frozenset[str], facts.Deport]]] = {}
    for row in (await connection.execute(select(deport).where(deport.c.commune.in_(communes)))).mappings():
        found.setdefault(row["commune"], []).append((frozenset(row["cameras"] or ()), deport_of(row)))
    return found


async def interruptions(
    connection: AsyncConnection, *chosen: ColumnElement[bool]
) -> dict[str, list[AnnouncedInterruption]]:
    """Those decided, past ones too, by camera and beginning."""
    table = tables.interruption
    begins = func.greatest(table.c.from_at, table.c.decided_at).label("begins_at")
    statement = select(table.c.camera, table.c.cause, table.c.to_at, table.c.ended_at, begins)
    statement = statement.where(table.c.decided_at.is_not(None), *chosen).order_by(begins)
    found: dict[str, list[AnnouncedInterruption]] = {}
    for row in (await connection.execute(statement)).mappings():
        validity = Validity(row["begins_at"], row["to_at"], row["ended_at"])
        if validity.from_at < validity.end_at:
            found.setdefault(row["camera"], []).append(AnnouncedInterruption(Cause(row["cause"]), validity))
    return found


def _agrement(row: RowMapping, blocks: bool) -> facts.Agrement | None:
    made_at = inquiry_at(row)
    if made_at is None or row["agrement_from_at"] is None:
        return None
    validity = Validity(row["agrement_from_at"], row["agrement_to_at"], row["agrement_suspended_at"])
    by = persons.inquiry_by(made_at) if blocks else None
    return facts.Agrement(frozenset(row["agrement_departements"]), validity, by)


def _dates(table: FromClause) -> tuple[ColumnElement[object], ...]:
    return table.c.from_at, table.c.to_at, table.c.suspended_at


def _validity(row: Mapping[Any, Any]) -> Validity:
    return Validity(row["from_at"], row["to_at"], row["suspended_at"])
