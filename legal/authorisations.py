"""The life of a prefectoral authorisation: explicit states, events that a person enters, and clocks that only close.

A dossier is a value; `apply` answers with the next one or with a refusal, and is told the time and the conditions that
lie outside of it. What time does by itself is in `state_at`: silence refuses, a term expires, and nothing ever opens.
Days are civil days in Paris. Sources: code de la sécurité intérieure (CSI), by article at each rule.
"""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from legal import norms
from legal.acts import Refused
from legal.facts import FINALITES, OUTSIDE, Regime
from legal.retention import PARIS, RetentionRefused, check_retention


class State(StrEnum):
    BROUILLON = "BROUILLON"
    DEPOSEE = "DEPOSEE"
    RECEPISSE = "RECEPISSE"
    AVIS_CDV = "AVIS_CDV"
    AUTORISEE = "AUTORISEE"
    REFUSEE = "REFUSEE"
    REFUS_IMPLICITE = "REFUS_IMPLICITE"
    MISE_EN_SERVICE_NOTIFIEE = "MISE_EN_SERVICE_NOTIFIEE"
    ACTIVE = "ACTIVE"
    PROVISOIRE = "PROVISOIRE"
    SUSPENDUE = "SUSPENDUE"
    EXPIREE = "EXPIREE"
    RETIREE = "RETIREE"
    FIN_EVENEMENT = "FIN_EVENEMENT"
    REMPLACEE = "REMPLACEE"
    CLASSEE = "CLASSEE"


_STATE_WORDS = {
    State.BROUILLON: "en préparation",
    State.DEPOSEE: "déposé",
    State.RECEPISSE: "complet, récépissé donné",
    State.AVIS_CDV: "soumis à la commission",
    State.AUTORISEE: "autorisé",
    State.REFUSEE: "refusé",
    State.REFUS_IMPLICITE: "rejeté par le silence du préfet",
    State.MISE_EN_SERVICE_NOTIFIEE: "notifié, pas encore en service",
    State.ACTIVE: "en vigueur",
    State.PROVISOIRE: "en vigueur à titre provisoire",
    State.SUSPENDUE: "suspendu",
    State.EXPIREE: "expiré",
    State.RETIREE: "retiré",
    State.FIN_EVENEMENT: "terminé avec l'événement",
    State.REMPLACEE: "remplacé",
    State.CLASSEE: "classé",
}


class Kind(StrEnum):
    """What is asked for. REGISTRE: a place that the CSI does not govern (closed to the public): the responsable de
    traitement decides, and no préfet."""

    INITIALE = "INITIALE"
    MODIFICATION = "MODIFICATION"
    RENOUVELLEMENT = "RENOUVELLEMENT"
    PROVISOIRE = "PROVISOIRE"
    REGISTRE = "REGISTRE"


class Event(StrEnum):
    CARRY_OVER = "carry-over"  # in service before this file was kept, or entered with its arrêté by an import
    DEPOSIT = "deposit"
    COMPLETE = "complete"  # the récépissé of a complete dossier: from its day the delays run
    EXTEND = "extend"  # the commission takes its month more
    OPINION = "opinion"
    GRANT = "grant"
    REFUSE = "refuse"
    NOTIFY = "notify"
    ACTIVATE = "activate"
    SUSPEND = "suspend"
    RESUME = "resume"
    WITHDRAW = "withdraw"
    END_EVENT = "end-event"
    REPLACE = "replace"
    DROP = "drop"
    # What the clocks have done, written down once.
    SILENCE = "silence"
    EXPIRE = "expire"


_GRANTED: dict[Event, State] = {Event.WITHDRAW: State.RETIREE, Event.REPLACE: State.REMPLACEE}
_EXPIRING = _GRANTED | {Event.EXPIRE: State.EXPIREE}
_EXAMINED = {Event.REFUSE: State.REFUSEE, Event.DROP: State.CLASSEE, Event.SILENCE: State.REFUS_IMPLICITE}


