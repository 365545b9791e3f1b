"""The breaker: a destruction far beyond plan waits for two persons (invariant 7).

Destruction goes on all the time, so that what is due at once is little. When a quarter of all that is kept is due, an
outage of days was before it, a clock that leapt under a trusted NTP server, or orders that shortened a delay at one
stroke: destruction stops, and its freeze has a number that a release must name. Nothing past its deadline is shown
meanwhile.
"""

import uuid

from recorder.index import CLOSED, Index

AT_ONCE = 1000
"""So many segments may be due whatever is kept."""
SHARE = 4
FREEZE, RELEASED_UNTIL = "breaker", "breaker_until_us"


class Breaker:
    """Its memory is in the index; a release lets what was due then go."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._in_batch = False

    @property
    def freeze(self) -> str | None:
        freeze: str | None = self._index.get(FREEZE)
        return freeze

    def allows(self, due_us: int) -> bool:
        """Whether what is due may be destroyed now."""
        index = self._index
        if self.freeze is not None:
            return False
        since_us = index.get(RELEASED_UNTIL, 0)
        due = index.query(
            "SELECT count(*) FROM (SELECT 1 FROM unheld WHERE deadline_us <= ? AND deadline_us > ? AND state = ?"
            " LIMIT ?)",
            (due_us, since_us, CLOSED, AT_ONCE + 1),
        )[0][0]
        if due <= AT_ONCE:
            self._in_batch = False
            return True
        if self._in_batch:
            return True  # it was judged as a whole when it began
        values = (due_us, since_us)
        ((due,),) = index.query("SELECT count(*) FROM unheld WHERE deadline_us <= ? AND deadline_us > ?", values)
        ((kept,),) = index.query("SELECT count(*) FROM segment")
        if due * SHARE <= kept:
            self._in_batch = True
            return True
        index.put(FREEZE, str(uuid.uuid4()))
        return False

    def release(self, freeze: str, due_us: int) -> bool:
        """Let go of what is due now; False when this isn't the freeze."""
        if self.freeze != freeze:
            return False
        self._index.put(FREEZE, None)
        self._index.put(RELEASED_UNTIL, due_us)
        return True
