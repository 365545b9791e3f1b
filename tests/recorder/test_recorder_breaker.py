"""The breaker: little at once goes, a quarter of everything waits for two persons."""

from pathlib import Path

import pytest
from recorder_support import CAMERA, DAY_US, START_US, Bench, bench, packets, record

from recorder import breaker as module
from recorder.breaker import Breaker
from recorder.destruction import destroy_due


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)


def _recorded(made: Bench) -> list[int]:
    record(made.store, CAMERA, packets(25 * 700))
    return [d for (d,) in made.index.query("SELECT deadline_us FROM segment ORDER BY deadline_us")]


def test_what_comes_due_bit_by_bit_goes(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        deadlines = _recorded(made)
        breaker = Breaker(made.index)
        for due_us in deadlines:
            assert breaker.allows(due_us)
            destroy_due(made.store, due_us, due_us)
        assert made.index.query("SELECT count(*) FROM segment") == [(0,)]
        assert breaker.freeze is None


def test_much_at_once_waits_for_its_own_release(tmp_path: Path) -> None:
    due_us = START_US + 20 * DAY_US
    with bench(tmp_path) as made:
        _recorded(made)
        assert not Breaker(made.index).allows(due_us)
        freeze = Breaker(made.index).freeze
        assert freeze is not None
        assert not Breaker(made.index).allows(due_us)
        made.index.commit()
    with bench(tmp_path) as again:
        breaker = Breaker(again.index)
        assert breaker.freeze == freeze
        assert not breaker.release("another", due_us)
        assert not breaker.allows(due_us)
        assert breaker.release(freeze, due_us)
        assert breaker.allows(due_us)
        assert not breaker.release(freeze, due_us)


def test_a_batch_that_was_judged_goes_on_to_its_end(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        deadlines = _recorded(made)
        breaker = Breaker(made.index)
        due_us = deadlines[2]
        assert breaker.allows(due_us)
        while destroy_due(made.store, due_us, due_us, limit=1):
            assert breaker.allows(due_us)
        assert made.index.query("SELECT min(deadline_us) FROM segment") == [(deadlines[3],)]
