"""Authorisations from draft to end: dossiers, their lines, each step with its own act.

A step answers with the authorisation as it stands after it. One that can't be taken is 409 with its code, and changes
nothing; a line that no arrêté can say is 422.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from pydantic import Field
from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts.guard import Guard, Visit
from csu.errors import Refusal, not_found
from csu.schemas import Body, Day, Done, Insee, Line, Reason
from csu.store import tables
from csu.territory import dossiers
from csu.territory.acting import demand, find, subject_of
from csu.territory.authorisations_reading import AuthorisationBody, Authorisations, shown
from csu.territory.dossiers import Known
from csu.territory.lines import Details, Terms, line_of, values_of
from legal import authorisations as law
from legal.acts import Act, Refused
from legal.authorisations import Event, Kind, State, Step
from legal.facts import Regime

router = APIRouter(prefix="/api/authorisations", tags=["authorisations"])
_Reference = Annotated[Line, Field(min_length=3, max_length=60)]


class GivenLine(Terms, Details, Body):
    """What is asked for one camera, whole: what is left out is not said of it."""


class LineInput(GivenLine):
    """What is asked, or granted, for one camera."""

    camera: UUID


_Lines = Annotated[list[LineInput], Field(min_length=1, max_length=2000)]


class Draft(Body):
    commune: Insee
    # How the centre calls the file until there is an arrêté.
    dossier: _Reference
    kind: Literal[Kind.INITIALE, Kind.PROVISOIRE, Kind.REGISTRE] = Kind.INITIALE
    lines: _Lines


class Amendment(Body):
    """A dossier that is to take the place of an arrêté: its lines where they differ, the others as they are."""

    dossier: _Reference
    kind: Literal[Kind.MODIFICATION, Kind.RENOUVELLEMENT] = Kind.MODIFICATION
    lines: Annotated[list[LineInput], Field(max_length=2000, default_factory=list)]


class Lines(Body):
    lines: _Lines


class Dated(Body):
    """The act's own day."""

    on: Day


class Grant(Dated):
    """The arrêté: from its first day to the first on which it no longer holds, in Paris."""

    reference: _Reference
    from_day: Annotated[Day, Field(alias="from")]
    to_day: Annotated[Day, Field(alias="to")]


class Activation(Body):
    """`lifted_by`: where what is replaced is suspended, the reference of the arrêté that lifts it: this one's own."""

    lifted_by: _Reference | None = None


class Service(Dated):
    """The préfet is told on `on` that these cameras (all, when none is named) come into service on `service_on`."""

    service_on: Day
    cameras: Annotated[list[UUID] | None, Field(max_length=2000)] = None


@router.get("")
async def list_authorisations(visit: Annotated[Visit, Depends(Guard(Act.AUTHORISATION_LIST))]) -> Authorisations:
    """All of the person's communes, drafts and ended ones too."""
    async with visit.perform() as connection:
        known = await dossiers.all_of(connection)
        return Authorisations(authorisations=await shown(connection, visit, known))


@router.post("", status_code=201)
async def draft_authorisation(
    body: Draft, visit: Annotated[Visit, Depends(Guard(Act.AUTHORISATION_DRAFT))]
) -> AuthorisationBody:
    """A dossier that nothing follows from until its arrêté is entered and its cameras are in service."""
    await visit.demand(detail={"about": body.dossier})
    subject = await subject_of(visit, body.commune)
    identity = str(uuid4())
    detail = {"authorisation": identity, "about": body.dossier, "kind": body.kind}
    async with visit.perform(subject, detail=detail) as connection:
        lines = await _checked(connection, body.commune, body.kind, body.lines)
        await _create(connection, identity, body.commune, body.dossier, body.kind, None, lines)
    return await _one(visit, identity)


