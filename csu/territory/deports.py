"""What a déport that is to be entered is held against: its commune's cameras, and those that open them already; and
which end soon."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.store import facts, tables
from legal.acts import Refused
from legal.deports import SOURCE, fault_of_deport, is_ending

_ELSEWHERE = Refused("OUT_OF_COMMUNE", "Un déport n'ouvre que des caméras de la commune qu'il nomme.", SOURCE)


async def fault_of(connection: AsyncConnection, row: Mapping[str, Any]) -> Refused | None:
    """Why a row of the table can't be entered; None when it can. `connection`: the application's, for the whole
    centre."""
    deport, camera = tables.deport, tables.camera
    shares = [deport.c.commune == row["commune"], deport.c.id != row["id"]]
    if row["cameras"] is not None:
        theirs = select(camera.c.id).where(camera.c.id.in_(row["cameras"]), camera.c.commune == row["commune"])
        if set(await connection.scalars(theirs)) != set(row["cameras"]):
            return _ELSEWHERE
        shares.append(or_(deport.c.cameras.is_(None), deport.c.cameras.overlap(row["cameras"])))
    beside = (await connection.execute(select(deport).where(*shares))).mappings().all()
    named = await facts.actors(connection, row["persons"])
    return fault_of_deport(facts.deport_of(row), named.values(), map(facts.deport_of, beside))


async def ending(connection: AsyncConnection, now: datetime) -> list[Mapping[Any, Any]]:
    """The rows of those that end soon, and that no other follows. `connection`: the application's, for the whole
    centre."""
    deport = tables.deport
    rows = (await connection.execute(select(deport).where(deport.c.to_at > now))).mappings().all()
    return [
        row
        for row in rows
        if is_ending(facts.deport_of(row), [facts.deport_of(one) for one in rows if _covers(one, row)], now)
    ]


def _covers(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    """Whether it opens all the cameras of another one."""
    if one["id"] == other["id"] or one["commune"] != other["commune"]:
        return False
    return one["cameras"] is None or (other["cameras"] is not None and set(one["cameras"]) >= set(other["cameras"]))
