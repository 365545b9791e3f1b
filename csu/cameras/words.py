"""French sentences for the codes of recorder and cameras."""

_FAULTS = {
    "unreachable": "La caméra ne répond pas sur le réseau.",
    "refused_credentials": "La caméra refuse l'identifiant ou le mot de passe.",
    "timeout": "La caméra ne répond pas à temps.",
    "stalled": "La caméra n'envoie plus d'images.",
    "reset": "La caméra a coupé la connexion.",
    "closed": "La caméra a fermé la connexion.",
    "protocol": "La caméra ne respecte pas le protocole RTSP.",
    "not_found": "La caméra ne connaît pas ce flux.",
    "no_video": "La caméra n'annonce aucune vidéo.",
    "unsupported_codec": "Le codage vidéo de la caméra n'est pas pris en charge.",
    "garbage": "La caméra envoie des données illisibles.",
}

_GAPS = {
    "camera": "Caméra sans image",
    "network": "Réseau interrompu",
    "storage": "Stockage plein ou indisponible",
    "ours": "Enregistreur arrêté",
    "authorisation": "Aucune autorisation en vigueur",
    "planned": "Arrêt programmé",
    "masked": "Période masquée",
}


def fault_reason(fault: str | None) -> str | None:
    return None if fault is None else _FAULTS.get(fault, "La caméra est en défaut.")


def gap_reason(cause: str) -> str:
    return _GAPS.get(cause, "Enregistrement interrompu")
