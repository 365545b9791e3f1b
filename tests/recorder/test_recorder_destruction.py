"""Destruction by deadline: nothing earlier, nothing later, with its trace, whole after a crash at any step."""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from recorder_support import CAMERA, DAY_US, OTHER, START_US, Bench, bench, packets, record

from legal.retention import UNFIXED_MINIMUM_DAYS
from recorder.accounts import Cause
from recorder.check import check
from recorder.decisions import Hold, Release
from recorder.destruction import destroy_due, finish_destruction, tell_destroyed
from recorder.format import file_name, hour_directory, merkle_root
from recorder.holds import put_hold, release_hold
from recorder.index import HOUR_US, SCHEMA, read_facts
from streams.ticks import at_from_us


def _files(path: Path) -> int:
    return len(list((path / "recordings").rglob("*.mp4")))


def _told(made: Bench, now_us: int) -> list[dict[str, Any]]:
    """What the centre is told of destruction, all of it, after another look at the ledger."""
    tell_destroyed(made.index, now_us)
    made.index.commit()
    return [f for f in read_facts(made.index._db, 0, 1000)["facts"] if f["kind"] == "destroyed"]


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
        facts = _told(made, START_US + 20 * DAY_US)
        assert {f["camera"] for f in facts} == {CAMERA, OTHER}
        assert sum(f["count"] for f in facts) == len(rows)
        assert sum(f["bytes"] for f in facts) == sum(length for _, length in rows)
        assert all((f["cause"], f["missing"]) == ("deadline", 0) for f in facts)
        assert facts[0]["root"] == merkle_root(hashes).hex()
        assert not any((tmp_path / "recordings" / c / "2026").exists() for c in (CAMERA, OTHER))


def test_an_outage_between_mark_and_unlink_is_finished(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        rows = _two_cameras(made)
        ((segment, start_us),) = made.index.query("SELECT id, start_us FROM segment ORDER BY id LIMIT 1")
        first = tmp_path / "recordings" / file_name(CAMERA, start_us, segment)
        away = first.rename(tmp_path / "away")
        first.mkdir()  # which can't be unlinked
        with pytest.raises(IsADirectoryError):
            destroy_due(made.store, START_US + 20 * DAY_US, START_US)
        first.rmdir()
        away.rename(first)
        assert _files(tmp_path) == len(rows)
        next((tmp_path / "recordings").rglob("*.mp4")).unlink()
    with bench(tmp_path) as again:
        assert _files(tmp_path) == 0
        assert again.index.query("SELECT count(*) FROM destroy") == [(0,)]
        assert sum(f["missing"] for f in _told(again, START_US + DAY_US)) == 1
        finish_destruction(again.store, START_US)


def test_a_shorter_delay_brings_deadlines_forward_and_a_longer_one_changes_nothing(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        _two_cameras(made)
        before = made.index.query("SELECT id, deadline_us FROM segment ORDER BY id")
        for authorisation, days in (("27-2026-001", 20), ("another", 5), ("27-2026-001", 25)):
            made.store.obey_terms(CAMERA, authorisation, days, 0)
            made.store.wave(START_US)
        assert made.index.query("SELECT id, deadline_us FROM segment ORDER BY id") == before
        made.store.obey_terms(CAMERA, "27-2026-001", 5, 0)
        made.store.wave(START_US)
        rows = made.index.query("SELECT start_us, deadline_us FROM segment WHERE camera = 1")
        assert rows
        assert all(deadline == start + 5 * DAY_US for start, deadline in rows)
        assert made.index.query("SELECT count(*) FROM segment WHERE camera = 2 AND deadline_us < ?", (before[0][1],))


def test_one_row_for_each_camera_hour_and_cause(tmp_path: Path) -> None:
    """However many times destruction ran over an hour, and wherever it was killed; nothing is told before its end."""
    hashes: dict[int, bytes] = {}
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 200))
        hashes.update(made.index.query("SELECT id, hash FROM segment"))
    rows = 0
    for n, (deadline_us, segment) in enumerate(_deadlines(tmp_path)):
        with bench(tmp_path) as made:
            assert destroy_due(made.store, deadline_us, deadline_us) == 1
            facts = _told(made, deadline_us)
            assert (len(facts) == 1) == (n == len(hashes) - 1), segment
            rows += 1
    (fact,) = facts
    assert (fact["count"], fact["hour"], fact["cause"]) == (rows, "2026-11-23T13:00:00.000000Z", "deadline")
    assert fact["root"] == merkle_root([digest for _, digest in sorted(hashes.items())]).hex()
    with bench(tmp_path) as made:
        assert _told(made, deadline_us + DAY_US) == facts
        assert made.index.query("SELECT count(*) FROM ledger") == [(0,)]


