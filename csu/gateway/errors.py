"""Refusals of the gateway: a code for programs, a sentence in French for the person.

    Refused          theirs: the ticket, the request or the moment does not allow it
    SpoolError       ours: what is served can't be written down, so nothing is served

A refusal tells nothing that the ticket's holder does not know already: no camera, no path, no cause inside.
"""

REASONS: dict[str, str] = {
    "TICKET_INVALID": "Le ticket d'accès n'est pas valable.",
    "TICKET_USED": "Ce ticket d'accès a déjà servi : refaites la demande.",
    "RIGHT_WITHDRAWN": "Votre droit d'accès à ces images a été retiré.",
    "RIGHT_ENDED": "Votre droit d'accès à ces images est arrivé à son terme.",
    "CENTRE_UNREACHABLE": "Le serveur du centre ne répond plus : les images sont suspendues.",
    "SPOOL_UNAVAILABLE": "Le registre des images servies n'est pas disponible : rien ne peut être montré.",
    "SHUTTING_DOWN": "Le serveur d'images s'arrête.",
    "TOO_MANY_CHANNELS": "Trop d'images ouvertes en même temps sur ce poste.",
    "TOO_MANY_VIEWERS": "Trop d'images ouvertes en même temps : réessayez dans un instant.",
    "BAD_MESSAGE": "Message incompréhensible.",
    "BAD_REQUEST": "Demande incompréhensible.",
    "UNKNOWN_PARAMETER": "Aucune adresse de ce serveur n'a de paramètre.",
    "TOO_LARGE": "Demande trop longue.",
    "ORIGIN_REFUSED": "Cette page n'a pas accès aux images.",
    "IDLE": "Cette relecture est restée inutilisée dix minutes : relancez-la.",
    "LEASE_UNKNOWN": "Cet accès est terminé, ou la passerelle vidéo a redémarré : redemandez les images.",
    "CODEC_NOT_PLAYABLE": "Cette caméra envoie du H.265 : elle est enregistrée, mais les navigateurs ne la lisent pas.",
    "PICTURES_REORDERED": "Cette caméra envoie ses images dans le désordre (images B) : WebRTC ne peut pas la montrer.",
    "RECORDING_GONE": "L'enregistrement a été détruit à son échéance.",
    "NOTHING_RECORDED": "Aucune image n'est enregistrée dans cet intervalle.",
    "CLOCK_UNTRUSTED": "L'heure du serveur n'est pas sûre : la relecture est suspendue.",
    "STORAGE_UNREADABLE": "Les enregistrements ne sont pas lisibles pour le moment.",
    "STEPS_REFUSED": "Ce que cette page dit des images parcourues ne correspond pas à ce qui lui a été servi.",
    "RANGE_INVALID": "L'extrait demandé n'existe pas dans cette relecture.",
    "WEBRTC_CLOSED": "La diffusion WebRTC n'est pas configurée sur ce serveur.",
    "OFFER_REFUSED": "L'offre WebRTC n'est pas acceptable : vidéo H.264 en réception seulement.",
    "NO_PICTURE": "La caméra ne donne pas d'image pour le moment.",
    "NOT_FOUND": "Rien à cette adresse.",
    "METHOD_NOT_ALLOWED": "Opération inconnue à cette adresse.",
    "FAILURE": "Le serveur d'images a rencontré une erreur.",
}


class Refused(Exception):
    """The request is not served. `reason` is a sentence in French, for the person."""

    def __init__(self, code: str, reason: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason or REASONS[code]


class SpoolError(Exception):
    """The spool can't be opened or written; the text says what failed, for the log."""
