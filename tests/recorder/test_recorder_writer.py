"""The writer's thread on a disk that fails, fills and stalls; a real thread and real files."""

import asyncio
import errno
import itertools
import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from recorder_support import CAMERA, OTHER, START_US, apply, bench, packets, record, remember_clock

from recorder.accounts import Cause
from recorder.check import check
from recorder.clock import ClockState
from recorder.decisions import Hold, Release, sign_hold, sign_release
from recorder.destruction import destroy_due
from recorder.disks import STALLED_S
from recorder.files import StorageDirectory
from recorder.holds import Rulings, put_hold
from recorder.index import read_facts
from recorder.machine import MachineClock, boot_id, now_us
from recorder.segmenter import Event, PartReady, Segmenter
from recorder.store import SegmentStore
from recorder.writer import StorageDown, StorageState, Writer
from streams.ticks import at_from_us


class Loop:
    """The event loop's side: what it was told, and a camera that hands over its events."""

    def __init__(self, path: Path) -> None:
        self.states: list[StorageState] = []
        self.clocks: list[ClockState] = []
        self._changed = asyncio.Event()
        rulings = Rulings(path / "state" / "holds")
        identity_file = path / "state" / "storage.json"
        self.writer = Writer(
            path / "recordings", identity_file, MachineClock(), rulings, self._told, self.clocks.append, wave_s=0.1
        )

    def _told(self, state: StorageState) -> None:
        self.states.append(state)
        self._changed.set()

    async def until(self, condition: Callable[[StorageState], bool]) -> StorageState:
        async with asyncio.timeout(60):
            while not (self.states and condition(self.states[-1])):
                self._changed.clear()
                await self._changed.wait()
        return self.states[-1]

    def hand_over(self, events: Sequence[Event]) -> bool:
        taken = True
        for event in events:
            size = event.part.data_bytes if isinstance(event, PartReady) else 0
            taken &= self.writer.submit(partial(apply, camera=CAMERA, events=(event,)), size)
        return taken

    async def record(self, seconds: int, start: int = 0) -> None:
        """A run from its first picture to its end, handed over at once."""
        self.writer.submit(_begin)
        segmenter = Segmenter(CAMERA)
        for packet, at_us in packets(25 * seconds, start=25 * start):
            self.hand_over(segmenter.push(packet, at_us))
        self.hand_over(segmenter.end("closed"))


def _begin(store: SegmentStore) -> None:
    if store.accounts.gap_cause(CAMERA) is None:
        store.accounts.gap(CAMERA, START_US, Cause.CAMERA, "connecting")


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    made = Loop(tmp_path)
    made.writer.start()
    await made.until(lambda state: state.ready)
    yield made
    await made.writer.stop()


def _read(store: SegmentStore) -> list[tuple[int, int, str]]:
    store.wave(now_us())
    rows: list[tuple[int, int, str]] = store.index.query("SELECT from_us, to_us, reason FROM run ORDER BY id")
    return rows


async def test_what_is_handed_over_is_durable(loop: Loop, tmp_path: Path) -> None:
    assert loop.states[0].recovery is not None
    await loop.record(10)
    assert await loop.writer.ask(_read) == [(START_US, START_US + 10_000_000, "closed")]
    assert check(tmp_path / "recordings", START_US, True).ok
    assert loop.clocks[0].trusted


async def test_the_end_takes_what_is_queued(tmp_path: Path) -> None:
    made = Loop(tmp_path)
    made.writer.start()
    await made.until(lambda state: state.ready)
    await made.record(30)
    await made.writer.stop()
    again = Loop(tmp_path)
    again.writer.start()
    state = await again.until(lambda state: state.ready)
    assert state.recovery is not None
    assert (state.recovery.repaired, state.recovery.filed) == (0, 0)
    assert await again.writer.ask(_read) == [(START_US, START_US + 30_000_000, "closed")]
    await again.writer.stop()


