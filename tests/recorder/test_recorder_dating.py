"""That each recording dies at its true deadline: clocks x reboots x crashes x lost indexes over simulated months.

The trusted clock, the index and its datings are the real ones; pictures and files are left to
`tests/crash/test_recorder_history.py`, so that thousands of lives can be lived. What is excused, and why:

- 10 minutes of clock and a few of segments and looks (`SLACK_US`); late, also a minute of each boot, which it
  goes on after its last segment.
- Destroyed early where its file bears an earlier deadline than the true one: it was dated behind; or ahead, over the
  end of a day that the next month doesn't have.
- Destroyed up to a day early at a month's end, where it isn't known when a boot ended that dated ahead.
- Alive late by as much as it was dated ahead, but at most by the time that the machine was off until the next boot, in
  a boot that ended before its time was known; the index forgets that it was, when it is lost.
- Alive late by what one month is longer than another, or an hour of a clock change, in a boot whose time nothing told:
  it goes by its own calendar.
- Nothing is late while the clock is distrusted, nor before the first clock was ever right.
"""

import contextlib
import random
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recorder_support import Boot, due_us, earliest_deadline_us, unknown_us

from recorder.clock import JUMP_US, SETTLED_US, BootTime, ClockReading, TrustedClock, memory_lost
from recorder.dating import forget_empty, is_of_one_clock, note, note_boot, settle
from recorder.index import CLOSED, Index
from recorder.writer import load_memory, save_memory
from streams.ticks import us_from_at

S = 1_000_000
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S
BEGIN_US = us_from_at(datetime(2027, 1, 28, 22, 30, tzinfo=UTC))
"""Months of different lengths follow: two hours of a clock may be worth days of a deadline."""
SLACK_US = JUMP_US + 3 * MINUTE
_RAM = Path("/dev/shm")


@dataclass
class Segment:
    """`true_us` is when it was really taken, `start_us` what it bears."""

    true_us: int
    start_us: int
    taken: BootTime
    days: int
    boot: Boot

    @property
    def deadline_us(self) -> int:
        return due_us(self.true_us, self.days)

    @property
    def borne_us(self) -> int:
        """The deadline that its file bears."""
        return due_us(self.start_us, self.days)


