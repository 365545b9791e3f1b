"""The recorder's process: one event loop for all cameras, one thread for the storage directory.

    run
     |- control      answers the centre on run/recorder.sock
     |- feed         packets to the gateway and the detector on run/packets.sock
     |- tick         once a second: windows and masks, lost cameras, the machine's clock
     |- streams      one Streamer a stream, started and stopped by the orders in force
    and, outside the loop, the writer's thread

It needs nobody: orders are on its disk, and the centre, the gateway and the detector may be down.
"""

import asyncio
import logging
import os
import signal
import sqlite3
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from recorder.alarms import CAMERA_LOST, OVERDUE, Alarms, read_alarms
from recorder.camera import LOST_S, LiveStream, RecordedStream
from recorder.channel import ChannelServer
from recorder.clock import ClockState
from recorder.control import Control
from recorder.days import Day, read_next_day, tell_day
from recorder.feed import PacketFeedServer
from recorder.files import IDENTITY_MEMORY, INDEX, lock_file
from recorder.index import open_reader
from recorder.machine import now_us, read_anchor
from recorder.orders import Adapter, CameraOrder, Orders, OrdersFile, StreamAddress
from recorder.sealed import OrderRefused
from recorder.store import SegmentStore
from recorder.utc import text_from_us
from recorder.walker import Look, look
from recorder.writer import StorageDown, StorageState, Writer
from streams.source import SourceConfig
from streams.streamer import ConnectBudget, Streamer

log = logging.getLogger(__name__)

