"""Packets as a camera would send them, and a storage directory with its index."""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from legal.retention import deadline_at
from recorder.accounts import Accounts, Cause
from recorder.adoption import is_needed
from recorder.files import StorageDirectory
from recorder.holds import Rulings
from recorder.index import HOUR_US, Index
from recorder.machine import MachineClock
from recorder.recovery import Recovery, recover
from recorder.segmenter import Event, PartReady, RunEnded, RunStarted, SegmentClosed, Segmenter, SegmentOpened
from recorder.store import NewSegment, SegmentStore
from recorder.writer import StorageState, Writer, save_memory
from streams.awake import Awake
from streams.packets import Packet, VideoFormat
from streams.ticks import at_from_us, us_from_at

CAMERA = "6f6c1a34-8f0e-4b0a-9d57-2f3f2a0b1c01"
OTHER = "0d8f5a0e-23a7-4b54-8a3e-5d3b1f7a9e02"
FORMAT = VideoFormat("h264", 640, 360, bytes.fromhex("674d001e95a0"), bytes.fromhex("68ee3c80"))
START_US = 1_795_441_200_000_000  # 2026-11-23 13:40 UTC
DAY_US = 86_400_000_000


class NeverPaused(Awake):
    """For a test that is its own loop, and may be slow."""

    def __init__(self) -> None:
        super().__init__(0.0)

    def look(self, now_s: float) -> None: ...


def packets(count: int, gop: int = 50, fps: int = 25, seed: int = 0, start: int = 0) -> Iterator[tuple[Packet, int]]:
    """Pictures of random bytes with their UTC: a key frame each `gop`, at an even rate."""
    source = random.Random(seed)
    for n in range(start, start + count):
        size = source.randint(20, 400) * (5 if n % gop == 0 else 1)
        at_us = START_US + n * 1_000_000 // fps
        yield Packet(source.randbytes(size), n * 90_000 // fps, n % gop == 0, at_us / 1e6, FORMAT), at_us


def earliest_deadline_us(true_us: int, days: int, dated_us: int | None = None) -> int:
    """By law, of the true time; or of any between that and a later date, where nothing tells which is true. A picture
    of 29 January is due up to a day before one of 28 January."""
    begins = [true_us]
    if dated_us is not None:
        begins += range(true_us + HOUR_US - true_us % HOUR_US, min(dated_us, true_us + 40 * DAY_US), HOUR_US)
    return min(due_us(at_us, days) for at_us in begins)


def due_us(at_us: int, days: int) -> int:
    """By law, of what is dated so."""
    return us_from_at(deadline_at(at_from_us(at_us), days))


@dataclass(eq=False)
class Boot:
    """When it really began, and how long the recorder has looked at it; whether it came to know the time."""

    zero_us: int
    seen_us: int
    known: bool = False
    id: str = ""


def unknown_us(boots: Sequence[Boot], boot: Boot) -> int:
    """For how long nothing tells when one of these boots ended: to the next that came to know the time."""
    left = boots[boots.index(boot) :]
    if boot.known or len(left) == 1:
        return 0
    off_us = 0
    for one, following in itertools.pairwise(left):
        off_us += following.zero_us - one.zero_us - one.seen_us
        if following.known:
            break
    return off_us


@dataclass
class Bench:
    storage: StorageDirectory
    index: Index
    store: SegmentStore
    recovery: Recovery
    is_older: bool

    def kill(self) -> None:
        """Let go as a killed process would: files stay as they are, the transaction is lost."""
        self.store.abandon()
        self.index.close()
        self.storage.close()


@contextmanager
def bench(path: Path, now_us: int = START_US) -> Iterator[Bench]:
    """Start on a storage directory as the recorder does; what isn't closed at the end is as killed."""
    made = start(path, now_us)
    try:
        yield made
    finally:
        made.kill()


def remember_clock(index: Index) -> None:
    """As a recorder leaves it that ran here before."""
    clock = MachineClock()
    clock.remember(None)
    save_memory(index, clock.observe()[1])
    index.commit()


def start(path: Path, now_us: int = START_US) -> Bench:
    storage = StorageDirectory.open(path / "recordings", path / "state" / "storage.json")
    index = Index.open(storage.index_path, storage.identity, now_us)
    is_older = is_needed(storage, index, now_us)
    recovery = recover(storage, index, now_us, Cause.OURS, "killed")
    accounts = Accounts(index)
    accounts.down(index.get("alive_us", now_us), Cause.OURS, "killed")
    return Bench(storage, index, SegmentStore(storage, index, accounts), recovery, is_older)


def start_writer(path: Path, states: list[StorageState]) -> Writer:
    """A real writer with its thread and quick waves, on the same directory; it tells `states` what happens."""
    memory, rulings = path / "state" / "storage.json", Rulings(path / "state" / "holds")
    writer = Writer(path / "recordings", memory, MachineClock(), rulings, states.append, lambda _: None, wave_s=0.05)
    writer.start()
    return writer


def apply(
    store: SegmentStore, camera: str, events: Iterable[Event], kept_us: int = 15 * DAY_US, cause: Cause = Cause.CAMERA
) -> None:
    """What the camera's recorder does with the segmenter's events, without its thread; `cause`: why a run ended."""
    for event in events:
        match event:
            case RunStarted(at_us):
                store.start_run(camera, at_us, "27-2026-001", None)
            case SegmentOpened(start_us, format):
                new = NewSegment(camera, start_us, format, "27-2026-001", start_us + kept_us, None, None)
                store.open_segment(new)
            case PartReady(part):
                store.append(camera, part)
            case SegmentClosed(end_us):
                store.close_segment(camera, end_us)
            case RunEnded(end_us, reason):
                store.end_run(camera, end_us, reason, cause, reason)


def record(
    store: SegmentStore,
    camera: str,
    stream: Iterator[tuple[Packet, int]],
    end: bool = True,
    wave: int = 25,
    sync: bool = True,
    days: int = 15,
) -> Segmenter:
    """Record packets with a wave of sync after each `wave` packets; the run stays open unless `end`."""
    segmenter = Segmenter(camera)
    if camera not in store.accounts.cameras():
        store.accounts.gap(camera, START_US, Cause.CAMERA, "connecting")
    at_us = START_US
    for n, (packet, at_us) in enumerate(stream, 1):
        apply(store, camera, segmenter.push(packet, at_us), days * DAY_US)
        if n % wave == 0:
            store.wave(at_us)
    if end:
        apply(store, camera, segmenter.end("closed"), days * DAY_US)
        if sync:
            store.wave(at_us)
    return segmenter
