"""A recorder's life in fast motion: its real writer and cameras on a real directory, under clocks that are told.

The machine's clocks jump, the camera's too; the process is killed at any operation of a file or of the index, the power
goes, the index is lost or comes from a backup. Beside it stands what must be true all the while (`History.verify`).

What it excuses, and why:

- 10 minutes of clock and 5 of segments and waves (`SLACK_US`): a clock is trusted with as much error.
- Destroyed early where a segment's file bears an earlier deadline than the true one: it was dated behind, for nothing
  tells how long a machine was off; or ahead, over the end of a day that the next month doesn't have. Up to a day early
  there, too, where it isn't known when a boot ended that dated ahead.
- Alive late by as much as a segment was dated ahead, where the boot in which it was taken ended before its time was
  known, and at most by as long as the machine was off until the next boot (`History.unknown_us`): nothing tells when in
  that time it was taken. That a boot's time was known is lost with the index. Until the machine's first clock was
  right nothing is late at all (`clock_known`).
- Overdue while the clock is distrusted, as after the release of a hold: destruction stands still.
- Held up to 5 s beside a hold's bounds: a segment has one end in the index and another in the pictures.
- Replays: of two segments that overlap in labelled time, one begins with its first key frame.
- Nothing is asked while the index is filled from the files, which goes on a little in each wave.
"""

import dataclasses
import hashlib
import itertools
import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from disk_model import Choice, Disk, Op, RecordedOs, everything

from legal.retention import deadline_at
from recorder import disks, files, machine
from recorder.camera import RecordedStream
from recorder.check import check
from recorder.clock import JUMP_US, SETTLED_US, ClockState
from recorder.coverage import read_coverage
from recorder.decisions import Hold, Release, sign_hold, sign_release
from recorder.feed import StreamFeed
from recorder.files import walk
from recorder.format import file_name, read_part_mark, segment_of, unpack_entries
from recorder.holds import Rulings, put_hold, release_hold
from recorder.index import Index, open_reader
from recorder.machine import MachineClock, now_us, read_anchor
from recorder.orders import CameraOrder, StreamAddress
from recorder.playback import PlaybackClosed, PlaybackStore, VirtualMp4
from recorder.store import NewSegment, SegmentStore
from recorder.writer import StorageState, Writer
from streams.errors import CameraError, CameraFault
from streams.fmp4 import parse_part_header
from streams.packets import Packet, VideoFormat
from streams.source import SourceInfo
from streams.ticks import at_from_us, ticks_from_us, us_from_90k, us_from_at
from tests.recorder.recorder_support import earliest_deadline_us

KEY = Ed25519PrivateKey.generate()
S = 1_000_000
HOUR = 3600 * S
DAY = 24 * HOUR
INFO = SourceInfo("history", ("video",), None)
FORMATS = (
    VideoFormat("h264", 640, 360, bytes.fromhex("674d001e95a0"), bytes.fromhex("68ee3c80")),
    VideoFormat("h264", 1280, 720, bytes.fromhex("674d001f95a0"), bytes.fromhex("68ee3c80")),
)
SLACK_US = JUMP_US + 5 * 60 * S
"""The clock may be trusted with 10 minutes of error; a segment lasts a minute or two, and is destroyed by the wave."""


class Killed(BaseException):
    """The process ends here; nothing of it runs on."""


class Clocks:
    """Stands in for `time` in recorder/machine.py. `true_us` is what the law goes by; the product doesn't know it."""

    CLOCK_BOOTTIME = time.CLOCK_BOOTTIME

    def __init__(self, true_us: int) -> None:
        self.true_us = true_us
        self.boot_us = 1000 * S
        self.boot = str(uuid.uuid4())
        self.ahead_us = 0
        self.synchronised = False

    def pass_us(self, us: int) -> None:
        self.true_us += us
        self.boot_us += us

    def reboot(self) -> None:
        """The recorder is asked to start 20 s later."""
        self.boot = str(uuid.uuid4())
        self.boot_us = 20 * S
        self.true_us += 20 * S
        self.synchronised = False

    def time_ns(self) -> int:
        return (self.true_us + self.ahead_us) * 1000

    def clock_gettime_ns(self, clock: int) -> int:
        return self.boot_us * 1000

    def monotonic(self) -> float:
        return self.boot_us / S


