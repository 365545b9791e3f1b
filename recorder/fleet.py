"""The cameras under orders: their streams, from the camera to a storage directory, started and stopped as ordered.

Orders are obeyed by difference. A stream is pulled exactly while its authorisation's window is open and no mask is on
it; a camera is recorded on one directory, and goes to another when that takes no more.
"""

import asyncio
import time
from dataclasses import dataclass, field

from recorder.alarms import CAMERA_CLOCK, CAMERA_LOST, OF_STREAMS, Alarms
from recorder.camera import LOST_S, LiveStream, RecordedStream
from recorder.camera_clock import ClockWatch
from recorder.disks import Disk, Disks
from recorder.feed import PacketFeedServer
from recorder.machine import now_us, read_anchor
from recorder.orders import Adapter, CameraOrder, Orders, StreamAddress
from recorder.store import SegmentStore
from recorder.writer import Job
from streams.awake import running_awake
from streams.source import SourceConfig
from streams.streamer import ConnectBudget, Streamer
from streams.ticks import us_from_at


@dataclass(slots=True)
class _Running:
    """A stream under orders; its task is None outside the window."""

    address: StreamAddress
    adapter: Adapter
    stream: LiveStream
    task: asyncio.Task[None] | None = None
    clock: ClockWatch = field(default_factory=ClockWatch)


class Fleet:
    """Where each stream under orders stands. Everything runs in the event loop, the pulls as tasks of their own."""

    def __init__(self, disks: Disks, alarms: Alarms, feed: PacketFeedServer, tasks: asyncio.TaskGroup) -> None:
        self.orders: dict[str, CameraOrder] = {}
        self.placed = asyncio.Event()  # set once cameras have been given their directories
        self._disks = disks
        self._alarms = alarms
        self._feed = feed
        self._tasks = tasks
        self._terms_us: dict[str, int] = {}  # of each camera: when the orders that last changed its terms were issued
        self._streams: dict[tuple[str, str], _Running] = {}
        self._budget = ConnectBudget()
        self._placing = False
        self._anchor = read_anchor()

    def streams(self) -> list[tuple[str, LiveStream]]:
        return [(camera, running.stream) for (camera, _), running in self._streams.items()]

    def recorded(self) -> dict[str, RecordedStream]:
        return {camera: stream for camera, stream in self.streams() if isinstance(stream, RecordedStream)}

    def recorded_on(self, disk: Disk) -> dict[str, RecordedStream]:
        return {camera: stream for camera, stream in self.recorded().items() if stream.disk is disk}

    def retention_on(self, disk: Disk) -> dict[str, int]:
        """Days that pictures of the cameras that record on a directory are kept."""
        return {camera: self.orders[camera].retention_days for camera in self.recorded_on(disk)}

    def obey(self, orders: Orders, since_us: int) -> None:
        """Apply orders by difference: streams whose address stays are not interrupted. Those that were on the disk are
        in force since ever (0)."""
        new = {order.camera: order for order in orders.cameras}
        for camera in self.orders.keys() - new.keys():
            self._end_stream(camera, "sub")
            self._end_stream(camera, "main")
            for code in OF_STREAMS:
                self._alarms.end(code, camera, now_us())
            self._release(camera)
        for camera, order in new.items():
            old = self.orders.get(camera)
            self.orders[camera] = order
            self._obey_stream(order, "main", order.main, since_us)
            self._obey_stream(order, "sub", order.sub, since_us)
            if old is None or _terms(order) != _terms(old):
                self._terms_us[camera] = us_from_at(orders.issued_at)
                self._disks.submit_all(self._telling_terms(order))
        self.orders = new
        self.place_cameras()

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
        return RecordedStream(order, feed, self._anchor, since_us, self._stalled, running_awake())

    def _stalled(self, camera: str) -> None:
        """A directory's queue takes no more of this camera: it is placed anew, once its packet has been dealt with."""
        if not self._placing:
            self._placing = True
            asyncio.get_running_loop().call_soon(self.place_cameras)

    def place_cameras(self) -> None:
        """Cameras that can't record where they are go where they can (`placement.py`)."""
        self._placing = False
        if not self._disks.settled:
            return
        self.placed.set()
        recorded = self.recorded()
        homeless = {camera: stream for camera, stream in recorded.items() if not stream.is_placed}
        if not homeless:
            return
        rooms = self._disks.rooms(recorded.values())
        for camera, stream in homeless.items():
            disk = self._disks.choose(camera, stream, rooms)
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

    def tell_terms(self, disk: Disk) -> None:
        """A directory starts: what the orders say of the cameras' terms."""
        for order in self.orders.values():
            disk.writer.submit(self._telling_terms(order))

    def _telling_terms(self, order: CameraOrder) -> Job:
        """An order can shorten a deadline, never lengthen one."""
        act_us = self._terms_us[order.camera]

        def tell(store: SegmentStore) -> None:
            store.obey_terms(order.camera, order.authorisation, order.retention_days, act_us)
            store.set_priority(order.camera, order.priority)

        return tell

    def _release(self, camera: str) -> None:
        at_us = now_us()
        self._disks.submit_all(lambda store: store.accounts.released(camera, at_us))

    def stop(self) -> None:
        for camera, name in list(self._streams):
            self._end_stream(camera, name)

    def tell_clock(self) -> None:
        """The machine's clock as it is now, to every stream."""
        self._anchor = read_anchor()
        for running in self._streams.values():
            running.stream.told_clock(self._anchor)

    def look_around(self, measure: bool) -> None:
        """Once a second; `measure`: take the streams' rates too."""
        self.tell_clock()
        at_us = now_us()
        for (camera, name), running in self._streams.items():
            self._follow_window(running, at_us)
            if name == "main":
                self._watch_camera(camera, running, at_us)
                self._watch_clock(camera, running, at_us)
            if measure:
                running.stream.measure()
        self.place_cameras()

    def _watch_camera(self, camera: str, running: _Running, at_us: int) -> None:
        silent_s = running_awake().waited_s(running.stream.last_packet_s, time.monotonic())
        if running.stream.interruptions.is_planned(at_us):
            self._alarms.end(CAMERA_LOST, camera, at_us)
        elif running.task is not None and silent_s > LOST_S:
            self._alarms.raise_(CAMERA_LOST, camera, running.stream.fault or "stalled", at_us)
        elif running.task is None or running.stream.state in ("recording", "live"):
            self._alarms.end(CAMERA_LOST, camera, at_us)

    def _watch_clock(self, camera: str, running: _Running, at_us: int) -> None:
        """Which of the two clocks is wrong isn't told. While ours can't be trusted no camera's is held against it."""
        offset_us = running.stream.clock_offset_us if self._disks.standing.trusted else None
        is_off = self._alarms.is_on(CAMERA_CLOCK, camera)
        turns = running.clock.turns(is_off, offset_us, running_awake().clock_s(time.monotonic()))
        if running.task is None or (is_off and turns):
            self._alarms.end(CAMERA_CLOCK, camera, at_us)
        elif turns and offset_us is not None:
            self._alarms.raise_(CAMERA_CLOCK, camera, f"{offset_us / 1e6:+.1f}", at_us)


def _terms(order: CameraOrder) -> tuple[str, int, int]:
    return order.authorisation, order.retention_days, order.priority
