"""Holds: put from a requisition number, listed, and released by two persons.

A requisition for one camera and window keeps exactly that (CSI L.252-5, R.253-4 al. 3). The recorder answers before the
row and the entry are committed: a hold that the centre shows is in force. One that the recorder took while the commit
failed keeps footage all the same, and asking again makes another.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import RowMapping, insert, select, update

from csu.accounts.guard import Guard, Visit
from csu.cameras.inventory import camera_of
from csu.errors import Refusal, invalid, not_found
from csu.recording import asking
from csu.schemas import Body, Line
from csu.store import tables
from csu.store.facts import KnownCamera
from legal.permissions import Act, Refused
from recorder.decisions import Hold, Release

router = APIRouter(prefix="/api/holds", tags=["holds"])
_HOLD = tables.hold
_NO_PROCEDURE = Refused(
    "HOLD_WITHOUT_PROCEDURE",
    "Une conservation au-delà du délai exige le numéro de la réquisition.",
    "CSI R.253-4 al. 3",
)
_SAME_PERSON = Refused("SECOND_PERSON_REQUIRED", "Une autre personne doit confirmer la levée.", "CSI R.253-2")


class HoldRequest(Body):
    camera: UUID
    from_at: Annotated[AwareDatetime, Field(alias="from")]
    to_at: Annotated[AwareDatetime, Field(alias="to")]
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
    return HoldsBody(holds=[HoldBody(**_shown(row, visit)) for row in rows])


@router.post("", status_code=201)
async def put_hold(body: HoldRequest, visit: Annotated[Visit, Depends(Guard(Act.HOLD_PUT))]) -> PutBody:
    """In force when this is answered."""
    await visit.demand()
    camera = await camera_of(visit, str(body.camera))
    if body.from_at >= body.to_at:
        raise invalid("La période doit finir après son début.")
    requisition = body.requisition.strip()
    window = {"from": body.from_at.isoformat(), "to": body.to_at.isoformat(), "requisition": requisition}
    if not requisition:
        await _refuse(visit, camera, window, Refusal(422, _NO_PROCEDURE.code, _NO_PROCEDURE.reason))
    hold = Hold(str(uuid4()), camera.id, body.from_at, body.to_at, requisition, visit.now)
    try:
        kept = await asking.put(visit, hold)
    except Refusal as refusal:
        await _refuse(visit, camera, window, refusal)
        raise
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
        await connection.execute(insert(_HOLD).values(row))
    return PutBody(
        **_shown({**row, "release_proposed_at": None, "release_proposed_by": None, "released_at": None}, visit),
        segments=kept["segments"],
        size=kept["bytes"],
        first=kept["first"],
        last=kept["last"],
    )


@router.post("/{fact_id}/release")
async def release_hold(fact_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.HOLD_RELEASE))]) -> HoldBody:
    """The first person proposes, another confirms: then the recorder is told, and what is past its deadline dies."""
    await visit.demand()
    person, detail = visit.session.actor.id, {"hold": str(fact_id)}
    refusal: Refusal | None = None
    async with visit.centre.store.transaction(visit.communes) as connection:
        statement = select(_HOLD).where(_HOLD.c.id == str(fact_id))
        row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        raise not_found()
    if row["released_at"] is not None:
        return HoldBody(**_shown(row, visit))
    first = row["release_proposed_by"]
    if first is None:
        changed: dict[str, Any] = {"release_proposed_by": person, "release_proposed_at": visit.now}
    elif first == person:
        refusal = Refusal(409, _SAME_PERSON.code, _SAME_PERSON.reason)
        changed = {}
    else:
        changed = {"released_by": person, "released_at": visit.now}
        try:
            await asking.release(visit, Release("hold", row["id"], (first, person)))
        except Refusal as refused:
            refusal = refused
    if refusal is not None:
        await visit.record(
            visit.entry(visit.act, commune=row["commune"], detail=detail).refused(asking.refused(refusal))
        )
        raise refusal
    step = "proposed" if first is None else "released"
    async with visit.perform(detail={**detail, "step": step}) as connection:
        changing = (
            update(_HOLD).where(_HOLD.c.id == row["id"], _HOLD.c.released_at.is_(None)).values(changed).returning(_HOLD)
        )
        row = (await connection.execute(changing)).mappings().one()
    return HoldBody(**_shown(row, visit))


async def _refuse(visit: Visit, camera: KnownCamera, detail: dict[str, str], refusal: Refusal) -> None:
    await visit.record(visit.entry(visit.act, camera, detail=detail).refused(asking.refused(refusal)))
    raise refusal


def _shown(row: RowMapping | dict[str, Any], visit: Visit) -> dict[str, Any]:
    names = ("id", "camera", "from_at", "to_at", "requisition", "put_at", "release_proposed_at", "released_at")
    return {name: row[name] for name in names} | {
        "release_proposed_by_me": row["release_proposed_by"] == visit.session.actor.id
    }
