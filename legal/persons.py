"""Rules on persons: whose account it is, who may be habilitated for what, and what of their standing falls due.

Every function is told the facts and the time. Codes beside the project's list: `SHARED_LOGIN`, `OUT_OF_DATES`,
`HABILITATION_OVERLAP`, `LEAVER_TOO_LATE`. The codes of `Due` name alarms.
"""

import calendar
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from legal.acts import Refused
from legal.facts import FOREVER, Actor, Basis, Category, Commune, Habilitation, Role, Validity
from legal.retention import PARIS
from legal.rules import CATEGORIES, STATE_FORCES

INQUIRY_MONTHS = 5 * 12
"""A new administrative inquiry is due five years after the last (CSI R.114-2 4° c, circulaire NOR IOMB2403160C)."""
INQUIRY_ALARM_MONTHS = INQUIRY_MONTHS - 3
REVIEW_MONTHS = 12
"""Rights are looked through once a year, and each is confirmed or withdrawn (RECYF 10.A)."""
REVIEW_ALARM = timedelta(days=30)
ENDING_ALARM = timedelta(days=60)
LEAVER_WITHIN = timedelta(days=7)
"""An account outlives its person's departure by this at most (RECYF 10.C)."""

# --- accounts
# ------------------------------------------------------------------------------------------------------

# A login or a name with one of these words is a service's or a post's, whatever stands beside it.
_SHARED = {
    *("accueil", "astreinte", "brigade", "cdsi", "cdsu", "commissariat", "csu", "douanes", "equipe", "gendarmerie"),
    *("invite", "mairie", "partage", "patrouille", "policemunicipale", "pompiers", "sdis", "service", "services"),
    *("standard", "unite"),
}
# And these when they stand alone: beside a name they say where the person serves, or are one.
_SHARED_ALONE = {
    *(
        "agent",
        "agents",
        "asvp",
        "centre",
        "commun",
        "gn",
        "groupe",
        "guest",
        "municipale",
        "operateurs",
        "pm",
        "pn",
        "police",
    ),
    *("poste", "salle", "test", "user"),
}


def fault_of_account(login: str, name: str, others: Iterable[str]) -> Refused | None:
    """Why an account isn't one person's own; None when it may be (CSI R.253-3 II: individually designated).

    `others`: names of the open accounts. That the login is known to one person only, no rule can tell.
    """
    source = "CSI R.253-3 II"
    for text in (login, name):
        words = _words(text)
        if words & _SHARED or (words and words <= _SHARED_ALONE):
            reason = "Un compte est celui d'une seule personne : l'identifiant et le nom ne désignent pas un service."
            return Refused("SHARED_LOGIN", reason, source)
    if _plain(name) in {_plain(other) for other in others}:
        reason = "Cette personne a déjà un compte ouvert ; pour un homonyme, ajoutez son matricule au nom."
        return Refused("SHARED_LOGIN", reason, source)
    return None


_OF_THE_ELECTED = frozenset({Role.DELEGATE, Role.OPERATOR})


def fault_of_office(role: Role, category: Category) -> Refused | None:
    """Why a person of a category can't have a role in the centre; None when they can. The elected see what concerns
    their commune, and know of no requisition: they neither run the centre nor control it whole (CSI R.253-3 II 2° a,
    CPP 11)."""
    if category is not Category.ELU or role in _OF_THE_ELECTED:
        return None
    reason = "Un élu est délégué du maire, pour sa commune : il ne dirige, n'administre ni ne contrôle tout le centre."
    return Refused("REGIME_ROLE_FORBIDDEN", reason, "CSI R.253-3 II 2° a, CPP 11")


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word in re.split(r"[^a-z]+", _plain(text)) if word)


def _plain(text: str) -> str:
    """Without accents, capitals and doubled spaces."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(one for one in letters if not unicodedata.combining(one)).split())


# --- habilitations
# -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed the act that habilitates, and its date; None where a document of before does not say."""

    by: str | None = None
    on: date | None = None


