"""Login, lock, unlock, change of agent, the shift's motif; the list of motifs."""

from datetime import datetime
from typing import Annotated, Any, NoReturn

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import RowMapping, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts import passwords, posts, sessions
from csu.accounts.guard import Guard, Visit, check_origin
from csu.accounts.sessions import Session
from csu.accounts.setback import heed
from csu.accounts.workstations import workstation_of
from csu.audit import entries
from csu.audit.entries import Author, Entry
from csu.audit.tally import Event
from csu.centre_state import Centre
from csu.errors import Refusal, invalid
from csu.schemas import Body, CommuneRef, Done, Line, MotifRef
from csu.store import facts, tables
from csu.web import check_query
from legal import motifs
from legal.acts import Act, Refused
from legal.scope import is_open_to

router = APIRouter(prefix="/api", tags=["session"])

Secret = Annotated[str, Field(min_length=1, max_length=passwords.LONGEST)]


class Login(Body):
    login: Annotated[Line, Field(min_length=1, max_length=64)]
    password: Annotated[Secret, Field(repr=False)]
    shift_motif: str | None = None


class Unlock(Body):
    password: Annotated[Secret, Field(repr=False)]


class Shift(Body):
    motif: str


class NewPassword(Body):
    password: Annotated[Secret, Field(repr=False)]
    new: Annotated[str, Field(min_length=passwords.SHORTEST, max_length=passwords.LONGEST, repr=False)]


class AccountRef(BaseModel):
    id: str
    login: str
    name: str
    role: str
    commune: CommuneRef | None


class SessionBody(BaseModel):
    account: AccountRef
    csrf: str
    shift_motif: MotifRef | None
    centre: str
    gateway_origin: str
    locked: bool
    now: datetime
    ends_at: datetime


class MotifBody(BaseModel):
    code: str
    label: str
    acts: list[str]
    reference_required: bool


@router.post("/session", dependencies=[Depends(check_query)])
async def log_in(login: Login, request: Request, response: Response) -> SessionBody:
    """Open a session; one that this browser had before is closed (change of agent)."""
    centre: Centre = request.app.state.centre
    check_origin(request, centre)
    await heed(centre, centre.now())
    motif = _shift_motif(login.shift_motif)
    workstation = workstation_of(request, centre)
    account, is_theirs = await _identify(centre, login.login, login.password, workstation, None)
    if account is None or not is_theirs:
        await _login_failed(centre, account, workstation)
    token = sessions.new_token()
    session = await _open(centre, account, token, motif, workstation, request)
    _set_cookie(response, centre, token)
    return await _body(centre, session, token)


@router.get("/session")
async def read_session(visit: Annotated[Visit, Depends(Guard(Act.SESSION_READ))]) -> SessionBody:
    await visit.permit()
    return await _body(visit.centre, visit.session, visit.token)


@router.delete("/session", status_code=204)
async def log_out(visit: Annotated[Visit, Depends(Guard(Act.SESSION_CLOSE))], response: Response) -> None:
    """Close the session; what it had opened at the gateway is cut."""
    async with visit.perform(whole_centre=True) as connection:
        await sessions.alter(connection, visit.session.id, ended_at=visit.now, ended_as=sessions.Ending.LEFT)
    visit.centre.rights_changed()
    response.delete_cookie(visit.centre.cookie_name, secure=visit.centre.is_secure, httponly=True, samesite="strict")


@router.post("/session/lock")
async def lock(visit: Annotated[Visit, Depends(Guard(Act.SESSION_LOCK))]) -> SessionBody:
    """Lock the post: pictures are cut, only unlocking and closing remain."""
    async with visit.perform(whole_centre=True) as connection:
        await sessions.alter(connection, visit.session.id, locked_at=visit.now)
    visit.centre.rights_changed()
    return await _fresh_body(visit)


@router.post("/session/unlock")
async def unlock(body: Unlock, visit: Annotated[Visit, Depends(Guard(Act.SESSION_UNLOCK))]) -> SessionBody:
    """Unlock the post with the password of the person who locked it."""
    await _prove(visit, body.password)
    async with visit.perform(whole_centre=True) as connection:
        await sessions.alter(connection, visit.session.id, locked_at=None)
    return await _fresh_body(visit)


