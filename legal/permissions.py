"""Who may do what: one pure decision, told the facts and the time.

`decide` runs the rules of an act in their order. A rule answers with the end of what it relied on or with a
refusal that names its code (the project's list), a sentence in plain French and the article. Everything is
refused unless each rule is satisfied, and an act without rules is refused too. Rules look for one fact in
force among several, so that an added right never takes one away.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from legal import motifs
from legal.facts import (
    FOREVER,
    Actor,
    Authorisation,
    Basis,
    Camera,
    Category,
    Habilitation,
    Regime,
    Right,
    Role,
    Subject,
    Validity,
)
from legal.motifs import Motif, MotifKind
from legal.retention import PARIS, RetentionRefused, check_retention


class Act(StrEnum):
    """What a person may ask for, `object:verb`."""

    ACCOUNT_CLOSE = "account:close"
    ACCOUNT_CREATE = "account:create"
    ACCOUNT_LIST = "account:list"
    ACCOUNT_RESET = "account:reset"
    AGREMENT_PUT = "agrement:put"
    AGREMENT_RESUME = "agrement:resume"
    AGREMENT_SUSPEND = "agrement:suspend"
    ALARM_ACKNOWLEDGE = "alarm:acknowledge"
    ALARM_LIST = "alarm:list"
    ANOMALY_SEE = "anomaly:see"
    AUTHORISATION_ACTIVATE = "authorisation:activate"
    AUTHORISATION_AMEND = "authorisation:amend"
    AUTHORISATION_COMPLETE = "authorisation:complete"
    AUTHORISATION_DEPOSIT = "authorisation:deposit"
    AUTHORISATION_DRAFT = "authorisation:draft"
    AUTHORISATION_DROP = "authorisation:drop"
    AUTHORISATION_END_EVENT = "authorisation:end-event"
    AUTHORISATION_EXTEND = "authorisation:extend"
    AUTHORISATION_GRANT = "authorisation:grant"
    AUTHORISATION_LIST = "authorisation:list"
    AUTHORISATION_NOTIFY = "authorisation:notify"
    AUTHORISATION_OPINION = "authorisation:opinion"
    AUTHORISATION_REFUSE = "authorisation:refuse"
    AUTHORISATION_RESUME = "authorisation:resume"
    AUTHORISATION_SUSPEND = "authorisation:suspend"
    AUTHORISATION_WITHDRAW = "authorisation:withdraw"
    BASIS_CONFIRM = "basis:confirm"
    BASIS_END = "basis:end"
    BASIS_LIST = "basis:list"
    BASIS_PROPOSE = "basis:propose"
    CAMERA_LIST = "camera:list"
    CHECKPOINT_READ = "checkpoint:read"
    COMMUNE_CHANGE = "commune:change"
    COMMUNE_JOIN = "commune:join"
    CONSTAT_TRAFFIC = "constat:traffic"
    CONSTAT_WASTE = "constat:waste"
    CONVENTION_ENTER = "convention:enter"
    CONVENTION_RESUME = "convention:resume"
    CONVENTION_SUSPEND = "convention:suspend"
    COVERAGE_READ = "coverage:read"
    DEPORT_ENTER = "deport:enter"
    EVENT_FOLLOW = "event:follow"
    HABILITATION_END = "habilitation:end"
    HABILITATION_GRANT = "habilitation:grant"
    HABILITATION_PROVE = "habilitation:prove"
    HABILITATION_RESUME = "habilitation:resume"
    HABILITATION_SUSPEND = "habilitation:suspend"
    HOLD_LIST = "hold:list"
    HOLD_PUT = "hold:put"
    HOLD_RELEASE = "hold:release"
    INTERRUPTION_CONFIRM = "interruption:confirm"
    INTERRUPTION_END = "interruption:end"
    INTERRUPTION_LIST = "interruption:list"
    INTERRUPTION_MASK = "interruption:mask"
    INTERRUPTION_PLAN = "interruption:plan"
    JOURNAL_EXPORT = "journal:export"
    JOURNAL_PERSONS = "journal:persons"
    JOURNAL_PROVE = "journal:prove"
    JOURNAL_READ = "journal:read"
    MOTIF_LIST = "motif:list"
    PASSWORD_CHANGE = "password:change"  # noqa: S105  an act, no password
    PERSON_CONFIRM = "person:confirm"
    PERSON_LEAVE = "person:leave"
    PERSON_LIST = "person:list"
    PERSON_STAY = "person:stay"
    PICTURE_LIVE = "picture:live"
    PICTURE_REPLAY = "picture:replay"
    PROPOSAL_CLOSE = "proposal:close"
    PROPOSAL_LIST = "proposal:list"
    RECORDER_READ = "recorder:read"
    RELEASE_CONFIRM = "release:confirm"
    RELEASE_PROPOSE = "release:propose"
    RETENTION_CONFIRM = "retention:confirm"
    RETENTION_LIST = "retention:list"
    RETENTION_PROPOSE = "retention:propose"
    RULE_SET = "rule:set"
    SECURITY_READ = "security:read"
    SESSION_CLOSE = "session:close"
    SESSION_LOCK = "session:lock"
    SESSION_READ = "session:read"
    SESSION_SHIFT = "session:shift"
    SESSION_UNLOCK = "session:unlock"
    SITE_ENTER = "site:enter"
    STATEMENT_LIST = "statement:list"
    STATEMENT_READ = "statement:read"
    TERRITORY_READ = "territory:read"
    TICKET_REQUEST = "ticket:request"
    TIMELINE_READ = "timeline:read"
    WATCHING_LIST = "watching:list"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The act may be done, and what it opens ends at `not_after_at` at the latest."""

    not_after_at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """The act may not be done: a code, a sentence in French for the person, the text it rests on."""

    code: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class _Case:
    actor: Actor
    act: Act
    subject: Subject
    motif: Motif | None
    at: datetime


