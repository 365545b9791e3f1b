"""The breaker: what falls due as time passes dies; what an order or a clock makes due far beyond that waits for two."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorder_support import CAMERA, DAY_US, OTHER, START_US, Bench, bench, packets, record

from recorder.breaker import (
    LEAP_US,
    Breaker,
    Moved,
    Plan,
    allowed_us,
    due_by_order,
    follow,
    planned,
    read_breakers,
    unite,
)
from recorder.breaker import release_breaker as release
from recorder.clock import ClockMemory
from recorder.destruction import destroy_due
from recorder.machine import boot_id
from recorder.main import Recorder, RecorderConfig
from recorder.playback import Clip, PlaybackStore
from recorder.writer import StorageState
from streams.ticks import at_from_us

HOUR_US = 3_600_000_000
AUTHORISATION = "27-2026-001"
ORDERS_US = START_US + 2 * DAY_US


def _clock(boot_us: int) -> ClockMemory:
    return ClockMemory("a", 0, 0, seen_us=boot_us)


@given(
    st.lists(
        st.tuples(st.sampled_from(["tick", "outage", "reboot", "step"]), st.integers(1, 12 * HOUR_US)), max_size=60
    )
)
def test_only_a_clock_that_runs_ahead_of_the_machine_by_over_a_day_in_a_day_is_held_back(
    events: list[tuple[str, int]],
) -> None:
    """Outages and reboots of any length are planned; steps are, as long as they add up to less than a day in a day."""
    boot, boot_us, due_us = 0, 0, START_US
    plan: Plan | None = None
    ahead: list[tuple[int, int]] = []
    for event, us in events:
        if event == "reboot":
            boot, boot_us, due_us = boot + 1, 0, due_us + us * 60
            ahead = []
        elif event == "step":
            due_us += us
            ahead.append((boot_us, us))
        else:
            passed = us if event == "tick" else us * 60
            boot_us, due_us = boot_us + passed, due_us + passed
        plan = follow(plan, str(boot), boot_us, due_us)
        if sum(step for at_us, step in ahead if at_us >= boot_us - 2 * LEAP_US) <= LEAP_US:
            assert allowed_us(plan, due_us) == due_us
        assert allowed_us(plan, due_us) <= due_us
        if plan.leapt_us is not None:
            return


def test_a_leap_holds_destruction_to_the_machine_s_own_time_until_it_is_taken_back() -> None:
    plan = follow(None, "a", 0, START_US)
    leapt = START_US + 20 * DAY_US
    plan = follow(plan, "a", 60_000_000, leapt)
    assert allowed_us(plan, leapt) == START_US + 60_000_000
    plan = follow(plan, "a", HOUR_US, leapt + HOUR_US)
    assert allowed_us(plan, leapt) == START_US + HOUR_US
    plan = follow(plan, "rebooted", 0, leapt + 2 * HOUR_US)
    assert allowed_us(plan, leapt) == START_US + HOUR_US
    plan = follow(plan, "rebooted", HOUR_US, START_US + 2 * HOUR_US)
    assert plan.leapt_us is None


@pytest.mark.parametrize(("days", "new_days", "stops"), [(30, 29, 0), (30, 15, 0), (30, 14, 1), (30, 1, 1), (1, 1, 0)])
def test_an_order_that_halves_a_delay_goes_through(days: int, new_days: int, stops: int) -> None:
    """A camera that has recorded all the time of its delay, hour by hour."""
    now_us = START_US + 60 * DAY_US
    starts = range(now_us - days * DAY_US, now_us, HOUR_US)
    segments = [Moved(HOUR_US, 1, start + days * DAY_US + 1, start + new_days * DAY_US) for start in starts]
    due = due_by_order(segments, now_us)
    assert bool(due) == bool(stops)
    assert not due or len(due) == (days - new_days) * 24 + 1


def test_an_hour_may_always_go() -> None:
    assert due_by_order([Moved(2 * HOUR_US, 1, START_US + 1, START_US)], START_US) == []
    assert due_by_order([Moved(2 * HOUR_US + 2, 1, START_US + 1, START_US)], START_US)


def _old(made: Bench) -> int:
    """Two cameras with some hours each (the pictures' time is stretched in the index); the time two days later."""
    for camera in (CAMERA, OTHER):
        record(made.store, camera, packets(25 * 90))
    made.index.execute("UPDATE segment SET end_us = start_us + ? WHERE state = 1", (3 * HOUR_US,))
    for number in (1, 2):
        made.index.count_hours(number)
    made.store.obey_terms(CAMERA, AUTHORISATION, 15, ORDERS_US)
    made.store.obey_terms(OTHER, AUTHORISATION, 15, ORDERS_US)
    for _ in range(2):
        made.store.wave(START_US)
    return START_US + 2 * DAY_US


def _count(made: Bench, camera: int) -> int:
    return int(made.index.query("SELECT count(*) FROM segment WHERE camera = ?", (camera,))[0][0])


def test_a_delay_shortened_by_mistake_destroys_nothing_and_shows_nothing_until_it_is_corrected(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        now_us = _old(made)
        before = made.index.query("SELECT id, deadline_us FROM segment ORDER BY id")
        made.store.obey_terms(CAMERA, AUTHORISATION, 1, ORDERS_US)
        made.store.wave(now_us)
        waiting = _waiting(made)
        assert waiting is not None
        assert (waiting.reason, waiting.segments) == ("retention", _count(made, 1))
        assert destroy_due(made.store, now_us, now_us) == 0
        assert made.index.query("SELECT id, deadline_us FROM segment ORDER BY id") == before
        assert not _shown(tmp_path, made, CAMERA, now_us)
        assert _shown(tmp_path, made, OTHER, now_us)
    with bench(tmp_path, now_us) as again:
        assert _waiting(again) == waiting
        again.store.obey_terms(CAMERA, AUTHORISATION, 1, ORDERS_US)  # the orders are told at each start
        again.store.wave(now_us + 1)
        assert _waiting(again) == waiting
        again.store.obey_terms(CAMERA, AUTHORISATION, 15, ORDERS_US)
        again.store.wave(now_us + 2)
        assert _waiting(again) is None
        assert _shown(tmp_path, again, CAMERA, now_us)


def test_two_persons_let_it_go_also_over_a_restart_in_between(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        now_us = _old(made)
        for camera in (CAMERA, OTHER):
            made.store.obey_terms(camera, AUTHORISATION, 1, ORDERS_US)
        for _ in range(2):
            made.store.wave(now_us)
        waiting = _waiting(made)
        assert waiting is not None
        assert not release(made.index, "another")
        assert release(made.index, waiting.id)
        assert _waiting(made) is None
        made.index.commit()
    with bench(tmp_path, now_us) as again:
        for _ in range(2):
            again.store.wave(now_us)
        while destroy_due(again.store, now_us, now_us):
            pass
        assert (_count(again, 1), _count(again, 2)) == (0, 0)
        assert again.index.query("SELECT count(*) FROM withheld") == [(0,)]
        assert not release(again.index, waiting.id)
    assert not list((tmp_path / "recordings").rglob("*.mp4"))


def test_what_was_released_is_not_asked_for_again_after_a_kill_in_the_midst(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench(tmp_path) as made:
        now_us = _old(made)
        made.store.obey_terms(CAMERA, AUTHORISATION, 1, ORDERS_US)
        made.store.wave(now_us)
        waiting = _waiting(made)
        assert waiting is not None
        assert release(made.index, waiting.id)
        made.store.apply_released()
        _slow(monkeypatch)
        while not destroy_due(made.store, now_us, now_us):
            made.store.wave(now_us)
        assert _count(made, 1) > 0
        made.store.abandon()
    with bench(tmp_path, now_us) as again:
        again.store.obey_terms(CAMERA, AUTHORISATION, 1, ORDERS_US)
        while _count(again, 1):
            again.store.wave(now_us)
            assert _waiting(again) is None
            destroy_due(again.store, now_us, now_us)
        assert _count(again, 2) > 0
        _as_added_up_anew(again)


def _slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that gives one row a wave."""
    monkeypatch.setattr("recorder.store._SHORTEN_S", 0)
    monkeypatch.setattr("recorder.shortening.SEGMENTS_AT_ONCE", 1)


def _as_added_up_anew(made: Bench) -> None:
    """The hours that were kept up are those of the segments."""
    kept = made.index.query("SELECT * FROM hour ORDER BY camera, hour_us")
    for number in (1, 2):
        made.index.count_hours(number)
    assert made.index.query("SELECT * FROM hour ORDER BY camera, hour_us") == kept


def test_what_was_signed_for_is_not_what_other_orders_did_since(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        now_us = _old(made)
        made.store.obey_terms(CAMERA, AUTHORISATION, 1, ORDERS_US)
        made.store.wave(now_us)
        first = _waiting(made)
        made.store.obey_terms(OTHER, AUTHORISATION, 1, ORDERS_US + 1)
        made.store.wave(now_us)
        assert first is not None
        assert _waiting(made) == first, "the older act comes first, whatever others do"
        assert release(made.index, first.id)
        second = _waiting(made)
        assert second is not None
        assert second.id != first.id
        assert second.segments == _count(made, 2)
        assert not release(made.index, first.id)
        made.store.apply_released()
        made.store.wave(now_us)
        while destroy_due(made.store, now_us, now_us):
            pass
        assert _count(made, 1) == 0 < _count(made, 2)


def test_orders_are_told_under_one_name_once_all_cameras_are_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench(tmp_path) as made:
        now_us = _old(made)
        _slow(monkeypatch)
        for camera in (CAMERA, OTHER):
            made.store.obey_terms(camera, AUTHORISATION, 1, ORDERS_US)
        while not (partly := read_breakers(made.index, made.store.judging)[0]).segments:
            assert _waiting(made) is None
            made.store.wave(now_us)
        assert partly.segments == _count(made, 1)
        assert _waiting(made) is None
        assert destroy_due(made.store, now_us, now_us) == 0
        while (waiting := _waiting(made)) is None:
            made.store.wave(now_us)
        assert waiting.id == partly.id
        assert waiting.segments == _count(made, 1) + _count(made, 2)
    with bench(tmp_path, now_us) as again:  # the orders are told at each start, and what was judged stays told
        for camera in (CAMERA, OTHER):
            again.store.obey_terms(camera, AUTHORISATION, 1, ORDERS_US + 5)
        assert _waiting(again) == waiting


def test_cameras_that_have_little_are_judged_in_one_wave(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        now_us = _old(made)
        for camera in (CAMERA, OTHER):
            made.store.obey_terms(camera, AUTHORISATION, 1, ORDERS_US)
        made.store.wave(now_us)
        waiting = _waiting(made)
        assert waiting is not None
        assert waiting.segments == _count(made, 1) + _count(made, 2)


async def test_the_alarm_comes_before_all_is_judged_and_ends_when_nothing_waits(tmp_path: Path) -> None:
    storage = {tmp_path / name: tmp_path / "state" / f"{name}.json" for name in ("one", "two")}
    recorder = Recorder(RecorderConfig(storage, tmp_path / "state", tmp_path / "c", tmp_path / "p", {}))

    def told(name: str, *breakers: Breaker) -> list[str]:
        recorder._storage_changed(recorder.disks[name], StorageState(True, 0, index=name, breakers=breakers))
        return recorder.alarms.subjects("DESTRUCTION_BREAKER")

    assert told("one") == told("two") == []
    assert told("one", Breaker("retention", 5, 0, 0, judging=True)) == []
    assert told("one", Breaker("retention", 5, 3, 30, judging=True)) == ["machine"]
    assert recorder.breaker is None, "nobody can sign for what isn't all known"
    assert told("one", Breaker("retention", 5, 7, 70)) == ["machine"]
    assert recorder.breaker == Breaker("retention", 5, 7, 70)
    assert told("one") == []


def test_a_correction_ends_also_what_is_not_judged_yet(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        now_us = _old(made)
        before = made.index.query("SELECT id, deadline_us FROM segment ORDER BY id")
        for days in (1, 15):
            for camera in (CAMERA, OTHER):
                made.store.obey_terms(camera, AUTHORISATION, days, ORDERS_US)
        for _ in range(3):
            made.store.wave(now_us)
        assert _waiting(made) is None
        assert made.index.query("SELECT id, deadline_us FROM segment ORDER BY id") == before


def test_directories_tell_one_act_together() -> None:
    orders, later, leap = Breaker("retention", 5, 2, 20), Breaker("retention", 9, 1, 10), Breaker("clock", 7, 1, 10)
    assert unite([]) is None
    assert unite([later, orders, orders]) == Breaker("retention", 5, 4, 40)
    assert unite([orders, leap, leap]) == Breaker("clock", 7, 2, 20)
    assert unite([orders, Breaker("retention", 5, 0, 0, judging=True)]) is None
    assert unite([orders, Breaker("retention", 5, 0, 0, judging=True), later]) == later
    assert len({orders.id, later.id, leap.id}) == 3


def test_an_orderly_shortening_goes_through(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        now_us = _old(made)
        made.store.obey_terms(CAMERA, AUTHORISATION, 3, ORDERS_US)
        made.store.wave(now_us)
        assert _waiting(made) is None
        assert made.index.query("SELECT max(deadline_us - start_us) FROM segment WHERE camera = 1") == [(3 * DAY_US,)]
        assert made.index.query("SELECT deadline_us FROM hour WHERE camera = 1") == (
            made.index.query("SELECT max(deadline_us) FROM segment WHERE camera = 1")
        )


def test_what_is_held_is_not_counted(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        now_us = _old(made)
        made.index.execute("INSERT INTO hold VALUES ('h', 1, 0, ?, 'PV', 0)", (now_us,))
        made.store.obey_terms(CAMERA, AUTHORISATION, 1, ORDERS_US)
        made.store.wave(now_us)
        assert _waiting(made) is None


def test_an_outage_is_planned_and_a_leaping_clock_is_not(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        _old(made)
        assert planned(made.index, _clock(0), START_US) == START_US
        later = START_US + 16 * DAY_US
        assert planned(made.index, _clock(16 * DAY_US), later) == later
        leapt = later + 2 * DAY_US
        assert planned(made.index, _clock(16 * DAY_US + 1), leapt) == leapt  # nothing falls due by it
        made.index.execute("UPDATE segment SET deadline_us = deadline_us + ?", (4 * DAY_US,))
        made.index.count_hours(1)
        leapt_again = leapt + 2 * DAY_US
        allowed = planned(made.index, _clock(16 * DAY_US + 2), leapt_again)
        made.index.put("clock_due_us", leapt_again)
        assert allowed == leapt + 1
        assert destroy_due(made.store, allowed, allowed) == 0
        made.index.commit()
        waiting = _waiting(made)
        assert waiting is not None
        assert waiting.reason == "clock"
        assert waiting.segments == _count(made, 1)
    with bench(tmp_path, leapt) as again:
        assert _waiting(again) == waiting
        assert release(again.index, waiting.id)
        assert planned(again.index, _clock(16 * DAY_US + 3), leapt_again) == leapt_again
        assert _waiting(again) is None


def _waiting(made: Bench) -> Breaker | None:
    return unite(read_breakers(made.index, made.store.judging))


def _shown(path: Path, made: Bench, camera: str, now_us: int) -> bool:
    made.index.put("playback_boot", boot_id())
    made.index.commit()
    at = [at_from_us(us) for us in (START_US, START_US + DAY_US, now_us)]
    plan = PlaybackStore(path / "recordings").plan(camera, at[0], at[1], at[2])
    return any(isinstance(item, Clip) for item in plan.items)