def fault_of_habilitation(
    category: Category, new: Habilitation, signed: Signature, held: Iterable[Habilitation]
) -> Refused | None:
    """Why a person of a category can't be given a habilitation beside those `held`; None when they can."""
    admitted = frozenset(regime for regime, categories in CATEGORIES.items() if category in categories)
    if category not in STATE_FORCES:
        wanted = frozenset(CATEGORIES) if new.regimes is None else new.regimes
        is_private = category is Category.PRIVE_CNAPS
        if not wanted & admitted or ((is_private or new.regimes is not None) and not wanted <= admitted):
            reason = "La qualité de cette personne n'ouvre pas les images de ce régime."
            if is_private:
                reason = "Un opérateur privé ne voit que les lieux ouverts au public, jamais la voie publique."
            return Refused("REGIME_ROLE_FORBIDDEN", reason, "CSI R.253-3")
    elif not signed.by:
        reason = "Une habilitation des services de l'État dit quel chef de service l'a signée."
        return Refused("NOT_HABILITE", reason, "CSI R.253-3 II 1°")
    if (new.basis is Basis.DELEGATION) != (category is Category.ELU):
        reason = "Un élu a une délégation en matière de police municipale, tout autre agent une désignation."
        return Refused("NOT_HABILITE", reason, "CSI R.253-3 II 2° a")
    if signed.on is not None and signed.on > new.validity.from_at.astimezone(PARIS).date():
        return _out_of_dates("L'habilitation ne peut pas commencer avant la date de l'acte qui la donne.")
    if any(_overlap(new, one) for one in held):
        reason = "Cette personne a déjà une habilitation pour cette commune, ce régime et cette période."
        return Refused("HABILITATION_OVERLAP", reason, "CSI R.253-3 II")
    return None


def fault_of_act(signed: Signature) -> Refused | None:
    """Why an act can't be entered on somebody's word: who enters it says who signed it, the mayor or the head of
    service, and of which day it is (CSI R.253-3 II)."""
    if signed.by and signed.by.strip() and signed.on is not None:
        return None
    reason = "L'acte qui habilite se dit avec sa date et son signataire : le maire, ou le chef de service."
    return Refused("NOT_HABILITE", reason, "CSI R.253-3 II")


def fault_of_dates(validity: Validity, signed: Signature, at: datetime) -> Refused | None:
    """Why a right can't be entered at an instant: it is over, or its act is of a day to come."""
    if validity.end_at <= max(at, validity.from_at):
        return _out_of_dates("Cette période est déjà terminée.")
    return fault_of_signing_day(signed, at)


def fault_of_signing_day(signed: Signature, at: datetime) -> Refused | None:
    """Nobody has signed an act on a day to come."""
    if signed.on is None or signed.on <= at.astimezone(PARIS).date():
        return None
    return _out_of_dates("La date de l'acte est à venir.")


def fault_of_designator(designator: Actor, person: Actor, commune: Commune) -> Refused | None:
    """A mayor's delegate designates agents of police and gardes champêtres whom the commune employs
    (CSI R.253-3 II 2° b)."""
    if designator.role is not Role.DELEGATE:
        return None
    if person.category in (Category.PM, Category.GC) and person.employer == commune.insee:
        return None
    reason = "Le maire désigne les agents de police municipale et gardes champêtres de sa commune."
    return Refused("REGIME_ROLE_FORBIDDEN", reason, "CSI R.253-3 II 2° b")


def _overlap(one: Habilitation, other: Habilitation) -> bool:
    """A suspension does not count: it may be lifted."""
    if one.commune != other.commune or one.id == other.id:
        return False
    if one.regimes is not None and other.regimes is not None and not one.regimes & other.regimes:
        return False
    ends = (one.validity.to_at or FOREVER, other.validity.to_at or FOREVER)
    return one.validity.from_at < ends[1] and other.validity.from_at < ends[0]


def _out_of_dates(reason: str) -> Refused:
    return Refused("OUT_OF_DATES", reason, "CSI R.253-3 II")


# --- what falls due
# ------------------------------------------------------------------------------------------------


class Due(StrEnum):
    """What of a person's standing asks for somebody's attention."""

    AGREMENT_ENDING = "AGREMENT_ENDING"
    AGREMENT_SUSPENDED = "AGREMENT_SUSPENDED"
    DELEGATION_ENDING = "DELEGATION_ENDING"
    DESIGNATION_ENDING = "DESIGNATION_ENDING"
    INQUIRY_DUE = "INQUIRY_DUE"
    INQUIRY_OVERDUE = "INQUIRY_OVERDUE"
    LEAVER = "LEAVER"
    REVIEW_DUE = "REVIEW_DUE"
    REVIEW_OVERDUE = "REVIEW_OVERDUE"


