"""Statements and monthly figures of a commune, for those who answer for its cameras or control them."""

import json
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from sqlalchemy import RowMapping, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB

from csu.accounts.guard import Guard, Visit
from csu.errors import Refusal, invalid, not_found
from csu.schemas import CommuneRef, Insee
from csu.statements.days import month_of
from csu.statements.month import figures, to_csv
from csu.statements.reading import cameras_of, coverage_of, file_of, statement_by_number
from csu.statements.words import text_of
from csu.store import facts, tables
from csu.store.facts import KnownCommune
from legal.acts import Act, Refused
from legal.facts import CENTRE, Subject
from legal.secrecy import secrets_from

router = APIRouter(prefix="/api", tags=["statements"])
_STATEMENT = tables.statement
_UNKNOWN = Refused("UNKNOWN_COMMUNE", "Commune inconnue.", "CSI R.253-3 II 2°")
Number = Annotated[int, Path(ge=1, le=2**62)]
Month = Annotated[str, Query(pattern="^20[0-9]{2}-[0-9]{2}$")]


class CommuneStatements(CommuneRef):
    """`last_day` of the statements that it has, None when it has none yet."""

    last_day: date | None


class CommunesBody(BaseModel):
    communes: list[CommuneStatements]


class Destroyed(BaseModel):
    count: int
    bytes: int
    missing: int
    derived: int


class Totals(BaseModel):
    destroyed: Destroyed
    oldest: datetime | None
    files: int
    bytes: int
    overdue: int
    expected_us: int
    recorded_us: int


class StatementLine(BaseModel):
    """`missing`: how many facts were not in when it was signed. `held`: files past their deadline that a hold keeps,
    told to those who may know of holds."""

    number: int
    day: date
    corrects: int | None
    signed_at: datetime
    hash: str
    cameras: int
    missing: int
    held: int | None
    totals: Totals


class StatementsBody(BaseModel):
    commune: CommuneRef
    month: str
    statements: list[StatementLine]


class CoverageLine(BaseModel):
    days: int
    expected_us: int
    sums_us: dict[str, int]
    percent: dict[str, float]


class CameraLine(CoverageLine):
    camera: str
    number: str
    name: str


class MonthBody(BaseModel):
    """Microseconds; `percent` adds up to exactly 100, or to 0 where nothing was under orders."""

    commune: CommuneRef
    month: str
    in_progress: bool
    days: int
    days_of_month: int
    cameras: list[CameraLine]
    total: CoverageLine


@router.get("/statements")
async def list_communes(visit: Annotated[Visit, Depends(Guard(Act.STATEMENT_LIST))]) -> CommunesBody:
    """The communes whose statements the person may read."""
    latest = select(_STATEMENT.c.commune, func.max(_STATEMENT.c.day).label("day")).group_by(_STATEMENT.c.commune)
    async with visit.perform() as connection:
        last = {row.commune: row.day for row in await connection.execute(latest)}
    async with visit.centre.store.facts() as connection:
        known = await facts.communes(connection)
    own = visit.communes
    return CommunesBody(
        communes=[
            CommuneStatements(insee=insee, name=commune.legal.name, last_day=last.get(insee))
            for insee, commune in sorted(known.items(), key=lambda item: item[1].legal.name)
            if own is None or insee in own
        ]
    )


@router.get("/communes/{insee}/statements")
async def list_statements(
    insee: Insee, month: Month, visit: Annotated[Visit, Depends(Guard(Act.STATEMENT_LIST))]
) -> StatementsBody:
    """The statements of a month's days, corrections too, the newest first."""
    commune = await _commune_of(visit, insee)
    first, last = _bounds(month)
    content = cast(_STATEMENT.c.document, JSONB)
    statement = (
        select(
            *(_STATEMENT.c[name] for name in ("number", "day", "corrects", "signed_at", "hash")),
            func.jsonb_array_length(content["cameras"]).label("cameras"),
            func.jsonb_array_length(content["missing"]).label("missing"),
            content["totals"].label("totals"),
            _STATEMENT.c.withheld,
        )
        .where(_STATEMENT.c.commune == insee, _STATEMENT.c.day.between(first, last))
        .order_by(_STATEMENT.c.number.desc())
    )
    async with visit.perform(Subject(commune.legal)) as connection:
        rows = (await connection.execute(statement)).mappings().all()
    knows = _knows_holds(visit)
    lines = [
        StatementLine.model_validate(
            dict(row) | {"hash": bytes(row["hash"]).hex(), "held": _held(row["withheld"]) if knows else None}
        )
        for row in rows
    ]
    return StatementsBody(commune=CommuneRef.of(commune), month=month, statements=lines)


