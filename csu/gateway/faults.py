"""Why a camera gives no picture, in the words of the person who looks at its tile."""

from csu.gateway.hub import RECORDER_UNREACHABLE
from recorder.feed import DEGRADED, UNKNOWN_STREAM
from streams.errors import CameraFault

_REASONS: dict[str, str] = {
    CameraFault.UNREACHABLE: "La caméra est injoignable.",
    CameraFault.REFUSED_CREDENTIALS: "La caméra refuse le mot de passe du centre.",
    CameraFault.TIMEOUT: "La caméra ne répond pas.",
    CameraFault.STALLED: "La caméra n'envoie plus d'image.",
    CameraFault.RESET: "La liaison avec la caméra est rompue.",
    CameraFault.CLOSED: "La caméra a fermé la liaison.",
    CameraFault.PROTOCOL: "La caméra répond de façon incorrecte.",
    CameraFault.NOT_FOUND: "La caméra ne connaît pas ce flux.",
    CameraFault.NO_VIDEO: "Ce flux de la caméra ne contient pas de vidéo.",
    CameraFault.UNSUPPORTED_CODEC: "Le format vidéo de la caméra n'est pas pris en charge.",
    CameraFault.GARBAGE: "La caméra envoie des données illisibles.",
    RECORDER_UNREACHABLE: "L'enregistreur ne répond pas.",
    UNKNOWN_STREAM: "L'enregistreur n'a pas encore reçu l'ordre d'ouvrir ce flux.",
    DEGRADED: "Fonctionnement dégradé : l'enregistreur a suspendu ce flux. Agrandissez la caméra pour la voir.",
    "forbidden": "L'autorisation de cette caméra n'est pas en vigueur.",
    "masked": "Les images de cette caméra sont masquées par consigne.",
    "connecting": "Connexion à la caméra en cours.",
}


def fault_reason(fault: str) -> str:
    """A sentence in French for a fault of the packet feed; a new fault gets a general one."""
    return _REASONS.get(fault, "La caméra ne donne pas d'image.")
