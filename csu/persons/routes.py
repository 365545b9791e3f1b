"""Persons with their habilitations, agréments and clocks: read by supervision, audit and each mayor's delegate; changed
by who may, each change journalled and effective at once on open pictures.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, Field, model_validator
from sqlalchemy import ColumnElement, RowMapping, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from csu import signed
from csu.accounts import sessions
from csu.accounts.guard import Guard, Visit
from csu.cameras.inventory import camera_of
from csu.errors import Refusal, not_found
from csu.persons import answers
from csu.persons.accounts_routes import AccountBody, accounts
from csu.persons.standing import standings
from csu.schemas import Body, Done, Line, Reason
from csu.store import facts, tables
from csu.territory.acting import NotDone, attempt, demand
from csu.territory.suspensions import alter, resume, suspend
from legal import facts as law
from legal import persons
from legal.authorisations import start_of
from legal.facts import CENTRE, Basis, Category, Regime, Right, Subject, Validity
from legal.permissions import Act, Refused

router = APIRouter(prefix="/api", tags=["persons"])
_INSTANT = timedelta(microseconds=1)
_SELF = Refused(
    "SECOND_PERSON_REQUIRED",
    "Nul ne décide pour soi-même de ses droits : une autre personne doit le faire.",
    "CSI R.253-3",
)
Rights = Annotated[set[Right], Field(min_length=1)]


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


class _Days(Body):
    """From the first day to the first day on which it no longer holds, in Paris."""

    from_day: Annotated[date, Field(alias="from", ge=date(2000, 1, 1), le=date(2100, 1, 1))]

    def validity(self, to_day: date | None) -> Validity:
        return Validity(start_of(self.from_day), None if to_day is None else start_of(to_day))


class NewHabilitation(_Days):
    """The act that designates a person for a commune: its reference, who signed it and when."""

    account: UUID
    commune: Annotated[str, Field(pattern=r"^[0-9AB]{5}$")]
    rights: Rights
    regimes: Annotated[set[Regime] | None, Field(min_length=1)] = None
    reference: Annotated[Line, Field(min_length=3, max_length=60)]
    signed_by: Annotated[Line | None, Field(min_length=3, max_length=80)] = None
    signed_on: Annotated[date | None, Field(ge=date(2000, 1, 1), le=date(2100, 1, 1))] = None
    to_day: Annotated[date, Field(alias="to", le=date(2100, 1, 1))]

    @model_validator(mode="after")
    def _in_order(self) -> "NewHabilitation":
        if not self.from_day < self.to_day:
            raise ValueError("`to` must be after `from`")
        return self


class NewAgrement(_Days):
    """The préfet's decision; `inquiry`: the day of the administrative inquiry, that of its beginning when not told."""

    reference: Annotated[Line, Field(min_length=3, max_length=60)]
    prefet: Annotated[Line, Field(min_length=3, max_length=80)]
    departements: Annotated[set[Annotated[str, Field(pattern=r"^[0-9AB]{2,3}$")]], Field(min_length=1)]
    to_day: Annotated[date | None, Field(alias="to", le=date(2100, 1, 1))] = None
    inquiry: Annotated[date | None, Field(ge=date(2000, 1, 1), le=date(2100, 1, 1))] = None

    @model_validator(mode="after")
    def _in_order(self) -> "NewAgrement":
        if self.to_day is not None and not self.from_day < self.to_day:
            raise ValueError("`to` must be after `from`")
        return self


class Leaving(Reason):
    """`days`: until the account ends; 0 is now."""

    days: Annotated[int, Field(ge=0, le=3650)]


class Rule(Body):
    is_on: bool


# --- reading
# ----------------------------------------------------------------------------------------------------


@router.get("/persons")
async def list_persons(visit: Annotated[Visit, Depends(Guard(Act.PERSON_LIST))]) -> Persons:
    """Every person, or those that concern the communes of who asks: employed by them, or habilitated for them."""
    held: dict[str, list[RowMapping]] = {}
    async with visit.perform() as connection:
        for row in (await connection.execute(select(tables.habilitation))).mappings():
            held.setdefault(row["account"], []).append(row)
        rows = (await connection.execute(accounts().add_columns(*_agrement_columns()))).mappings().all()
        blocks = await connection.scalar(
            select(tables.centre_rule.c.is_on).where(tables.centre_rule.c.name == facts.INQUIRY_BLOCKS)
        )
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
    if at > visit.now or at.astimezone(UTC).year < 2000:
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


# --- habilitations
# -----------------------------------------------------------------------------------------------------


