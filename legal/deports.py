"""What an arrêté may open of a commune's pictures to services of the State (CSI L.252-3).

What the arrêté itself must say is a rule of the decision too (`rules.fault_of_arrete`). Here also: who can be named,
and beside which others. Code beside the project's list: `DEPORT_OVERLAP`.
"""

from collections.abc import Iterable
from datetime import datetime

from legal.acts import Refused
from legal.facts import FOREVER, Actor, Deport, Validity
from legal.persons import ENDING_ALARM
from legal.rules import STATE_FORCES, fault_of_arrete

SOURCE = "CSI L.252-3"


def fault_of_deport(new: Deport, named: Iterable[Actor], beside: Iterable[Deport]) -> Refused | None:
    """Why a déport can't be entered; None when it may. `named`: the persons of it; `beside`: those that open one of its
    cameras already."""
    fault = fault_of_arrete(new)
    if fault is not None:
        return fault
    strangers = [person for person in named if person.category not in STATE_FORCES]
    if strangers:
        reason = "Un déport nomme des agents de la police, de la gendarmerie, des douanes ou des secours, nul autre."
        return Refused("REGIME_ROLE_FORBIDDEN", reason, SOURCE)
    if any(new.persons & one.persons and _meet(new.validity, one.validity) for one in beside):
        reason = "Un déport nomme déjà l'un de ces agents pour l'une de ces caméras et cette période."
        return Refused("DEPORT_OVERLAP", reason, SOURCE)
    return None


def is_ending(deport: Deport, beside: Iterable[Deport], at: datetime) -> bool:
    """Whether a déport has begun and ends so soon that another arrêté is to be asked for, if the service needs it.
    `beside`: the others that open all its cameras; one that opens as much to as many from its end on follows it."""
    from_at, to_at = deport.validity.from_at, deport.validity.to_at
    if to_at is None or not max(from_at, to_at - ENDING_ALARM) <= at < to_at:
        return False
    return not any(
        one.persons >= deport.persons
        and one.rights >= deport.rights
        and one.validity.from_at <= to_at < (one.validity.to_at or FOREVER)
        for one in beside
    )


def _meet(one: Validity, other: Validity) -> bool:
    """A suspension does not count: it may be lifted."""
    return one.from_at < (other.to_at or FOREVER) and other.from_at < (one.to_at or FOREVER)
