"""Whether the machine's clock may decide on destruction and playback (invariant 7). Pure: it is told the readings.

The wall clock is held against CLOCK_BOOTTIME, which nobody sets. A jump forward of more than 10 minutes would destroy
what is not due: it freezes. So does a clock that nobody has set after a reboot. A clock that is set back would keep
alive what is due: the time for deadlines goes on with CLOCK_BOOTTIME.

A clock may have been ahead for a while before that was known: at the first start, in a freeze, after a reboot. What was
recorded then is dated ahead, and its deadlines are late by as much. So it is noted when, by CLOCK_BOOTTIME, pictures
were taken, and by how much more their dates say (`Dating`). `aheads` tells what that was ahead, once the truth is
known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

JUMP_US = 600 * 1_000_000
SETTLED_US = 60 * 1_000_000
_NOTHING = -2
_LOST = "lost with the index"
EARLIEST_US = 1_767_225_600_000_000
"""2026-01-01 UTC: a clock that says less was never set."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """One look at the machine's clocks, in microseconds; `synchronised`: the kernel says that NTP disciplines it."""

    wall_us: int
    boot_us: int
    boot_id: str
    synchronised: bool


class BootTime(NamedTuple):
    """An instant that no setting of clocks moves: microseconds of CLOCK_BOOTTIME in this boot."""

    boot_id: str
    us: int


@dataclass(frozen=True, slots=True)
class ClockMemory:
    """What must outlive the process: `anchor_us` is UTC at boot time zero of `boot_id`, `due_us` the last time that
    deadlines were held against, `reason` why the clock was distrusted then, `seen_us` the boot time of that look;
    `known`: NTP, or two persons, have said in this boot that the clock is right."""

    boot_id: str
    anchor_us: int
    due_us: int
    reason: str = ""
    seen_us: int = 0
    known: bool = False


@dataclass(frozen=True, slots=True)
class ClockState:
    """`due_us` is the time that deadlines are held against; it goes back only where it is known to have been ahead.
    `freeze` names this freeze, for its release. `anchor_us`: UTC at boot time zero, as far as it is known."""

    trusted: bool
    reason: str
    due_us: int
    freeze: str = ""
    anchor_us: int | None = None


class Boot(NamedTuple):
    """A boot in which was recorded: how much time passed at least from its beginning to that of the next one, and UTC
    at its boot time zero where NTP or two persons said it while it lasted."""

    seen_us: int
    zero_us: int | None


class Dating(NamedTuple):
    """How the segments from number `first` on, up to the next dating, were dated: `lead_us` more than the time since
    the boot began, which is UTC at boot time zero as it was believed. `boot_id` is None where that isn't known.
    `ahead_us`: by how much they are dated ahead of the truth, as far as their deadlines have come forward for it."""

    first: int
    boot_id: str | None
    lead_us: int
    ahead_us: int = 0


