"""The territory: communes with their conventions, cameras with their authorisations; suspensions of each."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import select

from csu.accounts.guard import Guard, Visit
from csu.store import tables
from csu.territory import reference
from csu.territory.suspensions import add_suspensions
from legal.acts import Act

router = APIRouter(prefix="/api", tags=["territory"])


class Dated(BaseModel):
    id: str
    reference: str
    from_at: datetime = Field(serialization_alias="from")
    to_at: datetime | None = Field(serialization_alias="to")
    suspended_at: datetime | None
    suspended_reason: str | None


class ConventionBody(Dated):
    """`suspended_as`: the role of who suspended it; null also for what was suspended before this was kept."""

    kind: str
    partner: str
    suspended_as: str | None


class LineBody(Dated):
    finalites: list[str]
    visualised: bool
    recorded: bool
    retention_days: int
    minimum_days: int | None


class TerritoryCamera(BaseModel):
    id: str
    number: str
    name: str
    site: str
    regime: str
    authorisations: list[LineBody]


class SiteBody(BaseModel):
    name: str
    address: str | None
    latitude: float | None
    longitude: float | None


class TerritoryCommune(BaseModel):
    """`population` and `epci` are the official list's; null for a commune that is not on it (entered before it was
    there)."""

    insee: str
    name: str
    departement: str
    population: int | None
    epci: str | None
    epci_name: str | None
    authority: str
    controller: str | None
    dpo: str | None
    deliberation: str | None
    deliberation_on: date | None
    cnil_sent_on: date | None
    cnil_receipt: str | None
    conventions: list[ConventionBody]
    sites: list[SiteBody]
    cameras: list[TerritoryCamera]


class Territory(BaseModel):
    communes: list[TerritoryCommune]


@router.get("/territory")
async def read_territory(visit: Annotated[Visit, Depends(Guard(Act.TERRITORY_READ))]) -> Territory:
    """The communes that the person knows of; no address, no secret."""
    conventions: dict[str, list[ConventionBody]] = {}
    lines: dict[str, list[LineBody]] = {}
    sites: dict[str, list[SiteBody]] = {}
    cameras: dict[str, list[TerritoryCamera]] = {}
    line, authorisation, camera = tables.authorisation_line, tables.authorisation, tables.camera
    async with visit.perform() as connection:
        for row in (await connection.execute(select(tables.convention))).mappings():
            conventions.setdefault(row["commune"], []).append(ConventionBody.model_validate(dict(row)))
        for row in (await connection.execute(select(tables.site).order_by(tables.site.c.name))).mappings():
            sites.setdefault(row["commune"], []).append(SiteBody.model_validate(dict(row)))
        joined = select(authorisation, line).join_from(line, authorisation, line.c.authorisation == authorisation.c.id)
        joined = joined.where(authorisation.c.from_at.is_not(None))
        for row in (await connection.execute(joined)).mappings():
            lines.setdefault(row["camera"], []).append(LineBody.model_validate(dict(row)))
        for row in (await connection.execute(select(camera).order_by(camera.c.number))).mappings():
            body = TerritoryCamera(**_shown(dict(row)), authorisations=lines.get(row["id"], []))
            cameras.setdefault(row["commune"], []).append(body)
        rows = (await connection.execute(select(tables.commune).order_by(tables.commune.c.insee))).mappings().all()
    known, listed = visit.communes, reference.communes()
    return Territory(
        communes=[
            TerritoryCommune(
                **row,
                **_listed(listed.get(row["insee"])),
                sites=sites.get(row["insee"], []),
                conventions=conventions.get(row["insee"], []),
                cameras=cameras.get(row["insee"], []),
            )
            for row in rows
            if known is None or row["insee"] in known
        ]
    )


def _listed(known: reference.Known | None) -> dict[str, Any]:
    return {name: None if known is None else getattr(known, name) for name in ("population", "epci", "epci_name")}


def _shown(row: dict[str, str]) -> dict[str, str]:
    return {name: row[name] for name in ("id", "number", "name", "site", "regime")}


# Suspended, lent staff lose the commune's pictures at once (CSI L.132-14 IV).
add_suspensions(router, "conventions", tables.convention)