Rule = Callable[[_Case], datetime | Refused]


def decide(actor: Actor, act: Act, subject: Subject, motif: Motif | None, at: datetime) -> Allowed | Refused:
    """Whether a person may do an act at an instant, on the facts handed in.

    The answer holds for these facts from `at` until `Allowed.not_after_at`, which is later than `at`.
    """
    case = _Case(actor, act, subject, motif, at)
    until = FOREVER
    rules = RULES.get(act, ())
    for rule in rules:
        outcome = rule(case)
        if isinstance(outcome, Refused):
            return outcome
        until = min(until, outcome)
    if not rules:
        return Refused("REGIME_ROLE_FORBIDDEN", "Aucune règle ne permet cet acte.", "CSI L.251-1")
    return Allowed(until)


def foresee(actor: Actor, act: Act, subject: Subject, at: datetime) -> Allowed | Refused:
    """Whether some motif would open an act on pictures: what a list of cameras shows before one is given."""
    refusal: Refused | None = None
    for kind in motifs.for_act(_RIGHT_OF[act].value):
        reference = "2000-000000" if kind.reference_required else None
        outcome = decide(actor, act, subject, Motif(kind.code, reference), at)
        if isinstance(outcome, Allowed):
            return outcome
        refusal = refusal or outcome
    return refusal or _no_motif(act)


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
_SIGHT = frozenset(
    {Act.CAMERA_LIST, Act.TIMELINE_READ, Act.TICKET_REQUEST, Act.ALARM_LIST, Act.EVENT_FOLLOW}
    | {act for act in Act if act.startswith(("session:", "picture:"))}
)


def reach(actor: Actor, act: Act, at: datetime) -> frozenset[str] | None:
    """The communes whose rows an act may touch; None is all of them. A mayor's delegate whose delegation is suspended
    controls and decides nothing (CSI R.253-3 II 2° a)."""
    known = scope(actor, at)
    if known is None or act in _SIGHT:
        return known
    return frozenset(held.commune for held in actor.habilitations if held.validity.in_force(at))


# --- rules on persons
# -------------------------------------------------------------------------------------------


def _for_roles(*roles: Role, source: str) -> Rule:
    """The act belongs to these roles."""

    def rule(case: _Case) -> datetime | Refused:
        if case.actor.role in roles:
            return FOREVER
        return Refused("REGIME_ROLE_FORBIDDEN", "Votre fonction ne permet pas cet acte.", source)

    return rule


_NO_PICTURES = {
    Role.AUDITOR: "L'audit contrôle les accès sans voir d'images.",
    Role.ADMINISTRATOR: "L'administration du centre ne donne aucun droit aux images.",
}


def _role_sees_pictures(case: _Case) -> datetime | Refused:
    """Only persons listed by CSI R.253-3 II see street pictures; administering or auditing is not on the
    list.
    """
    reason = _NO_PICTURES.get(case.actor.role)
    return FOREVER if reason is None else Refused("REGIME_ROLE_FORBIDDEN", reason, "CSI R.253-3")


