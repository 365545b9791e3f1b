"""Gaps follow the announced windows to the microsecond, in any order of faults, orders and restarts."""

import itertools
import tempfile
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from recorder_support import CAMERA, START_US, Bench, bench, start

from recorder.accounts import Accounts, Cause
from recorder.coverage import RECORDED, Coverage, read_coverage
from recorder.index import open_reader, read_facts
from recorder.interruptions import Interruptions

SPAN_US = 20_000_000

windows = st.tuples(st.integers(0, SPAN_US - 2), st.integers(2_000_000, SPAN_US)).map(
    lambda p: (START_US + p[0], START_US + p[0] + p[1])
)
announced = st.builds(
    Interruptions,
    planned=st.lists(windows, min_size=1, max_size=3).map(tuple),
    masked=st.lists(windows, max_size=1).map(tuple),
)
acts = st.one_of(
    st.sampled_from(["camera", "network", "camera", "network", "run", "run", "wave", "kill"]),
    st.sampled_from(["storage", "authorisation"]),
    announced,
)
histories = st.lists(st.tuples(acts, st.integers(1, 30).map(lambda n: n * 133_333)), min_size=6, max_size=20)


@dataclass
class Expected:
    """What was reported since when, and which windows were in force since when."""

    reported: list[tuple[int, str]] = field(default_factory=lambda: [(START_US, "ours")])
    in_force: list[tuple[int, Interruptions]] = field(default_factory=lambda: [(START_US, Interruptions())])

    def cause(self, at_us: int) -> str:
        said = [cause for since_us, cause in self.reported if since_us <= at_us][-1]
        windows = [windows for since_us, windows in self.in_force if since_us <= at_us][-1]
        if said in (RECORDED, "authorisation"):
            return said
        if any(a <= at_us < b for a, b in windows.masked):
            return "masked"
        if said in ("camera", "network") and any(a <= at_us < b for a, b in windows.planned):
            return "planned"
        return said

    def bounds(self, to_us: int) -> list[int]:
        found = {since_us for since_us, _ in self.reported} | {since_us for since_us, _ in self.in_force} | {to_us}
        for _, windows in self.in_force:
            found |= {bound for window in (*windows.planned, *windows.masked) for bound in window}
        return sorted(bound for bound in found if START_US <= bound <= to_us)


class History:
    """A camera's life in an index, and what must be written of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.made: Bench = start(path)
        self.expected = Expected()
        self.now_us = START_US
        self._saved = Expected()
        self._saved_us = START_US
        self._accounts.gap(CAMERA, START_US, Cause.OURS, "starting")
        self._wave()

    @property
    def _accounts(self) -> Accounts:
        return self.made.store.accounts

    @property
    def _windows(self) -> Interruptions:
        return self.expected.in_force[-1][1]

    def go_on(self, act: str | Interruptions, later_us: int) -> None:
        self._pass_time(later_us)
        running = self._accounts.run_of(CAMERA) is not None
        if isinstance(act, Interruptions):
            if running and act.is_masked(self.now_us):
                self._end_run(self.now_us, Cause.MASKED)
            self._accounts.interrupt(CAMERA, act, self.now_us)
            self.expected.in_force.append((self.now_us, act))
        elif act == "wave":
            self._wave()
        elif act == "kill":
            self._kill()
        elif act == "run":
            if not running and not self._windows.is_masked(self.now_us):
                self._accounts.run_started(CAMERA, self.now_us, "27-2026-001", None)
                self.expected.reported.append((self.now_us, RECORDED))
        elif running:
            self._end_run(self.now_us, Cause(act))
        else:
            self._accounts.gap(CAMERA, self.now_us, Cause(act), act)
            self.expected.reported.append((self.now_us, act))

    def _pass_time(self, later_us: int) -> None:
        """A run ends where a mask begins, as the camera sees to."""
        before_us, self.now_us = self.now_us, self.now_us + later_us
        masks = sorted(a for a, _ in self._windows.masked if before_us < a <= self.now_us)
        if masks and self._accounts.run_of(CAMERA) is not None:
            self._end_run(masks[0], Cause.MASKED)

    def _end_run(self, at_us: int, cause: Cause) -> None:
        self._accounts.run_ended(CAMERA, at_us, str(cause), cause, str(cause))
        self.expected.reported.append((at_us, "ours" if cause == Cause.MASKED else str(cause)))

    def _wave(self) -> None:
        self.made.index.execute("UPDATE run SET to_us = ? WHERE reason IS NULL", (self.now_us,))
        self.made.store.wave(self.now_us)
        self._saved, self._saved_us = deepcopy(self.expected), self.now_us

    def _kill(self) -> None:
        """What came after the last wave is lost; the orders on disk are not, and are told again."""
        windows = self._windows
        self.made.kill()
        self.made = start(self._path, self.now_us)
        self.expected = deepcopy(self._saved)
        if self.expected.reported[-1][1] != "authorisation":
            self.expected.reported.append((self._saved_us, "ours"))
        self.expected.in_force.append((self._saved_us, windows))
        self._accounts.interrupt(CAMERA, windows, 0)
        self._wave()

    def close(self) -> Coverage:
        self._wave()
        try:
            with closing(open_reader(self.made.storage.index_path)) as reader:
                coverage = read_coverage(reader, CAMERA, START_US, self.now_us, self.now_us)
        finally:
            self.made.kill()
        assert coverage is not None
        return coverage


@settings(max_examples=150)
@given(announced, histories)
def test_every_microsecond_has_the_cause_that_was_announced(
    windows: Interruptions, steps: list[tuple[str | Interruptions, int]]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        history = History(Path(directory))
        history.go_on(windows, 0)
        for act, later_us in steps:
            history.go_on(act, later_us)
        coverage = history.close()
    expected, to_us = history.expected, history.now_us
    bounds = expected.bounds(to_us)
    wanted = dict.fromkeys(coverage.sums(), 0)
    for a, b in itertools.pairwise(bounds):
        wanted[expected.cause(a)] += b - a
    assert coverage.sums() == wanted
    for gap in coverage.gaps:
        assert {expected.cause(at) for at in bounds if gap.from_us <= at < gap.to_us} <= {gap.cause}
    assert sum(wanted.values()) == to_us - START_US
    assert coverage.expected_us == to_us - START_US - wanted["authorisation"] - wanted["masked"]


def test_an_announcement_says_nothing_about_the_past_and_its_facts_are_told_once(tmp_path: Path) -> None:
    second = 1_000_000
    with bench(tmp_path) as made:
        accounts = made.store.accounts
        accounts.gap(CAMERA, START_US, Cause.CAMERA, "stalled")
        accounts.interrupt(
            CAMERA, Interruptions(planned=((START_US - second, START_US + 20 * second),)), START_US + 10 * second
        )
        for n in range(11, 31):
            made.store.wave(START_US + n * second)
        assert made.index.query("SELECT (from_us - ?) / 1000000, cause, detail FROM gap", (START_US,)) == [
            (0, "camera", "stalled"),
            (10, "planned", "stalled"),
            (20, "camera", "stalled"),
        ]
        facts = [(f["kind"], f["cause"]) for f in read_facts(made.index._db, 0, 100)["facts"]]
        assert facts == [
            ("gap_opened", "camera"),
            ("gap_closed", "camera"),
            ("gap_opened", "planned"),
            ("gap_closed", "planned"),
            ("gap_opened", "camera"),
        ]
