"""What a déport that is to be entered is held against: its commune's cameras, and those that open them already."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.store import facts, tables
from legal.acts import Refused
from legal.deports import SOURCE, fault_of_deport

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
