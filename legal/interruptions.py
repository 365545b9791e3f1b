"""Announced interruptions of a camera: planned work, one person's word; masking, the decision of two.

A planned interruption explains pictures that are missing; the camera is recorded while it gives any. A masked camera is
neither recorded nor shown: the public street is filmed without the inside of dwellings and their entrances
(CSI L.251-3), and nobody lifts a mask alone. Both are announced: they begin when they are decided at the earliest, so
that none explains, or hides, what has been.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from legal import motifs
from legal.facts import FOREVER
from legal.two_persons import Proposal

LONGEST = timedelta(days=31)


class Cause(StrEnum):
    PLANNED = "planned"
    MASKED = "masked"


REASONS: dict[Cause, dict[str, str]] = {
    Cause.PLANNED: {
        "ENTRETIEN": "Entretien ou remplacement de la caméra",
        "RESEAU": "Travaux sur le réseau",
        "ELECTRICITE": "Coupure d'électricité annoncée",
        "VOIRIE": "Travaux de voirie ou de mobilier urbain",
        "ESSAI": "Essai ou réglage",
    },
    Cause.MASKED: {kind.code: kind.label for kind in motifs.for_act(motifs.MASK)},
}


class State(StrEnum):
    """`proposed` and `expired` are a masking's that no second person has decided; `withdrawn` never was in force."""

    PROPOSED = "proposed"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    COMING = "coming"
    IN_FORCE = "in_force"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Interruption:
    """`decided_at` None: only proposed. `begin` and `end`: the latest proposals to mask, and to end it early."""

    cause: Cause
    from_at: datetime
    to_at: datetime
    begin: Proposal | None = None
    decided_at: datetime | None = None
    end: Proposal | None = None
    ended_at: datetime | None = None

    @property
    def begins_at(self) -> datetime:
        return max(self.from_at, self.decided_at or FOREVER)

    @property
    def ends_at(self) -> datetime:
        return min(self.to_at, self.ended_at or FOREVER)

    def state(self, at: datetime) -> State:
        if self.decided_at is None:
            if self.ended_at is not None or (self.begin is not None and self.begin.closed_at is not None):
                return State.WITHDRAWN
            is_open = self.begin is not None and self.begin.is_open(at) and at < self.to_at
            return State.PROPOSED if is_open else State.EXPIRED
        if self.ends_at <= self.begins_at:
            return State.WITHDRAWN
        if at < self.begins_at:
            return State.COMING
        return State.IN_FORCE if at < self.ends_at else State.OVER

    def pending(self, at: datetime) -> Proposal | None:
        """What waits for a second person: the masking itself, or its early end."""
        match self.state(at):
            case State.PROPOSED:
                return self.begin
            case State.COMING | State.IN_FORCE:
                return self.end if self.end is not None and self.end.is_open(at) else None
            case _:
                return None
