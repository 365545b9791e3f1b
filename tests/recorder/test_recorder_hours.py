"""The hours of an index of before are added up beside the recording: at any time they are those of what is counted."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from recorder_support import CAMERA, DAY_US, OTHER, START_US, Bench, bench, packets, record

from recorder.breaker import planned, read_breakers
from recorder.check import check
from recorder.clock import ClockMemory
from recorder.control import Control
from recorder.destruction import destroy_due
from recorder.index import HOUR_US, UNCOUNTED, open_reader, read_facts
from recorder.machine import MachineClock, now_us
from recorder.main import Recorder, RecorderConfig
from recorder.space import read_space
from recorder.writer import save_memory

_COUNTED = "SELECT camera, hour_us, count, bytes, time_us FROM hour ORDER BY 1, 2"
_THERE = (
    "SELECT camera, start_us - start_us % 3600000000 AS of_us, count(*), sum(length), sum(end_us - start_us)"
    " FROM segment WHERE state = 1 AND id > ? GROUP BY 1, 2 ORDER BY 1, 2"
)


def _as_of_before(made: Bench) -> int:
    """As an index is that was just brought to this version: nothing is counted. How many segments there are."""
    made.index.execute("DELETE FROM hour")
    made.index.execute("INSERT INTO meta SELECT ?, max(id) FROM segment", (UNCOUNTED,))
    made.index.commit()
    return int(made.index.query("SELECT max(id) FROM segment")[0][0])


def _is_right(made: Bench) -> bool:
    counted: list[tuple[int, ...]] = made.index.query(_COUNTED)
    return counted == made.index.query(_THERE, (made.index.get(UNCOUNTED) or 0,))


@pytest.mark.parametrize("step", [1, 2, 3, 100])
def test_what_comes_and_goes_meanwhile_is_counted_once(tmp_path: Path, step: int) -> None:
    with bench(tmp_path) as made:
        for camera in (CAMERA, OTHER):
            record(made.store, camera, packets(25 * 200))
        upto = _as_of_before(made)
        assert _is_right(made)
        goes_on = True
        for n in range(upto + 2):
            record(made.store, CAMERA, packets(25 * 70, start=25 * (300 + 100 * n), seed=n))
            assert _is_right(made)
            goes_on = made.index.count_on(step) and goes_on
            assert _is_right(made)
            oldest = made.index.query(
                "SELECT id FROM segment WHERE state = 1 ORDER BY start_us, id LIMIT 1 OFFSET ?", (n,)
            )
            made.index.execute("UPDATE segment SET deadline_us = 1 WHERE id = ?", oldest[0])
            assert destroy_due(made.store, 1, START_US) == 1
            assert _is_right(made)
            made.index.count_hours(1)
            assert _is_right(made)
        assert not goes_on
        assert made.index.get(UNCOUNTED) is None
        assert read_space(made.index._db, START_US) is not None


def test_a_file_that_the_index_lacked_is_counted_once(tmp_path: Path) -> None:
    """Killed with a segment open, upgraded, and recovered: its row was there before, and is closed after."""
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 100), end=False)
        upto = _as_of_before(made)
    with bench(tmp_path, START_US + 200_000_000) as again:
        assert again.recovery.repaired == 1
        assert _is_right(again)
        while again.index.count_on(1):
            assert _is_right(again)
        assert _is_right(again)
        assert again.index.query("SELECT sum(count) FROM hour") == [(upto,)]


async def test_want_of_space_is_met_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk whose bound is high, and an index of which nothing is ever counted: what is past its minimum goes, over
    all its hours; what isn't stays."""
    monkeypatch.setattr("recorder.writer._COUNTED_AT_ONCE", 0)
    monkeypatch.setattr("recorder.rounds.PRESS_TICKS", 1)
    monkeypatch.setattr("recorder.rounds.LOW_BYTES", 1 << 60)
    now = now_us()
    with bench(tmp_path) as made:
        for camera, days in ((CAMERA, 9), (OTHER, 7)):
            for hour in range(3):
                shift_us = now - now % HOUR_US - days * DAY_US + hour * HOUR_US - START_US  # one segment of an hour
                record(made.store, camera, ((packet, at_us + shift_us) for packet, at_us in packets(25 * 10)))
        _as_of_before(made)
        clock = MachineClock()
        clock.remember(None)
        save_memory(made.index, clock.observe()[1])
        made.index.commit()
    storage = {tmp_path / "recordings": tmp_path / "state" / "storage.json"}
    recorder = Recorder(RecorderConfig(storage, tmp_path / "state", tmp_path / "c", tmp_path / "p", {}))
    running = asyncio.create_task(recorder.run(Control(recorder).answer))

    query = "SELECT c.uuid, count(*) FROM segment s JOIN camera c ON c.id = s.camera GROUP BY 1"
    left: list[tuple[str, int]] = []
    async with asyncio.timeout(60):
        while left != [(OTHER, 3)]:
            await asyncio.sleep(0.05)
            with closing(open_reader(tmp_path / "recordings" / "index.db")) as reader:
                left = reader.execute(query).fetchall()
    recorder.stop()
    await running
    with bench(tmp_path, now) as made:
        gone = [fact for fact in read_facts(made.index._db, 0, 1000)["facts"] if fact["kind"] == "destroyed"]
        assert [(fact["camera"], fact["cause"], fact["count"]) for fact in gone] == [(CAMERA, "space", 1)] * 3
    assert check(tmp_path / "recordings", now, deep=True).ok


def test_a_clock_that_leaps_meanwhile_is_noticed_and_told_when_all_is_counted(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 90))
        upto = _as_of_before(made)
        assert planned(made.index, ClockMemory("a", 0, 0, seen_us=0), START_US) == START_US
        leapt = START_US + 20 * DAY_US
        assert planned(made.index, ClockMemory("a", 0, 0, seen_us=1), leapt) == START_US + 1
        (waiting,) = read_breakers(made.index)
        assert waiting.judging
        while made.index.count_on(1):
            pass
        (waiting,) = read_breakers(made.index)
        assert (waiting.judging, waiting.segments) == (False, upto)
