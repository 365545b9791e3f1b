"""French messages of alarms, by code. `{subject}` is a camera's number and name, or a part of the
centre; `{place}` a storage directory."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from csu.gateway.faults import fault_reason
from csu.recording.words import clock_alarm, degraded_alarm, freeze_reason
from legal.norms import NORMS
from legal.persons import Due
from legal.retention import PARIS

_MESSAGES = {
    "AUTH_EXPIRING": "Autorisation {subject} : elle expire dans moins de {detail} mois, demandez le renouvellement.",
    "AUTH_EXPIRED": "Autorisation {subject} : expirée. Ses caméras ne sont plus ni enregistrées ni vues.",
    "PROVISIONAL_ENDING": "Autorisation provisoire {subject} : elle prend fin dans moins de sept jours.",
    "DEPORT_ENDING": "Déport {subject} : l'arrêté vaut jusqu'au {detail} inclus.",
    "CDV_LATE": "Dossier {subject} : la commission n'a pas rendu son avis dans son délai.",
    "REFUS_IMPLICITE": "Dossier {subject} : plus de quatre mois de silence du préfet, la demande est rejetée.",
    "STREAM_BELOW_NORM": "Caméra {subject} : depuis cinq minutes sous la norme, au moins {detail} exigés.",
    "RECORDER_UNREACHABLE": "L'enregistreur ne répond pas.",
    "GATEWAY_UNREACHABLE": "La passerelle d'images ne répond pas : aucune image ne peut être ouverte.",
    "VALKEY_DOWN": "Le service d'événements est arrêté : les écrans se rafraîchissent toutes les quatre secondes.",
    "JOURNAL_LATE": "Des entrées du journal attendent leur numéro depuis plus de dix secondes.",
    "ANCHOR_FAILED": "L'ancre quotidienne du journal n'a pas pu partir ({detail}).",
    "ORDERS_REFUSED": "L'enregistreur refuse ses consignes et suit les dernières qu'il a acceptées. {detail}",
    "INDEX_UNKNOWN": "L'enregistreur présente un index inconnu : des enregistrements peuvent manquer.",
    "CAMERA_LOST": "Caméra {subject} : plus d'image. {detail}",
    "CAMERA_CLOCK": "Caméra {subject} : son heure n'est pas celle de l'enregistreur, qui date les images. {detail}",
    "OVERDUE": "Caméra {subject} : des enregistrements sont encore là après leur échéance.",
    "CLOCK_UNTRUSTED": "Effacement et relecture sont suspendus. {detail}",
    "DESTRUCTION_BREAKER": "Des effacements attendent deux personnes. {detail}",
    "DEGRADED": "Fonctionnement dégradé. {detail}",
    "PRIORITY_STOPPED": "Caméra {subject} : plus enregistrée, faute de place.",
    "STORAGE_STARTING": "{place} : en cours d'ouverture, rien n'y est encore enregistré.",
    "STORAGE_UNMOUNTED": "{place} : n'est pas monté, rien n'y est enregistré.",
    "STORAGE_FOREIGN": "{place} : appartient à un autre enregistreur, rien n'y est enregistré.",
    "STORAGE_BUSY": "{place} : utilisé par un autre enregistreur.",
    "STORAGE_FAILED": "{place} : en erreur.",
    "STORAGE_FULL": "{place} : plein, rien n'y est enregistré.",
    "STORAGE_SHORT": "{place} : la place manquera avant que des échéances en libèrent (vue Enregistrement).",
    "STORAGE_DROPPED": "{place} : n'est plus dans les réglages, ce qu'il contient n'est ni montré ni effacé.",
    "STORAGE_LOW": "{place} : presque plein.",
    "INDEX_NEW": "L'enregistreur a un index neuf : des enregistrements peuvent manquer.",
    "AGREMENT_ENDING": "Agent {subject} : l'agrément préfectoral vaut jusqu'au {detail} inclus.",
    "AGREMENT_SUSPENDED": "Agent {subject} : l'agrément préfectoral est suspendu depuis le {detail}.",
    "DELEGATION_ENDING": "{subject} : la délégation de l'élu vaut jusqu'au {detail} inclus.",
    "DESIGNATION_ENDING": "{subject} : l'habilitation de l'agent vaut jusqu'au {detail} inclus.",
    "INQUIRY_DUE": "Agent {subject} : l'enquête administrative est à refaire avant le {detail}.",
    "INQUIRY_OVERDUE": "Agent {subject} : l'enquête administrative était à refaire avant le {detail}.",
    "LEAVER": "Agent {subject} : il part, son compte sera fermé le {detail}.",
    "REVIEW_DUE": "Agent {subject} : son compte est à confirmer avant le {detail}.",
    "REVIEW_OVERDUE": "Agent {subject} : son compte devait être confirmé avant le {detail}.",
    "SECOND_SESSION": "Compte {subject} : ouvert sur plusieurs postes à la fois ({detail}).",
    "SEGMENT_DAMAGED": "Un fichier d'enregistrement est endommagé.",
    "INDEX_DAMAGED": "L'index d'un enregistreur est endommagé : ce qu'il a noté ne peut plus être lu en entier.",
}

# The subject of what concerns no camera and no directory of its own.
WHOLE = "centre"

# What tells of an event and not of a state: nothing ends it by itself, a person who has looked into it does.
EVENTS = frozenset(
    {
        *("AUTH_EXPIRED", "REFUS_IMPLICITE", "INDEX_UNKNOWN", "INDEX_NEW", "SECOND_SESSION", "SEGMENT_DAMAGED"),
        *("STORAGE_DROPPED", "INDEX_DAMAGED"),
    }
)

# What tells of a person's standing: for those who answer for it, not for colleagues.
OF_PERSONS = frozenset({*Due, "SECOND_SESSION"})

_WAYS = {"file": "fichier", "mail": "courriel", "timestamp": "horodatage"}


def _ways(detail: str) -> str:
    return ", ".join(_WAYS.get(way, way) for way in detail.split(","))


def _day(detail: str) -> str:
    return f"{datetime.fromisoformat(detail).astimezone(PARIS):%d/%m/%Y}"


def _last_day(detail: str) -> str:
    """Of what ends at an instant: an act says the last day on which it holds."""
    return _day((datetime.fromisoformat(detail) - timedelta(microseconds=1)).isoformat())


def _orders(code: str) -> str:
    if code != "ORDER_OLD":
        return ""
    return "Elles sont plus anciennes : après une restauration, vérifiez le centre puis lancez csu orders supersede."


_DETAILS: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(Due, _day),
    **dict.fromkeys((Due.AGREMENT_ENDING, Due.DELEGATION_ENDING, Due.DESIGNATION_ENDING), _last_day),
    "DEPORT_ENDING": _last_day,
    "SECOND_SESSION": str,
    "AUTH_EXPIRING": str,
    "ANCHOR_FAILED": _ways,
    "ORDERS_REFUSED": _orders,
    "STREAM_BELOW_NORM": lambda code: next(norm.required for norm in NORMS if norm.code == code),
    "CAMERA_LOST": fault_reason,
    "CAMERA_CLOCK": clock_alarm,
    "CLOCK_UNTRUSTED": partial(freeze_reason, "clock"),
    "DESTRUCTION_BREAKER": partial(freeze_reason, "breaker"),
    "DEGRADED": degraded_alarm,
}


def message(code: str, subject: str, detail: str) -> str:
    """The sentence for an alarm. Details of the machine stay in its logs; what a person acts on is put in words."""
    in_words = _DETAILS.get(code)
    words = "" if in_words is None else in_words(detail)
    place = "Stockage des enregistrements" if subject == WHOLE else f"Répertoire {subject}"
    told = _MESSAGES.get(code, "Alarme {code} ({subject}).")
    return told.format(code=code, subject=subject, place=place, detail=words).rstrip()
