"""French messages of alarms, by code. `{subject}` is a camera's number and name, or a part of the centre."""

from csu.gateway.faults import fault_reason

_MESSAGES = {
    "RECORDER_UNREACHABLE": "L'enregistreur ne répond pas.",
    "GATEWAY_UNREACHABLE": "La passerelle d'images ne répond pas : aucune image ne peut être ouverte.",
    "VALKEY_DOWN": "Le service d'événements est arrêté : les écrans se rafraîchissent toutes les quatre secondes.",
    "JOURNAL_LATE": "Des entrées du journal attendent leur numéro depuis plus de dix secondes.",
    "ORDERS_REFUSED": "L'enregistreur refuse ses consignes.",
    "INDEX_UNKNOWN": "L'enregistreur présente un index inconnu : des enregistrements peuvent manquer.",
    "CAMERA_LOST": "Caméra {subject} : plus d'image. {detail}",
    "OVERDUE": "Caméra {subject} : des enregistrements sont encore là après leur échéance.",
    "CLOCK_UNTRUSTED": "L'horloge de l'enregistreur n'est pas sûre : effacement et relecture sont suspendus.",
    "STORAGE_STARTING": "L'enregistreur ouvre son stockage : rien n'est encore enregistré.",
    "STORAGE_UNMOUNTED": "Le répertoire des enregistrements n'est pas monté : rien n'est enregistré.",
    "STORAGE_FOREIGN": "Le répertoire des enregistrements est celui d'un autre enregistreur : rien n'est enregistré.",
    "STORAGE_BUSY": "Un autre enregistreur utilise le répertoire des enregistrements.",
    "STORAGE_FAILED": "Le stockage des enregistrements est en erreur.",
    "STORAGE_FULL": "Le stockage des enregistrements est plein : rien n'est enregistré.",
    "STORAGE_LOW": "Le stockage des enregistrements est presque plein.",
    "INDEX_NEW": "L'enregistreur a un index neuf : des enregistrements peuvent manquer.",
    "SEGMENT_DAMAGED": "Un fichier d'enregistrement est endommagé.",
}

# What tells of an event and not of a state: nothing ends it by itself, a person who has looked into it does.
EVENTS = frozenset({"INDEX_UNKNOWN", "INDEX_NEW", "SEGMENT_DAMAGED"})


def message(code: str, subject: str, detail: str) -> str:
    """The sentence for an alarm. Details of the machine stay in its logs; a camera's fault is put in words."""
    words = fault_reason(detail) if code == "CAMERA_LOST" else ""
    return _MESSAGES.get(code, "Alarme {code} ({subject}).").format(code=code, subject=subject, detail=words)
