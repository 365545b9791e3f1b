"""Tickets for pictures: many tiles in one request, one transaction, one journal entry per camera."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from csu.accounts.guard import Guard, Visit
from csu.audit import entries
from csu.audit.entries import Entry
from csu.cameras.inventory import UNKNOWN_CAMERA
from csu.schemas import Body, Instant, MotifGiven
from csu.store import facts
from csu.store.facts import KnownCamera
from csu.tickets import REDEEM_WITHIN, Ticket, sign
from legal import motifs
from legal.acts import Act, Allowed, Refused
from legal.facts import Subject
from legal.motifs import Motif
from legal.rules import USES
from legal.scope import scope

router = APIRouter(prefix="/api/tickets", tags=["pictures"])
MOST_REQUESTS = 64
LONGEST_REPLAY = timedelta(hours=24)


class LiveRequest(Body):
    camera: UUID
    act: Literal["live"]
    stream: Literal["main", "sub"]


class ReplayRequest(Body):
    camera: UUID
    act: Literal["replay"]
    from_at: Annotated[Instant, Field(alias="from")]
    to_at: Annotated[Instant, Field(alias="to")]
    motif: MotifGiven | None = None


PictureRequest = Annotated[LiveRequest | ReplayRequest, Field(discriminator="act")]


class TicketRequests(Body):
    requests: Annotated[list[PictureRequest], Field(min_length=1, max_length=MOST_REQUESTS)]


class RefusedBody(BaseModel):
    code: str
    reason: str
    source: str


class TicketResult(BaseModel):
    """Either a ticket with its two ends, or a refusal."""

    camera: str
    ticket: Annotated[str | None, Field(repr=False)] = None
    redeem_by: datetime | None = None
    not_after: datetime | None = None
    refused: RefusedBody | None = None


class TicketResults(BaseModel):
    results: list[TicketResult]


@router.post("", response_model_exclude_none=True)
async def request_tickets(
    body: TicketRequests, visit: Annotated[Visit, Depends(Guard(Act.TICKET_REQUEST))]
) -> TicketResults:
    """Decide each request, journal it, commit, and only then hand out what was allowed."""
    async with visit.centre.store.facts() as connection:
        known = await facts.cameras(connection, {str(request.camera) for request in body.requests})
    answers = [_answer(visit, request, known.get(str(request.camera))) for request in body.requests]
    async with visit.perform() as transaction:
        await entries.append(transaction, [answer.entry for answer in answers])
    return TicketResults(results=[answer.result for answer in answers])


@dataclass(frozen=True, slots=True)
class _Answer:
    entry: Entry
    result: TicketResult


def _answer(visit: Visit, request: LiveRequest | ReplayRequest, camera: KnownCamera | None) -> _Answer:
    act = Act.PICTURE_LIVE if isinstance(request, LiveRequest) else Act.PICTURE_REPLAY
    if camera is None:
        entry = visit.entry(act, detail={"camera": str(request.camera)})
        return _refuse(entry, str(request.camera), UNKNOWN_CAMERA, UNKNOWN_CAMERA)
    motif = _motif(visit, request)
    interval = _interval(request, visit.now)
    outcome: Allowed | Refused = visit.decide(act, _subject(camera, interval), motif)
    if isinstance(interval, Refused):
        outcome, interval = interval if isinstance(outcome, Allowed) else outcome, (None, None)
    entry = visit.entry(act, camera, motif=_safe_motif(motif, act), from_at=interval[0], to_at=interval[1])
    if isinstance(outcome, Refused):
        return _refuse(entry, camera.id, outcome, _shown(visit, camera, outcome))
    ticket = _ticket(visit, entry, request, outcome)
    result = TicketResult(
        camera=camera.id,
        ticket=sign(ticket, *visit.centre.ticket_key),
        redeem_by=ticket.redeem_by_at,
        not_after=ticket.not_after_at,
    )
    return _Answer(entry, result)


def _subject(camera: KnownCamera, interval: tuple[datetime | None, datetime | None] | Refused) -> Subject:
    """The camera, and for a replay the pictures' own time."""
    if isinstance(interval, Refused) or interval[0] is None or interval[1] is None:
        return camera.subject
    return replace(camera.subject, window=(interval[0], interval[1]))


def _refuse(entry: Entry, camera: str, true: Refused, shown: Refused) -> _Answer:
    body = RefusedBody(code=shown.code, reason=shown.reason, source=shown.source)
    return _Answer(entry.refused(true), TicketResult(camera=camera, refused=body))


def _shown(visit: Visit, camera: KnownCamera, outcome: Refused) -> Refused:
    """What the person reads: a camera outside the inventory is unknown; the journal keeps the true code."""
    known = scope(visit.session.actor, visit.now)
    return outcome if known is None or camera.insee in known else UNKNOWN_CAMERA


def _motif(visit: Visit, request: LiveRequest | ReplayRequest) -> Motif | None:
    if isinstance(request, LiveRequest):
        code = visit.session.shift_motif
        return None if code is None else Motif(code)
    return None if request.motif is None else request.motif.legal


def _safe_motif(motif: Motif | None, act: Act) -> Motif | None:
    """A reference that is no number may hold a name or a plate: whatever the act was refused for, it does not enter the
    journal."""
    return motif if motifs.fault_of(motif, USES[act].motif) is None else None


def _interval(request: LiveRequest | ReplayRequest, now: datetime) -> tuple[datetime | None, datetime | None] | Refused:
    """A replay's interval, its end cut at `now`."""
    if isinstance(request, LiveRequest):
        return None, None
    to_at = min(request.to_at, now)
    if not timedelta() < to_at - request.from_at <= LONGEST_REPLAY:
        reason = "La période doit commencer dans le passé, finir après son début et durer 24 heures au plus."
        return Refused("INVALID", reason, "CSI R.253-5")
    return request.from_at, to_at


def _ticket(visit: Visit, entry: Entry, request: LiveRequest | ReplayRequest, allowed: Allowed) -> Ticket:
    """A ticket bears the id of its entry: what is served under it can be traced to the decision."""
    assert entry.camera is not None
    assert entry.motif is not None
    return Ticket(
        id=entry.id,
        camera=entry.camera,
        act=request.act,
        streams=(request.stream,) if isinstance(request, LiveRequest) else ("main",),
        from_at=entry.from_at,
        to_at=entry.to_at,
        motif_code=entry.motif.code,
        motif_reference=entry.motif.reference,
        actor=visit.session.actor.id,
        session=visit.session.id,
        issued_at=visit.now,
        redeem_by_at=visit.now + REDEEM_WITHIN,
        not_after_at=min(allowed.not_after_at, visit.session.expires_at),
    )
