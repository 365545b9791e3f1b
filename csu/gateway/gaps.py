"""Why a stretch of a replay has no picture, in the words of the person who looks at it."""

_REASONS: dict[str, str] = {
    "camera": "La caméra ne donnait pas d'image.",
    "network": "La liaison avec la caméra était coupée.",
    "storage": "L'enregistreur n'avait plus de place ou de disque.",
    "ours": "L'enregistreur était arrêté, ou avait trop à faire.",
    "authorisation": "Aucune autorisation d'enregistrer à ce moment.",
    "planned": "Arrêt prévu de l'enregistrement.",
    "masked": "Images masquées.",
    "expired": "Images détruites à leur échéance.",
    "not_ordered": "La caméra n'était pas à enregistrer à ce moment.",
}


def gap_reason(cause: str) -> str:
    """A sentence in French for a gap's cause; a new cause gets a general one."""
    return _REASONS.get(cause, "Aucune image enregistrée.")
