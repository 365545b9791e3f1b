"""Security events as they happen, counted until they are written: a flood of them costs one row a turn. Pure."""

from datetime import datetime
from typing import NamedTuple

MOST = 500
"""So many different ones are told apart in one turn; of more, only what they were."""


class Event(NamedTuple):
    """What was refused, and what of its asker is known for sure: their account (id or login), their workstation."""

    code: str
    account: str | None = None
    workstation: str | None = None


class Tally:
    """Counts events since they were last taken."""

    def __init__(self) -> None:
        self._seen: dict[Event, tuple[datetime, int]] = {}

    def note(self, at: datetime, event: Event) -> None:
        if event not in self._seen and len(self._seen) >= MOST:
            event = Event(event.code)
        since, count = self._seen.get(event, (at, 0))
        self._seen[event] = since, count + 1

    def take(self) -> list[tuple[datetime, Event, int]]:
        """Each event with the time of its first and how often it happened, since the last call."""
        taken = [(since, event, count) for event, (since, count) in self._seen.items()]
        self._seen = {}
        return taken

    def restore(self, taken: list[tuple[datetime, Event, int]]) -> None:
        """Count again what could not be written."""
        for since, event, count in taken:
            self._seen[event] = since, self._seen.get(event, (since, 0))[1] + count