@router.put("/{authorisation_id}/lines")
async def change_lines(
    authorisation_id: UUID, body: Lines, visit: Annotated[Visit, Depends(Guard(Act.AUTHORISATION_DRAFT))]
) -> AuthorisationBody:
    """Replace a draft's lines. What was granted is changed by a modification only (CSI R.254-2)."""
    known, subject = await find(visit, authorisation_id)
    async with visit.perform(subject, detail={"authorisation": known.id, "about": known.name}) as connection:
        now = await _drafted(connection, known)
        lines = await _checked(connection, now.row["commune"], now.dossier.kind, body.lines)
        line = tables.authorisation_line
        await connection.execute(delete(line).where(line.c.authorisation == known.id))
        await _insert(connection, known.id, now.row["commune"], lines)
    return await _one(visit, known.id)


@router.put("/{authorisation_id}/lines/{camera_id}")
async def change_line(
    authorisation_id: UUID,
    camera_id: UUID,
    body: GivenLine,
    visit: Annotated[Visit, Depends(Guard(Act.AUTHORISATION_DRAFT))],
) -> AuthorisationBody:
    """One camera's line of a draft, changed or added; the others stay as they are."""
    known, subject = await find(visit, authorisation_id)
    detail = {"authorisation": known.id, "about": known.name, "camera": str(camera_id)}
    async with visit.perform(subject, detail=detail) as connection:
        now = await _drafted(connection, known)
        given = LineInput(camera=camera_id, **body.model_dump())
        lines = await _checked(connection, now.row["commune"], now.dossier.kind, [given])
        await connection.execute(delete(tables.authorisation_line).where(*_line(known, camera_id)))
        await _insert(connection, known.id, now.row["commune"], lines)
    return await _one(visit, known.id)


@router.delete("/{authorisation_id}/lines/{camera_id}")
async def remove_line(
    authorisation_id: UUID, camera_id: UUID, visit: Annotated[Visit, Depends(Guard(Act.AUTHORISATION_DRAFT))]
) -> AuthorisationBody:
    """Take a camera out of a draft; a dossier about no camera is none, and is dropped instead."""
    known, subject = await find(visit, authorisation_id)
    detail = {"authorisation": known.id, "about": known.name, "camera": str(camera_id)}
    async with visit.perform(subject, detail=detail) as connection:
        now = await _drafted(connection, known)
        if str(camera_id) not in now.lines:
            raise not_found()
        if len(now.lines) == 1:
            reason = "Un dossier porte sur une caméra au moins : classez-le plutôt."
            demand(Refused("STEP_FORBIDDEN", reason, "CSI R.252-3"))
        await connection.execute(delete(tables.authorisation_line).where(*_line(known, camera_id)))
    return await _one(visit, known.id)


@router.post("/{authorisation_id}/modification", status_code=201)
async def amend_authorisation(
    authorisation_id: UUID, body: Amendment, visit: Annotated[Visit, Depends(Guard(Act.AUTHORISATION_AMEND))]
) -> AuthorisationBody:
    """Open the dossier of a modification, or of a renewal. The arrêté holds until the new one is in service."""
    known, subject = await find(visit, authorisation_id)
    identity = str(uuid4())
    detail = {"authorisation": identity, "replaces": known.id, "about": body.dossier, "kind": body.kind}
    async with visit.perform(subject, detail=detail) as connection:
        now = await _locked(connection, known)
        if not law.may_be_replaced(now.dossier, visit.now):
            reason = "Seul un arrêté qui n'a pas pris fin se modifie ou se renouvelle."
            demand(Refused("STEP_FORBIDDEN", reason, "CSI R.254-2, L.252-4"))
        kept = {camera: values_of(now.line(camera)) for camera in now.lines}
        lines = kept | await _checked(connection, now.row["commune"], body.kind, body.lines)
        await _create(connection, identity, now.row["commune"], body.dossier, body.kind, known.id, lines)
    return await _one(visit, identity)