# Who may know that requisitions exist (CPP 11, CP 226-13): who handles them and who controls them.
KNOW_REQUISITIONS = frozenset({Role.SUPERVISOR, Role.AUDITOR, Role.ADMINISTRATOR})

_MUNICIPAL = frozenset({Category.PM, Category.GC, Category.ASVP, Category.CIVIL_AGREE, Category.ELU})
# CSI R.253-3 II (street), R.253-3 I (places open to the public), L.252-2 al. 2 (shopkeepers' cameras on the
# street).
CATEGORIES: dict[Regime, frozenset[Category]] = {
    Regime.VOIE_PUBLIQUE: _MUNICIPAL,
    Regime.ABORDS_TERRO: _MUNICIPAL,
    Regime.ERP: _MUNICIPAL | {Category.PRIVE_CNAPS},
    Regime.COMMERCE: frozenset({Category.PM}),
    Regime.HORS_CSI: _MUNICIPAL | {Category.PRIVE_CNAPS},
}
STATE_FORCES = frozenset({Category.PN, Category.GN, Category.DOUANE, Category.SDIS})


def _category_of_regime(case: _Case) -> datetime | Refused:
    """A regime admits some categories of persons only (CSI R.253-3, L.252-2 al. 2, L.252-3)."""
    camera = case.subject.camera
    if camera is None:
        return _no_authorisation()
    if case.actor.category in CATEGORIES[camera.regime]:
        return FOREVER
    if case.actor.category in STATE_FORCES:
        return _opened_by_arrete(case, camera)
    return Refused("REGIME_ROLE_FORBIDDEN", "Votre qualité n'ouvre pas les images de cette caméra.", "CSI R.253-3")


def _opened_by_arrete(case: _Case, camera: Camera) -> datetime | Refused:
    """Services of the State see what an arrêté opens, in the way it says, to those whom it names (CSI L.252-3)."""
    named = [deport for deport in camera.deports if case.actor.id in deport.persons]
    if _latest(named, case.at) is None:
        return Refused("DEPORT_NO_ARRETE", "Aucun arrêté ne vous ouvre ces images.", "CSI L.252-3")
    until = _latest([deport for deport in named if _RIGHT_OF[case.act] in deport.rights], case.at)
    if until is None:
        return Refused("DEPORT_MODE", "L'arrêté ne vous ouvre pas ces images de cette façon.", "CSI L.252-3")
    return until


def _competent_for_commune(case: _Case) -> datetime | Refused:
    """Pictures are for those competent in the commune where the camera stands (CSI R.253-3 II 2°)."""
    if _of_commune(case):
        return FOREVER
    return Refused("OUT_OF_COMMUNE", "Cette commune n'est pas de votre ressort.", "CSI R.253-3 II 2°")


def _habilitated(case: _Case) -> datetime | Refused:
    """A personal designation, or a delegation for the elected, in force and with the right (CSI R.253-3 II
    2°).
    """
    basis = Basis.DELEGATION if case.actor.category is Category.ELU else Basis.DESIGNATION
    right = _RIGHT_OF[case.act]
    ours = [h for h in _of_commune(case) if h.basis is basis and right in h.rights]
    camera = case.subject.camera
    held = [h for h in ours if camera is not None and h.covers(camera.regime)]
    until = _latest(held, case.at)
    if until is not None:
        return until
    if any(h.validity.is_suspended(case.at) for h in held):
        reason = "Votre habilitation pour cette commune est suspendue."
    elif any(h.validity.is_over(case.at) for h in held):
        reason = "Votre habilitation pour cette commune a pris fin."
    elif held:
        reason = "Votre habilitation pour cette commune n'est pas encore en vigueur."
    elif ours:
        reason = "Votre habilitation pour cette commune ne porte pas sur ce type de caméra."
    elif basis is Basis.DELEGATION:
        reason = "Aucune délégation en matière de police municipale ne vous est enregistrée."
    else:
        reason = "Vous n'êtes pas habilité à cet acte pour cette commune."
    return Refused("NOT_HABILITE", reason, "CSI R.253-3 II 2°")


_NEEDS_AGREMENT = frozenset({Category.CIVIL_AGREE, Category.ASVP})


