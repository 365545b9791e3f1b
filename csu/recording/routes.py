"""How the recorder stands: storage against what retention needs, freezes of destruction, and what is given up."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts.guard import Guard, Visit
from csu.alarms import words as alarm_words
from csu.recording import asking, releases
from csu.recording.releases import ReleaseBody
from csu.recording.state import Degraded, Freeze, Pressure, RecorderState
from csu.recording.words import degraded_reason, freeze_reason
from csu.schemas import CameraRef
from csu.store import facts, tables
from csu.store.facts import KnownCamera
from legal.acts import Act

router = APIRouter(prefix="/api/recorder", tags=["recorder"])
_ALARM_OF = {"clock": "CLOCK_UNTRUSTED", "breaker": "DESTRUCTION_BREAKER"}


class PressureBody(BaseModel):
    """`needed_bytes` = what the cameras here need to keep all they record until its deadline, at `bytes_per_day`, the
    rate of the last day; `full_at`: when that will not fit any more, null when it does."""

    capacity_bytes: int
    needed_bytes: int
    held_bytes: int
    bytes_per_day: int
    full_at: datetime | None


class DirectoryBody(BaseModel):
    path: str
    ready: bool
    code: str | None
    reason: str | None
    free_bytes: int
    pressure: PressureBody | None


class FreezeBody(BaseModel):
    """`proposal`: what waits for a second person."""

    subject: str
    id: str
    reason: str
    since: datetime | None
    segments: int | None
    bytes: int | None
    proposal: ReleaseBody | None


class GivenUp(CameraRef):
    stream: str


class DegradedBody(BaseModel):
    level: int
    reason: str | None
    since: datetime | None
    given_up: list[GivenUp]


class RecorderBody(BaseModel):
    """Everything below `answers` is empty while the recorder does not answer. `stopped`: cameras that are not recorded
    for want of space."""

    answers: bool
    storage: list[DirectoryBody]
    freezes: list[FreezeBody]
    degraded: DegradedBody | None
    stopped: list[CameraRef]


class NeedBody(BaseModel):
    """`needed_bytes` = `bytes_per_day`, the rate of the last day, x `retention_days`, what the authorisation allows."""

    camera: CameraRef
    path: str
    bytes_per_day: int
    retention_days: int
    needed_bytes: int


class NeedsBody(BaseModel):
    needs: list[NeedBody]


@router.get("")
async def read_recorder(visit: Annotated[Visit, Depends(Guard(Act.RECORDER_READ))]) -> RecorderBody:
    """No picture; as the recorder last said, at most two seconds ago."""
    state = visit.centre.observed.recorder
    async with visit.perform() as connection:
        if state is None:
            return RecorderBody(answers=False, storage=[], freezes=[], degraded=None, stopped=[])
        freezes = [await _freeze(connection, visit, freeze) for freeze in state.freezes]
        stopped = await _subjects(connection, "PRIORITY_STOPPED")
    async with visit.centre.store.facts() as reading:
        cameras = await facts.cameras(reading, {*stopped, *(camera for camera, _ in state.degraded.given_up)})
    return RecorderBody(
        answers=True,
        storage=_storage(state),
        freezes=freezes,
        degraded=_degraded(state.degraded, cameras),
        stopped=[CameraRef.of(cameras[camera]) for camera in stopped if camera in cameras],
    )


@router.get("/needs")
async def read_needs(visit: Annotated[Visit, Depends(Guard(Act.RECORDER_READ))]) -> NeedsBody:
    """The arithmetic camera by camera, asked of the recorder now: those that need most first."""
    await visit.permit()
    told = await asking.needs(visit)
    async with visit.centre.store.facts() as connection:
        cameras = await facts.cameras(connection, {one["camera"] for one in told})
    needs = [
        NeedBody(
            camera=CameraRef.of(cameras[one["camera"]]),
            path=one["path"],
            bytes_per_day=one["bytes_per_day"],
            retention_days=one["retention_days"],
            needed_bytes=one["bytes_per_day"] * one["retention_days"],
        )
        for one in told
        if one["camera"] in cameras
    ]
    return NeedsBody(needs=sorted(needs, key=lambda one: -one.needed_bytes))


def _storage(state: RecorderState) -> list[DirectoryBody]:
    return [
        DirectoryBody(
            path=one.path,
            ready=one.ready,
            code=one.code or None,
            reason=alarm_words.message(one.code, alarm_words.WHOLE, "") if one.code else None,
            free_bytes=one.free_bytes,
            pressure=None if one.pressure is None else _pressure(one.pressure),
        )
        for one in state.directories
    ]


def _pressure(told: Pressure) -> PressureBody:
    return PressureBody(**{name: getattr(told, name) for name in PressureBody.model_fields})


async def _freeze(connection: AsyncConnection, visit: Visit, freeze: Freeze) -> FreezeBody:
    alarm = tables.alarm
    code = _ALARM_OF[freeze.subject]
    since = await connection.scalar(select(alarm.c.since).where(alarm.c.code == code, alarm.c.ended.is_(None)))
    proposal = await releases.open_proposal(connection, freeze.subject, freeze.id, visit.now)
    return FreezeBody(
        subject=freeze.subject,
        id=freeze.id,
        reason=freeze_reason(freeze.subject, freeze.reason),
        since=since,
        segments=freeze.segments,
        bytes=freeze.bytes,
        proposal=None if proposal is None else releases.shown(proposal, visit),
    )


async def _subjects(connection: AsyncConnection, code: str) -> list[str]:
    alarm = tables.alarm
    statement = select(alarm.c.subject).where(alarm.c.code == code, alarm.c.ended.is_(None)).order_by(alarm.c.since)
    return list((await connection.scalars(statement)).all())


def _degraded(told: Degraded, cameras: dict[str, KnownCamera]) -> DegradedBody:
    return DegradedBody(
        level=told.level,
        reason=degraded_reason(told.reason) if told.level else None,
        since=told.since,
        given_up=[
            GivenUp(**CameraRef.of(cameras[camera]).model_dump(), stream=stream)
            for camera, stream in told.given_up
            if camera in cameras
        ],
    )
