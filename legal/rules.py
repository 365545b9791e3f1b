"""The rules that decide on acts: each looks at one thing the law asks for.

A rule answers with the end of what it relied on or with a refusal that names its code (the project's list), a
sentence in plain French and the article. It looks for one fact in force among several, so that an added right
never takes one away. `permissions` says which rules an act has, and in which order they answer.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from legal import motifs
from legal.acts import Act, Refused
from legal.facts import (
    FOREVER,
    Actor,
    Authorisation,
    Basis,
    Camera,
    Category,
    Deport,
    Habilitation,
    Regime,
    Right,
    Role,
    Subject,
    Validity,
)
from legal.motifs import Motif
from legal.retention import PARIS, RetentionRefused, check_retention
from legal.scope import SIGHT, is_open_to, knows_requisitions, scope


@dataclass(frozen=True, slots=True)
class Case:
    """One question: who asks for what, about what, with which reason, when."""

    actor: Actor
    act: Act
    subject: Subject
    motif: Motif | None
    at: datetime


Rule = Callable[[Case], datetime | Refused]


@dataclass(frozen=True, slots=True)
class Use:
    """What an act does with pictures. `seen`: of now or recorded; `right`: what of a habilitation opens it; `motif`:
    what its motif serves."""

    seen: Right
    right: Right
    motif: str


_LIVE = Use(Right.LIVE, Right.LIVE, motifs.LIVE)
USES = {
    Act.PICTURE_LIVE: _LIVE,
    Act.PICTURE_REPLAY: Use(Right.REPLAY, Right.REPLAY, motifs.REPLAY),
    Act.PICTURE_EXTRACT: Use(Right.REPLAY, Right.EXTRACT, motifs.EXTRACT),
    Act.PICTURE_EXPORT: Use(Right.REPLAY, Right.EXTRACT, motifs.EXPORT),
    Act.PTZ_OVERRIDE: Use(Right.LIVE, Right.LIVE, motifs.PTZ),
    Act.CONSTAT_TRAFFIC: _LIVE,
    Act.CONSTAT_WASTE: _LIVE,
}
_PURPOSE_OF = {Act.CONSTAT_TRAFFIC: "4", Act.CONSTAT_WASTE: "11"}


# --- rules on persons
# -------------------------------------------------------------------------------------------


def for_roles(*roles: Role, source: str) -> Rule:
    """The act belongs to these roles."""

    def rule(case: Case) -> datetime | Refused:
        if case.actor.role in roles:
            return FOREVER
        return Refused("REGIME_ROLE_FORBIDDEN", "Votre fonction ne permet pas cet acte.", source)

    return rule


def handles_requisitions(case: Case) -> datetime | Refused:
    """A hold tells of a requisition, which is secret (CPP 11, CP 226-13)."""
    if knows_requisitions(case.actor):
        return FOREVER
    source = "CPP 11, CSI R.253-4 al. 3"
    return Refused("REGIME_ROLE_FORBIDDEN", "Votre fonction ne permet pas cet acte.", source)


_NO_PICTURES = {
    Role.AUDITOR: "L'audit contrôle les accès sans voir d'images.",
    Role.ADMINISTRATOR: "L'administration du centre ne donne aucun droit aux images.",
}


def role_sees_pictures(case: Case) -> datetime | Refused:
    """Only persons listed by CSI R.253-3 II see street pictures; administering or auditing is not on the
    list.
    """
    reason = _NO_PICTURES.get(case.actor.role)
    return FOREVER if reason is None else Refused("REGIME_ROLE_FORBIDDEN", reason, "CSI R.253-3")


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
# To whom of them an arrêté can open a regime: shopkeepers' cameras to police and gendarmerie alone (CSI L.252-2 al. 2).
FORCES: dict[Regime, frozenset[Category]] = dict.fromkeys(Regime, STATE_FORCES) | {
    Regime.COMMERCE: frozenset({Category.PN, Category.GN})
}


def category_of_regime(case: Case) -> datetime | Refused:
    """A regime admits some categories of persons only (CSI R.253-3, L.252-2 al. 2, L.252-3)."""
    camera = case.subject.camera
    if camera is None:
        return _no_authorisation()
    if case.actor.category in CATEGORIES[camera.regime]:
        return FOREVER
    if case.actor.category in FORCES[camera.regime]:
        return _opened_by_arrete(case, camera)
    return Refused("REGIME_ROLE_FORBIDDEN", "Votre qualité n'ouvre pas les images de cette caméra.", "CSI R.253-3")


def _opened_by_arrete(case: Case, camera: Camera) -> datetime | Refused:
    """Services of the State see what an arrêté opens, in the way it says, to those whom it names (CSI L.252-3)."""
    named = [deport for deport in camera.deports if case.actor.id in deport.persons]
    if _latest(named, case.at) is None:
        reason = "Aucun arrêté ne vous ouvre ces images."
        if any(deport.validity.is_suspended(case.at) and not deport.validity.is_over(case.at) for deport in named):
            reason = (
                "L'arrêté qui vous ouvrait ces images est suspendu ; le superviseur du centre peut vous dire pourquoi."
            )
        return Refused("DEPORT_NO_ARRETE", reason, "CSI L.252-3")
    until = _latest([deport for deport in named if USES[case.act].seen in deport.rights], case.at)
    if until is None:
        other = "le direct" if USES[case.act].seen is Right.REPLAY else "la relecture"
        return Refused("DEPORT_MODE", f"L'arrêté ne vous ouvre que {other} de ces images.", "CSI L.252-3")
    return until


def competent_for_commune(case: Case) -> datetime | Refused:
    """Pictures are for those competent in the commune where the camera stands (CSI R.253-3 II 2°)."""
    if _of_commune(case):
        return FOREVER
    return Refused("OUT_OF_COMMUNE", "Cette commune n'est pas de votre ressort.", "CSI R.253-3 II 2°")


def habilitated(case: Case) -> datetime | Refused:
    """A personal designation, or a delegation for the elected, in force and with the right (CSI R.253-3 II
    2°).
    """
    basis = Basis.DELEGATION if case.actor.category is Category.ELU else Basis.DESIGNATION
    ours = [h for h in _of_commune(case) if h.basis is basis and _opening(case) & h.rights]
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


def _opening(case: Case) -> frozenset[Right]:
    """The rights of which one is enough: supervisors extract what they may replay, others if designated for it."""
    right = USES[case.act].right
    if right is Right.EXTRACT and case.actor.role is Role.SUPERVISOR:
        return frozenset({right, Right.REPLAY})
    return frozenset({right})


def extracts(case: Case) -> datetime | Refused:
    """Neither the elected nor private operators extract recordings (CSI R.253-3); services of the State have them by
    requisition only (CPP 60-1), also where an arrêté lets them replay."""
    if case.actor.category in STATE_FORCES:
        if case.motif is not None and case.motif.code == "REQUISITION":
            return FOREVER
        return Refused("MOTIF_REQUIRED", "Les services de l'État obtiennent des images sur réquisition.", "CPP 60-1")
    if case.actor.category in (Category.ELU, Category.PRIVE_CNAPS):
        return Refused("REGIME_ROLE_FORBIDDEN", "Votre qualité ne permet pas d'extraire des images.", "CSI R.253-3")
    return FOREVER


def windowed(case: Case) -> datetime | Refused:
    """What is extracted is of a camera and of a time that are named."""
    if case.subject.window is not None:
        return FOREVER
    return Refused(
        "REQ_INCOMPLETE", "Dites de quand à quand sont les images demandées.", "arrêté du 3 août 2007, art. 3"
    )


def steers(case: Case) -> datetime | Refused:
    """A camera is taken over by who works at the centre: the elected look, and services of the State see what an arrêté
    opens and move nothing (CSI L.252-3)."""
    if case.actor.category in STATE_FORCES:
        return Refused("DEPORT_MODE", "L'arrêté vous ouvre des images, pas la commande de la caméra.", "CSI L.252-3")
    if case.subject.window is not None:
        return Refused("PTZ_NOT_LIVE", "Une caméra s'oriente en direct, pas en relecture.", "CSI R.253-5")
    if case.actor.category is Category.ELU:
        return Refused("REGIME_ROLE_FORBIDDEN", "Les élus n'orientent pas les caméras.", "CSI R.253-3")
    return FOREVER


_NEEDS_AGREMENT = frozenset({Category.CIVIL_AGREE, Category.ASVP})


def approved(case: Case) -> datetime | Refused:
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


def finds_offences(case: Case) -> datetime | Refused:
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


def authorised(case: Case) -> datetime | Refused:
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


def convention_for_lent_staff(case: Case) -> datetime | Refused:
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


def not_masked(case: Case) -> datetime | Refused:
    """A masked camera is shown to nobody, live or afterwards, and no role lifts a mask (CSI L.251-3)."""
    masks = () if case.subject.camera is None else case.subject.camera.masks
    if USES[case.act].seen is Right.REPLAY:
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


def motif_given(case: Case) -> datetime | Refused:
    """Every operation carries its motif (CSI R.253-5): the shift's for live pictures, one with a reference
    for a
    replay."""
    return motifs.fault_of(case.motif, USES[case.act].motif) or FOREVER


def not_the_inquirys(case: Case) -> datetime | Refused:
    """The elected handle no requisition, nor learn of one (CSI R.253-3 III, CPP 11)."""
    kind = None if case.motif is None else motifs.KINDS.get(case.motif.code)
    if kind is None or is_open_to(case.actor, kind):
        return FOREVER
    return Refused("REGIME_ROLE_FORBIDDEN", "Ce motif n'est pas ouvert aux élus.", "CPP 11")


def purpose_authorised(case: Case) -> datetime | Refused:
    """A use serves a finalité that the camera's authorisation lists (CSI L.251-2)."""
    kind = None if case.motif is None else motifs.KINDS.get(case.motif.code)
    if kind is None:
        return motifs.NO_MOTIF
    if kind.finalites is None:
        return FOREVER
    camera = case.subject.camera
    lines = _covering(case, () if camera is None else camera.authorisations)
    until = _latest([line for line in lines if line.finalites & kind.finalites], case.at)
    if until is not None:
        return until
    reason = f"L'autorisation de cette caméra ne prévoit pas cette finalité ({kind.label})."
    return Refused("FINALITE_NOT_AUTHORISED", reason, "CSI L.251-2")