@router.post("/habilitations", status_code=201)
async def grant_habilitation(
    body: NewHabilitation, visit: Annotated[Visit, Depends(Guard(Act.HABILITATION_GRANT))]
) -> Done:
    """Enter the act by which an agent is designated for a commune, or a delegation for the elected."""
    account = str(body.account)
    async with visit.centre.store.facts() as connection:
        commune = (await facts.communes(connection)).get(body.commune)
    row = body.model_dump(include={"commune", "reference", "signed_by", "signed_on"}) | {
        "id": str(uuid4()),
        "account": account,
        "rights": sorted(body.rights),
        "regimes": None if body.regimes is None else sorted(body.regimes),
        "from_at": start_of(body.from_day),
        "to_at": start_of(body.to_day),
    }
    detail = {"account": account, "habilitation": row["id"], "rights": row["rights"], "about": body.reference}
    detail |= {} if row["regimes"] is None else {"regimes": row["regimes"]}
    subject = CENTRE if commune is None else Subject(commune.legal)
    outcome = visit.decide(visit.act, subject)
    if isinstance(outcome, Refused) and outcome.code == "OUT_OF_COMMUNE":
        await visit.record(visit.entry(visit.act, commune=body.commune, detail=detail).refused(outcome))
        raise not_found()
    async with attempt(visit, subject, detail) as connection:
        if commune is None:
            raise not_found()
        person = await _person(visit, connection, account)
        basis = Basis.DELEGATION if person.category is Category.ELU else Basis.DESIGNATION
        validity, regimes = body.validity(body.to_day), None if body.regimes is None else frozenset(body.regimes)
        new = law.Habilitation(row["id"], body.commune, basis, frozenset(body.rights), validity, regimes)
        by = persons.Signature(body.signed_by, body.signed_on)
        demand(persons.fault_of_designator(visit.session.actor, person, commune.legal), 403)
        demand(persons.fault_of_dates(validity, by, visit.now))
        demand(persons.fault_of_habilitation(person.category, new, by, person.habilitations))
        demand(persons.fault_of_act(by))
        await connection.execute(insert(tables.habilitation).values(row | {"basis": basis}))
    await _changed(visit)
    return Done()


@router.post("/habilitations/{fact_id}/suspend")
async def suspend_habilitation(
    fact_id: UUID, body: Reason, visit: Annotated[Visit, Depends(Guard(Act.HABILITATION_SUSPEND))]
) -> Done:
    """The person loses the commune's pictures at once."""
    await suspend(visit, tables.habilitation, fact_id, body)
    return Done()


@router.post("/habilitations/{fact_id}/resume")
async def resume_habilitation(
    fact_id: UUID, body: Reason, visit: Annotated[Visit, Depends(Guard(Act.HABILITATION_RESUME))]
) -> Done:
    await resume(visit, tables.habilitation, fact_id, body)
    return Done()


@router.post("/habilitations/{fact_id}/end")
async def end_habilitation(
    fact_id: UUID, body: Reason, visit: Annotated[Visit, Depends(Guard(Act.HABILITATION_END))]
) -> Done:
    """The designation is over, for good; one that has not begun will hold for no more than an instant."""
    table = tables.habilitation
    ends = func.greatest(visit.now, table.c.from_at + _INSTANT)
    not_over = or_(table.c.to_at.is_(None), table.c.to_at > visit.now)
    await alter(visit, table, fact_id, body, {"to_at": ends}, not_over)
    return Done()


# --- agréments
# -----------------------------------------------------------------------------------------------------


@router.put("/persons/{account_id}/agrement")
async def put_agrement(
    account_id: UUID, body: NewAgrement, visit: Annotated[Visit, Depends(Guard(Act.AGREMENT_PUT))]
) -> Done:
    """Enter the préfet's decision, or an inquiry that was made again; a suspension stays until it is lifted."""
    values = {
        "agrement_reference": body.reference,
        "agrement_prefet": body.prefet,
        "agrement_departements": sorted(body.departements),
        "agrement_from_at": start_of(body.from_day),
        "agrement_to_at": None if body.to_day is None else start_of(body.to_day),
        "agrement_inquiry_at": start_of(body.inquiry or body.from_day),
    }
    dates = persons.fault_of_dates(body.validity(body.to_day), persons.Signature(on=body.inquiry), visit.now)
    await _alter(visit, account_id, values, {"about": body.reference}, fault=dates)
    return Done()


@router.post("/persons/{account_id}/agrement/suspend")
async def suspend_agrement(
    account_id: UUID, body: Reason, visit: Annotated[Visit, Depends(Guard(Act.AGREMENT_SUSPEND))]
) -> Done:
    """The person loses all pictures for which an agrément is needed at once (CSI L.132-14-1)."""
    account = tables.account
    values = {"agrement_suspended_at": visit.now, "agrement_suspended_reason": body.reason}
    await _alter(visit, account_id, values, _given(body), account.c.agrement_suspended_at.is_(None))
    return Done()