def _approved(case: _Case) -> datetime | Refused:
    """Agents who are not police need the préfet's agrément in the camera's département (CSI L.132-14-1)."""
    if case.actor.category not in _NEEDS_AGREMENT:
        return FOREVER
    agrement = case.actor.agrement
    commune = case.subject.commune
    source = "CSI L.132-14-1"
    if agrement is None or commune is None:
        return Refused("AGREMENT_MISSING", "Aucun agrément préfectoral ne vous est enregistré.", source)
    if commune.departement not in agrement.departements:
        return Refused("AGREMENT_MISSING", "Votre agrément ne vaut pas dans ce département.", source)
    if not agrement.validity.in_force(case.at):
        return Refused("AGREMENT_MISSING", "Votre agrément préfectoral n'est pas en vigueur.", source)
    if agrement.inquiry_by is None:
        return agrement.validity.end_at
    if case.at >= agrement.inquiry_by:
        reason = "L'enquête administrative de votre agrément a plus de cinq ans : elle est à refaire."
        return Refused("AGREMENT_MISSING", reason, "CSI R.114-2, circulaire NOR IOMB2403160C")
    return min(agrement.validity.end_at, agrement.inquiry_by)


def _finds_offences(case: _Case) -> datetime | Refused:
    """Civil agents do no act of judicial police (CSI L.132-14-1); police municipale and gardes champêtres find offences
    when the mayor has habilitated them for that too (CNIL, vidéoverbalisation)."""
    if case.actor.category not in (Category.PM, Category.GC):
        return Refused(
            "PV_ROLE_FORBIDDEN", "Votre qualité ne permet pas de constater une infraction.", "CSI L.132-14-1"
        )
    until = _latest([held for held in _of_commune(case) if held.finds], case.at)
    if until is None:
        reason = "Vous n'êtes pas spécialement habilité à constater des infractions pour cette commune."
        return Refused("NOT_HABILITE", reason, "CNIL, vidéoverbalisation")
    return until


# --- rules on territory
# -----------------------------------------------------------------------------------------


def _authorised(case: _Case) -> datetime | Refused:
    """No picture without a prefectoral authorisation in force that covers the use (CSI L.252-1, L.252-4,
    R.254-2).
    """
    camera = case.subject.camera
    lines = () if camera is None else camera.authorisations
    until = _latest(_covering(case, lines), case.at)
    if until is not None:
        return until
    if any(line.validity.is_suspended(case.at) for line in lines):
        reason = "L'autorisation préfectorale de cette caméra est suspendue."
        return Refused("AUTH_SUSPENDED", reason, "CSI R.254-2")
    if any(line.validity.is_over(case.at) for line in lines):
        reason = "L'autorisation préfectorale de cette caméra a expiré."
        return Refused("AUTH_EXPIRED", reason, "CSI L.252-4")
    return _no_authorisation()


def _no_authorisation() -> Refused:
    reason = "Aucune autorisation préfectorale en vigueur ne couvre cet usage de la caméra."
    return Refused("AUTH_MISSING", reason, "CSI L.252-1")


def _convention_for_lent_staff(case: _Case) -> datetime | Refused:
    """Staff of a mutualised centre need its convention with the commune; the commune's own agents, and services of the
    State, whom it does not lend, do not (CSI L.132-14 IV)."""
    commune = case.subject.commune
    if case.actor.category in STATE_FORCES or (commune is not None and case.actor.employer == commune.insee):
        return FOREVER
    conventions = () if commune is None else commune.conventions
    until = _latest(conventions, case.at)
    if until is not None:
        return until
    name = "" if commune is None else f" ({commune.name})"
    if any(c.validity.is_suspended(case.at) for c in conventions):
        reason = f"La convention de mise à disposition avec cette commune{name} est suspendue."
    elif any(c.validity.is_over(case.at) for c in conventions):
        reason = f"La convention de mise à disposition avec cette commune{name} a pris fin."
    else:
        reason = f"Aucune convention n'autorise les agents mis à disposition à voir les images de cette commune{name}."
    return Refused("CONVENTION_MISSING", reason, "CSI L.132-14 IV")


