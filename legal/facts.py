"""The legal facts that a decision is taken on: dated data, handed in by value.

Nothing here asks the time or a database. A fact is in force from its beginning (included) to its end
(excluded), the earlier of its term and its suspension.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

FOREVER = datetime.max.replace(tzinfo=UTC)


class Role(StrEnum):
    """What a person does in the centre. A role opens screens; pictures need legal facts besides."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    DELEGATE = "delegate"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Category(StrEnum):
    """What a person is in law (CSI R.253-3, L.132-14-1, L.252-2)."""

    PM = "PM"
    GC = "GC"
    ASVP = "ASVP"
    CIVIL_AGREE = "CIVIL_AGREE"
    ELU = "ELU"
    PN = "PN"
    GN = "GN"
    DOUANE = "DOUANE"
    SDIS = "SDIS"
    PRIVE_CNAPS = "PRIVE_CNAPS"
    MAINT = "MAINT"
    SANS_IMAGES = "SANS_IMAGES"


class Regime(StrEnum):
    """Under which regime a place is filmed (CSI L.251-2)."""

    VOIE_PUBLIQUE = "VOIE_PUBLIQUE"
    ERP = "ERP"
    COMMERCE = "COMMERCE"
    ABORDS_TERRO = "ABORDS_TERRO"
    HORS_CSI = "HORS_CSI"  # closed to the public: the RGPD alone


# What is filmed for in a place that the CSI does not govern.
OUTSIDE = "HORS_CSI"
# The eleven purposes of CSI L.251-2 al. 1 by their legal number, then those that stand outside the list.
FINALITES = (*(str(number) for number in range(1, 12)), "ERP", "COMMERCE", OUTSIDE)


class Right(StrEnum):
    """What a habilitation may open."""

    LIVE = "live"
    REPLAY = "replay"
    EXTRACT = "extract"


class Basis(StrEnum):
    """What makes a person competent for a commune (CSI R.253-3 II 2°)."""

    DESIGNATION = "designation"
    DELEGATION = "delegation"


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when a fact holds; `to_at` None has no term, `suspended_at` ends it at once."""

    from_at: datetime
    to_at: datetime | None = None
    suspended_at: datetime | None = None

    @property
    def end_at(self) -> datetime:
        return min(self.to_at or FOREVER, self.suspended_at or FOREVER)

    def in_force(self, at: datetime) -> bool:
        return self.from_at <= at < self.end_at

    def is_over(self, at: datetime) -> bool:
        return self.to_at is not None and self.to_at <= at

    def is_suspended(self, at: datetime) -> bool:
        return self.suspended_at is not None and self.suspended_at <= at


@dataclass(frozen=True, slots=True)
class Agrement:
    """The préfet's approval of a civil agent, good in the départements named (CSI L.132-14-1). `inquiry_by`: the centre
    takes it for nothing from then on, until an inquiry is made again (circulaire NOR IOMB2403160C)."""

    departements: frozenset[str]
    validity: Validity
    inquiry_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class Habilitation:
    """A personal right on one commune's pictures, by designation or, for the elected, by delegation. `regimes` None: of
    every regime that admits the person's category. `finds`: specially, to find offences (CNIL, vidéoverbalisation)."""

    id: str
    commune: str
    basis: Basis
    rights: frozenset[Right]
    validity: Validity
    regimes: frozenset[Regime] | None = None
    finds: bool = False

    def covers(self, regime: Regime) -> bool:
        return self.regimes is None or regime in self.regimes


@dataclass(frozen=True, slots=True)
class Actor:
    """A person as the law sees them. `employer` is the commune that employs them; None for staff lent by a
    mutualised centre."""

    id: str
    role: Role
    category: Category
    employer: str | None
    agrement: Agrement | None
    habilitations: tuple[Habilitation, ...]


@dataclass(frozen=True, slots=True)
class Authorisation:
    """One camera's line of a prefectoral arrêté (CSI L.252-1, R.252-3)."""

    id: str
    finalites: frozenset[str]
    visualised: bool
    recorded: bool
    validity: Validity


@dataclass(frozen=True, slots=True)
class Deport:
    """An arrêté that opens a camera to services of the State (CSI L.252-3): to the persons whom it names, by
    identifier, for the uses in `rights`. `recipient_days`: how long they may keep what is sent to them."""

    reference: str
    persons: frozenset[str]
    rights: frozenset[Right]
    recipient_days: int
    validity: Validity


@dataclass(frozen=True, slots=True)
class Convention:
    """The convention of CSI L.132-14 IV between a commune and the body that lends it staff."""

    id: str
    validity: Validity


@dataclass(frozen=True, slots=True)
class Commune:
    """A commune d'implantation with the conventions that concern it."""

    insee: str
    name: str
    departement: str
    conventions: tuple[Convention, ...]


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera with the lines of every arrêté that names it. `masks`: when it is neither recorded nor shown
    (CSI L.251-3), those to come and those that were too. `deports`: what is open of it to services of the State."""

    id: str
    regime: Regime
    authorisations: tuple[Authorisation, ...]
    masks: tuple[Validity, ...] = ()
    deports: tuple[Deport, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """What an act is about: a camera of a commune, a commune, or the centre itself (both None). `window`: the
    pictures' own time, from (included) to (excluded), of a replay, None of live pictures. `deport`: the one to be
    entered."""

    commune: Commune | None = None
    camera: Camera | None = None
    window: tuple[datetime, datetime] | None = None
    deport: Deport | None = None


CENTRE = Subject()
