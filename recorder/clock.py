"""Whether the machine's clock may decide on destruction and playback (invariant 7). Pure: it is told the readings.

The wall clock is held against CLOCK_BOOTTIME, which nobody sets. A jump forward of more than 10 minutes would destroy
what is not due: it freezes. So does a clock that nobody has set after a reboot. A clock that is set back would keep
alive what is due: the time for deadlines goes on with CLOCK_BOOTTIME.
"""

from dataclasses import dataclass, replace

JUMP_US = 600 * 1_000_000
SETTLED_US = 60 * 1_000_000
EARLIEST_US = 1_767_225_600_000_000
"""2026-01-01 UTC: a clock that says less was never set."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """One look at the machine's clocks, in microseconds; `synchronised`: the kernel says that NTP disciplines it."""

    wall_us: int
    boot_us: int
    boot_id: str
    synchronised: bool


@dataclass(frozen=True, slots=True)
class ClockMemory:
    """What must outlive the process: `anchor_us` is UTC at boot time zero of `boot_id`, `due_us` the last time that
    deadlines were held against, `reason` why the clock was distrusted then, `seen_us` the boot time of that look."""

    boot_id: str
    anchor_us: int
    due_us: int
    reason: str = ""
    seen_us: int = 0


@dataclass(frozen=True, slots=True)
class ClockState:
    """`due_us` is the time that deadlines are held against; it never goes back. `freeze` names this freeze, for its
    release. `least_us`: UTC at boot time zero at the earliest, when the wall clock is known to be behind the truth."""

    trusted: bool
    reason: str
    due_us: int
    freeze: str = ""
    least_us: int | None = None


class TrustedClock:
    def __init__(self, memory: ClockMemory | None, reading: ClockReading) -> None:
        """The first reading after a start. Without memory (the first start ever) the clock is taken as it is."""
        self._started_us = reading.boot_us
        self._rank = _rank(memory, reading)
        self._memory, self._reason = _begin(memory, reading)
        self._synchronised_since_us: int | None = None

    def learn(self, memory: ClockMemory | None, reading: ClockReading) -> None:
        """Another storage directory opens, and remembers the clock too.

        What it remembers is begun with instead when it is the newer, unless this process itself has written it since.
        Deadlines go by the later of both times.
        """
        if memory is None:
            return
        rank, due_us = _rank(memory, reading), max(self._memory.due_us, memory.due_us)
        if self._rank < rank < self._started_us:
            self._rank = rank
            self._memory, self._reason = _begin(memory, reading)
        self._memory = replace(self._memory, due_us=due_us)

    def release(self, freeze: str, reading: ClockReading) -> bool:
        """Two persons say that the wall clock is right: it is taken as it is. False when this isn't the freeze."""
        if not self._reason or freeze != self._freeze():
            return False
        anchor_us = reading.wall_us - reading.boot_us
        self._memory = replace(self._memory, anchor_us=max(self._memory.anchor_us, anchor_us))
        self._reason = ""
        return True

    def _freeze(self) -> str:
        """Stays the same while frozen, also over a restart of the process; never comes again."""
        memory = self._memory
        return f"{memory.boot_id}:{memory.anchor_us}:{memory.due_us}"

    @property
    def memory(self) -> ClockMemory:
        return replace(self._memory, reason=self._reason)

    def observe(self, reading: ClockReading) -> ClockState:
        """The clock's standing now. Readings come in order of boot time, of one boot."""
        memory = self._memory
        expected_us = memory.anchor_us + reading.boot_us
        ahead_us = reading.wall_us - expected_us
        if ahead_us > JUMP_US and not self._reason:
            self._reason = f"jumped forward by {ahead_us // 1_000_000} s"
        if not reading.synchronised:
            self._synchronised_since_us = None
        elif self._synchronised_since_us is None:
            self._synchronised_since_us = reading.boot_us
        settled = (
            self._synchronised_since_us is not None and reading.boot_us - self._synchronised_since_us >= SETTLED_US
        )
        if self._reason and (settled or (self._reason.startswith("jumped") and ahead_us <= JUMP_US)):
            self._reason = ""
        if settled and ahead_us > 0:
            memory = replace(memory, anchor_us=reading.wall_us - reading.boot_us)
        if not self._reason:
            due_us = memory.anchor_us + reading.boot_us
            if 0 < reading.wall_us - due_us <= JUMP_US:
                due_us = reading.wall_us
            memory = replace(memory, due_us=max(memory.due_us, due_us))
        self._memory = replace(memory, seen_us=reading.boot_us)
        is_behind = not settled and ahead_us < -JUMP_US
        freeze = self._freeze() if self._reason else ""
        least_us = memory.anchor_us if is_behind else None
        return ClockState(not self._reason, self._reason, memory.due_us, freeze, least_us)


def _begin(memory: ClockMemory | None, reading: ClockReading) -> tuple[ClockMemory, str]:
    """What is known at the start, and why the clock is distrusted; empty when it isn't."""
    anchor_us = reading.wall_us - reading.boot_us
    if memory is None:
        reason = "never set" if reading.wall_us < EARLIEST_US else ""
        return ClockMemory(reading.boot_id, anchor_us, reading.wall_us), reason
    if memory.boot_id == reading.boot_id:
        return memory, memory.reason
    # Nothing tells how long the machine was off; only that it can't have been less than no time.
    anchor_us = max(anchor_us, memory.due_us - reading.boot_us)
    reason = "" if reading.synchronised else "unsynchronised after a reboot"
    return ClockMemory(reading.boot_id, anchor_us, memory.due_us), reason


def _rank(memory: ClockMemory | None, reading: ClockReading) -> int:
    """How much a memory says: none, one of another boot, and of this boot the later the more."""
    if memory is None:
        return -2
    return memory.seen_us if memory.boot_id == reading.boot_id else -1