@router.post("/persons/{account_id}/agrement/resume")
async def resume_agrement(
    account_id: UUID, body: Reason, visit: Annotated[Visit, Depends(Guard(Act.AGREMENT_RESUME))]
) -> Done:
    await _alter(visit, account_id, {"agrement_suspended_at": None, "agrement_suspended_reason": None}, _given(body))
    return Done()


@router.put("/rules/inquiry")
async def set_inquiry_rule(body: Rule, visit: Annotated[Visit, Depends(Guard(Act.RULE_SET))]) -> Done:
    """Whether an agrément whose inquiry is over five years old opens nothing (circulaire NOR IOMB2403160C)."""
    statement = postgresql.insert(tables.centre_rule).values(name=facts.INQUIRY_BLOCKS, is_on=body.is_on)
    async with visit.perform(detail={"about": facts.INQUIRY_BLOCKS, "is_on": body.is_on}) as connection:
        await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"is_on": body.is_on}))
    await _changed(visit)
    return Done()


# --- leavers and reviews
# ----------------------------------------------------------------------------------------------


@router.post("/persons/{account_id}/leave")
async def mark_leaving(
    account_id: UUID, body: Leaving, visit: Annotated[Visit, Depends(Guard(Act.PERSON_LEAVE))]
) -> Done:
    """The account ends now or within seven days, by itself (RECYF 10.C); asked again, it can only end sooner."""
    account = tables.account
    closes_at = visit.now + timedelta(days=body.days)
    values: dict[str, Any] = {"leaving_at": func.coalesce(account.c.leaving_at, visit.now)}
    values["closes_at"] = func.least(func.coalesce(account.c.closes_at, closes_at), closes_at)
    if body.days == 0:
        values["closed_at"] = visit.now
    detail = _given(body) | {"days": body.days}
    await _alter(visit, account_id, values, detail, fault=persons.fault_of_leaving(body.days))
    return Done()


@router.post("/persons/{account_id}/stay")
async def cancel_leaving(
    account_id: UUID, body: Reason, visit: Annotated[Visit, Depends(Guard(Act.PERSON_STAY))]
) -> Done:
    """The person was marked in error, or stays after all."""
    await _alter(visit, account_id, {"leaving_at": None, "closes_at": None}, _given(body))
    return Done()


@router.post("/persons/{account_id}/confirm")
async def confirm_person(account_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.PERSON_CONFIRM))]) -> Done:
    """The yearly review: this person still needs the account and its rights (RECYF 10.A)."""
    account = str(account_id)
    detail = {"account": account}
    async with attempt(visit, CENTRE, detail) as connection:
        await _person(visit, connection, account)
        row = {"id": str(uuid4()), "account": account, "confirmed_at": visit.now}
        await connection.execute(insert(tables.review).values(row | {"confirmed_by": visit.session.actor.id}))
    await visit.centre.events.publish("session")
    return Done()


# --- shared
# -----------------------------------------------------------------------------------------------------


async def _alter(
    visit: Visit,
    account_id: UUID,
    values: dict[str, Any],
    detail: dict[str, Any],
    *unless: ColumnElement[bool],
    fault: Refused | None = None,
) -> None:
    """Change another person's open account where the conditions hold."""
    account, account_table = str(account_id), tables.account
    detail = {"account": account} | detail
    async with attempt(visit, CENTRE, detail) as connection:
        await _person(visit, connection, account)
        demand(fault, 422)
        await connection.execute(update(account_table).where(account_table.c.id == account, *unless).values(values))
        if "closed_at" in values:
            await sessions.end_all(connection, account, visit.now)
    await _changed(visit)


async def _person(visit: Visit, connection: AsyncConnection, account: str) -> law.Actor:
    """An open account of somebody else, as of now, locked: two changes of one person's rights follow one another.

    Raises Refusal 404, NotDone.
    """
    table = tables.account
    lock = select(table.c.id).where(table.c.id == account, table.c.closed_at.is_(None)).with_for_update()
    if await connection.scalar(lock) is None:
        raise not_found()
    if account == visit.session.actor.id:
        raise NotDone(_SELF, 422)
    async with visit.centre.store.facts() as guard:
        return (await facts.actors(guard, [account]))[account]


async def _changed(visit: Visit) -> None:
    visit.centre.rights_changed()
    await visit.centre.events.publish("session")


def _given(body: Reason) -> dict[str, Any]:
    body.check()
    return {"given": body.reason}


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
