"""Interruptions announced: planned by one person with a coded reason, masked by two; ended early the same way."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import RowMapping, Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csu import proposals
from csu.accounts.guard import Guard, Visit
from csu.audit.entries import Entry
from csu.cameras.inventory import camera_of
from csu.errors import Refusal, invalid, not_found
from csu.proposals import Known
from csu.schemas import Body, CameraRef, Instant, Line, WithMotif
from csu.store import facts, tables
from csu.store.facts import KnownCamera
from legal.acts import Act, Refused
from legal.interruptions import LONGEST, REASONS, Cause, Interruption, State
from legal.motifs import Motif
from legal.two_persons import Decision

router = APIRouter(prefix="/api/interruptions", tags=["interruptions"])
_TABLE = tables.interruption
_SHOWN = 500
_OVER = Refusal(409, "INTERRUPTION_OVER", "Cette interruption est terminée, ou n'a jamais été en vigueur.")
_IN_FORCE = frozenset({State.COMING, State.IN_FORCE})


class _Announcement(Body):
    camera: UUID
    from_at: Annotated[Instant, Field(alias="from")]
    to_at: Annotated[Instant, Field(alias="to")]


class PlannedRequest(_Announcement):
    reason: Annotated[Line, Field(max_length=20)]


class MaskRequest(_Announcement, WithMotif):
    """`motif`: why it is masked, and the number of the request or the report that it rests on."""


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


@dataclass(frozen=True, slots=True)
class _Read:
    """A row, with who announced it, and the latest proposals of a masking."""

    row: RowMapping
    begin: Known | None
    end: Known | None

    @property
    def legal(self) -> Interruption:
        return Interruption(
            cause=Cause(self.row["cause"]),
            from_at=self.row["from_at"],
            to_at=self.row["to_at"],
            begin=None if self.begin is None else self.begin.legal,
            decided_at=self.row["decided_at"],
            end=None if self.end is None else self.end.legal,
            ended_at=self.row["ended_at"],
        )


@router.get("")
async def list_interruptions(visit: Annotated[Visit, Depends(Guard(Act.INTERRUPTION_LIST))]) -> InterruptionsBody:
    """Those of the person's communes, the latest first, past ones too."""
    async with visit.perform() as connection:
        told = await _read(connection, _named().order_by(_TABLE.c.from_at.desc()).limit(_SHOWN))
    async with visit.centre.store.facts() as connection:
        cameras = await facts.cameras(connection, {one.row["camera"] for one in told})
    return InterruptionsBody(
        interruptions=[_shown(one, cameras[one.row["camera"]], visit) for one in told],
        reasons=[
            ReasonBody(cause=cause, code=code, label=label)
            for cause, labels in REASONS.items()
            for code, label in labels.items()
        ],
    )


@router.post("/planned", status_code=201)
async def plan_interruption(
    body: PlannedRequest, visit: Annotated[Visit, Depends(Guard(Act.INTERRUPTION_PLAN))]
) -> InterruptionBody:
    """In force at once: what will be missing is said to be planned."""
    await visit.demand()
    if body.reason not in REASONS[Cause.PLANNED]:
        raise invalid(f"Motif inconnu ; attendu : {', '.join(REASONS[Cause.PLANNED])}.")
    return await _announce(visit, Cause.PLANNED, await camera_of(visit, str(body.camera)), body, body.reason)


@router.post("/masked", status_code=201)
async def propose_masking(
    body: MaskRequest, visit: Annotated[Visit, Depends(Guard(Act.INTERRUPTION_MASK))]
) -> InterruptionBody:
    """Nothing is masked yet: another supervisor has thirty minutes to confirm."""
    await visit.demand()
    camera = await camera_of(visit, str(body.camera))
    async with visit.refusing(visit.entry(visit.act, camera)):
        motif = proposals.demand_motif(Decision.MASK, body.motif)
    return await _announce(visit, Cause.MASKED, camera, body, motif.code, motif)


@router.post("/{fact_id}/confirm")
async def confirm_interruption(
    fact_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.INTERRUPTION_CONFIRM))]
) -> InterruptionBody:
    """The second person: the camera is masked, or shown again, and open pictures are decided again at once."""
    await visit.demand()
    told, camera = await _find(visit, fact_id)
    is_over = told.legal.state(visit.now) is State.OVER or visit.now >= told.legal.to_at
    subject = None if is_over else told.row["id"]
    async with visit.refusing(_entry(visit, told, camera)):
        if told.row["decided_at"] is None:
            known = await proposals.demand(told.begin, visit, subject=subject)
            return await _change(visit, told, camera, "begin", {"decided_at": visit.now}, confirmed=known)
        known = await proposals.demand(told.end, visit, subject=subject)
        ended = {"ended_at": visit.now, "ended_by": visit.session.actor.id}
        return await _change(visit, told, camera, "end", ended, confirmed=known)


@router.post("/{fact_id}/end")
async def end_interruption(
    fact_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.INTERRUPTION_END))], body: WithMotif | None = None
) -> InterruptionBody:
    """A planned one ends now, or never begins; a masking that is in force, or decided, is only proposed to end, with a
    motif."""
    await visit.demand()
    told, camera = await _find(visit, fact_id)
    state = told.legal.state(visit.now)
    ended = {"ended_at": visit.now, "ended_by": visit.session.actor.id}
    async with visit.refusing(_entry(visit, told, camera)):
        if told.legal.cause is Cause.MASKED:
            outcome = visit.decide(Act.INTERRUPTION_MASK)
            if isinstance(outcome, Refused):
                raise Refusal(403, outcome.code, outcome.reason)
        if state is State.PROPOSED:
            return await _change(visit, told, camera, "withdrawn", ended)
        if state not in _IN_FORCE:
            raise _OVER
        if told.legal.cause is Cause.PLANNED:
            return await _change(visit, told, camera, "end", ended)
        motif = proposals.demand_motif(Decision.UNMASK, None if body is None else body.motif)
        await proposals.demand_none(visit, Decision.UNMASK, told.row["id"])
        return await _change(visit, told, camera, "end proposed", {}, motif=motif)


