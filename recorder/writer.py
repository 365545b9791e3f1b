"""The thread that owns one storage directory: bounded queue in, waves of sync, destruction, and starting over.

The event loop hands over jobs through `submit` and hears back through one `call_soon_threadsafe`. Nothing that the
disk does can hold the loop up. When anything fails the thread lets go of everything, and opens the directory again
every 2 s as after a crash; jobs made before the failure are dropped, since what they build on is gone.
"""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from recorder.accounts import Accounts, Cause
from recorder.adoption import Adoption, is_needed
from recorder.anchors import tell_anchors
from recorder.breaker import Breaker, planned, read_breakers
from recorder.clock import ClockMemory, ClockState, memory_lost
from recorder.dating import is_of_one_clock, note_boot, settle
from recorder.destruction import destroy_due, destroy_for_space, tell_destroyed
from recorder.files import StorageDirectory, StorageRefused
from recorder.holds import Rulings, restore_holds
from recorder.index import Index, IndexRefused
from recorder.machine import MachineClock, boot_id, never_before, now_us, read_clock
from recorder.rebuild import set_aside
from recorder.recovery import Recovery, recover
from recorder.store import SegmentStore
from streams.awake import Awake, running_awake, timeout

log = logging.getLogger(__name__)

WAVE_S = 1.0
ADOPTION_S = 0.2
"""Of each wave, while files that the index lost are filed again."""
FIRST_DESTROY_S = 3.0
"""At the start, before recording begins: after a long outage far more is due than can go so soon."""
DESTROY_S = 0.3
"""Of each wave, while more is due; playback stays closed until what fell due in the outage is gone."""
_FIRST_BATCH, _BATCH = 2000, 200
HELD_SHARE, HELD_S = 0.02, 120.0
"""What is due and held is looked at again with this share of the time, after so long at the latest: a month of 250
cameras that is held takes seconds."""
COUNT_S = 0.2
"""Of each wave, while the hours of an index of before are added up."""
_COUNTED_AT_ONCE = 10_000
REST_S = 0.1
"""Between looks at the queue: to be woken for each part of hundreds of cameras costs more than the work itself."""
RETRY_S = 2.0
QUEUE_BYTES = 256 * 1024 * 1024
RESERVE_BYTES = 64 * 1024 * 1024
"""Less free space than this, and recording stops while destruction and index still have room to work."""
LOW_BYTES = 2 * 1024 * 1024 * 1024
"""Less free space than this raises an alarm."""
RULING_S = 3.0
ADDED = "added"
"""In the index: its uuid, when it was made together with its directory."""
_STOP_S = 20
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
OWN_FAULTS = 5
"""So many faults of ours one after the other, without a wave between, and the index is taken to be damaged: what only
it knows is worth less than the recording."""

T = TypeVar("T")
Job = Callable[[SegmentStore], object]


@dataclass(frozen=True, slots=True)
class StorageState:
    """How the directory is, as the event loop is told. `code` is empty while all is well.

    `added`: index and directory were made together, and nothing was recorded here before. With a `recovery` (it answers
    again): `places`, from each camera to when it last came to this directory, and `giving_way`, those that didn't
    record here for want of space.
    """

    ready: bool
    epoch: int
    code: str = ""
    detail: str = ""
    free_bytes: int = 0
    index: str | None = None
    index_new: bool = False
    added: bool = False
    recovery: Recovery | None = None
    breakers: tuple[Breaker, ...] = ()
    places: Mapping[str, int] = field(default_factory=dict)
    giving_way: frozenset[str] = frozenset()


class StorageDown(Exception):
    """The directory can't be used now; ask again later."""