def _not_masked(case: _Case) -> datetime | Refused:
    """A masked camera is shown to nobody, live or afterwards, and no role lifts a mask (CSI L.251-3)."""
    masks = () if case.subject.camera is None else case.subject.camera.masks
    if case.act is Act.PICTURE_REPLAY:
        window = case.subject.window
        for mask in masks:
            if window is not None and mask.from_at < window[1] and window[0] < mask.end_at:
                reason = (
                    f"Images masquées du {_local(mask.from_at)} au {_local(mask.end_at)} : demandez avant ou après."
                )
                return Refused("MASK_LOCKED", reason, "CSI L.251-3")
        return FOREVER
    until = _latest_of(masks, case.at)
    if until is not None:
        return Refused("MASK_LOCKED", f"Cette caméra est masquée jusqu'au {_local(until)}.", "CSI L.251-3")
    return min((mask.from_at for mask in masks if case.at < mask.from_at < mask.end_at), default=FOREVER)


def _motif_given(case: _Case) -> datetime | Refused:
    """Every operation carries its motif (CSI R.253-5): the shift's for live pictures, one with a reference
    for a
    replay."""
    fault = motifs.fault_of(case.motif, _RIGHT_OF[case.act].value)
    return FOREVER if fault is None else Refused("MOTIF_REQUIRED", fault, "CSI R.253-5")


def _not_the_inquirys(case: _Case) -> datetime | Refused:
    """The elected handle no requisition, nor learn of one (CSI R.253-3 III, CPP 11)."""
    kind = None if case.motif is None else motifs.KINDS.get(case.motif.code)
    if kind is None or is_open_to(case.actor, kind):
        return FOREVER
    return Refused("REGIME_ROLE_FORBIDDEN", "Ce motif n'est pas ouvert aux élus.", "CPP 11")


def _purpose_authorised(case: _Case) -> datetime | Refused:
    """A use serves a finalité that the camera's authorisation lists (CSI L.251-2)."""
    kind = None if case.motif is None else motifs.KINDS.get(case.motif.code)
    if kind is None:
        return _no_motif(case.act)
    if kind.finalites is None:
        return FOREVER
    camera = case.subject.camera
    lines = _covering(case, () if camera is None else camera.authorisations)
    until = _latest([line for line in lines if line.finalites & kind.finalites], case.at)
    if until is not None:
        return until
    reason = f"L'autorisation de cette caméra ne prévoit pas cette finalité ({kind.label})."
    return Refused("FINALITE_NOT_AUTHORISED", reason, "CSI L.251-2")


def _seen_live(case: _Case) -> datetime | Refused:
    """An offence is found on pictures as they come, never on recorded ones (CNIL, vidéoverbalisation)."""
    if case.subject.window is None:
        return FOREVER
    return Refused("PV_NOT_LIVE", "Une infraction se constate en direct, pas en relecture.", "CNIL, vidéoverbalisation")


def _offence_authorised(case: _Case) -> datetime | Refused:
    """Each kind of offence has its finalité, which the camera's authorisation lists (CSI L.251-2 4° and 11°)."""
    number, camera = _PURPOSE_OF[case.act], case.subject.camera
    lines = _covering(case, () if camera is None else camera.authorisations)
    until = _latest([line for line in lines if number in line.finalites], case.at)
    if until is not None:
        return until
    reason = f"L'autorisation de cette caméra ne prévoit pas la finalité {number}° : rien ne peut y être constaté."
    return Refused("FINALITE_NOT_AUTHORISED", reason, f"CSI L.251-2 {number}°")


def _deport_lawful(case: _Case) -> datetime | Refused:
    """An arrêté opens pictures to services of the State: it names whom and how, and they keep what they are sent for
    one month at most (CSI L.252-3)."""
    source, deport = "CSI L.252-3", case.subject.deport
    if deport is None or not deport.reference.strip():
        return Refused("DEPORT_NO_ARRETE", "Un déport exige la référence de l'arrêté qui l'ouvre.", source)
    if not deport.persons:
        return Refused("NOT_HABILITE", "Un déport nomme les agents qui voient les images.", source)
    if not deport.rights:
        return Refused("DEPORT_MODE", "Un déport dit s'il ouvre le direct, la relecture ou les deux.", source)
    try:
        check_retention(deport.recipient_days, None)
    except RetentionRefused as refused:
        return Refused(refused.code, str(refused), source)
    return FOREVER


def _no_motif(act: Act) -> Refused:
    return Refused("MOTIF_REQUIRED", motifs.fault_of(None, act.value) or "", "CSI R.253-5")


