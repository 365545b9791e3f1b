"""The one way through which every route passes: session, person, decision, journal, answer.

A route takes a `Visit` by `Depends(Guard(act))` and does its work inside `visit.perform(...)`: there the decision is
taken, the entry is written in the act's own transaction, and both are committed before the route answers. A refusal,
also one that is found in the midst of the act, undoes all of it and commits its own entry; one that is raised outside,
or found before the route is entered (a malformed request), is journalled as it is answered (`web.py`). Reads that are
journalled when refused only, and that open no transaction, use `visit.permit`.
"""

import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NoReturn

from fastapi import Request
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts import posts, sessions
from csu.accounts.sessions import Session
from csu.accounts.setback import heed
from csu.accounts.workstations import workstation_of
from csu.audit import entries
from csu.audit.entries import Entry
from csu.audit.ops import QUIET, OpClass, class_of
from csu.centre_state import Centre
from csu.errors import Refusal, Told, not_found
from csu.store.facts import KnownCamera
from csu.web import check_query
from legal.acts import Act, Allowed, Refused
from legal.facts import CENTRE, Subject
from legal.motifs import Motif, fault_of_prose
from legal.permissions import decide
from legal.scope import reach

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_CONFLICT = Refusal(409, "CONFLICT", "Cette référence est déjà prise, ou un élément nommé n'existe pas.")
_LOCKED = Refusal(403, "SESSION_LOCKED", "Le poste est verrouillé.")
_WHILE_LOCKED = frozenset({Act.SESSION_READ, Act.SESSION_UNLOCK, Act.SESSION_CLOSE})


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a person whose session is in force."""

    centre: Centre
    act: Act
    session: Session
    token: str
    now: datetime
    # What consoles are to look at again once the act is committed (`csu.events.HINTS`).
    hints: set[str] = field(default_factory=set)

    @property
    def communes(self) -> frozenset[str] | None:
        """What row-level security lets this person's transactions see; None is the whole centre."""
        return reach(self.session.actor, self.act, self.now)

    def decide(self, act: Act, subject: Subject = CENTRE, motif: Motif | None = None) -> Allowed | Refused:
        return decide(self.session.actor, act, subject, motif, self.now)

    def entry(self, op: str, camera: KnownCamera | None = None, **fields: Any) -> Entry:
        """An entry of this person, now; with a camera, under the authority of its commune."""
        if camera is not None:
            fields |= {
                "camera": camera.id,
                "camera_name": f"{camera.number} {camera.name}",
                "commune": camera.insee,
                "authority": camera.commune.authority,
            }
        return Entry(op=op, at=self.now, author=self.session.author, **fields)

    async def permit(self, subject: Subject = CENTRE, *, camera: KnownCamera | None = None) -> None:
        """Let a read through that shows no picture and no entry; raises Refusal 403, journalled, otherwise."""
        assert self.act in QUIET
        await self._decide(subject, self._entry_of_act(subject, camera, {}))

    async def demand(self, subject: Subject = CENTRE, *, detail: Mapping[str, Any] | None = None) -> None:
        """Raise, before anything is told about the act's subject, what `perform` would: Refusal 403, journalled."""
        await self._decide(subject, self._entry_of_act(subject, None, detail or {}))

    async def demand_words(self, text: str) -> None:
        """Raise Refusal 422, journalled without the text, for a reason in free words that no entry may hold."""
        fault = fault_of_prose(text)
        if fault is not None:
            await self.refuse(self.entry(self.act), Refusal(422, fault.code, fault.reason))

    async def recheck(self) -> None:
        """That session and right are still there, for an answer that takes long. Raises Refusal."""
        session = await _session(self.centre, self.token, self.centre.now())
        if session.locked_at is not None:
            raise _LOCKED
        outcome = decide(session.actor, self.act, CENTRE, None, self.centre.now())
        if isinstance(outcome, Refused):
            raise Refusal(403, outcome.code, outcome.reason)
        if reach(session.actor, self.act, self.centre.now()) != self.communes:
            raise Refusal(403, "NOT_HABILITE", "Vos droits viennent de changer : refaites la demande.")

    @asynccontextmanager
    async def perform(
        self,
        subject: Subject = CENTRE,
        *,
        detail: Mapping[str, Any] | None = None,
        camera: KnownCamera | None = None,
        window: tuple[datetime, datetime] | None = None,
        motif: Motif | None = None,
        whole_centre: bool = False,
    ) -> AsyncIterator[AsyncConnection]:
        """The transaction of this visit's act, journalled; raises Refusal 403, journalled, when it is not allowed.

        `camera` and `window`: what the entry says it was about; `motif`: a lawful one, that it was done for.
        `whole_centre` is for acts whose rows belong to no commune's scope of this person (their own session).
        """
        entry = self._entry_of_act(subject, camera, detail or {})
        if window is not None:
            entry = replace(entry, from_at=window[0], to_at=window[1])
        if motif is not None:
            entry = replace(entry, motif=motif)
        await self._decide(subject, entry)
        if class_of(self.act) is OpClass.COMMUNICATION:  # to who asks
            entry = replace(entry, recipients=(self.session.author.name,))
        async with (
            self.refusing(entry),
            self.centre.store.transaction(None if whole_centre else self.communes) as connection,
        ):
            if self.act not in QUIET:
                await entries.append(connection, [entry])
            yield connection
        self.centre.journal_grew()
        for hint in self.hints:
            await self.centre.events.publish(hint)

    @asynccontextmanager
    async def refusing(self, entry: Entry) -> AsyncIterator[None]:
        """What a rule of the act itself, or a table's, refuses in this block is journalled, once, and then answered."""
        try:
            yield
        except Told:
            raise
        except Refusal as refusal:
            await self.refuse(entry, refusal)
        except IntegrityError:
            await self.refuse(entry, _CONFLICT)

    async def refuse(self, entry: Entry, refusal: Refusal) -> NoReturn:
        """Raises the refusal, journalled."""
        await self.record(entry.refused(refusal))
        raise Told(refusal.status, refusal.code, refusal.reason)

    async def hide(self, entry: Entry, refused: Refused) -> NoReturn:
        """Raises the 404 of what does not exist; the journal has the true refusal."""
        await self.record(entry.refused(refused))
        hidden = not_found()
        raise Told(hidden.status, hidden.code, hidden.reason)

    def _entry_of_act(self, subject: Subject, camera: KnownCamera | None, detail: Mapping[str, Any]) -> Entry:
        if camera is not None:
            return self.entry(self.act, camera, detail=detail)
        return self.entry(self.act, commune=None if subject.commune is None else subject.commune.insee, detail=detail)

    async def _decide(self, subject: Subject, entry: Entry) -> None:
        outcome = self.decide(self.act, subject)
        if isinstance(outcome, Refused):
            await self.refuse(entry, Refusal(403, outcome.code, outcome.reason))

    async def record(self, entry: Entry) -> None:
        """Commit an entry of its own: a refusal."""
        async with self.centre.store.transaction(None) as connection:
            await entries.append(connection, [entry])
        self.centre.journal_grew()


