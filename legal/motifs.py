"""Motifs: the coded reasons that CSI R.253-5 wants with every operation, and their references.

A motif serves some acts and, where it stands for a purpose, some finalités of CSI L.251-2. Its reference is
the number of an intervention, a réquisition or a request: never a name or a plate (CNIL, délibération
2021-122: no data of the main processing in the logs).
"""

import re
import unicodedata
from dataclasses import dataclass, replace

from legal.acts import Refused
from legal.facts import OUTSIDE

LIVE = "live"
REPLAY = "replay"
# A copy of recordings made, and handed out; a camera's PTZ taken from whoever has it.
EXTRACT, EXPORT, PTZ = "extract", "export", "ptz"
# The decisions of two persons that want one, by the names of `two_persons.Decision`.
MASK, UNMASK, RETENTION = "mask", "unmask", "retention"
HOLD_RELEASE, CLOCK_RELEASE, BREAKER_RELEASE = "hold_release", "clock_release", "breaker_release"
# A change of what is open to services of the State.
DEPORT = "deport"

# Digits with a few letters and separators: long enough for the numbering of any register, too short for
# prose.
_REFERENCE = re.compile(r"(?=.*[0-9])[0-9A-Za-z][0-9A-Za-z ./_-]{2,39}")
_WORD = re.compile(r"[A-Za-z]{5,}")
# Number plates, with or without separators: SIV (2009) anywhere in a reference; FNI as all of it, since numbers of
# registers look alike ("2026-INT-12").
_SIV = "[A-Z]{2}[ ./_-]{0,3}[0-9]{3}[ ./_-]{0,3}[A-Z]{2}"
_FNI = "[0-9]{1,4}{apart}[A-Z]{2,3}{apart}(?:[0-9]{2}|2[AB])"
_PLATE = re.compile(rf".*(?<![A-Z0-9]){_SIV}(?![A-Z0-9]).*|" + _FNI.replace("{apart}", "[ -]?"), re.I)
# The same in the midst of prose. Written apart they count in capitals only: "le 123 du" is no plate.
_PLATE_IN_PROSE = re.compile(
    rf"(?<![A-Za-z0-9])(?:{_SIV}|(?i:[A-Z]{{2}}[._-]?[0-9]{{3}}[._-]?[A-Z]{{2}})"
    rf"|{_FNI.replace('{apart}', ' {1,3}')}|(?i:{_FNI.replace('{apart}', '-?')}))(?![A-Za-z0-9])"
)
NO_MOTIF = Refused("MOTIF_REQUIRED", "Un motif est exigé pour cet acte.", "CSI R.253-5")
_CNIL = "CNIL, délibération 2021-122"
# Letters of other alphabets that are read as those of a plate.
_READ_AS = str.maketrans("АВЕЗІЈКМНОРСТУХавеіјкмнорстухΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABE3IJKMHOPCTYXabeijkmhopctyxABEZHIKMNOPTYX")


@dataclass(frozen=True, slots=True)
class MotifKind:
    """A coded reason. `finalites` None: not tied to a purpose of the list (the act rests on another text). `is_secret`:
    covered by the secret of the inquiry (CPP 11)."""

    code: str
    label: str
    acts: frozenset[str]
    finalites: frozenset[str] | None
    reference_required: bool
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Motif:
    """The reason given for one act."""

    code: str
    reference: str | None = None


def _live(code: str, label: str, *finalites: str) -> MotifKind:
    return MotifKind(code, label, frozenset({LIVE}), frozenset(finalites), reference_required=False)


def _event(code: str, label: str, *finalites: str) -> MotifKind:
    """Something that happened: what is watched, looked up and extracted is about it."""
    return MotifKind(code, label, frozenset({REPLAY, EXTRACT, PTZ}), frozenset(finalites), reference_required=True)


def _demand(code: str, label: str, *, is_secret: bool = False) -> MotifKind:
    """Somebody who may be given recordings asks for them."""
    acts = frozenset({REPLAY, EXTRACT, EXPORT})
    return MotifKind(code, label, acts, None, reference_required=True, is_secret=is_secret)


def _decision(code: str, label: str, *decisions: str, is_secret: bool = False) -> MotifKind:
    return MotifKind(code, label, frozenset(decisions), None, reference_required=True, is_secret=is_secret)


