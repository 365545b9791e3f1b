"""Acts that two persons decide: one proposes, and another confirms while the proposal is open.

No text names the number two: it is how the centre keeps recordings from being freed, destroyed or hidden by one hand
(CSI R.253-2: confidentiality, integrity and availability of recordings).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from legal.permissions import Refused

CONFIRM_WITHIN = timedelta(minutes=30)
_SOURCE = "CSI R.253-2"


@dataclass(frozen=True, slots=True)
class Proposal:
    """Who proposed, by identifier, and when."""

    person: str
    at: datetime

    @property
    def until(self) -> datetime:
        return self.at + CONFIRM_WITHIN

    def is_open(self, at: datetime) -> bool:
        return self.at <= at < self.until


def second_person(proposal: Proposal | None, person: str, at: datetime) -> Refused | None:
    """Why this person may not confirm at this instant; None when they may."""
    if proposal is None:
        return Refused("NO_PROPOSAL", "Il n'y a rien à confirmer : il faut d'abord proposer.", _SOURCE)
    if not proposal.is_open(at):
        return Refused("PROPOSAL_EXPIRED", "La proposition a plus de trente minutes : il faut la refaire.", _SOURCE)
    if proposal.person == person:
        return Refused("SECOND_PERSON_REQUIRED", "Une autre personne que vous doit confirmer.", _SOURCE)
    return None
