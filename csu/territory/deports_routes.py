"""Déports: pictures that an arrêté opens to services of the State (CSI L.252-3), entered, suspended, resumed, ended.

Each change bears a coded motif with its reference (CSI R.253-5) and is decided again at once on open pictures.
"""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu import proposals
from csu.accounts.guard import Guard, Visit
from csu.errors import not_found
from csu.schemas import CameraRef, CommuneRef, Day, Done, Insee, Line, WithMotif
from csu.store import facts, tables
from csu.territory import deports
from csu.territory.acting import demand, subject_of
from csu.territory.suspensions import SELF, alter, lifting, suspension
from legal import facts as law
from legal import motifs, persons
from legal.acts import Act
from legal.authorisations import start_of
from legal.facts import Right, Subject, Validity
from legal.motifs import Motif

router = APIRouter(prefix="/api/deports", tags=["territory"])
_TABLE = tables.deport
_INSTANT = timedelta(microseconds=1)
_MOST = 200


class NewDeport(WithMotif):
    """What the arrêté says: whom it names, by account, of which cameras (all of the commune without), in which way, and
    how long they keep what they get. From the first day to the first on which it no longer holds, in Paris."""

    commune: Insee
    reference: Annotated[Line, Field(max_length=60)]
    persons: Annotated[set[UUID], Field(max_length=_MOST)]
    cameras: Annotated[set[UUID] | None, Field(min_length=1, max_length=_MOST)] = None
    rights: set[Right]
    recipient_days: Annotated[int, Field(ge=0, le=10_000)]
    from_day: Annotated[Day, Field(alias="from")]
    to_day: Annotated[Day, Field(alias="to")]

    @model_validator(mode="after")
    def _in_order(self) -> "NewDeport":
        if not self.from_day < self.to_day:
            raise ValueError("`to` must be after `from`")
        return self

    @property
    def legal(self) -> law.Deport:
        validity = Validity(start_of(self.from_day), start_of(self.to_day))
        named = frozenset(map(str, self.persons))
        return law.Deport(self.reference.strip(), named, frozenset(self.rights), self.recipient_days, validity)


class NamedBody(BaseModel):
    account: str
    login: str
    name: str
    category: str


class DeportBody(BaseModel):
    """`cameras` null: each of the commune."""

    id: str
    commune: CommuneRef
    reference: str
    persons: list[NamedBody]
    cameras: list[CameraRef] | None
    rights: list[str]
    recipient_days: int
    from_at: datetime = Field(serialization_alias="from")
    to_at: datetime = Field(serialization_alias="to")
    suspended_at: datetime | None
    suspended_reason: str | None


class Deports(BaseModel):
    deports: list[DeportBody]


@router.get("")
async def list_deports(visit: Annotated[Visit, Depends(Guard(Act.DEPORT_LIST))]) -> Deports:
    """Those of the person's communes, the latest first, those that are over too."""
    account = tables.account
    async with visit.perform() as connection:
        rows = (await connection.execute(select(_TABLE).order_by(_TABLE.c.from_at.desc(), _TABLE.c.id))).mappings()
        found = rows.all()
        wanted = {person for row in found for person in row["persons"]}
        columns = account.c.id.label("account"), account.c.login, account.c.name, account.c.category
        named = (await connection.execute(select(*columns).where(account.c.id.in_(wanted)))).mappings().all()
    people = {row["account"]: NamedBody(**row) for row in named}
    async with visit.centre.store.facts() as connection:
        communes = await facts.communes(connection)
        cameras = await facts.cameras(connection, {one for row in found for one in row["cameras"] or ()})
    return Deports(
        deports=[
            DeportBody(
                **{
                    **row,
                    "commune": CommuneRef.of(communes[row["commune"]]),
                    "persons": sorted((people[one] for one in row["persons"]), key=lambda one: one.login),
                    "cameras": None
                    if row["cameras"] is None
                    else [CameraRef.of(one) for one in cameras.values() if one.id in row["cameras"]],
                }
            )
            for row in found
        ]
    )


