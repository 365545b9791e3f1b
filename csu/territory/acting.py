"""What an act on the territory is about, and its own rules: refused in its midst, nothing of it is written."""

from uuid import UUID

from sqlalchemy import Update
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts.guard import Visit
from csu.errors import Refusal, not_found
from csu.store import facts
from csu.territory import dossiers
from csu.territory.dossiers import Known
from legal.acts import Refused
from legal.facts import Subject


def demand(fault: Refused | None, status: int = 409) -> None:
    """Raise Refusal where there is a fault; within `visit.perform`, which journals it."""
    if fault is not None:
        raise Refusal(status, fault.code, fault.reason)


async def change(connection: AsyncConnection, statement: Update) -> None:
    """Raise Refusal where nothing is left to change: the journal has no act that did nothing."""
    if (await connection.execute(statement)).rowcount == 0:
        raise Refusal(409, "ALREADY_DONE", "C'est déjà ainsi : il n'y a rien à changer.")


async def subject_of(visit: Visit, insee: str) -> Subject:
    """The commune as an act's subject. Raises Refusal 404, journalled, for one that is not here."""
    async with visit.centre.store.facts() as connection:
        known = (await facts.communes(connection)).get(insee)
    if known is None:
        await visit.refuse(visit.entry(visit.act, detail={"about": insee}), not_found())
    return Subject(known.legal)


async def find(visit: Visit, authorisation: UUID) -> tuple[Known, Subject]:
    """An authorisation of the person's communes and its commune. Raises Refusal 403 and 404, journalled."""
    detail = {"authorisation": str(authorisation)}
    await visit.demand(detail=detail)
    async with visit.centre.store.transaction(visit.communes) as connection:
        known = await dossiers.find(connection, str(authorisation))
    if known is None:
        await visit.refuse(visit.entry(visit.act, detail=detail), not_found())
    return known, await subject_of(visit, known.row["commune"])
