"""Holds that a recorder keeps and the centre does not know: its commit failed after the recorder had answered.

Unlisted they could be released by nobody, and would keep footage for ever (CP 226-20). So each hold that a recorder
tells of is in the table, whoever wrote it there.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.store import tables
from csu.store.facts import KnownCamera

_HOLD = tables.hold
PUT = "hold_put"


async def unlisted(connection: AsyncConnection, told: Sequence[Mapping[str, Any]]) -> dict[str, datetime]:
    """Of these facts of a recorder, the holds that have no row, with when the recorder took them."""
    put = {fact["hold"]: datetime.fromisoformat(fact["at"]) for fact in told if fact["kind"] == PUT}
    if not put:
        return {}
    listed = set((await connection.scalars(select(_HOLD.c.id).where(_HOLD.c.id.in_(put)))).all())
    return {hold: at for hold, at in put.items() if hold not in listed}


async def take_over(
    connection: AsyncConnection,
    holds: Sequence[Mapping[str, Any]],
    missing: Mapping[str, datetime],
    cameras: Mapping[str, KnownCamera],
) -> None:
    """List those of a recorder's `holds` that were missing. A row that came meanwhile stays as it is."""
    rows = [
        {
            "id": hold["id"],
            "commune": cameras[hold["camera"]].insee,
            "camera": hold["camera"],
            "from_at": datetime.fromisoformat(hold["from"]),
            "to_at": datetime.fromisoformat(hold["to"]),
            "requisition": hold["requisition"],
            "put_at": missing[hold["id"]],
        }
        for hold in holds
        if hold["id"] in missing and hold["camera"] in cameras
    ]
    if rows:
        await connection.execute(insert(_HOLD).on_conflict_do_nothing(), rows)
