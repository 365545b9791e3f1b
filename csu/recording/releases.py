"""Freezes of destruction, ended by two persons: one proposes with what they have checked, another confirms.

Recordings must be destroyed at their deadline (CSI R.253-4), by a clock that can be trusted and in the amount that was
foreseen; otherwise the recorder waits. The signed release goes to it on the confirmation only, and names the very
freeze: a later one needs two persons again. It answers before the centre commits.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from csu import proposals
from csu.accounts.guard import Guard, Visit
from csu.errors import Refusal, not_found
from csu.proposals import Known, Waiting
from csu.recording import asking
from csu.recording.state import read_state
from csu.schemas import WithMotif
from legal.acts import Act
from legal.two_persons import Decision, other_subject
from recorder.decisions import Release

router = APIRouter(prefix="/api/recorder/releases", tags=["recorder"])
_OVER = Refusal(409, "FREEZE_OVER", "Ce gel a déjà pris fin : il n'y a rien à lever.")
_SUBJECTS: dict[Decision, Literal["clock", "breaker"]] = {
    Decision.CLOCK_RELEASE: "clock",
    Decision.BREAKER_RELEASE: "breaker",
}
_DECISIONS: dict[str, Decision] = {subject: decision for decision, subject in _SUBJECTS.items()}


class ProposalRequest(WithMotif):
    """`freeze` as the recorder's state names it; `motif`: what the person has checked."""

    subject: Literal["clock", "breaker"]
    freeze: Annotated[str, Field(pattern="^[0-9A-Za-z:._-]+$", max_length=200)]


class ReleaseBody(Waiting):
    subject: str
    freeze: str
    confirmed_at: datetime | None


@router.post("", status_code=201)
async def propose_release(
    body: ProposalRequest, visit: Annotated[Visit, Depends(Guard(Act.RELEASE_PROPOSE))]
) -> ReleaseBody:
    """Nothing is freed yet: another person has thirty minutes to confirm."""
    detail = {"subject": body.subject, "freeze": body.freeze}
    await visit.demand(detail=detail)
    decision = _DECISIONS[body.subject]
    async with visit.refusing(visit.entry(visit.act, detail=detail)):
        motif = proposals.demand_motif(decision, body.motif)
        if await _freeze_now(visit, body.subject) != body.freeze:
            proposals.refuse(other_subject())
        await proposals.demand_none(visit, decision, body.freeze)
        async with visit.perform(motif=motif, detail=detail) as connection:
            return shown(await proposals.propose(connection, visit, decision, body.freeze, motif=motif), visit)


@router.post("/{fact_id}/confirm")
async def confirm_release(fact_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.RELEASE_CONFIRM))]) -> ReleaseBody:
    """The recorder is told, and has answered, when this is answered: destruction and playback go on."""
    detail: dict[str, str] = {"proposal": str(fact_id)}
    await visit.demand(detail=detail)
    async with visit.centre.store.transaction(visit.communes) as connection:
        known = await proposals.find(connection, str(fact_id), *_SUBJECTS)
    if known is None:
        raise not_found()
    subject, freeze = _SUBJECTS[known.decision], known.legal.subject
    detail |= known.told | {"subject": subject, "freeze": freeze}
    async with visit.refusing(visit.entry(visit.act, detail=detail)):
        await proposals.demand(known, visit, subject=freeze)
        await proposals.demand(known, visit, subject=await _freeze_now(visit, subject))
        persons = known.legal.person, visit.session.actor.id
        await asking.release(visit, Release(subject, freeze, persons))
        async with visit.perform(motif=known.motif, detail=detail) as connection:
            await proposals.confirm(connection, visit, known)
            done = await proposals.find(connection, known.id, known.decision)
    assert done is not None
    await visit.centre.events.publish("recorder")
    return shown(done, visit)


async def open_proposal(connection: AsyncConnection, subject: str, freeze: str, now: datetime) -> Known | None:
    """The proposal to end this freeze that may still be confirmed."""
    known = await proposals.latest(connection, _DECISIONS[subject], freeze)
    return known if known is not None and known.legal.is_open(now) else None


def shown(known: Known, visit: Visit) -> ReleaseBody:
    return ReleaseBody(
        **Waiting.of(known, visit).model_dump(),
        subject=_SUBJECTS[known.decision],
        freeze=known.legal.subject,
        confirmed_at=known.legal.confirmed_at,
    )


async def _freeze_now(visit: Visit, subject: str) -> str:
    """The freeze that the recorder tells of now. Raises Refusal when there is none, or no answer."""
    current = read_state(await asking.status(visit)).freeze(subject)
    if current is None:
        raise _OVER
    return current.id
