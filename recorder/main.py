"""The recorder's process: one event loop for all cameras, one writing thread for each storage directory.

    run
     |- control      answers the centre on run/recorder.sock
     |- feed         packets to the gateway and the detector on run/packets.sock
     |- tick         once a second: windows and masks, lost cameras, the machine's clock, what must be given up
     |- streams      one Streamer a stream, started and stopped by the orders in force
    and, outside the loop, the writers' threads

It needs nobody: orders are on its disk, and the centre, the gateway and the detector may be down.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from legal.retention import protected_days
from recorder.alarms import (
    CAMERA_LOST,
    OVERDUE,
    PRIORITY_STOPPED,
    STORAGE_DROPPED,
    STORAGE_SHORT,
    Alarms,
    read_alarms,
)
from recorder.breaker import Breaker, unite
from recorder.camera import LOST_S, LiveStream, RecordedStream
from recorder.channel import ChannelServer
from recorder.clock import ClockState
from recorder.control import Control
from recorder.days import Day, add_up, next_day, read_accounts, read_standing, remember_day, tell_day
from recorder.degradation import START_S, Degradation, Degraded, Measures, Share
from recorder.disks import Disk, Disks
from recorder.feed import PacketFeedServer
from recorder.files import lock_file, remembered_directories
from recorder.machine import now_us, read_anchor
from recorder.orders import Adapter, CameraOrder, Orders, OrdersFile, StreamAddress
from recorder.placement import place
from recorder.pressure import Recording, Room, decide, ranked, takes
from recorder.sealed import OrderRefused
from recorder.space import Pressure, Space, is_short, pressure_of, read_space
from recorder.store import SegmentStore
from recorder.utc import text_from_us
from recorder.walker import Look, look
from recorder.writer import LOW_BYTES, Job, StorageDown, StorageState
from streams.rtsp.pace import running_pace
from streams.source import SourceConfig
from streams.streamer import ConnectBudget, Streamer
from streams.ticks import us_from_at

log = logging.getLogger(__name__)

_TICK_S = 1.0
_DAY_US = 86_400_000_000
_MACHINE = ""  # beside the names of directories
_MEASURE_TICKS = 5
_WALK_TICKS = 60
_FIRST_PRESS_TICKS = 5
PRESS_TICKS = 60
"""Between looks at the space: far less than `pressure.AHEAD_S`, and as long as a reader may keep a file open."""
_STORAGE_CODES = (
    "STORAGE_UNMOUNTED",
    "STORAGE_FOREIGN",
    "STORAGE_BUSY",
    "STORAGE_FAILED",
    "STORAGE_FULL",
    "STORAGE_LOW",
)


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """Where things are. `storage`: each directory, and the file that remembers its identity. `allowed_uids`: users
    besides our own and root that may use the sockets."""

    storage: Mapping[Path, Path]
    state: Path
    control_socket: Path
    packets_socket: Path
    order_keys: Mapping[str, Ed25519PublicKey]
    allowed_uids: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Running:
    """A stream under orders; its task is None outside the window."""

    address: StreamAddress
    adapter: Adapter
    stream: LiveStream
    task: asyncio.Task[None] | None = None


class Recorder:
    """The state of the process; everything runs in its event loop."""

    def __init__(self, config: RecorderConfig) -> None:
        self.config = config
        self.disks = Disks(config.storage, config.state, self._storage_changed, self._clock_changed)
        self.alarms = Alarms(self.disks.answering)
        # Directories of before that the settings name no more: nothing there is destroyed.
        remembered, named = remembered_directories(config.state), set(config.storage.values())
        self._dropped = {file: path for file, path in remembered.items() if file not in named}
        self.clock = ClockState(trusted=False, reason="starting", due_us=0)
        self._orders_file = OrdersFile(config.state / "orders.json", config.order_keys)
        self._orders: dict[str, CameraOrder] = {}
        self._terms_us: dict[str, int] = {}  # of each camera: when the orders that last changed its terms were issued
        self._streams: dict[tuple[str, str], _Running] = {}
        self._feed = PacketFeedServer(config.packets_socket, config.allowed_uids)
        self._budget = ConnectBudget()
        self._untold_version: int | None = None
        self._accepting = asyncio.Lock()
        self._settled = asyncio.Event()
        self._placing = False
        # By the directory's name.
        self._reconciling: dict[str, asyncio.Task[None]] = {}
        self._walking: dict[str, asyncio.Task[None]] = {}
        self._telling_days: asyncio.Task[None] | None = None
        self._pressing: dict[str, asyncio.Task[None]] = {}
        self.pressures: dict[str, Pressure] = {}
        self._looks: dict[str, tuple[Room, list[Recording]]] = {}  # at the space of each, the last
        self._overdue: dict[str, dict[str, int]] = {}  # files of each camera, as of the last walk
        self._inventoried: dict[str, int] = {}  # the day in UTC; the first is that of the start, counted at its end
        self.degraded = Degraded()
        self.degraded_since_us = 0
        self._degradations = {name: Degradation() for name in (_MACHINE, *self.disks)}
        self._anchor = read_anchor()
        self._began_s = time.monotonic()
        self._tasks: asyncio.TaskGroup
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Record until `stop`. Raises BlockingIOError when another recorder has this state directory."""
        lock = lock_file(self.config.state / "lock")
        try:
            await self._run()
        finally:
            os.close(lock)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        control = Control(self)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.disks.stop)
            self.disks.start()
            await stack.enter_async_context(self._feed)
            self._tasks = await stack.enter_async_context(asyncio.TaskGroup())
            for path in self._dropped.values():
                self.alarms.raise_(STORAGE_DROPPED, path, "not in the settings", now_us())
            self._load_orders()
            server = ChannelServer(self.config.control_socket, control.answer, self.config.allowed_uids)
            await stack.enter_async_context(server)
            ticking = self._tasks.create_task(self._tick(), name="tick")
            await self._stop.wait()
            ticking.cancel()
            for task in (*self._reconciling.values(), *self._walking.values()):
                task.cancel()
            if self._telling_days is not None:
                self._telling_days.cancel()
            self._stop_streams()
        log.info("recorder stopped")

    def stop(self) -> None:
        self._stop.set()

    async def accept(self, envelope: Mapping[str, object]) -> Orders:
        """New orders, kept on disk, then obeyed. Raises OrderRefused, OSError."""
        async with self._accepting:
            orders = await asyncio.to_thread(self._orders_file.accept, envelope)
            self._obey(orders, now_us())
        self._untold_version = orders.version
        self._tell_orders()
        return orders

    def _tell_orders(self) -> None:
        """The fact that orders were accepted, as soon as there is an index to hold it."""
        version, at_us = self._untold_version, now_us()
        answering = self.disks.answering()
        if version is not None and answering:
            self._untold_version = None
            answering[0].writer.submit(lambda store: store.index.fact(at_us, "orders_accepted", None, version=version))

    def streams(self) -> list[tuple[str, LiveStream]]:
        return [(camera, running.stream) for (camera, _), running in self._streams.items()]

    @property
    def breaker(self) -> Breaker | None:
        """What destruction waits for two persons with, in all directories that answer."""
        return unite(breaker for disk in self.disks.values() for breaker in disk.state.breakers)

    def _load_orders(self) -> None:
        try:
            orders = self._orders_file.load()
        except (OrderRefused, OSError) as refused:
            log.error("the orders on disk are not obeyed: %s", refused)
            self.alarms.raise_("ORDERS_REFUSED", "orders.json", str(refused), now_us())
            return
        if orders is not None:
            self._obey(orders, since_us=0)

    def _obey(self, orders: Orders, since_us: int) -> None:
        """Apply orders by difference: streams whose address stays are not interrupted. Those that were on the disk are
        in force since ever (0)."""
        new = {order.camera: order for order in orders.cameras}
        for camera in self._orders.keys() - new.keys():
            self._end_stream(camera, "sub")
            self._end_stream(camera, "main")
            self.alarms.end(CAMERA_LOST, camera, now_us())
            self._release(camera)
        for camera, order in new.items():
            old = self._orders.get(camera)
            self._orders[camera] = order
            self._obey_stream(order, "main", order.main, since_us)
            self._obey_stream(order, "sub", order.sub, since_us)
            if old is None or _terms(order) != _terms(old):
                self._terms_us[camera] = us_from_at(orders.issued_at)
                self.disks.submit_all(self._telling_terms(order))
        self._orders = new
        self._place_cameras()

    def _obey_stream(self, order: CameraOrder, name: str, address: StreamAddress | None, since_us: int) -> None:
        key = (order.camera, name)
        running = self._streams.get(key)
        if running is not None and (address is None or (running.address, running.adapter) != (address, order.adapter)):
            self._end_stream(order.camera, name)
            running = None
        if address is None:
            return
        if running is None:
            running = self._streams[key] = _Running(address, order.adapter, self._make_stream(order, name, since_us))
        else:
            running.stream.obey(order, since_us)
        self._follow_window(running, now_us())

    def _make_stream(self, order: CameraOrder, name: str, since_us: int) -> LiveStream:
        feed = self._feed.stream(order.camera, name)
        if name == "sub":
            return LiveStream(name, order, feed, self._anchor)
        return RecordedStream(order, feed, self._anchor, since_us, self._stalled)

    def _stalled(self, camera: str) -> None:
        """A directory's queue takes no more of this camera: it is placed anew, once its packet has been dealt with."""
        if not self._placing:
            self._placing = True
            asyncio.get_running_loop().call_soon(self._place_cameras)

    def _place_cameras(self) -> None:
        """Cameras that can't record where they are go where they can (`placement.py`)."""
        self._placing = False
        if not self.disks.settled:
            return
        self._settled.set()
        streams = ((camera, running.stream) for (camera, _), running in self._streams.items())
        recorded = {camera: stream for camera, stream in streams if isinstance(stream, RecordedStream)}
        homeless = {camera: stream for camera, stream in recorded.items() if not stream.is_placed}
        if not homeless:
            return
        rooms = self.disks.rooms(recorded.values())
        for camera, stream in homeless.items():
            disk = self.disks.choose(camera, stream, rooms)
            if disk is not None:
                stream.move_to(disk)

    def _follow_window(self, running: _Running, at_us: int) -> None:
        """Pull a stream exactly while its authorisation's window is open, and no mask is on it."""
        shut = running.stream.look(at_us)
        if shut is None and running.task is None:
            running.stream.connecting()
            address = running.address
            password, certificate = address.password or "", address.certificate
            config = SourceConfig(address.url, address.username, password, running.adapter, certificate)
            streamer = Streamer(config, running.stream, self._budget, running.stream.lost)
            running.stream.last_packet_s = time.monotonic()
            running.task = self._tasks.create_task(streamer.run())
        elif shut is not None:
            if running.task is not None:
                running.task.cancel()
                running.task = None
            if running.stream.state != shut:
                running.stream.shut(shut)

    def _end_stream(self, camera: str, name: str) -> None:
        running = self._streams.pop((camera, name), None)
        if running is not None:
            if running.task is not None:
                running.task.cancel()
            running.stream.stopped()

    def _telling_terms(self, order: CameraOrder) -> Job:
        """An order can shorten a deadline, never lengthen one. Told again whenever a directory starts."""
        act_us = self._terms_us[order.camera]

        def tell(store: SegmentStore) -> None:
            store.obey_terms(order.camera, order.authorisation, order.retention_days, act_us)
            store.set_priority(order.camera, order.priority)

        return tell

    def _release(self, camera: str) -> None:
        at_us = now_us()
        self.disks.submit_all(lambda store: store.accounts.released(camera, at_us))

    def _stop_streams(self) -> None:
        for camera, name in list(self._streams):
            self._end_stream(camera, name)

    async def _tick(self) -> None:
        ticks = 0
        while True:
            began_s = time.monotonic()
            await asyncio.sleep(_TICK_S)
            ticks += 1
            try:
                self._weigh(time.monotonic() - began_s - _TICK_S)
                self._look_around(measure=ticks % _MEASURE_TICKS == 0)
                if ticks == _FIRST_PRESS_TICKS or ticks % PRESS_TICKS == 0:
                    for disk in self.disks.answering():
                        self._begin(self._pressing, disk, self._press)
                if ticks % _WALK_TICKS == 0:
                    for disk in self.disks.answering():
                        self._begin(self._walking, disk, self._walk)
                    if self._telling_days is None or self._telling_days.done():
                        self._telling_days = self._tasks.create_task(self._tell_days())
            except Exception:  # the task's top: a fault of ours in one look must not end the recording
                log.exception("our own fault while looking after the cameras")

    def _weigh(self, late_s: float) -> None:
        """Give up what there are no means for, in the order of DEGRADED.md, and take it back. The machine's load is
        everybody's; a slow directory costs only its own cameras their recording."""
        at_s = time.monotonic()
        measured = {_MACHINE: Measures(load=max(late_s, running_pace().take_late_s()))}
        measured |= {
            name: Measures(queue=disk.writer.queue_share, sync=disk.writer.overdue_s)
            for name, disk in self.disks.items()
        }
        began_s = {name: disk.answered_s for name, disk in self.disks.items()} | {_MACHINE: self._began_s}
        given_up: set[str] = set()
        for name, degradation in self._degradations.items():
            cameras = self._orders.keys() if name == _MACHINE else self._cameras_on(self.disks[name])
            priorities = {camera: self._orders[camera].priority for camera in cameras}
            is_starting = at_s - began_s[name] < START_S
            state = degradation.observe(measured[name], at_s, len(set(priorities.values())), is_starting)
            lowest = state.priorities_given_up(priorities.values())
            given_up |= {camera for camera, priority in priorities.items() if priority in lowest}
        state = max((one.state for one in self._degradations.values()), key=lambda one: one.step)
        self._tell_degraded(state, now_us())
        self._feed.suspend_analyses(not state.analyses)
        for (camera, name), running in self._streams.items():
            of_main = Share.WATCHED if camera in given_up else Share.FULL
            share = state.share_of_sub() if name == "sub" else of_main
            if share is not running.stream.share:
                running.stream.give(share)

    def _tell_degraded(self, state: Degraded, at_us: int) -> None:
        """One alarm at a time, of the level that is reached."""
        before, self.degraded = self.degraded, state
        if state != before:
            log.warning("degraded: from step %d to %d (%s)", before.step, state.step, state.reason or before.reason)
        if state.level != before.level:
            self.degraded_since_us = at_us
        if not state.level or (state.level, state.reason) != (before.level, before.reason):
            self.alarms.end("DEGRADED", "machine", at_us)  # also one of before a restart
        if state.level:
            self.alarms.raise_("DEGRADED", "machine", f"{state.level} {state.reason}", at_us)

    def _tell_clock(self) -> None:
        self._anchor = read_anchor()
        for running in self._streams.values():
            running.stream.told_clock(self._anchor)

    def _look_around(self, measure: bool) -> None:
        self._tell_clock()
        at_us = now_us()
        for (camera, name), running in self._streams.items():
            self._follow_window(running, at_us)
            if name == "main":
                self._watch_camera(camera, running, at_us)
            if measure:
                running.stream.measure()
        self._place_cameras()

    def _begin(
        self, tasks: dict[str, asyncio.Task[None]], disk: Disk, work: Callable[[Disk], Coroutine[Any, Any, None]]
    ) -> None:
        """Begin a directory's work unless it is under way: one that stalls keeps only its own waiting."""
        if disk.name not in tasks or tasks[disk.name].done():
            tasks[disk.name] = self._tasks.create_task(work(disk))

    async def _walk(self, disk: Disk) -> None:
        """Look at the disk, not at the index; in the night at all of it. What it finds raises and ends OVERDUE."""
        day = now_us() // _DAY_US
        inventoried = self._inventoried.setdefault(disk.name, day)
        whole = inventoried != day
        try:
            due_us = now_us() if self.clock.trusted else self.clock.due_us
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
            nothing = [
                Look(camera, 0, 0, None, ()) for camera in set(self._cameras_on(disk)) - {o.camera for o in looks}
            ]
            away = len(self.disks) - len(self.disks.answering())
            for one in (*looks, *nothing):
                disk.writer.submit(partial(_tell_inventory, one=one, at_us=at_us, away=away))
        self._overdue[disk.name] = {one.camera: len(one.overdue) for one in looks if one.overdue}
        overdue: Counter[str] = Counter()
        for counts in self._overdue.values():
            overdue.update(counts)
        for camera in set(self.alarms.subjects(OVERDUE)) - overdue.keys():
            self.alarms.end(OVERDUE, camera, at_us)
        for camera, count in overdue.items():
            self.alarms.raise_(OVERDUE, camera, f"{count} files", at_us)

    async def _press(self, disk: Disk) -> None:
        """Look at the space of a directory: make room, and have cameras give way (`pressure.py`)."""
        at_us = now_us()
        try:
            due_us = at_us if self.clock.trusted else self.clock.due_us
            space = await disk.read(partial(read_space, due_us=due_us))
            self._relieve(disk, space, at_us)
        except StorageDown as error:
            log.info("the space of %s isn't looked at now: %s", disk.name, error)
        except Exception:  # the task's top: a fault of ours in one look must not end the recording
            log.exception("our own fault while looking at the space of %s", disk.name)

    def _relieve(self, disk: Disk, space: Space, at_us: int) -> None:
        free_bytes = disk.writer.free_bytes
        early_bytes = space.early if self.clock.trusted else 0
        streams = self._recorded_on(disk)
        wanted = [
            _recording(self._orders[camera], stream, space)
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
        days, room_bytes = self.retention_on(disk), free_bytes - LOW_BYTES
        self.pressures[disk.name] = pressure_of(space, days, room_bytes, at_us)
        was_short = disk.name in self.alarms.subjects(STORAGE_SHORT)
        if is_short(space, days, room_bytes, at_us, was_short):
            self.alarms.raise_(STORAGE_SHORT, disk.name, "", at_us)
        else:
            self.alarms.end(STORAGE_SHORT, disk.name, at_us)

    def _move_for_space(self, one: Recording) -> bool:
        """Have a camera that gives way record where there is room for it, if there is such a directory."""
        stream = self._streams[one.camera, "main"].stream
        assert isinstance(stream, RecordedStream)
        rooms = self.disks.rooms(other for _, other in self.streams() if isinstance(other, RecordedStream))
        fitting = {
            name: room
            for name, room in rooms.items()
            if room.ready and self.disks[name] is not stream.disk and name in self._looks
            if takes(*self._looks[name], one)
        }
        name = place(None, fitting, one.bytes_per_s)
        if name is None:
            return False
        stream.move_to(self.disks[name])
        self._looks[name][1].append(replace(one, stopped=False))
        return True

    def _remember_giving_way(self, disk: Disk, cameras: frozenset[str]) -> None:
        """Over a restart too: they don't begin before the first look."""
        if cameras != disk.giving_way:
            disk.giving_way = cameras
            disk.writer.submit(partial(SegmentStore.give_way, cameras=cameras))

    def _tell_giving_way(self, at_us: int) -> None:
        streams = [(camera, stream) for camera, stream in self.streams() if isinstance(stream, RecordedStream)]
        stopped = {camera: stream.disk.name for camera, stream in streams if stream.gives_way and stream.disk}
        for camera in set(self.alarms.subjects(PRIORITY_STOPPED)) - stopped.keys():
            self.alarms.end(PRIORITY_STOPPED, camera, at_us)
        for camera, name in stopped.items():
            self.alarms.raise_(PRIORITY_STOPPED, camera, name, at_us)

    async def _tell_days(self) -> None:
        """Tell the civil days that are over; by a clock that is wrong none is."""
        try:
            while self.clock.trusted and (day := await self._next_day()) is not None:
                await self.disks.answering()[0].writer.ask(partial(_tell_day, day=day))
                self.disks.submit_all(partial(_remember_day, day=day))
        except StorageDown as error:
            log.info("the days that are over are not told yet: %s", error)
        except Exception:  # the task's top: a fault of ours in one account must not end the recording
            log.exception("our own fault while adding up a day")

    async def _next_day(self) -> Day | None:
        standings, away = await self.disks.read_each(read_standing)
        day = next_day(standings, now_us(), away)
        if day is None:
            return None
        accounts, away = await self.disks.read_each(partial(read_accounts, day=day))
        return add_up(day, accounts, now_us(), away) if self.disks.answering() else None

    def _watch_camera(self, camera: str, running: _Running, at_us: int) -> None:
        silent_s = time.monotonic() - running.stream.last_packet_s
        if running.stream.interruptions.is_planned(at_us):
            self.alarms.end(CAMERA_LOST, camera, at_us)
        elif running.task is not None and silent_s > LOST_S:
            self.alarms.raise_(CAMERA_LOST, camera, running.stream.fault or "stalled", at_us)
        elif running.task is None or running.stream.state in ("recording", "live"):
            self.alarms.end(CAMERA_LOST, camera, at_us)

    def _storage_changed(self, disk: Disk, state: StorageState) -> None:
        at_us = now_us()
        waited = self.breaker
        was_ready, disk.state = disk.state.ready, state
        if not disk.answers:
            self.alarms.away(disk)
        for code in _STORAGE_CODES:
            if code == state.code:
                self.alarms.raise_(code, disk.name, state.detail, at_us)
            else:
                self.alarms.end(code, disk.name, at_us)
        self._tell_breaker(waited, at_us)
        if state.recovery is not None:
            self._tell_orders()
            for order in self._orders.values():
                disk.writer.submit(self._telling_terms(order))
            self._reconciling[disk.name] = self._tasks.create_task(self._reconcile(disk))
            if state.index_new:
                self.alarms.raise_("INDEX_NEW", disk.name, str(state.index), at_us)
            for name in state.recovery.damaged:
                self.alarms.raise_("SEGMENT_DAMAGED", name, "its durable part can't be read", at_us)
            self._tell_clock()  # what is known of the time came with the index
        self._place_cameras()  # to where they can record; those that stay hear of it here
        for running in self._streams.values():
            if isinstance(running.stream, RecordedStream) and running.stream.disk is disk:
                if state.ready and (not was_ready or state.recovery is not None):
                    running.stream.storage_ready()
                elif not state.ready:
                    running.stream.storage_lost()

    def _tell_breaker(self, waited: Breaker | None, at_us: int) -> None:
        """The alarm goes on while a directory is away or still judges: more may wait there."""
        breaker = self.breaker
        if breaker is not None and waited is not None and breaker.reason != waited.reason:
            self.alarms.end("DESTRUCTION_BREAKER", "machine", at_us)
        if breaker is not None:
            self.alarms.raise_("DESTRUCTION_BREAKER", "machine", breaker.reason, at_us)
        elif all(disk.answers and not any(b.segments for b in disk.state.breakers) for disk in self.disks.values()):
            self.alarms.end("DESTRUCTION_BREAKER", "machine", at_us)

    async def _reconcile(self, disk: Disk) -> None:
        """A directory answers again: alarms and cameras there and here are brought together."""
        try:
            written = await disk.writer.ask(read_alarms)
            self.alarms.reconcile(disk, written, now_us())
            for camera in self.alarms.subjects(CAMERA_LOST):
                if camera not in self._orders:
                    self.alarms.end(CAMERA_LOST, camera, now_us())
            for code in _STORAGE_CODES:
                for name in set(self.alarms.subjects(code)) - self.disks.keys():
                    self.alarms.end(code, name, now_us())
            for path in set(self.alarms.subjects(STORAGE_DROPPED)) - set(self._dropped.values()):
                self.alarms.end(STORAGE_DROPPED, path, now_us())
            await self._settled.wait()
        except StorageDown:
            log.info("storage %s went away again", disk.name)  # and this comes again when it answers
            return
        for one in self.disks.answering():
            with contextlib.suppress(StorageDown):  # the same
                await self._release_others(one)

    async def _release_others(self, disk: Disk) -> None:
        """Cameras that left the orders, or this directory, while it was away: released when they came elsewhere."""
        came = dict(disk.places)
        since: dict[str, int] = {}
        for other in self.disks.answering():
            if other is not disk and (cameras := self._cameras_on(other)):
                with contextlib.suppress(StorageDown):  # those stay until it answers
                    since |= await other.writer.ask(partial(_open_since, cameras=cameras))
        orders = frozenset(self._orders)

        def release(store: SegmentStore) -> None:
            for camera in store.accounts.cameras():
                if camera not in orders:
                    store.accounts.released(camera, now_us())
                elif camera in since and came.get(camera) == disk.places.get(camera):  # it didn't come back meanwhile
                    store.accounts.released(camera, since[camera])

        await disk.writer.ask(release)

    def retention_on(self, disk: Disk) -> dict[str, int]:
        """Days that pictures of the cameras that record on a directory are kept."""
        return {camera: self._orders[camera].retention_days for camera in self._cameras_on(disk)}

    def _cameras_on(self, disk: Disk) -> list[str]:
        return list(self._recorded_on(disk))

    def _recorded_on(self, disk: Disk) -> dict[str, RecordedStream]:
        streams = ((camera, running.stream) for (camera, _), running in self._streams.items())
        return {camera: s for camera, s in streams if isinstance(s, RecordedStream) and s.disk is disk}

    def _clock_changed(self, state: ClockState) -> None:
        self.clock = state
        if state.trusted:
            self.alarms.end("CLOCK_UNTRUSTED", "machine", now_us())
        else:
            self.alarms.raise_("CLOCK_UNTRUSTED", "machine", state.reason, now_us())


def _recording(order: CameraOrder, stream: RecordedStream, space: Space) -> Recording:
    per_day = space.per_day.get(order.camera)
    return Recording(
        camera=order.camera,
        priority=order.priority,
        bytes_per_s=stream.bytes_per_s if per_day is None else per_day / 86_400,
        minimum_s=protected_days(order.retention_days, order.minimum_days) * 86_400.0,
        stopped=stream.gives_way,
    )


def _terms(order: CameraOrder) -> tuple[str, int, int]:
    return order.authorisation, order.retention_days, order.priority


def _open_since(store: SegmentStore, cameras: Sequence[str]) -> dict[str, int]:
    found = {camera: store.accounts.open_since(camera) for camera in cameras}
    return {camera: since_us for camera, since_us in found.items() if since_us is not None}


def _tell_inventory(store: SegmentStore, one: Look, at_us: int, away: int = 0) -> None:
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


async def run(config: RecorderConfig) -> None:
    """Record until SIGTERM or SIGINT; then close segments, sync, and write the index.

    Raises BlockingIOError when another recorder has this state directory.
    """
    await Recorder(config).run()
