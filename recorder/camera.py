"""One camera's streams on the event loop: what comes in is placed in time, fed to followers, cut into parts.

The path of every frame, so it does little: the heavy work (hash, write, sync) is the writer's thread's. Recording and
live both stop outside the authorisation's window and within masked ones, to the frame, whether or not the centre is
there.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from legal.retention import deadline_at
from recorder.accounts import Cause
from recorder.degradation import Share
from recorder.disks import Disk
from recorder.feed import DEGRADED, UNKNOWN_STREAM, StreamFeed
from recorder.format import Part
from recorder.interruptions import Interruptions
from recorder.machine import boot_time, now_us
from recorder.orders import CameraOrder
from recorder.segmenter import Event, PartReady, RunEnded, RunStarted, SegmentClosed, Segmenter, SegmentOpened
from recorder.store import NewSegment, SegmentStore
from recorder.utc import text_from_us
from recorder.writer import Job
from streams.awake import Awake
from streams.errors import CameraError, CameraFault
from streams.packets import Packet
from streams.source import SourceInfo
from streams.ticks import at_from_us, us_from_90k, us_from_at
from streams.timeline import Anchor, Cut, Timeline

LOST_S = 10.0
"""No picture for longer than this, in a camera's window, is an alarm."""
OFFSET_MOVED_US = 100_000
"""A camera's clock that moved by more than this since it was noted is noted again: reports come every few seconds."""
OFFSET_NOTED_S = 1.0
"""Nor is it noted more often, whatever a camera reports."""
_DAY_US = 86_400_000_000
_PART_BYTES, _PICTURE_BYTES = 2048, 128
"""What a part, and each of its pictures, takes in the queue beside the data."""
SPACE = "space"
"""Why a run ends, and a gap goes on, of a camera that gives way to others for want of space."""

_NETWORK_FAULTS = frozenset((CameraFault.UNREACHABLE, CameraFault.TIMEOUT, CameraFault.RESET))
_CAUSES = {
    "stopped": Cause.OURS,
    "orders": Cause.OURS,
    "storage": Cause.STORAGE,
    SPACE: Cause.STORAGE,
    DEGRADED: Cause.OURS,
    Cut.WALL_CLOCK.value: Cause.OURS,
    "authorisation": Cause.AUTHORISATION,
    "masked": Cause.MASKED,
}
_CAUSES.update({fault.value: Cause.NETWORK for fault in _NETWORK_FAULTS})


def cause_of(reason: str) -> Cause:
    """Whose doing it is that a run ended for this reason."""
    return _CAUSES.get(reason, Cause.CAMERA)


@dataclass(frozen=True, slots=True)
class Window:
    """The authorisation's, half-open, in UTC microseconds."""

    from_us: int
    to_us: int

    @classmethod
    def of(cls, order: CameraOrder) -> "Window":
        return cls(us_from_at(order.record_from_at), us_from_at(order.record_to_at))

    def holds(self, at_us: int) -> bool:
        return self.from_us <= at_us < self.to_us


_NEVER = Window(0, 0)
_SHUT = {"forbidden": "authorisation", "masked": "masked", DEGRADED: DEGRADED}
"""States in which nothing is pulled, and why a run ends there."""