def _served(active: State) -> dict[State, dict[Event, State]]:
    """What an authorisation lives through from its arrêté on; `active` is its state in service."""
    return {
        State.AUTORISEE: {Event.NOTIFY: State.MISE_EN_SERVICE_NOTIFIEE, **_EXPIRING},
        State.MISE_EN_SERVICE_NOTIFIEE: {
            Event.NOTIFY: State.MISE_EN_SERVICE_NOTIFIEE,
            Event.ACTIVATE: active,
            **_EXPIRING,
        },
        active: {Event.NOTIFY: active, Event.ACTIVATE: active, Event.SUSPEND: State.SUSPENDUE, **_EXPIRING},
        State.SUSPENDUE: {Event.RESUME: active, **_EXPIRING},
    }


_PREFECTURE: dict[State, dict[Event, State]] = {
    State.BROUILLON: {
        Event.DEPOSIT: State.DEPOSEE,
        Event.DROP: State.CLASSEE,
        Event.CARRY_OVER: State.ACTIVE,
    },
    State.DEPOSEE: {Event.COMPLETE: State.RECEPISSE, Event.REFUSE: State.REFUSEE, Event.DROP: State.CLASSEE},
    State.RECEPISSE: {
        Event.EXTEND: State.RECEPISSE,
        Event.OPINION: State.AVIS_CDV,
        Event.GRANT: State.AUTORISEE,
        **_EXAMINED,
    },
    State.AVIS_CDV: {Event.GRANT: State.AUTORISEE, **_EXAMINED},
    **_served(State.ACTIVE),
}
# What it replaces is in service and was notified then.
_AMENDING = _PREFECTURE | {
    State.AUTORISEE: _PREFECTURE[State.AUTORISEE] | {Event.ACTIVATE: State.ACTIVE},
}
# Without the commission's opinion, and over with the event (CSI L.252-6).
_PROVISIONAL: dict[State, dict[Event, State]] = {
    State.BROUILLON: {Event.DEPOSIT: State.DEPOSEE, Event.DROP: State.CLASSEE, Event.CARRY_OVER: State.PROVISOIRE},
    State.DEPOSEE: {Event.GRANT: State.AUTORISEE, Event.REFUSE: State.REFUSEE, Event.DROP: State.CLASSEE},
    **{state: events | {Event.END_EVENT: State.FIN_EVENEMENT} for state, events in _served(State.PROVISOIRE).items()},
}
# The responsable's own decision takes the place of the arrêté; nothing is notified to a préfet.
_REGISTER: dict[State, dict[Event, State]] = {
    State.BROUILLON: {Event.GRANT: State.AUTORISEE, Event.DROP: State.CLASSEE, Event.CARRY_OVER: State.ACTIVE},
    State.AUTORISEE: {Event.ACTIVATE: State.ACTIVE, **_EXPIRING},
    State.ACTIVE: {Event.ACTIVATE: State.ACTIVE, Event.SUSPEND: State.SUSPENDUE, **_EXPIRING},
    State.SUSPENDUE: {Event.RESUME: State.ACTIVE, **_EXPIRING},
}
TABLES: dict[Kind, dict[State, dict[Event, State]]] = {
    Kind.INITIALE: _PREFECTURE,
    Kind.MODIFICATION: _AMENDING,
    Kind.RENOUVELLEMENT: _AMENDING,
    Kind.PROVISOIRE: _PROVISIONAL,
    Kind.REGISTRE: _REGISTER,
}
IN_SERVICE = frozenset({State.ACTIVE, State.PROVISOIRE})
ENDED = frozenset(
    {
        State.REFUSEE,
        State.REFUS_IMPLICITE,
        State.EXPIREE,
        State.RETIREE,
        State.FIN_EVENEMENT,
        State.REMPLACEE,
        State.CLASSEE,
    }
)
REPLACING = frozenset({Kind.MODIFICATION, Kind.RENOUVELLEMENT})
_AWAITING = frozenset({State.RECEPISSE, State.AVIS_CDV})
_BY_CLOCK = frozenset({Event.SILENCE, Event.EXPIRE})
# Entered by the centre itself, never by a person.
INTERNAL = _BY_CLOCK | {Event.REPLACE, Event.CARRY_OVER}

