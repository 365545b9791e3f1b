"""Suspending a legal fact and lifting the suspension: effective at once on live sessions (CSI R.254-2, L.132-14-1)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, select, update

from csu.accounts.guard import Visit
from csu.errors import Refusal, not_found
from csu.schemas import Reason
from csu.store import facts
from legal.facts import CENTRE, Subject
from legal.permissions import Refused

_UNKNOWN = Refused("NOT_FOUND", "Élément inconnu.", "CSI R.253-3")


async def suspend(visit: Visit, table: Table, fact_id: UUID, given: Reason) -> None:
    """From now on the fact is not in force; one that is suspended already keeps its date."""
    values = {"suspended_at": visit.now, "suspended_reason": given.reason}
    await alter(visit, table, fact_id, given, values, table.c.suspended_at.is_(None))


async def resume(visit: Visit, table: Table, fact_id: UUID, given: Reason) -> None:
    await alter(visit, table, fact_id, given, {"suspended_at": None, "suspended_reason": None})


async def alter(
    visit: Visit, table: Table, fact_id: UUID, given: Reason, values: Mapping[str, Any], *unless: ColumnElement[bool]
) -> None:
    """Change a dated fact where the conditions hold. A foreign fact, and one that does not exist, get the same 404."""
    given.check()
    detail = {table.name: str(fact_id), "given": given.reason}
    subject, reference = await _subject(visit, table, str(fact_id))
    outcome = _UNKNOWN if subject is None else visit.decide(visit.act, subject)
    if subject is None or (isinstance(outcome, Refused) and outcome.code == "OUT_OF_COMMUNE"):
        assert isinstance(outcome, Refused)
        # Who may not do the act at all learns that, whatever the identifier.
        general = visit.decide(visit.act, CENTRE)
        await visit.record(visit.entry(visit.act, detail=detail).refused(outcome))
        if isinstance(general, Refused) and general.code != "OUT_OF_COMMUNE":
            raise Refusal(403, general.code, general.reason)
        raise not_found()
    async with visit.perform(subject, detail=detail | {"about": reference}) as connection:
        await connection.execute(update(table).where(table.c.id == str(fact_id), *unless).values(values))
    visit.centre.rights_changed()
    await visit.centre.events.publish("session")


async def _subject(visit: Visit, table: Table, fact_id: str) -> tuple[Subject | None, str | None]:
    """The commune of a fact and its reference; None for both when there is no such fact."""
    async with visit.centre.store.facts() as connection:
        statement = select(table.c.commune, table.c.reference).where(table.c.id == fact_id)
        row = (await connection.execute(statement)).one_or_none()
        known = await facts.communes(connection)
    return (None, None) if row is None else (Subject(known[row[0]].legal), row[1])
