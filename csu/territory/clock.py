"""The clocks of authorisations and déports: what time has done is written down once, what it will do raises alarms."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from csu.alarms.keeper import keep, raise_alarm
from csu.audit import entries
from csu.audit.entries import SYSTEM, Entry
from csu.centre_state import Centre
from csu.clock import iso
from csu.territory import deports, dossiers
from csu.territory.dossiers import Known
from legal import authorisations as law
from legal.authorisations import Event, Step

EVERY_S = 600.0
SOURCE = "deadlines"
_DONE = {Event.SILENCE: "REFUS_IMPLICITE", Event.EXPIRE: "AUTH_EXPIRED"}
_DEPORT_ENDING = "DEPORT_ENDING"
_STATES = ("AUTH_EXPIRING", "PROVISIONAL_ENDING", "CDV_LATE", _DEPORT_ENDING)


class DeadlineKeeper:
    """Each turn looks at every authorisation and déport. Nothing stops by it: an end is in the facts and the orders
    already."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre

    async def run_once(self) -> None:
        now = self._centre.now()
        async with self._centre.store.transaction(None) as connection:
            known = await dossiers.all_of(connection)
            changed = [one.id for one in known if law.clock_event(one.dossier, now) is not None]
            for authorisation in changed:
                await _write_down(connection, authorisation, now)
            alarms_changed = await _keep_alarms(connection, known, now)
        if changed:
            self._centre.journal_grew()
            self._centre.rights_changed()
            await self._centre.events.publish("session")
        if changed or alarms_changed:
            await self._centre.events.publish("alarms")


async def _write_down(connection: AsyncConnection, authorisation: str, now: datetime) -> None:
    known = await dossiers.find(connection, authorisation, lock=True)
    event = None if known is None else law.clock_event(known.dossier, now)
    if known is None or event is None:
        return
    step = Step(event, law.day_of(now))
    refused = await dossiers.take(connection, known, step, now, None)
    assert refused is None
    commune = known.row["commune"]
    detail = {"authorisation": known.id, "about": known.name}
    entry = Entry(f"authorisation:{event}", now, SYSTEM, result="noted", commune=commune, detail=detail)
    await entries.append(connection, [entry])
    await raise_alarm(connection, SOURCE, _DONE[event], known.name, "", commune, now)


async def _keep_alarms(connection: AsyncConnection, known: list[Known], now: datetime) -> bool:
    """Raise what has begun, end what is over; a nearer deadline is an alarm of its own. Whether any changed."""
    wanted = {
        (code, one.name): (detail, one.row["commune"])
        for one in known
        for code, detail in law.alarms_at(one.dossier, now).items()
    }
    for row in await deports.ending(connection, now):  # one arrêté may name several communes
        subject = f"{row['reference']} {row['commune']}"
        wanted[_DEPORT_ENDING, subject] = (iso(row["to_at"]) or "", row["commune"])
    return await keep(connection, SOURCE, _STATES, wanted, now)
