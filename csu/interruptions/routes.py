"""Interruptions announced: planned by one person with a coded reason, masked by two; ended early the same way."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import ColumnElement, RowMapping, Select, insert, select, update

from csu.accounts.guard import Guard, Visit
from csu.cameras.inventory import camera_of
from csu.errors import Refusal, invalid, not_found
from csu.schemas import Body, CameraRef, Line
from csu.store import facts, tables
from csu.store.facts import KnownCamera
from legal.interruptions import LONGEST, REASONS, Cause, Interruption, State
from legal.permissions import Act, Refused
from legal.two_persons import Proposal, second_person

router = APIRouter(prefix="/api/interruptions", tags=["interruptions"])
_TABLE = tables.interruption
_SHOWN = 500
_OVER = Refused("INTERRUPTION_OVER", "Cette interruption est terminée, ou n'a jamais été en vigueur.", "CSI R.253-5")
_PROPOSED = Refused("ALREADY_PROPOSED", "La fin de ce masquage est déjà proposée.", "CSI L.251-3")
_IN_FORCE = frozenset({State.COMING, State.IN_FORCE})


class InterruptionRequest(Body):
    camera: UUID
    from_at: Annotated[AwareDatetime, Field(alias="from")]
    to_at: Annotated[AwareDatetime, Field(alias="to")]
    reason: Annotated[Line, Field(max_length=20)]


class PendingBody(BaseModel):
    """What waits for a second person. `step`: "begin" or "end"; `mine`: the person who asks can't confirm it."""

    step: str
    proposed_by: str
    mine: bool
    expires_at: datetime


class InterruptionBody(BaseModel):
    """`from` and `to`: when it holds, or would."""

    id: str
    camera: CameraRef
    cause: str
    reason: str
    from_at: datetime = Field(serialization_alias="from")
    to_at: datetime = Field(serialization_alias="to")
    state: str
    announced_by: str
    announced_at: datetime
    pending: PendingBody | None


class ReasonBody(BaseModel):
    cause: str
    code: str
    label: str


class InterruptionsBody(BaseModel):
    interruptions: list[InterruptionBody]
    reasons: list[ReasonBody]


@router.get("")
async def list_interruptions(visit: Annotated[Visit, Depends(Guard(Act.INTERRUPTION_LIST))]) -> InterruptionsBody:
    """Those of the person's communes, the latest first, past ones too."""
    async with visit.perform() as connection:
        rows = (await connection.execute(_named().order_by(_TABLE.c.from_at.desc()).limit(_SHOWN))).mappings().all()
    async with visit.centre.store.facts() as connection:
        cameras = await facts.cameras(connection, {row["camera"] for row in rows})
    return InterruptionsBody(
        interruptions=[_shown(row, cameras[row["camera"]], visit) for row in rows],
        reasons=[
            ReasonBody(cause=cause, code=code, label=label)
            for cause, labels in REASONS.items()
            for code, label in labels.items()
        ],
    )


@router.post("/planned", status_code=201)
async def plan_interruption(
    body: InterruptionRequest, visit: Annotated[Visit, Depends(Guard(Act.INTERRUPTION_PLAN))]
) -> InterruptionBody:
    """In force at once: what will be missing is said to be planned."""
    return await _announce(visit, Cause.PLANNED, body)


@router.post("/masked", status_code=201)
async def propose_masking(
    body: InterruptionRequest, visit: Annotated[Visit, Depends(Guard(Act.INTERRUPTION_MASK))]
) -> InterruptionBody:
    """Nothing is masked yet: another supervisor has thirty minutes to confirm."""
    return await _announce(visit, Cause.MASKED, body)


@router.post("/{fact_id}/confirm")
async def confirm_interruption(
    fact_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.INTERRUPTION_CONFIRM))]
) -> InterruptionBody:
    """The second person: the camera is masked, or shown again, and open pictures are decided again at once."""
    await visit.demand()
    row, camera = await _find(visit, fact_id)
    told = _read(row)
    pending, person = told.pending(visit.now), visit.session.actor.id
    is_end = told.decided_at is not None
    if pending is None and not is_end and told.ended_at is None:
        pending = told.proposed  # it has expired: said so below
    refused = second_person(pending, person, visit.now)
    if refused is not None:
        await _refuse(visit, row, camera, refused)
    if is_end:
        values: dict[str, Any] = {"ended_at": visit.now, "ended_by": person}
        return await _change(visit, row, camera, "end", values, _TABLE.c.ended_at.is_(None))
    values = {"decided_at": visit.now, "decided_by": person}
    return await _change(
        visit, row, camera, "begin", values, _TABLE.c.decided_at.is_(None), _TABLE.c.ended_at.is_(None)
    )


@router.post("/{fact_id}/end")
async def end_interruption(
    fact_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.INTERRUPTION_END))]
) -> InterruptionBody:
    """A planned one ends now, or never begins; a masking that is in force, or decided, is only proposed to end."""
    await visit.demand()
    row, camera = await _find(visit, fact_id)
    told, person = _read(row), visit.session.actor.id
    if told.cause is Cause.MASKED:
        outcome = visit.decide(Act.INTERRUPTION_MASK)
        if isinstance(outcome, Refused):
            await _refuse(visit, row, camera, outcome, 403)
    state = told.state(visit.now)
    ended = {"ended_at": visit.now, "ended_by": person}
    if state is State.PROPOSED:
        return await _change(visit, row, camera, "withdrawn", ended, _TABLE.c.decided_at.is_(None))
    if state not in _IN_FORCE:
        await _refuse(visit, row, camera, _OVER)
    if told.cause is Cause.PLANNED:
        return await _change(visit, row, camera, "end", ended, _TABLE.c.ended_at.is_(None))
    if told.pending(visit.now) is not None:
        await _refuse(visit, row, camera, _PROPOSED)
    proposed = {"end_proposed_at": visit.now, "end_proposed_by": person}
    return await _change(visit, row, camera, "end proposed", proposed, _TABLE.c.ended_at.is_(None))