class MortalOs(RecordedOs):
    """Operations go into the model of the disk as they are done; the one that `kill_at` counts ends the process."""

    kill_at = -1

    def count(self, name: str) -> None:
        super().count(name)
        if self.calls == self.kill_at:
            raise Killed(name)

    def writev(self, fd: int, buffers: Any) -> int:
        if self.calls + 1 == self.kill_at:
            data = b"".join(buffers)
            self.calls += 1
            self._written(fd, data[: os.write(fd, data[: len(data) // 2])])
            raise Killed("writev")
        return super().writev(fd, buffers)


class _Applied(list[Op]):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def append(self, op: Op) -> None:
        self._disk.apply(op)


class _Loop:
    """The event loop, for what the writer tells: at once."""

    def call_soon_threadsafe(self, call: Callable[..., None], *args: Any) -> None:
        call(*args)


@dataclasses.dataclass(eq=False)
class Boot:
    """When it really began, and how long the recorder has looked at it; whether it came to know the time."""

    id: str
    zero_us: int
    seen_us: int
    known: bool = False


@dataclasses.dataclass(eq=False)
class Segment:
    """`true_us`: when its first picture was really taken; `start_us` is what the recorder believes."""

    start_us: int
    true_us: int
    last_us: int
    retention_days: int
    boot: "Boot"

    @property
    def deadline_us(self) -> int:
        """By law, of the true time."""
        return us_from_at(deadline_at(at_from_us(self.true_us), self.retention_days))

    @property
    def borne_us(self) -> int:
        """The deadline that its file bears."""
        return us_from_at(deadline_at(at_from_us(self.start_us), self.retention_days))


@dataclasses.dataclass(eq=False)
class Picture:
    data: bytes
    segment: Segment | None = None
    gone: bool = False


@dataclasses.dataclass
class Camera:
    """One camera, and what is known to have been taken from it. `taken` are the pictures that a run took, in order;
    of those the first `written` are in the file and the first `durable` synced and committed."""

    order: CameraOrder
    period_us: int
    gop: int
    ppm: int = 0
    media_us: float = 5_000_000.0
    sent: int = 0
    connected: bool = True
    taken: list[Picture] = dataclasses.field(default_factory=list)
    written: int = 0
    durable: int = 0
    format: VideoFormat = FORMATS[0]
    stream: RecordedStream | None = None
    pulled: bool = False
    pending: Segment | None = None

    @property
    def uuid(self) -> str:
        return self.order.camera


class Wheel(Writer):
    """The writer with its thread's work done where it is asked for."""

    def __init__(self, history: "History") -> None:
        path = history.path
        memory, rulings = path / "state" / "storage.json", Rulings(path / "state" / "holds")
        super().__init__(path / "recordings", memory, MachineClock(), rulings, history.storage_told, history.clock_told)
        self._loop = _Loop()  # type: ignore[assignment] # all of a loop that the writer asks for
        self._history = history

    def turn(self) -> None:
        """Do the jobs that wait, and a wave."""
        assert self._store is not None
        while not self._queue.empty():
            item = self._queue.get()
            assert item is not None
            self._do(item, self._store)
            self._history.done(item[2])
        self._wave(self._store)
        self._history.durable()

    @property
    def store(self) -> SegmentStore:
        assert self._store is not None
        return self._store


class History:
    """What happens to one recorder, one method each. Any of them may be ended by Killed, when `arm` said so."""

    def __init__(self, path: Path, clocks: Clocks, cameras: list[Camera]) -> None:
        self.path = path
        self.clocks = clocks
        self.cameras = cameras
        self.holds: dict[str, Hold] = {}
        self.clock = ClockState(trusted=False, reason="starting", due_us=0)
        self.writer: Wheel | None = None
        self.backup: bytes | None = None
        self.clock_known = True
        self.boots: list[Boot] = []
        self._synchronised_us: int | None = None
        self.segments: list[Segment] = []
        self.recovered = True
        self._disk: Disk | None = None
        self._os: MortalOs | None = None

    # What the recorder tells.

    def storage_told(self, state: StorageState) -> None:
        self._place.state = state
        for camera in self.cameras:
            stream = camera.stream
            if stream is None:
                continue
            if state.recovery is not None:
                stream.told_clock(read_anchor())
            if stream.disk is None and state.ready:
                stream.move_to(self._place)
            if state.ready and state.recovery is not None:
                stream.storage_ready()
            elif not state.ready:
                stream.storage_lost()

    def clock_told(self, state: ClockState) -> None:
        self.clock = state

    def done(self, job: Any) -> None:
        function = getattr(job, "func", None)
        camera = next((c for c in self.cameras if c.uuid == getattr(job, "keywords", {}).get("camera")), None)
        if function is SegmentStore.open_segment:
            new: NewSegment = job.keywords["new"]
            (camera,) = (c for c in self.cameras if c.uuid == new.camera)
            true_us = self.clocks.true_us
            camera.pending = Segment(new.start_us, true_us, new.start_us, camera.order.retention_days, self.boots[-1])
            self.segments.append(camera.pending)
        elif function is SegmentStore.append and camera is not None:
            part = job.keywords["part"]
            for picture in camera.taken[camera.written : camera.written + len(part.data)]:
                picture.segment = camera.pending
            assert [p.data for p in camera.taken[camera.written :]][: len(part.data)] == part.data
            camera.written += len(part.data)
            assert camera.pending is not None
            camera.pending.last_us = part.at_us

    def durable(self) -> None:
        for camera in self.cameras:
            camera.durable = camera.written
        clocks, boot = self.clocks, self.boots[-1]
        boot.seen_us = clocks.boot_us
        if not clocks.synchronised:
            self._synchronised_us = None
        elif self._synchronised_us is None:
            self._synchronised_us = clocks.boot_us
        elif clocks.boot_us - self._synchronised_us >= SETTLED_US:
            boot.known = True

    def unknown_us(self, segment: Segment) -> int:
        """For how long nothing tells when a segment was taken, once the time is known."""
        left = self.boots[self.boots.index(segment.boot) :]
        if segment.boot.known or left == [self.boots[-1]]:
            return 0
        off_us = 0
        for boot, following in itertools.pairwise(left):
            off_us += following.zero_us - boot.zero_us - boot.seen_us
            if following.known:
                break
        return off_us

    # What happens.

    @contextmanager
    def under(self) -> Iterator[None]:
        """The product's seams, for as long as the history lasts."""
        commit = Index.commit

        def committed(index: Index) -> None:
            if self._os is not None and index._db.in_transaction:
                self._os.count("commit")
            commit(index)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(machine, "time", self.clocks)
            patch.setattr(machine, "boot_id", lambda: self.clocks.boot)
            patch.setattr(machine, "_synchronised", lambda: self.clocks.synchronised)
            patch.setattr("recorder.playback.boot_id", lambda: self.clocks.boot)
            patch.setattr("recorder.writer.boot_id", lambda: self.clocks.boot)
            patch.setattr(Index, "commit", committed)
            self._patch = patch
            try:
                yield
            finally:
                machine.never_before(None)

    def start(self) -> None:
        """A new process. Raises Killed."""
        machine.never_before(None)
        self._synchronised_us = None
        if not self.boots or self.boots[-1].id != self.clocks.boot:
            self.boots.append(Boot(self.clocks.boot, self.clocks.true_us - self.clocks.boot_us, 0))
        root = self.path / "recordings"
        root.mkdir(exist_ok=True)
        self._disk = Disk(root)
        before = self._os
        self._os = MortalOs(root, _Applied(self._disk))
        self._os.kill_at = before.kill_at if before is not None and before.kill_at > 0 else -1
        self._patch.setattr(files, "os", self._os)
        self.clock = ClockState(trusted=False, reason="starting", due_us=0)
        self.writer = Wheel(self)
        starting = StorageState(ready=False, epoch=-1, code="STORAGE_STARTING")
        self._place = disks.Disk("recordings", root, self.writer, starting, ThreadPoolExecutor(1))
        for camera in self.cameras:
            camera.stream = RecordedStream(camera.order, StreamFeed(), read_anchor(), 0, lambda camera: None)
            self._follow_window(camera, now_us())
            if not camera.connected:
                camera.stream.lost(CameraError(CameraFault.TIMEOUT, "history"))
        self.writer._start()
        for camera in self.cameras:
            order = camera.order
            self.writer.store.obey_terms(order.camera, order.authorisation, order.retention_days, 0)
        self.writer.turn()
        self.recovered = True

    def arm(self, operations: int) -> None:
        """The process ends at this many operations from now."""
        assert self._os is not None
        self._os.calls, self._os.kill_at = 0, operations

    def end(self, power: Choice | None = None) -> None:
        """What is left of a process that was killed; `power` says what a power cut leaves, None is SIGKILL."""
        self._let_go()
        root = self.path / "recordings"
        if power is not None:
            assert self._disk is not None
            self._disk.image = (root / "index.db").read_bytes() if (root / "index.db").exists() else b""
            shutil.rmtree(root)
            self._disk.write(root, power)
            if not self._disk.image:
                (root / "index.db").unlink()
            self.clocks.reboot()
        self.recovered = self.recovered and power is None
        self._forget_lost(power is not None and power is not everything)

    def stop(self) -> None:
        """SIGTERM."""
        assert self.writer is not None
        for camera in self.cameras:
            assert camera.stream is not None
            camera.stream.stopped()
        self.writer.turn()
        self.writer._close()
        self._let_go()
        for camera in self.cameras:
            assert camera.written == len(camera.taken), "an orderly end lost pictures"

    def record(self, seconds: int) -> None:
        """All cameras that answer send pictures; each second has a wave."""
        assert self.writer is not None
        for _ in range(seconds):
            for camera in self.cameras:
                self._send(camera)
            self.clocks.pass_us(S)
            self.tick()

    def tick(self) -> None:
        """What the recorder does once a second."""
        assert self.writer is not None
        anchor = read_anchor()
        for camera in self.cameras:
            assert camera.stream is not None
            camera.stream.told_clock(anchor)
            self._follow_window(camera, now_us())
        self.writer.turn()

    def _follow_window(self, camera: Camera, at_us: int) -> None:
        """As the recorder pulls a stream: exactly while its authorisation's window is open."""
        stream = camera.stream
        assert stream is not None
        shut = stream.look(at_us)
        if shut is not None:
            camera.pulled = False
            if stream.state != shut:
                stream.shut(shut)
        elif not camera.pulled:
            camera.pulled = True
            stream.connecting()
            stream.connected(INFO)

    def _send(self, camera: Camera) -> None:
        """A second's pictures of one camera."""
        if camera.period_us < S:
            for n in range(S // camera.period_us):
                self._send_one(camera, n * camera.period_us)
        elif self.clocks.boot_us // S % (camera.period_us // S) == 0:
            self._send_one(camera, 0)

    def _send_one(self, camera: Camera, offset_us: int) -> None:
        stream = camera.stream
        assert stream is not None
        camera.media_us += camera.period_us * (1 + camera.ppm / 1e6)
        is_key = camera.sent % camera.gop == 0
        data = f"{camera.uuid[:8]} {camera.sent:09d} ".encode() * (3 if is_key else 1)
        camera.sent += 1
        if not camera.connected or not camera.pulled:
            return
        received_s = (self.clocks.boot_us + offset_us) / S
        stream.packet(Packet(data, ticks_from_us(round(camera.media_us)), is_key, received_s, camera.format))
        if stream._segmenter.recording:
            camera.taken.append(Picture(data))

    def lose(self, camera: Camera) -> None:
        """The camera doesn't answer any more."""
        assert camera.stream is not None
        camera.connected = False
        camera.stream.lost(CameraError(CameraFault.TIMEOUT, "history"))

    def find(self, camera: Camera) -> None:
        """It answers again, on a new connection."""
        assert camera.stream is not None
        camera.connected = True
        camera.stream.connecting()
        camera.stream.connected(INFO)

    def wait(self, us: int) -> None:
        """Time passes with every camera silent."""
        silent = [camera for camera in self.cameras if camera.connected]
        for camera in silent:
            self.lose(camera)
        for _ in range(4):
            self.clocks.pass_us(us // 4)
            self.tick()
        for camera in silent:
            self.find(camera)

    def set_clock(self, ahead_us: int) -> None:
        """Somebody sets the machine's clock; the kernel then calls it unsynchronised."""
        self.clocks.ahead_us = ahead_us
        self.clocks.synchronised = False

    def ntp(self) -> None:
        """The clock is right again, and has been for over a minute."""
        self.clocks.ahead_us = 0
        self.clocks.synchronised = True
        self.clock_known = True
        if self.writer is not None:
            self.tick()
            self.clocks.pass_us(61 * S)
            for camera in self.cameras:
                if camera.connected:
                    self.lose(camera)
                    self.find(camera)
            for _ in range(2):  # the accounts go by the time that the wave before came to know
                self.tick()

    def hold(self, camera: Camera, from_us: int, to_us: int) -> None:
        assert self.writer is not None
        since_at = at_from_us(now_us())
        hold = Hold(str(uuid.uuid4()), camera.uuid, at_from_us(from_us), at_from_us(to_us), "PV 2026/1", since_at)
        store, rulings, envelope = self.writer.store, self.writer._rulings, sign_hold(hold, KEY)
        assert rulings.admit(hold)
        rulings.keep(hold, envelope)
        put_hold(store.storage, store.index, hold, envelope, now_us())
        store.index.commit()
        self.holds[hold.id] = hold

    def release(self, hold: Hold) -> None:
        assert self.writer is not None
        store = self.writer.store
        release = Release("hold", hold.id, ("first", "second"))
        envelope = sign_release(release, KEY)
        del self.holds[hold.id]  # from now on it may be destroyed, and needn't be yet
        self.writer._rulings.release(release, envelope)
        release_hold(store.storage, store.index, release, envelope, now_us())
        store.index.commit()
        self.tick()  # what is past its deadline dies in the next wave

    def lose_index(self) -> None:
        for file in (self.path / "recordings").glob("index.db*"):
            file.unlink()
        for boot in self.boots:
            found = [s.true_us for s in self.segments if s.boot is boot and s.true_us <= boot.zero_us + boot.seen_us]
            boot.known, boot.seen_us = False, max(found, default=boot.zero_us) - boot.zero_us

    def back_up(self) -> None:
        """As from a running recorder, with its waves complete."""
        with closing(sqlite3.connect(self.path / "recordings" / "index.db")) as index:
            self.backup = index.serialize()

    def restore(self) -> None:
        assert self.backup is not None
        self.lose_index()
        (self.path / "recordings" / "index.db").write_bytes(self.backup)

    def adopt(self) -> None:
        """Let the recorder file what its index lost."""
        assert self.writer is not None
        while self.writer._adoption is not None:
            self.tick()

    def _let_go(self) -> None:
        writer, self.writer = self.writer, None
        if writer is not None and writer._store is not None:
            store, writer._store = writer._store, None
            store.abandon()
            store.index.close()
            store.storage.close()
        if self._os is not None:
            self._os.kill_at = -1
        for camera in self.cameras:
            camera.stream, camera.pulled = None, False

    # What must be true.

    def _forget_lost(self, power: bool) -> None:
        """Pictures that a kill may take with it, and did: those of the unfinished part, or behind the last sync."""
        for camera in self.cameras:
            least = camera.durable if power else camera.written
            found = {picture for _, pictures in _read(self.path / "recordings", camera.uuid) for picture in pictures}
            kept = least
            while kept < len(camera.taken) and camera.taken[kept].data in found:
                kept += 1
            later = [picture.data for picture in camera.taken[kept:] if picture.data in found]
            assert not later or power, f"{camera.uuid}: pictures found behind lost ones"
            del camera.taken[kept:]
            camera.written = camera.durable = kept

    def verify(self) -> None:
        """Everything that must hold while the recorder runs, between two waves."""
        assert self.writer is not None
        store = self.writer.store
        recordings = self.path / "recordings"
        if self.writer._adoption is not None:
            return
        due = self.writer._told_clock
        assert due is not None
        report = check(recordings, due.due_us, deep=True)
        if not due.trusted:  # what a hold let go after its deadline waits for the clock
            report.overdue.clear()
        assert report.ok, report
        self._files_are_in_one_state(store)
        with closing(open_reader(recordings / "index.db")) as reader:
            for camera in self.cameras:
                self._pictures_are_there(reader, camera)
                self._every_second_is_accounted_for(reader, camera)
                self._playback_shows_what_is_there(reader, camera)
        self._playback_follows_the_clock()

    def _files_are_in_one_state(self, store: SegmentStore) -> None:
        index = store.index
        names = index.cameras()
        rows = {file_name(names[c], at, n) for n, c, at in index.query("SELECT id, camera, start_us FROM segment")}
        doomed = {
            file_name(names[c], at, n) for n, c, at in index.query("SELECT segment, camera, start_us FROM destroy")
        }
        assert not rows & doomed
        last = index.get("last_segment")
        for name, _ in walk(self.path / "recordings"):
            number = segment_of(os.path.basename(name))
            assert number is not None
            newer = number > last and store.is_active(os.path.dirname(name))
            assert (name in rows) + (name in doomed) + newer == 1, name

    def _pictures_are_there(self, reader: sqlite3.Connection, camera: Camera) -> None:
        """Bit for bit and in order; what is missing was destroyed, when it was due and not before."""
        found = [
            data for _, pictures in _read_durable(self.path / "recordings", reader, camera.uuid) for data in pictures
        ]
        expected = [picture.data for picture in camera.taken[: camera.durable] if not picture.gone]
        there = set(found)
        for picture in camera.taken[: camera.durable]:
            if not picture.gone and picture.data not in there:
                picture.gone = True
                segment = picture.segment
                assert segment is not None
                assert not self._is_held(camera, segment), "held, and destroyed"
                dated_us = segment.start_us if self.unknown_us(segment) else None
                least_us = earliest_deadline_us(segment.true_us, segment.retention_days, dated_us)
                early_us = min(least_us, segment.borne_us) - self.clocks.true_us
                assert early_us <= SLACK_US, f"destroyed {early_us / HOUR:.1f} h before its deadline"
        assert found == [data for data in expected if data in there], "other pictures, or another order"
        if self.clock.trusted and self.clock_known:
            for picture in camera.taken[: camera.durable]:
                segment = picture.segment
                if segment is not None and not picture.gone and not self._may_be_held(camera, segment):
                    late_us = self.clocks.true_us - segment.deadline_us
                    late_us -= min(max(0, segment.start_us - segment.true_us), self.unknown_us(segment))
                    assert late_us <= SLACK_US, f"alive {late_us / HOUR:.1f} h after its deadline"

    def _is_held(self, camera: Camera, segment: Segment, margin_us: int = 0) -> bool:
        return any(
            hold.camera == camera.uuid
            and us_from_at(hold.from_at) < segment.last_us + margin_us
            and us_from_at(hold.to_at) > segment.start_us - margin_us
            for hold in self.holds.values()
        )

    def _may_be_held(self, camera: Camera, segment: Segment) -> bool:
        return self._is_held(camera, segment, 5 * S)

    def _every_second_is_accounted_for(self, reader: sqlite3.Connection, camera: Camera) -> None:
        until_us = now_us()
        first = reader.execute(
            "SELECT min(p.from_us) FROM period p JOIN camera c ON c.id = p.camera WHERE c.uuid = ?", (camera.uuid,)
        ).fetchone()[0]
        if first is None or first >= until_us:
            assert first is None or first - until_us <= JUMP_US, "nothing is accounted for before the far future"
            return
        coverage = read_coverage(reader, camera.uuid, first, until_us, until_us)
        assert coverage is not None
        assert sum(coverage.sums().values()) == coverage.until_us - first, (first, coverage)
        assert not [gap for gap in coverage.gaps if gap.detail == "unaccounted"]

    def _playback_follows_the_clock(self) -> None:
        store = PlaybackStore(self.path / "recordings")
        at = at_from_us(now_us())
        try:
            store.plan(self.cameras[0].uuid, at - timedelta(hours=1), at, at)
            is_open = True
        except PlaybackClosed:
            is_open = False
        assert is_open == self.clock.trusted

    def _playback_shows_what_is_there(self, reader: sqlite3.Connection, camera: Camera) -> None:
        """The last 40 seconds recorded, as one film: every part in it. Of what overlaps in labelled time, since the
        clock was set back, from its first key frame on."""
        rows = reader.execute(
            "SELECT s.id, s.start_us, s.end_us, p.header_size, p.entries FROM segment s JOIN part p ON p.segment = s.id"
            " JOIN camera c ON c.id = s.camera WHERE c.uuid = ? AND s.deadline_us > ?"
            " AND p.entries <> x'' ORDER BY s.id",
            (camera.uuid, max(now_us(), self._due_us())),
        ).fetchall()
        if not rows or not self.clock.trusted:
            return
        to_us = rows[-1][2]
        from_us = to_us - 40 * S
        recordings = self.path / "recordings"
        now = at_from_us(now_us())
        plan = PlaybackStore(recordings).plan(camera.uuid, at_from_us(from_us), at_from_us(to_us), now)
        film = VirtualMp4(plan)
        shown = b"".join(film.read(0, film.size, now))
        for number, start_us, _, header_size, packed in rows:
            data = (recordings / file_name(camera.uuid, start_us, number)).read_bytes()
            entries = [entry for entry in unpack_entries(packed, start_us, header_size) if entry.at_us >= from_us]
            for entry in itertools.dropwhile(lambda entry: not entry.is_key, entries):
                if entry.at_us + us_from_90k(entry.duration_90k) <= to_us:
                    assert data[entry.offset + entry.header_size : entry.offset + entry.size] in shown

    def _due_us(self) -> int:
        assert self.writer is not None
        return int(self.writer.store.index.get("clock_due_us") or 0)


def _read(recordings: Path, camera: str) -> Iterator[tuple[int, list[bytes]]]:
    """Every whole picture in a camera's files, by the files alone, in the order of their numbers."""
    for path in sorted((recordings / camera).rglob("*.mp4"), key=lambda path: path.name[-14:]):
        number = segment_of(path.name)
        assert number is not None
        yield number, _pictures(path.read_bytes())


def _read_durable(recordings: Path, reader: sqlite3.Connection, camera: str) -> Iterator[tuple[int, list[bytes]]]:
    for number, start_us, length in reader.execute(
        "SELECT s.id, s.start_us, s.length FROM segment s JOIN camera c ON c.id = s.camera WHERE c.uuid = ?"
        " ORDER BY s.id",
        (camera,),
    ):
        with (recordings / file_name(camera, start_us, number)).open("rb") as file:
            yield number, _pictures(file.read(length))


def _pictures(data: bytes) -> list[bytes]:
    """Of a file of ours: parts begin behind `ftyp`, the segment box and `moov`."""
    pictures: list[bytes] = []
    at = 0
    for _ in range(3):
        if at + 8 > len(data):
            return []
        at += int.from_bytes(data[at : at + 4], "big")
    while at + 8 <= len(data):
        try:
            part = parse_part_header(data[at:])
        except ValueError:
            break
        content = data[at + part.header_size : at + part.size]
        if at + part.size > len(data) or hashlib.sha256(content).digest() != read_part_mark(part).sha256:
            break
        offset = at + part.header_size
        for size in part.samples.sizes:
            pictures.append(data[offset : offset + size])
            offset += size
        at += part.size
    return pictures


def make_camera(number: int, retention_days: int, period_us: int, gop: int, ppm: int, begin_us: int) -> Camera:
    order = CameraOrder(
        camera=str(uuid.uuid5(uuid.NAMESPACE_URL, f"history {number}")),
        name=f"caméra {number}",
        main=StreamAddress("rtsp://127.0.0.1/"),
        sub=None,
        adapter="native",
        authorisation="27-2026-001",
        record_from_at=at_from_us(begin_us - 10 * DAY),
        record_to_at=at_from_us(begin_us + 4000 * DAY),
        retention_days=retention_days,
    )
    return Camera(order, period_us, gop, ppm)
