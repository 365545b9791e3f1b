"""The document that `csu import` reads: communes, conventions, cameras, authorisations, accounts, habilitations.

Dates are civil days in Paris, from the first day (included) to `to`, the first day on which the fact no longer holds.
"""

import string
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from legal.facts import FINALITES, Basis, Category, Regime, Right, Role
from legal.retention import RetentionRefused, check_retention
from streams.rtsp.tls import read_fingerprint

PARIS = ZoneInfo("Europe/Paris")


class DocumentError(Exception):
    """The document can't be imported; the text says where and what was expected. Nothing has been written."""


def start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=PARIS).astimezone(UTC)


def _five_years_after(day: date) -> date:
    try:
        return day.replace(year=day.year + 5)
    except ValueError:  # 29 February
        return day.replace(year=day.year + 5, month=3, day=1)


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("rtsp", "rtsps") or not parts.hostname:
        raise ValueError("expected rtsp://host/... or rtsps://host/...")
    if parts.username or parts.password:
        raise ValueError("credentials belong in credentials_file, not in the address")
    return value


Insee = Annotated[str, Field(pattern=r"^[0-9AB]{5}$")]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Address = Annotated[str, AfterValidator(_address)]


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dated(_Item):
    from_day: date = Field(alias="from")
    to_day: date | None = Field(alias="to", default=None)

    @model_validator(mode="after")
    def _in_order(self) -> "Dated":
        if self.to_day is not None and self.to_day <= self.from_day:
            raise ValueError("`to` must be after `from`")
        return self


class Commune(_Item):
    insee: Insee
    name: Text
    departement: Annotated[str, Field(pattern=r"^[0-9AB]{2,3}$")]
    authority: Text


class Convention(Dated):
    commune: Insee
    kind: Literal["IV", "V"]
    reference: Text
    partner: Text


class Camera(_Item):
    number: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,20}$")]
    commune: Insee
    name: Text
    site: Text
    regime: Regime = Regime.VOIE_PUBLIQUE
    adapter: Literal["native", "pyav"] = "native"
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    main: Address
    sub: Address | None = None
    # Relative to the data directory; one line `user:password`, mode 0600.
    credentials_file: Path | None = None
    # SHA-256 of the certificate that the camera signed itself, for rtsps; without it an authority must vouch for it.
    certificate: Annotated[str, AfterValidator(read_fingerprint)] | None = None

    @model_validator(mode="after")
    def _certificate_is_checked(self) -> "Camera":
        clear = [url for url in (self.main, self.sub) if url is not None and not url.startswith("rtsps:")]
        if self.certificate is not None and (clear or self.adapter != "native"):
            raise ValueError("`certificate` is for rtsps:// addresses and the native adapter only")
        return self


class Authorisation(Dated):
    to_day: date = Field(alias="to")
    commune: Insee
    reference: Text
    cameras: Annotated[list[str], Field(min_length=1)]
    finalites: Annotated[list[str], Field(min_length=1)]
    visualised: bool = True
    recorded: bool = True
    retention_days: int
    minimum_days: int | None = None

    @field_validator("finalites")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        unknown = set(value) - set(FINALITES)
        if unknown:
            raise ValueError(f"unknown finalités {sorted(unknown)}; expected codes of CSI L.251-2")
        return sorted(set(value))

    @model_validator(mode="after")
    def _lawful(self) -> "Authorisation":
        if self.to_day > _five_years_after(self.from_day):
            raise ValueError("an authorisation holds five years at most (CSI L.252-4)")
        try:
            check_retention(self.retention_days, self.minimum_days)
        except RetentionRefused as error:
            raise ValueError(f"{error.code}: {error}") from error
        return self


class Agrement(Dated):
    reference: Text
    departements: Annotated[list[str], Field(min_length=1)]


class Account(_Item):
    login: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,63}$")]
    name: Text
    role: Role
    category: Category
    employer: Insee | None = None
    agrement: Agrement | None = None


class Habilitation(Dated):
    account: str
    commune: Insee
    basis: Basis = Basis.DESIGNATION
    rights: list[Right]
    reference: Text


class Document(_Item):
    commune: list[Commune] = []
    convention: list[Convention] = []
    camera: list[Camera] = []
    authorisation: list[Authorisation] = []
    account: list[Account] = []
    habilitation: list[Habilitation] = []


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
