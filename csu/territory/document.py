"""The document that `csu import` reads: communes, conventions, sites, cameras, authorisations, accounts, habilitations,
déports.

Dates are civil days in Paris, from the first day (included) to `to`, the first day on which the fact no longer holds.
"""

import string
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from csu.cameras.source import NUMBER, Source
from csu.schemas import Day, Insee
from csu.territory import reference
from csu.territory.lines import Details, Place, Terms, line_of
from legal.authorisations import REPLACING, Kind, Line, fault_of_term
from legal.facts import FINALITES, Basis, Category, Regime, Right, Role
from legal.motifs import fault_of_prose
from legal.retention import RetentionRefused, check_retention


class DocumentError(Exception):
    """The document can't be imported; the text says where and what was expected. Nothing has been written."""


Text = Annotated[str, Field(min_length=1, max_length=200)]


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dated(_Item):
    from_day: Day = Field(alias="from")
    to_day: Day | None = Field(alias="to", default=None)

    @model_validator(mode="after")
    def _in_order(self) -> "Dated":
        if self.to_day is not None and self.to_day <= self.from_day:
            raise ValueError("`to` must be after `from`")
        return self


class Deliberation(_Item):
    reference: Text
    on: Day


class Engagement(_Item):
    """The engagement de conformité that the responsable de traitement sent to the CNIL (CSI R.253-7)."""

    sent_on: Day
    receipt: Text


class Commune(_Item):
    """What is left out here stays as it was entered elsewhere."""

    insee: Insee
    name: Text
    departement: Annotated[str, Field(pattern=r"^[0-9AB]{2,3}$")]
    authority: Text
    controller: Text | None = None
    dpo: Text | None = None
    deliberation: Deliberation | None = None
    cnil: Engagement | None = None

    @model_validator(mode="after")
    def _exists(self) -> "Commune":
        known = reference.communes().get(self.insee)
        if known is None:
            raise ValueError(f"INSEE_UNKNOWN: {self.insee} is no commune of csu/territory/reference/communes.tsv")
        if known.departement != self.departement:
            raise ValueError(f"{self.insee} lies in département {known.departement}, not {self.departement}")
        return self


class Convention(Dated):
    commune: Insee
    # CSI L.132-14: with the member, with the State; L.512-4: of coordination.
    kind: Literal["IV", "V", "COORDINATION"]
    reference: Text
    partner: Text


class Site(Place, _Item):
    """A place where cameras are; those of cameras that no site describes are known by their name alone."""

    commune: Insee
    name: Text
    address: Text | None = None


class Camera(Source, _Item):
    """`priority`: 0 is the highest, given up last where the machine can't do all or space runs short."""

    number: Annotated[str, Field(pattern=NUMBER)]
    commune: Insee
    name: Text
    site: Text
    regime: Regime = Regime.VOIE_PUBLIQUE
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    # Relative to the data directory; one line `user:password`, mode 0600.
    credentials_file: Path | None = None


class CameraDetails(Details):
    """What the arrêté's plans say of one camera of it, by its number."""

    camera: str


