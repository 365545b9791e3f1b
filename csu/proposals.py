"""What one person proposes and another confirms: one table and one way for every act that takes two.

The rules are `legal.two_persons`. A route proposes inside its act's transaction; to confirm it asks `demand`, does what
must be done elsewhere first (a recorder that answers), and marks it in the act's transaction. Both persons are in the
journal: each as the author of an entry, and the first in the second's too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from pydantic import BaseModel
from sqlalchemy import ColumnElement, RowMapping, Select, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts.guard import Visit
from csu.errors import Refusal
from csu.schemas import MotifGiven
from csu.store import facts, tables
from legal import motifs
from legal.acts import Act, Allowed, Refused
from legal.facts import CENTRE
from legal.motifs import Motif
from legal.permissions import decide
from legal.two_persons import GIVEN_WITHIN, Decision, Given, Proposal, fault_of_hands, may_propose, second_person

_TABLE = tables.proposal
_CONFLICT = Refused("CONFLICT", "Une autre personne vient d'en décider : regardez de nouveau.", "CSI R.253-2")


@dataclass(frozen=True, slots=True)
class Known:
    """A proposal as it stands in its row, with the name of who made it."""

    id: str
    decision: Decision
    legal: Proposal
    proposer: str
    reason: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)
    commune: str | None = None

    @property
    def motif(self) -> Motif | None:
        """Why it was proposed; None where the decision has a reference of its own."""
        code = self.content.get("motif")
        return None if code is None else Motif(code, self.content["motif_reference"])

    @property
    def told(self) -> dict[str, str]:
        """What the confirming person's entry says of it."""
        return {"proposal": self.id, "proposed_by": self.legal.person}


class Waiting(BaseModel):
    """A proposal that another person may confirm; `mine`: the person who asks can't."""

    id: str
    reason: str
    proposed_at: datetime
    proposed_by: str
    mine: bool
    expires_at: datetime

    @classmethod
    def of(cls, known: Known, visit: Visit) -> "Waiting":
        return cls(
            id=known.id,
            reason=known.reason,
            proposed_at=known.legal.at,
            proposed_by=known.proposer,
            mine=known.legal.person == visit.session.actor.id,
            expires_at=known.legal.until,
        )


async def latest(connection: AsyncConnection, decision: Decision, subject: str) -> Known | None:
    """The latest proposal about a subject, whatever became of it."""
    return (await latest_of(connection, decision, [subject])).get(subject)


async def latest_of(connection: AsyncConnection, decision: Decision, subjects: list[str]) -> dict[str, Known]:
    """The same of several subjects, by subject."""
    statement = _named().where(_TABLE.c.decision == decision.value, _TABLE.c.subject.in_(subjects))
    rows = (await connection.execute(statement.order_by(_TABLE.c.proposed_at))).mappings()
    return {row["subject"]: _known(row) for row in rows}


async def find(connection: AsyncConnection, proposal: str, *decisions: Decision) -> Known | None:
    """One by its id, if it is of one of these decisions and of the transaction's communes."""
    statement = _named().where(_TABLE.c.id == proposal, _TABLE.c.decision.in_([d.value for d in decisions]))
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _known(row)


async def open_ones(connection: AsyncConnection, decision: Decision, now: datetime) -> list[Known]:
    """Those that wait for a second person, the newest first."""
    statement = _named().where(_TABLE.c.decision == decision.value, _unfinished()).order_by(_TABLE.c.proposed_at.desc())
    found = [_known(row) for row in (await connection.execute(statement)).mappings()]
    return [one for one in found if one.legal.is_open(now)]


async def demand_none(visit: Visit, decision: Decision, subject: str) -> None:
    """Raises Refusal, not journalled, when a proposal about this subject is open."""
    async with visit.centre.store.transaction(visit.communes) as connection:
        known = await latest(connection, decision, subject)
    refuse(may_propose(None if known is None else known.legal, visit.now))


def demand_motif(act: str, given: MotifGiven | None) -> Motif:
    """The coded reason that a decision, or a change of a déport, bears with its reference (CSI R.253-5).

    Raises Refusal 422, not journalled."""
    motif = None if given is None else given.legal
    fault = motifs.fault_of(motif, act)
    if fault is not None:
        raise Refusal(422, fault.code, fault.reason)
    assert motif is not None
    return motif