class Life:
    """A machine whose clock is told, and what its recorder remembers."""

    def __init__(self, path: Path, ahead_us: int, at_once: int) -> None:
        """Deadlines of so many segments are moved at once; the process is killed in between."""
        self._at_once = at_once
        self._path = path
        self._true_us = BEGIN_US
        self._ahead_us = ahead_us
        self._was_right = not ahead_us
        self._boots: list[Boot] = []
        self._kept: dict[int, Segment] = {}
        self._last = 0
        self.gone = 0
        self.early_us = self.late_us = 0
        self._boot(0)

    def _boot(self, off_us: int) -> None:
        self._boot_id, self._boot_us, self._synchronised = str(uuid.uuid4()), 20 * S, False
        self._true_us += off_us + self._boot_us
        self._boots.append(Boot(self._true_us - self._boot_us, self._boot_us))
        self._start()

    def _start(self) -> None:
        self._index = Index.open(self._path / "index.db", "directory", 0)
        memory = load_memory(self._index)
        if memory is None and self._last:
            memory = memory_lost(self._reading())
        self._clock = TrustedClock(memory, self._reading())
        self._synchronised_us: int | None = None
        self.look()

    def _reading(self) -> ClockReading:
        return ClockReading(self._true_us + self._ahead_us, self._boot_us, self._boot_id, self._synchronised)

    def end(self) -> None:
        """The process is killed."""
        self._index.rollback()
        self._index.close()

    def crash(self) -> None:
        self.end()
        self._start()

    def reboot(self, off_us: int, ahead_us: int) -> None:
        self.end()
        self._ahead_us = ahead_us
        self._boot(off_us)

    def lose_index(self) -> None:
        """All that is left are the files, which say when they were taken."""
        self.end()
        (self._path / "index.db").unlink()
        for boot in self._boots:
            seen = [segment.taken.us for segment in self._kept.values() if segment.boot is boot]
            boot.seen_us, boot.known = max(seen, default=0), False
        self._index = Index.open(self._path / "index.db", "directory", 0)
        self._index.put("last_segment", self._last)
        for number, segment in random.Random(self._last).sample(sorted(self._kept.items()), len(self._kept)):
            self._file(number, segment)
        forget_empty(self._index, self._last)
        self._index.commit()
        self._index.close()
        self._start()

    def record(self, minutes: int, days: int) -> None:
        for _ in range(minutes):
            known_us = self._clock.memory.anchor_us + self._boot_us
            wall_us = self._true_us + self._ahead_us
            start_us = wall_us if wall_us >= known_us - JUMP_US else known_us  # as machine.now_us
            self._last += 1
            taken = BootTime(self._boot_id, self._boot_us)
            segment = self._kept[self._last] = Segment(self._true_us, start_us, taken, days, self._boots[-1])
            self._file(self._last, segment)
            self._index.put("last_segment", self._last)
            self.wait(MINUTE)

    def _file(self, number: int, segment: Segment) -> None:
        start_us, days = segment.start_us, str(segment.days)
        row = (number, 1, 1, start_us, start_us + MINUTE, CLOSED, 1, 1, segment.borne_us, start_us, days)
        self._index.execute(
            "INSERT INTO segment(id, camera, run, start_us, end_us, state, length, media_90k, deadline_us, minimum_us,"
            " authorisation, previous) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, x'')",
            row,
        )
        self._index.execute("INSERT OR REPLACE INTO terms VALUES (1, ?, ?)", (days, segment.days))
        note(self._index, number, start_us, segment.taken)

    def wait(self, us: int) -> None:
        self._true_us += us
        self._boot_us += us
        self.look()

    def set_clock(self, ahead_us: int) -> None:
        self._ahead_us, self._synchronised = ahead_us, False
        self.look()

    def ntp(self) -> None:
        self._ahead_us, self._synchronised = 0, True
        self.look()
        self.wait(61 * S)
        self._was_right = True

    def release(self) -> None:
        """Two persons see that the clock is right, and say so."""
        if self._ahead_us == 0 and self._clock.release(self._clock.observe(self._reading()).freeze):
            self._boots[-1].known = self._was_right = True
            self.look()

    def look(self) -> None:
        """As the writer does in each wave, until all deadlines are in line."""
        while True:
            state, memory = self._clock.observe(self._reading()), self._clock.memory
            if is_of_one_clock(self._index, memory):
                self._clock.vouch()
            note_boot(self._index, self._index.get("clock_boot_id"), memory)
            save_memory(self._index, memory)
            if not state.trusted or settle(self._index, memory, self._at_once):
                break
            self._index.commit()
            self._index.close()
            self._index = Index.open(self._path / "index.db", "directory", 0)
        self._note_truth()
        if state.trusted:
            rows = self._index.query("SELECT id FROM segment WHERE deadline_us <= ?", (state.due_us,))
            for (number,) in rows:
                self._destroy(number)
            self._look_for_late()
        self._index.commit()

    def _note_truth(self) -> None:
        boot = self._boots[-1]
        boot.seen_us = self._boot_us
        if not self._synchronised:
            self._synchronised_us = None
        elif self._synchronised_us is None:
            self._synchronised_us = self._boot_us
        boot.known = boot.known or (
            self._synchronised_us is not None and self._boot_us - self._synchronised_us >= SETTLED_US
        )

    def _destroy(self, number: int) -> None:
        self._index.execute("DELETE FROM segment WHERE id = ?", (number,))
        segment = self._kept.pop(number)
        self.gone += 1
        dated_us = segment.start_us if unknown_us(self._boots, segment.boot) else None
        floor_us = min(segment.borne_us, earliest_deadline_us(segment.true_us, segment.days, dated_us))
        self.early_us = max(self.early_us, floor_us - self._true_us)

    def _look_for_late(self) -> None:
        for segment in self._kept.values() if self._was_right else ():
            excused_us = min(max(0, segment.start_us - segment.true_us), unknown_us(self._boots, segment.boot))
            late_us = self._true_us - segment.deadline_us - excused_us
            if not segment.boot.known:
                ahead_us = segment.start_us - segment.true_us
                late_us = min(late_us, self._true_us + ahead_us - segment.borne_us)
            self.late_us = max(self.late_us, late_us)

    @property
    def slack_us(self) -> int:
        return SLACK_US + len(self._boots) * MINUTE

    @property
    def kept(self) -> int:
        return len(self._kept)

    def check(self) -> None:
        """Hours add up to their segments, and nothing is kept beyond what its file bears."""
        hours = self._index.query("SELECT hour_us, count, max(deadline_us) FROM hour GROUP BY 1 ORDER BY 1")
        expected = "SELECT start_us - start_us % ?, count(*), max(deadline_us) FROM segment GROUP BY 1 ORDER BY 1"
        assert [row[:2] for row in hours] == [row[:2] for row in self._index.query(expected, (HOUR,))]
        for number, deadline_us in self._index.query("SELECT id, deadline_us FROM segment"):
            assert deadline_us <= self._kept[number].borne_us


