"""Rotation x clock x crash point over weeks of simulated time, in any order of events: see `recorded_history.py`."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from disk_model import Choice, chance, everything, nothing
from history_checks import verify
from history_model import DAY, FORMATS, HOUR, Clocks, Killed, S, make_camera
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from recorded_history import History

from recorder.machine import now_us
from streams.ticks import at_from_us, us_from_at

BEGINS = {
    "any day": datetime(2026, 11, 26, 9, 0, 30, tzinfo=UTC),
    "before the night of spring": datetime(2027, 3, 28, 0, 58, tzinfo=UTC),
    "before the night of autumn": datetime(2026, 10, 25, 0, 58, tzinfo=UTC),
    "a month before the night of spring": datetime(2027, 2, 28, 0, 58, tzinfo=UTC),
    "end of January": datetime(2027, 1, 31, 22, 58, tzinfo=UTC),
}
_RAM = Path("/dev/shm")
numbers = st.integers(0, 1)


class Life(RuleBasedStateMachine):
    """Each rule is an event; between two of them everything must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp(dir=_RAM if _RAM.is_dir() else None))
        self.stack = ExitStack()

    def teardown(self) -> None:
        self.stack.close()
        shutil.rmtree(self.path)

    @initialize(
        begin=st.sampled_from(sorted(BEGINS)),
        periods=st.tuples(*[st.sampled_from([2 * S, S, S // 2, S // 5])] * 2),
        gops=st.tuples(*[st.integers(1, 12)] * 2),
        drifts=st.tuples(*[st.sampled_from([0, 500, -500])] * 2),
        days=st.tuples(*[st.sampled_from([1, 2, 31])] * 2),
        first_ahead_us=st.sampled_from([0, 0, 0, 2 * HOUR, 1500 * DAY]),
    )
    def begins(self, begin: str, periods: Any, gops: Any, drifts: Any, days: Any, first_ahead_us: int) -> None:
        begin_us = us_from_at(BEGINS[begin])
        self.clocks = Clocks(begin_us)
        self.clocks.ahead_us = first_ahead_us
        cameras = [make_camera(n, days[n], periods[n], gops[n], drifts[n], begin_us) for n in range(2)]
        self.history = History(self.path, self.clocks, cameras)
        self.history.clock_known = first_ahead_us == 0
        self.stack.enter_context(self.history.under())
        self.history.start()

    @property
    def is_up(self) -> bool:
        return self.history.writer is not None

    @precondition(lambda self: self.is_up)
    @rule(seconds=st.integers(1, 150))
    def records(self, seconds: int) -> None:
        self.history.record(seconds)

    @precondition(lambda self: self.is_up)
    @rule(hours=st.integers(1, 40))
    def waits(self, hours: int) -> None:
        self.history.wait(hours * HOUR)

    @precondition(lambda self: self.is_up)
    @rule(ahead_us=st.sampled_from([0, -2 * S, 2 * S, -60 * S, 300 * S, -HOUR, HOUR, 2 * HOUR, -30 * HOUR, 400 * DAY]))
    def clock_is_set(self, ahead_us: int) -> None:
        self.history.set_clock(ahead_us)

    @precondition(lambda self: self.is_up)
    @rule(number=numbers, ahead_us=st.sampled_from([-HOUR, -2 * S, 2 * S, 300 * S, 2 * HOUR]))
    def clock_is_set_at_the_rotation(self, number: int, ahead_us: int) -> None:
        """Exactly at the key frame that would begin a new file."""
        camera = self.history.cameras[number]
        for _ in range(90):
            self.history.record(1)
            stream = camera.stream
            assert stream is not None
            if stream._segmenter._rotate_us - (stream.last_at_us or 0) <= S:
                break
        self.history.set_clock(ahead_us)
        self.history.record(3)

    @precondition(lambda self: self.is_up)
    @rule()
    def clock_starts_in_1970(self) -> None:
        self.history.set_clock(-self.clocks.true_us)

    @rule()
    def ntp_sets_the_clock(self) -> None:
        self.history.ntp()

    @precondition(lambda self: self.is_up)
    @rule(number=numbers, jump_us=st.sampled_from([-HOUR, -150_000, -50_000, 1_200_000, 30 * DAY]))
    def stamps_jump(self, number: int, jump_us: int) -> None:
        self.history.cameras[number].media_us += jump_us

    @precondition(lambda self: self.is_up)
    @rule(number=numbers)
    def camera_says_1970(self, number: int) -> None:
        camera = self.history.cameras[number]
        assert camera.stream is not None
        camera.stream.sender_report(at_from_us(0), round(camera.media_us * 0.09), self.clocks.monotonic())

    @precondition(lambda self: self.is_up)
    @rule(number=numbers)
    def camera_goes_or_comes(self, number: int) -> None:
        camera = self.history.cameras[number]
        (self.history.lose if camera.connected else self.history.find)(camera)

    @precondition(lambda self: self.is_up)
    @rule(number=numbers)
    def format_changes(self, number: int) -> None:
        camera = self.history.cameras[number]
        camera.format = FORMATS[camera.format is FORMATS[0]]

    @precondition(lambda self: self.is_up)
    @rule(number=numbers, since_s=st.integers(0, 300), seconds=st.integers(1, 300))
    def hold_is_put(self, number: int, since_s: int, seconds: int) -> None:
        from_us = now_us() - since_s * S
        self.history.hold(self.history.cameras[number], from_us, from_us + seconds * S)

    @precondition(lambda self: self.is_up and self.history.holds)
    @rule()
    def hold_is_released(self) -> None:
        self.history.release(next(iter(self.history.holds.values())))

    @precondition(lambda self: self.is_up)
    @rule(hours=st.integers(0, 30))
    def recorder_stops(self, hours: int) -> None:
        self.history.stop()
        self.clocks.pass_us(hours * HOUR)

    @rule(hours=st.integers(0, 12), ahead_us=st.sampled_from([0, 0, -HOUR, HOUR, 2 * HOUR, 400 * DAY]))
    def machine_is_off(self, hours: int, ahead_us: int) -> None:
        """Its battery clock says what it will; nobody has set it since."""
        if self.is_up:
            self.history.stop()
        self.clocks.pass_us(hours * HOUR)
        self.clocks.reboot()
        self.clocks.ahead_us = ahead_us

    @precondition(lambda self: not self.is_up)
    @rule()
    def recorder_starts(self) -> None:
        self.history.start()

    @precondition(lambda self: self.is_up)
    @rule(operations=st.integers(1, 400), power=st.one_of(st.none(), st.just("all"), st.integers(0, 1000)))
    def recorder_is_killed(self, operations: int, power: int | str | None) -> None:
        """At any operation, also while it recovers."""
        for at in (operations, operations // 7 + 1, 400):
            try:
                self.history.arm(at)
                if self.history.writer is None:
                    self.history.start()
                self.history.record(30)
            except Killed:
                pass
            self.history.end(_choice(power))
        assert not self.is_up

    @precondition(lambda self: not self.is_up and self.history.recovered)
    @rule()
    def index_is_lost(self) -> None:
        self.history.lose_index()
        self.history.start()
        self.history.adopt()

    @precondition(lambda self: self.is_up)
    @rule()
    def index_is_backed_up(self) -> None:
        self.history.back_up()

    @precondition(lambda self: not self.is_up and self.history.recovered and self.history.backup is not None)
    @rule()
    def index_comes_from_the_backup(self) -> None:
        self.history.restore()
        self.history.start()
        self.history.adopt()

    @invariant()
    def all_holds(self) -> None:
        if hasattr(self, "history") and self.is_up:
            verify(self.history)


@contextmanager
def _history(begin: str, ppm: int = 0, days: int = 2, ahead_us: int = 0) -> Iterator[History]:
    """Two cameras that record; all holds at the end."""
    path = Path(tempfile.mkdtemp(dir=_RAM if _RAM.is_dir() else None))
    begin_us = us_from_at(BEGINS[begin])
    clocks = Clocks(begin_us)
    clocks.ahead_us = ahead_us
    cameras = [make_camera(0, days, S // 5, 10, ppm, begin_us), make_camera(1, days, 2 * S, 3, -ppm, begin_us)]
    history = History(path, clocks, cameras)
    history.clock_known = not ahead_us
    try:
        with history.under():
            history.start()
            yield history
            verify(history)
    finally:
        shutil.rmtree(path)


def _runs(history: History, number: int) -> list[tuple[int, int, str | None, int | None]]:
    assert history.writer is not None
    index = history.writer.store.index
    rows: list[tuple[int, int, str | None, int | None]] = index.query(
        "SELECT r.from_us, r.to_us, r.reason, r.clock_offset_us FROM run r JOIN camera c ON c.id = r.camera"
        " WHERE c.uuid = ? ORDER BY r.id",
        (history.cameras[number].uuid,),
    )
    return rows


@pytest.mark.parametrize("begin", ["before the night of spring", "before the night of autumn"])
def test_a_night_of_clock_change_costs_nothing(begin: str) -> None:
    with _history(begin, days=31) as history:
        history.record(300)
        for number in (0, 1):
            ((from_us, to_us, reason, _),) = _runs(history, number)
            assert (reason, to_us - from_us >= 294 * S) == (None, True)
        verify(history)
        history.wait(32 * DAY)  # over their deadlines, a month later: the same civil time, or 31 days if that is less
        verify(history)
        assert all(picture.gone for camera in history.cameras for picture in camera.taken)


@pytest.mark.parametrize("ppm", [500, -500])
def test_a_camera_that_drifts_by_500_ppm_is_one_run(ppm: int) -> None:
    with _history("any day", ppm) as history:
        history.record(4000)
        for number in (0, 1):
            ((from_us, to_us, reason, _),) = _runs(history, number)
            assert (reason, abs(to_us - from_us - 4000 * S) < 8 * S) == (None, True)
            assert abs(to_us - history.clocks.true_us) < 8 * S


def test_a_camera_in_1970_is_dated_by_our_clock() -> None:
    with _history("any day") as history:
        camera = history.cameras[0]
        history.record(20)
        assert camera.stream is not None
        camera.stream.sender_report(at_from_us(0), round(camera.media_us * 0.09), history.clocks.monotonic())
        history.record(70)
        ((from_us, _, reason, offset_us),) = _runs(history, 0)
        assert (reason, offset_us is not None) == (None, True)
        assert offset_us is not None
        assert abs(offset_us + history.clocks.true_us) < 100 * S
        assert abs(from_us - history.clocks.true_us) < 100 * S


@pytest.mark.parametrize("ahead_us", [2 * HOUR, -HOUR, -2 * S, 300 * S])
def test_a_machines_clock_that_is_set_cuts_the_run_and_costs_nothing_else(ahead_us: int) -> None:
    with _history("any day") as history:
        history.record(100)
        before = len(history.cameras[0].taken)
        history.set_clock(ahead_us)
        history.record(100)
        verify(history)
        assert history.clock.trusted is (ahead_us != 2 * HOUR)
        # At most what came between the cut and the next key frame.
        assert len(history.cameras[0].taken) >= before + 5 * 100 - 20
        # A clock over 10 minutes behind what is known is not believed: nothing is cut.
        reasons = [reason for *_, reason, _ in _runs(history, 0)]
        assert reasons == ([None] if ahead_us == -HOUR else ["wall_clock", None])
        history.ntp()
        history.record(10)
        verify(history)
        assert history.clock.trusted


def test_a_machine_that_falls_to_1970_loses_no_picture() -> None:
    with _history("any day") as history:
        history.record(100)
        history.set_clock(-history.clocks.true_us)
        history.record(100)
        assert len(history.cameras[0].taken) == 1000
        ((from_us, to_us, reason, _),) = _runs(history, 0)
        assert (reason, to_us - from_us > 196 * S) == (None, True)


@pytest.mark.parametrize("ahead_us", [2 * HOUR, 1500 * DAY])
def test_a_first_clock_that_was_ahead_keeps_nothing_longer_and_destroys_nothing_early(ahead_us: int) -> None:
    with _history("any day", ahead_us=ahead_us) as history:
        history.record(100)
        history.ntp()
        history.record(100)
        verify(history)
        assert not any(picture.gone for camera in history.cameras for picture in camera.taken)
        history.wait(DAY)
        verify(history)
        assert not any(picture.gone for camera in history.cameras for picture in camera.taken)
        history.wait(DAY + HOUR)
        verify(history)
        assert all(picture.gone for camera in history.cameras for picture in camera.taken)


def test_a_first_clock_that_was_years_ahead_leaves_no_second_unaccounted() -> None:
    with _history("any day", ahead_us=1500 * DAY) as history:
        history.record(30)
        history.lose(history.cameras[0])
        history.record(30)
        history.ntp()
        history.wait(HOUR)  # without a picture since the clock is right
        verify(history)
        history.find(history.cameras[0])
        history.record(30)


def test_a_second_jump_over_the_same_hours_destroys_nothing_early() -> None:
    with _history("any day") as history:
        for _ in range(2):
            history.record(60)
            history.set_clock(HOUR)
            history.record(60)
            history.set_clock(0)
            history.record(60)
        history.wait(2 * DAY - HOUR // 2)
        verify(history)
        assert not any(picture.gone for camera in history.cameras for picture in camera.taken)
        history.wait(HOUR)
        verify(history)
        assert all(picture.gone for camera in history.cameras for picture in camera.taken)


def test_a_clock_that_was_set_twice_keeps_nothing_for_years() -> None:
    """What was dated furthest ahead is only known to be of before the clock was right."""
    with _history("any day") as history:
        history.record(60)
        for ahead_us in (400 * DAY, 2 * HOUR, -60 * S):
            history.set_clock(ahead_us)
            history.record(60)
        history.wait(2 * DAY - HOUR // 2)
        verify(history)
        assert not any(picture.gone for camera in history.cameras for picture in camera.taken)
        history.wait(HOUR)
        verify(history)
        assert all(picture.gone for camera in history.cameras for picture in camera.taken)


@pytest.mark.parametrize("is_held", [False, True])
def test_a_lost_index_keeps_nothing_longer_that_was_dated_ahead(is_held: bool) -> None:
    """Nor is what followed it, and was destroyed by right, missing from a chain that goes on behind what is held."""
    with _history("any day", ahead_us=400 * DAY) as history:
        history.record(100)
        if is_held:
            history.hold(history.cameras[0], now_us() - 110 * S, now_us())
        history.stop()
        history.lose_index()
        history.ntp()
        history.start()
        history.adopt()
        history.record(100)
        history.wait(2 * DAY + HOUR)
        history.record(100)
        verify(history)
        first, second, third = (history.cameras[0].taken[n].gone for n in (0, 600, 1100))
        assert (first, second, third) == (not is_held, True, False)
        history.stop()
        history.lose_index()
        history.start()
        history.adopt()


def test_a_restart_under_a_clock_that_fell_behind_dates_nothing_by_it() -> None:
    with _history("any day") as history:
        history.record(30)
        history.set_clock(-30 * HOUR)
        history.record(30)
        history.stop()
        history.start()
        history.record(30)
        starts = [from_us for from_us, *_ in _runs(history, 0)]
        assert all(abs(at_us - history.clocks.true_us) < 120 * S for at_us in starts)


def _choice(power: int | str | None) -> Choice | None:
    if power is None:
        return None
    if power == "all":
        return everything
    return nothing if power == 0 else chance(int(power))


def _live(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=examples < 100,
            report_multiple_bugs=False,
        ),
    )


def test_any_history() -> None:
    _live(40, 15)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_long_histories() -> None:
    _live(100, 50)
