"""What falls due of persons, as alarms; and the accounts of leavers, closed at their time."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts import sessions
from csu.alarms.keeper import end_alarm, raise_alarm
from csu.audit import entries
from csu.audit.entries import SYSTEM, Entry
from csu.centre_state import Centre
from csu.clock import iso
from csu.persons.standing import standings
from csu.store import tables
from legal import persons
from legal.permissions import Act

EVERY_S = 30.0
SOURCE = "persons"


class PersonKeeper:
    """Takes turns. An account past its time opens nothing already (`sessions.in_force`): here it is closed for good."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre

    async def run_once(self) -> None:
        now = self._centre.now()
        async with self._centre.store.transaction(None) as connection:
            closed = await _close_leavers(connection, now)
            changed = await _tell(connection, now)
        if closed:
            self._centre.journal_grew()
            self._centre.rights_changed()
        if changed:
            await self._centre.events.publish("alarms")


async def _close_leavers(connection: AsyncConnection, now: datetime) -> bool:
    account = tables.account
    due = account.c.closed_at.is_(None) & (account.c.closes_at <= now)
    statement = update(account).where(due).values(closed_at=account.c.closes_at)
    rows = (await connection.execute(statement.returning(account.c.id, account.c.login))).all()
    for row in rows:
        await sessions.end_all(connection, row[0], now)
        detail = {"account": row[0], "about": row[1], "cause": persons.Due.LEAVER}
        await entries.append(connection, [Entry(Act.ACCOUNT_CLOSE, now, SYSTEM, detail=detail)])
    return bool(rows)


async def _tell(connection: AsyncConnection, now: datetime) -> bool:
    """Bring the alarms in line; whether one was raised or ended. Their subject is a login, and a commune's code where
    they are about one; their detail a date."""
    wanted: dict[tuple[str, str], tuple[str, str | None]] = {}
    for known in (await standings(connection)).values():
        for due in persons.dues(known.legal, now):
            subject = known.login if due.commune is None else f"{known.login} {due.commune}"
            wanted[due.code.value, subject] = (iso(due.by_at) or "", due.commune)
    alarm = tables.alarm
    statement = select(alarm.c.code, alarm.c.subject, alarm.c.detail)
    rows = await connection.execute(statement.where(alarm.c.source == SOURCE, alarm.c.ended.is_(None)))
    on = {(row[0], row[1]): row[2] for row in rows}
    over = [key for key in on if key not in wanted or wanted[key][0] != on[key]]
    fresh = [key for key in wanted if key not in on or key in over]
    for code, subject in over:
        await end_alarm(connection, SOURCE, code, subject, now)
    for code, subject in fresh:
        detail, commune = wanted[code, subject]
        await raise_alarm(connection, SOURCE, code, subject, detail, commune, now)
    return bool(over or fresh)
