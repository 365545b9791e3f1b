"""French messages of alarms, by code. `{subject}` is a camera's number and name, or a part of the centre."""

from collections.abc import Callable
from functools import partial

from csu.gateway.faults import fault_reason
from csu.recording.words import degraded_alarm, freeze_reason

_MESSAGES = {
    "RECORDER_UNREACHABLE": "L'enregistreur ne répond pas.",
    "GATEWAY_UNREACHABLE": "La passerelle d'images ne répond pas : aucune image ne peut être ouverte.",
    "VALKEY_DOWN": "Le service d'événements est arrêté : les écrans se rafraîchissent toutes les quatre secondes.",
    "JOURNAL_LATE": "Des entrées du journal attendent leur numéro depuis plus de dix secondes.",
    "ORDERS_REFUSED": "L'enregistreur refuse ses consignes.",
    "INDEX_UNKNOWN": "L'enregistreur présente un index inconnu : des enregistrements peuvent manquer.",
    "CAMERA_LOST": "Caméra {subject} : plus d'image. {detail}",
    "OVERDUE": "Caméra {subject} : des enregistrements sont encore là après leur échéance.",
    "CLOCK_UNTRUSTED": "Effacement et relecture sont suspendus. {detail}",
    "DESTRUCTION_BREAKER": "Les effacements sont suspendus. {detail}",
    "DEGRADED": "Fonctionnement dégradé. {detail}",
    "PRIORITY_STOPPED": "Caméra {subject} : plus enregistrée, faute de place.",
    "STORAGE_STARTING": "L'enregistreur ouvre son stockage : rien n'est encore enregistré.",
    "STORAGE_UNMOUNTED": "Le répertoire des enregistrements n'est pas monté : rien n'est enregistré.",
    "STORAGE_FOREIGN": "Le répertoire des enregistrements est celui d'un autre enregistreur : rien n'est enregistré.",
    "STORAGE_BUSY": "Un autre enregistreur utilise le répertoire des enregistrements.",
    "STORAGE_FAILED": "Le stockage des enregistrements est en erreur.",
    "STORAGE_FULL": "Le stockage des enregistrements est plein : rien n'est enregistré.",
    "STORAGE_SHORT": "La place manquera avant que des échéances en libèrent : voyez la page Stockage.",
    "STORAGE_LOW": "Le stockage des enregistrements est presque plein.",
    "INDEX_NEW": "L'enregistreur a un index neuf : des enregistrements peuvent manquer.",
    "SEGMENT_DAMAGED": "Un fichier d'enregistrement est endommagé.",
}

# What tells of an event and not of a state: nothing ends it by itself, a person who has looked into it does.
EVENTS = frozenset({"INDEX_UNKNOWN", "INDEX_NEW", "SEGMENT_DAMAGED"})


_DETAILS: dict[str, Callable[[str], str]] = {
    "CAMERA_LOST": fault_reason,
    "CLOCK_UNTRUSTED": partial(freeze_reason, "clock"),
    "DESTRUCTION_BREAKER": partial(freeze_reason, "breaker"),
    "DEGRADED": degraded_alarm,
}


def message(code: str, subject: str, detail: str) -> str:
    """The sentence for an alarm. Details of the machine stay in its logs; what a person acts on is put in words."""
    in_words = _DETAILS.get(code)
    words = "" if in_words is None else in_words(detail)
    return _MESSAGES.get(code, "Alarme {code} ({subject}).").format(code=code, subject=subject, detail=words)