@pytest.mark.parametrize("operation", ["append", "sync", "create", "sync_directory"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
async def test_a_failed_operation_starts_over_and_says_so(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, number: int
) -> None:
    original = getattr(StorageDirectory, operation)
    calls = 0

    def failing(self: StorageDirectory, *args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 1 or (operation == "append" and calls < 5):
            raise OSError(number, "made to fail")
        return original(self, *args)

    def closed(path: Path, expected_file: Path) -> StorageDirectory:
        raise OSError(number, "made to fail")

    opened = StorageDirectory.open
    monkeypatch.setattr(StorageDirectory, operation, failing)
    monkeypatch.setattr(StorageDirectory, "open", closed)  # until we have asked
    begun = threading.Event()
    loop.writer.submit(lambda store: begun.wait(60))
    await loop.record(10)
    asked = asyncio.create_task(loop.writer.ask(_read))
    await asyncio.sleep(0)  # it is asked, behind what fails
    begun.set()
    async with asyncio.timeout(60):
        with pytest.raises(StorageDown, match="STORAGE_FAILED"):
            await asked
    failed = await loop.until(lambda state: not state.ready)
    assert failed.code == "STORAGE_FAILED"
    with pytest.raises(StorageDown):
        await loop.writer.ask(_read)
    monkeypatch.setattr(StorageDirectory, operation, original)
    monkeypatch.setattr(StorageDirectory, "open", opened)
    await loop.until(lambda state: state.ready)
    await loop.record(5, start=20)
    runs = await loop.writer.ask(_read)
    assert runs[-1] == (START_US + 20_000_000, START_US + 25_000_000, "closed")
    assert all(reason in ("storage_failed", "unfiled") for _, _, reason in runs[:-1])
    facts = await loop.writer.ask(lambda store: read_facts(store.index._db, 0, 1000)["facts"])
    assert [f["cause"] for f in facts if f["kind"] == "gap_opened"][-1] == "camera"
    assert check(tmp_path / "recordings", START_US, True).ok


async def test_a_stalled_disk_fills_the_queue_and_never_waits(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread is held by a job that doesn't come back, as by an operation of such a disk."""
    monkeypatch.setattr("recorder.writer.QUEUE_BYTES", 200_000)
    answers = threading.Event()

    def stand_still(store: SegmentStore) -> None:
        answers.wait(60)

    loop.writer.submit(stand_still)
    loop.writer.submit(_begin)
    segmenter = Segmenter(CAMERA)
    refused_at = None
    for packet, at_us in packets(25 * 60):
        if not loop.hand_over(segmenter.push(packet, at_us)):
            refused_at = at_us
            break
    assert refused_at is not None
    segmenter.discard()
    loop.writer.submit(lambda store: store.end_run(CAMERA, None, "queue", Cause.STORAGE, "queue"))
    answers.set()
    runs = await loop.writer.ask(_read)
    assert [reason for *_, reason in runs] == ["queue"]
    assert runs[0][1] <= refused_at
    assert check(tmp_path / "recordings", START_US, True).ok


async def test_recording_goes_on_while_a_delay_is_shortened_in_a_slow_index(tmp_path: Path) -> None:
    """Each row that is looked at costs milliseconds, as on a disk that has to seek for it."""
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 2))
        made.index.execute(
            "WITH RECURSIVE n(id) AS (SELECT 2 UNION ALL SELECT id + 1 FROM n WHERE id < 1000)"
            " INSERT INTO segment SELECT n.id, camera, run, start_us + n.id * 60000000, end_us + n.id * 60000000,"
            " state, length, media_90k, deadline_us + n.id * 60000000, minimum_us, authorisation, previous, NULL, 0"
            " FROM n, segment s WHERE s.id = 1"
        )
        made.index.put("last_segment", 1000)
        made.store.obey_terms(CAMERA, "27-2026-001", 15)
        made.store.wave(START_US)
    loop = Loop(tmp_path)
    loop.writer.start()
    await loop.until(lambda state: state.ready)
    segmenter = Segmenter(CAMERA)
    stream = packets(25 * 3600, start=25 * 10)

    def slow(store: SegmentStore) -> None:
        store.index._db.set_progress_handler(lambda: time.sleep(0.005), 100)
        store.obey_terms(CAMERA, "27-2026-001", 14)

    def look(store: SegmentStore) -> tuple[bool, int]:
        ((days,),) = store.index.query("SELECT retention_days FROM terms")
        ((to_us,),) = store.index.query("SELECT max(to_us) FROM run")
        return days == 15, to_us

    loop.writer.submit(_begin)
    loop.writer.submit(slow)
    durable_us: set[int] = set()
    goes_on = True
    async with asyncio.timeout(90):
        while goes_on:
            for packet, at_us in itertools.islice(stream, 50):
                loop.hand_over(segmenter.push(packet, at_us))
            goes_on, to_us = await loop.writer.ask(look)
            durable_us.add(to_us)
            assert loop.writer.overdue_s < STALLED_S
    assert len(durable_us) > 6, "pictures became durable meanwhile, wave by wave"
    await loop.writer.stop()


async def test_a_full_disk_stops_recording_but_not_the_index(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.writer.RESERVE_BYTES", 1 << 60)
    full = await loop.until(lambda state: not state.ready)
    assert (full.code, full.index is not None) == ("STORAGE_FULL", True)
    assert await loop.writer.ask(_read) == []
    monkeypatch.setattr("recorder.writer.RESERVE_BYTES", 0)
    monkeypatch.setattr("recorder.writer.LOW_BYTES", 0)
    assert (await loop.until(lambda state: state.ready)).code == ""


async def test_another_recorder_is_refused(loop: Loop, tmp_path: Path) -> None:
    second = Loop(tmp_path)
    second.writer.start()
    assert (await second.until(lambda state: True)).code == "STORAGE_BUSY"
    await second.writer.stop()


async def test_foreign_and_unmounted_directories_are_refused(tmp_path: Path) -> None:
    first = Loop(tmp_path)
    first.writer.start()
    await first.until(lambda state: state.ready)
    await first.writer.stop()
    identity = tmp_path / "recordings" / "identity.json"
    kept = identity.read_text()
    others = json.dumps({"directory": str(uuid.uuid4())})
    refused = ((None, "STORAGE_UNMOUNTED"), ("{}", "STORAGE_FOREIGN"), (others, "STORAGE_FOREIGN"))
    for content, code in (*refused, (kept, "")):
        identity.unlink(missing_ok=True)
        if content is not None:
            identity.write_text(content)
        again = Loop(tmp_path)
        again.writer.start()
        assert (await again.until(lambda state: True)).code == code
        await again.writer.stop()


async def test_a_directory_that_is_swapped_while_it_is_written_to_is_noticed(loop: Loop, tmp_path: Path) -> None:
    """As where a disk is unmounted, and its empty mount point or another's directory comes to light."""
    recordings, away = tmp_path / "recordings", tmp_path / "away"
    recordings.rename(away)
    recordings.mkdir()
    assert (await loop.until(lambda state: not state.ready)).code == "STORAGE_UNMOUNTED"
    await loop.record(5)
    assert list(recordings.iterdir()) == []
    recordings.rmdir()
    away.rename(recordings)
    await loop.until(lambda state: state.ready)
    await loop.record(5, start=10)
    assert [reason for *_, reason in await loop.writer.ask(_read)][-1] == "closed"
    assert check(recordings, START_US, True).ok


async def test_a_full_directory_without_identity_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "somebody's file").write_text("x")
    made = Loop(tmp_path)
    made.writer.start()
    assert (await made.until(lambda state: True)).code == "STORAGE_FOREIGN"
    await made.writer.stop()
    assert [p.name for p in (tmp_path / "recordings").iterdir()] == ["somebody's file"]


async def test_what_fell_due_meanwhile_dies_before_playback_opens(tmp_path: Path) -> None:
    """Also of a camera that is under no orders any more: nobody asks for it, and its clock ran on."""
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 130))
        made.store.accounts.released(CAMERA, START_US + 200_000_000)
        made.index.execute("UPDATE segment SET deadline_us = ?", (START_US,))
        made.index.put("playback_boot", boot_id())
        remember_clock(made.index)
    loop = _Counting(tmp_path)
    loop.writer.start()
    await loop.until(lambda state: state.ready)
    assert loop.left[0] == 0
    assert not list((tmp_path / "recordings" / CAMERA).rglob("*"))
    await loop.writer.stop()


