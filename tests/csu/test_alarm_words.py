"""Alarms in plain French: no word of a program reaches a person."""

import pytest

from csu.alarms.words import WHOLE, message
from recorder.degradation import BOUNDS
from streams.errors import CameraFault


@pytest.mark.parametrize("fault", [*CameraFault, "connecting", "something_new"])
def test_a_lost_camera_is_told_in_words(fault: str) -> None:
    told = message("CAMERA_LOST", "01 Place (Évreux)", fault)
    assert told.startswith("Caméra 01 Place (Évreux) : plus d'image. ")
    assert told.endswith(".")
    assert fault not in told
    assert "_" not in told


def test_each_fault_has_words_of_its_own() -> None:
    told = {message("CAMERA_LOST", "01", fault) for fault in CameraFault}
    assert len(told) == len(CameraFault)
    assert message("CAMERA_LOST", "01", "something_new") not in told


def test_each_level_of_the_degraded_mode_says_what_is_given_up_and_why() -> None:
    told = {message("DEGRADED", "machine", f"{level} {reason}") for level in (1, 2, 3) for reason in BOUNDS}
    assert len(told) == 3 * len(BOUNDS)
    assert not [words for words in told if any(reason in words for reason in BOUNDS)]
    assert all(words.startswith("Fonctionnement dégradé. ") for words in told)


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ("+2.4", "Elle avance de 2 s."),
        ("-119.0", "Elle retarde de 119 s."),
        ("+3600.2", "Elle avance de 60 min."),
        ("-10800.0", "Elle retarde de 3 h."),
        ("-900000.0", "Elle retarde de 10 jours."),
        ("-1795441200.0", "Elle retarde de 56 ans."),
    ],
)
def test_a_clock_that_is_off_is_told_in_words(detail: str, told: str) -> None:
    is_off = "Caméra 01 Place (Évreux) : son heure n'est pas celle de l'enregistreur, qui date les images."
    assert message("CAMERA_CLOCK", "01 Place (Évreux)", detail) == f"{is_off} {told}"
    assert message("CAMERA_CLOCK", "01 Place (Évreux)", "something new").rstrip() == is_off


def test_details_of_the_machine_stay_in_its_logs() -> None:
    told = message("STORAGE_FAILED", "recordings", "[Errno 5] Input/output error: '/var/lib/csu'")
    assert "Errno" not in told
    assert "/var" not in told


def test_a_directory_among_others_is_named() -> None:
    assert message("STORAGE_FULL", "disque2", "").startswith("Répertoire disque2 : plein")
    assert message("STORAGE_FULL", WHOLE, "").startswith("Stockage des enregistrements : plein")


@pytest.mark.parametrize("reason", ["retention", "clock", "something new"])
def test_a_breaker_is_told_in_words(reason: str) -> None:
    told = message("DESTRUCTION_BREAKER", "machine", reason)
    assert told.startswith("Des effacements attendent deux personnes. ")
    assert told.endswith(".")
    assert reason not in told
    assert ("conservation" in told, "horloge" in told) == ("retention" in reason, "clock" in reason)
