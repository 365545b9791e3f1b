"""Shapes that several routes share."""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from csu.store.facts import KnownCamera, KnownCommune
from legal.motifs import Motif

# One line of text as it is seen, without control characters and without those that hide, or turn, what stands beside
# them (Unicode's Cc, and the Cf and line ends that a browser heeds): what a person types into a field.
_UNSEEN = r"\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
Line = Annotated[str, Field(pattern=rf"^[^{_UNSEEN}]*$")]
Insee = Annotated[str, Field(pattern=r"^[0-9AB]{5}$")]
# The years that a centre deals with. RFC 3339 has others which PostgreSQL stores and Python can't read back: one of
# those in an entry would stop the journal for good.
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 1, 1))]
Instant = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2100, 1, 1, tzinfo=UTC))]


class Body(BaseModel):
    """A request's body: unknown fields are refused, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Reason(Body):
    """Why an act is done, in a few words for the journal: no names, no plates."""

    reason: Annotated[Line, Field(min_length=3, max_length=120)]


class MotifGiven(Body):
    """A coded reason; its reference is a number."""

    code: Annotated[Line, Field(max_length=40)]
    reference: Annotated[Line, Field(max_length=80)] | None = None

    @property
    def legal(self) -> Motif:
        return Motif(self.code, self.reference)


class WithMotif(Body):
    motif: MotifGiven | None = None


class CommuneRef(BaseModel):
    insee: str
    name: str

    @classmethod
    def of(cls, commune: KnownCommune) -> "CommuneRef":
        return cls(insee=commune.legal.insee, name=commune.legal.name)


class CameraRef(BaseModel):
    id: str
    number: str
    name: str
    commune: CommuneRef

    @classmethod
    def of(cls, camera: KnownCamera) -> "CameraRef":
        return cls(id=camera.id, number=camera.number, name=camera.name, commune=CommuneRef.of(camera.commune))


class RefusalBody(BaseModel):
    """Every answer of status 400 and above."""

    code: str
    reason: str


class MotifRef(BaseModel):
    code: str
    label: str


class Done(BaseModel):
    done: bool = True
