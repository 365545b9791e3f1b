"""Persons read by supervision, audit and mayors' delegates: habilitations, agréments, clocks; and the past, signed."""

from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import ColumnElement, RowMapping, func, or_, select

from csu import signed
from csu.accounts.guard import Guard, Visit
from csu.cameras.inventory import camera_of
from csu.errors import Refusal, not_found
from csu.persons import answers
from csu.persons.accounts_routes import AccountBody, accounts, inquiry_rule
from csu.persons.standing import standings
from csu.store import facts, tables
from legal import persons
from legal.acts import Act, Refused
from legal.facts import CENTRE

router = APIRouter(prefix="/api", tags=["persons"])
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)


class HabilitationBody(BaseModel):
    """`regimes` null: each that admits the person's category."""

    id: str
    commune: str
    basis: str
    rights: list[str]
    regimes: list[str] | None
    reference: str
    signed_by: str | None
    signed_on: date | None
    from_at: datetime = Field(serialization_alias="from")
    to_at: datetime | None = Field(serialization_alias="to")
    suspended_at: datetime | None
    suspended_reason: str | None


class AgrementBody(BaseModel):
    """`inquiry_by`: when a new administrative inquiry is due."""

    reference: str
    prefet: str | None
    departements: list[str]
    from_at: datetime = Field(serialization_alias="from")
    to_at: datetime | None = Field(serialization_alias="to")
    inquiry_at: datetime
    inquiry_by: datetime
    suspended_at: datetime | None
    suspended_reason: str | None


class DueBody(BaseModel):
    """A code of `legal.persons.Due`, and by when (since when, for what is suspended)."""

    code: str
    by_at: datetime = Field(serialization_alias="by")
    commune: str | None


class PersonBody(AccountBody):
    """`confirmed_by`: the login of who last confirmed the account, null when nobody has; `dues` of open accounts."""

    agrement: AgrementBody | None
    habilitations: list[HabilitationBody]
    confirmed_at: datetime | None
    confirmed_by: str | None
    review_by: datetime | None
    dues: list[DueBody]


class Persons(BaseModel):
    """`inquiry_blocks`: whether an agrément whose inquiry is over five years old opens nothing here."""

    persons: list[PersonBody]
    inquiry_blocks: bool


class VersionBody(BaseModel):
    """`recorded_at` is the centre's clock, `written_at` the database's."""

    fact: str
    key: str
    recorded_at: datetime
    written_at: datetime
    known: dict[str, Any]


class Versions(BaseModel):
    versions: list[VersionBody]


class SignedAnswer(BaseModel):
    """What `csu person verify` checks."""

    answer: dict[str, Any]
    kid: str
    sig: str


@router.get("/persons")
async def list_persons(visit: Annotated[Visit, Depends(Guard(Act.PERSON_LIST))]) -> Persons:
    """Every person, or those that concern the communes of who asks: employed by them, or habilitated for them."""
    held: dict[str, list[RowMapping]] = {}
    async with visit.perform() as connection:
        for row in (await connection.execute(select(tables.habilitation))).mappings():
            held.setdefault(row["account"], []).append(row)
        rows = (await connection.execute(accounts().add_columns(*_agrement_columns()))).mappings().all()
        blocks = await connection.scalar(inquiry_rule())
    async with visit.centre.store.transaction(None) as connection:
        known = await standings(connection)
    told = []
    for row in rows:
        if not _concerns(visit, row, held):
            continue
        standing = known.get(row["id"])
        told.append(
            PersonBody(
                **{name: row[name] for name in AccountBody.model_fields},
                agrement=_agrement(row),
                habilitations=[HabilitationBody.model_validate(dict(one)) for one in held.get(row["id"], [])],
                confirmed_at=None if standing is None else standing.confirmed_at,
                confirmed_by=None if standing is None else standing.confirmed_by,
                review_by=None if standing is None else persons.review_at(standing.legal.confirmed_at),
                dues=[]
                if standing is None
                else [
                    DueBody(code=due.code, by_at=due.by_at, commune=due.commune)
                    for due in persons.dues(standing.legal, visit.now)
                    if due.commune is None or visit.communes is None or due.commune in visit.communes
                ],
            )
        )
    return Persons(persons=told, inquiry_blocks=bool(blocks))


@router.get("/persons/{account_id}/history")
async def read_history(account_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.PERSON_LIST))]) -> Versions:
    """Every version of a person's facts, the oldest first; for a commune's people those that concern it."""
    version = tables.fact_version
    theirs = or_(
        (version.c.fact == "account") & (version.c.key == str(account_id)),
        (version.c.fact == "habilitation") & (version.c.known["account"].astext == str(account_id)),
    )
    statement = select(version).where(theirs).order_by(version.c.recorded_at, version.c.fact, version.c.key)
    async with visit.perform() as connection:
        rows = (await connection.execute(statement)).mappings().all()
    if not rows:
        raise not_found()
    return Versions(versions=[VersionBody.model_validate(dict(row)) for row in rows])


@router.get("/persons/{account_id}/habilitation")
async def prove_habilitation(
    account_id: UUID,
    camera: UUID,
    at: AwareDatetime,
    visit: Annotated[Visit, Depends(Guard(Act.HABILITATION_PROVE))],
) -> SignedAnswer:
    """Was this person habilité for this camera at this date? Signed, and journalled with its hash."""
    general = visit.decide(visit.act, CENTRE)
    if isinstance(general, Refused) and general.code != "OUT_OF_COMMUNE":
        await visit.demand()
    known = await camera_of(visit, str(camera))
    if not _FIRST <= at <= visit.now:
        raise Refusal(422, "OUT_OF_DATES", "La date demandée est à venir, ou avant l'an 2000.")
    login = await _login(visit, str(account_id))
    asked = answers.Question(str(account_id), login, known, at)
    async with visit.centre.store.facts() as connection:
        document = await answers.answer(connection, asked, visit.now)
    detail = answers.entry_detail(document, answers.digest(document))
    kid, key = visit.centre.statements_key
    async with visit.perform(known.subject, camera=known, detail=detail):
        file = signed.to_file(answers.NAME, document, kid, signed.sign(document, key))
    return SignedAnswer.model_validate(file)


async def _login(visit: Visit, account: str) -> str:
    """The login of a person whom this one may know of. Raises Refusal 404."""
    table = tables.habilitation
    async with visit.centre.store.transaction(visit.communes) as connection:
        statement = select(tables.account.c.id, tables.account.c.login, tables.account.c.employer)
        row = (await connection.execute(statement.where(tables.account.c.id == account))).mappings().one_or_none()
        theirs = await connection.scalar(select(func.count()).select_from(table).where(table.c.account == account))
    if row is None or not (visit.communes is None or row["employer"] in visit.communes or theirs):
        raise not_found()
    return str(row["login"])


def _concerns(visit: Visit, row: RowMapping, held: dict[str, list[RowMapping]]) -> bool:
    return visit.communes is None or row["employer"] in visit.communes or row["id"] in held


def _agrement_columns() -> list[ColumnElement[Any]]:
    return [
        one for one in tables.account.c if one.name.startswith("agrement_") and one.name not in AccountBody.model_fields
    ]


def _agrement(row: RowMapping) -> AgrementBody | None:
    made_at = facts.inquiry_at(row)
    if made_at is None or row["agrement_reference"] is None:
        return None
    told = {
        name: row[f"agrement_{name}"] for name in AgrementBody.model_fields if name not in ("inquiry_at", "inquiry_by")
    }
    return AgrementBody(**told, inquiry_at=made_at, inquiry_by=persons.inquiry_by(made_at))
