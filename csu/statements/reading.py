"""Statements and coverage as they lie in their tables."""

import json
from datetime import date
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.statements import document
from csu.store import tables

_STATEMENT = tables.statement


def file_of(row: RowMapping, *, disclose: bool) -> dict[str, Any]:
    """The signed file of a statement's row; `disclose` what it withholds, for those who may know of holds."""
    withheld = json.loads(row["withheld"]) if disclose else None
    return document.to_file(json.loads(row["document"]), row["kid"], bytes(row["signature"]), withheld)


async def last_statement(connection: AsyncConnection, commune: str, day: date | None = None) -> RowMapping | None:
    """The last statement of a commune, or of one of its days."""
    statement = select(_STATEMENT).where(_STATEMENT.c.commune == commune)
    if day is not None:
        statement = statement.where(_STATEMENT.c.day == day)
    newest = statement.order_by(_STATEMENT.c.number.desc()).limit(1)
    return (await connection.execute(newest)).mappings().one_or_none()


async def statement_by_number(connection: AsyncConnection, commune: str, number: int) -> RowMapping | None:
    statement = select(_STATEMENT).where(_STATEMENT.c.commune == commune, _STATEMENT.c.number == number)
    return (await connection.execute(statement)).mappings().one_or_none()


async def cameras_of(connection: AsyncConnection, commune: str) -> list[dict[str, Any]]:
    """Id, number and name of each."""
    camera = tables.camera
    statement = select(camera.c.id, camera.c.number, camera.c.name).where(camera.c.commune == commune)
    return [dict(row) for row in (await connection.execute(statement)).mappings()]


async def coverage_of(connection: AsyncConnection, commune: str, first: date, last: date) -> list[dict[str, Any]]:
    """What was told of the days from `first` to `last`."""
    table = tables.coverage_day
    statement = select(table).where(table.c.commune == commune, table.c.day.between(first, last))
    return [dict(row) for row in (await connection.execute(statement)).mappings()]
