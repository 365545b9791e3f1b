"""What to do while the space of a storage directory runs out (invariant 4). Pure: it is told numbers, and answers.

In this order: footage past its minimum goes before its deadline; then the cameras of lowest priority stop recording, as
many as needed for the others to go on, unless another directory has room for them (`takes`). Footage below its minimum
can't be given up again, so that a camera stops while there is still room: as soon as what it would write would be
missing to those before it within two hours. Not earlier: a disk that is too small for the minimum of the first camera
would else record nothing of the others from the first day on. Long before all that, `full_at_us` tells when deadlines
free too little.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

AHEAD_S = 600.0
"""What is written in this time is kept free, and a camera goes on while there is room for so long."""
RESUME_S = 3600.0
"""A camera that has stopped begins again when there is room for so long."""
STEP_S = 3600.0
STEPS = 2
"""How far is looked: two hours."""
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Recording:
    """A camera that should record on the directory now. `priority`: 0 is given up last; `minimum_s`: how long its
    pictures may not go for want of space; `stopped` for want of it. Soon after a start the rate may not be known: 0."""

    camera: str
    priority: int
    bytes_per_s: float
    minimum_s: float
    stopped: bool


@dataclass(frozen=True, slots=True)
class Room:
    """`spare_bytes` are to stay free. `early_bytes` are past their minimum and not held; of the others that aren't
    held, `later_bytes` will be past it in each step of `STEP_S` from now on."""

    free_bytes: int
    spare_bytes: int
    early_bytes: int
    later_bytes: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Decision:
    """Bytes to destroy now, in the order of `destruction.destroy_for_space`, and the cameras that don't record."""

    destroy_bytes: int
    stopped: frozenset[str]


def ranked(recordings: Iterable[Recording]) -> list[Recording]:
    """By priority, the one that is given up last first."""
    return sorted(recordings, key=lambda one: (one.priority, one.camera))


def decide(room: Room, recordings: Sequence[Recording]) -> Decision:
    """The first by priority always goes on: nobody is left for whom it would stop."""
    left = [float(room.free_bytes - room.spare_bytes + room.early_bytes)]
    for step in range(STEPS - 1):
        left.append(left[-1] + room.later_bytes.get(step, 0))
    bytes_per_s, stopped, unknown = 0.0, set[str](), set[str]()
    for n, one in enumerate(ranked(recordings)):
        if n and one.stopped and not one.bytes_per_s:
            unknown.add(one.camera)  # it stays so until it is known what it would write
            continue
        wanted = one.bytes_per_s * (RESUME_S if one.stopped else AHEAD_S)
        if n and (stopped or wanted > min(left[: 1 + int(one.minimum_s // STEP_S)])):
            stopped.add(one.camera)
            continue
        bytes_per_s += one.bytes_per_s
        kept_s = max(one.minimum_s, AHEAD_S)
        left = [room - one.bytes_per_s * min((step + 1) * STEP_S, kept_s) for step, room in enumerate(left)]
    destroyed = min(room.early_bytes, wanted_bytes(room.free_bytes, room.spare_bytes, bytes_per_s))
    return Decision(destroyed, frozenset(stopped | unknown))


def wanted_bytes(free_bytes: int, spare_bytes: int, bytes_per_s: float) -> int:
    """What has to become free: where what is written in AHEAD_S has no room beside the spare, so much that twice that
    has."""
    written = int(bytes_per_s * AHEAD_S)
    mark = spare_bytes + written
    return 0 if free_bytes >= mark else mark + written - free_bytes


_BEFORE_ALL = Recording("", -1, 0.0, 0.0, stopped=False)


def takes(room: Room, recordings: Sequence[Recording], newcomer: Recording) -> bool:
    """Whether a camera that has no room elsewhere may come: there is room for an hour, and nobody stops, with it or
    without; it isn't the first here that always goes on."""
    return not decide(room, [_BEFORE_ALL, *recordings, replace(newcomer, stopped=True)]).stopped


@dataclass(frozen=True, slots=True)
class Need:
    """What a camera records in a day, and for how long that is kept."""

    bytes_per_day: int
    retention_days: int

    @property
    def bytes(self) -> int:
        return self.bytes_per_day * self.retention_days


def full_at_us(now_us: int, room_bytes: int, needs: Sequence[Need], due: Mapping[int, int]) -> int | None:
    """When `room_bytes` are used up if only deadlines free space; None if never. To the hour.

    `due` is what is there and falls due, from the hour (microseconds) to bytes.
    """
    left = float(room_bytes + sum(size for hour_us, size in due.items() if hour_us < now_us))
    first = now_us - now_us % _HOUR_US
    for hour in range(max((need.retention_days for need in needs), default=0) * 24 + 1):
        at_us = first + hour * _HOUR_US
        left += due.get(at_us, 0) if at_us >= now_us else 0
        left -= sum(need.bytes_per_day / 24 for need in needs if hour < need.retention_days * 24)
        if left < 0:
            return max(at_us, now_us)
    return None