OPINION_MONTHS = 3  # CSI R.252-15
OPINION_MONTHS_MORE = 1
SILENCE_MONTHS = 4  # CSI R.252-15: silence of the préfet for more than four months is a rejection
YEARS = 5  # CSI L.252-4
PROVISIONAL_MONTHS = 4  # CSI L.252-6
RENEWAL_ALARMS = (4, 6, 9)  # months before the term; préfectures ask for the renewal four months before
PROVISIONAL_ALARM = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Notice:
    """The préfet was told on `sent_on` that a camera comes into service on `service_on` (CSI R.252-17)."""

    sent_on: date
    service_on: date


@dataclass(frozen=True, slots=True)
class Dossier:
    """An authorisation as far as its entered events lead: `state` knows nothing of time, `state_at` does.

    `notices` and `in_service` are by camera. In force for a camera from the later of `from_at` and its entry in service
    to the earliest of `to_at`, `suspended_at` and `ended_at`.
    """

    kind: Kind
    cameras: frozenset[str]
    state: State = State.BROUILLON
    last_on: date | None = None
    complete_on: date | None = None
    extended: bool = False
    reference: str | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None
    suspended_at: datetime | None = None
    ended_at: datetime | None = None
    notices: Mapping[str, Notice] = field(default_factory=dict)
    in_service: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One event as it is entered. `on` is the act's own day; the others are for the events that need them. `reference`:
    the arrêté's, when it is granted; at an activation that of the arrêté which lifts a suspension."""

    event: Event
    on: date
    reference: str | None = None
    from_on: date | None = None
    to_on: date | None = None
    service_on: date | None = None
    cameras: frozenset[str] | None = None  # of a notice; None: all of the dossier


@dataclass(frozen=True, slots=True)
class Conditions:
    """What lies outside the dossier and is needed for service, at one instant. `conventions`: kinds in force.
    `elsewhere`: cameras that another arrêté has in service, with its reference (the one replaced is not among them).
    `served`: cameras that the replaced one has in service, of which the préfet has been told. `suspended`: the replaced
    one's reference while it stands suspended.
    """

    cnil_sent_on: date | None = None
    deliberation: str | None = None
    conventions: frozenset[str] = frozenset()
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    served: frozenset[str] = frozenset()
    suspended: str | None = None


def apply(dossier: Dossier, step: Step, at: datetime, conditions: Conditions | None = None) -> Dossier | Refused:
    """The dossier after an event that is entered at `at`, or why it can't be entered."""
    today = day_of(at)
    state = _state_for(dossier, step, at)
    target = TABLES[dossier.kind].get(state, {}).get(step.event)
    if target is None or (step.event in _BY_CLOCK and clock_event(dossier, at) is not step.event):
        reason = f"Cette étape n'est pas possible : le dossier est {_STATE_WORDS[state]}."
        return Refused("STEP_FORBIDDEN", reason, "CSI L.252-1, R.252-15")
    if step.event not in INTERNAL and step.on > today:
        return _wrong_dates("La date de l'acte est dans l'avenir.")
    if step.event not in INTERNAL and dossier.last_on is not None and step.on < dossier.last_on:
        return _wrong_dates("La date de l'acte précède celle de l'étape d'avant.")
    moved = replace(dossier, state=target, last_on=step.on)
    match step.event:
        case Event.COMPLETE:
            return replace(moved, complete_on=step.on)
        case Event.EXTEND:
            return _extend(moved)
        case Event.GRANT | Event.CARRY_OVER:
            return _grant(dossier, moved, step, at)
        case Event.NOTIFY:
            return _notify(moved, step)
        case Event.ACTIVATE:
            return _activate(moved, step, at, conditions or Conditions())
        case Event.SUSPEND:
            return replace(moved, suspended_at=at)
        case Event.RESUME:
            return replace(moved, suspended_at=None)
        case Event.WITHDRAW | Event.END_EVENT | Event.REPLACE:
            return replace(moved, ended_at=at)
        case _:
            return moved


