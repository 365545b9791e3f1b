"""When a camera's clock is told to be off: not at once, not for a moment, and not back and forth."""

import random
from itertools import pairwise

from recorder.camera_clock import OFF_US, RIGHT_US, SETTLED_S, ClockWatch


class Watched:
    """One camera's alarm, as the fleet keeps it; each look is a second."""

    def __init__(self) -> None:
        self.watch, self.is_off, self.at_s = ClockWatch(), False, 1000.0
        self.changes: list[float] = []

    def look(self, offset_us: int | None, seconds: int = 1) -> bool:
        for _ in range(seconds):
            self.at_s += 1
            if self.watch.turns(self.is_off, offset_us, self.at_s):
                self.is_off = not self.is_off
                self.changes.append(self.at_s)
        return self.is_off


def test_row_33_two_seconds_either_way_are_told() -> None:
    for offset_us in (OFF_US, -OFF_US, -1_795_441_200_000_000):
        watched = Watched()
        assert not watched.look(offset_us, int(SETTLED_S))
        assert watched.look(offset_us, 1)


def test_less_is_not_told() -> None:
    watched = Watched()
    assert not watched.look(OFF_US - 1, 100)
    assert not watched.look(1 - OFF_US, 100)


def test_it_ends_once_the_clock_is_clearly_right_again() -> None:
    watched = Watched()
    watched.look(3_000_000, 20)
    assert watched.look(RIGHT_US, 100)
    assert watched.look(RIGHT_US - 1, int(SETTLED_S))
    assert not watched.look(RIGHT_US - 1, 1)


def test_what_is_unknown_changes_nothing() -> None:
    watched = Watched()
    watched.look(3_000_000, 20)
    assert watched.look(None, 1000)
    watched.look(0, 10)
    watched.look(None)
    assert watched.look(0, 10)  # what was before it doesn't count
    assert not watched.look(0, 10)


def test_a_moment_is_not_told() -> None:
    watched = Watched()
    for _ in range(20):
        watched.look(5_000_000, 14)
        watched.look(0, 1)
    assert watched.changes == []


def test_an_offset_that_wavers_around_the_bound_does_not_flap() -> None:
    watched, chance = Watched(), random.Random(7)
    for _ in range(3600):
        watched.look(OFF_US + chance.randint(-400_000, 400_000))
    assert len(watched.changes) <= 1
    watched = Watched()
    for _ in range(3600):
        watched.look(chance.randint(-10_000_000, 10_000_000))
    assert all(b - a >= SETTLED_S for a, b in pairwise(watched.changes))