# Steps that their own day tells. Each event is a path, and an act of its own.
_DATED = {
    Event.DEPOSIT: "The dossier goes to the préfecture.",
    Event.COMPLETE: "The récépissé of the complete dossier: the delays of CSI R.252-15 run from its day.",
    Event.EXTEND: "The commission takes its fourth month.",
    Event.OPINION: "The commission has given its opinion.",
    Event.REFUSE: "The préfet refuses.",
}
# Steps of today, with a reason.
_REASONED = {
    Event.WITHDRAW: "For good: viewing and recording stop at once (CSI R.254-2).",
    Event.END_EVENT: "The event is over, and with it its provisional authorisation (CSI L.252-6).",
    Event.DROP: "The commune gives the dossier up before it is decided.",
}


def _add_dated(event: Event, told: str) -> None:
    guard = Guard(Act(f"authorisation:{event}"))

    @router.post(f"/{{authorisation_id}}/{event}", name=event, description=told)
    async def step(authorisation_id: UUID, body: Dated, visit: Annotated[Visit, Depends(guard)]) -> AuthorisationBody:
        return await _step(visit, authorisation_id, Step(event, body.on))


def _add_reasoned(event: Event, told: str) -> None:
    guard = Guard(Act(f"authorisation:{event}"))

    @router.post(f"/{{authorisation_id}}/{event}", name=event, description=told)
    async def step(authorisation_id: UUID, body: Reason, visit: Annotated[Visit, Depends(guard)]) -> AuthorisationBody:
        return await _step(visit, authorisation_id, Step(event, law.day_of(visit.now)), body)


for _event, _told in _DATED.items():
    _add_dated(_event, _told)
for _event, _told in _REASONED.items():
    _add_reasoned(_event, _told)


@router.post("/{authorisation_id}/grant")
async def grant(
    authorisation_id: UUID, body: Grant, visit: Annotated[Visit, Depends(Guard(Act.AUTHORISATION_GRANT))]
) -> AuthorisationBody:
    step = Step(Event.GRANT, body.on, reference=body.reference, from_on=body.from_day, to_on=body.to_day)
    return await _step(visit, authorisation_id, step)


@router.post("/{authorisation_id}/notify")
async def notify(
    authorisation_id: UUID, body: Service, visit: Annotated[Visit, Depends(Guard(Act.AUTHORISATION_NOTIFY))]
) -> AuthorisationBody:
    cameras = None if body.cameras is None else frozenset(map(str, body.cameras))
    step = Step(Event.NOTIFY, body.on, service_on=body.service_on, cameras=cameras)
    return await _step(visit, authorisation_id, step)


@router.post("/{authorisation_id}/activate")
async def activate(
    authorisation_id: UUID,
    visit: Annotated[Visit, Depends(Guard(Act.AUTHORISATION_ACTIVATE))],
    body: Activation | None = None,
) -> AuthorisationBody:
    """Put into service the cameras whose notified day has come; what is replaced ends with it. While that is suspended
    this waits until it is resumed, or until it is said that the new arrêté lifts it (CSI R.254-2)."""
    lifted_by = None if body is None else body.lifted_by
    return await _step(visit, authorisation_id, Step(Event.ACTIVATE, law.day_of(visit.now), reference=lifted_by))


@router.post("/{authorisation_id}/suspend")
async def suspend(
    authorisation_id: UUID, body: Reason, visit: Annotated[Visit, Depends(Guard(Act.AUTHORISATION_SUSPEND))]
) -> Done:
    """Viewing and recording stop at once (CSI R.254-2)."""
    await _step(visit, authorisation_id, Step(Event.SUSPEND, law.day_of(visit.now)), body, suspended_reason=body.reason)
    return Done()


@router.post("/{authorisation_id}/resume")
async def resume(
    authorisation_id: UUID, body: Reason, visit: Annotated[Visit, Depends(Guard(Act.AUTHORISATION_RESUME))]
) -> Done:
    await _step(visit, authorisation_id, Step(Event.RESUME, law.day_of(visit.now)), body, suspended_reason=None)
    return Done()


