"""Authorisations as persons read them: lines, events, what is due by itself, and what keeps cameras out of service."""

from collections.abc import Sequence
from datetime import date, datetime

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts.guard import Visit
from csu.alarms.words import message
from csu.schemas import CameraRef, CommuneRef
from csu.store import facts, tables
from csu.store.facts import KnownCamera
from csu.territory import dossiers
from csu.territory.dossiers import Known
from csu.territory.lines import Details, Terms, values_of
from legal import authorisations as law
from legal.acts import Refused
from legal.authorisations import Dossier, Event, State, Step


class LineBody(Terms, Details):
    camera: CameraRef
    regime: str
    sent_on: date | None
    service_on: date | None
    in_service_at: datetime | None


class EventBody(BaseModel):
    event: str
    at: datetime
    on: date
    reference: str | None
    author: str | None


class DeadlineBody(BaseModel):
    """`code`: CDV_OPINION, REFUS_IMPLICITE, AUTH_EXPIRING, AUTH_EXPIRED."""

    code: str
    at: datetime


class AlarmBody(BaseModel):
    """One that is on: AUTH_EXPIRING, PROVISIONAL_ENDING, CDV_LATE."""

    code: str
    message: str


class BlockBody(BaseModel):
    code: str
    reason: str


class AuthorisationBody(BaseModel):
    """`state` is of now, clocks included. `steps`: what a person may enter now, by its path. `blocked`: why the cameras
    that wait can't be put into service now; null where nothing waits or nothing is missing."""

    id: str
    commune: CommuneRef
    dossier: str
    reference: str | None
    kind: str
    state: str
    replaces: str | None
    from_at: datetime | None = Field(serialization_alias="from")
    to_at: datetime | None = Field(serialization_alias="to")
    complete_on: date | None
    suspended_at: datetime | None
    suspended_reason: str | None
    ended_at: datetime | None
    lines: list[LineBody]
    events: list[EventBody]
    deadlines: list[DeadlineBody]
    alarms: list[AlarmBody]
    steps: list[str]
    blocked: BlockBody | None


class Authorisations(BaseModel):
    authorisations: list[AuthorisationBody]


async def shown(connection: AsyncConnection, visit: Visit, known: Sequence[Known]) -> list[AuthorisationBody]:
    event, account = tables.authorisation_event, tables.account
    statement = (
        select(event, account.c.name.label("author_name"))
        .outerjoin(account, account.c.id == event.c.author)
        .where(event.c.authorisation.in_([one.id for one in known]))
        .order_by(event.c.authorisation, event.c.n)
    )
    events: dict[str, list[EventBody]] = {}
    for row in (await connection.execute(statement)).mappings():
        told = EventBody(
            event=row["event"],
            at=row["at"],
            on=row["on_day"],
            reference=row["reference"],
            author=row["author_name"],
        )
        events.setdefault(row["authorisation"], []).append(told)
    async with visit.centre.store.facts() as guard:
        communes = await facts.communes(guard)
        cameras = await facts.cameras(guard, {camera for one in known for camera in one.lines})
    return [
        AuthorisationBody(
            **{name: one.row[name] for name in _COLUMNS},
            commune=CommuneRef.of(communes[one.row["commune"]]),
            state=law.state_at(one.dossier, visit.now),
            lines=sorted(
                (_line(cameras[camera], one, camera) for camera in one.lines), key=lambda line: line.camera.number
            ),
            events=events.get(one.id, []),
            deadlines=[DeadlineBody(code=due.code, at=due.at) for due in law.deadlines(one.dossier, visit.now)],
            alarms=[
                AlarmBody(code=code, message=message(code, one.name, detail))
                for code, detail in law.alarms_at(one.dossier, visit.now).items()
            ],
            steps=_steps(one.dossier, visit.now),
            blocked=await _blocked(connection, one, visit.now),
        )
        for one in known
    ]


def _steps(dossier: Dossier, now: datetime) -> list[str]:
    steps = [step.value for step in law.possible(dossier, now)]
    return [*steps, "modification"] if law.may_be_replaced(dossier, now) else steps


_COLUMNS = (
    "id",
    "dossier",
    "reference",
    "kind",
    "replaces",
    "from_at",
    "to_at",
    "complete_on",
    "suspended_at",
    "suspended_reason",
    "ended_at",
)


def _line(camera: KnownCamera, known: Known, identity: str) -> LineBody:
    row = known.lines[identity]
    assert camera.subject.camera is not None
    return LineBody(
        **values_of(known.line(identity)),
        camera=CameraRef.of(camera),
        regime=camera.subject.camera.regime,
        sent_on=row["sent_on"],
        service_on=row["service_on"],
        in_service_at=row["in_service_at"],
    )


async def _blocked(connection: AsyncConnection, known: Known, now: datetime) -> BlockBody | None:
    dossier = known.dossier
    state = law.state_at(dossier, now)
    granted = state in (State.AUTORISEE, State.MISE_EN_SERVICE_NOTIFIEE, *law.IN_SERVICE)
    if not granted or dossier.in_service.keys() == dossier.cameras:
        return None
    if state is State.AUTORISEE and Event.ACTIVATE not in law.possible(dossier, now):
        return BlockBody(code="NOTICE_MISSING", reason="La mise en service n'est pas notifiée au préfet.")
    step = Step(Event.ACTIVATE, law.day_of(now))
    moved = law.apply(dossier, step, now, await dossiers.conditions(connection, known, now))
    return BlockBody(code=moved.code, reason=moved.reason) if isinstance(moved, Refused) else None