class LiveStream:
    """A stream that is followed but not recorded; also what a recorded one has in common with it.

    `open` is the stretch around now in which pictures may be taken: empty outside the authorisation's window, within
    masked ones, and while the stream is given up. `look` moves it on; only a packet's time is compared with it.
    """

    def __init__(self, name: str, order: CameraOrder, feed: StreamFeed, anchor: Anchor) -> None:
        self.name = name
        self.window = Window.of(order)
        self.interruptions = Interruptions.of(order)
        self.open = _NEVER
        self.share = Share.FULL
        self.state = "connecting"
        self.fault: str | None = None
        self.since_us = now_us()
        self.last_packet_s = time.monotonic()
        self.last_at_us: int | None = None
        self._feed = feed
        self._timeline = Timeline(anchor)
        self._size: tuple[int, int] | None = None
        self._frames = 0
        self._bytes = 0
        self._rates = (0.0, 0.0)
        self._rates_s = time.monotonic()
        feed.fault = "connecting"

    @property
    def clock_offset_us(self) -> int | None:
        """The camera's clock ahead of ours, by its last report; None without one, and while no pictures come."""
        return self._timeline.clock_offset_us if self.state in ("recording", "live") else None

    @property
    def is_watched(self) -> bool:
        return self._feed.is_followed

    def connected(self, info: SourceInfo) -> None:
        """A new connection: the camera's time may begin anywhere."""
        self._timeline.restart()

    def packet(self, packet: Packet) -> None:
        shown_us = self._timeline.place(packet.pts_90k - packet.offset_90k, packet.received_s, packet.offset_90k)
        if packet.offset_90k:
            shown_us += us_from_90k(packet.offset_90k)
        self._frames += 1
        self._bytes += len(packet.data)
        self.last_packet_s = packet.received_s
        if self.open.from_us <= shown_us < self.open.to_us:
            self.last_at_us = shown_us
            if self.state != "live":
                self._received("live", None, packet)
            self._feed.publish(packet, shown_us)

    def sender_report(self, ntp_at: datetime, rtp_90k: int, received_s: float) -> None:
        self._timeline.sender_report(ntp_at, rtp_90k)

    def lost(self, error: CameraError) -> None:
        """The connection failed; another will be tried."""
        self._move("lost", error.fault.value)
        self._feed.lost(error.fault.value)

    def obey(self, order: CameraOrder, at_us: int) -> None:
        """New terms for the same camera, in force from now on."""
        self.window = Window.of(order)
        self.interruptions = Interruptions.of(order)

    def look(self, at_us: int) -> str | None:
        """Whether pictures may be taken now: None, or the state to be in: "forbidden", "masked" or "degraded"."""
        self.open = _NEVER
        if not self.window.holds(at_us):
            return "forbidden"
        if self.interruptions.is_masked(at_us):
            return "masked"
        if self.share is Share.NONE or (self.share is Share.WATCHED and not self._feed.is_followed):
            return DEGRADED
        self.open = Window(*self.interruptions.unmasked(self.window.from_us, self.window.to_us, at_us))
        return None

    def shut(self, state: str) -> None:
        """The stream isn't pulled, for one of the reasons that `look` gives."""
        self._move(state, None)
        # Who comes to look at a stream that is only closed because nobody did has it soon.
        fault = "connecting" if state == DEGRADED and self.share is not Share.NONE else state
        if self._feed.fault != fault:
            self._feed.lost(fault)

    def give(self, share: Share) -> None:
        """What the stream may have of the machine from now on; the next look obeys."""
        self.share = share
        if self.state == DEGRADED:
            self.shut(DEGRADED)

    @property
    def is_given_up(self) -> bool:
        return self.state == DEGRADED

    def connecting(self) -> None:
        self._move("connecting", None)

    def stopped(self) -> None:
        """The camera is no longer under orders, or the recorder stops. What still comes in is ignored."""
        self.window = self.open = _NEVER
        self._move("stopped", None)
        self._feed.lost(UNKNOWN_STREAM)

    def told_clock(self, anchor: Anchor) -> None:
        """The machine's clock as it is now: a step cuts the run with its next packet."""
        self._timeline.told(anchor)

    def measure(self) -> None:
        """Take frame rate and bit rate since the last time; called every few seconds."""
        now_s = time.monotonic()
        elapsed_s = max(now_s - self._rates_s, 0.001)
        self._rates = (self._frames / elapsed_s, self._bytes * 8 / elapsed_s)
        self._frames = self._bytes = 0
        self._rates_s = now_s

    def to_json(self, camera: str) -> dict[str, Any]:
        size, offset_us = self._size, self._timeline.clock_offset_us
        return {
            "camera": camera,
            "stream": self.name,
            "state": self.state,
            "fault": self.fault,
            "since": text_from_us(self.since_us),
            "last_frame_at": None if self.last_at_us is None else text_from_us(self.last_at_us),
            "fps": round(self._rates[0], 1),
            "bitrate": round(self._rates[1]),
            "repaired": self._timeline.backwards,
            "clock_offset_s": None if offset_us is None else round(offset_us / 1e6, 3),
            "size": None if size is None else {"width": size[0], "height": size[1]},
        }

    def _received(self, state: str, fault: str | None, packet: Packet) -> None:
        self._size = (packet.format.width, packet.format.height)
        self._move(state, fault)

    def _move(self, state: str, fault: str | None) -> None:
        if (self.state, self.fault) != (state, fault):
            self.state, self.fault = state, fault
            self.since_us = now_us()