async def test_recording_does_not_wait_for_all_that_fell_due_and_playback_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a long outage: a batch goes at the start, the rest in the waves."""
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 130))
        made.index.execute("UPDATE segment SET deadline_us = ?", (START_US,))
        made.index.put("playback_boot", boot_id())
        remember_clock(made.index)
    monkeypatch.setattr("recorder.writer.FIRST_DESTROY_S", 0.0)
    monkeypatch.setattr("recorder.writer._FIRST_BATCH", 1)
    monkeypatch.setattr("recorder.writer._BATCH", 0)
    loop = Loop(tmp_path)
    loop.writer.start()
    await loop.until(lambda state: state.ready)

    def look(store: SegmentStore) -> tuple[int, bool]:
        ((count,),) = store.index.query("SELECT count(*) FROM segment")
        return count, store.index.get("playback_boot") is not None

    for _ in range(3):
        assert await loop.writer.ask(look) == (2, False)
    assert loop.clocks[-1].trusted
    monkeypatch.setattr("recorder.writer._BATCH", 1)
    async with asyncio.timeout(60):
        while (looked := await loop.writer.ask(look))[0]:
            assert not looked[1]
        while not (await loop.writer.ask(look))[1]:
            pass
    await loop.writer.stop()
    assert not list((tmp_path / "recordings" / CAMERA).rglob("*"))


async def test_a_hold_is_refused_while_a_destruction_stalls_and_the_loop_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being unlinked can't be held any more, and how much that is nobody knows until the disk answers."""
    monkeypatch.setattr("recorder.writer.RULING_S", 2.0)
    stalls, answers = threading.Event(), threading.Event()
    unlink = StorageDirectory.unlink

    def slow(storage: StorageDirectory, name: str) -> bool:
        if name.endswith(".mp4"):
            stalls.set()
            answers.wait(60)
        return unlink(storage, name)

    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 130))
        made.index.execute("UPDATE segment SET deadline_us = ?", (now_us() + 10**12,))
        remember_clock(made.index)
    loop = Loop(tmp_path)
    loop.writer.start()
    await loop.until(lambda state: state.ready)
    monkeypatch.setattr(StorageDirectory, "unlink", slow)
    await loop.writer.ask(lambda store: store.index.execute("UPDATE segment SET deadline_us = ?", (START_US,)))
    await asyncio.to_thread(stalls.wait, 60)
    ruling = asyncio.create_task(loop.writer.obey_rulings())
    turns = 0
    async with asyncio.timeout(60):
        while not ruling.done():
            await asyncio.sleep(0.01)
            turns += 1
    with pytest.raises(StorageDown):
        await ruling
    assert turns > 3
    answers.set()
    monkeypatch.setattr("recorder.writer.RULING_S", 60.0)
    await loop.writer.obey_rulings()
    await loop.writer.stop()


