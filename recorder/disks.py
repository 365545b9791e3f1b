"""The storage directories of a recorder as its event loop sees them, and on which of them each camera records.

Each has a thread of its own that writes (`writer.py`) and threads of its own that read, so that one that stalls keeps
nobody else waiting.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar

from recorder.clock import ClockState
from recorder.files import INDEX
from recorder.holds import DIRECTORY, Rulings
from recorder.index import open_reader
from recorder.machine import MachineClock
from recorder.placement import USUAL_BYTES_PER_S, Room, last_place, place
from recorder.store import SegmentStore
from recorder.writer import Job, StorageDown, StorageState, Writer
from streams.awake import running_awake, timeout

START_WAIT_S = 8.0
"""How long cameras wait at the start for every directory to say where it stands, before they go to one that did."""
STALLED_S = 8.0
"""A wave that is late by this much: cameras go to another directory, if one takes them, long before the queue is full
and before the degraded mode gives any up."""
READ_S = 10.0
_READERS = 2

T = TypeVar("T")


@dataclass(slots=True)
class Disk:
    """One directory. `name` is the shortest end of its path that tells it from the others; `places`, when each camera
    last came here; `giving_way`: those that don't record here for want of space; `answered_s`: when it last began to
    answer, by the monotonic clock."""

    name: str
    path: Path
    writer: Writer
    state: StorageState
    reading: ThreadPoolExecutor
    places: dict[str, int] = field(default_factory=dict)
    giving_way: frozenset[str] = frozenset()
    answered_s: float = 0.0

    @property
    def answers(self) -> bool:
        """Its index can be asked and told, whether or not there is room for pictures."""
        return self.state.index is not None

    @property
    def keeps_runs(self) -> bool:
        """Whether cameras that record here stay: it neither failed, nor is full, nor stalls."""
        return self.state.ready and self.writer.overdue_s < STALLED_S

    @property
    def takes_runs(self) -> bool:
        return self.keeps_runs and self.writer.has_room

    async def read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Ask the index by a reader of its own. Raises StorageDown when it can't be read, or not in time."""

        def read() -> T:
            with closing(open_reader(self.path / INDEX)) as connection:
                connection.execute("BEGIN")
                return question(connection)

        try:
            async with timeout(READ_S):
                return await asyncio.get_running_loop().run_in_executor(self.reading, read)
        except (sqlite3.Error, TimeoutError) as error:
            raise StorageDown(f"{self.name}: {error or 'no answer'}") from error


class Placed(Protocol):
    """A camera that is recorded on one of the directories."""

    disk: Disk | None

    @property
    def bytes_per_s(self) -> float: ...