def state_at(dossier: Dossier, at: datetime) -> State:
    """The state at an instant, clocks included; as time goes on alone, only from what is open to what is closed."""
    silent_at = silence_at(dossier)
    if dossier.state in _AWAITING and silent_at is not None and at >= silent_at:
        return State.REFUS_IMPLICITE
    if dossier.state not in ENDED and dossier.to_at is not None and at >= dossier.to_at:
        return State.EXPIREE
    return dossier.state


def possible(dossier: Dossier, at: datetime) -> tuple[Event, ...]:
    """The events that a person may enter now and that change something, conditions and dates apart."""
    events = TABLES[dossier.kind].get(state_at(dossier, at), {})
    spent = {Event.EXTEND} if dossier.extended else set()
    if dossier.in_service.keys() == dossier.cameras:
        spent |= {Event.NOTIFY, Event.ACTIVATE}
    return tuple(event for event in Event if event in events and event not in INTERNAL | spent)


def may_be_replaced(dossier: Dossier, at: datetime) -> bool:
    """Whether a modification or a renewal may be asked for: there is an arrêté, and it has not ended (CSI R.254-2)."""
    return dossier.reference is not None and state_at(dossier, at) not in ENDED


def clock_event(dossier: Dossier, at: datetime) -> Event | None:
    """What the clocks have done and what is not yet written down."""
    state = state_at(dossier, at)
    if state is dossier.state:
        return None
    return Event.SILENCE if state is State.REFUS_IMPLICITE else Event.EXPIRE


def silence_at(dossier: Dossier) -> datetime | None:
    """When silence becomes a rejection: more than four months after the complete dossier (CSI R.252-15)."""
    if dossier.complete_on is None:
        return None
    return start_of(months_after(dossier.complete_on, SILENCE_MONTHS) + timedelta(days=1))


