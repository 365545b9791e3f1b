"""An independent look at the disk: what is the oldest of each camera, and is anything overdue (invariant 6).

It reads files, not the index that destruction goes by, so that what an index forgot shows too. Read-only, in a thread
of its own; only the oldest hour directory of each camera that isn't wholly held, unless the whole inventory is asked
for: a month that is held would be 40,000 files to read each minute.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from legal.retention import LONGEST_DAYS, deadline_at
from recorder.derived import DIRECTORY as DERIVED
from recorder.derived import read_name
from recorder.format import HEADER_READ_BYTES, cameras_among, read_segment_header, segment_of, start_us_of
from recorder.holds import DIRECTORY, read_hold_file
from recorder.index import HOUR_US
from streams.fmp4 import FormatError, parse_init
from streams.ticks import at_from_us, us_from_at

OVERDUE_US = 600_000_000
"""A file still there so long after its deadline is overdue."""
_SEGMENT_US = 120_000_000


@dataclass(frozen=True, slots=True)
class Look:
    """One camera's. `held` of its files and `held_size` of their bytes are past their deadline, and a hold keeps them;
    `oldest_us`: its oldest picture but for these; `overdue`: files past their deadline that none keeps, also those that
    derive from pictures."""

    camera: str
    files: int
    size: int
    oldest_us: int | None
    overdue: tuple[str, ...]
    held: int = 0
    held_size: int = 0


class _Told(NamedTuple):
    camera: str
    start_us: int
    deadline_us: int


def look(storage: Path, now_us: int, whole: bool = False) -> list[Look]:
    """Every camera's oldest hour, or with `whole` all it has. Raises OSError when the storage can't be read."""
    os.stat(storage)
    holds = list(_holds(storage))
    derived = cameras_among(_names(storage / DERIVED))
    late = {camera: tuple(_late_derived(storage, camera, now_us, holds, whole)) for camera in derived}
    looks = [_look(storage, camera, now_us, holds, whole) for camera in cameras_among(_names(storage))]
    gone = late.keys() - {one.camera for one in looks}
    looks += [Look(camera, 0, 0, None, ()) for camera in sorted(gone) if late[camera]]
    return [replace(one, overdue=one.overdue + late.get(one.camera, ())) for one in looks]


def _look(storage: Path, camera: str, now_us: int, holds: list[tuple[str, int, int]], whole: bool) -> Look:
    files, size, oldest_us = 0, 0, None
    overdue: list[str] = []
    held: list[Path] = []
    windows = [] if whole else [(from_us, to_us) for held_camera, from_us, to_us in holds if held_camera == camera]
    for hour in _hours(storage / camera, 4):
        if any(_is_within(hour, *window) for window in windows):
            continue
        names = sorted(name for name in _names(hour) if segment_of(name) is not None)
        last = _read(hour / names[-1]) if names else None
        # As a rule what was recorded later is due later; not where an authorisation gave way to a shorter one.
        is_all_read = last is not None and last.deadline_us + OVERDUE_US < now_us
        for name in names:
            told = _read(hour / name)
            if told is None:
                continue
            is_late = told.deadline_us + OVERDUE_US < now_us
            if is_late and _is_held(told, holds):
                held.append(hour / name)
                continue
            oldest_us = told.start_us if oldest_us is None else min(oldest_us, told.start_us)
            if not is_late and is_all_read:
                continue
            if not is_late:
                break
            overdue.append(str((hour / name).relative_to(storage)))
        files += len(names)
        size += sum(_size(hour / name) for name in names)
        if oldest_us is not None and not whole:
            break
    return Look(camera, files, size, oldest_us, tuple(overdue), len(held), sum(map(_size, held)))


def _late_derived(
    storage: Path, camera: str, now_us: int, holds: list[tuple[str, int, int]], whole: bool
) -> Iterator[str]:
    """Derived files past the deadline in their names, of which no hold keeps a picture."""
    for hour in _hours(storage / DERIVED / camera, 4):
        told = {name: told for name in sorted(_names(hour)) if (told := read_name(name)) is not None}
        for name, (from_us, to_us, deadline_us) in told.items():
            is_held = any(held == camera and from_us < to and to_us > since for held, since, to in holds)
            if deadline_us + OVERDUE_US < now_us and not is_held:
                yield str((hour / name).relative_to(storage))
        if told and not whole:
            return


def _is_within(hour: Path, from_us: int, to_us: int) -> bool:
    """Whether all that began in an hour, by its directory's name, did so in this window."""
    try:
        begins_at = datetime.strptime("/".join(hour.parts[-4:]), "%Y/%m/%d/%H").replace(tzinfo=UTC)
    except ValueError:
        return False  # not an hour's name: what is in it is looked at
    begins_us = us_from_at(begins_at)
    return from_us <= begins_us and begins_us + HOUR_US <= to_us


def _is_held(told: _Told, holds: list[tuple[str, int, int]]) -> bool:
    """A file doesn't say where it ends: a segment longer than any is taken, so that no held file is called overdue."""
    return any(
        camera == told.camera and told.start_us < to_us and told.start_us + _SEGMENT_US > from_us
        for camera, from_us, to_us in holds
    )


def _holds(storage: Path) -> Iterator[tuple[str, int, int]]:
    names = set(_names(storage / DIRECTORY))
    for name in names:
        if name.endswith(".released.json") or name.removesuffix(".json") + ".released.json" in names:
            continue
        hold = read_hold_file(storage / DIRECTORY / name) if name.endswith(".json") else None
        if hold is not None:
            yield hold.camera, us_from_at(hold.from_at), us_from_at(hold.to_at)


def _hours(directory: Path, depth: int) -> Iterator[Path]:
    """The hour directories below, oldest first."""
    if depth == 0:
        yield directory
        return
    for name in sorted(_names(directory)):
        if name.isdigit():
            yield from _hours(directory / name, depth - 1)


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _read(path: Path) -> _Told | None:
    """What a file says of itself; one that can't be read, by its name and the longest delay of the law. None when it is
    gone."""
    try:
        with path.open("rb", buffering=0) as file:
            header = read_segment_header(parse_init(file.read(HEADER_READ_BYTES) or b""))
    except FileNotFoundError:
        return None
    except FormatError:
        start_us = start_us_of(path.name) or 0
        return _Told(path.parents[4].name, start_us, us_from_at(deadline_at(at_from_us(start_us), LONGEST_DAYS)))
    return _Told(header.camera, header.start_us, header.deadline_us)
