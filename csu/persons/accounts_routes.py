"""Accounts (administration): made, given a new password, closed."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import Select, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts import passwords, sessions
from csu.accounts.guard import Guard, Visit
from csu.errors import not_found
from csu.schemas import Body, Done, Insee, Line
from csu.store import facts, tables
from csu.territory.acting import demand
from csu.territory.suspensions import SELF
from legal import persons
from legal.acts import Act
from legal.facts import Category, Role

router = APIRouter(prefix="/api", tags=["persons"])


class AccountBody(BaseModel):
    """`leaving_at`: since when the person is known to leave; the account is closed by `closes_at` then."""

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
    leaving_at: datetime | None
    closes_at: datetime | None


class Accounts(BaseModel):
    """`inquiry_blocks`: whether an agrément whose inquiry is over five years old opens nothing here."""

    accounts: list[AccountBody]
    inquiry_blocks: bool


class NewAccount(Body):
    """An account without any right on pictures: those come with habilitations."""

    login: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,63}$")]
    name: Annotated[Line, Field(min_length=2, max_length=80)]
    role: Role
    category: Category
    employer: Insee | None = None


class CreatedAccount(BaseModel):
    """The password is shown this once."""

    id: str
    login: str
    password: Annotated[str, Field(repr=False)]


@router.get("/accounts")
async def list_accounts(visit: Annotated[Visit, Depends(Guard(Act.ACCOUNT_LIST))]) -> Accounts:
    async with visit.perform() as connection:
        rows = (await connection.execute(accounts())).mappings().all()
        blocks = await connection.scalar(inquiry_rule())
    return Accounts(accounts=[AccountBody.model_validate(dict(row)) for row in rows], inquiry_blocks=bool(blocks))


@router.post("/accounts", status_code=201)
async def create_account(
    body: NewAccount, visit: Annotated[Visit, Depends(Guard(Act.ACCOUNT_CREATE))]
) -> CreatedAccount:
    """For one person (CSI R.253-3 II): what names a service, or a person who has an account already, is refused."""
    password = passwords.generate()
    row = body.model_dump() | {
        "id": str(uuid4()),
        "password_hash": await visit.centre.passwords.hash(password),
        "created_at": visit.now,
    }
    # The employer too: a commune's own agents need no convention (CSI L.132-14 IV).
    told = body.model_dump(include={"role", "category", "employer"}, exclude_none=True)
    detail = {"account": row["id"], "about": body.login, **told}
    async with visit.perform(detail=detail) as connection:
        demand(persons.fault_of_office(body.role, body.category), 422)
        demand(persons.fault_of_account(body.login, body.name, await open_names(connection)))
        await connection.execute(insert(tables.account).values(row))
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
        demand(SELF if str(account_id) == visit.session.actor.id else None, 422)
        if (await connection.execute(statement.values(values))).rowcount == 0:
            raise not_found()
        # Its account's end tells by itself when; of a password only the session does.
        ending = None if "closed_at" in values else sessions.Ending.REPLACED
        await sessions.end_all(connection, str(account_id), visit.now, ending)
    visit.centre.rights_changed()
    return str(login)


def accounts() -> Select[tuple[object, ...]]:
    account = tables.account
    columns = [account.c[name] for name in AccountBody.model_fields]
    return select(*columns).order_by(account.c.login)


def inquiry_rule() -> Select[tuple[bool]]:
    """Whether an inquiry over five years old blocks; no row, or false, where it does not."""
    rule = tables.centre_rule
    return select(rule.c.is_on).where(rule.c.name == facts.INQUIRY_BLOCKS)


async def open_names(connection: AsyncConnection) -> list[str]:
    """Names of the open accounts, one maker of accounts at a time."""
    await connection.execute(text("LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE"))
    account = tables.account
    return list((await connection.scalars(select(account.c.name).where(account.c.closed_at.is_(None)))).all())
