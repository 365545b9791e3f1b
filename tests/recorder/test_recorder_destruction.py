"""Destruction by deadline: nothing earlier, nothing later, with its trace, whole after a crash at any step."""

from pathlib import Path

import pytest
from recorder_support import CAMERA, DAY_US, OTHER, START_US, Bench, bench, packets, record

from recorder.destruction import destroy_due, finish_destruction
from recorder.format import merkle_root
from recorder.index import read_facts


def _files(path: Path) -> int:
    return len(list((path / "recordings").rglob("*.mp4")))


def _two_cameras(made: Bench) -> list[tuple[int, int]]:
    record(made.store, CAMERA, packets(25 * 200))
    record(made.store, OTHER, packets(25 * 100))
    rows: list[tuple[int, int]] = made.index.query("SELECT deadline_us, length FROM segment ORDER BY deadline_us")
    return rows


def test_exactly_what_is_due_is_destroyed(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        rows = _two_cameras(made)
        assert destroy_due(made.store, rows[0][0] - 1, START_US) == 0
        for n, (deadline_us, _) in enumerate(rows):
            destroy_due(made.store, deadline_us, START_US)
            left = sum(d > deadline_us for d, _ in rows)
            assert made.index.query("SELECT count(*) FROM segment") == [(left,)]
            assert _files(tmp_path) == left, n
        assert made.index.query("SELECT count(*) FROM part") == [(0,)]
        assert made.index.query("SELECT count(*) FROM destroy") == [(0,)]


def test_the_trace_adds_up(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        rows = _two_cameras(made)
        hashes = [h for (h,) in made.index.query("SELECT hash FROM segment WHERE camera = 1 ORDER BY id")]
        assert destroy_due(made.store, START_US + 20 * DAY_US, START_US + 20 * DAY_US) == len(rows)
        facts = [f for f in read_facts(made.index._db, 0, 1000)["facts"] if f["kind"] == "destroyed"]
        assert {f["camera"] for f in facts} == {CAMERA, OTHER}
        assert sum(f["count"] for f in facts) == len(rows)
        assert sum(f["bytes"] for f in facts) == sum(length for _, length in rows)
        assert all((f["cause"], f["missing"]) == ("deadline", 0) for f in facts)
        assert facts[0]["root"] == merkle_root(hashes).hex()
        assert not any((tmp_path / "recordings" / c / "2026").exists() for c in (CAMERA, OTHER))


def test_an_outage_between_mark_and_unlink_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(tmp_path) as made:
        rows = _two_cameras(made)
        monkeypatch.setattr("recorder.destruction.finish_destruction", lambda *_: None)
        destroy_due(made.store, START_US + 20 * DAY_US, START_US)
        assert _files(tmp_path) == len(rows)
        next((tmp_path / "recordings").rglob("*.mp4")).unlink()
    with bench(tmp_path) as again:
        assert _files(tmp_path) == 0
        assert again.index.query("SELECT count(*) FROM destroy") == [(0,)]
        facts = [f for f in read_facts(again.index._db, 0, 1000)["facts"] if f["kind"] == "destroyed"]
        assert sum(f["missing"] for f in facts) == 1
        finish_destruction(again.store, START_US)


def test_a_shorter_delay_brings_deadlines_forward_and_a_longer_one_changes_nothing(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        _two_cameras(made)
        before = made.index.query("SELECT id, deadline_us FROM segment ORDER BY id")
        for authorisation, days in (("27-2026-001", 20), ("another", 5), ("27-2026-001", 25)):
            made.store.obey_terms(CAMERA, authorisation, days)
            made.store.wave(START_US)
        assert made.index.query("SELECT id, deadline_us FROM segment ORDER BY id") == before
        made.store.obey_terms(CAMERA, "27-2026-001", 5)
        made.store.wave(START_US)
        rows = made.index.query("SELECT start_us, deadline_us FROM segment WHERE camera = 1")
        assert rows
        assert all(deadline == start + 5 * DAY_US for start, deadline in rows)
        assert made.index.query("SELECT count(*) FROM segment WHERE camera = 2 AND deadline_us < ?", (before[0][1],))
