from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import ticks


def moments(first: datetime, last: datetime) -> st.SearchStrategy[datetime]:
    span_us = ticks.us_from_at(last) - ticks.us_from_at(first)
    return st.integers(0, span_us).map(lambda us: first + timedelta(microseconds=us))


@given(st.integers(-(10**15), 10**15))
def test_ticks_survive_the_way_to_microseconds_and_back(ticks_90k: int) -> None:
    us = ticks.us_from_90k(ticks_90k)
    assert ticks.ticks_from_us(us) == ticks_90k
    assert abs(us * 9 - ticks_90k * 100) <= 4


@given(moments(datetime(1971, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)))
def test_datetimes_survive(at: datetime) -> None:
    assert ticks.at_from_us(ticks.us_from_at(at)) == at


@given(moments(datetime(1968, 1, 21, tzinfo=UTC), datetime(2104, 2, 25, tzinfo=UTC)))
def test_sender_report_times_survive_beyond_2036(at: datetime) -> None:
    assert abs(ticks.at_from_ntp(ticks.ntp_from_at(at)) - at) <= timedelta(microseconds=1)


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        ticks.us_from_at(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


@given(st.integers(-(2**40), 2**40), st.integers(-(2**31) + 1, 2**31 - 1))
def test_unwrap_finds_the_nearest(last_90k: int, step: int) -> None:
    assert ticks.unwrap_90k(last_90k, (last_90k + step) & 0xFFFFFFFF) == last_90k + step
