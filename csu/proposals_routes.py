"""All that waits for a second person, in one list: what, about which camera, who proposed it and until when."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sqlalchemy import select, union_all

from csu import proposals
from csu.accounts.guard import Guard, Visit
from csu.proposals import Known, Waiting
from csu.schemas import CameraRef
from csu.store import facts, tables
from legal.permissions import Act
from legal.two_persons import Decision

router = APIRouter(prefix="/api", tags=["proposals"])


class ProposalBody(Waiting):
    """`days`: of a retention. `camera` None: the whole centre is concerned."""

    decision: Decision
    camera: CameraRef | None
    days: int | None


class Proposals(BaseModel):
    proposals: list[ProposalBody]


@router.get("/proposals")
async def list_proposals(visit: Annotated[Visit, Depends(Guard(Act.PROPOSAL_LIST))]) -> Proposals:
    """Those that expire first come first."""
    hold, interruption = tables.hold, tables.interruption
    async with visit.perform() as connection:
        waiting = [one for decision in Decision for one in await proposals.open_ones(connection, decision, visit.now)]
        about = union_all(select(hold.c.id, hold.c.camera), select(interruption.c.id, interruption.c.camera)).subquery()
        subjects = [one.legal.subject for one in waiting if one.decision in _BY_ROW]
        rows = await connection.execute(select(about).where(about.c.id.in_(subjects)))
        camera_by_row = {row.id: row.camera for row in rows}
    named = {one.id: _camera(one, camera_by_row) for one in waiting}
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
            )
        )
    return Proposals(proposals=told)


_BY_ROW = frozenset({Decision.HOLD_RELEASE, Decision.MASK, Decision.UNMASK})


def _camera(known: Known, by_row: dict[str, str]) -> str | None:
    if known.decision in _BY_ROW:
        return by_row.get(known.legal.subject)
    if known.decision is Decision.RETENTION:
        return known.legal.subject
    return known.content.get("camera")
