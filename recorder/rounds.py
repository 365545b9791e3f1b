"""What the recorder looks at in turns, each storage directory by itself: the disk, its space, the days that are over.

One that stalls keeps only its own waiting. What is found goes into alarms and facts; for want of space footage goes
early, and cameras give way or go elsewhere (`pressure.py`).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from legal.retention import protected_days
from recorder.alarms import OVERDUE, PRIORITY_STOPPED, STORAGE_SHORT, Alarms
from recorder.camera import RecordedStream
from recorder.days import Day, add_up, next_day, read_accounts, read_standing, remember_day, tell_day
from recorder.disks import Disk, Disks
from recorder.fleet import Fleet
from recorder.machine import now_us
from recorder.orders import CameraOrder
from recorder.placement import place
from recorder.pressure import Recording, Room, decide, ranked, takes, wanted_bytes
from recorder.rebuild import forget_aside
from recorder.space import Pressure, Space, is_short, pressure_of, read_space
from recorder.store import SegmentStore
from recorder.utc import text_from_us
from recorder.walker import Look, look
from recorder.writer import LOW_BYTES, StorageDown

log = logging.getLogger(__name__)

WALK_TICKS = 60
PRESS_TICKS = 60
"""Between looks at the space: far less than `pressure.AHEAD_S`, and as long as a reader may keep a file open."""
_FIRST_PRESS_TICKS = 5
_DAY_US = 86_400_000_000


class Rounds:
    """In the event loop; what reads runs in the directories' own threads."""

    def __init__(self, disks: Disks, alarms: Alarms, fleet: Fleet, tasks: asyncio.TaskGroup) -> None:
        self.pressures: dict[str, Pressure] = {}  # by the directory's name, like all below
        self._disks = disks
        self._alarms = alarms
        self._fleet = fleet
        self._tasks = tasks
        self._walking: dict[str, asyncio.Task[None]] = {}
        self._pressing: dict[str, asyncio.Task[None]] = {}
        self._looks: dict[str, tuple[Room, list[Recording]]] = {}  # at the space of each, the last
        self._overdue: dict[str, dict[str, int]] = {}  # files of each camera, as of the last walk
        self._inventoried: dict[str, int] = {}  # the day in UTC; the first is that of the start, counted at its end
        self._telling_days: asyncio.Task[None] | None = None

    def begin(self, ticks: int) -> None:
        """Begin what is due so many seconds after the start."""
        if ticks == _FIRST_PRESS_TICKS or ticks % PRESS_TICKS == 0:
            for disk in self._disks.answering():
                self._begin(self._pressing, disk, self._press)
        if ticks % WALK_TICKS == 0:
            for disk in self._disks.answering():
                self._begin(self._walking, disk, self._walk)
            if self._telling_days is None or self._telling_days.done():
                self._telling_days = self._tasks.create_task(self._tell_days())

    def stop(self) -> None:
        for task in (*self._walking.values(), *self._pressing.values(), self._telling_days):
            if task is not None:
                task.cancel()

    def _begin(
        self, tasks: dict[str, asyncio.Task[None]], disk: Disk, work: Callable[[Disk], Coroutine[Any, Any, None]]
    ) -> None:
        """Begin a directory's work unless it is under way."""
        if disk.name not in tasks or tasks[disk.name].done():
            tasks[disk.name] = self._tasks.create_task(work(disk))

    async def _walk(self, disk: Disk) -> None:
        """Look at the disk, not at the index; in the night at all of it. What it finds raises and ends OVERDUE."""
        day = now_us() // _DAY_US
        inventoried = self._inventoried.setdefault(disk.name, day)
        whole = inventoried != day
        try:
            due_us = now_us() if self._disks.standing.trusted else self._disks.standing.due_us
            loop = asyncio.get_running_loop()
            looks = await loop.run_in_executor(disk.reading, look, disk.path, due_us, whole)
        except OSError as error:
            log.warning("storage %s can't be walked: %s", disk.name, error)  # the storage's own alarm tells
            return
        except Exception:  # the task's top: a fault of ours in one walk must not end the recording
            log.exception("our own fault while walking storage %s", disk.name)
            return
        at_us = now_us()
        if whole:
            self._inventoried[disk.name] = day
            disk.writer.submit(partial(forget_aside, now_us=due_us))
            without = self._fleet.recorded_on(disk).keys() - {one.camera for one in looks}
            nothing = [Look(camera, 0, 0, None, ()) for camera in without]
            away = len(self._disks) - len(self._disks.answering())
            for one in (*looks, *nothing):
                disk.writer.submit(partial(tell_inventory, one=one, at_us=at_us, away=away))
        self._overdue[disk.name] = {one.camera: len(one.overdue) for one in looks if one.overdue}
        overdue: Counter[str] = Counter()
        for counts in self._overdue.values():
            overdue.update(counts)
        for camera in set(self._alarms.subjects(OVERDUE)) - overdue.keys():
            self._alarms.end(OVERDUE, camera, at_us)
        for camera, count in overdue.items():
            self._alarms.raise_(OVERDUE, camera, f"{count} files", at_us)

    async def _press(self, disk: Disk) -> None:
        """Look at the space of a directory: make room, and have cameras give way (`pressure.py`)."""
        at_us = now_us()
        try:
            due_us = at_us if self._disks.standing.trusted else self._disks.standing.due_us
            space = await disk.read(partial(read_space, due_us=due_us))
            if space is None:
                self._relieve_uncounted(disk)
            else:
                self._relieve(disk, space, at_us)
        except StorageDown as error:
            log.info("the space of %s isn't looked at now: %s", disk.name, error)
        except Exception:  # the task's top: a fault of ours in one look must not end the recording
            log.exception("our own fault while looking at the space of %s", disk.name)

    def _relieve_uncounted(self, disk: Disk) -> None:
        """What is there isn't known yet: what is past its minimum goes as far as it is wanted, and who gives way, or
        doesn't, stays so."""
        rates = (stream.bytes_per_s for stream in self._fleet.recorded_on(disk).values() if not stream.gives_way)
        wanted = wanted_bytes(disk.writer.free_bytes, LOW_BYTES, sum(rates))
        disk.writer.make_room(wanted if self._disks.standing.trusted else 0)

    def _relieve(self, disk: Disk, space: Space, at_us: int) -> None:
        free_bytes = disk.writer.free_bytes
        early_bytes = space.early if self._disks.standing.trusted else 0
        streams = self._fleet.recorded_on(disk)
        wanted = [
            _recording(self._fleet.orders[camera], stream, space)
            for camera, stream in streams.items()
            if stream.state not in ("forbidden", "masked")
        ]
        room = Room(free_bytes, LOW_BYTES, early_bytes, space.later)
        self._looks[disk.name] = room, wanted
        decision = decide(room, wanted)
        disk.writer.make_room(decision.destroy_bytes)
        for camera, stream in streams.items():
            stream.give_way(camera in decision.stopped)
        stopping = [one for one in ranked(wanted) if one.camera in decision.stopped]
        moved = {one.camera for one in stopping if self._move_for_space(one)}
        self._remember_giving_way(disk, decision.stopped - moved)
        self._tell_giving_way(at_us)
        days, room_bytes = self._fleet.retention_on(disk), free_bytes - LOW_BYTES
        self.pressures[disk.name] = pressure_of(space, days, room_bytes, at_us)
        was_short = disk.name in self._alarms.subjects(STORAGE_SHORT)
        if is_short(space, days, room_bytes, at_us, was_short):
            self._alarms.raise_(STORAGE_SHORT, disk.name, "", at_us)
        else:
            self._alarms.end(STORAGE_SHORT, disk.name, at_us)

    def _move_for_space(self, one: Recording) -> bool:
        """Have a camera that gives way record where there is room for it, if there is such a directory."""
        recorded = self._fleet.recorded()
        stream, rooms = recorded[one.camera], self._disks.rooms(recorded.values())
        fitting = {
            name: room
            for name, room in rooms.items()
            if room.ready and self._disks[name] is not stream.disk and name in self._looks
            if takes(*self._looks[name], one)
        }
        name = place(None, fitting, one.bytes_per_s)
        if name is None:
            return False
        stream.move_to(self._disks[name])
        self._looks[name][1].append(replace(one, stopped=False))
        return True

    def _remember_giving_way(self, disk: Disk, cameras: frozenset[str]) -> None:
        """Over a restart too: they don't begin before the first look."""
        if cameras != disk.giving_way:
            disk.giving_way = cameras
            disk.writer.submit(partial(SegmentStore.give_way, cameras=cameras))

    def _tell_giving_way(self, at_us: int) -> None:
        recorded = self._fleet.recorded().items()
        stopped = {camera: stream.disk.name for camera, stream in recorded if stream.gives_way and stream.disk}
        for camera in set(self._alarms.subjects(PRIORITY_STOPPED)) - stopped.keys():
            self._alarms.end(PRIORITY_STOPPED, camera, at_us)
        for camera, name in stopped.items():
            self._alarms.raise_(PRIORITY_STOPPED, camera, name, at_us)

    async def _tell_days(self) -> None:
        """Tell the civil days that are over; by a clock that is wrong none is."""
        try:
            while self._disks.standing.trusted and (day := await self._next_day()) is not None:
                await self._disks.answering()[0].writer.ask(partial(_tell_day, day=day))
                self._disks.submit_all(partial(_remember_day, day=day))
        except StorageDown as error:
            log.info("the days that are over are not told yet: %s", error)
        except Exception:  # the task's top: a fault of ours in one account must not end the recording
            log.exception("our own fault while adding up a day")

    async def _next_day(self) -> Day | None:
        standings, away = await self._disks.read_each(read_standing)
        day = next_day(standings, now_us(), away)
        if day is None:
            return None
        accounts, away = await self._disks.read_each(partial(read_accounts, day=day))
        return add_up(day, accounts, now_us(), away) if self._disks.answering() else None


def _recording(order: CameraOrder, stream: RecordedStream, space: Space) -> Recording:
    per_day = space.per_day.get(order.camera)
    return Recording(
        camera=order.camera,
        priority=order.priority,
        bytes_per_s=stream.bytes_per_s if per_day is None else per_day / 86_400,
        minimum_s=protected_days(order.retention_days, order.minimum_days) * 86_400.0,
        stopped=stream.gives_way,
    )


def tell_inventory(store: SegmentStore, one: Look, at_us: int, away: int = 0) -> None:
    """What a directory has of a camera; `away`: how many others couldn't be asked, and may have more."""
    oldest = None if one.oldest_us is None else text_from_us(one.oldest_us)
    store.index.fact(
        at_us,
        "inventory",
        one.camera,
        count=one.files,
        bytes=one.size,
        oldest=oldest,
        overdue=len(one.overdue),
        held=one.held,
        held_bytes=one.held_size,
        away=away,
    )


def _tell_day(store: SegmentStore, day: Day) -> None:
    tell_day(store.index, day, now_us())


def _remember_day(store: SegmentStore, day: Day) -> None:
    remember_day(store.index, day.day)
