"""Deadlines of recordings, over month ends, leap years and both nights of clock change."""

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legal.retention import RetentionRefused, check_choice, check_retention, deadline_at, kept_days, month_later

PARIS = ZoneInfo("Europe/Paris")
# Hypothesis wants its bounds without zone.
instants = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def _paris(year: int, month: int, day: int, hour: int, minute: int, *, fold: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=PARIS, fold=fold)


@pytest.mark.parametrize(
    ("oldest", "expected"),
    [
        (_paris(2027, 1, 31, 12, 0), _paris(2027, 2, 28, 12, 0)),
        (_paris(2028, 1, 31, 12, 0), _paris(2028, 2, 29, 12, 0)),
        (_paris(2026, 12, 31, 23, 59), _paris(2027, 1, 31, 23, 59) - timedelta(days=0)),
        (_paris(2026, 3, 1, 0, 0), _paris(2026, 4, 1, 0, 0)),
        # The skipped hour of 28 March 2027: 02:30 doesn't exist, the clocks skip at 01:00 UTC.
        (_paris(2027, 2, 28, 2, 30), datetime(2027, 3, 28, 1, 0, tzinfo=UTC)),
        # The doubled hour of 25 October 2026: the first 02:30.
        (_paris(2026, 9, 25, 2, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (_paris(2026, 10, 25, 2, 30, fold=1), _paris(2026, 11, 25, 2, 30)),
    ],
)
def test_one_month_of_civil_time(oldest: datetime, expected: datetime) -> None:
    assert month_later(oldest) == expected
    assert deadline_at(oldest, 31) == min(expected.astimezone(UTC), oldest.astimezone(UTC) + timedelta(days=31))


def test_days_count_24_hours_each() -> None:
    assert deadline_at(_paris(2026, 10, 20, 12, 0), 15) == _paris(2026, 11, 4, 11, 0)


@given(instants, st.integers(1, 31))
def test_never_more_than_the_days_nor_a_month(oldest: datetime, days: int) -> None:
    end = deadline_at(oldest, days)
    assert end == min(oldest + timedelta(days=days), month_later(oldest))
    assert oldest < end <= oldest + timedelta(days=days)
    start, local = oldest.astimezone(PARIS), end.astimezone(PARIS)
    months = (local.year - start.year) * 12 + local.month - start.month
    assert months in (0, 1)
    if months == 1:
        last = calendar.monthrange(local.year, local.month)[1]
        assert local.day <= min(start.day, last)


@given(instants, instants, st.integers(1, 31))
def test_an_older_picture_never_dies_later_by_more_than_the_clock_change(
    one: datetime, other: datetime, days: int
) -> None:
    one, other = sorted((one, other))
    assert deadline_at(one, days) <= deadline_at(other, days) + timedelta(days=3, hours=1)


@given(instants, st.integers(1, 30))
def test_a_longer_delay_is_never_shorter(oldest: datetime, days: int) -> None:
    assert deadline_at(oldest, days) <= deadline_at(oldest, days + 1)


def test_over_one_month_is_refused_with_its_source() -> None:
    with pytest.raises(RetentionRefused) as refused:
        deadline_at(datetime(2026, 1, 1, tzinfo=UTC), 32)
    assert refused.value.code == "RETENTION_TOO_LONG"
    assert "L.252-5" in refused.value.source
    for days, minimum in ((0, None), (10, 11), (10, -1)):
        with pytest.raises(RetentionRefused, match="durée"):
            check_retention(days, minimum)


def test_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        deadline_at(datetime(2026, 1, 1), 10)  # noqa: DTZ001 - what is refused


def test_a_commune_keeps_less_than_its_arrete_allows_and_no_less_than_it_wants() -> None:
    for days, code in (
        (16, "RETENTION_TOO_LONG"),
        (32, "RETENTION_TOO_LONG"),
        (7, "RETENTION_INVALID"),
        (0, "RETENTION_INVALID"),
    ):
        with pytest.raises(RetentionRefused) as refused:
            check_choice(days, 15, 8)
        assert refused.value.code == code
    for days in (8, 15):
        check_choice(days, 15, 8)
    check_choice(1, 15, None)


@given(st.integers(1, 31), st.none() | st.integers(0, 31), st.none() | st.integers(1, 31))
def test_what_is_kept_stays_within_the_arrete(authorised: int, minimum: int | None, chosen: int | None) -> None:
    minimum = None if minimum is None else min(minimum, authorised)
    assert (minimum or 1) <= kept_days(authorised, minimum, chosen) <= authorised