async def _announce(
    visit: Visit, cause: Cause, camera: KnownCamera, body: _Announcement, reason: str, motif: Motif | None = None
) -> InterruptionBody:
    if not body.from_at < body.to_at <= body.from_at + LONGEST or body.to_at <= visit.now:
        raise invalid("La période doit finir après son début et après maintenant, et durer 31 jours au plus.")
    row: dict[str, Any] = {
        "id": str(uuid4()),
        "commune": camera.insee,
        "camera": camera.id,
        "cause": cause.value,
        "reason": reason,
        "from_at": body.from_at,
        "to_at": body.to_at,
        "announced_at": visit.now,
        "announced_by": visit.session.actor.id,
        "decided_at": visit.now if cause is Cause.PLANNED else None,
    }
    detail = {"interruption": row["id"]} | ({"given": REASONS[cause][reason]} if motif is None else {})
    async with visit.perform(
        camera.subject, camera=camera, window=(body.from_at, body.to_at), motif=motif, detail=detail
    ) as session:
        await session.execute(insert(_TABLE).values(row))
        if cause is Cause.MASKED:
            await proposals.propose(session, visit, Decision.MASK, row["id"], motif=motif, commune=camera.insee)
        (told,) = await _read(session, _named().where(_TABLE.c.id == row["id"]))
    await _tell(visit)
    return _shown(told, camera, visit)


async def _find(visit: Visit, fact_id: UUID) -> tuple[_Read, KnownCamera]:
    """The row, if it is of the person's communes. Raises Refusal 404."""
    async with visit.centre.store.transaction(visit.communes) as connection:
        told = await _read(connection, _named().where(_TABLE.c.id == str(fact_id)))
    if not told:
        raise not_found()
    return told[0], await camera_of(visit, told[0].row["camera"])


async def _change(
    visit: Visit,
    told: _Read,
    camera: KnownCamera,
    step: str,
    values: dict[str, Any],
    *,
    confirmed: Known | None = None,
    motif: Motif | None = None,
) -> InterruptionBody:
    """One step, journalled; someone else's that came first is a conflict. Without `values` an end is proposed."""
    motif = motif if confirmed is None else confirmed.motif
    subject = told.row["id"]
    detail = {"interruption": subject, "step": step} | ({} if confirmed is None else confirmed.told)
    window = told.row["from_at"], told.row["to_at"]
    async with visit.perform(camera.subject, camera=camera, window=window, motif=motif, detail=detail) as connection:
        if confirmed is not None:
            await proposals.confirm(connection, visit, confirmed)
        elif step == "withdrawn":
            await proposals.close(connection, visit.now, *proposals.of(Decision.MASK, subject))
        if values:
            unless = _TABLE.c.ended_at.is_(None), _TABLE.c.decided_at.is_not_distinct_from(told.row["decided_at"])
            done = await connection.execute(update(_TABLE).where(_TABLE.c.id == subject, *unless).values(values))
            if done.rowcount == 0:
                raise Refusal(409, "CONFLICT", "Une autre personne vient d'en décider : regardez de nouveau.")
        else:
            await proposals.propose(connection, visit, Decision.UNMASK, subject, motif=motif, commune=camera.insee)
        (told,) = await _read(connection, _named().where(_TABLE.c.id == subject))
    await _tell(visit)
    return _shown(told, camera, visit)


async def _tell(visit: Visit) -> None:
    visit.centre.rights_changed()
    await visit.centre.events.publish("cameras")


def _entry(visit: Visit, told: _Read, camera: KnownCamera) -> Entry:
    window = {"from_at": told.row["from_at"], "to_at": told.row["to_at"]}
    return visit.entry(visit.act, camera, detail={"interruption": told.row["id"]}, **window)


def _named() -> Select[Any]:
    """Rows with the names of who announced them."""
    account = tables.account
    return select(_TABLE, account.c.name.label("announcer")).join(account, account.c.id == _TABLE.c.announced_by)


async def _read(connection: AsyncConnection, statement: Select[Any]) -> list[_Read]:
    rows = (await connection.execute(statement)).mappings().all()
    ids = [row["id"] for row in rows]
    begins = await proposals.latest_of(connection, Decision.MASK, ids)
    ends = await proposals.latest_of(connection, Decision.UNMASK, ids)
    return [_Read(row, begins.get(row["id"]), ends.get(row["id"])) for row in rows]


def _shown(read: _Read, camera: KnownCamera, visit: Visit) -> InterruptionBody:
    told = read.legal
    waits = read.begin if told.decided_at is None else read.end
    if told.pending(visit.now) is None:
        waits = None
    return InterruptionBody(
        id=read.row["id"],
        camera=CameraRef.of(camera),
        cause=told.cause,
        reason=REASONS[told.cause][read.row["reason"]],
        from_at=told.from_at if told.decided_at is None else told.begins_at,
        to_at=told.ends_at,
        state=told.state(visit.now),
        announced_by=read.row["announcer"],
        announced_at=read.row["announced_at"],
        pending=None
        if waits is None
        else PendingBody(
            step="begin" if told.decided_at is None else "end",
            proposed_by=waits.proposer,
            mine=waits.legal.person == visit.session.actor.id,
            expires_at=waits.legal.until,
        ),
    )