@router.put("/session/password")
async def change_password(body: NewPassword, visit: Annotated[Visit, Depends(Guard(Act.PASSWORD_CHANGE))]) -> Done:
    """Change one's own password; one's sessions at other posts end."""
    if body.new == body.password:
        raise invalid("Le nouveau mot de passe doit être différent de l'ancien.")
    await _prove(visit, body.password)
    account = visit.session.actor.id
    hashed = await visit.centre.passwords.hash(body.new)
    async with visit.perform(whole_centre=True) as connection:
        await connection.execute(
            update(tables.account).where(tables.account.c.id == account).values(password_hash=hashed)
        )
        ending = sessions.Ending.CHANGED
        await sessions.end_all(connection, account, visit.now, ending, but=visit.session.id)
    visit.centre.rights_changed()
    return Done()


async def _prove(visit: Visit, password: str) -> None:
    """That the person at the post knows the password; raises Refusal, journalled and counted, otherwise."""
    session = visit.session
    _, is_theirs = await _identify(visit.centre, session.login, password, session.workstation, session.login)
    if not is_theirs:
        wrong = Refusal(401, _LOGIN_REFUSED.code, "Mot de passe incorrect.")
        await visit.refuse(visit.entry(visit.act), wrong)


async def _identify(
    centre: Centre, login: str, password: str, workstation: str, known: str | None
) -> tuple[RowMapping | None, bool]:
    """The open account of a login, and whether the password is its own; counted. `known`: the login where it is sure to
    be one. Raises Refusal 429."""
    if not await centre.attempts.begin(login, workstation):
        centre.security.note(centre.now(), Event("TOO_MANY_ATTEMPTS", known, workstation))
        raise Refusal(429, "TOO_MANY_ATTEMPTS", "Trop d'essais : attendez cinq minutes.")
    async with centre.store.transaction(None) as connection:
        account = await _account(connection, login, centre.now())
    is_theirs = await centre.passwords.matches(password, None if account is None else account["password_hash"])
    if is_theirs:
        await centre.attempts.succeeded(login, workstation)
    else:
        event = Event(_LOGIN_REFUSED.code, None if account is None else login, workstation)
        centre.security.note(centre.now(), event)
    return account, is_theirs


@router.put("/session/shift")
async def set_shift(body: Shift, visit: Annotated[Visit, Depends(Guard(Act.SESSION_SHIFT))]) -> SessionBody:
    """Change the shift's motif, for the live pictures opened from now on."""
    motif = _shift_motif(body.motif)
    async with visit.perform(whole_centre=True, detail={"motif": motif}) as connection:
        await sessions.alter(connection, visit.session.id, shift_motif=motif)
    return await _fresh_body(visit)


@router.get("/motifs", dependencies=[Depends(check_query)])
async def list_motifs(request: Request, public: str | None = None) -> list[MotifBody]:
    """The motifs that the person may give; with `public`, those of a shift, for the login form."""
    if public is not None:
        kinds = motifs.for_act(motifs.LIVE)
    else:
        visit = await Guard(Act.MOTIF_LIST)(request)
        await visit.permit()
        kinds = tuple(kind for kind in motifs.KINDS.values() if is_open_to(visit.session.actor, kind))
    return [
        MotifBody(code=k.code, label=k.label, acts=sorted(k.acts), reference_required=k.reference_required)
        for k in kinds
    ]


_LOGIN_REFUSED = Refused("LOGIN_REFUSED", "Identifiant ou mot de passe incorrect.", "CSI R.253-2")


async def _login_failed(centre: Centre, account: RowMapping | None, workstation: str) -> NoReturn:
    """Journalled without what was typed as a login: it may be a password."""
    known = None if account is None else account["id"]
    name = "inconnu" if account is None else account["name"]
    author = Author(known, name, "non identifié", workstation)
    async with centre.store.transaction(None) as connection:
        await entries.append(connection, [Entry("session:open", centre.now(), author).refused(_LOGIN_REFUSED)])
    centre.journal_grew()
    raise Refusal(401, _LOGIN_REFUSED.code, _LOGIN_REFUSED.reason)