class RecordedStream(LiveStream):
    """A camera's main stream: also segmented, and handed to the writer of the directory that it records on.

    Invariant: the segmenter has a run open exactly while that writer was told of one.
    """

    def __init__(
        self,
        order: CameraOrder,
        feed: StreamFeed,
        anchor: Anchor,
        since_us: int,
        stalled: Callable[[str], None],
        awake: Awake,
    ) -> None:
        """`since_us`: since when the order is in force; 0 for one that was on the disk. `stalled` is called with the
        camera when the directory's queue takes no more."""
        super().__init__("main", order, feed, anchor)
        self.disk: Disk | None = None
        self._order = order
        self._since_us = since_us
        self._camera = order.camera
        self._stalled = stalled
        self._awake = awake
        self._segmenter = Segmenter(order.camera)
        self._storage_ready = False
        self.gives_way = False
        self._offset_us: int | None = None  # as the run's row has it
        self._offset_s = 0.0  # when it was noted there

    @property
    def bytes_per_s(self) -> float:
        return self._rates[1] / 8

    def to_json(self, camera: str) -> dict[str, Any]:
        return {**super().to_json(camera), "storage": None if self.disk is None else self.disk.name}

    @property
    def is_placed(self) -> bool:
        """Whether it records, or can begin to, on the directory where it is."""
        disk = self.disk
        return disk is not None and (disk.keeps_runs if self._segmenter.recording else disk.takes_runs)

    def packet(self, packet: Packet) -> None:
        at_us = shown_us = self._timeline.place(
            packet.pts_90k - packet.offset_90k, packet.received_s, packet.offset_90k
        )
        if packet.offset_90k:
            shown_us += us_from_90k(packet.offset_90k)
        self._frames += 1
        self._bytes += len(packet.data)
        self.last_packet_s = packet.received_s
        if not self.open.from_us <= shown_us < self.open.to_us:
            if not shown_us < self.open.from_us <= at_us:  # a leading picture of the first key frame is left out
                self.end_run("masked" if self.window.holds(shown_us) else "authorisation")
            return
        self.last_at_us = shown_us
        if self._timeline.cut is not None:
            self.end_run(self._timeline.cut.value)
        self._feed.publish(packet, shown_us)
        if self._segmenter.recording or (packet.is_key and self._takes_runs):
            self._apply(self._segmenter.push(packet, at_us))
        if self.state != "recording":
            if self._segmenter.recording:
                self._received("recording", None, packet)
            elif self.state != "live" and self._not_recorded is not None:
                self._received("live", self._not_recorded, packet)

    def lost(self, error: CameraError) -> None:
        super().lost(error)
        self.end_run(error.fault.value)
        self._declare()

    def shut(self, state: str) -> None:
        super().shut(state)
        self.end_run(_SHUT[state])
        self._declare()

    def give(self, share: Share) -> None:
        before = self.share
        super().give(share)
        if before is Share.FULL and share is not Share.FULL:
            self.end_run(DEGRADED)
        if self.state in ("recording", "live") and (before is Share.FULL) != (share is Share.FULL):
            self._move("connecting", None)  # its next picture tells what it is now
        self._declare()

    def give_way(self, gives_way: bool) -> None:
        """Whether it isn't recorded for want of space, so that others are (`pressure.py`). It is shown all the same."""
        if gives_way == self.gives_way:
            return
        self.gives_way = gives_way
        if gives_way:
            self.end_run(SPACE)
        if self.state in ("recording", "live"):
            self._move("connecting", None)  # its next picture tells what it is now
        self._declare()

    @property
    def is_given_up(self) -> bool:
        """Whether it isn't recorded for want of means; it may be shown."""
        return self.share is not Share.FULL and self.state not in ("forbidden", "masked")

    def connecting(self) -> None:
        super().connecting()
        self._declare()

    def stopped(self) -> None:
        super().stopped()
        self.end_run("stopped")

    def obey(self, order: CameraOrder, at_us: int) -> None:
        """A run goes on only under the terms it was begun with."""
        super().obey(order, at_us)
        old, self._order = self._order, order
        if order.interruptions != old.interruptions:
            self._since_us = at_us
            self._interrupt()
        terms = (order.authorisation, order.retention_days, order.minimum_days)
        if terms != (old.authorisation, old.retention_days, old.minimum_days):
            self.end_run("orders")

    def move_to(self, disk: Disk) -> None:
        """Record on this directory from its next key frame on; it is under orders there from this instant."""
        old, at_us = self.disk, now_us()
        if old is disk:
            return
        if old is not None:
            self.storage_lost()
            old.writer.submit(partial(_release_account, camera=self._camera, at_us=at_us))
        self.disk = disk
        disk.places[self._camera] = at_us
        self._storage_ready, gave_way = disk.state.ready, self.gives_way
        self.gives_way = self._camera in disk.giving_way
        if old is not None:
            code = old.state.code.lower() if not old.state.ready else SPACE if gave_way else "stalled"
            self._submit(partial(_move_account, camera=self._camera, at_us=at_us, code=code))
        self._interrupt()
        self._declare()

    def storage_ready(self) -> None:
        """The directory answers, from empty: no run is open."""
        self._storage_ready = True
        self._interrupt()
        self._declare()

    def storage_lost(self) -> None:
        """The directory takes no more. One that is merely full still takes the end of the run; one that failed has
        dropped it."""
        self._storage_ready = False
        if self.disk is not None and self.disk.answers:
            self.end_run("storage")
        elif self._segmenter.recording:
            self._segmenter.discard()
        if self.state == "recording":
            self._move("live", "storage")

    def end_run(self, reason: str) -> None:
        self._apply(self._segmenter.end(reason))

    @property
    def _takes_runs(self) -> bool:
        may = self._storage_ready and self.share is Share.FULL and not self.gives_way
        return may and self.disk is not None and self.disk.writer.has_room

    @property
    def _not_recorded(self) -> str | None:
        """Why pictures that come are shown but not recorded."""
        if self.share is not Share.FULL:
            return DEGRADED
        return "storage" if self.gives_way or not self._storage_ready else None

    def sender_report(self, ntp_at: datetime, rtp_90k: int, received_s: float) -> None:
        """The first report comes after the run's start as a rule: its row gets the offset when it is known, and again
        when it has moved."""
        super().sender_report(ntp_at, rtp_90k, received_s)
        offset_us, told_us = self._timeline.clock_offset_us, self._offset_us
        if not self._segmenter.recording or offset_us is None:
            return
        has_moved = told_us is not None and abs(offset_us - told_us) > OFFSET_MOVED_US
        if told_us is None or (has_moved and received_s - self._offset_s >= OFFSET_NOTED_S):
            self._offset_us, self._offset_s = offset_us, received_s
            self._submit(partial(_measure_account, camera=self._camera, clock_offset_us=offset_us))

    def _interrupt(self) -> None:
        """Tell the accounts which interruptions are in force. Again whenever the storage starts."""
        job = partial(_interrupt, camera=self._camera, interruptions=self.interruptions, since_us=self._since_us)
        self._submit(job)

    def _declare(self) -> None:
        """Tell the accounts why this camera is in a gap, if it is."""
        if self._segmenter.recording or self.disk is None:
            return
        if self.state == "forbidden":
            job = partial(_forbid_account, window=self.window)
        elif self.state == "lost" and self.fault is not None:
            job = partial(_lose_account, fault=self.fault)
        elif self.share is not Share.FULL:
            job = partial(_give_up_account)
        elif self.gives_way:
            job = partial(_give_way_account)
        else:
            job = partial(_begin_account, window=self.window)
        self._submit(partial(job, camera=self._camera, at_us=now_us()))

    def _apply(self, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case PartReady(part):
                    if not self._submit_part(part):
                        self._segmenter.discard()
                        self._submit_end(None, "queue", Cause.STORAGE)
                        self._stalled(self._camera)
                        return
                case RunStarted(at_us):
                    self._offset_us = self._timeline.clock_offset_us
                    self._submit(
                        partial(
                            SegmentStore.start_run,
                            camera=self._camera,
                            at_us=at_us,
                            authorisation=self._order.authorisation,
                            clock_offset_us=self._timeline.clock_offset_us,
                        )
                    )
                case SegmentOpened():
                    self._submit(partial(SegmentStore.open_segment, new=self._new_segment(event)))
                case SegmentClosed(end_us):
                    self._submit(partial(SegmentStore.close_segment, camera=self._camera, end_us=end_us))
                case RunEnded(end_us, reason):
                    self._submit_end(end_us, reason, self._cause_since(end_us, reason))

    def _cause_since(self, end_us: int, reason: str) -> Cause:
        """Of a gap that begins at the run's end. When we paused in it, it is ours whatever the camera did: nobody read
        what it sent, or answered it."""
        cause, now_s = cause_of(reason), time.monotonic()
        if cause in (Cause.CAMERA, Cause.NETWORK) and self._awake.paused_s(now_s - (now_us() - end_us) / 1e6, now_s):
            return Cause.OURS
        return cause

    def _submit_part(self, part: Part) -> bool:
        nbytes = part.data_bytes + _PART_BYTES + _PICTURE_BYTES * len(part.data)
        return self._submit(partial(SegmentStore.append, camera=self._camera, part=part), nbytes=nbytes)

    def _submit_end(self, end_us: int | None, reason: str, cause: Cause) -> None:
        self._submit(
            partial(SegmentStore.end_run, camera=self._camera, end_us=end_us, reason=reason, cause=cause, detail=reason)
        )

    def _submit(self, job: Job, nbytes: int = 0) -> bool:
        return self.disk is not None and self.disk.writer.submit(job, nbytes)

    def _new_segment(self, event: SegmentOpened) -> NewSegment:
        order = self._order
        deadline = deadline_at(at_from_us(event.start_us), order.retention_days)
        minimum = order.minimum_days
        return NewSegment(
            camera=self._camera,
            start_us=event.start_us,
            format=event.format,
            authorisation=order.authorisation,
            deadline_us=us_from_at(deadline),
            minimum_us=None if minimum is None else event.start_us + minimum * _DAY_US,
            clock_offset_us=self._timeline.clock_offset_us,
            taken=boot_time(),
        )


def _interrupt(store: SegmentStore, camera: str, interruptions: Interruptions, since_us: int) -> None:
    store.accounts.interrupt(camera, interruptions, since_us)


def _begin_account(store: SegmentStore, camera: str, at_us: int, window: Window) -> None:
    """A camera that comes under orders, or whose window opens, before its first picture."""
    cause = store.accounts.gap_cause(camera)
    if cause is None:
        store.accounts.gap(camera, at_us, Cause.OURS, "starting")
    elif cause == Cause.AUTHORISATION:
        store.accounts.gap(camera, min(window.from_us, at_us), Cause.OURS, "starting")


def _measure_account(store: SegmentStore, camera: str, clock_offset_us: int) -> None:
    store.accounts.measured(camera, clock_offset_us)


def _lose_account(store: SegmentStore, camera: str, at_us: int, fault: str) -> None:
    store.accounts.gap(camera, at_us, cause_of(fault), fault)


def _give_way_account(store: SegmentStore, camera: str, at_us: int) -> None:
    store.accounts.gap(camera, at_us, Cause.STORAGE, SPACE)


def _give_up_account(store: SegmentStore, camera: str, at_us: int) -> None:
    store.accounts.gap(camera, at_us, cause_of(DEGRADED), DEGRADED)


def _forbid_account(store: SegmentStore, camera: str, at_us: int, window: Window) -> None:
    """The window is closed: since its end, to the instant, for a camera that was under orders then."""
    if store.accounts.gap_cause(camera) is not None and at_us >= window.to_us:
        at_us = window.to_us
    store.accounts.gap(camera, at_us, Cause.AUTHORISATION, "forbidden")


def _move_account(store: SegmentStore, camera: str, at_us: int, code: str) -> None:
    """A camera comes from another directory, which took no more for this reason."""
    store.accounts.gap(camera, at_us, Cause.STORAGE, code)


def _release_account(store: SegmentStore, camera: str, at_us: int) -> None:
    """A camera went to another directory."""
    store.accounts.released(camera, at_us)
