"""Runs and gaps follow one another without a hole, in any order of events; alarms outlive a restart."""

import itertools
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorder_support import CAMERA, DAY_US, OTHER, START_US, Bench, bench

from recorder.accounts import Accounts, Cause
from recorder.alarms import Alarms, read_alarms
from recorder.index import read_facts
from recorder.store import SegmentStore
from recorder.writer import Job, Writer

acts = st.sampled_from(["gap", "other gap", "run", "end", "release", "restart"])


@settings(max_examples=40)
@given(st.lists(st.tuples(acts, st.integers(0, 5)), max_size=25))
def test_no_second_is_missing_or_counted_twice(steps: list[tuple[str, int]]) -> None:
    path = Path(tempfile.mkdtemp())
    try:
        with bench(path) as made:
            accounts = made.store.accounts
            at_us = START_US
            for act, seconds in steps:
                at_us += seconds * 1_000_000
                running = accounts.run_of(CAMERA) is not None
                if act == "restart":
                    accounts = Accounts(made.index)
                elif running and act in ("end", "release"):
                    accounts.run_ended(CAMERA, at_us, "closed", Cause.CAMERA, "closed")
                elif not running and act == "run" and CAMERA in accounts.cameras():
                    accounts.run_started(CAMERA, at_us, "27-2026-001", None)
                elif not running and act == "release":
                    accounts.released(CAMERA, at_us)
                elif not running and act in ("gap", "other gap"):
                    accounts.gap(CAMERA, at_us, Cause.NETWORK if act == "gap" else Cause.CAMERA, act)
            rows = made.index.query("SELECT from_us, to_us FROM run WHERE reason IS NOT NULL")
            rows += [(a, None) for (a,) in made.index.query("SELECT from_us FROM run WHERE reason IS NULL")]
            rows += made.index.query("SELECT from_us, to_us FROM gap")
            pieces = sorted((a, b) for a, b in rows if b != a)
            pieces = [(a, at_us if b is None else b) for a, b in pieces]
            periods = [
                (a, at_us if b is None else b)
                for a, b in made.index.query("SELECT from_us, to_us FROM period ORDER BY from_us")
            ]
            assert sum(b - a for a, b in pieces) == sum(b - a for a, b in periods)
            assert all(a[1] <= b[0] for a, b in itertools.pairwise(pieces))
            opened = [f["gap"] for f in read_facts(made.index._db, 0, 1000)["facts"] if f["kind"] == "gap_opened"]
            assert len(set(opened)) == len(opened)
    finally:
        shutil.rmtree(path)


