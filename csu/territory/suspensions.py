"""Suspending a legal fact and lifting the suspension: effective at once on live sessions (CSI R.254-2, L.132-14-1)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from sqlalchemy import ColumnElement, Table, select, update

from csu.accounts.guard import Guard, Visit
from csu.errors import Refusal
from csu.schemas import Done, Reason
from csu.store import facts
from csu.territory.acting import change, demand
from legal.acts import Act, Refused
from legal.facts import CENTRE, Role, Subject
from legal.motifs import Motif

Values = Mapping[str, Any]
_AS = "suspended_as"
"""Of a convention: the role of who suspended it. What the member commune's own delegate decided, no other lifts."""
_UNKNOWN = Refused("NOT_FOUND", "Élément inconnu.", "CSI R.253-3")
SELF = Refused(
    "SECOND_PERSON_REQUIRED",
    "Nul ne décide pour soi-même de ses droits : une autre personne doit le faire.",
    "CSI R.253-3",
)
ELECTED = Refused(
    "REGIME_ROLE_FORBIDDEN",
    "La commune a suspendu elle-même sa convention : elle seule lève la suspension.",
    "CSI L.132-14 IV",
)


def add_suspensions(router: APIRouter, path: str, table: Table) -> None:
    """The routes `suspend` and `resume` of a table of dated facts, with the acts that are named for it."""
    suspending, resuming = Guard(Act(f"{table.name}:suspend")), Guard(Act(f"{table.name}:resume"))

    @router.post(f"/{path}/{{fact_id}}/suspend", name=f"suspend_{table.name}")
    async def suspend(fact_id: UUID, body: Reason, visit: Annotated[Visit, Depends(suspending)]) -> Done:
        """From now on the fact is not in force."""
        values, can = suspension(table, visit.now, body.reason)
        if _AS in table.c:
            values = {**values, _AS: visit.session.actor.role}
        await alter(visit, table, fact_id, body, values, can)
        return Done()

    @router.post(f"/{path}/{{fact_id}}/resume", name=f"resume_{table.name}")
    async def resume(fact_id: UUID, body: Reason, visit: Annotated[Visit, Depends(resuming)]) -> Done:
        await alter(visit, table, fact_id, body, *lifting(table))
        return Done()


def suspension(table: Table, now: datetime, reason: str) -> tuple[Values, ColumnElement[bool]]:
    """What is written of a fact that is suspended, and of which it can be: `alter` takes both."""
    return {"suspended_at": now, "suspended_reason": reason}, table.c.suspended_at.is_(None)


def lifting(table: Table) -> tuple[Values, ColumnElement[bool]]:
    """The same of a suspension that is lifted."""
    values = {"suspended_at": None, "suspended_reason": None} | ({_AS: None} if _AS in table.c else {})
    return values, table.c.suspended_at.is_not(None)


async def alter(
    visit: Visit,
    table: Table,
    fact_id: UUID,
    given: Reason | Motif,
    values: Values,
    can: ColumnElement[bool],
) -> None:
    """Change a dated fact that can be. A foreign fact, and one that does not exist, get the same 404; nobody changes
    the own right. `given`: why, in free words or as a lawful motif."""
    detail = {table.name: str(fact_id)}
    motif = given if isinstance(given, Motif) else None
    if isinstance(given, Reason):
        await visit.demand_words(given.reason)
        detail |= {"given": given.reason}
    subject, row = await _find(visit, table, str(fact_id))
    outcome = _UNKNOWN if subject is None else visit.decide(visit.act, subject)
    if subject is None or (isinstance(outcome, Refused) and outcome.code == "OUT_OF_COMMUNE"):
        assert isinstance(outcome, Refused)
        # Who may not do the act at all learns that, whatever the identifier.
        general, entry = visit.decide(visit.act, CENTRE), visit.entry(visit.act, detail=detail)
        if isinstance(general, Refused) and general.code != "OUT_OF_COMMUNE":
            await visit.refuse(entry, Refusal(403, general.code, general.reason))
        await visit.hide(entry, outcome)
    async with visit.perform(subject, motif=motif, detail=detail | {"about": row["reference"]}) as connection:
        actor = visit.session.actor
        demand(SELF if actor.id in row.get("persons", [row.get("account")]) else None, 422)
        demand(ELECTED if row.get(_AS) == Role.DELEGATE and actor.role is not Role.DELEGATE else None, 403)
        await change(connection, update(table).where(table.c.id == str(fact_id), can).values(values))
    visit.centre.rights_changed()
    await visit.centre.events.publish("session")


async def _find(visit: Visit, table: Table, fact_id: str) -> tuple[Subject | None, Mapping[Any, Any]]:
    """The commune of a fact and its row; None when there is no such fact."""
    async with visit.centre.store.facts() as connection:
        row = (await connection.execute(select(table).where(table.c.id == fact_id))).mappings().one_or_none()
        known = await facts.communes(connection)
    return (None, {}) if row is None else (Subject(known[row["commune"]].legal), row)