async def propose(
    connection: AsyncConnection,
    visit: Visit,
    decision: Decision,
    subject: str,
    *,
    motif: Motif | None,
    commune: str | None = None,
    content: Mapping[str, Any] | None = None,
) -> Known:
    """In the transaction of the proposing act; what expired without confirmation is closed. Raises Refusal when another
    came first: the whole act is then undone.

    `motif`: what `demand_motif` has let through; None for a decision whose `content` names the text that it rests on.
    """
    assert (motif is None) == (not motifs.for_act(decision))
    person, proposal = visit.session.actor.id, str(uuid4())
    about = _TABLE.c.decision == decision.value, _TABLE.c.subject == subject, _unfinished()
    known = await latest(connection, decision, subject)
    refuse(may_propose(None if known is None else known.legal, visit.now))
    await connection.execute(update(_TABLE).where(*about).values(closed_at=visit.now))
    told = {**(content or {}), **_stored(motif)}
    row = {
        "id": proposal,
        "decision": decision.value,
        "subject": subject,
        "commune": commune,
        "reason": "" if motif is None else f"{motifs.KINDS[motif.code].label}, {motif.reference}",
        "content": json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        "proposed_at": visit.now,
        "proposed_by": person,
    }
    try:
        await connection.execute(insert(_TABLE).values(row))
    except IntegrityError as error:  # somebody else's, in the same instant
        raise _refusal(_CONFLICT) from error
    visit.hints.add("proposals")
    found = await find(connection, proposal, decision)
    assert found is not None
    return found


def _stored(motif: Motif | None) -> dict[str, str | None]:
    return {} if motif is None else {"motif": motif.code, "motif_reference": motif.reference}


async def demand(known: Known | None, visit: Visit, *, subject: str | None) -> Known:
    """The proposal, if this person may confirm it now for this subject, and who proposed it still counts as another.

    Raises Refusal, not journalled.
    """
    refuse(second_person(None if known is None else known.legal, subject, visit.session.actor.id, visit.now))
    assert known is not None
    first, second = known.legal.person, visit.session.actor.id
    refuse(fault_of_hands(first, second, await _still_may(visit, first), await _given(visit), visit.now))
    return known


async def _still_may(visit: Visit, first: str) -> bool:
    """Whether who proposed could do now what this visit does."""
    closes_at = select(tables.account.c.closes_at).where(tables.account.c.id == first)
    async with visit.centre.store.facts() as connection:
        actor = (await facts.actors(connection, [first])).get(first)
        leaves_at = await connection.scalar(closes_at)
    if actor is None or (leaves_at is not None and leaves_at <= visit.now):
        return False
    return isinstance(decide(actor, visit.act, CENTRE, None, visit.now), Allowed)


async def _given(visit: Visit) -> list[Given]:
    """Who gave whom a password lately, as the journal tells; what was given at the machine was given by nobody here."""
    journal = tables.journal
    statement = select(journal.c.author, journal.c.detail, journal.c.at).where(
        journal.c.op.in_([Act.ACCOUNT_CREATE, Act.ACCOUNT_RESET]),
        journal.c.result == "done",
        journal.c.author.is_not(None),
        journal.c.at > visit.now - GIVEN_WITHIN,
    )
    async with visit.centre.store.transaction(None) as connection:
        rows = (await connection.execute(statement)).all()
    return [Given(row.author, json.loads(row.detail)["account"], row.at) for row in rows]


async def confirm(connection: AsyncConnection, visit: Visit, known: Known) -> None:
    """In the transaction of the confirming act. Raises Refusal when somebody else came first."""
    changing = update(_TABLE).where(_TABLE.c.id == known.id, _unfinished())
    done = await connection.execute(changing.values(confirmed_at=visit.now, confirmed_by=visit.session.actor.id))
    if done.rowcount == 0:
        raise _refusal(_CONFLICT)
    visit.hints.add("proposals")


async def withdraw(connection: AsyncConnection, visit: Visit, known: Known) -> None:
    """In the transaction of the act that refuses it, or takes it back. Raises Refusal when somebody else came first."""
    if not await close(connection, visit.now, _TABLE.c.id == known.id):
        raise _refusal(_CONFLICT)
    visit.hints.add("proposals")


async def close(connection: AsyncConnection, now: datetime, *of: ColumnElement[bool]) -> int:
    """Nobody can confirm these any more; how many they were."""
    done = await connection.execute(update(_TABLE).where(_unfinished(), *of).values(closed_at=now))
    return done.rowcount


def of(decision: Decision, subject: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _TABLE.c.decision == decision.value, _TABLE.c.subject == subject


def refuse(refused: Refused | None) -> None:
    """Raises Refusal 409 for a refusal of the rules."""
    if refused is not None:
        raise _refusal(refused)


def _refusal(refused: Refused) -> Refusal:
    return Refusal(409, refused.code, refused.reason)


def _unfinished() -> ColumnElement[bool]:
    return _TABLE.c.confirmed_at.is_(None) & _TABLE.c.closed_at.is_(None)


def _named() -> Select[Any]:
    account = tables.account
    columns = account.c.name.label("proposer"), account.c.closed_at.label("left_at")
    return select(_TABLE, *columns).join(account, account.c.id == _TABLE.c.proposed_by)


def _known(row: RowMapping) -> Known:
    """What a person proposed is closed with their account: it is nobody's word any more."""
    closed_at = row["closed_at"] if row["confirmed_at"] is not None else row["closed_at"] or row["left_at"]
    return Known(
        id=row["id"],
        decision=Decision(row["decision"]),
        legal=Proposal(row["proposed_by"], row["proposed_at"], row["subject"], row["confirmed_at"], closed_at),
        proposer=row["proposer"],
        reason=row["reason"],
        content=json.loads(row["content"]),
        commune=row["commune"],
    )