async def _step(
    visit: Visit, authorisation: UUID, step: Step, given: Reason | None = None, **more: Any
) -> AuthorisationBody:
    """Take a step, journalled; pictures and orders are decided again at once. `more`: columns of the row besides."""
    if given is not None:
        await visit.demand_words(given.reason)
    known, subject = await find(visit, authorisation)
    detail = {"authorisation": known.id, "about": step.reference or known.name, "on": step.on.isoformat()}
    if given is not None:
        detail["given"] = given.reason
    async with visit.perform(subject, detail=detail) as connection:
        now = await _locked(connection, known)
        demand(await dossiers.take(connection, now, step, visit.now, visit.session.actor.id, **more))
    visit.centre.rights_changed()
    await visit.centre.events.publish("session")
    return await _one(visit, known.id)


async def _locked(connection: AsyncConnection, known: Known) -> Known:
    now = await dossiers.find(connection, known.id, lock=True)
    assert now is not None  # authorisations are never deleted
    return now


async def _drafted(connection: AsyncConnection, known: Known) -> Known:
    """The dossier, locked, while it is a draft. Raises Refusal for what was asked for already, or granted."""
    now = await _locked(connection, known)
    if now.dossier.state is not State.BROUILLON:
        reason = "Ce qui a été demandé ou autorisé ne change que par un arrêté modificatif : ouvrez une modification."
        demand(Refused("AUTH_MODIFICATION_REQUIRED", reason, "CSI R.254-2"))
    return now


def _line(known: Known, camera: UUID) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    line = tables.authorisation_line
    return line.c.authorisation == known.id, line.c.camera == str(camera)


async def _checked(
    connection: AsyncConnection, insee: str, kind: Kind, inputs: Sequence[LineInput]
) -> dict[str, dict[str, Any]]:
    """Columns of the lines by camera. Raises Refusal for what no arrêté can say, and for a camera elsewhere."""
    camera = tables.camera
    statement = select(camera.c.id, camera.c.regime).where(camera.c.commune == insee)
    regimes = {row[0]: Regime(row[1]) for row in await connection.execute(statement)}
    lines: dict[str, dict[str, Any]] = {}
    for given in inputs:
        identity = str(given.camera)
        regime = regimes.get(identity)
        if regime is None or identity in lines:
            reason = "Une caméra est inconnue dans cette commune, ou nommée deux fois."
            raise Refusal(422, "UNKNOWN_CAMERA", reason)
        if kind not in law.REPLACING and (regime is Regime.HORS_CSI) != (kind is Kind.REGISTRE):
            reason = "Le registre est pour les lieux hors du code de la sécurité intérieure, et pour eux seuls."
            demand(Refused("REGIME_ROLE_FORBIDDEN", reason, "CSI L.251-1"), 422)
        dumped = given.model_dump()
        line = line_of(dumped, dumped)
        demand(law.fault_of_line(regime, line), 422)
        lines[identity] = values_of(line)
    return lines


async def _create(
    connection: AsyncConnection,
    identity: str,
    insee: str,
    dossier: str,
    kind: Kind,
    replaces: str | None,
    lines: Mapping[str, Mapping[str, Any]],
) -> None:
    row = {
        "id": identity,
        "commune": insee,
        "dossier": dossier,
        "kind": kind,
        "state": State.BROUILLON,
        "replaces": replaces,
        "extended": False,
    }
    await connection.execute(insert(tables.authorisation).values(row))
    await _insert(connection, identity, insee, lines)


async def _insert(
    connection: AsyncConnection, identity: str, insee: str, lines: Mapping[str, Mapping[str, Any]]
) -> None:
    rows = [{"authorisation": identity, "camera": camera, "commune": insee, **line} for camera, line in lines.items()]
    await connection.execute(insert(tables.authorisation_line), rows)


async def _one(visit: Visit, identity: str) -> AuthorisationBody:
    async with visit.centre.store.transaction(visit.communes) as connection:
        known = await dossiers.find(connection, identity)
        assert known is not None
        return (await shown(connection, visit, [known]))[0]
