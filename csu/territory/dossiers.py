"""Authorisations between their rows and `legal.authorisations`: read, moved by a step, written with its event."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.store import tables
from csu.territory.lines import line_of
from legal import authorisations as law
from legal.acts import Refused
from legal.authorisations import Conditions, Dossier, Event, Kind, Line, Notice, State, Step

_KEPT = (
    "state",
    "last_on",
    "complete_on",
    "extended",
    "reference",
    "from_at",
    "to_at",
    "suspended_at",
    "ended_at",
)


@dataclass(frozen=True, slots=True)
class Known:
    """An authorisation of the tables: its row, its lines by camera, and what the law makes of both."""

    row: RowMapping
    lines: Mapping[str, RowMapping]
    dossier: Dossier

    @property
    def id(self) -> str:
        return str(self.row["id"])

    @property
    def name(self) -> str:
        """The arrêté's reference, the dossier's while there is none."""
        return str(self.row["reference"] or self.row["dossier"])

    def line(self, camera: str) -> Line:
        row = dict(self.lines[camera])
        return line_of(row, row)


async def find(connection: AsyncConnection, authorisation: str, *, lock: bool = False) -> Known | None:
    """One authorisation; with `lock` no other step can be taken until the transaction ends."""
    table = tables.authorisation
    statement = select(table).where(table.c.id == authorisation)
    row = (await connection.execute(statement.with_for_update() if lock else statement)).mappings().one_or_none()
    return None if row is None else (await _with_lines(connection, [row]))[0]


async def all_of(connection: AsyncConnection) -> list[Known]:
    """Those that the transaction sees, by commune and name."""
    table = tables.authorisation
    rows = await connection.execute(select(table).order_by(table.c.commune, table.c.dossier))
    return await _with_lines(connection, rows.mappings().all())


async def _with_lines(connection: AsyncConnection, rows: Sequence[RowMapping]) -> list[Known]:
    line = tables.authorisation_line
    statement = select(line).where(line.c.authorisation.in_([row["id"] for row in rows]))
    lines: dict[str, dict[str, RowMapping]] = {}
    for one in (await connection.execute(statement)).mappings():
        lines.setdefault(one["authorisation"], {})[one["camera"]] = one
    return [Known(row, lines.get(row["id"], {}), _dossier(row, lines.get(row["id"], {}))) for row in rows]


def _dossier(row: RowMapping, lines: Mapping[str, RowMapping]) -> Dossier:
    told = {name: row[name] for name in _KEPT if name != "state"}
    return Dossier(
        kind=Kind(row["kind"]),
        cameras=frozenset(lines),
        state=State(row["state"]),
        notices={
            c: Notice(one["sent_on"], one["service_on"]) for c, one in lines.items() if one["sent_on"] is not None
        },
        in_service={c: one["in_service_at"] for c, one in lines.items() if one["in_service_at"] is not None},
        **told,
    )


async def conditions(connection: AsyncConnection, known: Known, at: datetime) -> Conditions:
    """What service needs beside the dossier, as it stands now."""
    commune, convention = tables.commune, tables.convention
    insee = known.row["commune"]
    row = (await connection.execute(select(commune).where(commune.c.insee == insee))).mappings().one()
    replaced = None if known.row["replaces"] is None else await find(connection, known.row["replaces"])
    in_force = select(convention.c.kind).where(
        convention.c.commune == insee,
        convention.c.from_at <= at,
        or_(convention.c.to_at.is_(None), convention.c.to_at > at),
        or_(convention.c.suspended_at.is_(None), convention.c.suspended_at > at),
    )
    return Conditions(
        cnil_sent_on=row["cnil_sent_on"],
        deliberation=row["deliberation"],
        conventions=frozenset((await connection.scalars(in_force)).all()),
        elsewhere=await covered(connection, known.dossier.cameras, at, None, {known.id, known.row["replaces"]}),
        served=_served(replaced, at),
        suspended=standing_suspension(replaced),
    )


async def hold_cameras(connection: AsyncConnection, cameras: Collection[str]) -> None:
    """Until the transaction ends nobody else puts these into service: two arrêtés at once would each see no other."""
    camera = tables.camera
    held = select(camera.c.id).where(camera.c.id.in_(cameras)).order_by(camera.c.id)
    await connection.execute(held.with_for_update(key_share=True))


async def covered(
    connection: AsyncConnection,
    cameras: frozenset[str],
    from_at: datetime,
    to_at: datetime | None,
    but: set[str | None],
) -> dict[str, str]:
    """Cameras that another arrêté has in service at any time from `from_at` to `to_at` (None: for ever): its reference.

    A suspended one counts: it may be resumed.
    """
    line, authorisation = tables.authorisation_line, tables.authorisation
    statement = (
        select(line.c.camera, authorisation.c.reference)
        .join_from(line, authorisation, line.c.authorisation == authorisation.c.id)
        .where(
            line.c.camera.in_(cameras),
            line.c.in_service_at.is_not(None),
            func.least(authorisation.c.to_at, authorisation.c.ended_at) > from_at,
            authorisation.c.id.not_in([one for one in but if one is not None]),
        )
    )
    if to_at is not None:
        statement = statement.where(func.greatest(authorisation.c.from_at, line.c.in_service_at) < to_at)
    return {row[0]: row[1] for row in await connection.execute(statement)}


def _served(replaced: Known | None, at: datetime) -> frozenset[str]:
    if replaced is None or law.state_at(replaced.dossier, at) in law.ENDED:
        return frozenset()
    return frozenset(replaced.dossier.in_service)


def standing_suspension(replaced: Known | None) -> str | None:
    """The reference of an arrêté that is suspended; its term alone lifts nothing, an end by an act does."""
    if replaced is None or replaced.dossier.suspended_at is None or replaced.dossier.ended_at is not None:
        return None
    return replaced.name


async def take(
    connection: AsyncConnection, known: Known, step: Step, at: datetime, author: str | None, **more: Any
) -> Refused | None:
    """Take a step and write it, with the end of what it replaces; or why it can't be taken, nothing written then.

    `more`: columns of the row besides.
    """
    if step.event is Event.ACTIVATE:
        await hold_cameras(connection, known.dossier.cameras)
        if known.row["replaces"] is not None:  # nobody suspends it meanwhile
            await find(connection, known.row["replaces"], lock=True)
    needed = await conditions(connection, known, at) if step.event is Event.ACTIVATE else None
    moved = law.apply(known.dossier, step, at, needed)
    if isinstance(moved, Refused):
        return moved
    await write(connection, known, moved, step, at, author, **more)
    replaced = known.row["replaces"]
    if replaced is not None and moved.in_service and not known.dossier.in_service:
        before = await find(connection, replaced, lock=True)
        assert before is not None
        ending = Step(Event.REPLACE, law.day_of(at), reference=moved.reference)
        ended = law.apply(before.dossier, ending, at)
        if isinstance(ended, Dossier):
            await write(connection, before, ended, ending, at, author)
    return None


async def write(
    connection: AsyncConnection,
    known: Known,
    moved: Dossier,
    step: Step,
    at: datetime,
    author: str | None,
    **more: Any,
) -> None:
    """Bring the rows to a dossier and append the event that led there."""
    table, line, event = tables.authorisation, tables.authorisation_line, tables.authorisation_event
    values = {name: getattr(moved, name) for name in _KEPT} | more
    await connection.execute(update(table).where(table.c.id == known.id).values(values))
    for camera in sorted(moved.cameras):
        notice, since = moved.notices.get(camera), moved.in_service.get(camera)
        if (notice, since) == (known.dossier.notices.get(camera), known.dossier.in_service.get(camera)):
            continue
        service: dict[str, Any] = {"in_service_at": since}
        if notice is not None:
            service |= {"sent_on": notice.sent_on, "service_on": notice.service_on}
        mine = line.c.authorisation == known.id, line.c.camera == camera
        await connection.execute(update(line).where(*mine).values(service))
    count = select(func.coalesce(func.max(event.c.n), 0) + 1).where(event.c.authorisation == known.id)
    row = {
        "authorisation": known.id,
        "n": await connection.scalar(count),
        "commune": known.row["commune"],
        "event": step.event.value,
        "at": at,
        "on_day": step.on,
        "reference": step.reference,
        "from_on": step.from_on,
        "to_on": step.to_on,
        "service_on": step.service_on,
        "cameras": None if step.cameras is None else sorted(step.cameras),
        "author": author,
    }
    await connection.execute(insert(event).values(row))
