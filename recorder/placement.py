"""On which storage directory a camera records. Pure: it is told how the directories are.

A camera stays where it is as long as that directory takes it, and also while none does. When it must leave, it goes
where the most room is for what is written there, and doesn't come back by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

USUAL_BYTES_PER_S = 250_000.0
"""2 Mb/s: of a camera whose rate isn't known yet."""


@dataclass(frozen=True, slots=True)
class Room:
    """A directory: whether a run can begin there now, its free space, and what the cameras there write."""

    ready: bool
    free_bytes: int
    bytes_per_s: float


def place(now: str | None, rooms: Mapping[str, Room], bytes_per_s: float) -> str | None:
    """The directory for a camera of this rate that is on `now`; None while it has none and none is ready."""
    if now is not None and now in rooms and rooms[now].ready:
        return now
    ready = [name for name, room in rooms.items() if room.ready]
    if not ready:
        return now
    return max(ready, key=lambda name: rooms[name].free_bytes / (rooms[name].bytes_per_s + max(bytes_per_s, 1.0)))


def last_place(came_us: Mapping[str, int | None]) -> str | None:
    """Where a camera came last, by when it last came to each directory that it ever came to."""
    known = {name: at_us for name, at_us in came_us.items() if at_us is not None}
    return max(known, key=lambda name: known[name]) if known else None
