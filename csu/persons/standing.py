"""Open accounts as the clocks of persons see them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.store import facts, tables
from legal import persons


@dataclass(frozen=True, slots=True)
class Known:
    """A person's standing, with the login; when and by whom (login) the account was confirmed, None when never."""

    login: str
    legal: persons.Standing
    confirmed_at: datetime | None
    confirmed_by: str | None


async def standings(connection: AsyncConnection) -> dict[str, Known]:
    """By account. `connection`: the application's, for the whole centre."""
    account, review = tables.account, tables.review
    by = account.alias()
    last = (
        select(review.c.account, review.c.confirmed_at, by.c.login)
        .join(by, by.c.id == review.c.confirmed_by)
        .ext(postgresql.distinct_on(review.c.account))
        .order_by(review.c.account, review.c.confirmed_at.desc())
    )
    confirmed = {row[0]: (row[1], row[2]) for row in await connection.execute(last)}
    rows = (await connection.execute(select(account).where(account.c.closed_at.is_(None)))).mappings().all()
    actors = await facts.actors(connection, [row["id"] for row in rows])
    found = {}
    for row in rows:
        at, who = confirmed.get(row["id"], (None, None))
        standing = persons.Standing(actors[row["id"]], facts.inquiry_at(row), at or row["created_at"], row["closes_at"])
        found[row["id"]] = Known(row["login"], standing, at, who)
    return found
