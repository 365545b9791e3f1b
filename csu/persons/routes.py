"""What persons may see and do, changed by who may: each change journalled and effective at once on open pictures."""

from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts import sessions
from csu.accounts.guard import Guard, Visit
from csu.errors import not_found
from csu.schemas import Body, Day, Done, Insee, Line, Reason
from csu.store import facts, tables
from csu.territory.acting import change, demand
from csu.territory.suspensions import SELF, add_suspensions, alter
from legal import facts as law
from legal import persons
from legal.acts import Act, Refused
from legal.authorisations import start_of
from legal.facts import CENTRE, Basis, Category, Regime, Right, Subject, Validity

router = APIRouter(prefix="/api", tags=["persons"])
_INSTANT = timedelta(microseconds=1)
Rights = Annotated[set[Right], Field(min_length=1)]


class _Days(Body):
    """From the first day to the first day on which it no longer holds, in Paris."""

    from_day: Annotated[Day, Field(alias="from")]

    def validity(self, to_day: date | None) -> Validity:
        return Validity(start_of(self.from_day), None if to_day is None else start_of(to_day))


class NewHabilitation(_Days):
    """The act that designates a person for a commune: its reference, who signed it and when."""

    account: UUID
    commune: Insee
    rights: Rights
    regimes: Annotated[set[Regime] | None, Field(min_length=1)] = None
    reference: Annotated[Line, Field(min_length=3, max_length=60)]
    signed_by: Annotated[Line | None, Field(min_length=3, max_length=80)] = None
    signed_on: Day | None = None
    to_day: Annotated[Day, Field(alias="to")]

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
    to_day: Annotated[Day | None, Field(alias="to")] = None
    inquiry: Day | None = None

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
        await visit.hide(visit.entry(visit.act, commune=body.commune, detail=detail), outcome)
    async with visit.perform(subject, detail=detail) as connection:
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


# Suspended, the person loses the commune's pictures at once.
add_suspensions(router, "habilitations", tables.habilitation)


@router.post("/habilitations/{fact_id}/end")
async def end_habilitation(
    fact_id: UUID, body: Reason, visit: Annotated[Visit, Depends(Guard(Act.HABILITATION_END))]
) -> Done:
    """The designation is over, for good; one that has not begun will hold for no more than an instant."""
    table = tables.habilitation
    ends = func.greatest(visit.now, table.c.from_at + _INSTANT)
    await alter(visit, table, fact_id, body, {"to_at": ends}, or_(table.c.to_at.is_(None), table.c.to_at > ends))
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
    can = account.c.agrement_from_at.is_not(None) & account.c.agrement_suspended_at.is_(None)
    await _alter(visit, account_id, values, await _given(visit, body), can)
    return Done()


@router.post("/persons/{account_id}/agrement/resume")
async def resume_agrement(
    account_id: UUID, body: Reason, visit: Annotated[Visit, Depends(Guard(Act.AGREMENT_RESUME))]
) -> Done:
    values = {"agrement_suspended_at": None, "agrement_suspended_reason": None}
    can = tables.account.c.agrement_suspended_at.is_not(None)
    await _alter(visit, account_id, values, await _given(visit, body), can)
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
    detail = await _given(visit, body) | {"days": body.days}
    await _alter(visit, account_id, values, detail, fault=persons.fault_of_leaving(body.days))
    return Done()


@router.post("/persons/{account_id}/stay")
async def cancel_leaving(
    account_id: UUID, body: Reason, visit: Annotated[Visit, Depends(Guard(Act.PERSON_STAY))]
) -> Done:
    """The person was marked in error, or stays after all."""
    values = {"leaving_at": None, "closes_at": None}
    await _alter(visit, account_id, values, await _given(visit, body), tables.account.c.leaving_at.is_not(None))
    return Done()


@router.post("/persons/{account_id}/confirm")
async def confirm_person(account_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.PERSON_CONFIRM))]) -> Done:
    """The yearly review: this person still needs the account and its rights (RECYF 10.A)."""
    account = str(account_id)
    detail = {"account": account}
    async with visit.perform(detail=detail) as connection:
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
    *can: ColumnElement[bool],
    fault: Refused | None = None,
) -> None:
    """Change another person's open account where the conditions hold."""
    account, account_table = str(account_id), tables.account
    detail = {"account": account} | detail
    async with visit.perform(detail=detail) as connection:
        await _person(visit, connection, account)
        demand(fault, 422)
        await change(connection, update(account_table).where(account_table.c.id == account, *can).values(values))
        if "closed_at" in values:
            await sessions.end_all(connection, account, visit.now, None)
    await _changed(visit)


async def _person(visit: Visit, connection: AsyncConnection, account: str) -> law.Actor:
    """An open account of somebody else, as of now, locked: two changes of one person's rights follow one another.

    Raises Refusal.
    """
    table = tables.account
    lock = select(table.c.id).where(table.c.id == account, table.c.closed_at.is_(None)).with_for_update()
    if await connection.scalar(lock) is None:
        raise not_found()
    if account == visit.session.actor.id:
        demand(SELF, 422)
    async with visit.centre.store.facts() as guard:
        return (await facts.actors(guard, [account]))[account]


async def _changed(visit: Visit) -> None:
    visit.centre.rights_changed()
    await visit.centre.events.publish("session")


async def _given(visit: Visit, body: Reason) -> dict[str, Any]:
    await visit.demand_words(body.reason)
    return {"given": body.reason}