def test_what_can_not_be_is_refused(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        accounts = made.store.accounts
        with pytest.raises(ValueError, match="in no gap"):
            accounts.run_started(CAMERA, START_US, "27-2026-001", None)
        accounts.gap(CAMERA, START_US, Cause.OURS, "starting")
        with pytest.raises(ValueError, match="in no run"):
            accounts.run_ended(CAMERA, START_US, "closed", Cause.CAMERA, "closed")
        accounts.run_started(CAMERA, START_US, "27-2026-001", None)
        for act in (
            lambda: accounts.gap(CAMERA, START_US, Cause.OURS, "starting"),
            lambda: accounts.released(CAMERA, START_US),
        ):
            with pytest.raises(ValueError, match="in a run"):
                act()


class _AtOnce(Writer):
    """Jobs done where they are handed over."""

    def __init__(self, store: SegmentStore) -> None:
        self.store = store

    def submit(self, job: Job, nbytes: int = 0) -> bool:
        job(self.store)
        return True


def _disk(name: str, made: Bench) -> Any:
    return SimpleNamespace(name=name, writer=_AtOnce(made.store))


def _told(made: Bench) -> list[tuple[str, str, str | None]]:
    facts = read_facts(made.index._db, 0, 100)["facts"]
    return [(f["kind"], f["code"], f["camera"]) for f in facts]


def test_alarms_are_facts_once_and_outlive_restart_and_outage(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        disk = _disk("one", made)
        answering = [disk]
        alarms = Alarms(lambda: answering)
        alarms.raise_("CAMERA_LOST", CAMERA, "stalled", START_US)
        alarms.raise_("CAMERA_LOST", CAMERA, "stalled", START_US + 1)
        answering.clear()
        alarms.away(disk)
        alarms.raise_("STORAGE_FAILED", "recordings", "EIO", START_US + 2)
        answering.append(disk)
        alarms.reconcile(disk, read_alarms(made.store), START_US + 3)
        assert {a.code for a in read_alarms(made.store)} == {"CAMERA_LOST", "STORAGE_FAILED"}
        restarted = Alarms(lambda: answering)
        restarted.reconcile(disk, read_alarms(made.store), START_US + 4)
        assert restarted.subjects("CAMERA_LOST") == [CAMERA]
        restarted.end("CAMERA_LOST", CAMERA, START_US + 5)
        restarted.end("CAMERA_LOST", CAMERA, START_US + 6)
        answering.clear()
        restarted.away(disk)
        restarted.end("STORAGE_FAILED", "recordings", START_US + 7)
        answering.append(disk)
        restarted.reconcile(disk, read_alarms(made.store), START_US + 8)
        assert read_alarms(made.store) == []
        assert _told(made) == [
            ("alarm_raised", "CAMERA_LOST", CAMERA),
            ("alarm_raised", "STORAGE_FAILED", None),
            ("alarm_ended", "CAMERA_LOST", CAMERA),
            ("alarm_ended", "STORAGE_FAILED", None),
        ]


def test_the_trouble_of_one_directory_is_told_in_another(tmp_path: Path) -> None:
    with bench(tmp_path / "one") as first, bench(tmp_path / "two") as second:
        one, two = _disk("one", first), _disk("two", second)
        answering = [one, two]
        alarms = Alarms(lambda: answering)
        for disk in answering:
            alarms.reconcile(disk, [], START_US)
        alarms.raise_("CAMERA_LOST", CAMERA, "stalled", START_US)
        alarms.raise_("CAMERA_LOST", OTHER, "stalled", START_US)
        answering.remove(one)
        alarms.away(one)
        alarms.raise_("STORAGE_FAILED", "one", "EIO", START_US + 1)
        assert {a.subject for a in read_alarms(second.store)} == {CAMERA, OTHER, "one"}
        alarms.end("CAMERA_LOST", CAMERA, START_US + 2)
        answering.insert(0, one)
        alarms.reconcile(one, read_alarms(first.store), START_US + 3)
        assert read_alarms(first.store) == []
        assert [a.subject for a in read_alarms(second.store)] == [OTHER, "one"]
        assert _told(first)[2:] == [("alarm_ended", "CAMERA_LOST", CAMERA)]  # of the two raised there, it is over
        alarms.end("STORAGE_FAILED", "one", START_US + 4)
        assert _told(second)[-1] == ("alarm_ended", "STORAGE_FAILED", None)


@pytest.mark.parametrize(
    "damage",
    [
        "body = 'x' || body",
        "body = '[]'",
        "kind = CAST(x'67ff' AS TEXT)",
        "camera = CAST(x'ff' AS TEXT)",
        "at_us = 1 << 60",
        "at_us = 'soon'",
    ],
)
def test_a_fact_that_is_damaged_is_told_and_keeps_none_after_it(tmp_path: Path, damage: str) -> None:
    with bench(tmp_path) as made:
        for n in range(3):
            made.index.fact(START_US + n, "gap_opened", CAMERA, gap=n)
        made.index.execute(f"UPDATE fact SET {damage} WHERE n = 2")
        first, told, last = read_facts(made.index._db, 0, 100)["facts"]
        assert [(fact["n"], fact["gap"]) for fact in (first, last)] == [(1, 0), (3, 2)]
        assert (told["n"], told["kind"], told["camera"]) == (2, "alarm_raised", None)
        assert (told["code"], told["subject"], told["detail"]) == ("INDEX_DAMAGED", made.index.uuid, "2")


def test_facts_are_kept_for_thirty_days_after_they_were_acknowledged_and_until_then_for_ever(tmp_path: Path) -> None:
    def numbers(made: Bench) -> list[int]:
        return [fact["n"] for fact in read_facts(made.index._db, 0, 100)["facts"]]

    with bench(tmp_path) as made:
        for _ in range(3):
            made.index.fact(START_US, "inventory", CAMERA)
        made.index.acknowledge(2, START_US + DAY_US)
        made.store.forget_old_facts(START_US + 31 * DAY_US)
        assert numbers(made) == [1, 2, 3]
        made.store.forget_old_facts(START_US + 31 * DAY_US + 1)
        assert numbers(made) == [3]
        made.store.forget_old_facts(START_US + 3650 * DAY_US)
        assert numbers(made) == [3]
        made.index.acknowledge(3, START_US + 3650 * DAY_US)
        made.index.acknowledge(3, START_US + 4000 * DAY_US)
        made.store.forget_old_facts(START_US + 3700 * DAY_US)
        assert numbers(made) == [], "the first acknowledgement counts"