KINDS: dict[str, MotifKind] = {
    kind.code: kind
    for kind in (
        _live("SECURITE", "Prévention des atteintes aux personnes et aux biens", "5", "ERP", "COMMERCE", OUTSIDE),
        _live("BATIMENTS", "Protection des bâtiments et installations publics ou utiles à la défense", "1", "2", "9"),
        _live("CIRCULATION", "Régulation de la circulation", "3"),
        _live("INFRACTIONS", "Constatation des infractions routières et du défaut d'assurance", "4", "10"),
        _live("DEPOTS", "Prévention des dépôts de déchets", "11"),
        _live("SECOURS", "Secours aux personnes, risques naturels ou technologiques", "7", "8"),
        _live("TERRORISME", "Prévention des actes de terrorisme", "6"),
        _event(
            "INTERVENTION",
            "Intervention en cours ou récente",
            *("1", "2", "5", "6", "7", "8", "9", "ERP", "COMMERCE", OUTSIDE),
        ),
        _event("ACCIDENT", "Accident de la circulation", "3", "4", "8", "10"),
        _event("DEPOT_CONSTATE", "Dépôt de déchets constaté", "11"),
        _demand("REQUISITION", "Réquisition judiciaire", is_secret=True),
        _demand("DROIT_ACCES", "Demande de droit d'accès"),
        _decision("HABITATION", "L'image montre l'intérieur ou l'entrée d'une habitation", MASK),
        _decision("CHAMP", "La caméra est sortie du champ autorisé", MASK),
        _decision("FIN_MASQUAGE", "La cause du masquage a pris fin", UNMASK),
        _decision("ARRETE", "Arrêté préfectoral, nouveau ou modifié", DEPORT),
        _decision("AGENT", "Agent nommé par l'arrêté : changement ou départ", DEPORT),
        _decision("COMMUNE", "Décision de la commune", RETENTION, DEPORT),
        _decision("DPO", "Analyse d'impact ou avis du délégué à la protection des données", RETENTION),
        _decision(
            "AUTORITE",
            "Demande de l'autorité préfectorale, de la CNIL ou de la commission",
            *(MASK, UNMASK, RETENTION, DEPORT),
        ),
        _decision("HEURE_VERIFIEE", "Heure de la machine comparée à une source sûre", CLOCK_RELEASE),
        _decision("VOLUME_VERIFIE", "Cause et volume des effacements vérifiés", BREAKER_RELEASE),
        _decision("PROCEDURE_CLOSE", "Procédure close, ou images remises", HOLD_RELEASE, is_secret=True),
    )
}


def for_act(act: str) -> tuple[MotifKind, ...]:
    """The motifs that may be given for an act, in the order in which they are proposed."""
    return tuple(kind for kind in KINDS.values() if act in kind.acts)


def fault_of(motif: Motif | None, act: str) -> Refused | None:
    """Why a motif does not serve an act, or None if it does (CSI R.253-5)."""
    if motif is None:
        return NO_MOTIF
    kind = KINDS.get(motif.code)
    if kind is None or act not in kind.acts:
        return replace(NO_MOTIF, reason="Ce motif n'est pas prévu pour cet acte.")
    if motif.reference is None:
        return replace(NO_MOTIF, reason="Ce motif exige une référence.") if kind.reference_required else None
    return fault_of_reference(motif.reference)


def fault_of_reference(reference: str) -> Refused | None:
    """Why a text can't stand in the journal as a number, or None if it can (CNIL 2021-122)."""
    if not _REFERENCE.fullmatch(reference) or _WORD.search(reference):
        reason = (
            "La référence est un numéro de 3 à 40 caractères : chiffres, sigles de quatre lettres au plus, "
            "espaces, points, tirets, barres."
        )
        return Refused("REFERENCE_REFUSED", reason, _CNIL)
    return _plate("La référence") if _PLATE.fullmatch(reference) else None


def fault_of_prose(text: str) -> Refused | None:
    """Why a reason in free words can't enter the journal, or None if it can (CNIL 2021-122).

    It finds plates, in whatever letters and dashes they are written; that no name is written there remains for the
    person who writes.
    """
    return _plate("La raison") if _PLATE_IN_PROSE.search(_as_read(text)) else None


def _plate(where: str) -> Refused:
    return Refused("PLATE_FORBIDDEN", f"{where} ne peut pas contenir de plaque d'immatriculation.", _CNIL)


def _as_read(text: str) -> str:
    """As a person reads it: without what is not seen, accents apart, every dash and every space alike."""
    shown = unicodedata.normalize("NFKD", text).translate(_READ_AS)
    alike = {"Pd": "-", "Zs": " ", "Cf": "", "Cc": "", "Mn": ""}
    return "".join(alike.get(unicodedata.category(one), one) for one in shown)