class TrustedClock:
    def __init__(self, memory: ClockMemory | None, reading: ClockReading) -> None:
        """The first reading after a start. Without memory (the first start ever) the clock is taken as it is."""
        self._started_us = reading.boot_us
        self._zero_us = reading.wall_us - reading.boot_us  # of the wall clock, as of the last look
        self._rank = _rank(memory, reading)
        self._memory, self._reason = _begin(memory, reading)
        self._synchronised_since_us: int | None = None
        self._is_released = False

    def learn(self, memory: ClockMemory | None, reading: ClockReading) -> None:
        """Another storage directory opens, and remembers the clock too.

        What it remembers is begun with instead when it is the newer, unless this process itself has written it since.
        Deadlines go by the later of both times.
        """
        if memory is None:
            return
        if memory.reason == _LOST and self._rank == _NOTHING and not self._memory.known:
            self._reason = self._reason or _LOST  # a directory that is new doesn't vouch for the clock
        rank, older = _rank(memory, reading), memory
        if self._rank < rank < self._started_us:
            self._rank, older = rank, self._memory
            self._memory, self._reason = _begin(memory, reading)
        is_wrong = older.boot_id == self._memory.boot_id and older.anchor_us > self._memory.anchor_us + JUMP_US
        if not is_wrong:  # else this directory was away when the time was found to be ahead
            self._memory = replace(self._memory, due_us=max(self._memory.due_us, older.due_us))

    def vouch(self) -> None:
        """All that was ever recorded is dated as the clock stands now: a memory that is lost would say nothing else."""
        if self._reason == _LOST:
            self._reason = ""

    def release(self, freeze: str) -> bool:
        """Two persons say that the wall clock is right: the next look takes it as it is. False when this isn't the
        freeze."""
        if not self._reason or freeze != self._freeze():
            return False
        self._is_released = True
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
        ahead_us = reading.wall_us - memory.anchor_us - reading.boot_us
        if abs(reading.wall_us - reading.boot_us - self._zero_us) > JUMP_US:
            self._synchronised_since_us = None  # NTP has to say so of this time, and not of the one before
        self._zero_us = reading.wall_us - reading.boot_us
        if ahead_us > JUMP_US and not self._reason:
            self._reason = f"jumped forward by {ahead_us // 1_000_000} s"
        is_right, self._is_released = self._is_settled(reading) or self._is_released, False
        is_taken_back = self._reason.startswith("jumped") and ahead_us <= JUMP_US
        if is_right or is_taken_back:
            self._reason = ""
        memory = replace(memory, seen_us=reading.boot_us, known=memory.known or is_right)
        if is_right and (ahead_us > 0 or ahead_us < -JUMP_US):
            due_us = memory.due_us if ahead_us > 0 else min(memory.due_us, reading.wall_us)
            memory = replace(memory, anchor_us=reading.wall_us - reading.boot_us, due_us=due_us)
        if not self._reason:
            due_us = memory.anchor_us + reading.boot_us
            if 0 < reading.wall_us - due_us <= JUMP_US:
                due_us = reading.wall_us
            memory = replace(memory, due_us=max(memory.due_us, due_us))
        self._memory = memory
        freeze = self._freeze() if self._reason else ""
        return ClockState(not self._reason, self._reason, memory.due_us, freeze, memory.anchor_us)

    def _is_settled(self, reading: ClockReading) -> bool:
        """Whether the kernel has called the clock synchronised for a minute."""
        if not reading.synchronised:
            self._synchronised_since_us = None
            return False
        if self._synchronised_since_us is None:
            self._synchronised_since_us = reading.boot_us
        return reading.boot_us - self._synchronised_since_us >= SETTLED_US


def memory_lost(reading: ClockReading) -> ClockMemory:
    """What is remembered of the clock where that is lost, though something was recorded: nothing, so that it can't be
    trusted. It may have been in a freeze."""
    return ClockMemory(reading.boot_id, reading.wall_us - reading.boot_us, 0, _LOST, reading.boot_us)


def aheads(datings: Sequence[Dating], boots: Mapping[str, Boot], now: ClockMemory) -> list[int]:
    """By how much each dating was ahead of the truth, in microseconds, under a clock that is trusted now.

    Exact in this boot, and in one whose time was known while it lasted: CLOCK_BOOTTIME leads from each picture to it.
    Of another boot only this is certain: it ended before the next one began. What it dated later than that is ahead by
    the excess; anything else is believed. A clock is trusted with 10 minutes of error, and so is a date.
    """
    zeros = {now.boot_id: (now.anchor_us, True)}  # when each boot began; else when at the latest
    latest_us = now.anchor_us
    for boot_id in reversed(list(dict.fromkeys(dating.boot_id for dating in datings))):
        if boot_id is not None and boot_id not in zeros:
            boot = boots.get(boot_id, Boot(0, None))
            latest_us -= boot.seen_us
            latest_us = latest_us if boot.zero_us is None else min(boot.zero_us, latest_us)
            zeros[boot_id] = latest_us, boot.zero_us is not None
    return [_ahead_us(dating, *zeros[dating.boot_id]) if dating.boot_id else dating.ahead_us for dating in datings]


def _ahead_us(dating: Dating, zero_us: int, is_exact: bool) -> int:
    excess_us = dating.lead_us - zero_us
    excess_us = excess_us if excess_us > JUMP_US else 0
    return excess_us if is_exact else max(dating.ahead_us, excess_us)


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
    if memory is None or memory.reason == _LOST:
        return _NOTHING
    return memory.seen_us if memory.boot_id == reading.boot_id else -1
