"""The recorder's process: one event loop for all cameras, one writing thread for each storage directory.

    run
     |- control      answers the centre on run/recorder.sock
     |- feed         packets to the gateway and the detector on run/packets.sock
     |- tick         once a second: windows and masks, lost cameras, the machine's clock, what must be given up
     |- fleet        one Streamer a stream, started and stopped by the orders in force
     |- rounds       each minute, each directory by itself: its disk, its space; the days that are over
    and, outside the loop, the writers' threads

It needs nobody: orders are on its disk, and the centre, the gateway and the detector may be down.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from recorder.alarms import OF_STREAMS, STORAGE_DROPPED, Alarms, read_alarms
from recorder.breaker import Breaker, unite
from recorder.channel import ChannelServer, Handler
from recorder.clock import ClockState
from recorder.degradation import START_S, Degradation, Degraded, Measures, Share
from recorder.disks import Disk, Disks
from recorder.feed import PacketFeedServer
from recorder.files import lock_file, remembered_directories
from recorder.fleet import Fleet
from recorder.machine import now_us
from recorder.orders import Orders, OrdersFile
from recorder.rounds import Rounds
from recorder.sealed import OrderRefused
from recorder.store import SegmentStore
from recorder.writer import StorageDown, StorageState
from streams.rtsp.pace import running_pace

log = logging.getLogger(__name__)

_TICK_S = 1.0
_MACHINE = ""  # beside the names of directories
_MEASURE_TICKS = 5
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


class Recorder:
    """The state of the process; everything runs in its event loop."""

    def __init__(self, config: RecorderConfig) -> None:
        self.config = config
        self.disks = Disks(config.storage, config.state, self._storage_changed, self._clock_changed)
        self.alarms = Alarms(self.disks.answering)
        self._feed = PacketFeedServer(config.packets_socket, config.allowed_uids)
        self._tasks = asyncio.TaskGroup()
        self.fleet = Fleet(self.disks, self.alarms, self._feed, self._tasks)
        self.rounds = Rounds(self.disks, self.alarms, self.fleet, self._tasks)
        # Directories of before that the settings name no more: nothing there is destroyed.
        remembered, named = remembered_directories(config.state), set(config.storage.values())
        self._dropped = {file: path for file, path in remembered.items() if file not in named}
        self._orders_file = OrdersFile(config.state / "orders.json", config.order_keys)
        self._untold_version: int | None = None
        self._accepting = asyncio.Lock()
        self._reconciling: dict[str, asyncio.Task[None]] = {}  # by the directory's name
        self.degraded = Degraded()
        self.degraded_since_us = 0
        self._degradations = {name: Degradation() for name in (_MACHINE, *self.disks)}
        self._began_s = time.monotonic()
        self._stop = asyncio.Event()

    async def run(self, answer: Handler) -> None:
        """Record until `stop`, SIGTERM or SIGINT; then close segments, sync, and write the index. `answer` is asked
        what comes on the control socket. Raises BlockingIOError when another recorder has this state directory."""
        lock = lock_file(self.config.state / "lock")
        try:
            await self._run(answer)
        finally:
            os.close(lock)

    async def _run(self, answer: Handler) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._feed)
            stack.push_async_callback(self.disks.stop)
            await stack.enter_async_context(self._tasks)
            self.disks.start()  # what a directory tells begins a task
            for path in self._dropped.values():
                self.alarms.raise_(STORAGE_DROPPED, path, "not in the settings", now_us())
            self._load_orders()
            server = ChannelServer(self.config.control_socket, answer, self.config.allowed_uids)
            await stack.enter_async_context(server)
            ticking = self._tasks.create_task(self._tick(), name="tick")
            await self._stop.wait()
            ticking.cancel()
            for task in self._reconciling.values():
                task.cancel()
            self.rounds.stop()
            self.fleet.stop()
        log.info("recorder stopped")

    def stop(self) -> None:
        self._stop.set()

    async def accept(self, envelope: Mapping[str, object]) -> Orders:
        """New orders, kept on disk, then obeyed. Raises OrderRefused, OSError."""
        async with self._accepting:
            orders = await asyncio.to_thread(self._orders_file.accept, envelope)
            self.fleet.obey(orders, now_us())
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
            self.fleet.obey(orders, since_us=0)

    async def _tick(self) -> None:
        ticks = 0
        while True:
            began_s = time.monotonic()
            await asyncio.sleep(_TICK_S)
            ticks += 1
            try:
                self._weigh(time.monotonic() - began_s - _TICK_S)
                self.fleet.look_around(measure=ticks % _MEASURE_TICKS == 0)
                self.rounds.begin(ticks)
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
            orders = self.fleet.orders
            cameras = orders.keys() if name == _MACHINE else self.fleet.recorded_on(self.disks[name]).keys()
            priorities = {camera: orders[camera].priority for camera in cameras}
            is_starting = at_s - began_s[name] < START_S
            state = degradation.observe(measured[name], at_s, len(set(priorities.values())), is_starting)
            lowest = state.priorities_given_up(priorities.values())
            given_up |= {camera for camera, priority in priorities.items() if priority in lowest}
        state = max((one.state for one in self._degradations.values()), key=lambda one: one.step)
        self._tell_degraded(state, now_us())
        self._feed.suspend_analyses(not state.analyses)
        for camera, stream in self.fleet.streams():
            of_main = Share.WATCHED if camera in given_up else Share.FULL
            share = state.share_of_sub() if stream.name == "sub" else of_main
            if share is not stream.share:
                stream.give(share)

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
            self.fleet.tell_terms(disk)
            self._reconciling[disk.name] = self._tasks.create_task(self._reconcile(disk))
            if state.index_new:
                self.alarms.raise_("INDEX_NEW", disk.name, str(state.index), at_us)
            for name in state.recovery.damaged:
                self.alarms.raise_("SEGMENT_DAMAGED", name, "it can't be read", at_us)
            self.fleet.tell_clock()  # what is known of the time came with the index
        self.fleet.place_cameras()  # to where they can record; those that stay hear of it here
        for stream in self.fleet.recorded_on(disk).values():
            if state.ready and (not was_ready or state.recovery is not None):
                stream.storage_ready()
            elif not state.ready:
                stream.storage_lost()

    def _tell_breaker(self, waited: Breaker | None, at_us: int) -> None:
        """The alarm comes with the first camera that waits, long before all are judged. It goes on while a directory
        is away: more may wait there."""
        breaker = self.breaker
        if breaker is not None and waited is not None and breaker.reason != waited.reason:
            self.alarms.end("DESTRUCTION_BREAKER", "machine", at_us)
        reasons = [one.reason for disk in self.disks.values() for one in disk.state.breakers if one.segments]
        if breaker is not None or reasons:
            reason = reasons[0] if breaker is None else breaker.reason
            self.alarms.raise_("DESTRUCTION_BREAKER", "machine", reason, at_us)
        elif all(disk.answers for disk in self.disks.values()):
            self.alarms.end("DESTRUCTION_BREAKER", "machine", at_us)

    async def _reconcile(self, disk: Disk) -> None:
        """A directory answers again: alarms and cameras there and here are brought together."""
        try:
            written = await disk.writer.ask(read_alarms)
            self.alarms.reconcile(disk, written, now_us())
            for code in OF_STREAMS:
                for camera in set(self.alarms.subjects(code)) - self.fleet.orders.keys():
                    self.alarms.end(code, camera, now_us())
            for code in _STORAGE_CODES:
                for name in set(self.alarms.subjects(code)) - self.disks.keys():
                    self.alarms.end(code, name, now_us())
            for path in set(self.alarms.subjects(STORAGE_DROPPED)) - set(self._dropped.values()):
                self.alarms.end(STORAGE_DROPPED, path, now_us())
            await self.fleet.placed.wait()
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
            if other is not disk and (cameras := self.fleet.recorded_on(other).keys()):
                with contextlib.suppress(StorageDown):  # those stay until it answers
                    since |= await other.writer.ask(partial(_open_since, cameras=cameras))
        orders = frozenset(self.fleet.orders)

        def release(store: SegmentStore) -> None:
            for camera in store.accounts.cameras():
                if camera not in orders:
                    store.accounts.released(camera, now_us())
                elif camera in since and came.get(camera) == disk.places.get(camera):  # it didn't come back meanwhile
                    store.accounts.released(camera, since[camera])

        await disk.writer.ask(release)

    def _clock_changed(self, state: ClockState) -> None:
        if state.trusted:
            self.alarms.end("CLOCK_UNTRUSTED", "machine", now_us())
        else:
            self.alarms.raise_("CLOCK_UNTRUSTED", "machine", state.reason, now_us())


def _open_since(store: SegmentStore, cameras: Collection[str]) -> dict[str, int]:
    found = {camera: store.accounts.open_since(camera) for camera in cameras}
    return {camera: since_us for camera, since_us in found.items() if since_us is not None}
