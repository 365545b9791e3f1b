import pytest

from legal.facts import FINALITES
from legal.motifs import DEPORT, EXPORT, EXTRACT, KINDS, LIVE, PTZ, REPLAY, Motif, fault_of, fault_of_prose, for_act
from legal.two_persons import Decision


def test_every_motif_serves_an_act_and_names_known_purposes() -> None:
    for code, kind in KINDS.items():
        assert code == kind.code
        assert kind.acts <= {LIVE, REPLAY, EXTRACT, EXPORT, PTZ, DEPORT, *Decision}
        assert kind.acts
        assert kind.finalites is None or kind.finalites <= set(FINALITES)


@pytest.mark.parametrize("act", [REPLAY, EXTRACT, EXPORT, PTZ, DEPORT])
def test_all_but_live_pictures_ask_for_a_reference(act: str) -> None:
    assert for_act(act)
    assert all(kind.reference_required for kind in for_act(act))


def test_every_decision_of_two_persons_has_its_motifs_and_each_wants_a_number() -> None:
    """But the registering of a legal basis, whose text is the reason."""
    for decision in set(Decision) - {Decision.LEGAL_BASIS}:
        assert for_act(decision), decision
        for kind in for_act(decision):
            assert kind.reference_required
            assert kind.acts <= {DEPORT, *Decision}, "what opens pictures decides nothing"
    assert for_act(Decision.LEGAL_BASIS) == ()


@pytest.mark.parametrize("act", [LIVE, REPLAY])
def test_every_purpose_of_the_law_has_a_motif(act: str) -> None:
    """Without one, a camera that is authorised for it alone could not be looked at."""
    served = frozenset[str]().union(*(kind.finalites or () for kind in for_act(act)))
    assert served == set(FINALITES)


@pytest.mark.parametrize(
    "reference", ["2026-001234", "PV 2026/118", "MC.1204", "R-7741/27", "MC 2026-INT-12", "INT 2026-118"]
)
def test_numbers_are_references(reference: str) -> None:
    assert fault_of(Motif("INTERVENTION", reference), REPLAY) is None


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "12",
        "Jean Dupont",
        "voiture rouge de M. Dupont 12",
        "AB-123-CD",
        "ab 123 cd",
        "1234 AB 27",
        "vu AB-123-CD",
        "MC 12 ab123cd",
        "AB.123.CD",
        "AB/123/CD",
        "ab_123_cd",
        "AB  123  CD",
        "vu AB--123--CD",
        "АВ-123-СЕ",
        "AB-１２３-CD",
        "12\u200b345",
        "\u202e12345",
        "1" * 41,
        "é12",
    ],
)
def test_names_plates_and_prose_are_not(reference: str) -> None:
    assert fault_of(Motif("INTERVENTION", reference), REPLAY) is not None


def test_a_motif_of_another_act_does_not_serve() -> None:
    assert fault_of(Motif("SECURITE"), REPLAY) is not None
    assert fault_of(Motif("SECURITE"), LIVE) is None


@pytest.mark.parametrize(
    "text",
    [
        "véhicule AB-123-CD",
        "ab123cd",
        "vu AB 123 CD hier",
        "1234 AB 27",
        "le 12ab2a",
        "АВ-123-СЕ",
        "ΑΒ 123 ΕΖ",
        "ＡＢ-１２３-ＣＤ",
        "AB–123—CD",
        "A\u200bB-12\u200d3-CD",
        "\u202eAB-123-CD",
        "AB\u00a0123\u202fCD",
        "AB.123.CD",
        "ab_123_cd",
        "AB - 123 - CD",
        "_AB-123-CD_",
        "Á̈B-123-CD",
    ],
)
def test_plates_are_found_in_prose(text: str) -> None:
    assert fault_of_prose(text) is not None


@pytest.mark.parametrize(
    "text", ["contrôle du 12 au 15", "le 123 du registre", "réunion le 23 nov 26", "arrêté 2026-14"]
)
def test_prose_without_a_plate_passes(text: str) -> None:
    assert fault_of_prose(text) is None
