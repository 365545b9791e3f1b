"""Each camera's civil day is told once, when it is over: of 23, 24 and 25 hours, with gaps, after an outage."""

import asyncio
import json
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from recorder_support import CAMERA, DAY_US, OTHER, Bench, bench, packets, record

from legal.retention import PARIS
from recorder.accounts import Cause
from recorder.adoption import ADOPTING
from recorder.control import Control
from recorder.days import Day, add_up, bounds_us, next_day, read_accounts, read_standing, remember_day, tell_day
from recorder.index import Index, open_reader
from recorder.machine import now_us
from recorder.main import Recorder, RecorderConfig
from streams.ticks import at_from_us, us_from_at

HOUR_US = 3_600_000_000
S_US = 1_000_000


def _us(year: int, month: int, day: int, hour: int = 0) -> int:
    return us_from_at(datetime(year, month, day, hour, tzinfo=UTC))


def _told(index: Index) -> list[dict[str, Any]]:
    rows = index.query("SELECT camera, body FROM fact WHERE kind = 'coverage_day' ORDER BY n")
    return [{"camera": camera, **json.loads(body)} for camera, body in rows]


def _tell(made: Bench, now_us: int, alive_us: int | None = None) -> list[date]:
    """Tell what is due, as the recorder does each minute; which days that were."""
    made.index.put("alive_us", now_us if alive_us is None else alive_us)
    made.index.commit()
    days = []
    while (day := _add_up([made], now_us)) is not None:
        tell_day(made.index, day, now_us)
        made.index.commit()
        days.append(day.day)
    return days


def _add_up(benches: list[Bench], now_us: int, away: bool = False) -> Day | None:
    """As the recorder asks its directories."""
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(open_reader(made.storage.index_path))) for made in benches]
        day = next_day([read_standing(reader) for reader in readers], now_us, away)
        return None if day is None else add_up(day, [read_accounts(reader, day) for reader in readers], now_us, away)


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 10, 25), 25), (date(2027, 3, 28), 23), (date(2026, 11, 23), 24)]
)
def test_a_day_has_the_hours_of_paris(tmp_path: Path, day: date, hours: int) -> None:
    from_us, to_us = bounds_us(day)
    assert to_us - from_us == hours * HOUR_US
    with bench(tmp_path) as made:
        accounts = made.store.accounts
        accounts.gap(CAMERA, from_us - HOUR_US, Cause.CAMERA, "connecting")
        accounts.run_started(CAMERA, from_us + 60 * S_US, "27-2026-001", None)
        accounts.run_ended(CAMERA, to_us - 30 * S_US, "reset", Cause.NETWORK, "reset")
        made.index.put("coverage_day", date.fromordinal(day.toordinal() - 1).isoformat())
        assert _tell(made, to_us + 599 * S_US) == []
        assert _tell(made, to_us + 600 * S_US) == [day]
        (told,) = _told(made.index)
        assert (told["camera"], told["day"], told["expected_s"]) == (CAMERA, day.isoformat(), hours * 3600)
        assert told["sums"] == {
            **dict.fromkeys(map(str, Cause), 0),
            "recorded": hours * 3600 - 90,
            "camera": 60,
            "network": 30,
        }
        assert sum(told["sums"].values()) == hours * 3600
        assert _tell(made, to_us + 20 * HOUR_US) == []


def test_only_cameras_under_orders_that_day_and_days_of_an_outage_later(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        accounts = made.store.accounts
        accounts.gap(CAMERA, _us(2026, 11, 20, 12), Cause.AUTHORISATION, "forbidden")
        accounts.gap(OTHER, _us(2026, 11, 20, 12), Cause.OURS, "killed")
        accounts.released(OTHER, _us(2026, 11, 21, 12))
        assert _tell(made, _us(2026, 11, 24, 12)) == [date(2026, 11, d) for d in (20, 21, 22, 23)]
        told = [(fact["camera"], fact["day"][-2:], fact["expected_s"]) for fact in _told(made.index)]
        other_s = [(OTHER, "20", 11 * 3600), (OTHER, "21", 13 * 3600)]
        assert sorted(told) == sorted([*((CAMERA, str(d), 0) for d in (20, 21, 22, 23)), *other_s])
        first = next(fact for fact in _told(made.index) if fact["camera"] == CAMERA)
        assert first["sums"]["authorisation"] == 11 * 3600


def test_an_index_of_before_tells_a_month_at_most(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        made.store.accounts.gap(CAMERA, _us(2026, 1, 1), Cause.CAMERA, "connecting")
        days = _tell(made, _us(2026, 11, 24, 12))
        assert (len(days), days[0], days[-1]) == (31, date(2026, 10, 24), date(2026, 11, 23))


@pytest.mark.parametrize("ahead_days", [1, 2, 1500])
def test_days_told_under_a_first_clock_that_was_ahead_stop_no_true_day(tmp_path: Path, ahead_days: int) -> None:
    noon_us = _us(2026, 11, 20, 12)
    ahead_us = noon_us + ahead_days * DAY_US
    with bench(tmp_path) as made:
        made.store.accounts.gap(CAMERA, ahead_us, Cause.CAMERA, "connecting")
        made.store.wave(ahead_us)
        told = _tell(made, ahead_us + DAY_US)
        assert told == [date(2026, 11, 20) + timedelta(days=ahead_days)]
        made.store.wave(noon_us)  # the clock is set right
        assert _tell(made, noon_us) == []
        for days in (1, 2, 3):
            made.store.wave(noon_us + days * DAY_US)
            assert _tell(made, noon_us + days * DAY_US) == [date(2026, 11, 19 + days)]
        first, second, _ = _told(made.index)[-3:]
        assert (first["expected_s"], first["sums"]["camera"]) == (11 * 3600, 11 * 3600)
        assert (second["expected_s"], second["sums"]["camera"]) == (24 * 3600, 24 * 3600)
        assert _tell(made, noon_us + 3 * DAY_US - 600 * S_US) == []  # a trusted clock may go back a little


def test_what_is_not_durable_yet_waits(tmp_path: Path) -> None:
    _, midnight_us = bounds_us(date(2026, 11, 23))
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 20), end=False)
        late_us = midnight_us + HOUR_US
        assert _tell(made, late_us, alive_us=midnight_us - 1) == []  # the disk has taken nothing since
        assert _tell(made, late_us) == []  # the run goes on, and is durable for its first 20 s only
        made.store.end_run(CAMERA, None, "stalled", Cause.CAMERA, "stalled")
        made.index.put(ADOPTING, 1)
        assert _tell(made, late_us) == []
        made.index.put(ADOPTING, None)
        assert _tell(made, late_us) == [date(2026, 11, 23)]
        assert _told(made.index)[0]["sums"]["recorded"] == 18  # whole parts


