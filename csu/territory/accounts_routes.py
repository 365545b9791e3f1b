"""Persons with their habilitations (supervision), and accounts (administration)."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import Select, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from csu.accounts import passwords, sessions
from csu.accounts.guard import Guard, Visit
from csu.errors import Refusal, invalid, not_found
from csu.schemas import Body, Done, Line, Reason
from csu.store import facts, tables
from csu.territory.suspensions import alter, resume, suspend
from legal.authorisations import start_of
from legal.facts import CENTRE, Basis, Category, Right, Role, Subject
from legal.permissions import Act

router = APIRouter(prefix="/api", tags=["persons"])
_INSTANT = timedelta(microseconds=1)


class HabilitationBody(BaseModel):
    id: str
    commune: str
    basis: str
    rights: list[str]
    reference: str
    from_at: datetime = Field(serialization_alias="from")
    to_at: datetime | None = Field(serialization_alias="to")
    suspended_at: datetime | None
    suspended_reason: str | None


class AccountBody(BaseModel):
    id: str
    login: str
    name: str
    role: str
    category: str
    employer: str | None
    agrement_reference: str | None
    agrement_to_at: datetime | None = Field(serialization_alias="agrement_to")
    created_at: datetime
    closed_at: datetime | None


class PersonBody(AccountBody):
    habilitations: list[HabilitationBody]


class Persons(BaseModel):
    persons: list[PersonBody]


class Accounts(BaseModel):
    accounts: list[AccountBody]


class NewAccount(Body):
    """An account without any right on pictures: those come with habilitations."""

    login: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,63}$")]
    name: Annotated[Line, Field(min_length=2, max_length=80)]
    role: Role
    category: Category
    employer: Annotated[str | None, Field(pattern=r"^[0-9AB]{5}$")] = None


class NewHabilitation(Body):
    """From the first day to the first day on which it no longer holds, in Paris."""

    account: UUID
    commune: Annotated[str, Field(pattern=r"^[0-9AB]{5}$")]
    rights: Annotated[set[Right], Field(min_length=1)]
    reference: Annotated[Line, Field(min_length=3, max_length=60)]
    from_day: Annotated[date, Field(alias="from", ge=date(2000, 1, 1))]
    to_day: Annotated[date, Field(alias="to", le=date(2100, 1, 1))]

    @model_validator(mode="after")
    def _in_order(self) -> "NewHabilitation":
        if not self.from_day < self.to_day:
            raise ValueError("`to` must be after `from`")
        return self


class CreatedAccount(BaseModel):
    """The password is shown this once."""

    id: str
    login: str
    password: Annotated[str, Field(repr=False)]


@router.get("/persons")
async def list_persons(visit: Annotated[Visit, Depends(Guard(Act.PERSON_LIST))]) -> Persons:
    held: dict[str, list[HabilitationBody]] = {}
    async with visit.perform() as connection:
        for row in (await connection.execute(select(tables.habilitation))).mappings():
            held.setdefault(row["account"], []).append(HabilitationBody.model_validate(dict(row)))
        accounts = (await connection.execute(_accounts())).mappings().all()
    return Persons(persons=[PersonBody(**row, habilitations=held.get(row["id"], [])) for row in accounts])


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


@router.post("/habilitations", status_code=201)
async def grant_habilitation(
    body: NewHabilitation, visit: Annotated[Visit, Depends(Guard(Act.HABILITATION_GRANT))]
) -> Done:
    """Enter the act by which an agent is designated for a commune, or a delegation for the elected."""
    account = str(body.account)
    async with visit.centre.store.facts() as connection:
        person = (await facts.actors(connection, [account])).get(account)
        commune = (await facts.communes(connection)).get(body.commune)
    row = body.model_dump(include={"commune", "reference"}) | {
        "id": str(uuid4()),
        "account": account,
        "rights": sorted(body.rights),
        "from_at": start_of(body.from_day),
        "to_at": start_of(body.to_day),
    }
    detail = {"account": account, "habilitation": row["id"], "rights": row["rights"], "about": body.reference}
    subject = CENTRE if commune is None else Subject(commune.legal)
    try:
        async with visit.perform(subject, detail=detail) as connection:
            if person is None or commune is None:
                raise not_found()
            if account == visit.session.actor.id:
                raise invalid("Nul ne s'habilite soi-même : un autre superviseur doit le faire.")
            basis = Basis.DELEGATION if person.category is Category.ELU else Basis.DESIGNATION
            await connection.execute(insert(tables.habilitation).values(row | {"basis": basis}))
    except IntegrityError as error:
        reason = "Cette référence est déjà celle d'une habilitation de cet agent pour cette commune."
        raise Refusal(409, "CONFLICT", reason) from error
    visit.centre.rights_changed()
    await visit.centre.events.publish("session")
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


@router.get("/accounts")
async def list_accounts(visit: Annotated[Visit, Depends(Guard(Act.ACCOUNT_LIST))]) -> Accounts:
    async with visit.perform() as connection:
        rows = (await connection.execute(_accounts())).mappings().all()
    return Accounts(accounts=[AccountBody.model_validate(dict(row)) for row in rows])


@router.post("/accounts", status_code=201)
async def create_account(
    body: NewAccount, visit: Annotated[Visit, Depends(Guard(Act.ACCOUNT_CREATE))]
) -> CreatedAccount:
    password = passwords.generate()
    row = body.model_dump() | {
        "id": str(uuid4()),
        "password_hash": await visit.centre.passwords.hash(password),
        "created_at": visit.now,
    }
    detail = {"account": row["id"], "about": body.login, "role": body.role, "category": body.category}
    try:
        async with visit.perform(detail=detail) as connection:
            await connection.execute(insert(tables.account).values(row))
    except IntegrityError as error:
        reason = "Cet identifiant est déjà pris, ou la commune employeuse est inconnue ou manque."
        raise Refusal(409, "CONFLICT", reason) from error
    return CreatedAccount(id=row["id"], login=body.login, password=password)


@router.post("/accounts/{account_id}/password")
async def reset_password(
    account_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.ACCOUNT_RESET))]
) -> CreatedAccount:
    """A new password for a person who has lost theirs; their sessions end."""
    password = passwords.generate()
    hashed = await visit.centre.passwords.hash(password)
    login = await _end_access(visit, account_id, password_hash=hashed)
    return CreatedAccount(id=str(account_id), login=login, password=password)


@router.post("/accounts/{account_id}/close")
async def close_account(account_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.ACCOUNT_CLOSE))]) -> Done:
    """Close an account and its sessions; what they had opened is cut."""
    await _end_access(visit, account_id, closed_at=visit.now)
    return Done()


async def _end_access(visit: Visit, account_id: UUID, **values: Any) -> str:
    """Alter an open account and end its sessions; its login. Raises Refusal 404."""
    account = tables.account
    statement = update(account).where(account.c.id == str(account_id), account.c.closed_at.is_(None))
    async with visit.centre.store.facts() as connection:
        known = select(account.c.login).where(account.c.id == str(account_id))
        login = await connection.scalar(known)
    async with visit.perform(detail={"account": str(account_id), "about": login}) as connection:
        if str(account_id) == visit.session.actor.id:
            raise invalid("Votre propre compte ne peut être traité que par un autre administrateur.")
        if (await connection.execute(statement.values(values))).rowcount == 0:
            raise not_found()
        await sessions.end_all(connection, str(account_id), visit.now)
    visit.centre.rights_changed()
    return str(login)


def _accounts() -> Select[tuple[object, ...]]:
    account = tables.account
    columns = [account.c[name] for name in AccountBody.model_fields]
    return select(*columns).order_by(account.c.login)
