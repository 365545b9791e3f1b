"""Acts that two persons decide: one proposes, and another confirms while the proposal is open.

No text names the number two: it is how the centre keeps recordings from being freed, destroyed, shortened or hidden,
and analysis from being opened, by one hand (CSI R.253-2: confidentiality, integrity and availability of recordings).

    propose -> OPEN --confirm (another person, within thirty minutes)--> confirmed
                 '--refused, withdrawn, replaced, or thirty minutes over--------> closed, for good
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from legal.acts import Refused

CONFIRM_WITHIN = timedelta(minutes=30)
GIVEN_WITHIN = timedelta(days=1)
"""Who has just been given a password by somebody may be that very person under another name."""
_SOURCE = "CSI R.253-2"


class Decision(StrEnum):
    """What takes two persons."""

    HOLD_RELEASE = "hold_release"
    CLOCK_RELEASE = "clock_release"
    BREAKER_RELEASE = "breaker_release"
    MASK = "mask"
    UNMASK = "unmask"
    RETENTION = "retention"
    LEGAL_BASIS = "legal_basis"


@dataclass(frozen=True, slots=True)
class Proposal:
    """Who proposed, by identifier, when, and about what. `closed_at`: refused, withdrawn, or replaced by a later
    one."""

    person: str
    at: datetime
    subject: str
    confirmed_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def until(self) -> datetime:
        return self.at + CONFIRM_WITHIN

    def is_open(self, at: datetime) -> bool:
        return self.confirmed_at is None and self.closed_at is None and self.at <= at < self.until


def may_propose(latest: Proposal | None, at: datetime) -> Refused | None:
    """Why nothing may be proposed about a subject whose latest proposal this is; None when it may."""
    if latest is not None and latest.is_open(at):
        return Refused(
            "ALREADY_PROPOSED", "C'est déjà proposé : il manque la confirmation d'une autre personne.", _SOURCE
        )
    return None


def second_person(proposal: Proposal | None, subject: str | None, person: str, at: datetime) -> Refused | None:
    """Why this person may not confirm at this instant, None when they may. `subject`: what it would be done to now,
    None when that is no more."""
    over = undecidable(proposal, at)
    if proposal is None or over is not None:
        return over
    if proposal.subject != subject:
        return other_subject()
    if proposal.person == person:
        return Refused("SECOND_PERSON_REQUIRED", "Une autre personne que vous doit confirmer.", _SOURCE)
    return None


@dataclass(frozen=True, slots=True)
class Given:
    """A password that one person, by identifier, gave another: with a new account, or in place of a lost one."""

    by: str
    to: str
    at: datetime


def fault_of_hands(first: str, second: str, still_may: bool, given: Collection[Given], at: datetime) -> Refused | None:
    """Why the word of the first, who proposed, does not count beside that of the second, who confirms; None when it
    does. `still_may`: whether the first could confirm it for another; `given`: who gave whom a password lately."""
    if not still_may:
        reason = "La personne qui a proposé n'en a plus le droit : il faut proposer de nouveau."
        return Refused("NO_PROPOSAL", reason, _SOURCE)
    if second in _hand_of(first, [one for one in given if at < one.at + GIVEN_WITHIN]):
        reason = (
            "Une même main peut tenir vos deux comptes : un mot de passe a été donné depuis moins d'un jour. Une autre "
            "personne doit confirmer."
        )
        return Refused("SECOND_PERSON_REQUIRED", reason, _SOURCE)
    return None


def _hand_of(person: str, given: Collection[Given]) -> set[str]:
    """All whom one hand may hold: who gave a password knows it, and can be whom it was given to and give on as them."""
    held: set[str] = set()
    found = {person}
    while found != held:
        held = found
        found = held | {end for one in given for end in (one.by, one.to) if one.by in held or one.to in held}
    return held


def undecidable(proposal: Proposal | None, at: datetime) -> Refused | None:
    """Why nobody may confirm, refuse or withdraw at this instant; None when the proposal is open."""
    if proposal is None or proposal.closed_at is not None:
        return Refused("NO_PROPOSAL", "Il n'y a rien à confirmer : il faut d'abord proposer.", _SOURCE)
    if proposal.confirmed_at is not None:
        return Refused("ALREADY_DONE", "C'est déjà confirmé : il n'y a plus rien à décider.", _SOURCE)
    if not proposal.is_open(at):
        return Refused("PROPOSAL_EXPIRED", "La proposition a plus de trente minutes : il faut la refaire.", _SOURCE)
    return None


def other_subject() -> Refused:
    """What is there is no longer what was proposed."""
    reason = "Ce n'est plus ce qui a été proposé : vérifiez de nouveau, puis proposez."
    return Refused("PROPOSAL_OTHER", reason, _SOURCE)