async def _announce(visit: Visit, cause: Cause, body: InterruptionRequest) -> InterruptionBody:
    await visit.demand()
    camera = await camera_of(visit, str(body.camera))
    if body.reason not in REASONS[cause]:
        raise invalid(f"Motif inconnu ; attendu : {', '.join(REASONS[cause])}.")
    if not body.from_at < body.to_at <= body.from_at + LONGEST or body.to_at <= visit.now:
        raise invalid("La période doit finir après son début et après maintenant, et durer 31 jours au plus.")
    person = visit.session.actor.id
    row: dict[str, Any] = {
        "id": str(uuid4()),
        "commune": camera.insee,
        "camera": camera.id,
        "cause": cause.value,
        "reason": body.reason,
        "from_at": body.from_at,
        "to_at": body.to_at,
        "proposed_at": visit.now,
        "proposed_by": person,
    }
    if cause is Cause.PLANNED:
        row |= {"decided_at": visit.now, "decided_by": person}
    detail = {"interruption": row["id"], "given": REASONS[cause][body.reason]}
    async with visit.perform(
        camera.subject, camera=camera, window=(body.from_at, body.to_at), detail=detail
    ) as session:
        await session.execute(insert(_TABLE).values(row))
        named = (await session.execute(_named().where(_TABLE.c.id == row["id"]))).mappings().one()
    await _tell(visit)
    return _shown(named, camera, visit)


async def _find(visit: Visit, fact_id: UUID) -> tuple[RowMapping, KnownCamera]:
    """The row, if it is of the person's communes. Raises Refusal 404."""
    async with visit.centre.store.transaction(visit.communes) as connection:
        row = (await connection.execute(_named().where(_TABLE.c.id == str(fact_id)))).mappings().one_or_none()
    if row is None:
        raise not_found()
    return row, await camera_of(visit, row["camera"])


async def _change(
    visit: Visit, row: RowMapping, camera: KnownCamera, step: str, values: dict[str, Any], *unless: ColumnElement[bool]
) -> InterruptionBody:
    """One step, journalled; someone else's that came first is a conflict."""
    detail = {"interruption": row["id"], "step": step}
    window = row["from_at"], row["to_at"]
    async with visit.perform(camera.subject, camera=camera, window=window, detail=detail) as connection:
        done = await connection.execute(update(_TABLE).where(_TABLE.c.id == row["id"], *unless).values(values))
        if done.rowcount == 0:
            raise Refusal(409, "CONFLICT", "Une autre personne vient d'en décider : regardez de nouveau.")
        row = (await connection.execute(_named().where(_TABLE.c.id == row["id"]))).mappings().one()
    await _tell(visit)
    return _shown(row, camera, visit)


async def _tell(visit: Visit) -> None:
    visit.centre.rights_changed()
    await visit.centre.events.publish("cameras")


async def _refuse(visit: Visit, row: RowMapping, camera: KnownCamera, refused: Refused, status: int = 409) -> None:
    """Raises Refusal, journalled."""
    entry = visit.entry(
        visit.act, camera, from_at=row["from_at"], to_at=row["to_at"], detail={"interruption": row["id"]}
    )
    await visit.record(entry.refused(refused))
    raise Refusal(status, refused.code, refused.reason)


def _named() -> Select[Any]:
    """Rows with the names of who proposed them, and their early end."""
    first, ending = tables.account, tables.account.alias()
    return (
        select(_TABLE, first.c.name.label("proposer"), ending.c.name.label("end_proposer"))
        .join(first, first.c.id == _TABLE.c.proposed_by)
        .outerjoin(ending, ending.c.id == _TABLE.c.end_proposed_by)
    )


def _read(row: RowMapping) -> Interruption:
    end = None if row["end_proposed_by"] is None else Proposal(row["end_proposed_by"], row["end_proposed_at"])
    return Interruption(
        cause=Cause(row["cause"]),
        from_at=row["from_at"],
        to_at=row["to_at"],
        proposed=Proposal(row["proposed_by"], row["proposed_at"]),
        decided_at=row["decided_at"],
        end=end,
        ended_at=row["ended_at"],
    )


def _shown(row: RowMapping, camera: KnownCamera, visit: Visit) -> InterruptionBody:
    told = _read(row)
    pending = told.pending(visit.now)
    is_end = pending is not None and told.decided_at is not None
    return InterruptionBody(
        id=row["id"],
        camera=CameraRef.of(camera),
        cause=told.cause,
        reason=REASONS[told.cause][row["reason"]],
        from_at=told.from_at if told.decided_at is None else told.begins_at,
        to_at=told.ends_at,
        state=told.state(visit.now),
        announced_by=row["proposer"],
        announced_at=row["proposed_at"],
        pending=None
        if pending is None
        else PendingBody(
            step="end" if is_end else "begin",
            proposed_by=row["end_proposer"] if is_end else row["proposer"],
            mine=pending.person == visit.session.actor.id,
            expires_at=pending.until,
        ),
    )
