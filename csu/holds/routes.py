"""Holds: put from a requisition number, listed, and released by two persons.

A requisition for one camera and window keeps exactly that (CSI L.252-5, R.253-4 al. 3). The recorder answers before the
row and the entry are committed: a hold that the centre shows is in force. One that the recorder took while the commit
failed is listed as soon as the recorder tells of it (`taking.py`), and is released like any other.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import RowMapping, select, update
from sqlalchemy.dialects.postgresql import insert

from csu import proposals
from csu.accounts.guard import Guard, Visit
from csu.cameras.inventory import camera_of
from csu.errors import Refusal, invalid, not_found
from csu.proposals import Known
from csu.recording import asking
from csu.schemas import Body, Instant, Line, WithMotif
from csu.store import tables
from legal import motifs
from legal.acts import Act
from legal.motifs import Motif
from legal.two_persons import Decision
from recorder.decisions import Hold, Release

router = APIRouter(prefix="/api/holds", tags=["holds"])
_HOLD = tables.hold
_NO_PROCEDURE = Refusal(
    422, "HOLD_WITHOUT_PROCEDURE", "Une conservation au-delà du délai exige le numéro de la réquisition."
)


class HoldRequest(Body):
    camera: UUID
    from_at: Annotated[Instant, Field(alias="from")]
    to_at: Annotated[Instant, Field(alias="to")]
    requisition: Annotated[Line, Field(max_length=80)] = ""


class HoldBody(BaseModel):
    id: str
    camera: str
    from_at: datetime = Field(serialization_alias="from")
    to_at: datetime = Field(serialization_alias="to")
    requisition: str
    put_at: datetime
    release_proposed_at: datetime | None
    release_proposed_by_me: bool
    released_at: datetime | None


class PutBody(HoldBody):
    """`segments`, `bytes`, `first`, `last`: what the recorder keeps of the window at this moment."""

    segments: int
    size: int = Field(serialization_alias="bytes")
    first: datetime | None
    last: datetime | None


class HoldsBody(BaseModel):
    holds: list[HoldBody]


@router.get("")
async def list_holds(visit: Annotated[Visit, Depends(Guard(Act.HOLD_LIST))]) -> HoldsBody:
    """Every hold that the person's communes have, the newest first; those released too."""
    async with visit.perform() as connection:
        rows = (await connection.execute(select(_HOLD).order_by(_HOLD.c.put_at.desc()))).mappings().all()
        known = await proposals.latest_of(connection, Decision.HOLD_RELEASE, [row["id"] for row in rows])
    return HoldsBody(holds=[HoldBody(**_shown(row, known.get(row["id"]), visit)) for row in rows])


@router.post("", status_code=201)
async def put_hold(body: HoldRequest, visit: Annotated[Visit, Depends(Guard(Act.HOLD_PUT))]) -> PutBody:
    """In force when this is answered."""
    await visit.demand()
    camera = await camera_of(visit, str(body.camera))
    if body.from_at >= body.to_at:
        raise invalid("La période doit finir après son début.")
    requisition = body.requisition.strip()
    window = {"from": body.from_at.isoformat(), "to": body.to_at.isoformat(), "requisition": requisition}
    async with visit.refusing(visit.entry(visit.act, camera)):
        _check(requisition)
    async with visit.refusing(visit.entry(visit.act, camera, detail=window)):
        hold = Hold(str(uuid4()), camera.id, body.from_at, body.to_at, requisition, visit.now)
        kept = await asking.put(visit, hold)
    row = {
        "id": hold.id,
        "commune": camera.insee,
        "camera": camera.id,
        "from_at": body.from_at,
        "to_at": body.to_at,
        "requisition": requisition,
        "put_at": visit.now,
        "put_by": visit.session.actor.id,
    }
    async with visit.perform(camera.subject, detail={"hold": hold.id, "camera": camera.id, **window}) as connection:
        await connection.execute(insert(_HOLD).values(row).on_conflict_do_nothing())
    return PutBody(
        **_shown({**row, "released_at": None}, None, visit),
        segments=kept["segments"],
        size=kept["bytes"],
        first=kept["first"],
        last=kept["last"],
    )


def _check(requisition: str) -> None:
    """Raises Refusal unless it is a number: what else is written there may be a name or a plate, and is not kept."""
    if not requisition:
        raise _NO_PROCEDURE
    fault = motifs.fault_of_reference(requisition)
    if fault is not None:
        raise Refusal(422, fault.code, fault.reason)


@router.post("/{fact_id}/release")
async def release_hold(
    fact_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.HOLD_RELEASE))], body: WithMotif | None = None
) -> HoldBody:
    """The first person proposes, with a motif; another confirms: then the recorder is told, and what is past its
    deadline dies."""
    await visit.demand()
    async with visit.centre.store.transaction(visit.communes) as connection:
        statement = select(_HOLD).where(_HOLD.c.id == str(fact_id))
        row = (await connection.execute(statement)).mappings().one_or_none()
        known = await proposals.latest(connection, Decision.HOLD_RELEASE, str(fact_id))
    if row is None:
        raise not_found()
    detail = {"hold": row["id"]}
    async with visit.refusing(visit.entry(visit.act, commune=row["commune"], detail=detail)):
        if row["released_at"] is None and (known is None or not known.legal.is_open(visit.now)):
            motif = proposals.demand_motif(Decision.HOLD_RELEASE, None if body is None else body.motif)
            known = await _propose(visit, row, motif, detail)
        else:
            row, known = await _confirm(visit, row, known, detail)
    return HoldBody(**_shown(row, known, visit))


async def _propose(visit: Visit, row: RowMapping, motif: Motif, detail: dict[str, str]) -> Known:
    decision, commune = Decision.HOLD_RELEASE, row["commune"]
    async with visit.perform(motif=motif, detail={**detail, "step": "proposed"}) as connection:
        return await proposals.propose(connection, visit, decision, row["id"], motif=motif, commune=commune)


async def _confirm(
    visit: Visit, row: RowMapping, known: Known | None, detail: dict[str, str]
) -> tuple[RowMapping, Known]:
    known = await proposals.demand(known, visit, subject=row["id"])
    await asking.release(visit, Release("hold", row["id"], (known.legal.person, visit.session.actor.id)))
    async with visit.perform(motif=known.motif, detail={**detail, **known.told, "step": "released"}) as connection:
        await proposals.confirm(connection, visit, known)
        changing = update(_HOLD).where(_HOLD.c.id == row["id"]).values(released_at=visit.now).returning(_HOLD)
        return (await connection.execute(changing)).mappings().one(), known


def _shown(row: RowMapping | dict[str, Any], known: Known | None, visit: Visit) -> dict[str, Any]:
    """A release that nobody confirmed in time is told no more."""
    names = ("id", "camera", "from_at", "to_at", "requisition", "put_at", "released_at")
    waits = known is not None and (row["released_at"] is not None or known.legal.is_open(visit.now))
    return {name: row[name] for name in names} | {
        "release_proposed_at": known.legal.at if known is not None and waits else None,
        "release_proposed_by_me": known is not None and waits and known.legal.person == visit.session.actor.id,
    }
