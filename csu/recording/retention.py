"""How long each camera's recordings are kept: as the arrêté allows, or less by the decision of two persons.

Shortening destroys: what is past the new deadline dies once it is confirmed and the recorder has the orders (where that
is much at once, the recorder's breaker asks for two persons again). Lengthening stays within the arrêté; beyond, it
takes an amended one (CSI L.252-5, R.254-2).
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csu import proposals
from csu.accounts.guard import Guard, Visit
from csu.cameras.inventory import camera_of
from csu.errors import Refusal, not_found
from csu.proposals import Known, Waiting
from csu.schemas import CameraRef, WithMotif
from csu.store import facts, in_force, tables
from legal.acts import Act
from legal.facts import Validity
from legal.retention import LONGEST_DAYS, RetentionRefused, check_choice, kept_days
from legal.two_persons import Decision

router = APIRouter(prefix="/api", tags=["recorder"])
_NO_LINE = Refusal(409, "AUTH_MISSING", "Aucune autorisation en vigueur ne permet d'enregistrer cette caméra.")


class RetentionRequest(WithMotif):
    days: Annotated[int, Field(ge=1, le=1000)]


class RetentionBody(BaseModel):
    """Days. `authorised`: what the arrêté in force allows, null without one; `kept`: how long recordings live."""

    camera: CameraRef
    authorised: int | None
    minimum: int | None
    kept: int | None
    pending: Waiting | None


class RetentionsBody(BaseModel):
    retentions: list[RetentionBody]
    longest: int = LONGEST_DAYS


@router.get("/retentions")
async def list_retentions(visit: Annotated[Visit, Depends(Guard(Act.RETENTION_LIST))]) -> RetentionsBody:
    """Every camera that the person knows of, by number."""
    async with visit.perform() as connection:
        lines = await _lines(connection, visit)
        rows = await connection.execute(select(tables.camera.c.id, tables.camera.c.kept_days))
        chosen = {row.id: row.kept_days for row in rows}
        waiting = await proposals.latest_of(connection, Decision.RETENTION, list(chosen))
    async with visit.centre.store.facts() as reading:
        cameras = await facts.cameras(reading, chosen)
    return RetentionsBody(
        retentions=[
            _shown(CameraRef.of(camera), lines.get(camera.id), chosen[camera.id], waiting.get(camera.id), visit)
            for camera in cameras.values()
        ]
    )


@router.post("/cameras/{camera_id}/retention", status_code=201)
async def propose_retention(
    camera_id: UUID, body: RetentionRequest, visit: Annotated[Visit, Depends(Guard(Act.RETENTION_PROPOSE))]
) -> Waiting:
    """Nothing changes yet: another person has thirty minutes to confirm."""
    await visit.demand()
    camera = await camera_of(visit, str(camera_id))
    detail = {"days": body.days}
    async with visit.refusing(visit.entry(visit.act, camera, detail=detail)):
        motif = proposals.demand_motif(Decision.RETENTION, body.motif)
        await _check(visit, camera.id, body.days)
        await proposals.demand_none(visit, Decision.RETENTION, camera.id)
        async with visit.perform(camera.subject, camera=camera, motif=motif, detail=detail) as connection:
            known = await proposals.propose(
                connection,
                visit,
                Decision.RETENTION,
                camera.id,
                motif=motif,
                commune=camera.insee,
                content={"days": body.days},
            )
    return Waiting.of(known, visit)


@router.post("/retentions/{fact_id}/confirm")
async def confirm_retention(
    fact_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.RETENTION_CONFIRM))]
) -> RetentionBody:
    """The recorder gets its orders anew at once."""
    await visit.demand()
    async with visit.centre.store.transaction(visit.communes) as connection:
        known = await proposals.find(connection, str(fact_id), Decision.RETENTION)
    if known is None:
        raise not_found()
    camera, days = await camera_of(visit, known.legal.subject), int(known.content["days"])
    detail = known.told | {"days": days}
    async with visit.refusing(visit.entry(visit.act, camera, detail=detail)):
        await proposals.demand(known, visit, subject=camera.id)
        await _check(visit, camera.id, days)
        async with visit.perform(camera.subject, camera=camera, motif=known.motif, detail=detail) as connection:
            await proposals.confirm(connection, visit, known)
            changing = update(tables.camera).where(tables.camera.c.id == camera.id).values(kept_days=days)
            await connection.execute(changing)
            line = (await _lines(connection, visit)).get(camera.id)
    visit.centre.rights_changed()
    return _shown(CameraRef.of(camera), line, days, None, visit)


async def _check(visit: Visit, camera: str, days: int) -> None:
    """Raises Refusal unless the arrêté of now allows it."""
    async with visit.centre.store.transaction(visit.communes) as connection:
        line = (await _lines(connection, visit)).get(camera)
    if line is None:
        raise _NO_LINE
    try:
        check_choice(days, line["retention_days"], line["minimum_days"])
    except RetentionRefused as refused:
        raise Refusal(422, refused.code, str(refused)) from refused


async def _lines(connection: AsyncConnection, visit: Visit) -> dict[str, RowMapping]:
    """Of each camera, the line in force that lets it record; the one that ends last, as in the recorder's orders."""
    rows = (await connection.execute(in_force.lines())).mappings()
    dated = [(Validity(row["from_at"], row["to_at"], row["suspended_at"]), row) for row in rows if row["recorded"]]
    return {
        row["camera"]: row
        for validity, row in sorted(dated, key=lambda one: one[0].end_at)
        if validity.in_force(visit.now)
    }


def _shown(
    camera: CameraRef, line: RowMapping | None, chosen: int | None, known: Known | None, visit: Visit
) -> RetentionBody:
    return RetentionBody(
        camera=camera,
        authorised=None if line is None else line["retention_days"],
        minimum=None if line is None else line["minimum_days"],
        kept=None if line is None else kept_days(line["retention_days"], line["minimum_days"], chosen),
        pending=Waiting.of(known, visit) if known is not None and known.legal.is_open(visit.now) else None,
    )
