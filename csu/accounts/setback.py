"""A clock that is set back: what had run out must not come alive again.

The centre remembers the latest instant that it knew, also over a restart. When the clock tells an earlier one, every
session ends and every proposal closes, journalled; who is there identifies anew. Open pictures die with their sessions,
tickets of before are from the future for the gateway (`tickets.verify`).
"""

from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from csu.accounts.sessions import Ending
from csu.audit import entries
from csu.audit.entries import SYSTEM, Entry
from csu.centre_state import Centre
from csu.clock import iso
from csu.store import tables

# A clock that is kept by NTP may step by less.
LEEWAY = timedelta(seconds=5)


async def heed(centre: Centre, now: datetime) -> None:
    """To be told the time before anything is decided on it."""
    latest = centre.observed.latest_at
    if latest is None:
        latest = await _known_before(centre)
    centre.observed.latest_at = now if latest is None else max(latest, now)
    if latest is None or now >= latest - LEEWAY:
        return
    session, proposal = tables.session, tables.proposal
    async with centre.store.transaction(None) as connection:
        ending = update(session).where(session.c.ended_at.is_(None))
        ended = await connection.execute(ending.values(ended_at=now, ended_as=Ending.CLOCK))
        open_still = proposal.c.confirmed_at.is_(None), proposal.c.closed_at.is_(None)
        closed = await connection.execute(update(proposal).where(*open_still).values(closed_at=now))
        detail = {"before": iso(latest), "sessions": ended.rowcount, "proposals": closed.rowcount}
        await entries.append(connection, [Entry("clock:back", now, SYSTEM, result="noted", detail=detail)])
    centre.observed.latest_at = now
    centre.rights_changed()
    centre.journal_grew()


async def _known_before(centre: Centre) -> datetime | None:
    """The latest instant of the process before: a request's, or a signed head's of the journal."""
    async with centre.store.transaction(None) as connection:
        seen = await connection.scalar(select(func.max(tables.session.c.seen_at)))
        signed = await connection.scalar(select(func.max(tables.tree_head.c.signed_at)))
    known = [at for at in (seen, signed) if at is not None]
    return max(known) if known else None
