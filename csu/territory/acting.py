"""An act whose refusal is found in the midst of it: nothing of it is written, and the refusal is journalled."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts.guard import Visit
from csu.errors import Refusal, not_found
from csu.store import facts
from csu.territory import dossiers
from csu.territory.dossiers import Known
from legal.facts import CENTRE, Subject
from legal.permissions import Refused

_UNKNOWN = Refused("NOT_FOUND", "Élément inconnu.", "CSI R.253-3")
_CONFLICT = Refused("CONFLICT", "Cette référence est déjà prise, ou un élément nommé n'existe pas.", "CSI R.253-5")


class NotDone(Exception):
    """Raised inside `attempt`."""

    def __init__(self, refused: Refused, status: int = 409) -> None:
        super().__init__(refused.code)
        self.refused = refused
        self.status = status


def demand(fault: Refused | None, status: int = 409) -> None:
    """Raise NotDone where there is a fault."""
    if fault is not None:
        raise NotDone(fault, status)


@asynccontextmanager
async def attempt(visit: Visit, subject: Subject, detail: Mapping[str, Any]) -> AsyncIterator[AsyncConnection]:
    """`visit.perform`, in which NotDone and what the tables refuse undo all and answer with a code, journalled."""
    try:
        async with visit.perform(subject, detail=detail) as connection:
            yield connection
    except NotDone as no:
        await refuse(visit, subject, detail, no.refused, no.status)
    except IntegrityError:
        await refuse(visit, subject, detail, _CONFLICT)


async def refuse(
    visit: Visit, subject: Subject, detail: Mapping[str, Any], refused: Refused, status: int = 409
) -> None:
    """Raises Refusal, journalled."""
    commune = None if subject.commune is None else subject.commune.insee
    await visit.record(visit.entry(visit.act, commune=commune, detail=detail).refused(refused))
    raise Refusal(status, refused.code, refused.reason)


async def subject_of(visit: Visit, insee: str) -> Subject:
    """The commune as an act's subject. Raises Refusal 404, journalled, for one that is not here."""
    async with visit.centre.store.facts() as connection:
        known = (await facts.communes(connection)).get(insee)
    if known is None:
        await refuse(visit, CENTRE, {"about": insee}, _UNKNOWN, 404)
        raise not_found()
    return Subject(known.legal)


async def find(visit: Visit, authorisation: UUID) -> tuple[Known, Subject]:
    """An authorisation of the person's communes and its commune. Raises Refusal 403 and 404, journalled."""
    await visit.demand(detail={"authorisation": str(authorisation)})
    async with visit.centre.store.transaction(visit.communes) as connection:
        known = await dossiers.find(connection, str(authorisation))
    if known is None:
        await refuse(visit, CENTRE, {"authorisation": str(authorisation)}, _UNKNOWN, 404)
        raise not_found()
    return known, await subject_of(visit, known.row["commune"])