def _within_scope(case: _Case) -> datetime | Refused:
    """Persons bound to communes act on theirs only (CSI R.253-3 II 2°, R.251-1)."""
    known = scope(case.actor, case.at)
    commune = case.subject.commune
    if known is None:
        return FOREVER
    if commune is None or commune.insee not in known:
        return Refused("OUT_OF_COMMUNE", "Cette commune n'est pas de votre ressort.", "CSI R.253-3 II 2°")
    held = _of_commune(case)
    if case.act in _SIGHT:
        return max(one.validity.to_at or FOREVER for one in held if not one.validity.is_over(case.at))
    until = _latest(held, case.at)
    if until is None:
        reason = "Votre habilitation pour cette commune n'est pas en vigueur."
        return Refused("NOT_HABILITE", reason, "CSI R.253-3 II 2°")
    return until


def _delegation_in_force(case: _Case) -> datetime | Refused:
    """Who controls for a commune holds its delegation at that moment (CSI R.253-3 II 2° a)."""
    if scope(case.actor, case.at) is None:
        return FOREVER
    until = _latest(case.actor.habilitations, case.at)
    if until is None:
        return Refused("NOT_HABILITE", "Votre délégation n'est pas en vigueur.", "CSI R.253-3 II 2° a")
    return until


def _habilitates(case: _Case) -> datetime | Refused:
    """The mayor, or who has his delegation in force, designates in his commune; supervision enters signed acts
    (CSI R.253-3 II 2° b)."""
    if case.actor.role is Role.SUPERVISOR:
        return FOREVER
    if case.actor.role is not Role.DELEGATE:
        return Refused("REGIME_ROLE_FORBIDDEN", "Votre fonction ne permet pas cet acte.", "CSI R.253-3 II 2°")
    theirs = _of_commune(case)
    if not theirs:
        return Refused("OUT_OF_COMMUNE", "Cette commune n'est pas de votre ressort.", "CSI R.253-3 II 2°")
    until = _latest([held for held in theirs if held.basis is Basis.DELEGATION], case.at)
    if until is not None:
        return until
    return Refused("NOT_HABILITE", "Votre délégation pour cette commune n'est pas en vigueur.", "CSI R.253-3 II 2° a")


# --- looking among facts
# ----------------------------------------------------------------------------------------


def _of_commune(case: _Case) -> list[Habilitation]:
    commune = case.subject.commune
    return [h for h in case.actor.habilitations if commune is not None and h.commune == commune.insee]


def _covering(case: _Case, lines: Iterable[Authorisation]) -> list[Authorisation]:
    if case.act is Act.PICTURE_REPLAY:
        return [line for line in lines if line.recorded]
    return [line for line in lines if line.visualised]


class _Dated(Protocol):
    @property
    def validity(self) -> Validity: ...


def _latest(facts: Iterable[_Dated], at: datetime) -> datetime | None:
    """The latest end among the facts in force, None when none is."""
    return _latest_of((fact.validity for fact in facts), at)


def _latest_of(validities: Iterable[Validity], at: datetime) -> datetime | None:
    return max((validity.end_at for validity in validities if validity.in_force(at)), default=None)


def _local(at: datetime) -> str:
    """In the civil time of the persons who read it."""
    return f"{at.astimezone(PARIS):%d/%m/%Y à %H:%M}"


_RIGHT_OF = {
    Act.PICTURE_LIVE: Right.LIVE,
    Act.PICTURE_REPLAY: Right.REPLAY,
    Act.CONSTAT_TRAFFIC: Right.LIVE,
    Act.CONSTAT_WASTE: Right.LIVE,
}
_PURPOSE_OF = {Act.CONSTAT_TRAFFIC: "4", Act.CONSTAT_WASTE: "11"}

# --- the rules of each act, in the order in which they answer
# ----------------------------------------------------