class Guard:
    """The dependency of a route: who asks, with a session in force, for this act."""

    def __init__(self, act: Act) -> None:
        self.act = act

    async def __call__(self, request: Request) -> Visit:
        centre: Centre = request.app.state.centre
        now = centre.now()
        await heed(centre, now)
        token = request.cookies.get(centre.cookie_name, "")
        if request.method not in _SAFE:
            check_origin(request, centre)
            check_csrf(request, token)
        session = await _session(centre, token, now)
        here = workstation_of(request, centre)
        if here != session.workstation:
            session = await posts.moved(centre, session, here, now)
        visit = request.state.visit = Visit(centre, self.act, session, token, now)
        if session.locked_at is not None and self.act not in _WHILE_LOCKED:
            await visit.refuse(visit.entry(self.act), _LOCKED)
        check_query(request)
        if now - session.seen_at >= sessions.SEEN_EVERY:
            async with centre.store.transaction(None) as connection:
                await sessions.alter(connection, session.id, seen_at=now)
        return visit


def check_origin(request: Request, centre: Centre) -> None:
    """An unsafe request comes from the console's own pages (Fetch standard, section 3.1: browsers always send it)."""
    if request.headers.get("origin") != centre.settings.console.origin:
        raise Refusal(403, "WRONG_ORIGIN", "La demande ne vient pas de la console du centre.")


def check_csrf(request: Request, token: str) -> None:
    given = request.headers.get("x-csrf-token", "")
    if not hmac.compare_digest(given.encode(), sessions.csrf_token(token).encode()):
        raise Refusal(403, "WRONG_CSRF_TOKEN", "La demande ne vient pas d'une page ouverte dans cette session.")


async def _session(centre: Centre, token: str, now: datetime) -> Session:
    if not token:
        raise Refusal(401, "NO_SESSION", "Aucune session n'est ouverte.")
    async with centre.store.facts() as connection:
        row = await sessions.find(connection, token)
        if row is None:
            raise Refusal(401, "NO_SESSION", "Aucune session n'est ouverte.")
        if sessions.in_force(row, now):
            session = await sessions.with_person(connection, row)
            if session is not None:
                return session
    raise Refusal(401, "SESSION_EXPIRED", sessions.how_ended(row, now))
