"""One account is one person, who is at one post at a time (CSI R.253-3 II): what says otherwise is looked into, not
stopped.

A second session elsewhere is told when it opens. A session that goes on at another post is told too: whoever has its
cookie is there. From then on entries name that post, as each names the post that it was done at.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts import sessions
from csu.accounts.sessions import Session
from csu.alarms.keeper import raise_alarm
from csu.audit import entries
from csu.audit.entries import Entry
from csu.audit.tally import Event
from csu.centre_state import Centre

SECOND_SESSION = "SECOND_SESSION"


async def moved(centre: Centre, session: Session, workstation: str, now: datetime) -> Session:
    """The session at the post where it is now; journalled, with an alarm, the first time that it is there: a machine
    may have two addresses and take them in turns."""
    here = replace(session, workstation=workstation)
    if (session.id, workstation) in centre.posts:
        return here
    async with centre.store.transaction(None) as connection:
        await sessions.alter(connection, session.id, workstation=workstation)
        told = Entry("session:moved", now, here.author, "noted", detail={"from": session.workstation})
        await entries.append(connection, [told])
        await alarm(connection, session, [session.workstation, workstation], now)
    centre.posts.update((session.id, post) for post in (session.workstation, workstation))
    centre.journal_grew()
    await tell(centre, here, now)
    return here


async def alarm(connection: AsyncConnection, session: Session, posts: Iterable[str], now: datetime) -> None:
    """In the transaction of what was found."""
    detail = ", ".join(posts)
    await raise_alarm(connection, SECOND_SESSION, SECOND_SESSION, session.login, detail, None, now)


async def tell(centre: Centre, session: Session, now: datetime) -> None:
    """Once that is committed."""
    centre.security.note(now, Event(SECOND_SESSION, session.login, session.workstation))
    await centre.events.publish("alarms")