_PICTURE_RULES: tuple[Rule, ...] = (
    _role_sees_pictures,
    _category_of_regime,
    _competent_for_commune,
    _authorised,
    _habilitated,
    _approved,
    _convention_for_lent_staff,
    _not_masked,
    _motif_given,
    _not_the_inquirys,
    _purpose_authorised,
)
_CONSTAT_RULES: tuple[Rule, ...] = (
    _role_sees_pictures,
    _category_of_regime,
    _competent_for_commune,
    _finds_offences,
    _authorised,
    _habilitated,
    _convention_for_lent_staff,
    _not_masked,
    _seen_live,
    _offence_authorised,
)
_everyone = _for_roles(*Role, source="CSI R.253-3")
_administers = _for_roles(Role.ADMINISTRATOR, source="CSI R.253-2")
_supervises = _for_roles(Role.SUPERVISOR, source="CSI R.253-3")
_knows_persons = _for_roles(Role.SUPERVISOR, Role.DELEGATE, Role.AUDITOR, source="CSI R.253-3")
_knows_holds = _for_roles(*KNOW_REQUISITIONS, source="CPP 11, CSI R.253-4 al. 3")
_ends_holds = _for_roles(Role.SUPERVISOR, Role.ADMINISTRATOR, source="CSI R.253-4 al. 3")
_runs_the_centre = _for_roles(Role.SUPERVISOR, Role.ADMINISTRATOR, source="CSI R.253-2")
_ends_freezes = _for_roles(Role.SUPERVISOR, Role.ADMINISTRATOR, source="CSI R.253-4")
_knows_storage = _for_roles(Role.SUPERVISOR, Role.AUDITOR, Role.ADMINISTRATOR, source="CSI R.253-4")
_answers_for_analysis = _for_roles(Role.SUPERVISOR, Role.ADMINISTRATOR, source="CSI L.251-2")
_masks = _for_roles(Role.SUPERVISOR, source="CSI L.251-3")
_knows_interruptions = _for_roles(
    Role.SUPERVISOR, Role.DELEGATE, Role.AUDITOR, Role.ADMINISTRATOR, source="CSI R.253-5"
)
_audits = _for_roles(Role.AUDITOR, source="CSI R.253-5")
_keeps_secure = _for_roles(Role.ADMINISTRATOR, Role.AUDITOR, source="CSI R.253-2")
_controls = _for_roles(Role.AUDITOR, Role.SUPERVISOR, Role.DELEGATE, source="CSI R.253-5")
_answers_for_recordings = _for_roles(
    Role.DELEGATE, Role.AUDITOR, Role.SUPERVISOR, Role.ADMINISTRATOR, source="CSI L.252-5, R.253-4"
)
_governs = _for_roles(Role.DELEGATE, Role.ADMINISTRATOR, source="CSI L.132-14 IV")
_knows_authorisations = _for_roles(
    Role.SUPERVISOR, Role.DELEGATE, Role.AUDITOR, Role.ADMINISTRATOR, source="CSI R.252-16"
)
_reads_territory = _for_roles(Role.SUPERVISOR, Role.DELEGATE, Role.ADMINISTRATOR, source="CSI R.252-16")

