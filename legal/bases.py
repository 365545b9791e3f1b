"""Legal bases for the automatic analysis of pictures: dated facts, per function and camera.

As the law stands none can be registered for what the CSI governs: its articles "ne [peuvent] être interprété[s], dans
[leur] silence, comme autorisant" systematic automatic analysis (Conseil d'État, 30 January 2026, n° 506370), also where
a person checks every alert (CNIL, 18 November 2024). Places closed to the public are outside of it. A register of dated
rows, so that a law to come opens a named function for named cameras and dates, and nothing by a new version of ours.
"""

from datetime import timedelta
from enum import StrEnum

from legal.acts import Refused
from legal.facts import Regime, Validity

LONGEST = timedelta(days=5 * 366)
_CE = "CSI L.251-2 ; CE, 30 janvier 2026, n° 506370"


class Function(StrEnum):
    """What pictures would be analysed for."""

    DEPOT = "DEPOT"
    PRESENCE = "PRESENCE"
    LAPI = "LAPI"


LABELS: dict[Function, str] = {
    Function.DEPOT: "Détection de dépôts de déchets",
    Function.PRESENCE: "Détection d'une présence dans un lieu fermé",
    Function.LAPI: "Lecture de plaques d'immatriculation",
}


def fault_of(function: Function, regime: Regime, validity: Validity) -> Refused | None:
    """Why no basis can be registered for a function on a camera of this regime; None when one can."""
    if function is Function.LAPI:
        reason = "La lecture de plaques est réservée à la police nationale, à la gendarmerie et aux douanes."
        return Refused("LAPI_FORBIDDEN", reason, "CSI L.233-1, L.233-2")
    if regime is not Regime.HORS_CSI:
        reason = (
            "Aucun texte ne permet l'analyse automatique des images de vidéoprotection, même revue par une personne."
        )
        return Refused("ALGO_NO_LEGAL_BASIS", reason, _CE)
    if validity.to_at is None or not timedelta() < validity.to_at - validity.from_at <= LONGEST:
        reason = "Une base légale a un début et un terme, à cinq ans au plus."
        return Refused("BASIS_DATES", reason, "RGPD art. 5, 1 e)")
    return None
