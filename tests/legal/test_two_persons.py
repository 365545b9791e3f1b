"""Proposals: who may confirm, until when, and that one that is over stays over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legal.two_persons import (
    CONFIRM_WITHIN,
    GIVEN_WITHIN,
    Given,
    Proposal,
    fault_of_hands,
    may_propose,
    second_person,
    undecidable,
)

AT = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE = Proposal("a", AT, "subject")
MINUTES = st.integers(-200, 200).map(lambda n: AT + timedelta(minutes=n))


@pytest.mark.parametrize(
    ("proposal", "subject", "person", "at", "code"),
    [
        (None, "subject", "b", AT, "NO_PROPOSAL"),
        (replace(ONE, closed_at=AT), "subject", "b", AT, "NO_PROPOSAL"),
        (replace(ONE, confirmed_at=AT), "subject", "b", AT, "ALREADY_DONE"),
        (ONE, "subject", "b", AT + CONFIRM_WITHIN, "PROPOSAL_EXPIRED"),
        (ONE, "subject", "b", AT - HOUR, "PROPOSAL_EXPIRED"),
        (ONE, "another", "b", AT, "PROPOSAL_OTHER"),
        (ONE, None, "b", AT, "PROPOSAL_OTHER"),
        (ONE, "subject", "a", AT, "SECOND_PERSON_REQUIRED"),
    ],
)
def test_who_may_not_confirm(
    proposal: Proposal | None, subject: str | None, person: str, at: datetime, code: str
) -> None:
    refused = second_person(proposal, subject, person, at)
    assert refused is not None
    assert (refused.code, refused.reason[-1]) == (code, ".")


def test_another_person_in_time_may() -> None:
    assert second_person(ONE, "subject", "b", AT + CONFIRM_WITHIN - timedelta(microseconds=1)) is None


def test_who_proposed_may_take_it_back_while_it_is_open() -> None:
    assert undecidable(ONE, AT) is None
    for over, at in (
        (None, AT),
        (replace(ONE, closed_at=AT), AT),
        (replace(ONE, confirmed_at=AT), AT),
        (ONE, AT + HOUR),
    ):
        assert undecidable(over, at) is not None


def test_nothing_is_proposed_twice_at_once() -> None:
    refused = may_propose(ONE, AT)
    assert refused is not None
    assert refused.code == "ALREADY_PROPOSED"
    for latest in (None, replace(ONE, closed_at=AT), replace(ONE, confirmed_at=AT), replace(ONE, at=AT - HOUR)):
        assert may_propose(latest, AT) is None


@given(
    st.none() | MINUTES, st.none() | MINUTES, st.sampled_from("abc"), st.sampled_from(["subject", "x", None]), MINUTES
)
def test_it_is_confirmed_only_while_open_by_another_and_for_its_subject(
    confirmed_at: datetime | None, closed_at: datetime | None, person: str, subject: str | None, at: datetime
) -> None:
    proposal = replace(ONE, confirmed_at=confirmed_at, closed_at=closed_at)
    if second_person(proposal, subject, person, at) is None:
        assert (confirmed_at, closed_at, subject) == (None, None, "subject")
        assert person != "a"
        assert AT <= at < AT + CONFIRM_WITHIN


def test_two_accounts_of_one_hand_are_not_two_persons() -> None:
    lost = fault_of_hands("a", "b", False, [], AT)
    assert lost is not None
    assert lost.code == "NO_PROPOSAL"
    for given_at, fault in ((AT, True), (AT - GIVEN_WITHIN + HOUR, True), (AT - GIVEN_WITHIN, False)):
        for first, second in (("a", "b"), ("b", "a")):
            assert _refused(first, second, [Given("a", "b", given_at)]) == fault


@pytest.mark.parametrize(
    ("pairs", "fault"),
    [
        ("", False),
        ("ab", True),
        ("ba", True),
        ("ca cb", True),  # one who made both accounts
        ("ac cb", True),  # through an account that was made for it
        ("cb ac", True),
        ("ca dc db", True),
        ("ca db", False),
        ("ca", False),
        ("cd", False),
    ],
)
def test_who_gave_both_passwords_or_had_them_given_is_one_hand(pairs: str, fault: bool) -> None:
    assert _refused("a", "b", [Given(by, to, AT) for by, to in pairs.split()]) == fault


def _refused(first: str, second: str, given: list[Given]) -> bool:
    refused = fault_of_hands(first, second, True, given, AT)
    assert refused is None or refused.code == "SECOND_PERSON_REQUIRED"
    return refused is not None