@router.get("/communes/{insee}/statements/{number}")
async def read_statement(
    insee: Insee, number: Number, visit: Annotated[Visit, Depends(Guard(Act.STATEMENT_READ))]
) -> dict[str, Any]:
    """The signed file, as `csu statement verify` reads it; with what it withholds for those who may know of holds."""
    return file_of(await _read(visit, insee, number), disclose=_knows_holds(visit))


@router.get("/communes/{insee}/statements/{number}/text", response_class=PlainTextResponse)
async def read_statement_text(
    insee: Insee, number: Number, visit: Annotated[Visit, Depends(Guard(Act.STATEMENT_READ))]
) -> str:
    """The same in French, for persons."""
    return text_of(file_of(await _read(visit, insee, number), disclose=_knows_holds(visit)))


@router.get("/communes/{insee}/coverage")
async def read_coverage(
    insee: Insee, month: Month, visit: Annotated[Visit, Depends(Guard(Act.COVERAGE_READ))]
) -> MonthBody:
    """What the month of each camera came to."""
    commune, found = await _coverage(visit, insee, month)
    return MonthBody(commune=CommuneRef.of(commune), **found)


@router.get("/communes/{insee}/coverage.csv", response_class=PlainTextResponse)
async def read_coverage_csv(
    insee: Insee, month: Month, visit: Annotated[Visit, Depends(Guard(Act.COVERAGE_READ))]
) -> Response:
    """The same for a spreadsheet."""
    _, found = await _coverage(visit, insee, month)
    disposition = f'attachment; filename="enregistrement-{insee}-{month}.csv"'
    return Response(to_csv(found), media_type="text/csv", headers={"Content-Disposition": disposition})


async def _read(visit: Visit, insee: str, number: int) -> RowMapping:
    commune = await _commune_of(visit, insee)
    async with visit.perform(Subject(commune.legal), detail={"number": number}) as connection:
        row = await statement_by_number(connection, insee, number)
        if row is None:
            raise not_found()
    return row


async def _coverage(visit: Visit, insee: str, month: str) -> tuple[KnownCommune, dict[str, Any]]:
    commune = await _commune_of(visit, insee)
    first, last = _bounds(month)
    async with visit.perform(Subject(commune.legal)) as connection:
        cameras = await cameras_of(connection, insee)
        coverage = await coverage_of(connection, insee, first, last)
    return commune, figures(cameras, coverage, first, last, visit.now)


async def _commune_of(visit: Visit, insee: str) -> KnownCommune:
    """A commune whose statements the person may read; who may read none learns that first. A foreign one is refused in
    the journal under its true code, and answered as one that does not exist. Raises Refusal."""
    async with visit.centre.store.facts() as connection:
        commune = (await facts.communes(connection)).get(insee)
    subject = CENTRE if commune is None else Subject(commune.legal)
    outcome = visit.decide(Act.STATEMENT_READ, subject)
    if isinstance(outcome, Refused) and outcome.code != "OUT_OF_COMMUNE":
        await visit.refuse(visit.entry(visit.act), Refusal(403, outcome.code, outcome.reason))
    if isinstance(outcome, Refused) or commune is None:
        refused = outcome if isinstance(outcome, Refused) and commune is not None else _UNKNOWN
        about = None if commune is None else insee
        await visit.hide(visit.entry(visit.act, commune=about, detail={"commune": insee}), refused)
    return commune


def _knows_holds(visit: Visit) -> bool:
    """That a requisition exists is not for the elected (CPP 11)."""
    return Act.HOLD_LIST not in secrets_from(visit.session.actor).ops


def _held(withheld: str) -> int:
    return sum(one["held"] for one in json.loads(withheld)["cameras"])


def _bounds(month: str) -> tuple[date, date]:
    try:
        return month_of(month)
    except ValueError as error:
        raise invalid("Le mois s'écrit AAAA-MM.") from error
