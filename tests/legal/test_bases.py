"""The register of legal bases: what no text opens is refused, with its article."""

from datetime import UTC, datetime, timedelta

import pytest

from legal.bases import LONGEST, Function, fault_of
from legal.facts import Regime, Validity

AT = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
YEAR = Validity(AT, AT + timedelta(days=365))
STREET = [regime for regime in Regime if regime is not Regime.HORS_CSI]


def code(function: Function, regime: Regime, validity: Validity = YEAR) -> str | None:
    refused = fault_of(function, regime, validity)
    assert refused is None or (refused.reason.endswith(".") and refused.source)
    return None if refused is None else refused.code


@pytest.mark.parametrize("regime", STREET)
def test_rows_54_and_55_no_analysis_of_what_the_csi_governs_be_it_reviewed(regime: Regime) -> None:
    assert code(Function.DEPOT, regime) == "ALGO_NO_LEGAL_BASIS"
    assert code(Function.PRESENCE, regime) == "ALGO_NO_LEGAL_BASIS"


def test_row_56_no_plate_reading_anywhere() -> None:
    assert {code(Function.LAPI, regime) for regime in Regime} == {"LAPI_FORBIDDEN"}


def test_a_place_closed_to_the_public_may_have_one_with_its_dates() -> None:
    assert code(Function.DEPOT, Regime.HORS_CSI) is None
    for to_at in (None, AT, AT + LONGEST + timedelta(days=1)):
        assert code(Function.DEPOT, Regime.HORS_CSI, Validity(AT, to_at)) == "BASIS_DATES"
