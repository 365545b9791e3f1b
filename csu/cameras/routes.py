"""The person's cameras with their states, and the timeline of one."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from csu.accounts.guard import Guard, Visit
from csu.cameras.inventory import camera_of, cameras_of
from csu.centre_state import UNKNOWN
from csu.clock import iso
from csu.errors import Refusal, invalid
from csu.gateway.faults import fault_reason
from csu.gateway.gaps import gap_reason
from csu.schemas import CommuneRef, Instant
from csu.store.facts import AnnouncedInterruption, KnownCamera
from legal.acts import Act, Allowed, Refused
from legal.interruptions import Cause
from legal.motifs import Motif
from legal.permissions import foresee
from recorder.channel import ChannelError
from streams.awake import timeout

router = APIRouter(prefix="/api/cameras", tags=["cameras"])
LONGEST_TIMELINE = timedelta(days=32)
_RECORDER_S = 5.0
_SOON = timedelta(days=1)


class Permission(BaseModel):
    allowed: bool
    code: str | None = None
    reason: str | None = None

    @classmethod
    def of(cls, outcome: Allowed | Refused) -> "Permission":
        if isinstance(outcome, Allowed):
            return cls(allowed=True)
        return cls(allowed=False, code=outcome.code, reason=outcome.reason)


class InterruptionBody(BaseModel):
    """Announced and decided; `from` may lie in the future."""

    cause: str
    from_at: datetime = Field(serialization_alias="from")
    to_at: datetime = Field(serialization_alias="to")

    @classmethod
    def of(cls, one: AnnouncedInterruption) -> "InterruptionBody":
        return cls(cause=one.cause, from_at=one.validity.from_at, to_at=one.validity.end_at)


class CameraBody(BaseModel):
    """`interruption`: the one in force, else the next to begin within a day."""

    id: str
    number: str
    name: str
    commune: CommuneRef
    site: str
    state: str
    fault: str | None
    fault_reason: str | None
    since: datetime | None
    last_frame_at: datetime | None
    streams: tuple[str, ...]
    interruption: InterruptionBody | None
    live: Permission
    replay: Permission


class CamerasBody(BaseModel):
    cameras: list[CameraBody]


class RunBody(BaseModel):
    from_at: datetime = Field(serialization_alias="from")
    to_at: datetime = Field(serialization_alias="to")


class GapBody(RunBody):
    cause: str
    reason: str


class TimelineBody(RunBody):
    runs: list[RunBody]
    gaps: list[GapBody]
    interruptions: list[InterruptionBody]
    now: datetime


@router.get("")
async def list_cameras(visit: Annotated[Visit, Depends(Guard(Act.CAMERA_LIST))]) -> CamerasBody:
    """The person's inventory. Each camera says whether its pictures are open to the person, and if not why."""
    await visit.permit()
    return CamerasBody(cameras=[_body(visit, camera) for camera in await cameras_of(visit)])


@router.get("/{camera_id}/timeline")
async def read_timeline(
    camera_id: UUID,
    visit: Annotated[Visit, Depends(Guard(Act.TIMELINE_READ))],
    from_at: Annotated[Instant, Query(alias="from")],
    to_at: Annotated[Instant, Query(alias="to")],
) -> TimelineBody:
    """What is recorded and what is missing, with causes; no picture."""
    if not timedelta() < to_at - from_at <= LONGEST_TIMELINE:
        raise invalid("La période doit finir après son début et durer 32 jours au plus.")
    camera = await camera_of(visit, str(camera_id))
    await visit.permit(camera.subject, camera=camera)
    answer = await _coverage(visit, camera.id, from_at, to_at)
    return TimelineBody(
        from_at=from_at,
        to_at=to_at,
        runs=[RunBody(from_at=run["from"], to_at=run["to"]) for run in answer["runs"]],
        gaps=[
            GapBody(from_at=gap["from"], to_at=gap["to"], cause=gap["cause"], reason=gap_reason(gap["cause"]))
            for gap in answer["gaps"]
        ],
        interruptions=[
            InterruptionBody.of(one)
            for one in camera.interruptions
            if one.validity.from_at < to_at and from_at < one.validity.end_at
        ],
        now=visit.now,
    )


def _body(visit: Visit, camera: KnownCamera) -> CameraBody:
    code = visit.session.shift_motif
    motif = None if code is None else Motif(code)
    state = visit.centre.observed.streams.get((camera.id, "main"), UNKNOWN)
    return CameraBody(
        id=camera.id,
        number=camera.number,
        name=camera.name,
        commune=CommuneRef.of(camera.commune),
        site=camera.site,
        state=state.state,
        fault=state.fault,
        fault_reason=None if state.fault is None else fault_reason(state.fault),
        since=state.since,
        last_frame_at=state.last_frame_at,
        streams=camera.streams,
        interruption=_interruption(camera, visit.now),
        live=Permission.of(visit.decide(Act.PICTURE_LIVE, camera.subject, motif)),
        replay=Permission.of(foresee(visit.session.actor, Act.PICTURE_REPLAY, camera.subject, visit.now)),
    )


def _interruption(camera: KnownCamera, now: datetime) -> InterruptionBody | None:
    near = (one for one in camera.interruptions if one.validity.from_at < now + _SOON and now < one.validity.end_at)
    first = min(near, key=lambda one: (one.validity.from_at > now, one.cause is Cause.PLANNED), default=None)
    return None if first is None else InterruptionBody.of(first)


async def _coverage(visit: Visit, camera_id: str, from_at: datetime, to_at: datetime) -> dict[str, Any]:
    try:
        async with timeout(_RECORDER_S):
            return await visit.centre.recorder.call(
                "coverage", camera=camera_id, **{"from": iso(from_at), "to": iso(to_at)}
            )
    except (ChannelError, TimeoutError) as error:
        reason = "L'enregistreur ne répond pas : la chronologie est indisponible."
        raise Refusal(503, "RECORDER_UNREACHABLE", reason) from error
