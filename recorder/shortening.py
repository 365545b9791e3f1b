"""One camera's deadlines under one authorisation brought forward after its delay became shorter, a little at a time.

The rows of one camera lie far apart in the index: read at one stroke, a month of them would keep a slow disk busy for
minutes, and recording with it. Until the last of them has its deadline the delay of before stays in `terms`: after a
crash the orders, told again, do the rest. The caller commits after each step.
"""

import json
import logging
from collections.abc import Iterator
from typing import NamedTuple

from recorder.breaker import Moved, withhold
from recorder.dating import due_us
from recorder.index import HOUR_US, Index

log = logging.getLogger(__name__)

SEGMENTS_AT_ONCE = 100


class Shorter(NamedTuple):
    """A delay that the orders of `act_us` may have shortened, to be judged; `is_judged`: it was, and waits or is
    released."""

    retention_days: int
    act_us: int
    is_judged: bool


class Shortening:
    """Every segment is looked at, then all are judged together (`breaker.py`), then deadlines move, never back."""

    def __init__(self, index: Index, camera: int, authorisation: str, shorter: Shorter) -> None:
        self.shorter = shorter
        self._index = index
        self._camera = camera
        self._authorisation = authorisation
        self._unseen = [
            segment
            for (segment,) in index.query("SELECT id FROM segment WHERE camera = ? ORDER BY start_us DESC", (camera,))
        ]
        self._unheld: list[Moved] = []
        self._earlier: list[int] = []
        self._judged = False

    def step(self, now_us: int) -> bool:
        """Go on with at most SEGMENTS_AT_ONCE; True when all is done. Raises sqlite3.Error."""
        if self._unseen:
            self._look()
            return False
        if not self._judged:
            values = (self._camera, self._authorisation, self.shorter.retention_days)
            if withhold(self._index, *values, self._unheld, now_us, self.shorter.act_us):
                log.warning("camera %d: a delay of %d days waits for two persons", self._camera, values[-1])
                return True
            self._judged = True
        if self._earlier:
            self._move()
            return False
        set_terms(self._index, self._camera, self._authorisation, self.shorter.retention_days)
        return True

    def _look(self) -> None:
        for segment, start_us, end_us, length, deadline_us, new_us, is_held in self._next(self._unseen):
            if not is_held:
                self._unheld.append(Moved(end_us - start_us, length, deadline_us, min(new_us, deadline_us)))
            if new_us < deadline_us:
                self._earlier.append(segment)

    def _move(self) -> None:
        moved = [
            (new_us, segment, start_us // HOUR_US)
            for segment, start_us, _, _, deadline_us, new_us, _ in self._next(self._earlier)
            if new_us < deadline_us
        ]
        self._index.execute_many("UPDATE segment SET deadline_us = ? WHERE id = ?", [row[:2] for row in moved])
        for hour in {hour for *_, hour in moved}:
            self._index.count_hours(self._camera, hour * HOUR_US, (hour + 1) * HOUR_US)

    def _next(self, segments: list[int]) -> Iterator[tuple[int, int, int, int, int, int, bool]]:
        """Takes the last of these numbers; of those still there under the authorisation: number, start, end, bytes,
        deadline, deadline by the shorter delay, and whether a hold names it."""
        taken = segments[-SEGMENTS_AT_ONCE:]
        del segments[-SEGMENTS_AT_ONCE:]
        for *values, ahead_us, is_held in self._index.query(
            "SELECT s.id, s.start_us, s.end_us, s.length, s.deadline_us, coalesce((SELECT d.ahead_us FROM dating d"
            " WHERE d.first <= s.id ORDER BY d.first DESC LIMIT 1), 0), EXISTS (SELECT 1 FROM hold h WHERE"
            " h.camera = s.camera AND h.from_us < s.end_us AND h.to_us > s.start_us)"
            " FROM json_each(?) j CROSS JOIN segment s ON s.id = j.value WHERE s.authorisation = ?",
            (json.dumps(taken), self._authorisation),
        ):
            segment, start_us, end_us, length, deadline_us = values
            new_us = due_us(start_us, ahead_us, self.shorter.retention_days)
            yield segment, start_us, end_us, length, deadline_us, new_us, bool(is_held)


def set_terms(index: Index, camera: int, authorisation: str, retention_days: int) -> None:
    """This delay is in force, and nothing of it waits."""
    values = (camera, authorisation)
    index.execute("INSERT OR REPLACE INTO terms VALUES (?, ?, ?)", (*values, retention_days))
    index.execute("DELETE FROM withheld WHERE camera = ? AND authorisation = ?", values)
