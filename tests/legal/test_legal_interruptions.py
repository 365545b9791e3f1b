"""Announced interruptions: their states, and two persons for a masking."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from legal.interruptions import Cause, Interruption, State
from legal.two_persons import CONFIRM_WITHIN, Proposal

AT = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
MASKED = Interruption(Cause.MASKED, AT + HOUR, AT + 3 * HOUR, Proposal("a", AT, "i"))
MINUTES = st.integers(-200, 400).map(lambda n: AT + timedelta(minutes=n))


def test_the_states_of_a_masking_in_their_order() -> None:
    decided = replace(MASKED, decided_at=AT + HOUR / 4)
    ended = replace(decided, end=Proposal("b", AT + 2 * HOUR, "i"), ended_at=AT + 2 * HOUR)
    for told, at, expected in (
        (MASKED, AT, State.PROPOSED),
        (MASKED, AT + CONFIRM_WITHIN, State.EXPIRED),
        (replace(MASKED, ended_at=AT), AT, State.WITHDRAWN),
        (replace(MASKED, begin=Proposal("a", AT, "i", closed_at=AT)), AT, State.WITHDRAWN),
        (decided, AT + HOUR / 2, State.COMING),
        (decided, AT + HOUR, State.IN_FORCE),
        (decided, AT + 3 * HOUR, State.OVER),
        (ended, AT + 2 * HOUR - HOUR / 60, State.IN_FORCE),
        (ended, AT + 2 * HOUR, State.OVER),
        (replace(decided, ended_at=AT + HOUR / 2), AT + HOUR, State.WITHDRAWN),
    ):
        assert told.state(at) is expected


def test_one_decided_late_begins_then() -> None:
    late = replace(MASKED, from_at=AT - HOUR, decided_at=AT + HOUR / 4)
    assert late.begins_at == AT + HOUR / 4
    assert late.state(AT) is State.COMING


def test_what_waits_for_a_second_person() -> None:
    assert MASKED.pending(AT) == Proposal("a", AT, "i")
    assert MASKED.pending(AT + CONFIRM_WITHIN) is None
    decided = replace(MASKED, decided_at=AT)
    assert decided.pending(AT) is None
    ending = replace(decided, end=Proposal("b", AT + HOUR, "i"))
    assert ending.pending(AT + HOUR) == Proposal("b", AT + HOUR, "i")
    assert ending.pending(AT + 2 * HOUR) is None


@given(MINUTES, MINUTES, st.none() | MINUTES, st.none() | MINUTES, MINUTES)
def test_it_is_in_force_only_between_its_ends_and_once_decided(
    from_at: datetime, to_at: datetime, decided_at: datetime | None, ended_at: datetime | None, at: datetime
) -> None:
    told = Interruption(Cause.MASKED, from_at, to_at, Proposal("a", AT, "i"), decided_at, None, ended_at)
    is_in_force = (
        decided_at is not None and max(from_at, decided_at) <= at < to_at and (ended_at is None or at < ended_at)
    )
    assert (told.state(at) is State.IN_FORCE) == is_in_force
