"""A camera's main stream under whatever happens to it: what it tells the accounts always fits what it is."""

import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorder_support import CAMERA, FORMAT, NeverPaused, bench

from recorder.accounts import Cause
from recorder.camera import RecordedStream
from recorder.coverage import read_coverage
from recorder.degradation import Share
from recorder.disks import Disk
from recorder.feed import StreamFeed
from recorder.index import open_reader
from recorder.machine import now_us, read_anchor
from recorder.orders import CameraOrder, Interruption, StreamAddress
from recorder.store import SegmentStore
from recorder.writer import Job, StorageState, Writer
from streams.errors import CameraError, CameraFault
from streams.packets import Packet

READY = StorageState(ready=True, epoch=0, index="here")
HOUR = timedelta(hours=1)

TO_THE_CAMERA = ["packets", "packets", "lost", "no share", "watched", "full share"]
IN_ITS_ORDERS = ["masked", "unmasked", "planned", "forbidden", "allowed"]
acts = st.sampled_from([*TO_THE_CAMERA, *IN_ITS_ORDERS, "disk full", "disk ready", "wave"])


class _AtOnce(Writer):
    """Jobs done where they are handed over."""

    def __init__(self, store: SegmentStore) -> None:
        self._store = store

    @property
    def has_room(self) -> bool:
        return True

    def submit(self, job: Job, nbytes: int = 0) -> bool:
        assert self._store is not None
        job(self._store)
        return True


def _order() -> CameraOrder:
    now = datetime.now(UTC)
    return CameraOrder(
        camera=CAMERA,
        name="Place",
        main=StreamAddress("rtsp://127.0.0.1/main"),
        sub=None,
        adapter="native",
        authorisation="27-2026-001",
        record_from_at=now - HOUR,
        record_to_at=now + HOUR,
        retention_days=15,
    )


class Life:
    """A stream as the recorder's tick and connection treat it."""

    def __init__(self, store: SegmentStore, path: Path) -> None:
        self.store = store
        self.order = _order()
        self.stream = RecordedStream(self.order, StreamFeed(), read_anchor(), 0, lambda camera: None, NeverPaused())
        self.disk = Disk("recordings", path, _AtOnce(store), READY, ThreadPoolExecutor(1))
        self.began_us = now_us()
        self._pulled = False
        self._pts_90k = 0
        self._follow()
        self.stream.move_to(self.disk)

    def act(self, what: str) -> None:
        stream, now = self.stream, datetime.now(UTC)
        match what:
            case "packets" if self._pulled:
                for n in range(3):
                    self._pts_90k += 90
                    stream.packet(Packet(bytes(50), self._pts_90k, n == 0, time.monotonic(), FORMAT))
            case "lost" if self._pulled:
                stream.lost(CameraError(CameraFault.STALLED, "no picture"))
            case "no share":
                self._give(Share.NONE)
            case "watched":
                self._give(Share.WATCHED)
            case "full share":
                self._give(Share.FULL)
            case "masked" | "planned":
                self._obey(replace(self.order, interruptions=(Interruption(what, now - HOUR, now + HOUR),)))
            case "unmasked":
                self._obey(replace(self.order, interruptions=()))
            case "forbidden":
                self._obey(replace(self.order, record_to_at=now - HOUR / 2))
            case "allowed":
                self._obey(replace(self.order, record_to_at=now + HOUR))
            case "disk full":
                self.disk.state = replace(READY, ready=False)
                stream.storage_lost()
            case "disk ready" if not self.disk.state.ready:
                self.disk.state = READY
                stream.storage_ready()
            case "wave":
                self.store.wave(now_us())
        self._follow()

    def _give(self, share: Share) -> None:
        if share is not self.stream.share:
            self.stream.give(share)

    def _obey(self, order: CameraOrder) -> None:
        self.order = order
        self.stream.obey(order, now_us())

    def _follow(self) -> None:
        shut = self.stream.look(now_us())
        if shut is None and not self._pulled:
            self.stream.connecting()
        elif shut is not None and self.stream.state != shut:
            self.stream.shut(shut)
        self._pulled = shut is None

    def check(self) -> None:
        stream, accounts = self.stream, self.store.accounts
        now = datetime.now(UTC)
        records = accounts.run_of(CAMERA) is not None
        allowed = now < self.order.record_to_at
        windows = {one.cause for one in self.order.interruptions}
        assert records == (stream.state == "recording")
        if records:
            assert allowed
            assert "masked" not in windows
            assert stream.share is Share.FULL
            assert not stream.is_given_up
        elif not allowed:
            assert (stream.state, accounts.gap_cause(CAMERA)) == ("forbidden", Cause.AUTHORISATION)
        elif "masked" in windows:
            assert (stream.state, accounts.gap_cause(CAMERA)) == ("masked", Cause.MASKED)
        elif stream.share is Share.FULL:
            assert stream.state in ("connecting", "live", "lost")
            if stream.state == "lost":
                assert accounts.gap_cause(CAMERA) == (Cause.PLANNED if windows else Cause.CAMERA)
        else:
            assert stream.is_given_up
            assert stream.state == "degraded"  # nobody watches
            assert accounts.gap_cause(CAMERA) == Cause.OURS

    def coverage_adds_up(self) -> None:
        self.stream.stopped()
        end_us = now_us()
        self.store.wave(end_us)
        with closing(open_reader(self.store.storage.index_path)) as reader:
            coverage = read_coverage(reader, CAMERA, self.began_us - 1_000_000, end_us, end_us)
        assert coverage is not None
        ((from_us,),) = self.store.index.query("SELECT min(from_us) FROM period")
        assert sum(coverage.sums().values()) == end_us - from_us
        assert not [gap for gap in coverage.gaps if gap.detail == "unaccounted"]


