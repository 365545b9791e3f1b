"""Accounts: what was seen, as intervals that are apart, in order, and lose nothing."""

from datetime import timedelta
from itertools import pairwise

from gateway_support import NOON
from hypothesis import given
from hypothesis import strategies as st

from csu.gateway.account import MAX_GAP, Account, merge
from streams.ticks import us_from_at

NOON_US = us_from_at(NOON)


def test_pictures_make_one_interval_until_something_is_missed() -> None:
    account = Account()
    for ms in (0, 40, 80, 10_000, 10_040):
        account.picture(NOON_US + ms * 1000, 100)
    intervals, size, frames = account.take()
    assert [((s - NOON) / timedelta(milliseconds=1), (e - NOON) / timedelta(milliseconds=1)) for s, e in intervals] == [
        (0, 80),
        (10_000, 10_040),
    ]
    assert (size, frames) == (500, 5)
    assert account.take() == ([], 0, 0)


@given(st.lists(st.integers(0, 60_000), min_size=1))
def test_every_picture_is_in_an_interval(ms: list[int]) -> None:
    account = Account()
    for at in ms:
        account.picture(NOON_US + at * 1000, 1)
    intervals, size, frames = account.take()
    assert size == frames == len(ms)
    assert all(any(s <= NOON + timedelta(milliseconds=at) <= e for s, e in intervals) for at in ms)
    assert all(before[1] < after[0] for before, after in pairwise(intervals))
    covered = sum((e - s for s, e in intervals), timedelta())
    assert covered <= MAX_GAP * len(ms)


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 20))))
def test_a_union_holds_the_same_instants(parts: list[tuple[int, int]]) -> None:
    merged = merge([(NOON + timedelta(seconds=s), NOON + timedelta(seconds=s + d)) for s, d in parts])
    for second in range(121):
        at = NOON + timedelta(seconds=second)
        assert any(s <= at <= e for s, e in merged) == any(s <= second <= s + d for s, d in parts)