class Disks(Mapping[str, Disk]):
    """By name, in the order of the settings."""

    def __init__(
        self,
        directories: Mapping[Path, Path],
        state: Path,
        on_storage: Callable[[Disk, StorageState], None],
        on_clock: Callable[[ClockState], None],
    ) -> None:
        """`directories`: each, and the file that remembers its identity. `state`: the recorder's own directory."""
        self.clock = MachineClock()
        self.standing = ClockState(trusted=False, reason="starting", due_us=0)  # the clock's, as the event loop knows
        self.rulings = Rulings(state / DIRECTORY)
        self._disks: dict[str, Disk] = {}
        self._on_clock = on_clock
        self._began_s = time.monotonic()
        names = short_names(directories)
        for path, identity_file in directories.items():

            def told(state: StorageState, name: str = names[path]) -> None:
                disk = self._disks[name]
                if state.recovery is not None:
                    disk.places = dict(state.places)
                    disk.giving_way = state.giving_way
                    disk.answered_s = time.monotonic()
                on_storage(disk, state)

            writer = Writer(path, identity_file, self.clock, self.rulings, told, self._clock_told)
            starting = StorageState(ready=False, epoch=-1, code="STORAGE_STARTING")
            reading = ThreadPoolExecutor(_READERS, thread_name_prefix=f"reader {names[path]}")
            self._disks[names[path]] = Disk(names[path], path, writer, starting, reading)

    def _clock_told(self, state: ClockState) -> None:
        self.standing = state
        self._on_clock(state)

    def __getitem__(self, name: str) -> Disk:
        return self._disks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._disks)

    def __len__(self) -> int:
        return len(self._disks)

    def start(self) -> None:
        self._began_s = time.monotonic()
        for disk in self.values():
            disk.writer.start()

    async def stop(self) -> None:
        await asyncio.gather(*(disk.writer.stop() for disk in self.values()))
        for disk in self.values():
            disk.reading.shutdown(wait=False, cancel_futures=True)

    def answering(self) -> list[Disk]:
        return [disk for disk in self.values() if disk.answers]

    def of_index(self, index: str) -> Disk:
        """Raises StorageDown when no directory has this index now."""
        for disk in self.values():
            if disk.state.index == index:
                return disk
        raise StorageDown(f"no directory has the index {index} now")

    def submit_all(self, job: Job) -> None:
        for disk in self.values():
            disk.writer.submit(job)

    async def ask_all(self, question: Callable[[SegmentStore], T]) -> dict[str, T | StorageDown]:
        """Ask every directory that answers, at once; of one that doesn't, why."""
        disks = self.answering()
        answers = await asyncio.gather(*(disk.writer.ask(question) for disk in disks), return_exceptions=True)
        found: dict[str, T | StorageDown] = {}
        for disk, answer in zip(disks, answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, StorageDown):
                raise answer
            found[disk.name] = answer
        return found

    async def read_each(self, question: Callable[[sqlite3.Connection], T]) -> tuple[list[T], bool]:
        """Ask the index of every directory by a reader, at once; and whether one couldn't be read."""
        answers = await asyncio.gather(*(disk.read(question) for disk in self.values()), return_exceptions=True)
        found: list[T] = []
        for answer in answers:
            if isinstance(answer, BaseException):
                if not isinstance(answer, StorageDown):
                    raise answer
            else:
                found.append(answer)
        return found, len(found) < len(answers)

    @property
    def settled(self) -> bool:
        """Whether every directory has said where it stands, or had time to: a camera goes where it was, if it can."""
        if running_awake().waited_s(self._began_s, time.monotonic()) > START_WAIT_S:
            return True
        return all(disk.state.code != "STORAGE_STARTING" for disk in self.values())

    def rooms(self, cameras: Iterable[Placed]) -> dict[str, Room]:
        loads = dict.fromkeys(self, 0.0)
        for camera in cameras:
            if camera.disk is not None:
                loads[camera.disk.name] += _rate(camera)
        return {name: Room(disk.takes_runs, disk.writer.free_bytes, loads[name]) for name, disk in self.items()}

    def choose(self, camera: str, placed: Placed, rooms: dict[str, Room]) -> Disk | None:
        """Where a camera records from now on; `rooms` then count it."""
        now = placed.disk.name if placed.disk is not None else self._last_place(camera)
        name = place(now, rooms, _rate(placed))
        if name is None:
            return None
        rooms[name] = replace(rooms[name], bytes_per_s=rooms[name].bytes_per_s + _rate(placed))
        return self[name]

    def _last_place(self, camera: str) -> str | None:
        return last_place({name: disk.places.get(camera) for name, disk in self.items()})


def _rate(placed: Placed) -> float:
    return placed.bytes_per_s or USUAL_BYTES_PER_S


def short_names(paths: Iterable[Path]) -> dict[Path, str]:
    """For each path the shortest end that no other has: its last name, where that is enough."""
    paths = list(paths)
    names: dict[Path, str] = {}
    for path in paths:
        for count in range(1, len(path.parts) + 1):
            end = path.parts[-count:]
            if sum(other.parts[-count:] == end for other in paths) == 1:
                break
        names[path] = str(Path(*end))
    return names