def opinion_due_at(dossier: Dossier) -> datetime | None:
    """When the commission's delay has run out: three months, and one more if it took it (CSI R.252-15)."""
    if dossier.complete_on is None:
        return None
    months = OPINION_MONTHS + (OPINION_MONTHS_MORE if dossier.extended else 0)
    return start_of(months_after(dossier.complete_on, months) + timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Deadline:
    code: str
    at: datetime


def deadlines(dossier: Dossier, at: datetime) -> tuple[Deadline, ...]:
    """What is still to come by itself, the next first."""
    state = state_at(dossier, at)
    found = []
    due, silent = opinion_due_at(dossier), silence_at(dossier)
    if state is State.RECEPISSE and due is not None:
        found.append(Deadline("CDV_OPINION", due))
    if state in _AWAITING and silent is not None:
        found.append(Deadline("REFUS_IMPLICITE", silent))
    if state not in ENDED and dossier.to_at is not None:
        found += [Deadline("AUTH_EXPIRING", begins) for begins in _alarm_starts(dossier, dossier.to_at)]
        found.append(Deadline("AUTH_EXPIRED", dossier.to_at))
    return tuple(sorted((one for one in found if one.at > at), key=lambda one: one.at))


def alarms_at(dossier: Dossier, at: datetime) -> dict[str, str]:
    """Alarms that are on at an instant: code and detail.

    AUTH_EXPIRING (detail: 9, 6 or 4 months), PROVISIONAL_ENDING, CDV_LATE.
    """
    state = state_at(dossier, at)
    due = opinion_due_at(dossier)
    if state is State.RECEPISSE and due is not None and at >= due:
        return {"CDV_LATE": ""}
    if state in ENDED or dossier.to_at is None:
        return {}
    if dossier.kind is Kind.PROVISOIRE:
        return {"PROVISIONAL_ENDING": ""} if at >= dossier.to_at - PROVISIONAL_ALARM else {}
    reached = [months for months in RENEWAL_ALARMS if at >= _months_before(dossier.to_at, months)]
    return {"AUTH_EXPIRING": str(min(reached))} if reached else {}


# --- events
# ---------------------------------------------------------------------------------------------------------


def _state_for(dossier: Dossier, step: Step, at: datetime) -> State:
    """The state that an event meets. A decision counts by its own day: one taken in time is no silence, even when it
    is entered after four months."""
    silent_at = silence_at(dossier)
    decided = step.event in (Event.GRANT, Event.REFUSE) and dossier.state in _AWAITING
    if decided and silent_at is not None and start_of(step.on) < silent_at:
        return dossier.state
    return dossier.state if step.event in _BY_CLOCK else state_at(dossier, at)


def _extend(moved: Dossier) -> Dossier | Refused:
    if moved.extended:
        reason = "La commission ne peut prolonger son délai qu'une fois."
        return Refused("STEP_FORBIDDEN", reason, "CSI R.252-15")
    return replace(moved, extended=True)


def _grant(before: Dossier, moved: Dossier, step: Step, at: datetime) -> Dossier | Refused:
    if step.from_on is None or step.to_on is None or not step.reference:
        return _wrong_dates("La référence de l'arrêté, son début et son terme sont exigés.")
    due = opinion_due_at(before)
    if step.event is Event.GRANT and before.state is State.RECEPISSE and (due is None or start_of(step.on) < due):
        reason = "La commission départementale n'a pas rendu son avis, et son délai n'est pas écoulé."
        return Refused("CDV_OPINION_MISSING", reason, "CSI L.252-1, R.252-15")
    if step.event is Event.GRANT and step.from_on < step.on:
        return _wrong_dates("L'autorisation commencerait avant l'arrêté qui la donne.")
    fault = fault_of_term(moved.kind, step.from_on, step.to_on)
    if fault is not None:
        return fault
    granted = replace(moved, reference=step.reference, from_at=start_of(step.from_on), to_at=start_of(step.to_on))
    if step.event is Event.GRANT:
        return granted
    # What takes another's place does so now, and not in what was recorded under the other.
    since = max(start_of(step.from_on), at) if moved.kind in REPLACING else start_of(step.from_on)
    if since > at and moved.kind in REPLACING:
        return _wrong_dates("Un arrêté qui en remplace un autre s'enregistre quand il est en vigueur.")
    return replace(granted, in_service=dict.fromkeys(moved.cameras, since))


def fault_of_term(kind: Kind, from_on: date, to_on: date) -> Refused | None:
    """Why an authorisation can't hold from a day to the first day on which it no longer does (CSI L.252-4, L.252-6)."""
    if to_on <= from_on:
        return _wrong_dates("Le terme doit suivre le début.")
    if kind is Kind.PROVISOIRE and to_on > months_after(from_on, PROVISIONAL_MONTHS):
        reason = "Une autorisation provisoire ne peut dépasser quatre mois."
        return Refused("PROVISIONAL_TOO_LONG", reason, "CSI L.252-6")
    if to_on > months_after(from_on, 12 * YEARS, forward=True):
        return Refused("AUTH_TOO_LONG", "Une autorisation ne peut dépasser cinq ans.", "CSI L.252-4")
    return None


def _notify(moved: Dossier, step: Step) -> Dossier | Refused:
    if step.service_on is None or step.service_on < step.on:
        reason = "La date de mise en service est notifiée au préfet avant cette date."
        return Refused("NOTICE_MISSING", reason, "CSI R.252-17")
    told = moved.cameras if step.cameras is None else step.cameras
    if not told or not told <= moved.cameras:
        return Refused("AUTH_MISSING", "Une caméra notifiée n'est pas dans l'autorisation.", "CSI R.252-17")
    notice = Notice(step.on, step.service_on)
    return replace(moved, notices={**moved.notices, **dict.fromkeys(told - moved.in_service.keys(), notice)})


def _activate(moved: Dossier, step: Step, at: datetime, conditions: Conditions) -> Dossier | Refused:
    """Into service: every camera whose notified day has come, once all that the law wants before is there."""
    if moved.from_at is None or at < moved.from_at:
        return Refused("AUTH_MISSING", "L'autorisation n'est pas encore en vigueur.", "CSI L.252-1")
    fault = fault_of_lifting(conditions.suspended, moved.reference, step.reference)
    if fault is not None:
        return fault
    waiting = moved.cameras - moved.in_service.keys()
    if moved.kind is not Kind.REGISTRE:
        fault = _fault_of_onboarding(conditions, at)
        if fault is not None:
            return fault
        today = day_of(at)
        told = {camera for camera, notice in moved.notices.items() if notice.service_on <= today}
        waiting &= told | conditions.served
        if not waiting:
            reason = "Aucune caméra n'a de mise en service notifiée au préfet dont la date est venue."
            return Refused("NOTICE_MISSING", reason, "CSI R.252-17")
    for camera in sorted(waiting):
        if camera in conditions.elsewhere:
            reason = (
                f"L'arrêté {conditions.elsewhere[camera]} couvre déjà une de ces caméras : le nouveau doit le modifier,"
                " le renouveler, ou attendre son terme."
            )
            return Refused("AUTH_OVERLAP", reason, "CSI L.252-1, R.254-2")
    return replace(moved, in_service={**moved.in_service, **dict.fromkeys(waiting, at)})


def fault_of_lifting(suspended: str | None, reference: str | None, lifted_by: str | None) -> Refused | None:
    """A suspension stops the cameras, whatever arrêté they stand in: no text says that an amended one ends it. It goes
    on until it is lifted, or until somebody says, by its reference, that the new one lifts it (CSI R.254-1, R.254-2).
    """
    if suspended is None or (reference is not None and lifted_by == reference):
        return None
    reason = (
        f"L'arrêté {suspended}, qui serait remplacé, est suspendu : levez d'abord la suspension, ou indiquez la"
        " référence du nouvel arrêté si c'est lui qui la lève."
    )
    return Refused("AUTH_SUSPENDED", reason, "CSI R.254-1, R.254-2")


def _fault_of_onboarding(conditions: Conditions, at: datetime) -> Refused | None:
    if not conditions.deliberation:
        reason = "La délibération de la commune n'est pas enregistrée."
        return Refused("DELIBERATION_MISSING", reason, "CSI L.132-14")
    for kind, partner in (("IV", "le membre"), ("V", "l'État")):
        if kind not in conditions.conventions:
            reason = f"Aucune convention en vigueur avec {partner} (L.132-14 {kind}) n'est enregistrée."
            return Refused("CONVENTION_MISSING", reason, f"CSI L.132-14 {kind}")
    if conditions.cnil_sent_on is None or conditions.cnil_sent_on > day_of(at):
        reason = "L'engagement de conformité à la CNIL n'est pas enregistré."
        return Refused("CNIL_ENGAGEMENT_MISSING", reason, "CSI R.253-7")
    return None


# --- lines
# ----------------------------------------------------------------------------------------------------------


class Plan(StrEnum):
    """What a stream is mainly for (arrêté du 3 août 2007, art. 2)."""

    ETROIT = "ETROIT"
    LARGE = "LARGE"


@dataclass(frozen=True, slots=True)
class Line:
    """What an arrêté says of one camera. None: not known (in service before this was kept).

    `field`: the covered zone, (latitude, longitude) of its corners. `masks`: polygons in the picture, 0 to 1.
    `ptz`: limits, `pan` and `tilt` in degrees from-to, `zoom` at most. `exemption`: the document that shows that faces
    of 90 x 60 can be had below 704 x 576.
    """

    finalites: tuple[str, ...]
    visualised: bool
    recorded: bool
    retention_days: int
    minimum_days: int | None = None
    recipients: tuple[str, ...] = ()
    position: tuple[float, float] | None = None
    field: tuple[tuple[float, float], ...] | None = None
    masks: tuple[tuple[tuple[float, float], ...], ...] = ()
    ptz: Mapping[str, float | tuple[float, float]] | None = None
    plan: Plan | None = None
    fast_flow: bool = False
    width: int | None = None
    height: int | None = None
    per_s: float | None = None
    exemption: str | None = None


PURPOSES: dict[Regime, frozenset[str]] = {
    Regime.VOIE_PUBLIQUE: frozenset(FINALITES[:11]),
    Regime.ERP: frozenset({"ERP", "6", "9"}),
    Regime.COMMERCE: frozenset({"COMMERCE"}),
    Regime.ABORDS_TERRO: frozenset({"6"}),
    Regime.HORS_CSI: frozenset({OUTSIDE}),
}


def fault_of_line(regime: Regime, line: Line) -> Refused | None:
    """Why no arrêté can say this of a camera (CSI L.251-2, L.252-5; arrêté du 3 août 2007, art. 2)."""
    strange = sorted(set(line.finalites) - PURPOSES[regime])
    if strange or not line.finalites:
        reason = f"Finalités absentes ou hors de ce régime : {', '.join(strange) or 'aucune'}."
        return Refused("FINALITE_NOT_AUTHORISED", reason, "CSI L.251-2")
    try:
        check_retention(line.retention_days, line.minimum_days)
    except RetentionRefused as error:
        return Refused(error.code, str(error), error.source)
    return _fault_of_profile(line)


def _fault_of_profile(line: Line) -> Refused | None:
    below = None if line.width is None or line.height is None else below_norm(line, line.width, line.height, line.per_s)
    if below is None:
        return None
    reason = f"{below.measured} : au moins {below.norm.required} exigés ({below.norm.concerns})."
    return Refused("PROFILE_BELOW_NORM", reason, norms.ARTICLE)


def below_norm(line: Line, width: int, height: int, per_s: float | None) -> norms.Finding | None:
    """The first norm of the arrêté du 3 août 2007, art. 2, that a stream misses in the use that its line declares."""
    use = ("NARROW_FAST" if line.fast_flow else "NARROW") if line.plan is Plan.ETROIT else "WIDE"
    wanted = set(next(one.norms for one in norms.USES if one.code == use)) | {"OTHER_SIZE"}
    if set(line.finalites) == {"3"} or line.exemption:
        wanted.discard("NARROW_SIZE")
    findings = norms.judge_stream(width, height, per_s)
    return next((one for one in findings if one.norm.code in wanted and one.met is False), None)


_DETAILS = ("recipients", "position", "field", "masks", "ptz", "plan", "width", "height", "per_s", "exemption")
_CONDITIONS = ("finalites", "visualised", "recorded", "retention_days", "minimum_days")


def completed(before: Line, now: Line) -> Line:
    """`now`, with what it leaves unsaid of the camera as it was said before."""
    kept = {name: getattr(before, name) for name in _DETAILS if not getattr(now, name)}
    return replace(now, fast_flow=now.fast_flow if now.plan else before.fast_flow, **kept)


def changed_conditions(before: Line, after: Line) -> tuple[str, ...]:
    """What of an authorised line would change and so needs an amended arrêté (CSI R.254-2). To say what was not known
    changes nothing; what only describes the stream is no condition."""
    known = ("recipients", "position", "field", "masks", "ptz")
    return tuple(
        name
        for name in (*_CONDITIONS, *known)
        if getattr(before, name) != getattr(after, name) and (name in _CONDITIONS or getattr(before, name))
    )


# --- days
# -----------------------------------------------------------------------------------------------------------


def start_of(day: date) -> datetime:
    """The first instant of a civil day in Paris, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=PARIS).astimezone(UTC)


def day_of(at: datetime) -> date:
    return at.astimezone(PARIS).date()


def months_after(day: date, months: int, *, forward: bool = False) -> date:
    """The same day so many months later; where that month lacks it, its last day, or with `forward` the next month's
    first."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    if day.day <= last:
        return date(year, month + 1, day.day)
    return date(year, month + 1, last) + timedelta(days=1 if forward else 0)


def _months_before(at: datetime, months: int) -> datetime:
    return start_of(months_after(day_of(at), -months))


def _alarm_starts(dossier: Dossier, to_at: datetime) -> list[datetime]:
    if dossier.kind is Kind.PROVISOIRE:
        return [to_at - PROVISIONAL_ALARM]
    return [_months_before(to_at, months) for months in RENEWAL_ALARMS]


def _wrong_dates(reason: str) -> Refused:
    return Refused("DATES_INVALID", reason, "CSI R.252-15, L.252-4")