def test_a_day_is_over_all_directories(tmp_path: Path) -> None:
    noon_us, (from_us, to_us) = _us(2026, 11, 23, 11), bounds_us(date(2026, 11, 23))
    late_us, hours_us = to_us + HOUR_US, to_us - from_us
    with bench(tmp_path / "a") as one, bench(tmp_path / "b") as other:
        for made, begins_us in ((one, from_us - HOUR_US), (other, noon_us)):
            made.store.accounts.gap(CAMERA, begins_us, Cause.CAMERA, "connecting")
            made.store.accounts.run_started(CAMERA, begins_us + 10 * S_US, "27-2026-001", None)
            made.index.put("coverage_day", "2026-11-22")
        one.store.accounts.run_ended(CAMERA, noon_us - 60 * S_US, "storage", Cause.STORAGE, "storage_full")
        one.store.accounts.released(CAMERA, noon_us)
        other.store.accounts.run_ended(CAMERA, to_us + 5 * S_US, "reset", Cause.NETWORK, "reset")
        one.index.put("alive_us", late_us)
        for made in (one, other):
            made.index.commit()
        assert _add_up([one, other], late_us) is None  # the other has taken nothing since the day's end
        other.index.put("alive_us", late_us)
        other.index.commit()
        day = _add_up([one, other], late_us)
        assert day is not None
        sums = day.cameras[CAMERA].sums()
        assert (sums["storage"], sums["camera"], sums["recorded"]) == (60 * S_US, 10 * S_US, hours_us - 70 * S_US)
        assert day.cameras[CAMERA].expected_us == hours_us
        assert _add_up([one], late_us, away=True) is None
        later_us = to_us + 6 * HOUR_US
        one.index.put("alive_us", later_us)
        one.index.commit()
        alone = _add_up([one], later_us, away=True)
        assert alone is not None
        assert alone.cameras[CAMERA].sums()["storage"] == to_us - noon_us + 60 * S_US
        assert sum(alone.cameras[CAMERA].sums().values()) == hours_us
        remember_day(other.index, day.day)
        other.index.commit()
        assert _add_up([one, other], later_us) is None  # one of them remembers


async def test_a_running_recorder_tells_the_days_that_are_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.rounds.WALK_TICKS", 1)
    now = now_us()
    with bench(tmp_path, now - 3 * DAY_US) as made:
        made.store.accounts.gap(CAMERA, now - 3 * DAY_US, Cause.CAMERA, "connecting")
        made.index.put("alive_us", now - 2 * DAY_US)
        made.index.commit()
    storage = {tmp_path / "recordings": tmp_path / "state" / "storage.json"}
    recorder = Recorder(RecorderConfig(storage, tmp_path / "state", tmp_path / "c", tmp_path / "p", {}))
    running = asyncio.create_task(recorder.run(Control(recorder).answer))
    async with asyncio.timeout(60):
        while True:
            told = _told_at(tmp_path / "recordings" / "index.db")
            if len(told) == 3:
                break
            await asyncio.sleep(0.1)
    recorder.stop()
    await running
    today = at_from_us(now).astimezone(PARIS).date()
    assert [fact["day"] for fact in told] == [(today - timedelta(days=days)).isoformat() for days in (3, 2, 1)]
    assert told[1]["sums"]["camera"] > 0
    assert told[2]["sums"]["ours"] == told[2]["expected_s"]


def _told_at(path: Path) -> list[dict[str, Any]]:
    with closing(open_reader(path)) as reader:
        rows = reader.execute("SELECT body FROM fact WHERE kind = 'coverage_day' ORDER BY n").fetchall()
    return [json.loads(body) for (body,) in rows]
