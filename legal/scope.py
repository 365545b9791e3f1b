"""Which communes a person knows of, which an act may touch, and which motifs are closed to whom."""

from datetime import datetime

from legal.acts import Act
from legal.facts import Actor, Category, Role
from legal.motifs import MotifKind

# Who handles requisitions, and who controls them (CPP 11, CP 226-13).
_OF_REQUISITIONS = frozenset({Role.SUPERVISOR, Role.AUDITOR, Role.ADMINISTRATOR})


def knows_requisitions(actor: Actor) -> bool:
    """Whether a person may know that requisitions exist; the elected never, whatever their role (CPP 11)."""
    return actor.role in _OF_REQUISITIONS and actor.category is not Category.ELU


def scope(actor: Actor, at: datetime) -> frozenset[str] | None:
    """The communes whose cameras and entries a person may know of; None is all of them.

    A mayor's delegate and an operator know theirs only (CSI R.253-3 II 2°); supervision, audit and
    administration concern the whole centre. A suspended right leaves its commune in sight, with the reason;
    one that is over does not.
    """
    if actor.role in (Role.SUPERVISOR, Role.AUDITOR, Role.ADMINISTRATOR):
        return None
    return frozenset(held.commune for held in actor.habilitations if not held.validity.is_over(at))


def is_open_to(actor: Actor, kind: MotifKind) -> bool:
    """Whether a person may give a motif at all: the elected handle no requisition (CSI R.253-3 III, CPP 11)."""
    return not kind.is_secret or (actor.role is not Role.DELEGATE and actor.category is not Category.ELU)


# What a person whose right is suspended still sees, with the reason of the refusal; everything else wants a right in
# force.
SIGHT = frozenset(
    {Act.CAMERA_LIST, Act.TIMELINE_READ, Act.TICKET_REQUEST, Act.ALARM_LIST, Act.EVENT_FOLLOW}
    | {act for act in Act if act.startswith(("session:", "picture:"))}
)


def reach(actor: Actor, act: Act, at: datetime) -> frozenset[str] | None:
    """The communes whose rows an act may touch; None is all of them. A mayor's delegate whose delegation is suspended
    controls and decides nothing (CSI R.253-3 II 2° a)."""
    known = scope(actor, at)
    if known is None or act in SIGHT:
        return known
    return frozenset(held.commune for held in actor.habilitations if held.validity.in_force(at))