def seen_live(case: Case) -> datetime | Refused:
    """An offence is found on pictures as they come, never on recorded ones (CNIL, vidéoverbalisation)."""
    if case.subject.window is None:
        return FOREVER
    return Refused("PV_NOT_LIVE", "Une infraction se constate en direct, pas en relecture.", "CNIL, vidéoverbalisation")


def offence_authorised(case: Case) -> datetime | Refused:
    """Each kind of offence has its finalité, which the camera's authorisation lists (CSI L.251-2 4° and 11°)."""
    number, camera = _PURPOSE_OF[case.act], case.subject.camera
    lines = _covering(case, () if camera is None else camera.authorisations)
    until = _latest([line for line in lines if number in line.finalites], case.at)
    if until is not None:
        return until
    reason = f"L'autorisation de cette caméra ne prévoit pas la finalité {number}° : rien ne peut y être constaté."
    return Refused("FINALITE_NOT_AUTHORISED", reason, f"CSI L.251-2 {number}°")


def deport_lawful(case: Case) -> datetime | Refused:
    """What opens pictures to services of the State is an arrêté that says enough (CSI L.252-3)."""
    return fault_of_arrete(case.subject.deport) or FOREVER


def fault_of_arrete(deport: Deport | None) -> Refused | None:
    """It has a reference, names whom and how, and they keep what they are sent for one month at most (CSI L.252-3)."""
    source = "CSI L.252-3"
    if deport is None or not deport.reference.strip():
        return Refused("DEPORT_NO_ARRETE", "Un déport exige la référence de l'arrêté qui l'ouvre.", source)
    if not deport.persons:
        return Refused("NOT_HABILITE", "Un déport nomme les agents qui voient les images.", source)
    if not deport.rights or deport.rights - {Right.LIVE, Right.REPLAY}:
        return Refused("DEPORT_MODE", "Un déport dit s'il ouvre le direct, la relecture ou les deux.", source)
    try:
        check_retention(deport.recipient_days, None)
    except RetentionRefused as refused:
        return Refused(refused.code, str(refused), source)
    return None


