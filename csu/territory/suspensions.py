"""Suspending a legal fact and lifting the suspension: effective at once on live sessions (CSI R.254-2, L.132-14-1)."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import Table, select, update

from csu.accounts.guard import Visit
from csu.errors import Refusal, not_found
from csu.schemas import Body, Line
from csu.store import facts
from legal.facts import CENTRE, Subject
from legal.permissions import Refused

_UNKNOWN = Refused("NOT_FOUND", "Élément inconnu.", "CSI R.253-3")


class Suspension(Body):
    """Why: a short reason for the journal, without names or plates."""

    reason: Annotated[Line, Field(min_length=3, max_length=120)]


async def suspend(visit: Visit, table: Table, fact_id: str, reason: str) -> None:
    await _alter(visit, table, fact_id, reason, is_suspension=True)


async def resume(visit: Visit, table: Table, fact_id: str, reason: str) -> None:
    await _alter(visit, table, fact_id, reason, is_suspension=False)


async def _alter(visit: Visit, table: Table, fact_id: str, reason: str, *, is_suspension: bool) -> None:
    """The subject of a foreign fact, and one that does not exist, get the same 404."""
    detail = {table.name: fact_id, "reason": reason}
    subject = await _subject(visit, table, fact_id)
    outcome = _UNKNOWN if subject is None else visit.decide(visit.act, subject)
    if subject is None or (isinstance(outcome, Refused) and outcome.code == "OUT_OF_COMMUNE"):
        assert isinstance(outcome, Refused)
        # Who may not do the act at all learns that, whatever the identifier.
        general = visit.decide(visit.act, CENTRE)
        await visit.record(visit.entry(visit.act, detail=detail).refused(outcome))
        if isinstance(general, Refused) and general.code != "OUT_OF_COMMUNE":
            raise Refusal(403, general.code, general.reason)
        raise not_found()
    at_once = {"suspended_at": visit.now, "suspended_reason": reason}
    lifted = {"suspended_at": None, "suspended_reason": None}
    async with visit.perform(subject, detail=detail) as connection:
        statement = update(table).where(table.c.id == fact_id)
        if is_suspension:
            statement = statement.where(table.c.suspended_at.is_(None))
        await connection.execute(statement.values(at_once if is_suspension else lifted))
    visit.centre.rights_changed()
    await visit.centre.events.publish("session")


async def _subject(visit: Visit, table: Table, fact_id: str) -> Subject | None:
    async with visit.centre.store.facts() as connection:
        insee = await connection.scalar(select(table.c.commune).where(table.c.id == fact_id))
        known = await facts.communes(connection)
    return None if insee is None else Subject(known[insee].legal)
