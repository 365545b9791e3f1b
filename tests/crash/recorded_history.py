"""A recorder's life in fast motion: its real writer and cameras on a real directory, under clocks that are told.

The machine's clocks jump, the camera's too; the process is killed at any operation of a file or of the index, the power
goes, the index is lost or comes from a backup. Here is what happens; what must be true all the while stands in
`history_checks.py`, what it is all made of in `history_model.py`.
"""

import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from disk_model import Choice, Disk, everything
from history_model import INFO, KEY, Applied, Camera, Clocks, MortalOs, Picture, S, Segment, read_files
from recorder_support import Boot, NeverPaused

from recorder import disks, files, machine
from recorder.camera import RecordedStream
from recorder.clock import SETTLED_US, ClockState
from recorder.decisions import Hold, Release, sign_hold, sign_release
from recorder.feed import StreamFeed
from recorder.holds import Rulings, put_hold, release_hold
from recorder.index import Index
from recorder.machine import MachineClock, now_us, read_anchor
from recorder.store import NewSegment, SegmentStore
from recorder.writer import StorageState, Writer
from streams.errors import CameraError, CameraFault
from streams.packets import Packet
from streams.ticks import at_from_us, ticks_from_us


class _Loop:
    """The event loop, for what the writer tells: at once."""

    def call_soon_threadsafe(self, call: Callable[..., None], *args: Any) -> None:
        call(*args)


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
            self.boots.append(Boot(self.clocks.true_us - self.clocks.boot_us, 0, id=self.clocks.boot))
        root = self.path / "recordings"
        root.mkdir(exist_ok=True)
        self._disk = Disk(root)
        before = self._os
        self._os = MortalOs(root, Applied(self._disk))
        self._os.kill_at = before.kill_at if before is not None and before.kill_at > 0 else -1
        self._patch.setattr(files, "os", self._os)
        self.clock = ClockState(trusted=False, reason="starting", due_us=0)
        self.writer = Wheel(self)
        starting = StorageState(ready=False, epoch=-1, code="STORAGE_STARTING")
        self._place = disks.Disk("recordings", root, self.writer, starting, ThreadPoolExecutor(1))
        for camera in self.cameras:
            camera.stream = RecordedStream(
                camera.order, StreamFeed(), read_anchor(), 0, lambda camera: None, NeverPaused()
            )
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

    def _forget_lost(self, power: bool) -> None:
        """Pictures that a kill may take with it, and did: those of the unfinished part, or behind the last sync."""
        for camera in self.cameras:
            least = camera.durable if power else camera.written
            found = {
                picture for _, pictures in read_files(self.path / "recordings", camera.uuid) for picture in pictures
            }
            kept = least
            while kept < len(camera.taken) and camera.taken[kept].data in found:
                kept += 1
            later = [picture.data for picture in camera.taken[kept:] if picture.data in found]
            assert not later or power, f"{camera.uuid}: pictures found behind lost ones"
            del camera.taken[kept:]
            camera.written = camera.durable = kept
