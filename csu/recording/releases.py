"""Freezes of destruction, ended by two persons: one proposes with what they have checked, another confirms.

Recordings must be destroyed at their deadline (CSI R.253-4), by a clock that can be trusted and in the amount that was
foreseen; otherwise the recorder waits. The signed release goes to it on the confirmation only, and names the very
freeze: a later one needs two persons again. It answers before the centre commits.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import RowMapping, Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts.guard import Guard, Visit
from csu.errors import Refusal, not_found
from csu.recording import asking
from csu.recording.state import read_state
from csu.schemas import Line, Reason
from csu.store import tables
from legal.permissions import Act, Refused
from legal.two_persons import CONFIRM_WITHIN, Proposal, second_person
from recorder.decisions import Release

router = APIRouter(prefix="/api/recorder/releases", tags=["recorder"])
_RELEASE = tables.freeze_release
_SOURCE = "CSI R.253-4"
_OVER = Refused("FREEZE_OVER", "Ce gel a déjà pris fin : il n'y a rien à lever.", _SOURCE)
_OTHER = Refused(
    "FREEZE_OTHER", "Ce n'est plus le même gel : vérifiez de nouveau, puis proposez pour celui-ci.", _SOURCE
)
_PROPOSED = Refused("ALREADY_PROPOSED", "La levée de ce gel est déjà proposée : elle attend une confirmation.", _SOURCE)


class ProposalRequest(Reason):
    """`freeze` as the recorder's state names it; `reason`: what the person has checked."""

    subject: Literal["clock", "breaker"]
    freeze: Annotated[Line, Field(min_length=1, max_length=200)]


class ReleaseBody(BaseModel):
    """`mine`: the person who asks has proposed it, and can't confirm it."""

    id: str
    subject: str
    freeze: str
    reason: str
    proposed_at: datetime
    proposed_by: str
    mine: bool
    expires_at: datetime
    confirmed_at: datetime | None


@router.post("", status_code=201)
async def propose_release(
    body: ProposalRequest, visit: Annotated[Visit, Depends(Guard(Act.RELEASE_PROPOSE))]
) -> ReleaseBody:
    """Nothing is freed yet: another person has thirty minutes to confirm."""
    detail = {"subject": body.subject, "freeze": body.freeze, "given": body.reason}
    await visit.demand(detail=detail)
    body.check()
    try:
        await _demand_in_force(visit, body.subject, body.freeze)
        async with visit.centre.store.transaction(visit.communes) as connection:
            if await open_proposal(connection, body.freeze, visit.now) is not None:
                raise _refusal(_PROPOSED)
    except Refusal as refusal:
        await visit.record(visit.entry(visit.act, detail=detail).refused(asking.refused(refusal)))
        raise
    row: dict[str, Any] = {
        "id": str(uuid4()),
        "subject": body.subject,
        "freeze_id": body.freeze,
        "reason": body.reason,
        "proposed_at": visit.now,
        "proposed_by": visit.session.actor.id,
    }
    async with visit.perform(detail={**detail, "release": row["id"]}) as connection:
        await connection.execute(insert(_RELEASE).values(row))
        return shown((await connection.execute(_named().where(_RELEASE.c.id == row["id"]))).mappings().one(), visit)


@router.post("/{fact_id}/confirm")
async def confirm_release(fact_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.RELEASE_CONFIRM))]) -> ReleaseBody:
    """The recorder is told, and has answered, when this is answered: destruction and playback go on."""
    detail: dict[str, str] = {"release": str(fact_id)}
    await visit.demand(detail=detail)
    statement = _named().where(_RELEASE.c.id == str(fact_id))
    async with visit.centre.store.transaction(visit.communes) as connection:
        row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        raise not_found()
    if row["confirmed_at"] is not None:
        return shown(row, visit)
    detail |= {"subject": row["subject"], "freeze": row["freeze_id"], "given": row["reason"]}
    person = visit.session.actor.id
    try:
        refused = second_person(Proposal(row["proposed_by"], row["proposed_at"]), person, visit.now)
        if refused is not None:
            raise _refusal(refused)
        await _demand_in_force(visit, row["subject"], row["freeze_id"])
        await asking.release(visit, Release(row["subject"], row["freeze_id"], (row["proposed_by"], person)))
    except Refusal as refusal:
        await visit.record(visit.entry(visit.act, detail=detail).refused(asking.refused(refusal)))
        raise
    async with visit.perform(detail=detail) as connection:
        changing = update(_RELEASE).where(_RELEASE.c.id == row["id"], _RELEASE.c.confirmed_at.is_(None))
        await connection.execute(changing.values(confirmed_at=visit.now, confirmed_by=person))
        row = (await connection.execute(statement)).mappings().one()
    await visit.centre.events.publish("recorder")
    return shown(row, visit)


async def open_proposal(connection: AsyncConnection, freeze: str, now: datetime) -> RowMapping | None:
    """The proposal to end this freeze that may still be confirmed, the newest if there are several."""
    statement = _named().where(
        _RELEASE.c.freeze_id == freeze, _RELEASE.c.confirmed_at.is_(None), _RELEASE.c.proposed_at > now - CONFIRM_WITHIN
    )
    found: RowMapping | None = (
        (await connection.execute(statement.order_by(_RELEASE.c.proposed_at.desc()).limit(1))).mappings().one_or_none()
    )
    return found


def shown(row: RowMapping, visit: Visit) -> ReleaseBody:
    return ReleaseBody(
        **{name: row[name] for name in ("id", "subject", "reason", "proposed_at", "confirmed_at")},
        freeze=row["freeze_id"],
        proposed_by=row["proposer"],
        mine=row["proposed_by"] == visit.session.actor.id,
        expires_at=row["proposed_at"] + CONFIRM_WITHIN,
    )


async def _demand_in_force(visit: Visit, subject: str, freeze: str) -> None:
    """The freeze is the one that the recorder tells of now. Raises Refusal."""
    current = read_state(await asking.status(visit)).freeze(subject)
    if current is None:
        raise _refusal(_OVER)
    if current.id != freeze:
        raise _refusal(_OTHER)


def _named() -> Select[Any]:
    account = tables.account
    return select(_RELEASE, account.c.name.label("proposer")).join(account, account.c.id == _RELEASE.c.proposed_by)


def _refusal(refused: Refused) -> Refusal:
    return Refusal(409, refused.code, refused.reason)