async def _open(
    centre: Centre, known: RowMapping, token: str, motif: str | None, workstation: str, request: Request
) -> Session:
    """A session for the account as it was when its password was proved. Raises Refusal, journalled, when the password
    was replaced, or the account closed, meanwhile."""
    now, account = centre.now(), known["id"]
    former = request.cookies.get(centre.cookie_name)
    async with centre.store.transaction(None) as connection:
        # Locked: a password that is replaced ends the sessions of before, and this one is among them or is not opened.
        held = await _account(connection, known["login"], now, lock=True)
        if held is None or held["password_hash"] != known["password_hash"]:
            await _login_failed(centre, known, workstation)
        written = [] if former is None else await _end_former(connection, former, now)
        await sessions.open_session(connection, account, token, motif, workstation, now)
        opened = await sessions.find(connection, token)
        assert opened is not None
        session = await sessions.with_person(connection, opened)
        assert session is not None  # the account is open, and locked
        written.append(Entry("session:open", now, session.author, detail={"motif": motif}))
        elsewhere = await sessions.elsewhere(connection, account, workstation, now)
        if elsewhere:
            written.append(Entry("session:second", now, session.author, "noted", detail={"workstations": elsewhere}))
            await posts.alarm(connection, session, [*elsewhere, workstation], now)
        await entries.append(connection, written)
    centre.journal_grew()
    centre.renewer_wake.set()
    if elsewhere:
        await posts.tell(centre, session, now)
    return session


async def _end_former(connection: AsyncConnection, token: str, now: datetime) -> list[Entry]:
    """End the session that this browser had; what the journal tells of it."""
    row = await sessions.find(connection, token)
    session = None if row is None or not sessions.in_force(row, now) else await sessions.with_person(connection, row)
    if session is None:
        return []
    await sessions.alter(connection, session.id, ended_at=now, ended_as=sessions.Ending.RETAKEN)
    return [Entry(Act.SESSION_CLOSE, now, session.author, "noted", detail={"cause": sessions.Ending.RETAKEN})]


async def _account(connection: AsyncConnection, login: str, now: datetime, *, lock: bool = False) -> RowMapping | None:
    """The account of a login, while it is open; with `lock` it stays as it is until the transaction ends."""
    account = tables.account
    statement = select(account.c.id, account.c.login, account.c.name, account.c.password_hash)
    not_left = or_(account.c.closes_at.is_(None), account.c.closes_at > now)
    statement = statement.where(account.c.login == login, account.c.closed_at.is_(None), not_left)
    if lock:
        statement = statement.with_for_update(read=True)
    return (await connection.execute(statement)).mappings().one_or_none()


async def _fresh_body(visit: Visit) -> SessionBody:
    async with visit.centre.store.facts() as connection:
        row = await sessions.find(connection, visit.token)
        session = None if row is None else await sessions.with_person(connection, row)
    return await _body(visit.centre, session or visit.session, visit.token)


async def _body(centre: Centre, session: Session, token: str) -> SessionBody:
    employer = session.actor.employer
    commune = None
    if employer is not None:
        async with centre.store.facts() as connection:
            commune = (await facts.communes(connection)).get(employer)
    motif = motifs.KINDS.get(session.shift_motif or "")
    return SessionBody(
        account=AccountRef(
            id=session.actor.id,
            login=session.login,
            name=session.name,
            role=session.actor.role,
            commune=None if commune is None else CommuneRef.of(commune),
        ),
        csrf=sessions.csrf_token(token),
        shift_motif=None if motif is None else MotifRef(code=motif.code, label=motif.label),
        centre=centre.settings.name,
        gateway_origin=centre.settings.gateway.origin,
        locked=session.locked_at is not None,
        now=centre.now(),
        ends_at=session.expires_at,
    )


def _shift_motif(code: str | None) -> str | None:
    if code is not None and code not in {kind.code for kind in motifs.for_act(motifs.LIVE)}:
        raise invalid("Ce motif n'est pas un motif de prise de poste.")
    return code


def _set_cookie(response: Response, centre: Centre, token: str) -> None:
    options: dict[str, Any] = {"secure": centre.is_secure, "httponly": True, "samesite": "strict", "path": "/"}
    response.set_cookie(centre.cookie_name, token, **options)
