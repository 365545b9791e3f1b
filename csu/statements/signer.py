"""Signs the statement of each commune and day once its facts are in, and corrections when facts come late.

A row of `statement_due` names a commune's day that is to be looked at: every day since the commune's first one, and
again each one of which a fact came. A day that nothing more came of keeps the statement that it has.
"""

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import RowMapping, Table, delete, func, insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from csu import signed
from csu.audit import entries
from csu.audit.entries import SYSTEM, Entry
from csu.clock import iso
from csu.statements import document
from csu.statements.days import begins_at, day_of, ends_at
from csu.statements.reading import cameras_of, last_statement
from csu.store import in_force, tables
from csu.store.store import Store
from legal.ledger import canonical

EVERY_S = 300.0
SETTLED = timedelta(hours=3)
"""After a day's end: until then its last facts are on their way, the night's inventory above all (midnight UTC)."""
PATIENCE = timedelta(hours=12)
"""After a day's end: a statement is then made of what there is, and says what is missing."""
_STATEMENT = tables.statement
_DUE = tables.statement_due
# A commune's days follow one another without a hole from the first that a fact, or the first look, was of.
_EXPECT = text(
    "INSERT INTO statement_due SELECT insee, every_day::date FROM commune,"
    " LATERAL (SELECT max(day) AS day FROM statement WHERE commune = insee) AS told,"
    " LATERAL (SELECT min(day) AS day FROM statement_due WHERE commune = insee) AS asked,"
    " generate_series(coalesce(told.day + 1, least(asked.day, :today)), :today, interval '1 day') AS every_day"
    " ON CONFLICT DO NOTHING"
)


class StatementSigner:
    """Takes turns. Two processes may: whoever takes a due row has its day."""

    def __init__(self, store: Store, kid: str, key: Ed25519PrivateKey, now: Callable[[], datetime]) -> None:
        self._store = store
        self._kid = kid
        self._key = key
        self._now = now

    async def run_once(self) -> int:
        """Sign what is due; how many statements were signed."""
        now = self._now()
        async with self._store.transaction(None) as connection:
            await connection.execute(_EXPECT, {"today": day_of(now)})
            last = day_of(now - SETTLED) - timedelta(days=1)
            due = select(_DUE).where(_DUE.c.day <= last).order_by(_DUE.c.commune, _DUE.c.day)
            rows = (await connection.execute(due)).all()
        signed = 0
        for commune, day in rows:
            async with self._store.transaction(None) as connection:
                signed += await self._look_at(connection, commune, day, now)
        return signed

    async def _look_at(self, connection: AsyncConnection, commune: str, day: date, now: datetime) -> bool:
        """Sign a commune's day if there is something new to say. Its row goes before its facts are read: one that comes
        meanwhile puts it there again."""
        row = {"commune": commune, "day": day}
        gone = await connection.execute(delete(_DUE).where(_DUE.c.commune == commune, _DUE.c.day == day))
        if not gone.rowcount:
            return False
        said = await last_statement(connection, commune, day)
        content = await _content(connection, commune, day)
        if said is None and content["missing"] and now < ends_at(day) + PATIENCE:
            await connection.execute(postgresql.insert(_DUE).values(row).on_conflict_do_nothing())
            return False
        if said is not None and content == _content_of(said):
            return False
        await self._sign(connection, content, said, now)
        return True

    async def _sign(
        self, connection: AsyncConnection, content: dict[str, Any], said: RowMapping | None, now: datetime
    ) -> None:
        commune = content["commune"]["insee"]
        before = await last_statement(connection, commune)
        chained = {
            "number": 1 if before is None else before["number"] + 1,
            "previous": document.NO_HASH if before is None else bytes(before["hash"]).hex(),
            "corrects": None if said is None else said["number"],
            "signed_at": iso(now),
        }
        shown, withheld = document.withhold(content)
        statement = shown | chained
        digest = document.digest(statement)
        row = {
            "commune": commune,
            "number": chained["number"],
            "day": date.fromisoformat(content["day"]),
            "corrects": chained["corrects"],
            "signed_at": now,
            "document": canonical(statement).decode(),
            "withheld": canonical(withheld).decode(),
            "hash": digest,
            "kid": self._kid,
            "signature": signed.sign(statement, self._key),
        }
        await connection.execute(insert(_STATEMENT).values(row))
        detail = {name: chained[name] for name in ("number", "corrects")}
        detail |= {"day": content["day"], "hash": digest.hex(), "missing": len(content["missing"])}
        await entries.append(connection, [Entry("statement:sign", now, SYSTEM, commune=commune, detail=detail)])


def _content_of(row: RowMapping) -> dict[str, Any]:
    """What a statement says, apart from its place among the others."""
    said = {**json.loads(row["document"]), "withheld": json.loads(row["withheld"])["cameras"]}
    return {name: told for name, told in said.items() if name not in ("number", "previous", "corrects", "signed_at")}


async def _content(connection: AsyncConnection, commune: str, day: date) -> dict[str, Any]:
    async def rows(table: Table) -> list[dict[str, Any]]:
        chosen = select(table).where(table.c.commune == commune, table.c.day == day)
        return [dict(row) for row in (await connection.execute(chosen)).mappings()]

    named = select(tables.commune).where(tables.commune.c.insee == commune)
    return document.build(
        dict((await connection.execute(named)).mappings().one()),
        day,
        await cameras_of(connection, commune),
        await _expected(connection, commune, day),
        await rows(tables.coverage_day),
        await rows(tables.destruction),
        await rows(tables.inventory),
    )


async def _expected(connection: AsyncConnection, commune: str, day: date) -> frozenset[str]:
    """Cameras that an authorisation let record at any time of the day."""
    line = in_force.lines().subquery()
    statement = select(line.c.camera).where(
        line.c.commune == commune,
        line.c.recorded,
        line.c.from_at < ends_at(day),
        func.least(line.c.to_at, line.c.suspended_at) > begins_at(day),
    )
    return frozenset((await connection.scalars(statement)).all())
