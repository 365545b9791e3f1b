"""What one lease was served since its last entry in the spool, and what its page says of it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from csu.gateway.spool import Interval
from csu.gateway.steps import MOST_STRETCHES, Stretch
from streams.ticks import at_from_us

# Pictures further apart than this are two intervals: nothing was seen between them.
MAX_GAP = timedelta(seconds=2)
_MAX_GAP_US = int(MAX_GAP.total_seconds() * 1_000_000)


class Account:
    """Counts and wall intervals of the pictures sent; `take` hands them over and starts again.

    All that a replay was ever served stays known: what its page says must lie within it.
    """

    __slots__ = ("_closed", "_first_us", "_intervals", "_last_us", "_parts", "_served", "_stepped", "bytes", "frames")

    def __init__(self) -> None:
        self.frames = 0
        self.bytes = 0
        self._first_us = 0
        self._last_us = 0
        self._closed: list[tuple[int, int]] = []
        self._intervals: list[Interval] = []
        self._parts: dict[int, int] = {}
        self._served: list[Interval] = []
        self._stepped: list[Stretch] = []

    def picture(self, at_us: int, size: int) -> None:
        """One picture taken at `at_us` (UTC, microseconds) left in `size` bytes."""
        self.frames += 1
        self.bytes += size
        if 0 <= at_us - self._last_us <= _MAX_GAP_US:
            self._last_us = at_us
            return
        if self._first_us:
            self._closed.append((self._first_us, self._last_us))
        self._first_us = self._last_us = at_us

    def recording(self, intervals: list[Interval], pictures: Mapping[int, int], size: int) -> None:
        """`size` bytes of recordings of these intervals left. `pictures`: how many each part has that they touch; a
        part that is read in many ranges, or again, is counted once."""
        self._parts.update(pictures)
        self.bytes += size
        self._intervals.extend(intervals)
        if intervals:
            self._served = merge(self._served + intervals)

    def stepped(self, told: Sequence[Stretch]) -> None:
        """The page says that these were stepped through. All or none is taken: raises ValueError for times that were
        not served, and when more wait than a page has reason to tell.

        A page reckons an instant from the plan, a picture's place in a clip of a minute: `MAX_GAP` is for that.
        """
        if len(self._stepped) + len(told) > MOST_STRETCHES:
            raise ValueError(f"more than {MOST_STRETCHES} stretches since the last entry")
        if not all(self._was_served(at) for stretch in told for at in (stretch.from_at, stretch.to_at)):
            raise ValueError("a stretch outside what was served")
        self._stepped.extend(told)

    def take_stepped(self) -> list[Stretch]:
        """What the page told since the last call."""
        taken, self._stepped = self._stepped, []
        return taken

    def _was_served(self, at: datetime) -> bool:
        return any(start - MAX_GAP <= at <= end + MAX_GAP for start, end in self._served)

    def take(self) -> tuple[list[Interval], int, int]:
        """(intervals in order and apart from each other, bytes, frames) since the last call."""
        live = [*self._closed, (self._first_us, self._last_us)] if self._first_us else []
        intervals = [(at_from_us(first), at_from_us(last)) for first, last in live]
        frames = self.frames + sum(self._parts.values())
        taken = (merge(intervals + self._intervals), self.bytes, frames)
        self.frames = self.bytes = self._first_us = self._last_us = 0
        self._closed, self._intervals, self._parts = [], [], {}
        return taken


def merge(intervals: list[Interval]) -> list[Interval]:
    """The union, in order; intervals that touch or overlap become one."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