def within_scope(case: Case) -> datetime | Refused:
    """Persons bound to communes act on theirs only (CSI R.253-3 II 2°, R.251-1)."""
    known = scope(case.actor, case.at)
    commune = case.subject.commune
    if known is None:
        return FOREVER
    if commune is None or commune.insee not in known:
        return Refused("OUT_OF_COMMUNE", "Cette commune n'est pas de votre ressort.", "CSI R.253-3 II 2°")
    held = _of_commune(case)
    if case.act in SIGHT:
        return max(one.validity.to_at or FOREVER for one in held if not one.validity.is_over(case.at))
    until = _latest(held, case.at)
    if until is None:
        reason = "Votre habilitation pour cette commune n'est pas en vigueur."
        return Refused("NOT_HABILITE", reason, "CSI R.253-3 II 2°")
    return until


def delegation_in_force(case: Case) -> datetime | Refused:
    """Who controls for a commune holds its delegation at that moment (CSI R.253-3 II 2° a)."""
    if scope(case.actor, case.at) is None:
        return FOREVER
    until = _latest(case.actor.habilitations, case.at)
    if until is None:
        return Refused("NOT_HABILITE", "Votre délégation n'est pas en vigueur.", "CSI R.253-3 II 2° a")
    return until


def habilitates(case: Case) -> datetime | Refused:
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


def _of_commune(case: Case) -> list[Habilitation]:
    commune = case.subject.commune
    return [h for h in case.actor.habilitations if commune is not None and h.commune == commune.insee]


def _covering(case: Case, lines: Iterable[Authorisation]) -> list[Authorisation]:
    if USES[case.act].seen is Right.REPLAY:
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
