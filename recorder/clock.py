"""Whether the machine's clock may decide on destruction and playback (invariant 7). Pure: it is told the readings.

The wall clock is held against CLOCK_BOOTTIME, which nobody sets. A jump forward of more than 10 minutes would destroy
what is not due: it freezes. So does a clock that nobody has set after a reboot. A clock that is set back would keep
alive what is due: the time for deadlines goes on with CLOCK_BOOTTIME.

A clock may have been ahead for a while before that was known: at the first start, in a freeze, after a reboot. What was
recorded then is dated ahead, and its deadlines are late by as much: `ahead_of` tells it, once the truth is known.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

JUMP_US = 600 * 1_000_000
SETTLED_US = 60 * 1_000_000
_FOR_EVER_US = 1 << 62
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
    deadlines were held against, `reason` why the clock was distrusted then, `seen_us` the boot time of that look;
    `ahead_us` by how much the wall clock was ahead of the time known, in a freeze for a jump; the least, where it was
    set more than once: what was dated further ahead is kept longer for it, but nothing is destroyed early."""

    boot_id: str
    anchor_us: int
    due_us: int
    reason: str = ""
    seen_us: int = 0
    ahead_us: int = 0


@dataclass(frozen=True, slots=True)
class ClockState:
    """`due_us` is the time that deadlines are held against; it goes back only where it is known to have been ahead.
    `freeze` names this freeze, for its release. `anchor_us`: UTC at boot time zero, as far as it is known."""

    trusted: bool
    reason: str
    due_us: int
    freeze: str = ""
    anchor_us: int | None = None


class Ahead(NamedTuple):
    """What was recorded until now and is dated in [from_us, to_us) is dated ahead of the truth by `by_us`."""

    by_us: int
    from_us: int
    to_us: int


class TrustedClock:
    def __init__(self, memory: ClockMemory | None, reading: ClockReading) -> None:
        """The first reading after a start. Without memory (the first start ever) the clock is taken as it is."""
        self._started_us = reading.boot_us
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
        rank, older = _rank(memory, reading), memory
        if self._rank < rank < self._started_us:
            self._rank, older = rank, self._memory
            self._memory, self._reason = _begin(memory, reading)
        is_wrong = older.boot_id == self._memory.boot_id and older.anchor_us > self._memory.anchor_us + JUMP_US
        if not is_wrong:  # else this directory was away when the time was found to be ahead
            self._memory = replace(self._memory, due_us=max(self._memory.due_us, older.due_us))

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
        if ahead_us > JUMP_US and not self._reason:
            self._reason = f"jumped forward by {ahead_us // 1_000_000} s"
        is_right, self._is_released = self._is_settled(reading) or self._is_released, False
        has_jumped = self._reason.startswith("jumped")
        if self._reason and (is_right or (has_jumped and ahead_us <= JUMP_US)):
            self._reason, has_jumped = "", False
        noted_us = _least_ahead(memory.ahead_us, ahead_us) if has_jumped else memory.ahead_us if self._reason else 0
        memory = replace(memory, seen_us=reading.boot_us, ahead_us=noted_us)
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


def ahead_of(before: ClockMemory, now: ClockMemory) -> list[Ahead]:
    """What is now known to be dated ahead, between two looks of one storage directory: by a jump that was taken back,
    by the time of this boot before it was set, or by all the time that was known."""
    known_us = now.anchor_us + now.seen_us
    found: list[Ahead] = []
    if before.ahead_us > JUMP_US and not now.ahead_us and _was_false(before, now):
        found.append(_ahead_since(before.due_us, before.ahead_us, known_us))
    if before.boot_id == now.boot_id:
        by_us = before.anchor_us - now.anchor_us
        if by_us > JUMP_US and known_us < before.due_us - JUMP_US:
            # Deadlines' time stands still while the clock is distrusted, at the latest since this boot.
            lead_us = before.due_us - now.anchor_us - (0 if before.reason else before.seen_us)
            found.append(Ahead(min(by_us, lead_us), 0, _FOR_EVER_US))
        elif by_us > JUMP_US:  # what was known when the machine went down was right
            found.append(_ahead_since(before.due_us, _least_ahead(before.ahead_us, by_us), known_us))
    elif before.due_us - now.due_us > JUMP_US:
        found.append(Ahead(before.due_us - now.due_us, 0, _FOR_EVER_US))
    return found


def _least_ahead(noted_us: int, ahead_us: int) -> int:
    return min(noted_us, ahead_us) if noted_us > JUMP_US else ahead_us


def _was_false(before: ClockMemory, now: ClockMemory) -> bool:
    """Whether the jump was false: the time known didn't follow it. Over a reboot only what lies in the future tells;
    where the clock went on ahead, the time of the new boot is mended, and that with it."""
    if before.boot_id == now.boot_id and before.reason.startswith("jumped"):
        return now.anchor_us < before.anchor_us + before.ahead_us // 2
    if before.boot_id == now.boot_id and before.anchor_us - now.anchor_us > JUMP_US:
        return False
    return now.anchor_us + now.seen_us < before.due_us + before.ahead_us


def _ahead_since(since_us: int, by_us: int, now_us: int) -> Ahead:
    """What was dated ahead between two instants, both in true time; pictures of before and after are never meant."""
    return Ahead(by_us, since_us + by_us // 2, now_us + by_us + JUMP_US)


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
    return ClockMemory(reading.boot_id, anchor_us, memory.due_us, ahead_us=memory.ahead_us), reason


def _rank(memory: ClockMemory | None, reading: ClockReading) -> int:
    """How much a memory says: none, one of another boot, and of this boot the later the more."""
    if memory is None:
        return -2
    return memory.seen_us if memory.boot_id == reading.boot_id else -1