class Authorisation(Dated, Terms):
    """An arrêté that is in service or will be at its date. One that has been imported changes by another that
    `replaces` it only (CSI R.254-2)."""

    to_day: Day = Field(alias="to")
    commune: Insee
    reference: Text
    kind: Kind = Kind.INITIALE
    replaces: Text | None = None
    # This arrêté says itself that it lifts the suspension of the one it replaces (CSI R.254-2).
    lifts_suspension: bool = False
    cameras: Annotated[list[str], Field(min_length=1)]
    details: list[CameraDetails] = []

    @field_validator("finalites")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        unknown = set(value) - set(FINALITES)
        if unknown:
            raise ValueError(f"unknown finalités {sorted(unknown)}; expected codes of CSI L.251-2")
        return sorted(set(value))

    @model_validator(mode="after")
    def _lawful(self) -> "Authorisation":
        fault = fault_of_term(self.kind, self.from_day, self.to_day)
        if fault is not None:
            raise ValueError(f"{fault.code}: {fault.reason} ({fault.source})")
        if (self.kind in REPLACING) != (self.replaces is not None):
            raise ValueError("`replaces` goes with the kinds MODIFICATION and RENOUVELLEMENT, and they with it")
        if self.lifts_suspension and self.replaces is None:
            raise ValueError("`lifts_suspension` goes with `replaces`")
        strange = {one.camera for one in self.details} - set(self.cameras)
        if strange:
            raise ValueError(f"details of cameras that are not in it: {sorted(strange)}")
        try:
            check_retention(self.retention_days, self.minimum_days)
        except RetentionRefused as error:
            raise ValueError(f"{error.code}: {error}") from error
        return self

    def line(self, number: str) -> Line:
        """What it says of one camera."""
        details = next((one for one in self.details if one.camera == number), Details())
        return line_of(self.model_dump(), details.model_dump())


class Agrement(Dated):
    """`inquiry`: the day of the last administrative inquiry; the agrément's first day where none is told."""

    reference: Text
    prefet: Text | None = None
    departements: Annotated[list[str], Field(min_length=1)]
    inquiry: Day | None = None


class Account(_Item):
    login: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,63}$")]
    name: Text
    role: Role
    category: Category
    employer: Insee | None = None
    agrement: Agrement | None = None


class Habilitation(Dated):
    """`signed_by` and `signed_on`: the mayor's act, or that of the chief of a service of the State, who must be named
    (CSI R.253-3 II 1°). An act of before whose signatory or date nobody can tell any more is entered with `unsigned`,
    the reason in a few words for the journal. Without `regimes` it is for each that admits the person's category."""

    account: str
    commune: Insee
    basis: Basis = Basis.DESIGNATION
    rights: list[Right]
    regimes: Annotated[list[Regime], Field(min_length=1)] | None = None
    reference: Text
    signed_by: Text | None = None
    signed_on: Day | None = None
    unsigned: Annotated[str | None, Field(min_length=3, max_length=120)] = None

    @field_validator("unsigned")
    @classmethod
    def _is_no_plate(cls, value: str | None) -> str | None:
        fault = None if value is None else fault_of_prose(value)
        if fault is not None:
            raise ValueError(fault.reason)
        return value


class Deport(Dated):
    """What an arrêté opens to agents of services of the State, by their logins (CSI L.252-3); without `cameras` each of
    the commune."""

    to_day: Day = Field(alias="to")
    commune: Insee
    reference: Text
    persons: Annotated[list[str], Field(min_length=1)]
    cameras: Annotated[list[str], Field(min_length=1)] | None = None
    rights: list[Right]
    recipient_days: int


class Document(_Item):
    # Whether an agrément whose inquiry is over five years old opens nothing; as it was, where it isn't told.
    inquiry_blocks: bool | None = None
    commune: list[Commune] = []
    convention: list[Convention] = []
    site: list[Site] = []
    camera: list[Camera] = []
    authorisation: list[Authorisation] = []
    account: list[Account] = []
    habilitation: list[Habilitation] = []
    deport: list[Deport] = []


def read(file: Path, values: Mapping[str, str]) -> Document:
    """Parse a document, `${name}` in it replaced by the values given. Raises DocumentError."""
    try:
        text = string.Template(file.read_text(encoding="utf-8")).substitute(values)
        return Document.model_validate(tomllib.loads(text))
    except OSError as error:
        raise DocumentError(f"{file}: {error.strerror}") from error
    except KeyError as error:
        raise DocumentError(f"{file}: ${{{error.args[0]}}} has no value; give --set {error.args[0]}=...") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        raise DocumentError(f"{file}: {faults}") from error
    except ValueError as error:  # not TOML, or a `$` that names nothing
        raise DocumentError(f"{file}: {error}") from error
