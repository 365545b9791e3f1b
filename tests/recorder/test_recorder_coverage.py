"""Causes sum to 100 %, whatever the rows say."""

import itertools
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from recorder_support import CAMERA, OTHER, START_US, bench, packets, record

from recorder.accounts import Accounts, Cause
from recorder.coverage import Missing, account, read_coverage, subtract, union
from recorder.index import open_reader

spans = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)).map(lambda p: (min(p), max(p))), max_size=6)
causes = st.sampled_from(["camera", "network", "authorisation"])


def _seconds(intervals: list[tuple[int, int]]) -> set[int]:
    return {n for a, b in intervals for n in range(a, b)}


@given(spans, spans)
def test_intervals_are_sets(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    joined = union(one)
    assert _seconds(joined) == _seconds(one)
    assert all(b < c for (_, b), (c, _) in itertools.pairwise(joined))
    assert _seconds(subtract(joined, union(other))) == _seconds(one) - _seconds(other)


@given(spans, spans, st.lists(st.tuples(spans, causes), max_size=4), st.integers(0, 50), st.integers(51, 100))
def test_every_second_under_orders_is_in_a_run_or_a_gap(
    periods: list[tuple[int, int]],
    runs: list[tuple[int, int]],
    gaps: list[tuple[list[tuple[int, int]], str]],
    low: int,
    high: int,
) -> None:
    missing = [Missing(a, b, cause, "") for intervals, cause in gaps for a, b in intervals]
    coverage = account(periods, runs, missing, low, high)
    recorded = _seconds(coverage.runs)
    assert recorded == _seconds(runs) & set(range(low, high))
    lost = [(g.from_us, g.to_us) for g in coverage.gaps]
    assert len(_seconds(lost)) == sum(b - a for a, b in lost)
    assert not _seconds(lost) & recorded
    assert (_seconds(periods) & set(range(low, high))) <= recorded | _seconds(lost)
    forbidden = sum(g.to_us - g.from_us for g in coverage.gaps if g.cause == "authorisation")
    assert coverage.recorded_us == len(recorded)
    assert coverage.expected_us == len(recorded) + len(_seconds(lost)) - forbidden


def test_from_the_index(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 20))
        record(made.store, CAMERA, packets(25 * 10, start=25 * 30))
        made.store.accounts.gap(CAMERA, START_US + 50_000_000, Cause.AUTHORISATION, "forbidden")
        made.store.wave(START_US + 60_000_000)
        with open_reader(made.storage.index_path) as reader:
            coverage = read_coverage(
                reader, CAMERA, START_US - 10_000_000, START_US + 60_000_000, START_US + 60_000_000
            )
            assert coverage is not None
            assert coverage.recorded_us == 30_000_000
            assert coverage.expected_us == 50_000_000
            assert [(g.cause, g.to_us - g.from_us) for g in coverage.gaps] == [
                ("camera", 10_000_000),
                ("camera", 10_000_000),
                ("authorisation", 10_000_000),
            ]
            assert read_coverage(reader, OTHER, 0, START_US, START_US) is None
        reader.close()


def test_a_recorder_that_is_down_is_a_gap_of_ours_before_it_starts_again(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 21), end=False)
    with open_reader(tmp_path / "recordings" / "index.db") as reader:
        live = read_coverage(reader, CAMERA, START_US, START_US + 90_000_000, START_US + 22_000_000)
        down = read_coverage(reader, CAMERA, START_US, START_US + 90_000_000, START_US + 80_000_000)
    reader.close()
    assert live is not None
    assert (live.until_us, live.gaps) == (START_US + 20_000_000, [])
    assert down is not None
    assert [(g.cause, g.from_us, g.to_us) for g in down.gaps] == [
        ("ours", START_US + 20_000_000, START_US + 80_000_000)
    ]


def test_a_camera_that_leaves_the_orders_is_no_longer_expected(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 10))
        made.store.accounts.released(CAMERA, START_US + 15_000_000)
        made.store.accounts.released(CAMERA, START_US + 16_000_000)
        made.store.wave(START_US + 60_000_000)
        assert Accounts(made.index).cameras() == []
        with open_reader(made.storage.index_path) as reader:
            coverage = read_coverage(reader, CAMERA, START_US, START_US + 60_000_000, START_US + 60_000_000)
        reader.close()
        assert coverage is not None
        assert (coverage.expected_us, coverage.recorded_us) == (15_000_000, 10_000_000)