def test_an_hour_that_is_only_partly_gone_is_told_when_nothing_goes_any_more(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        rows = _two_cameras(made)
        now_us = rows[0][0]
        destroy_due(made.store, now_us, now_us)
        assert _told(made, now_us + HOUR_US - 1) == []
        assert [f["count"] for f in _told(made, now_us + HOUR_US + 1)] == [1, 1]


def test_what_a_hold_kept_is_told_apart_when_it_is_released(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        rows = _two_cameras(made)
        start = at_from_us(START_US)
        hold = Hold(str(uuid.uuid4()), CAMERA, start, start + timedelta(seconds=10), "PV 2026/1", start)
        put_hold(made.storage, made.index, hold, {}, START_US)
        due_us = START_US + 20 * DAY_US
        gone = destroy_due(made.store, due_us, due_us)
        assert gone == len(rows) - 1
        assert {(f["camera"], f["cause"]) for f in _told(made, due_us)} == {(CAMERA, "deadline"), (OTHER, "deadline")}
        release_hold(made.storage, made.index, Release("hold", hold.id, ("a", "b")), {}, due_us)
        assert destroy_due(made.store, due_us, due_us) == 1
        told = _told(made, due_us)
        assert [(f["camera"], f["cause"], f["count"]) for f in told[2:]] == [(CAMERA, "released", 1)]


def test_the_hours_add_up_to_the_segments(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        rows = _two_cameras(made)
        for due_us in (0, rows[0][0], rows[-1][0]):
            destroy_due(made.store, due_us, START_US)
            kept = made.index.query("SELECT * FROM hour ORDER BY camera, hour_us")
            for camera in (1, 2):
                made.index.count_hours(camera)
            counted = made.index.query("SELECT * FROM hour ORDER BY camera, hour_us")
            assert [row[:5] for row in kept] == [row[:5] for row in counted]
            assert made.index.query("SELECT coalesce(sum(count), 0), coalesce(sum(bytes), 0) FROM hour") == (
                made.index.query("SELECT count(*), coalesce(sum(length), 0) FROM segment")
            )
        assert counted == []


def test_the_index_knows_the_law_s_minimum() -> None:
    assert f"start_us + {UNFIXED_MINIMUM_DAYS * DAY_US})" in SCHEMA
    assert f"% {HOUR_US}" in SCHEMA


def _deadlines(path: Path) -> list[tuple[int, int]]:
    with bench(path) as made:
        rows: list[tuple[int, int]] = made.index.query("SELECT deadline_us, id FROM segment ORDER BY deadline_us")
    return rows


def test_an_hour_that_is_emptied_while_it_goes_on_is_recorded_in_again(tmp_path: Path) -> None:
    """Its directories are in the index for all cameras at once, whether or not they are there."""
    storage = tmp_path / "recordings"
    with bench(tmp_path) as made:
        made.store.accounts.gap(OTHER, START_US, Cause.CAMERA, "connecting")
        record(made.store, CAMERA, packets(25 * 10))
        active = {name for (name,) in made.index.query("SELECT name FROM active_directory")}
        assert active == {hour_directory(camera, START_US) for camera in (CAMERA, OTHER)}
        assert not (storage / OTHER).exists()
        made.index.execute("UPDATE segment SET deadline_us = 1")
        while destroy_due(made.store, 1, START_US):
            pass
        assert not (storage / CAMERA).exists()
        assert _told(made, START_US + 60_000_000) == []
        record(made.store, CAMERA, packets(25 * 10, start=25 * 60))
        later_us = START_US + 3_600_000_000
        record(made.store, OTHER, ((packet, at_us + 3_600_000_000) for packet, at_us in packets(25 * 10)))
        active = {name for (name,) in made.index.query("SELECT name FROM active_directory")}
        assert active == {hour_directory(camera, later_us) for camera in (CAMERA, OTHER)}
    with bench(tmp_path, later_us):
        pass
    assert check(storage, later_us, True).ok
