"""A commune joins: what it answers for, its conventions, its sites. The INSEE code must be on the official list."""

from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import insert, update
from sqlalchemy.dialects.postgresql import insert as upsert

from csu.accounts.guard import Guard, Visit
from csu.errors import Refusal
from csu.schemas import Body, Day, Done, Insee, Line
from csu.store import tables
from csu.territory import reference
from csu.territory.acting import demand, subject_of
from csu.territory.lines import Place
from legal.acts import Act, Refused
from legal.authorisations import day_of, start_of

router = APIRouter(prefix="/api", tags=["territory"])
_Text = Annotated[Line, Field(min_length=2, max_length=200)]
_MOST_FOUND = 20


class Onboarding(Body):
    """What a commune answers for, under whose authority its pictures are seen, and what it declared. Null: not yet
    known; an authorisation does not come into service without deliberation and engagement (CSI L.132-14, R.253-7).
    `dpo`: a function and how to reach it."""

    authority: _Text
    controller: _Text | None = None
    dpo: _Text | None = None
    deliberation: _Text | None = None
    deliberation_on: Day | None = None
    cnil_sent_on: Day | None = None
    cnil_receipt: _Text | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Onboarding":
        pairs = ((self.deliberation, self.deliberation_on), (self.cnil_sent_on, self.cnil_receipt))
        if any((first is None) != (second is None) for first, second in pairs):
            raise ValueError("a deliberation has its reference and its day, an engagement its day and its receipt")
        return self


class NewCommune(Onboarding):
    insee: Insee


class NewConvention(Body):
    """From the first day to the first on which it no longer holds; null has no term."""

    commune: Insee
    kind: Literal["IV", "V", "COORDINATION"]
    reference: Annotated[Line, Field(min_length=3, max_length=60)]
    partner: _Text
    from_day: Annotated[Day, Field(alias="from")]
    to_day: Annotated[Day | None, Field(alias="to")] = None

    @model_validator(mode="after")
    def _in_order(self) -> "NewConvention":
        if self.to_day is not None and self.to_day <= self.from_day:
            raise ValueError("`to` must be after `from`")
        return self


class Site(Place, Body):
    name: _Text
    address: _Text | None = None


class ListedCommune(BaseModel):
    insee: str
    name: str
    departement: str
    population: int
    epci: str | None
    epci_name: str | None


class ListedCommunes(BaseModel):
    communes: list[ListedCommune]


@router.get("/reference/communes")
async def find_communes(
    visit: Annotated[Visit, Depends(Guard(Act.TERRITORY_READ))],
    query: Annotated[str, Query(min_length=2, max_length=80)],
) -> ListedCommunes:
    """Communes of the official list whose code or name begins so, at most twenty."""
    await visit.permit()
    wanted = query.casefold()
    found = (
        known
        for known in reference.communes().values()
        if known.insee.startswith(query) or known.name.casefold().startswith(wanted)
    )
    shown = [ListedCommune(**{name: getattr(one, name) for name in reference.COLUMNS}) for one in found]
    return ListedCommunes(communes=shown[:_MOST_FOUND])


@router.post("/communes", status_code=201)
async def join_commune(body: NewCommune, visit: Annotated[Visit, Depends(Guard(Act.COMMUNE_JOIN))]) -> Done:
    known = reference.communes().get(body.insee)
    if known is None:
        await visit.demand(detail={"about": body.insee})
        unknown = Refusal(422, "INSEE_UNKNOWN", reference.unknown(body.insee))
        await visit.refuse(visit.entry(visit.act, detail={"about": body.insee}), unknown)
    async with visit.perform(detail={"about": body.insee}) as connection:
        _check_days(visit, body)
        row = body.model_dump() | {"name": known.name, "departement": known.departement}
        await connection.execute(insert(tables.commune).values(row))
    return Done()


@router.put("/communes/{insee}")
async def change_commune(
    insee: Insee, body: Onboarding, visit: Annotated[Visit, Depends(Guard(Act.COMMUNE_CHANGE))]
) -> Done:
    """What is left out becomes unknown."""
    await visit.demand(detail={"about": insee})
    subject = await subject_of(visit, insee)
    values: dict[str, Any] = body.model_dump()
    detail = {"about": insee, "changes": sorted(body.model_fields_set)}
    async with visit.perform(subject, detail=detail) as connection:
        _check_days(visit, body)
        await connection.execute(update(tables.commune).where(tables.commune.c.insee == insee).values(values))
    return Done()


@router.put("/communes/{insee}/sites")
async def enter_site(insee: Insee, body: Site, visit: Annotated[Visit, Depends(Guard(Act.SITE_ENTER))]) -> Done:
    """A place where cameras are or will be, by its name."""
    await visit.demand(detail={"about": insee})
    subject = await subject_of(visit, insee)
    row = body.model_dump() | {"commune": insee}
    place = {name: row[name] for name in ("address", "latitude", "longitude")}
    statement = upsert(tables.site).values(row)
    statement = statement.on_conflict_do_update(index_elements=["commune", "name"], set_=place)
    async with visit.perform(subject, detail={"about": body.name}) as connection:
        await connection.execute(statement)
    return Done()


@router.post("/conventions", status_code=201)
async def enter_convention(body: NewConvention, visit: Annotated[Visit, Depends(Guard(Act.CONVENTION_ENTER))]) -> Done:
    """With the member (IV) or the State (V), CSI L.132-14; of coordination, CSI L.512-4."""
    await visit.demand(detail={"about": body.reference})
    subject = await subject_of(visit, body.commune)
    row = body.model_dump(include={"commune", "kind", "reference", "partner"}) | {
        "id": str(uuid4()),
        "from_at": start_of(body.from_day),
        "to_at": None if body.to_day is None else start_of(body.to_day),
    }
    detail = {"convention": row["id"], "about": body.reference, "kind": body.kind}
    async with visit.perform(subject, detail=detail) as connection:
        await connection.execute(insert(tables.convention).values(row))
    visit.centre.rights_changed()
    await visit.centre.events.publish("session")
    return Done()


def _check_days(visit: Visit, body: Onboarding) -> None:
    """Raises Refusal for what would have been decided or declared in the future."""
    today = day_of(visit.now)
    if any(day is not None and day > today for day in (body.deliberation_on, body.cnil_sent_on)):
        demand(Refused("DATES_INVALID", "Cette date est dans l'avenir.", "CSI R.253-7"), 422)