class Writer:
    """One storage directory's thread. Methods are for the event loop unless they begin with an underscore."""

    def __init__(
        self,
        path: Path,
        identity_file: Path,
        clock: MachineClock,
        rulings: Rulings,
        on_storage: Callable[[StorageState], None],
        on_clock: Callable[[ClockState], None],
        wave_s: float = WAVE_S,
    ) -> None:
        self._path = path
        self._identity_file = identity_file
        self._clock = clock
        self._rulings = rulings
        self._on_storage = on_storage
        self._on_clock = on_clock
        self._wave_s = wave_s
        self._queue: queue.SimpleQueue[tuple[int, int, Job] | None] = queue.SimpleQueue()
        self._queued_bytes = 0
        self._lock = threading.Lock()
        self._epoch = 0  # of the thread
        self._loop_epoch = -1  # of the last state the loop was told
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop
        self._awake: Awake
        self._thread = threading.Thread(target=self._run, name=f"writer {path.name}", daemon=True)
        self._store: SegmentStore | None = None
        self._adoption: Adoption | None = None
        self._told_clock: ClockState | None = None
        self._told: StorageState | None = None
        self._asked: set[asyncio.Future[Any]] = set()  # questions that aren't answered yet
        self._failure: tuple[Cause, str] | None = None
        self._is_index_damaged = False
        self._own_faults = 0  # since the last wave
        self._ruled = threading.Event()  # not set: holds or releases may lie in the state that this index lacks
        self._destroying = threading.Lock()
        self.free_bytes = 0  # as of the last wave
        self._wanted_bytes = 0  # to be freed of what is past its minimum
        self._held_us = 0  # what is due up to then was looked at: what is left of it is held
        self._held_until_s = 0.0  # until then by the monotonic clock, that isn't looked at again
        self._waved_s: float | None = None  # when the last wave ended, by the monotonic clock

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._awake = running_awake()
        self._thread.start()

    async def stop(self) -> None:
        """Do the jobs that are queued, sync, and end the thread; waits for a stalled disk at most 20 s."""
        self._stopping = True
        self._queue.put(None)
        for _ in range(_STOP_S):  # in seconds: a pause of our own is one
            await asyncio.to_thread(self._thread.join, 1.0)
            if not self._thread.is_alive():
                return
        log.error("storage %s doesn't answer: what it didn't take is lost", self._path)

    def submit(self, job: Job, nbytes: int = 0) -> bool:
        """Hand a job to the thread. False when it would put more than 256 MiB in the queue, and for jobs that bear
        pictures only: the caller's run then ends. Never waits."""
        if nbytes and self._queued_bytes + nbytes > QUEUE_BYTES:
            return False
        if nbytes:
            with self._lock:
                self._queued_bytes += nbytes
        self._queue.put((self._loop_epoch, nbytes, job))
        return True

    @property
    def has_room(self) -> bool:
        """Whether a new run is worth beginning."""
        return self._queued_bytes < QUEUE_BYTES // 2

    @property
    def queue_share(self) -> float:
        """How full the queue is, 0 to 1."""
        return self._queued_bytes / QUEUE_BYTES

    @property
    def overdue_s(self) -> float:
        """For how long a wave should have ended by now: the directory is slow, or stands still. 0 while it is down.

        Without our own pauses: the thread was stopped with the process, and the directory had nothing to do.
        """
        waved_s = self._waved_s
        if waved_s is None:
            return 0.0
        return max(0.0, self._awake.waited_s(waved_s, time.monotonic()) - self._wave_s)

    async def ask(self, question: Callable[[SegmentStore], T]) -> T:
        """Run `question` in the thread, durable when it returns. Raises StorageDown, as soon as the directory fails."""
        answer: asyncio.Future[T] = self._loop.create_future()

        def job(store: SegmentStore) -> None:
            result = question(store)
            store.index.commit()
            self._loop.call_soon_threadsafe(_resolve, answer, result)

        if self._told is None or not self._told.index:
            raise StorageDown(self._path.name)
        self.submit(job)
        self._asked.add(answer)
        try:
            async with timeout(30):
                return await answer
        except TimeoutError:
            raise StorageDown(self._path.name) from None
        finally:
            self._asked.discard(answer)

    def make_room(self, nbytes: int) -> None:
        """Destroy so much of what is past its minimum, in the next waves, as long as the clock is trusted. The next
        call replaces it, and comes late enough: what was destroyed is free once no reader has it open."""
        self._wanted_bytes = nbytes

    async def obey_rulings(self) -> None:
        """There is a new hold or release among the recorder's: nothing is destroyed from now on before it is in force.

        Whether or not the directory answers. Raises StorageDown when it is in the midst of a destruction that stalls.
        """
        self._ruled.clear()
        began_s = time.monotonic()
        while not self._destroying.acquire(blocking=False):
            if self._awake.waited_s(began_s, time.monotonic()) > RULING_S:
                raise StorageDown(self._path.name)
            await asyncio.sleep(0.02)
        self._destroying.release()

    def _run(self) -> None:
        while True:
            try:
                self._start()
                self._work()
                self._close()
                return
            except StorageRefused as error:
                self._fail(error.code, str(error))
            except (OSError, sqlite3.Error, IndexRefused) as error:
                code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                self._is_index_damaged = code in _DAMAGED or (code == sqlite3.SQLITE_ERROR and self._is_too_often())
                self._fail("STORAGE_FAILED", f"{type(error).__name__}: {error}")
            except Exception as error:  # the thread's top: a fault of ours is treated like a failed disk, never silent
                log.exception("our own fault while writing to %s", self._path)
                self._is_index_damaged = self._is_too_often()
                self._fail("STORAGE_FAILED", f"our own fault: {type(error).__name__}")
            if not self._rest():
                return

    def _is_too_often(self) -> bool:
        """One more fault of ours, or a statement that the index doesn't understand: whether it is the index's."""
        self._own_faults += 1
        return self._own_faults == OWN_FAULTS

    def _start(self) -> None:
        """Open, recover, begin to destroy what fell due meanwhile, and only then report ready; playback opens when all
        of it is gone."""
        with contextlib.ExitStack() as failed:
            storage = StorageDirectory.open(self._path, self._identity_file)
            failed.callback(storage.close)
            if self._is_index_damaged:
                log.error("storage %s: the index is damaged, and is brought back from the files", self._path)
                set_aside(storage, now_us())
                self._is_index_damaged = False
            index = Index.open(storage.index_path, storage.identity, now_us())
            failed.callback(index.close)
            failed.callback(index.rollback)
            failed.callback(setattr, self, "_store", None)
            index.put("playback_boot", None)
            stopped = "stopped" if index.get("stopped") else "killed"
            why = self._failure or (Cause.OURS, stopped)
            is_older = is_needed(storage, index, now_us())
            report = recover(storage, index, now_us(), *why)
            index.put("stopped", None)
            if index.created and storage.fresh:
                index.put(ADDED, index.uuid)
            self._ruled.clear()
            self._held_until_s = 0.0
            self._adoption = None
            if is_older:
                self._adoption = Adoption(storage, index, now_us())
                self._adoption.begin()
            accounts = Accounts(index)
            accounts.down(index.get("alive_us", now_us()), *why)  # as the recovery told; here for what memory holds
            self._store = SegmentStore(storage, index, accounts)
            memory = load_memory(index)
            if memory is None and index.get("last_segment"):
                memory = memory_lost(read_clock())
            self._clock.remember(memory)
            self._destroy_for(FIRST_DESTROY_S, _FIRST_BATCH)
            index.commit()
            failed.pop_all()
        self._told_clock = None
        self._report(recovery=report)

    def _work(self) -> None:
        store = self._store
        assert store is not None
        self._waved_s = time.monotonic()
        next_wave_s = self._waved_s + self._wave_s
        while True:
            for _ in range(self._queue.qsize()):
                item = self._queue.get()
                if item is None:
                    self._wave(store)
                    return
                self._do(item, store)
            if time.monotonic() >= next_wave_s:
                self._wave(store)
                self._waved_s = time.monotonic()
                next_wave_s = self._waved_s + self._wave_s
            time.sleep(min(REST_S, self._wave_s))

    def _do(self, item: tuple[int, int, Job], store: SegmentStore | None) -> None:
        epoch, nbytes, job = item
        if nbytes:
            with self._lock:
                self._queued_bytes -= nbytes
        if store is not None and epoch == self._epoch:
            job(store)

    def _wave(self, store: SegmentStore) -> None:
        now = now_us()
        store.storage.check_place()
        store.wave(now)
        store.forget_old_facts(now)
        tell_anchors(store.index, now, now if self._told_clock is None else self._told_clock.due_us)
        if self._adoption is not None and self._adoption.step(time.monotonic() + ADOPTION_S):
            self._adoption = None
        self._count(store.index)
        self._destroy_for(DESTROY_S, _BATCH)
        tell_destroyed(store.index, now)
        store.index.commit()
        self._own_faults = 0
        self._report()

    def _count(self, index: Index) -> None:
        until_s = time.monotonic() + COUNT_S
        while index.count_on(_COUNTED_AT_ONCE) and time.monotonic() < until_s:
            pass

    def _destroy_for(self, seconds: float, limit: int) -> None:
        """Until all that is due is destroyed, or the time is over."""
        until_s = time.monotonic() + seconds
        while self._destroy(limit) and time.monotonic() < until_s:
            pass

    def _destroy(self, limit: int) -> bool:
        """Look at the clock; destroy what is due when it can be trusted; close playback, or open it when nothing that
        was due is left. Whether more may be due."""
        assert self._store is not None
        store = self._store
        state, memory = self._clock.observe()
        index = store.index
        if memory.reason and self._adoption is None and is_of_one_clock(index, memory):
            self._clock.vouch()
        note_boot(index, index.get("clock_boot_id"), memory)
        save_memory(index, memory)
        never_before(state.anchor_us)
        # Before all files are filed, the order of boots isn't known: what was dated ahead waits.
        may_destroy = state.trusted and (self._adoption is not None or settle(index, memory))
        due_us = planned(index, memory, state.due_us) if may_destroy else 0
        with self._destroying:
            if not self._ruled.is_set():
                self._ruled.set()
                restore_holds(store.storage, index, self._rulings, now_us())
                self._held_until_s = 0.0
            destroyed = self._destroy_due(store, due_us, limit) if may_destroy else 0
            if may_destroy and self._wanted_bytes > 0:
                freed = destroy_for_space(store, self._wanted_bytes, due_us, now_us(), limit)
                self._wanted_bytes = max(0, self._wanted_bytes - freed) if freed else 0
        is_done = not state.trusted or (may_destroy and destroyed < limit)
        if is_done:
            index.put("playback_boot", boot_id() if state.trusted else None)
        if self._told_clock is None or self._told_clock.freeze != state.freeze:
            index.commit()  # who is told that the clock is trusted finds playback open
            self._loop.call_soon_threadsafe(self._on_clock, state)
        self._told_clock = state
        return not is_done

    def _destroy_due(self, store: SegmentStore, due_us: int, limit: int) -> int:
        """How many were due and not held."""
        if time.monotonic() >= self._held_until_s:
            self._held_us = 0
        began_s = time.thread_time()
        destroyed = destroy_due(store, due_us, now_us(), limit, self._held_us)
        if destroyed < limit:
            if not self._held_us:
                rest_s = min((time.thread_time() - began_s) / HELD_SHARE, HELD_S)
                self._held_until_s = time.monotonic() + rest_s
            self._held_us = max(self._held_us, due_us)
        return destroyed

    def _report(self, recovery: Recovery | None = None) -> None:
        """Tell the loop when something changed: ready, full, low on space."""
        assert self._store is not None
        free = self.free_bytes = self._store.storage.free_bytes()
        code = "STORAGE_FULL" if free < RESERVE_BYTES else "STORAGE_LOW" if free < LOW_BYTES else ""
        index = self._store.index
        state = StorageState(
            ready=code != "STORAGE_FULL",
            epoch=self._epoch,
            code=code,
            detail=f"{free >> 20} MiB free" if code else "",
            free_bytes=free,
            index=index.uuid,
            index_new=recovery is not None and (self._adoption is not None or self._is_index_lost(index)),
            added=index.get(ADDED) == index.uuid,
            recovery=recovery,
            breakers=tuple(read_breakers(index, self._store.judging)),
            places=self._store.accounts.places() if recovery is not None else {},
            giving_way=self._store.giving_way if recovery is not None else frozenset(),
        )
        told = self._told
        is_new = told is None or (told.ready, told.code, told.breakers) != (state.ready, state.code, state.breakers)
        if recovery is not None or is_new:
            self._tell(state)

    def _is_index_lost(self, index: Index) -> bool:
        return index.created and self._store is not None and not self._store.storage.fresh

    def _fail(self, code: str, detail: str) -> None:
        self._epoch += 1
        self._waved_s = None
        self._failure = (Cause.STORAGE, code.lower())
        if self._store is not None:
            store, self._store = self._store, None
            try:
                store.abandon()
                store.index.close()
            except (OSError, sqlite3.Error):
                log.exception("storage %s: letting go failed too", self._path)
            store.storage.close()
        state = StorageState(ready=False, epoch=self._epoch, code=code, detail=detail)
        if self._told is None or (self._told.code, self._told.detail) != (code, detail):
            log.error("storage %s: %s %s", self._path, code, detail)
        self._tell(state)

    def _tell(self, state: StorageState) -> None:
        self._told = state
        self._loop.call_soon_threadsafe(self._hear, state)

    def _hear(self, state: StorageState) -> None:
        if state.epoch != self._loop_epoch:  # what was asked before is dropped
            for answer in self._asked:
                if not answer.done():
                    answer.set_exception(StorageDown(f"{self._path.name}: {state.code}"))
        self._loop_epoch = state.epoch
        self._on_storage(state)

    def _rest(self) -> bool:
        """Wait before the next attempt, dropping what comes; False when told to stop."""
        until_s = time.monotonic() + RETRY_S
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                item = self._queue.get(timeout=left_s)
            except queue.Empty:
                return not self._stopping
            if item is None:
                return False
            self._do(item, None)
        return not self._stopping

    def _close(self) -> None:
        assert self._store is not None
        self._store.index.put("stopped", 1)
        self._store.index.commit()
        self._store.index.close()
        self._store.storage.close()
        self._store = None


def _resolve(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


def load_memory(index: Index) -> ClockMemory | None:
    boot = index.get("clock_boot_id")
    if boot is None:
        return None
    anchor_us, due_us, reason = (index.get(f"clock_{name}") for name in ("anchor_us", "due_us", "reason"))
    seen_us, known = (index.get(f"clock_{name}") or 0 for name in ("seen_us", "known"))
    return ClockMemory(boot, anchor_us, due_us, reason or "", seen_us, bool(known))


def save_memory(index: Index, memory: ClockMemory) -> None:
    index.put("clock_boot_id", memory.boot_id)
    index.put("clock_anchor_us", memory.anchor_us)
    index.put("clock_due_us", memory.due_us)
    index.put("clock_reason", memory.reason or None)
    index.put("clock_seen_us", memory.seen_us)
    index.put("clock_known", int(memory.known))
