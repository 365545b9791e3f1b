"""Byte ranges: examples of RFC 9110 section 14.1.2, and whatever a stranger may write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csu.gateway.errors import Refused
from csu.gateway.ranges import parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-499", (0, 500)),
        ("bytes=500-999", (500, 1000)),
        ("bytes=-500", (9500, 10000)),
        ("bytes=9500-", (9500, 10000)),
        ("bytes=0-99999", (0, 10000)),
        ("bytes=-99999", (0, 10000)),
        ("bytes=0-0,-1", None),
        ("bytes=9-3", None),
        ("bytes=-", None),
        ("items=0-4", None),
        ("bytes=a-b", None),
    ],
)
def test_ranges(header: str | None, expected: tuple[int, int] | None) -> None:
    assert parse_range(header, 10_000) == expected


@pytest.mark.parametrize("header", ["bytes=10000-", "bytes=10000-20000", "bytes=-0"])
def test_outside_the_content(header: str) -> None:
    with pytest.raises(Refused, match="RANGE_INVALID"):
        parse_range(header, 10_000)


@given(st.one_of(st.text(), st.from_regex(r"bytes=\d{0,25}-\d{0,25}")), st.integers(0, 10**12))
def test_a_range_is_inside_or_refused(header: str, size: int) -> None:
    try:
        found = parse_range(header, size)
    except Refused:
        return
    if found is not None:
        assert 0 <= found[0] < found[1] <= size
