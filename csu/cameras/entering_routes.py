"""A camera comes into the centre, or is reached in another way. No picture of it before an arrêté is in service.

How a camera is reached is told whole each time, password included: a password that was kept for one address is never
sent to another. No answer and no entry has an address or a password.
"""

from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, ValidationError, model_validator
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts.guard import Guard, Visit
from csu.cameras.inventory import camera_of
from csu.cameras.secrets import SecretBox
from csu.cameras.source import NUMBER, Source
from csu.errors import Refusal, invalid
from csu.schemas import Body, Done, Insee, Line
from csu.store import tables
from csu.territory.acting import subject_of
from legal.acts import Act
from legal.facts import Regime

router = APIRouter(prefix="/api/cameras", tags=["cameras"])
_Text = Annotated[Line, Field(min_length=2, max_length=200)]
_Url = Annotated[Line, Field(max_length=500)]
_ADDRESS = "une adresse RTSP, qui commence par rtsp ou rtsps, sans utilisateur ni mot de passe"
_EXPECTED = {
    "main": f"Flux principal : {_ADDRESS}.",
    "sub": f"Flux réduit : {_ADDRESS}.",
    "certificate": "Empreinte du certificat : 64 chiffres hexadécimaux (SHA-256).",
    "": "L'empreinte d'un certificat ne vaut que pour des adresses rtsps:// et le lecteur « native ».",
}


class GivenSource(Body):
    """`username` and `password` go together; `certificate` as `csu camera probe` prints it."""

    adapter: Literal["native", "pyav"] = "native"
    main: _Url
    sub: _Url | None = None
    certificate: Annotated[Line | None, Field(max_length=100)] = None
    username: Annotated[str | None, Field(pattern=r"^[^\x00-\x1f\x7f:]+$", max_length=100)] = None
    password: Annotated[Line | None, Field(min_length=1, max_length=200, repr=False)] = None

    @model_validator(mode="after")
    def _whole(self) -> "GivenSource":
        if (self.username is None) != (self.password is None):
            raise ValueError("`username` and `password` go together")
        return self

    def columns(self, camera: str, box: SecretBox) -> dict[str, Any]:
        """The columns that say how it is reached, the password sealed. Raises Refusal 422."""
        try:
            source = Source.model_validate(self.model_dump(include=set(Source.model_fields)))
        except ValidationError as error:
            place = error.errors()[0]["loc"]
            raise invalid(_EXPECTED[str(place[0]) if place else ""]) from None
        return {
            "adapter": source.adapter,
            "main_url": source.main,
            "sub_url": source.sub,
            "certificate": source.certificate,
            "username": self.username,
            "secret": None if self.password is None else box.seal(camera, self.password),
        }


class NewCamera(GivenSource):
    """`priority`: 0 is the highest, given up last where the machine can't do all or space runs short."""

    number: Annotated[str, Field(pattern=NUMBER)]
    commune: Insee
    name: _Text
    site: _Text
    regime: Regime = Regime.VOIE_PUBLIQUE
    priority: Annotated[int, Field(ge=0, le=1000)] = 0


class EnteredCamera(BaseModel):
    id: str


@router.post("", status_code=201)
async def enter_camera(body: NewCamera, visit: Annotated[Visit, Depends(Guard(Act.CAMERA_ENTER))]) -> EnteredCamera:
    """At a site of its commune that is entered already."""
    await visit.demand(detail={"about": body.number})
    subject = await subject_of(visit, body.commune)
    identity = str(uuid4())
    told = body.model_dump(include={"number", "commune", "name", "site", "regime", "priority"})
    async with visit.perform(subject, detail={"camera": identity, "about": f"{body.number} {body.name}"}) as connection:
        await _check_place(connection, body)
        row = told | body.columns(identity, _box(visit)) | {"id": identity}
        await connection.execute(insert(tables.camera).values(row))
    await _changed(visit)
    return EnteredCamera(id=identity)


@router.put("/{camera_id}/source")
async def connect_camera(
    camera_id: UUID, body: GivenSource, visit: Annotated[Visit, Depends(Guard(Act.CAMERA_CONNECT))]
) -> Done:
    """The same camera at another address, with another password or certificate."""
    await visit.demand(detail={"camera": str(camera_id)})
    camera = await camera_of(visit, str(camera_id))
    async with visit.perform(camera.subject, camera=camera) as connection:
        values = body.columns(camera.id, _box(visit))
        await connection.execute(update(tables.camera).where(tables.camera.c.id == camera.id).values(values))
    await _changed(visit)
    return Done()


async def _check_place(connection: AsyncConnection, body: NewCamera) -> None:
    """Raises Refusal for a number that another camera has, and for a site that the commune has not."""
    camera, site = tables.camera, tables.site
    if await connection.scalar(select(camera.c.id).where(camera.c.number == body.number)) is not None:
        raise Refusal(409, "CONFLICT", f"Une caméra porte déjà le numéro {body.number}.")
    known = select(site.c.name).where(site.c.commune == body.commune, site.c.name == body.site)
    if await connection.scalar(known) is None:
        raise invalid("Ce lieu n'est pas enregistré pour cette commune : enregistrez-le d'abord.")


def _box(visit: Visit) -> SecretBox:
    return SecretBox(visit.centre.settings.paths.keys)


async def _changed(visit: Visit) -> None:
    """Orders follow; consoles read their cameras again."""
    visit.centre.rights_changed()
    await visit.centre.events.publish("cameras")
