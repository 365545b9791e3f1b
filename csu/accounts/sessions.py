"""Sessions of persons: rows on our side, a random token in a cookie on theirs, stored hashed.

A session ends after 15 minutes without a request, 12 hours after its beginning, when it is closed, and with its
account. The CSRF token derives from the cookie's, so it needs no storage and can't be had without it.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import RowMapping, Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.audit.entries import Author
from csu.store import facts, tables
from legal.facts import Actor, Category, Role
from legal.retention import PARIS

IDLE = timedelta(minutes=15)
LONGEST = timedelta(hours=12)
SEEN_EVERY = timedelta(seconds=30)

_ACCOUNT_CLOSED = "Votre compte est fermé depuis le {} : voyez votre superviseur."
_IDLE = "La session s'est fermée le {} : ce poste n'a rien demandé pendant 15 minutes (veille, ou réseau coupé)."
_LONGEST = "La session s'est fermée le {} : elle durait depuis 12 heures, la plus longue durée permise."


class Ending(StrEnum):
    """What ended a session before its time, other than its account."""

    LEFT = "left"
    RETAKEN = "retaken"
    CHANGED = "changed"  # the password, by oneself at another post
    REPLACED = "replaced"  # the password, by an administrator
    CLOCK = "clock"


_ENDED = {
    Ending.LEFT: "La session a été fermée le {} : le poste a été quitté.",
    Ending.RETAKEN: "La session a été fermée le {} : le poste a été repris dans ce navigateur.",
    Ending.CHANGED: (
        "La session a été fermée le {} : votre mot de passe a été changé depuis un autre poste. "
        "Si ce n'était pas vous, prévenez votre superviseur."
    ),
    Ending.REPLACED: (
        "La session a été fermée le {} : un administrateur a remplacé votre mot de passe, et vous remet le nouveau."
    ),
    Ending.CLOCK: "La session a été fermée le {} : l'heure du centre a été corrigée. Reprenez le poste.",
}
# One that ended before the centre kept what ended it.
_ENDED_UNTOLD = "La session a été fermée le {}."

_ROLE_NAMES = {
    Role.OPERATOR: "opérateur",
    Role.SUPERVISOR: "superviseur",
    Role.DELEGATE: "délégué du maire",
    Role.AUDITOR: "auditeur",
    Role.ADMINISTRATOR: "administrateur",
}
_CATEGORY_NAMES = {
    Category.PM: "police municipale",
    Category.GC: "garde champêtre",
    Category.ASVP: "ASVP agréé",
    Category.CIVIL_AGREE: "agent civil agréé",
    Category.ELU: "élu",
}


@dataclass(frozen=True, slots=True)
class Session:
    """A session in force with its person."""

    id: str
    login: str
    name: str
    actor: Actor
    shift_motif: str | None
    workstation: str
    seen_at: datetime
    expires_at: datetime
    locked_at: datetime | None

    @property
    def author(self) -> Author:
        """The person as the journal names them."""
        return Author(self.actor.id, self.name, quality(self.actor), self.workstation, self.id)


def quality(actor: Actor) -> str:
    """In which quality a person acts, in French."""
    category = _CATEGORY_NAMES.get(actor.category)
    role = _ROLE_NAMES[actor.role]
    return role if category is None else f"{role}, {category}"


def csrf_token(token: str) -> str:
    digest = hmac.digest(token.encode(), b"csu csrf 1", "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def new_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


async def open_session(
    connection: AsyncConnection, account: str, token: str, shift_motif: str | None, workstation: str, now: datetime
) -> str:
    """Store a new session and return its id."""
    session = str(uuid4())
    row = {
        "id": session,
        "token_hash": _hash(token),
        "account": account,
        "shift_motif": shift_motif,
        "workstation": workstation,
        "created_at": now,
        "seen_at": now,
        "expires_at": now + LONGEST,
    }
    await connection.execute(insert(tables.session).values(row))
    return session


async def find(connection: AsyncConnection, token: str) -> RowMapping | None:
    """The row of a token, whatever its state; None when there is none."""
    statement = _select().where(tables.session.c.token_hash == _hash(token))
    return (await connection.execute(statement)).mappings().one_or_none()


async def find_many(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, RowMapping]:
    rows = (await connection.execute(_select().where(tables.session.c.id.in_(ids)))).mappings()
    return {row["id"]: row for row in rows}


def in_force(row: RowMapping, now: datetime) -> bool:
    """Whether a session still is: not ended, neither idle too long nor too old, its account open."""
    if row["ended_at"] is not None or row["closed_at"] is not None:
        return False
    if row["closes_at"] is not None and row["closes_at"] <= now:
        return False
    return bool(now < row["expires_at"] and now < row["seen_at"] + IDLE)


def how_ended(row: RowMapping, now: datetime) -> str:
    """Why and when a session that is not in force any more ended, in French: of what ends one, what came first."""
    causes = (
        (row["closed_at"] or row["closes_at"], _ACCOUNT_CLOSED),
        (row["ended_at"], _ENDED.get(row["ended_as"], _ENDED_UNTOLD)),
        (row["seen_at"] + IDLE, _IDLE),
        (row["expires_at"], _LONGEST),
    )
    ends = [(at, words) for at, words in causes if at is not None and at <= now]
    at, words = min(ends, key=lambda end: end[0], default=(now, _ACCOUNT_CLOSED))
    return words.format(f"{at.astimezone(PARIS):%d/%m/%Y à %H:%M}")


async def with_person(connection: AsyncConnection, row: RowMapping) -> Session | None:
    """A row's session with the person's legal facts; None when the account is closed."""
    actor = (await facts.actors(connection, [row["account"]])).get(row["account"])
    if actor is None:
        return None
    return Session(
        id=row["id"],
        login=row["login"],
        name=row["name"],
        actor=actor,
        shift_motif=row["shift_motif"],
        workstation=row["workstation"],
        seen_at=row["seen_at"],
        expires_at=row["expires_at"],
        locked_at=row["locked_at"],
    )


async def elsewhere(connection: AsyncConnection, account: str, workstation: str, now: datetime) -> list[str]:
    """The other posts at which sessions of an account are in force."""
    session = tables.session
    statement = _select().where(session.c.account == account, session.c.workstation != workstation)
    rows = (await connection.execute(statement.where(session.c.ended_at.is_(None)))).mappings()
    return sorted({row["workstation"] for row in rows if in_force(row, now)})


async def alter(connection: AsyncConnection, session: str, **values: datetime | str | None) -> None:
    await connection.execute(update(tables.session).where(tables.session.c.id == session).values(values))


async def end_all(
    connection: AsyncConnection, account: str, now: datetime, ending: Ending | None, *, but: str | None = None
) -> None:
    """End the sessions of an account, except one; None: with the account, which says by itself when."""
    session = tables.session
    statement = update(session).where(session.c.account == account, session.c.ended_at.is_(None))
    if but is not None:
        statement = statement.where(session.c.id != but)
    await connection.execute(statement.values(ended_at=now, ended_as=ending))


def _select() -> Select[tuple[object, ...]]:
    session, account = tables.session, tables.account
    return select(
        *(column for column in session.c if column.name not in ("token_hash", "created_at")),
        account.c.login,
        account.c.name,
        account.c.closed_at,
        account.c.closes_at,
    ).join_from(session, account, session.c.account == account.c.id)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