@dataclass(frozen=True, slots=True)
class Standing:
    """An open account as the clocks see it. `inquiry_at`: the last administrative inquiry; `confirmed_at`: when its
    rights were last confirmed, or given; `closes_at`: when it ends, for one who leaves."""

    actor: Actor
    inquiry_at: datetime | None
    confirmed_at: datetime
    closes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """Something due: by when, or since when for what is suspended; the commune that it is about, if one."""

    code: Due
    by_at: datetime
    commune: str | None = None


def dues(standing: Standing, at: datetime) -> tuple[Clock, ...]:
    """All that is due of a person at an instant, each with its date."""
    found = [*_of_agrement(standing, at), *_of_habilitations(standing.actor.habilitations, at)]
    if standing.closes_at is not None:
        found.append(Clock(Due.LEAVER, standing.closes_at))
    review_by = review_at(standing.confirmed_at)
    if at >= review_by - REVIEW_ALARM:
        found.append(Clock(Due.REVIEW_OVERDUE if at >= review_by else Due.REVIEW_DUE, review_by))
    return tuple(found)


def inquiry_by(inquiry_at: datetime) -> datetime:
    """When a new administrative inquiry is due (circulaire NOR IOMB2403160C)."""
    return months_later(inquiry_at, INQUIRY_MONTHS)


def review_at(confirmed_at: datetime) -> datetime:
    """When an account's rights are to be confirmed again (RECYF 10.A)."""
    return months_later(confirmed_at, REVIEW_MONTHS)


def fault_of_leaving(days: int) -> Refused | None:
    """A leaver's account is closed within seven days (RECYF 10.C)."""
    if 0 <= timedelta(days=days) / LEAVER_WITHIN <= 1:
        return None
    return Refused("LEAVER_TOO_LATE", "Le compte d'un agent qui part est fermé sous sept jours.", "RECYF 10.C")


def _of_agrement(standing: Standing, at: datetime) -> list[Clock]:
    agrement, inquiry_at = standing.actor.agrement, standing.inquiry_at
    if agrement is None or agrement.validity.is_over(at):
        return []
    found = []
    if agrement.validity.suspended_at is not None and agrement.validity.is_suspended(at):
        found.append(Clock(Due.AGREMENT_SUSPENDED, agrement.validity.suspended_at))
    if agrement.validity.to_at is not None and at >= agrement.validity.to_at - ENDING_ALARM:
        found.append(Clock(Due.AGREMENT_ENDING, agrement.validity.to_at))
    if inquiry_at is not None and at >= months_later(inquiry_at, INQUIRY_ALARM_MONTHS):
        by_at = inquiry_by(inquiry_at)
        found.append(Clock(Due.INQUIRY_OVERDUE if at >= by_at else Due.INQUIRY_DUE, by_at))
    return found


def _of_habilitations(held: tuple[Habilitation, ...], at: datetime) -> list[Clock]:
    """Those that end soon and that no other one follows, the first of each commune."""
    first: dict[tuple[Due, str], datetime] = {}
    for one in held:
        to_at = one.validity.to_at
        if to_at is None or not to_at - ENDING_ALARM <= at < to_at or at < one.validity.from_at:
            continue
        if any(_follows(other, one, to_at) for other in held):
            continue
        key = (Due.DELEGATION_ENDING if one.basis is Basis.DELEGATION else Due.DESIGNATION_ENDING, one.commune)
        first[key] = min(to_at, first.get(key, FOREVER))
    return [Clock(code, to_at, commune) for (code, commune), to_at in first.items()]


def _follows(other: Habilitation, one: Habilitation, to_at: datetime) -> bool:
    covers = other.regimes is None or (one.regimes is not None and one.regimes <= other.regimes)
    begins_in_time = other.validity.from_at <= to_at < (other.validity.to_at or FOREVER)
    return other.commune == one.commune and covers and other.rights >= one.rights and begins_in_time


def months_later(at: datetime, months: int) -> datetime:
    """The same civil time in Paris, on the month's last day where it has no such day."""
    local = at.astimezone(PARIS)
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    day = min(local.day, calendar.monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day).astimezone(at.tzinfo)
