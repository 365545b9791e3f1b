"""When a déport's end is near, and what stands for its continuation."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from legal.deports import is_ending
from legal.facts import Deport, Right, Validity
from legal.persons import ENDING_ALARM

FROM_AT = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
TO_AT = FROM_AT + timedelta(days=200)
INSTANT, DAY = timedelta(microseconds=1), timedelta(days=1)
LIVE = frozenset({Right.LIVE})
ONE = Deport("ARR-1", frozenset({"a", "b"}), LIVE, 30, Validity(FROM_AT, TO_AT))
NEXT = replace(ONE, reference="ARR-2", validity=Validity(TO_AT, TO_AT + DAY))


@pytest.mark.parametrize(
    ("at", "ending"),
    [
        (TO_AT - ENDING_ALARM - INSTANT, False),
        (TO_AT - ENDING_ALARM, True),
        (TO_AT - INSTANT, True),
        (TO_AT, False),
    ],
)
def test_it_is_ending_from_sixty_days_before_to_its_end(at: datetime, ending: bool) -> None:
    assert is_ending(ONE, [], at) == ending


def test_one_that_has_not_begun_or_has_no_term_is_not_ending() -> None:
    short = replace(ONE, validity=Validity(TO_AT - DAY, TO_AT))
    assert not is_ending(short, [], TO_AT - DAY - INSTANT)
    assert is_ending(short, [], TO_AT - DAY)
    assert not is_ending(replace(ONE, validity=Validity(FROM_AT)), [], TO_AT - DAY)


@pytest.mark.parametrize(
    ("beside", "follows"),
    [
        (NEXT, True),
        (replace(NEXT, persons=frozenset("abc"), rights=frozenset(Right)), True),
        (replace(NEXT, validity=Validity(FROM_AT)), True),
        (replace(NEXT, persons=frozenset("a")), False),
        (replace(NEXT, rights=frozenset({Right.REPLAY})), False),
        (replace(NEXT, validity=Validity(TO_AT + INSTANT, TO_AT + DAY)), False),
        (replace(NEXT, validity=Validity(FROM_AT, TO_AT)), False),
    ],
)
def test_what_opens_as_much_to_as_many_without_a_gap_follows(beside: Deport, follows: bool) -> None:
    assert is_ending(ONE, [beside], TO_AT - DAY) != follows
