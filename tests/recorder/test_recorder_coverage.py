"""Causes sum to 100 %, whatever the rows say."""

import itertools
import json
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorder_support import CAMERA, OTHER, START_US, bench, packets, record, start

from csu.cli import main
from csu.keys import ensure_keys, load_private, load_public
from csu.settings import Paths
from recorder.accounts import Accounts, Cause
from recorder.coverage import RECORDED, Missing, account, percentages, read_coverage, read_month, subtract, union
from recorder.index import open_reader
from recorder.orders import CameraOrder, Orders, OrdersFile, StreamAddress, sign

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


def test_listing_reads_nothing_of_what_ended_before(tmp_path: Path) -> None:
    """Counted in SQLite's own steps: a day costs the same after years."""
    with bench(tmp_path) as made:
        number, hour_us = made.index.camera(CAMERA), 3_600_000_000
        made.index.execute("INSERT INTO period(camera, from_us) VALUES (?, 0)", (number,))

        def fill(hours: range) -> None:
            for hour in hours:
                at_us = START_US + hour * hour_us
                made.index.execute(
                    "INSERT INTO run(camera, from_us, to_us, reason, lost, authorisation) VALUES (?, ?, ?, '', 0, '')",
                    (number, at_us, at_us + hour_us // 2),
                )
                made.index.execute(
                    "INSERT INTO gap(camera, from_us, to_us, cause, detail) VALUES (?, ?, ?, 'camera', 'lost')",
                    (number, at_us + hour_us // 2, at_us + hour_us),
                )
            made.index.commit()

        def steps() -> int:
            taken = 0

            def count() -> int:
                nonlocal taken
                taken += 1
                return 0

            with closing(open_reader(made.storage.index_path)) as reader:
                reader.set_progress_handler(count, 1)
                coverage = read_coverage(reader, CAMERA, START_US, START_US + 24 * hour_us, START_US + 24 * hour_us)
            assert coverage is not None
            assert (len(coverage.runs), len(coverage.gaps)) == (24, 24)
            return taken

        fill(range(24))
        before = steps()
        fill(range(-5000, 0))
        assert steps() == before


@given(st.dictionaries(st.sampled_from([RECORDED, *map(str, Cause)]), st.integers(0, 10**13), min_size=1))
def test_percentages_add_up_to_a_hundred(sums: dict[str, int]) -> None:
    shares = percentages(sums)
    total = sum(sums.values())
    assert sum(round(share * 100) for share in shares.values()) == (10_000 if total else 0)
    assert all(abs(shares[name] - (part / total * 100 if total else 0)) <= 0.01 for name, part in sums.items())


steps = st.lists(
    st.tuples(st.sampled_from(["record", "camera", "network", "authorisation", "kill", "release"]), st.integers(1, 8)),
    min_size=1,
    max_size=7,
)


@settings(max_examples=40)
@given(steps)
def test_every_second_of_a_random_history(history: list[tuple[str, int]]) -> None:
    """Runs, faults, kills and leaving the orders in any order: the sums are the time under orders, exactly."""
    with tempfile.TemporaryDirectory() as directory:
        made, second, ordered_us = start(Path(directory)), 0, 0
        for what, seconds in history:
            at_us = START_US + second * 1_000_000
            accounts = made.store.accounts
            if what == "release":
                accounts.released(CAMERA, at_us)
            else:
                if CAMERA not in accounts.cameras():
                    accounts.gap(CAMERA, at_us, Cause.OURS, "starting")
                if what == "record" or what == "kill":
                    record(made.store, CAMERA, packets(25 * seconds, start=25 * second, gop=25), end=what == "record")
                else:
                    accounts.gap(CAMERA, at_us, Cause(what), what)
                ordered_us += seconds * 1_000_000
            second += seconds
            now_us = START_US + second * 1_000_000
            made.store.wave(now_us)
            if what == "kill":
                made.kill()
                made = start(Path(directory), now_us)
        now_us = START_US + second * 1_000_000
        made.store.wave(now_us)
        try:
            with closing(open_reader(made.storage.index_path)) as reader:
                months = read_month([reader], START_US, now_us, now_us)
        finally:
            made.kill()
        if ordered_us:
            coverage = months[CAMERA]
            assert sum(coverage.sums().values()) == ordered_us
            assert coverage.expected_us == ordered_us - coverage.sums()["authorisation"]
            assert not [gap for gap in coverage.gaps if gap.detail == "unaccounted"]


def test_the_command_gives_sums_and_months(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 20))
        made.store.accounts.gap(CAMERA, START_US + 25_000_000, Cause.NETWORK, "reset")
        made.store.accounts.released(CAMERA, START_US + 40_000_000)
        made.store.wave(START_US + 60_000_000)
    words = ["--data", str(tmp_path), "--json"]
    interval = ["--camera", CAMERA, "--from", "2026-11-01T00:00:00Z", "--to", "2026-12-01T00:00:00Z"]
    assert main(["coverage", *interval, *words]) == 0
    one = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert main(["coverage", "--month", "2026-11", *words]) == 0
    month = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert month["cameras"][0] == {"camera": CAMERA} | {
        k: one[k] for k in ("expected_s", "recorded_s", "sums", "percent")
    }
    assert {k: v for k, v in one["sums"].items() if v} == {"recorded": 20.0, "camera": 5.0, "network": 15.0}
    assert {k: v for k, v in one["percent"].items() if v} == {"recorded": 50.0, "camera": 12.5, "network": 37.5}
    assert main(["coverage", "--month", "2026-13", *words]) == 2
    assert "expected a month, such as 2026-11; got '2026-13'" in capsys.readouterr().err
    assert main(["coverage", *words]) == 2
    assert main(["coverage", "--camera", CAMERA, "--from", "hier", "--to", "2026-12-01T00:00:00Z", *words]) == 2
    assert "--from: expected a date and time" in capsys.readouterr().err
    assert main(["coverage", "--camera", "99", *interval[2:], *words]) == 2
    assert "expected a camera's UUID; got '99'" in capsys.readouterr().err
    assert main(["coverage", "--month", "2026-11", "--storage", str(tmp_path / "elsewhere"), "--json"]) == 1
    assert "expected a storage directory" in capsys.readouterr().err


def test_the_command_takes_a_cameras_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 20))
        made.store.accounts.released(CAMERA, START_US + 40_000_000)
        made.store.wave(START_US + 60_000_000)
    paths = Paths(tmp_path)
    ensure_keys(paths.keys)
    stream = StreamAddress("rtsp://192.0.2.1/main")
    at = datetime(2026, 11, 1, tzinfo=UTC)
    order = CameraOrder(CAMERA, "07 Place", stream, None, "native", "A-1", at, at + timedelta(days=90), 15)
    _, key = load_private(paths.keys, "orders")
    file = OrdersFile(paths.recorder / "orders.json", load_public(paths.keys, "orders"))
    file.accept(sign(Orders(1, at, [order]), key))
    words = ["--from", "2026-11-01T00:00:00Z", "--to", "2026-12-01T00:00:00Z", "--data", str(tmp_path), "--json"]
    for name in (CAMERA, "07"):
        assert main(["coverage", "--camera", name, *words]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["recorded_s"] == 20.0
    assert main(["coverage", "--camera", "08", *words]) == 2
    assert "expected the number of a camera (07); got '08'" in capsys.readouterr().err
    assert main(["coverage", "--month", "2026-11", "--data", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("07 Place  20.000 s of ")