@contextmanager
def _life() -> Iterator[Life]:
    with tempfile.TemporaryDirectory() as directory, bench(Path(directory), now_us()) as made:
        yield Life(made.store, Path(directory) / "recordings")


@settings(max_examples=60)
@given(st.lists(acts, max_size=25))
def test_state_and_account_agree_whatever_happens(history: list[str]) -> None:
    with _life() as life:
        life.check()
        for what in history:
            life.act(what)
            life.check()
        life.coverage_adds_up()


def test_a_camera_that_is_given_up_is_shown_to_who_watches_and_not_recorded() -> None:
    with _life() as life:
        life.act("packets")
        assert life.stream.state == "recording"
        life.stream.give(Share.WATCHED)
        life.stream.packet(Packet(bytes(50), 90_000, True, time.monotonic(), FORMAT))  # before the next look
        assert (life.stream.state, life.stream.fault) == ("live", "degraded")
        assert life.store.accounts.run_of(CAMERA) is None
        life.stream.give(Share.FULL)
        life.act("packets")
        assert life.stream.state == "recording"
        life.coverage_adds_up()


class _PausedUntil(NeverPaused):
    """It paused, from the first run on, up to this instant of the monotonic clock."""

    def __init__(self, until_s: float) -> None:
        super().__init__()
        self._pauses.append((0.0, until_s))


@pytest.mark.parametrize("fault", [CameraFault.CLOSED, CameraFault.RESET, CameraFault.STALLED])
@pytest.mark.parametrize("paused", [True, False])
def test_what_is_missing_since_a_pause_of_our_own_is_ours(fault: CameraFault, paused: bool) -> None:
    """Up to when the camera is known to give nothing now; from then on it is the camera's, or the network's."""
    with _life() as life:
        life.stream._awake = _PausedUntil(time.monotonic() + (600.0 if paused else -600.0))
        life.act("packets")
        life.stream.end_run(fault.value)
        theirs = Cause.NETWORK if fault is CameraFault.RESET else Cause.CAMERA
        assert life.store.accounts.gap_cause(CAMERA) == (Cause.OURS if paused else theirs)
        life.stream.lost(CameraError(fault, ""))
        assert life.store.accounts.gap_cause(CAMERA) == theirs


class _StandsStill(_AtOnce):
    """The directory takes nothing: what is handed over stays in memory."""

    def __init__(self, store: SegmentStore) -> None:
        super().__init__(store)
        self.jobs: list[Job] = []
        self.nbytes = 0

    def submit(self, job: Job, nbytes: int = 0) -> bool:
        self.jobs.append(job)
        self.nbytes += nbytes
        return True


@pytest.mark.parametrize("gop", [1, 500])
def test_the_queue_knows_what_pictures_of_a_few_bytes_take_in_memory(gop: int) -> None:
    with _life() as life:
        life.act("packets")
        writer = life.disk.writer = _StandsStill(life.store)
        began_s = time.monotonic()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for n in range(5000):
            pts_90k, data = life._pts_90k + 90 + 9 * n, n.to_bytes(5, "big")
            life.stream.packet(Packet(data, pts_90k, n % gop == 0, began_s + n / 10_000, FORMAT))
        life.stream._feed.lost("closed")  # what that remembers is its own
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(writer.jobs) >= 5
        assert (held - before) / 2 < writer.nbytes


def test_a_clock_that_is_reported_otherwise_each_time_is_noted_now_and_then() -> None:
    with _life() as life:
        life.act("packets")
        writer = life.disk.writer = _StandsStill(life.store)
        now, began_s = datetime.now(UTC), time.monotonic()
        for n in range(500):
            life.stream.sender_report(now + timedelta(seconds=n % 2), life._pts_90k, began_s + n / 100)
        assert 5 <= len(writer.jobs) <= 6


def test_a_hole_in_which_we_paused_is_ours() -> None:
    with _life() as life:
        life.act("packets")
        life.stream._awake = _PausedUntil(time.monotonic() + 600.0)
        life.stream.packet(Packet(bytes(50), life._pts_90k + 8 * 90_000, False, time.monotonic() + 8.0, FORMAT))
        assert life.store.accounts.gap_cause(CAMERA) == Cause.OURS
