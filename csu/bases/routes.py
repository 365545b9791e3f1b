"""The register of legal bases of automatic analysis: a row is proposed by one person and registered by another.

What no text allows is refused when it is proposed, with its article (`legal.bases`): for all that the CSI governs.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import RowMapping, insert, select, update

from csu import proposals
from csu.accounts.guard import Guard, Visit
from csu.cameras.inventory import camera_of
from csu.errors import Refusal, not_found
from csu.proposals import Waiting
from csu.schemas import Body, CameraRef, Instant, Line
from csu.store import facts, tables
from csu.store.facts import KnownCamera
from csu.territory.acting import change
from legal.acts import Act
from legal.bases import LABELS, Function, fault_of
from legal.facts import Validity
from legal.two_persons import Decision

router = APIRouter(prefix="/api/legal-bases", tags=["legal bases"])
_TABLE = tables.legal_basis


class BasisRequest(Body):
    """`reference`: the text, as it is cited."""

    camera: UUID
    function: Function
    reference: Annotated[Line, Field(min_length=3, max_length=120)]
    from_at: Annotated[Instant, Field(alias="from")]
    to_at: Annotated[Instant, Field(alias="to")]


class BasisBody(BaseModel):
    id: str
    camera: CameraRef
    function: str
    label: str
    reference: str
    from_at: datetime = Field(serialization_alias="from")
    to_at: datetime = Field(serialization_alias="to")
    registered_at: datetime
    ended_at: datetime | None


class ProposedBasis(Waiting):
    camera: CameraRef
    function: str
    reference: str


class BasesBody(BaseModel):
    bases: list[BasisBody]
    proposed: list[ProposedBasis]


@router.get("")
async def list_bases(visit: Annotated[Visit, Depends(Guard(Act.BASIS_LIST))]) -> BasesBody:
    """Those of the person's communes, past ones too, and what waits for a second person."""
    async with visit.perform() as connection:
        rows = (await connection.execute(select(_TABLE).order_by(_TABLE.c.registered_at.desc()))).mappings().all()
        waiting = await proposals.open_ones(connection, Decision.LEGAL_BASIS, visit.now)
    async with visit.centre.store.facts() as reading:
        wanted = {row["camera"] for row in rows} | {str(known.content["camera"]) for known in waiting}
        cameras = await facts.cameras(reading, wanted)
    return BasesBody(
        bases=[_shown(row, cameras[row["camera"]]) for row in rows],
        proposed=[
            ProposedBasis(
                **Waiting.of(known, visit).model_dump(),
                camera=CameraRef.of(cameras[known.content["camera"]]),
                function=known.content["function"],
                reference=known.content["reference"],
            )
            for known in waiting
        ],
    )


@router.post("", status_code=201)
async def propose_basis(body: BasisRequest, visit: Annotated[Visit, Depends(Guard(Act.BASIS_PROPOSE))]) -> Waiting:
    """Nothing is registered yet: another person has thirty minutes to confirm."""
    await visit.demand()
    await visit.demand_words(body.reference)
    camera = await camera_of(visit, str(body.camera))
    content = {
        "camera": camera.id,
        "function": body.function.value,
        "reference": body.reference,
        "from": body.from_at.isoformat(),
        "to": body.to_at.isoformat(),
    }
    async with visit.refusing(visit.entry(visit.act, camera, detail=content)):
        _demand_allowed(body.function, camera, Validity(body.from_at, body.to_at))
        async with visit.perform(camera.subject, camera=camera, detail=content) as connection:
            known = await proposals.propose(
                connection, visit, Decision.LEGAL_BASIS, str(uuid4()), motif=None, commune=camera.insee, content=content
            )
    return Waiting.of(known, visit)


@router.post("/{fact_id}/confirm")
async def confirm_basis(fact_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.BASIS_CONFIRM))]) -> BasisBody:
    """Registered, if the law of this moment still allows it."""
    await visit.demand()
    async with visit.centre.store.transaction(visit.communes) as connection:
        known = await proposals.find(connection, str(fact_id), Decision.LEGAL_BASIS)
    if known is None:
        raise not_found()
    told = known.content
    camera = await camera_of(visit, told["camera"])
    from_at, to_at = datetime.fromisoformat(told["from"]), datetime.fromisoformat(told["to"])
    row = {
        "id": known.legal.subject,
        "commune": camera.insee,
        "camera": camera.id,
        "function": told["function"],
        "reference": told["reference"],
        "from_at": from_at,
        "to_at": to_at,
        "registered_at": visit.now,
    }
    detail = known.told | {"function": told["function"], "reference": told["reference"]}
    async with visit.refusing(visit.entry(visit.act, camera, detail=detail)):
        await proposals.demand(known, visit, subject=known.legal.subject)
        _demand_allowed(Function(told["function"]), camera, Validity(from_at, to_at))
        async with visit.perform(camera.subject, camera=camera, detail=detail) as connection:
            await proposals.confirm(connection, visit, known)
            done = (await connection.execute(insert(_TABLE).values(row).returning(_TABLE))).mappings().one()
    return _shown(done, camera)


@router.post("/{fact_id}/end")
async def end_basis(fact_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.BASIS_END))]) -> BasisBody:
    """One person is enough: it closes, and opens nothing."""
    await visit.demand()
    async with visit.centre.store.transaction(visit.communes) as connection:
        found = select(_TABLE).where(_TABLE.c.id == str(fact_id))
        row = (await connection.execute(found)).mappings().one_or_none()
    if row is None:
        raise not_found()
    camera = await camera_of(visit, row["camera"])
    ended = {"ended_at": visit.now, "ended_by": visit.session.actor.id}
    async with visit.perform(camera.subject, camera=camera, detail={"basis": row["id"]}) as connection:
        can = _TABLE.c.id == row["id"], _TABLE.c.ended_at.is_(None)
        await change(connection, update(_TABLE).where(*can).values(ended))
        row = (await connection.execute(found)).mappings().one()
    return _shown(row, camera)


def _demand_allowed(function: Function, camera: KnownCamera, validity: Validity) -> None:
    """Raises Refusal, not journalled."""
    assert camera.subject.camera is not None
    refused = fault_of(function, camera.subject.camera.regime, validity)
    if refused is not None:
        raise Refusal(422 if refused.code == "BASIS_DATES" else 403, refused.code, refused.reason)


def _shown(row: RowMapping, camera: KnownCamera) -> BasisBody:
    names = ("id", "function", "reference", "from_at", "to_at", "registered_at", "ended_at")
    return BasisBody(
        **{name: row[name] for name in names}, label=LABELS[Function(row["function"])], camera=CameraRef.of(camera)
    )
