"""All that waits for a second person, in one list: what, about which camera, who proposed it and until when.

What may be confirmed may be refused as well, and taken back by who proposed it: it is then closed, and nothing is done.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from csu import proposals
from csu.accounts.guard import Guard, Visit
from csu.errors import Refusal, not_found
from csu.proposals import Known, Waiting
from csu.schemas import CameraRef, Done, Reason
from csu.store import facts, tables
from legal.acts import Act, Refused
from legal.bases import LABELS, Function
from legal.two_persons import Decision, undecidable

router = APIRouter(prefix="/api", tags=["proposals"])


class BasisTold(BaseModel):
    """The legal basis that would be registered."""

    label: str
    reference: str
    from_at: datetime = Field(serialization_alias="from")
    to_at: datetime = Field(serialization_alias="to")


class ProposalBody(Waiting):
    """`days`: of a retention. `camera` None: the whole centre is concerned. `may_decide`: whether the person's role
    confirms and refuses such a decision."""

    decision: Decision
    camera: CameraRef | None
    days: int | None
    basis: BasisTold | None
    may_decide: bool


class Proposals(BaseModel):
    proposals: list[ProposalBody]


@router.get("/proposals")
async def list_proposals(visit: Annotated[Visit, Depends(Guard(Act.PROPOSAL_LIST))]) -> Proposals:
    """Those that expire first come first; of a hold, for those who may know of one."""
    is_secret = isinstance(visit.decide(Act.HOLD_LIST), Refused)
    told_of = [decision for decision in Decision if decision is not Decision.HOLD_RELEASE or not is_secret]
    async with visit.perform() as connection:
        waiting = [one for decision in told_of for one in await proposals.open_ones(connection, decision, visit.now)]
        named = await _cameras_of(connection, waiting)
    async with visit.centre.store.facts() as reading:
        cameras = await facts.cameras(reading, {camera for camera in named.values() if camera is not None})
    told = []
    for one in sorted(waiting, key=lambda one: one.legal.until):
        camera = cameras.get(named[one.id] or "")
        told.append(
            ProposalBody(
                **Waiting.of(one, visit).model_dump(),
                decision=one.decision,
                camera=None if camera is None else CameraRef.of(camera),
                days=one.content.get("days"),
                basis=_basis(one.content) if one.decision is Decision.LEGAL_BASIS else None,
                may_decide=not isinstance(visit.decide(_CONFIRMING[one.decision]), Refused),
            )
        )
    return Proposals(proposals=told)


@router.post("/proposals/{fact_id}/close")
async def close_proposal(
    fact_id: UUID, body: Reason, visit: Annotated[Visit, Depends(Guard(Act.PROPOSAL_CLOSE))]
) -> Done:
    """Refused by another person, or taken back by the one who proposed it: nobody can confirm it any more."""
    await visit.demand(detail={"proposal": str(fact_id)})
    await visit.demand_words(body.reason)
    async with visit.centre.store.transaction(visit.communes) as connection:
        known = await proposals.find(connection, str(fact_id), *Decision)
        named = {} if known is None else await _cameras_of(connection, [known])
    if known is None:
        raise not_found()
    # That a camera's recordings are held is secret (CPP 11): the entry of a hold names none.
    about = None if known.decision is Decision.HOLD_RELEASE else named[known.id]
    async with visit.centre.store.facts() as reading:
        camera = None if about is None else (await facts.cameras(reading, {about})).get(about)
    detail = known.told | {"decision": known.decision, "given": body.reason}
    async with visit.refusing(visit.entry(visit.act, camera, detail=detail)):
        outcome = visit.decide(_CONFIRMING[known.decision])
        if isinstance(outcome, Refused):
            raise Refusal(403, outcome.code, outcome.reason)
        proposals.refuse(undecidable(known.legal, visit.now))
        async with visit.perform(camera=camera, motif=known.motif, detail=detail) as connection:
            await proposals.withdraw(connection, visit, known)
    return Done()


# Who confirms a decision may refuse it.
_CONFIRMING: dict[Decision, Act] = {
    Decision.HOLD_RELEASE: Act.HOLD_RELEASE,
    Decision.CLOCK_RELEASE: Act.RELEASE_CONFIRM,
    Decision.BREAKER_RELEASE: Act.RELEASE_CONFIRM,
    Decision.MASK: Act.INTERRUPTION_CONFIRM,
    Decision.UNMASK: Act.INTERRUPTION_CONFIRM,
    Decision.RETENTION: Act.RETENTION_CONFIRM,
    Decision.LEGAL_BASIS: Act.BASIS_CONFIRM,
}
_BY_ROW = frozenset({Decision.HOLD_RELEASE, Decision.MASK, Decision.UNMASK})


async def _cameras_of(connection: AsyncConnection, known: list[Known]) -> dict[str, str | None]:
    """The camera that each proposal is about, by the proposal's id."""
    hold, interruption = tables.hold, tables.interruption
    about = union_all(select(hold.c.id, hold.c.camera), select(interruption.c.id, interruption.c.camera)).subquery()
    subjects = [one.legal.subject for one in known if one.decision in _BY_ROW]
    rows = await connection.execute(select(about).where(about.c.id.in_(subjects)))
    by_row = {row.id: row.camera for row in rows}
    return {one.id: _camera(one, by_row) for one in known}


def _camera(known: Known, by_row: dict[str, str]) -> str | None:
    if known.decision in _BY_ROW:
        return by_row.get(known.legal.subject)
    if known.decision is Decision.RETENTION:
        return known.legal.subject
    return known.content.get("camera")


def _basis(content: Any) -> BasisTold:
    return BasisTold(
        label=LABELS[Function(content["function"])],
        reference=content["reference"],
        from_at=datetime.fromisoformat(content["from"]),
        to_at=datetime.fromisoformat(content["to"]),
    )