RULES: dict[Act, tuple[Rule, ...]] = {
    Act.ACCOUNT_CLOSE: (_administers,),
    Act.ACCOUNT_CREATE: (_administers,),
    Act.ACCOUNT_LIST: (_administers,),
    Act.ACCOUNT_RESET: (_administers,),
    Act.AGREMENT_PUT: (_runs_the_centre,),
    Act.AGREMENT_RESUME: (_runs_the_centre,),
    Act.AGREMENT_SUSPEND: (_runs_the_centre,),
    Act.ALARM_ACKNOWLEDGE: (_runs_the_centre,),
    Act.ALARM_LIST: (_everyone,),
    Act.ANOMALY_SEE: (_audits,),
    Act.AUTHORISATION_ACTIVATE: (_runs_the_centre,),
    Act.AUTHORISATION_AMEND: (_runs_the_centre,),
    Act.AUTHORISATION_COMPLETE: (_runs_the_centre,),
    Act.AUTHORISATION_DEPOSIT: (_runs_the_centre,),
    Act.AUTHORISATION_DRAFT: (_runs_the_centre,),
    Act.AUTHORISATION_DROP: (_runs_the_centre,),
    Act.AUTHORISATION_END_EVENT: (_runs_the_centre,),
    Act.AUTHORISATION_EXTEND: (_runs_the_centre,),
    Act.AUTHORISATION_GRANT: (_runs_the_centre,),
    Act.AUTHORISATION_LIST: (_knows_authorisations, _delegation_in_force),
    Act.AUTHORISATION_NOTIFY: (_runs_the_centre,),
    Act.AUTHORISATION_OPINION: (_runs_the_centre,),
    Act.AUTHORISATION_REFUSE: (_runs_the_centre,),
    Act.AUTHORISATION_RESUME: (_runs_the_centre,),
    Act.AUTHORISATION_SUSPEND: (_runs_the_centre,),
    Act.AUTHORISATION_WITHDRAW: (_runs_the_centre,),
    Act.BASIS_CONFIRM: (_answers_for_analysis,),
    Act.BASIS_END: (_answers_for_analysis,),
    Act.BASIS_LIST: (_answers_for_recordings, _delegation_in_force),
    Act.BASIS_PROPOSE: (_answers_for_analysis,),
    Act.CAMERA_LIST: (_everyone,),
    Act.CHECKPOINT_READ: (_controls, _delegation_in_force),
    Act.COMMUNE_CHANGE: (_runs_the_centre,),
    Act.COMMUNE_JOIN: (_runs_the_centre,),
    Act.CONSTAT_TRAFFIC: _CONSTAT_RULES,
    Act.CONSTAT_WASTE: _CONSTAT_RULES,
    Act.CONVENTION_ENTER: (_runs_the_centre,),
    Act.CONVENTION_RESUME: (_governs, _within_scope),
    Act.CONVENTION_SUSPEND: (_governs, _within_scope),
    Act.COVERAGE_READ: (_answers_for_recordings, _within_scope),
    Act.DEPORT_ENTER: (_runs_the_centre, _deport_lawful),
    Act.EVENT_FOLLOW: (_everyone,),
    Act.HABILITATION_END: (_habilitates,),
    Act.HABILITATION_GRANT: (_habilitates,),
    Act.HABILITATION_PROVE: (_knows_persons, _within_scope),
    Act.HABILITATION_RESUME: (_habilitates,),
    Act.HABILITATION_SUSPEND: (_habilitates,),
    Act.HOLD_LIST: (_knows_holds,),
    Act.HOLD_PUT: (_supervises,),
    Act.HOLD_RELEASE: (_ends_holds,),
    Act.INTERRUPTION_CONFIRM: (_masks,),
    Act.INTERRUPTION_END: (_runs_the_centre,),  # one that masks is ended by who may mask
    Act.INTERRUPTION_LIST: (_knows_interruptions, _delegation_in_force),
    Act.INTERRUPTION_MASK: (_masks,),
    Act.INTERRUPTION_PLAN: (_runs_the_centre,),
    Act.JOURNAL_EXPORT: (_controls, _delegation_in_force),
    Act.JOURNAL_PERSONS: (_controls, _delegation_in_force),
    Act.JOURNAL_PROVE: (_controls, _delegation_in_force),
    Act.JOURNAL_READ: (_controls, _delegation_in_force),
    Act.MOTIF_LIST: (_everyone,),
    Act.PASSWORD_CHANGE: (_everyone,),
    Act.PERSON_CONFIRM: (_runs_the_centre,),
    Act.PERSON_LEAVE: (_runs_the_centre,),
    Act.PERSON_LIST: (_knows_persons, _delegation_in_force),
    Act.PERSON_STAY: (_runs_the_centre,),
    Act.PICTURE_LIVE: _PICTURE_RULES,
    Act.PICTURE_REPLAY: _PICTURE_RULES,
    Act.PROPOSAL_CLOSE: (_runs_the_centre,),  # and who may confirm the very decision
    Act.PROPOSAL_LIST: (_runs_the_centre,),
    Act.RECORDER_READ: (_knows_storage,),
    Act.RELEASE_CONFIRM: (_ends_freezes,),
    Act.RELEASE_PROPOSE: (_ends_freezes,),
    Act.RETENTION_CONFIRM: (_ends_freezes,),
    Act.RETENTION_LIST: (_answers_for_recordings, _delegation_in_force),
    Act.RETENTION_PROPOSE: (_ends_freezes,),
    Act.RULE_SET: (_administers,),
    Act.SECURITY_READ: (_keeps_secure,),
    Act.SESSION_CLOSE: (_everyone,),
    Act.SESSION_LOCK: (_everyone,),
    Act.SESSION_READ: (_everyone,),
    Act.SESSION_SHIFT: (_everyone,),
    Act.SESSION_UNLOCK: (_everyone,),
    Act.SITE_ENTER: (_runs_the_centre,),
    Act.STATEMENT_LIST: (_answers_for_recordings, _delegation_in_force),
    Act.STATEMENT_READ: (_answers_for_recordings, _within_scope),
    Act.TERRITORY_READ: (_reads_territory, _delegation_in_force),
    Act.TICKET_REQUEST: (_everyone,),  # each request in it is then an act on pictures
    Act.TIMELINE_READ: (_within_scope,),
    Act.WATCHING_LIST: (_controls, _delegation_in_force),
}
