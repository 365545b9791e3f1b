"""The machine's clocks as the kernel gives them; the only place of this room that asks for the time."""

import ctypes
import threading
import time
from pathlib import Path

from recorder.clock import JUMP_US, BootTime, ClockMemory, ClockReading, ClockState, TrustedClock
from streams.timeline import Anchor

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIME_ERROR = 5  # adjtimex(2): the clock isn't synchronised
_boot_zero_us: int | None = None
_AT_ONCE_S = 0.01
_TIMEX_BYTES = 512  # struct timex has 208 on 64-bit Linux; modes = 0 only reads


def read_clock() -> ClockReading:
    return ClockReading(
        wall_us=time.time_ns() // 1000,
        boot_us=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000,
        boot_id=boot_id(),
        synchronised=_synchronised(),
    )


def read_anchor() -> Anchor:
    """The monotonic clock and UTC at the same instant, to a microsecond or so; a pause between the two looks would
    make a step of the clock."""
    while True:
        before_s, wall_us, after_s = time.monotonic(), now_us(), time.monotonic()
        if after_s - before_s < _AT_ONCE_S:
            return Anchor(before_s, wall_us)


def never_before(boot_zero_us: int | None) -> None:
    """UTC at boot time zero, as far as it is known; None: nothing is."""
    global _boot_zero_us
    _boot_zero_us = boot_zero_us


def now_us() -> int:
    """UTC in microseconds, as the wall clock says; unless it says over 10 minutes less than what is known from an
    earlier, better clock.

    A machine that starts in 1970, or falls there, records under the time that it knew, so that nothing is dated, or
    destroyed, by a clock that nobody has set.
    """
    wall_us = time.time_ns() // 1000
    if _boot_zero_us is None:
        return wall_us
    known_us = _boot_zero_us + time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    return wall_us if wall_us >= known_us - JUMP_US else known_us


def boot_time() -> BootTime:
    return BootTime(boot_id(), time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000)


def boot_id() -> str:
    return _BOOT_ID.read_text().strip()


def _synchronised() -> bool:
    """False also where the kernel doesn't tell (a sandbox without adjtimex)."""
    state: int = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return 0 <= state < _TIME_ERROR


class MachineClock:
    """The trusted clock of the whole recorder: one standing, one freeze, remembered in each storage directory.

    Each directory's thread asks it, the event loop releases it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clock: TrustedClock | None = None

    def remember(self, memory: ClockMemory | None) -> None:
        """A directory opens: what it remembers."""
        with self._lock:
            reading = read_clock()
            if self._clock is None:
                self._clock = TrustedClock(memory, reading)
            else:
                self._clock.learn(memory, reading)

    def observe(self) -> tuple[ClockState, ClockMemory]:
        """The standing now, and what to remember of it; after the first `remember`."""
        with self._lock:
            assert self._clock is not None
            return self._clock.observe(read_clock()), self._clock.memory

    def vouch(self) -> None:
        """A memory that is lost would say that the clock is right (`TrustedClock.vouch`)."""
        with self._lock:
            if self._clock is not None:
                self._clock.vouch()

    def release(self, freeze: str) -> bool:
        """End a freeze of destruction, everywhere; False when there is no such freeze."""
        with self._lock:
            return self._clock is not None and self._clock.release(freeze)
