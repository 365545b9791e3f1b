"""French messages of alarms, by code. `{subject}` is a camera's number and name, or a part of the centre."""

_MESSAGES = {
    "RECORDER_UNREACHABLE": "L'enregistreur ne répond pas.",
    "GATEWAY_UNREACHABLE": "La passerelle d'images ne répond pas : aucune image ne peut être ouverte.",
    "VALKEY_DOWN": "Le service d'événements est arrêté : les écrans se rafraîchissent toutes les quatre secondes.",
    "JOURNAL_LATE": "Des entrées du journal attendent leur numéro depuis plus de dix secondes.",
    "ORDERS_REFUSED": "L'enregistreur refuse ses consignes.",
    "INDEX_UNKNOWN": "L'enregistreur présente un index inconnu : des enregistrements peuvent manquer.",
    "CAMERA_LOST": "Caméra {subject} : plus d'image. {detail}",
    "CLOCK_UNTRUSTED": "L'horloge de l'enregistreur n'est pas sûre : effacement et relecture sont suspendus.",
    "CLOCK_JUMP": "L'horloge de l'enregistreur a sauté : effacement et relecture sont suspendus.",
    "STORAGE_FULL": "Le stockage est plein.",
    "STORAGE_MISSING": "Un répertoire d'enregistrement est absent ou étranger.",
    "STORAGE_ERROR": "Le stockage est en erreur.",
}


def message(code: str, subject: str, detail: str) -> str:
    template = _MESSAGES.get(code, "Alarme {code} ({subject}). {detail}")
    return template.format(code=code, subject=subject, detail=detail).strip()