@contextlib.contextmanager
def _life(ahead_us: int = 0, at_once: int = 5000) -> Iterator[Life]:
    with tempfile.TemporaryDirectory(dir=_RAM if _RAM.is_dir() else None) as directory:
        life = Life(Path(directory), ahead_us, at_once)
        try:
            yield life
        finally:
            life.end()


_leads = st.sampled_from([0, 0, -2 * S, 2 * S, 300 * S, -HOUR, HOUR, 2 * HOUR, 30 * HOUR, 400 * DAY])
_events = st.one_of(
    st.tuples(st.just("record"), st.integers(1, 5), st.sampled_from([1, 2, 30, 31])),
    st.tuples(st.just("record"), st.integers(1, 5), st.sampled_from([1, 2, 30, 31])),
    st.tuples(st.just("wait"), st.one_of(st.integers(1, 40).map(lambda n: n * HOUR), st.just(27 * DAY))),
    st.tuples(st.just("set_clock"), _leads),
    st.tuples(st.just("ntp")),
    st.tuples(st.just("release")),
    st.tuples(st.just("crash")),
    st.tuples(st.just("lose_index")),
    st.tuples(st.just("reboot"), st.sampled_from([0, 0, MINUTE, HOUR, 5 * HOUR, 30 * HOUR]), _leads),
)


_lives = (st.sampled_from([0, 0, 2 * HOUR, 1500 * DAY]), st.sampled_from([1, 3, 5000]))


def _live(ahead_us: int, at_once: int, events: list[tuple[Any, ...]]) -> None:
    story = f"{ahead_us} {at_once} {events}"
    with _life(ahead_us, at_once) as life:
        for name, *values in events:
            getattr(life, name)(*values)
            assert life.early_us <= SLACK_US, f"destroyed {life.early_us / HOUR:.1f} h early: {story}"
            assert life.late_us <= life.slack_us, f"alive {life.late_us / HOUR:.1f} h late: {story}"
        life.check()
        life.ntp()
        life.wait(32 * DAY)
        assert (life.early_us <= SLACK_US, life.kept) == (True, 0), story


@settings(max_examples=150, suppress_health_check=list(HealthCheck), derandomize=True)
@given(*_lives, st.lists(_events, max_size=30))
def test_each_recording_dies_at_its_true_deadline(ahead_us: int, at_once: int, events: list[tuple[Any, ...]]) -> None:
    _live(ahead_us, at_once, events)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(max_examples=2500, suppress_health_check=list(HealthCheck))
@given(*_lives, st.lists(_events, min_size=10, max_size=60))
def test_each_recording_of_many_lives_dies_at_its_true_deadline(
    ahead_us: int, at_once: int, events: list[tuple[Any, ...]]
) -> None:
    _live(ahead_us, at_once, events)


def test_a_machine_that_boots_unset_and_then_two_hours_ahead_destroys_nothing_early() -> None:
    with _life() as life:
        life.ntp()
        life.reboot(HOUR, 0)
        life.record(5, days=1)
        life.reboot(0, 2 * HOUR)
        life.record(5, days=1)
        life.ntp()
        life.wait(DAY - HOUR)
        assert (life.gone, life.early_us) == (0, 0)
        life.wait(HOUR)
        assert (life.gone, life.late_us <= SLACK_US) == (10, True)


def test_a_clock_that_is_set_in_a_freeze_keeps_nothing_longer() -> None:
    with _life() as life:
        for ahead_us in (400 * DAY, 2 * HOUR, 30 * HOUR, HOUR):
            life.set_clock(ahead_us)
            life.record(2, days=1)
        life.ntp()
        life.wait(DAY)
        assert (life.kept, life.early_us <= 0, life.late_us <= SLACK_US) == (0, True, True)


def test_a_date_that_is_ahead_over_a_months_end_gives_no_more_than_the_law() -> None:
    """A picture of the last evening of February, dated 1 March: not 31 days, but 28, less an hour for the spring."""
    with _life(2 * HOUR) as life:
        life.wait(us_from_at(datetime(2027, 2, 28, 22, tzinfo=UTC)) - BEGIN_US)
        life.record(1, days=31)
        life.ntp()
        life.wait(28 * DAY - 2 * HOUR)
        assert life.gone == 0
        life.wait(HOUR + 5 * MINUTE)
        assert life.gone == 1


def test_a_machine_that_is_off_before_the_time_is_known_keeps_longer_by_that_at_most() -> None:
    with _life() as life:
        life.ntp()
        life.reboot(0, 2 * HOUR)
        life.record(1, days=1)
        life.reboot(HOUR, 0)
        life.ntp()
        life.wait(DAY - HOUR)
        assert life.gone == 0
        life.wait(HOUR + 5 * MINUTE)
        assert (life.gone, life.late_us <= SLACK_US) == (1, True)