@router.post("", status_code=201)
async def enter_deport(body: NewDeport, visit: Annotated[Visit, Depends(Guard(Act.DEPORT_ENTER))]) -> Done:
    """Enter what an arrêté opens: from its first day on, the agents whom it names see these pictures."""
    new = body.legal
    await visit.demand_words(new.reference)
    row = {
        "id": str(uuid4()),
        "commune": body.commune,
        "reference": new.reference,
        "persons": sorted(new.persons),
        "cameras": None if body.cameras is None else sorted(map(str, body.cameras)),
        "rights": sorted(new.rights),
        "recipient_days": new.recipient_days,
        "from_at": new.validity.from_at,
        "to_at": new.validity.to_at,
        "suspended_at": None,
    }
    told = {name: row[name] for name in ("persons", "cameras", "rights", "recipient_days")}
    detail = {"deport": row["id"], "about": new.reference, **told}
    await visit.demand(Subject(deport=new), detail=detail)
    async with visit.refusing(visit.entry(visit.act, commune=body.commune, detail=detail)):
        motif = proposals.demand_motif(motifs.DEPORT, body.motif)
    commune = (await subject_of(visit, body.commune)).commune
    async with visit.perform(Subject(commune, deport=new), motif=motif, detail=detail) as connection:
        demand(SELF if visit.session.actor.id in new.persons else None, 422)
        demand(persons.fault_of_dates(new.validity, persons.Signature(), visit.now))
        await _lock(connection, new.persons)
        demand(await deports.fault_of(connection, row))
        await connection.execute(insert(_TABLE).values(row))
    visit.centre.rights_changed()
    await visit.centre.events.publish("session")
    return Done()


# Suspended or ended, those whom it names lose the pictures at once.
@router.post("/{fact_id}/suspend")
async def suspend_deport(
    fact_id: UUID, body: WithMotif, visit: Annotated[Visit, Depends(Guard(Act.DEPORT_SUSPEND))]
) -> Done:
    """From now on it opens nothing."""
    motif = await _motif(visit, fact_id, body)
    reason = f"{motifs.KINDS[motif.code].label}, {motif.reference}"
    await alter(visit, _TABLE, fact_id, motif, *suspension(_TABLE, visit.now, reason))
    return Done()


@router.post("/{fact_id}/resume")
async def resume_deport(
    fact_id: UUID, body: WithMotif, visit: Annotated[Visit, Depends(Guard(Act.DEPORT_RESUME))]
) -> Done:
    motif = await _motif(visit, fact_id, body)
    await alter(visit, _TABLE, fact_id, motif, *lifting(_TABLE))
    return Done()


@router.post("/{fact_id}/end")
async def end_deport(fact_id: UUID, body: WithMotif, visit: Annotated[Visit, Depends(Guard(Act.DEPORT_END))]) -> Done:
    """It is over, for good; one that has not begun will hold for no more than an instant."""
    motif = await _motif(visit, fact_id, body)
    ends = func.greatest(visit.now, _TABLE.c.from_at + _INSTANT)
    await alter(visit, _TABLE, fact_id, motif, {"to_at": ends}, _TABLE.c.to_at > ends)
    return Done()


async def _motif(visit: Visit, fact_id: UUID, body: WithMotif) -> Motif:
    """The motif of a change, which this person may do at all. Raises Refusal, journalled."""
    detail = {_TABLE.name: str(fact_id)}
    await visit.demand(detail=detail)
    async with visit.refusing(visit.entry(visit.act, detail=detail)):
        return proposals.demand_motif(motifs.DEPORT, body.motif)


async def _lock(connection: AsyncConnection, accounts: frozenset[str]) -> None:
    """Two déports of one person follow one another. Raises Refusal 404 where one has no open account."""
    account = tables.account
    lock = select(account.c.id).where(account.c.id.in_(accounts), account.c.closed_at.is_(None))
    if set(await connection.scalars(lock.order_by(account.c.id).with_for_update())) != accounts:
        raise not_found()
