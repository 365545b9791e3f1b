"""The recorder's own word on its storage, its clock and what it gives up: read once, from the answer to `status`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Pressure:
    """What keeping everything until its deadline takes, at the rate of the last day. `full_at`: None when it fits."""

    capacity_bytes: int
    needed_bytes: int
    held_bytes: int
    bytes_per_day: int
    full_at: datetime | None


@dataclass(frozen=True, slots=True)
class Directory:
    path: str
    ready: bool
    code: str
    free_bytes: int
    pressure: Pressure | None


@dataclass(frozen=True, slots=True)
class Freeze:
    """Destruction waits for two persons. `id` names this very freeze; `segments` and `bytes` are a breaker's."""

    subject: Literal["clock", "breaker"]
    id: str
    reason: str
    segments: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Degraded:
    """`given_up`: camera and stream of what isn't recorded, or not pulled, for want of means. Level 0: nothing is."""

    level: int
    reason: str
    since: datetime | None
    given_up: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RecorderState:
    directories: tuple[Directory, ...]
    freezes: tuple[Freeze, ...]
    degraded: Degraded

    def freeze(self, subject: str) -> Freeze | None:
        return next((freeze for freeze in self.freezes if freeze.subject == subject), None)


def read_state(status: Mapping[str, Any]) -> RecorderState:
    """Raises KeyError, TypeError and ValueError for an answer of another shape."""
    return RecorderState(
        directories=tuple(_directory(one) for one in status["storage"]),
        freezes=tuple(_freezes(status)),
        degraded=_degraded(status.get("degraded") or {"level": 0, "reason": "", "since": None, "given_up": []}),
    )


def _directory(one: Mapping[str, Any]) -> Directory:
    pressure = one.get("pressure")
    return Directory(
        path=str(one["path"]),
        ready=bool(one["ready"]),
        code=str(one["code"]),
        free_bytes=int(one["free_bytes"]),
        pressure=None if pressure is None else _pressure(pressure),
    )


def _pressure(told: Mapping[str, Any]) -> Pressure:
    return Pressure(
        capacity_bytes=int(told["capacity_bytes"]),
        needed_bytes=int(told["needed_bytes"]),
        held_bytes=int(told["held_bytes"]),
        bytes_per_day=int(told["bytes_per_day"]),
        full_at=_time(told["full_at"]),
    )


def _freezes(status: Mapping[str, Any]) -> list[Freeze]:
    found = []
    clock, breaker = status["clock"], status.get("breaker")
    if clock["freeze"]:
        found.append(Freeze("clock", str(clock["freeze"]), str(clock["reason"])))
    if breaker is not None:
        counts = int(breaker["segments"]), int(breaker["bytes"])
        found.append(Freeze("breaker", str(breaker["id"]), str(breaker["reason"]), *counts))
    return found


def _degraded(told: Mapping[str, Any]) -> Degraded:
    given_up = tuple((str(one["camera"]), str(one["stream"])) for one in told["given_up"])
    return Degraded(int(told["level"]), str(told["reason"] or ""), _time(told["since"]), given_up)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
