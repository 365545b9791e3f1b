"""Alarms for the console's bar, and the stream of hints."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy import RowMapping, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts import sessions
from csu.accounts.guard import Guard, Visit
from csu.alarms import words
from csu.errors import Refusal
from csu.schemas import Done, Reason
from csu.store import facts, tables
from csu.store.store import UNAVAILABLE
from legal.acts import Act
from legal.facts import Role
from legal.persons import Due

router = APIRouter(prefix="/api", tags=["alarms"])
SHOWN_AFTER_END = timedelta(hours=1)
_KEEP_ALIVE_S = 4.0


class AlarmBody(BaseModel):
    id: str
    code: str
    subject: str
    message: str
    since: datetime
    ended: datetime | None
    # Whether it stays until a person acknowledges it.
    is_event: bool


class Alarms(BaseModel):
    alarms: list[AlarmBody]


@router.get("/alarms")
async def list_alarms(visit: Annotated[Visit, Depends(Guard(Act.ALARM_LIST))]) -> Alarms:
    """Alarms in progress, and those that ended within the hour; of the person's communes and of the centre."""
    alarm = tables.alarm
    recent = or_(alarm.c.ended.is_(None), alarm.c.ended > visit.now - SHOWN_AFTER_END)
    may_know = visit.session.actor.role in (Role.SUPERVISOR, Role.ADMINISTRATOR)
    shown = recent if may_know else and_(recent, alarm.c.code.not_in(words.OF_PERSONS))
    statement = select(alarm).where(shown).order_by(alarm.c.ended.is_not(None), alarm.c.since.desc()).limit(500)
    async with visit.perform() as connection:
        rows = (await connection.execute(statement)).mappings().all()
    async with visit.centre.store.facts() as connection:
        cameras = await facts.cameras(connection, _camera_ids(rows))
        places, persons = await _places(connection, rows), await _persons(connection, rows)
    alarms = []
    for row in rows:
        camera = cameras.get(row["subject"])
        subject = row["subject"] if camera is None else f"{camera.number} {camera.name} ({camera.commune.legal.name})"
        told = persons.get(_login(row), subject.removesuffix(f" {row['commune']}"))
        if camera is None and row["commune"] in places:
            told = f"{told} ({places[row['commune']]})"
        alarms.append(
            AlarmBody(
                id=row["id"],
                code=row["code"],
                subject=subject,
                message=words.message(row["code"], told, row["detail"]),
                since=row["since"],
                ended=row["ended"],
                is_event=row["code"] in words.EVENTS,
            )
        )
    return Alarms(alarms=alarms)


@router.post("/alarms/{alarm_id}/acknowledge")
async def acknowledge_alarm(
    alarm_id: UUID, body: Reason, visit: Annotated[Visit, Depends(Guard(Act.ALARM_ACKNOWLEDGE))]
) -> Done:
    """End an alarm that tells of an event; one that tells of a state ends with it."""
    await visit.demand_words(body.reason)
    alarm = tables.alarm
    mine = alarm.c.id == str(alarm_id), alarm.c.ended.is_(None), alarm.c.code.in_(words.EVENTS)
    async with visit.centre.store.transaction(visit.communes) as connection:
        code = await connection.scalar(select(alarm.c.code).where(*mine))
    detail = {"alarm": str(alarm_id), "about": code, "given": body.reason}
    async with visit.perform(detail=detail) as connection:
        done = await connection.execute(update(alarm).where(*mine).values(ended=visit.now))
        if done.rowcount == 0:
            raise Refusal(409, "CONFLICT", "Cette alarme est terminée, ou prendra fin avec sa cause.")
    await visit.centre.events.publish("alarms")
    return Done()


def _camera_ids(rows: Sequence[RowMapping]) -> set[str]:
    """Subjects of alarms that are cameras' identifiers."""
    ids = set()
    for row in rows:
        with contextlib.suppress(ValueError):
            ids.add(str(UUID(row["subject"])))
    return ids


_DUES = frozenset(Due)


def _login(row: RowMapping) -> str:
    """Of the person whom an alarm is about (`csu.persons.keeper`); empty for any other alarm."""
    return str(row["subject"]).partition(" ")[0] if row["code"] in _DUES else ""


async def _persons(connection: AsyncConnection, rows: Sequence[RowMapping]) -> dict[str, str]:
    """Names by login."""
    account, logins = tables.account, {_login(row) for row in rows} - {""}
    found = await connection.execute(select(account.c.login, account.c.name).where(account.c.login.in_(logins)))
    return {row[0]: row[1] for row in found}


async def _places(connection: AsyncConnection, rows: Sequence[RowMapping]) -> dict[str, str]:
    """Names of communes by INSEE code."""
    commune, codes = tables.commune, {row["commune"] for row in rows} - {None}
    found = await connection.execute(select(commune.c.insee, commune.c.name).where(commune.c.insee.in_(codes)))
    return {row[0]: row[1] for row in found}


@router.get("/events", response_class=StreamingResponse)
async def follow_events(visit: Annotated[Visit, Depends(Guard(Act.EVENT_FOLLOW))]) -> StreamingResponse:
    """Server-sent events: names of what to look at again. Ends with the session."""
    await visit.permit()
    return StreamingResponse(_hints(visit), media_type="text/event-stream")


async def _hints(visit: Visit) -> AsyncIterator[bytes]:
    yield b"retry: 4000\n\n"
    with visit.centre.events.listening() as queue:
        while True:
            told = b": \n\n"
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_KEEP_ALIVE_S):
                    told = f"event: {await queue.get()}\ndata: \n\n".encode()
            if not await _is_in_force(visit):
                return
            yield told


async def _is_in_force(visit: Visit) -> bool:
    """Also False while PostgreSQL is away: nobody can tell then, and the console comes back by itself."""
    try:
        async with visit.centre.store.facts() as connection:
            row = await sessions.find(connection, visit.token)
    except UNAVAILABLE:
        return False
    return row is not None and row["locked_at"] is None and sessions.in_force(row, visit.centre.now())
