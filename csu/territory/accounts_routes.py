"""Persons with their habilitations (supervision), and accounts (administration)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from csu.accounts import passwords
from csu.accounts.guard import Guard, Visit
from csu.errors import Refusal, not_found
from csu.schemas import Body, Done, Line
from csu.store import tables
from csu.territory.suspensions import Suspension, resume, suspend
from legal.facts import Category, Role
from legal.permissions import Act

router = APIRouter(prefix="/api", tags=["persons"])


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
    fact_id: UUID, body: Suspension, visit: Annotated[Visit, Depends(Guard(Act.HABILITATION_SUSPEND))]
) -> Done:
    """The person loses the commune's pictures at once."""
    await suspend(visit, tables.habilitation, str(fact_id), body.reason)
    return Done()


@router.post("/habilitations/{fact_id}/resume")
async def resume_habilitation(
    fact_id: UUID, body: Suspension, visit: Annotated[Visit, Depends(Guard(Act.HABILITATION_RESUME))]
) -> Done:
    await resume(visit, tables.habilitation, str(fact_id), body.reason)
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
    detail = {"account": row["id"], "role": body.role, "category": body.category}
    try:
        async with visit.perform(detail=detail) as connection:
            await connection.execute(insert(tables.account).values(row))
    except IntegrityError as error:
        reason = "Cet identifiant est déjà pris, ou la commune employeuse est inconnue ou manque."
        raise Refusal(409, "CONFLICT", reason) from error
    return CreatedAccount(id=row["id"], login=body.login, password=password)


@router.post("/accounts/{account_id}/close")
async def close_account(account_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.ACCOUNT_CLOSE))]) -> Done:
    """Close an account and its sessions; what they had opened is cut."""
    account, session = tables.account, tables.session
    async with visit.perform(detail={"account": str(account_id)}) as connection:
        statement = update(account).where(account.c.id == str(account_id), account.c.closed_at.is_(None))
        closed = await connection.execute(statement.values(closed_at=visit.now))
        if closed.rowcount == 0:
            raise not_found()
        ended = update(session).where(session.c.account == str(account_id), session.c.ended_at.is_(None))
        await connection.execute(ended.values(ended_at=visit.now))
    visit.centre.rights_changed()
    return Done()


def _accounts() -> Select[tuple[object, ...]]:
    account = tables.account
    columns = [account.c[name] for name in AccountBody.model_fields]
    return select(*columns).order_by(account.c.login)
