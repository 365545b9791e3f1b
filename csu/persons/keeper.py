"""What falls due of persons, as alarms; and the accounts of leavers, closed at their time."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts import sessions
from csu.alarms.keeper import keep
from csu.audit import entries
from csu.audit.entries import SYSTEM, Entry
from csu.centre_state import Centre
from csu.clock import iso
from csu.persons.standing import standings
from csu.store import tables
from legal import persons
from legal.acts import Act

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
        await sessions.end_all(connection, row[0], now, None)
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
    return await keep(connection, SOURCE, list(persons.Due), wanted, now)
