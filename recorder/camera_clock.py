"""Whether a camera's own clock is off, by what its sender reports say (streams/TIME.md). Pure: told the time.

The offset is against our clock, and as exact as the way is short: under a second. It settles after a connection began
(a camera may send first what it had kept), so it counts only once it has been off, or right, for SETTLED_S.
"""

OFF_US = 2_000_000
RIGHT_US = 1_500_000
SETTLED_S = 15.0
"""A report comes every five seconds or so (RFC 3550 6.2)."""


class ClockWatch:
    """One camera's. The alarm itself is the state, which outlives the process."""

    def __init__(self) -> None:
        self._turned_s: float | None = None  # since when the offset contradicts the alarm

    def turns(self, is_off: bool, offset_us: int | None, at_s: float) -> bool:
        """Whether the alarm, which says `is_off`, must change. None: nothing is known now."""
        if offset_us is None or is_off == (abs(offset_us) >= (RIGHT_US if is_off else OFF_US)):
            self._turned_s = None
            return False
        if self._turned_s is None:
            self._turned_s = at_s
        return at_s - self._turned_s >= SETTLED_S
