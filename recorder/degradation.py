"""What is given up, and in which order, when the machine can't do everything: `DEGRADED.md` is the text to this table.

Pure: told what was measured and the time (monotonic seconds), it answers a step. Steps 0 to 3 are the levels shown;
each step beyond gives up the cameras of one more priority. When a bound is passed (the loop's lag: for some seconds) it
goes to the level of that bound at once; the way back is one step at a time, after a calm stretch that doubles when the
last return was too early.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum

CALM_S = 30.0
"""All measures below half of the level's bounds for so long, and one step is taken back."""
LONGEST_CALM_S = 480.0
DEEPER_S = 5.0
"""Still over the last bounds so long after a step, and the cameras of one more priority are given up."""
HIGHEST = 3
START_S = 15.0
"""After a start: files, directories and connections of the whole fleet come at once, and are soon worked off."""


@dataclass(frozen=True, slots=True)
class Measures:
    """`load`: how late the event loop was, at worst, since the last look, in seconds. `queue`: a directory's share of
    what may wait for it. `sync`: how long its wave is overdue, in seconds."""

    load: float = 0.0
    queue: float = 0.0
    sync: float = 0.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one measure, for the levels 1 to 3. It must be passed at every look for `hold_s`."""

    levels: tuple[float, float, float]
    hold_s: float


BOUNDS = {
    "load": Bounds((0.5, 1.0, 2.0), hold_s=3.0),
    "queue": Bounds((0.25, 0.4, 0.6), hold_s=0.0),
    "sync": Bounds((5.0, 10.0, 20.0), hold_s=0.0),
}
"""Queue and sync are durations by themselves: the queue of 250 cameras of 2 Mb/s is full in 4 s."""


class Share(IntEnum):
    """What a stream still gets of the machine."""

    NONE = 0
    WATCHED = 1  # pulled while a person looks at it, never recorded
    FULL = 2


@dataclass(frozen=True, slots=True)
class Degraded:
    """`reason`: the measure that brought it to this step; empty at step 0."""

    step: int = 0
    reason: str = ""

    @property
    def level(self) -> int:
        return min(self.step, HIGHEST)

    @property
    def analyses(self) -> bool:
        """Whether followers that analyse get pictures."""
        return self.step < 1

    def share_of_sub(self) -> Share:
        return (Share.FULL, Share.WATCHED, Share.NONE)[min(self.step, 2)]

    def priorities_given_up(self, priorities: Collection[int]) -> frozenset[int]:
        """Whose cameras are not recorded: the highest numbers first, never the lowest (0 is given up last)."""
        classes = sorted(set(priorities), reverse=True)
        return frozenset(classes[: max(0, min(self.step - HIGHEST + 1, len(classes) - 1))])


class Degradation:
    """Where the machine, or one directory, stands. Call `observe` about once a second."""

    def __init__(self, bounds: Mapping[str, Bounds] = BOUNDS, calm_s: float = CALM_S) -> None:
        self._bounds = bounds
        self._shortest_s = self._calm_s = calm_s
        self._over_since: dict[tuple[str, int], float] = {}
        self._calm_since: float | None = None
        self._changed_s = 0.0
        self._fell_s: float | None = None
        self.state = Degraded()

    def observe(self, measures: Measures, at_s: float, priorities: int, starting: bool = False) -> Degraded:
        """The step from now on. `priorities`: how many different ones the cameras have; one is always kept. `starting`:
        only the highest level counts, which saves the recording of the first."""
        level, reason = self._level_of(measures, at_s)
        if starting and level < HIGHEST:
            level = 0
        step = self.state.step
        deepest = HIGHEST - 2 + max(1, priorities)
        wanted = level
        if level == HIGHEST <= step and at_s - self._changed_s >= DEEPER_S:
            wanted = step + 1
        if min(wanted, deepest) > step:
            self._rise(Degraded(min(wanted, deepest), reason), at_s)
        elif step > deepest:
            self._move(Degraded(deepest, self.state.reason), at_s)
        elif step:
            self._calm_down(measures, at_s)
        return self.state

    def _level_of(self, measures: Measures, at_s: float) -> tuple[int, str]:
        """The highest level of which a bound is passed, and by which measure."""
        found, by = 0, ""
        for name, bounds in self._bounds.items():
            value: float = getattr(measures, name)
            for level, bound in enumerate(bounds.levels, 1):
                if value <= bound:
                    self._over_since.pop((name, level), None)
                elif at_s - self._over_since.setdefault((name, level), at_s) >= bounds.hold_s and level > found:
                    found, by = level, name
        return found, by

    def _rise(self, to: Degraded, at_s: float) -> None:
        if self._fell_s is not None and at_s - self._fell_s < 2 * self._calm_s:
            self._calm_s = min(2 * self._calm_s, LONGEST_CALM_S)
        else:
            self._calm_s = self._shortest_s
        self._move(to, at_s)

    def _calm_down(self, measures: Measures, at_s: float) -> None:
        level = self.state.level
        if any(getattr(measures, name) > bounds.levels[level - 1] / 2 for name, bounds in self._bounds.items()):
            self._calm_since = None
            return
        if self._calm_since is None:
            self._calm_since = at_s
        if at_s - self._calm_since >= self._calm_s:
            step = self.state.step - 1
            self._fell_s = at_s
            self._move(Degraded(step, self.state.reason if step else ""), at_s)

    def _move(self, to: Degraded, at_s: float) -> None:
        self.state, self._changed_s, self._calm_since = to, at_s, None