_TICK_S = 1.0
_DAY_US = 86_400_000_000
_MEASURE_TICKS = 5
_WALK_TICKS = 60
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
    """Where things are. `allowed_uids`: users besides our own and root that may use the sockets."""

    storage: Path
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
        self.writer = Writer(
            config.storage,
            config.state / IDENTITY_MEMORY,
            self._storage_changed,
            self._clock_changed,
        )
        self.alarms = Alarms(self.writer)
        self.storage = StorageState(ready=False, epoch=-1, code="STORAGE_STARTING")
        self.clock = ClockState(trusted=False, reason="starting", due_us=0)
        self._orders_file = OrdersFile(config.state / "orders.json", config.order_keys)
        self._orders: dict[str, CameraOrder] = {}
        self._streams: dict[tuple[str, str], _Running] = {}
        self._feed = PacketFeedServer(config.packets_socket, config.allowed_uids)
        self._budget = ConnectBudget()
        self._untold_version: int | None = None
        self._accepting = asyncio.Lock()
        self._reconciling: asyncio.Task[None] | None = None
        self._walking: asyncio.Task[None] | None = None
        self._telling_days: asyncio.Task[None] | None = None
        self._inventoried: int | None = None  # the day in UTC; the first is the day of the start, counted at its end
        self._anchor = read_anchor()
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
            stack.push_async_callback(self.writer.stop)
            self.writer.start()
            await stack.enter_async_context(self._feed)
            self._tasks = await stack.enter_async_context(asyncio.TaskGroup())
            self._load_orders()
            server = ChannelServer(self.config.control_socket, control.answer, self.config.allowed_uids)
            await stack.enter_async_context(server)
            ticking = self._tasks.create_task(self._tick(), name="tick")
            await self._stop.wait()
            ticking.cancel()
            if self._reconciling is not None:
                self._reconciling.cancel()
            if self._walking is not None:
                self._walking.cancel()
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
        if version is not None and self.storage.index is not None:
            self._untold_version = None
            self.writer.submit(lambda store: store.index.fact(at_us, "orders_accepted", None, version=version))

    def streams(self) -> list[tuple[str, LiveStream]]:
        return [(camera, running.stream) for (camera, _), running in self._streams.items()]

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
            if old is None or (order.authorisation, order.retention_days) != (old.authorisation, old.retention_days):
                self._shorten(order)
        self._orders = new

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
        stream = RecordedStream(order, feed, self.writer, self._anchor, since_us)
        if self.storage.ready:
            stream.storage_ready()
        return stream

    def _follow_window(self, running: _Running, at_us: int) -> None:
        """Pull a stream exactly while its authorisation's window is open, and no mask is on it."""
        shut = running.stream.look(at_us)
        if shut is None and running.task is None:
            running.stream.connecting()
            address = running.address
            config = SourceConfig(address.url, address.username, address.password or "", running.adapter)
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

    def _release(self, camera: str) -> None:
        at_us = now_us()
        self.writer.submit(lambda store: store.accounts.released(camera, at_us))

    def _shorten(self, order: CameraOrder) -> None:
        """An order can shorten a deadline, never lengthen one. Told again whenever the storage starts."""
        self.writer.submit(lambda store: store.obey_terms(order.camera, order.authorisation, order.retention_days))

    def _stop_streams(self) -> None:
        for camera, name in list(self._streams):
            self._end_stream(camera, name)

    async def _tick(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(_TICK_S)
            ticks += 1
            try:
                self._look_around(measure=ticks % _MEASURE_TICKS == 0)
                if ticks % _WALK_TICKS == 0 and (self._walking is None or self._walking.done()):
                    self._walking = self._tasks.create_task(self._walk())
                if ticks % _WALK_TICKS == 0 and (self._telling_days is None or self._telling_days.done()):
                    self._telling_days = self._tasks.create_task(self._tell_days())
            except Exception:  # the task's top: a fault of ours in one look must not end the recording
                log.exception("our own fault while looking after the cameras")

    def _look_around(self, measure: bool) -> None:
        self._anchor = read_anchor()
        at_us = now_us()
        for (camera, name), running in self._streams.items():
            running.stream.told_clock(self._anchor)
            self._follow_window(running, at_us)
            if name == "main":
                self._watch_camera(camera, running, at_us)
            if measure:
                running.stream.measure()

    async def _walk(self) -> None:
        """Look at the disk, not at the index; in the night at all of it. What it finds raises and ends OVERDUE."""
        day = now_us() // _DAY_US
        whole = self._inventoried not in (None, day)
        try:
            due_us = now_us() if self.clock.trusted else self.clock.due_us
            looks = await asyncio.to_thread(look, self.config.storage, due_us, whole)
        except OSError as error:
            log.warning("the disk can't be walked: %s", error)  # the storage's own alarm tells
            return
        except Exception:  # the task's top: a fault of ours in one walk must not end the recording
            log.exception("our own fault while walking the disk")
            return
        self._inventoried = day if self._inventoried is None or whole else self._inventoried
        at_us = now_us()
        for camera in set(self.alarms.subjects(OVERDUE)) - {one.camera for one in looks}:
            self.alarms.end(OVERDUE, camera, at_us)
        for one in looks:
            if one.overdue:
                self.alarms.raise_(OVERDUE, one.camera, f"{len(one.overdue)} files", at_us)
            else:
                self.alarms.end(OVERDUE, one.camera, at_us)
            if whole:
                self.writer.submit(partial(_tell_inventory, one=one, at_us=at_us))
        if whole:
            for camera in self._orders.keys() - {one.camera for one in looks}:
                self.writer.submit(partial(_tell_inventory, one=Look(camera, 0, 0, None, ()), at_us=at_us))

    async def _tell_days(self) -> None:
        """Tell the civil days that are over; by a clock that is wrong none is."""
        try:
            while self.clock.trusted and (day := await asyncio.to_thread(self._read_next_day)) is not None:
                await self.writer.ask(partial(_tell_day, day=day))
        except (StorageDown, sqlite3.Error) as error:
            log.info("the days that are over are not told yet: %s", error)
        except Exception:  # the task's top: a fault of ours in one account must not end the recording
            log.exception("our own fault while adding up a day")

    def _read_next_day(self) -> Day | None:
        with closing(open_reader(self.config.storage / INDEX)) as connection:
            return read_next_day(connection, now_us())

    def _watch_camera(self, camera: str, running: _Running, at_us: int) -> None:
        silent_s = time.monotonic() - running.stream.last_packet_s
        if running.stream.interruptions.is_planned(at_us):
            self.alarms.end(CAMERA_LOST, camera, at_us)
        elif running.task is not None and silent_s > LOST_S:
            self.alarms.raise_(CAMERA_LOST, camera, running.stream.fault or "stalled", at_us)
        elif running.task is None or running.stream.state in ("recording", "live"):
            self.alarms.end(CAMERA_LOST, camera, at_us)

    def _storage_changed(self, state: StorageState) -> None:
        at_us = now_us()
        subject = str(self.config.storage.name)
        was_ready, self.storage = self.storage.ready, state
        for code in _STORAGE_CODES:
            if code == state.code:
                self.alarms.raise_(code, subject, state.detail, at_us)
            else:
                self.alarms.end(code, subject, at_us)
        if state.recovery is not None:
            self._tell_orders()
            for order in self._orders.values():
                self._shorten(order)
            self._reconciling = self._tasks.create_task(self._reconcile())
            if state.index_new:
                self.alarms.raise_("INDEX_NEW", subject, str(state.index), at_us)
            for name in state.recovery.damaged:
                self.alarms.raise_("SEGMENT_DAMAGED", name, "its durable part can't be read", at_us)
        for running in self._streams.values():
            if isinstance(running.stream, RecordedStream):
                if state.ready and (not was_ready or state.recovery is not None):
                    running.stream.storage_ready()
                elif not state.ready:
                    running.stream.storage_lost()

    async def _reconcile(self) -> None:
        """The storage answers again: alarms and cameras there and here are brought together."""
        try:
            written = await self.writer.ask(read_alarms)
            self.alarms.reconcile(written, now_us())
            for camera in self.alarms.subjects(CAMERA_LOST):
                if camera not in self._orders:
                    self.alarms.end(CAMERA_LOST, camera, now_us())
            await self.writer.ask(self._release_others)
        except StorageDown:
            log.info("the storage went away again")  # and this comes again when it answers

    def _release_others(self, store: SegmentStore) -> None:
        """Cameras that left the orders while the storage was away."""
        for camera in store.accounts.cameras():
            if camera not in self._orders:
                store.accounts.released(camera, now_us())

    def _clock_changed(self, state: ClockState) -> None:
        self.clock = state
        if state.trusted:
            self.alarms.end("CLOCK_UNTRUSTED", "machine", now_us())
        else:
            self.alarms.raise_("CLOCK_UNTRUSTED", "machine", state.reason, now_us())


def _tell_inventory(store: SegmentStore, one: Look, at_us: int) -> None:
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
    )


def _tell_day(store: SegmentStore, day: Day) -> None:
    tell_day(store.index, day, now_us())


async def run(config: RecorderConfig) -> None:
    """Record until SIGTERM or SIGINT; then close segments, sync, and write the index.

    Raises BlockingIOError when another recorder has this state directory.
    """
    await Recorder(config).run()