async def test_a_hold_that_comes_while_the_disk_stands_still_is_in_force_before_it_destroys_again(
    tmp_path: Path,
) -> None:
    """The disk stands still on the way to the destruction of what has fallen due; the hold's own job waits behind."""
    with bench(tmp_path) as made:
        for camera in (CAMERA, OTHER):
            record(made.store, camera, packets(25 * 130))
        made.index.execute("UPDATE segment SET deadline_us = ?", (now_us() + 10**12,))
        remember_clock(made.index)
    loop = Loop(tmp_path)
    loop.writer.start()
    await loop.until(lambda state: state.ready)
    stands, answers = threading.Event(), threading.Event()

    def stand_still(store: SegmentStore) -> None:
        store.index.execute("UPDATE segment SET deadline_us = ?", (START_US,))
        stands.set()
        answers.wait(60)

    loop.writer.submit(stand_still)
    await asyncio.to_thread(stands.wait, 60)
    begins_at = at_from_us(START_US)
    hold = Hold(str(uuid.uuid4()), CAMERA, begins_at, begins_at + timedelta(hours=1), "PV 12/2026", begins_at)
    Rulings(tmp_path / "state" / "holds").keep(hold, sign_hold(hold, Ed25519PrivateKey.generate()))
    await loop.writer.obey_rulings()
    answers.set()

    def look(store: SegmentStore) -> list[tuple[str, int]]:
        query = "SELECT c.uuid, count(*) FROM segment s JOIN camera c ON c.id = s.camera GROUP BY 1"
        left: list[tuple[str, int]] = store.index.query(query)
        return left

    async with asyncio.timeout(60):
        while OTHER in dict(await loop.writer.ask(look)):
            pass
    assert dict(await loop.writer.ask(look)) == {CAMERA: 3}
    await loop.writer.stop()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE camera SET uuid = replace(uuid, 'a', '!')",
        "DELETE FROM meta WHERE key = 'last_segment'",
        "ALTER TABLE fact RENAME COLUMN at_us TO at_uz",
    ],
)
async def test_an_index_with_which_nothing_works_is_brought_back_from_the_files(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though SQLite finds no fault with it."""
    monkeypatch.setattr("recorder.writer.RETRY_S", 0.05)
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 100))
        remember_clock(made.index)
        made.index.execute(damage)
        made.index.commit()
    loop = Loop(tmp_path)
    loop.writer.start()
    state = await loop.until(lambda state: state.ready and state.index_new)
    assert state.recovery is not None
    async with asyncio.timeout(60):
        while await loop.writer.ask(lambda store: store.index.get("adopting")) is not None:
            pass
    await loop.record(20, start=200)
    await loop.writer.stop()
    assert check(tmp_path / "recordings", START_US, True).ok
    assert len(list((tmp_path / "recordings").glob("index.old.*Z"))) == 1


async def test_what_is_held_is_not_gone_through_in_each_wave_and_dies_with_its_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What falls due after that look dies all the same."""
    monkeypatch.setattr("recorder.writer.HELD_SHARE", 1e-9)
    begins_at = at_from_us(START_US)
    hold = Hold(str(uuid.uuid4()), CAMERA, begins_at, begins_at + timedelta(hours=1), "PV 12/2026", begins_at)
    key = Ed25519PrivateKey.generate()
    with bench(tmp_path) as made:
        for camera in (CAMERA, OTHER):
            record(made.store, camera, packets(25 * 130))
        due_us = [START_US, now_us() + 10**12]
        made.index.execute("UPDATE segment SET deadline_us = CASE camera WHEN 1 THEN ? ELSE ? END", due_us)
        put_hold(made.storage, made.index, hold, sign_hold(hold, key), START_US)
        remember_clock(made.index)
    loop = Loop(tmp_path)
    looked: list[tuple[int, int]] = []

    def look(store: SegmentStore, due_us: int, now_us: int, limit: int, after_us: int) -> int:
        looked.append((after_us, due_us))
        return destroy_due(store, due_us, now_us, limit, after_us)

    monkeypatch.setattr("recorder.writer.destroy_due", look)
    loop.writer.start()
    await loop.until(lambda state: state.ready)

    def left(store: SegmentStore) -> list[str]:
        query = "SELECT DISTINCT c.uuid FROM segment s JOIN camera c ON c.id = s.camera"
        return [camera for (camera,) in store.index.query(query)]

    soon_us = now_us() + 500_000
    await loop.writer.ask(
        lambda store: store.index.execute("UPDATE segment SET deadline_us = ? WHERE camera = 2", (soon_us,))
    )
    async with asyncio.timeout(60):
        while OTHER in await loop.writer.ask(left):
            pass
    assert await loop.writer.ask(left) == [CAMERA]
    assert len([0 for after_us, _ in looked if not after_us]) == 1, "gone through once"
    release = Release("hold", hold.id, ("first", "second"))
    loop.writer._rulings.release(release, sign_release(release, key))
    await loop.writer.obey_rulings()
    async with asyncio.timeout(60):
        while await loop.writer.ask(left):
            pass
    await loop.writer.stop()


class _Counting(Loop):
    """Also counts the files that there are whenever it is told something."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.left: list[int] = []
        self._recordings = path / "recordings"

    def _told(self, state: StorageState) -> None:
        self.left.append(len(list(self._recordings.rglob("*.mp4"))))
        super()._told(state)
