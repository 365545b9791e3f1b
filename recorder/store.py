"""What is recorded on one storage directory: segments from parts, in the written order of FORMAT.md.

Synchronous, in the writer's thread. Any OSError or sqlite3.Error that leaves a method means that memory and disk may
differ: the caller drops the whole object and opens the directory again, as after a crash.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from recorder.accounts import Accounts, Cause
from recorder.breaker import is_withheld, released_terms
from recorder.clock import BootTime
from recorder.dating import note
from recorder.files import StorageDirectory
from recorder.format import (
    Part,
    PartEntry,
    SegmentHeader,
    file_header,
    file_name,
    hour_directory,
    pack_entry,
    pack_part,
)
from recorder.index import CLOSED, HOUR_US, OPEN, Index
from recorder.shortening import Shortening, Shorter, set_terms
from streams.packets import VideoFormat
from streams.ticks import us_from_90k

log = logging.getLogger(__name__)

SEGMENT_ROW = (
    "INSERT INTO segment(id, camera, run, start_us, end_us, state, length, media_90k, deadline_us, minimum_us,"
    " authorisation, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE"
    " SET end_us = excluded.end_us, state = excluded.state, length = excluded.length,"
    " media_90k = excluded.media_90k, hash = excluded.hash"
)
"""A segment's row, new or grown; what it was born with stays."""
_GIVING_WAY = "giving_way"
"""The key in `meta` for the cameras that don't record here for want of space."""
_SHORTEN_S = 0.3
"""For so long a wave brings deadlines forward, at most."""
_FACTS_KEPT_US = 30 * 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class NewSegment:
    """What a segment is born with, decided by the orders in force. Times in UTC microseconds; `taken`: when its first
    picture was taken, by a clock that nobody sets."""

    camera: str
    start_us: int
    format: VideoFormat
    authorisation: str
    deadline_us: int
    minimum_us: int | None
    clock_offset_us: int | None
    taken: BootTime | None = None


@dataclass(slots=True)
class _Open:
    """A file being written, and how much of it the index knows."""

    header: SegmentHeader
    camera: int
    name: str
    fd: int
    length: int
    header_size: int
    end_us: int
    hasher: "hashlib._Hash"
    media_90k: int = 0
    last_at_us: int = 0
    parts: int = 0
    lost: int = 0
    entries: bytearray = field(default_factory=bytearray)
    dirty: bool = True
    closed: bool = False


class SegmentStore:
    """Invariant 1: a file is in a segment row, in a destroy row, or is newer than the last committed row and lies in
    an active directory."""

    def __init__(self, storage: StorageDirectory, index: Index, accounts: Accounts) -> None:
        self.storage = storage
        self.index = index
        self.accounts = accounts
        self._last: int = index.get("last_segment")
        self._open: dict[str, _Open] = {}
        self._changed: list[_Open] = []
        self._new_directories: set[str] = set()
        self._shortened: dict[tuple[str, str], Shorter] = {}  # by camera and authorisation, in the order they came
        self._shortening: Shortening | None = None  # the first of them, begun
        self.apply_released()
        self._hour_us = 0
        self._of_hour: frozenset[str] = frozenset()  # its directories, of all cameras under orders here
        self._active = {name for (name,) in index.query("SELECT name FROM active_directory")}

    def start_run(self, camera: str, at_us: int, authorisation: str, clock_offset_us: int | None) -> None:
        self.accounts.run_started(camera, at_us, authorisation, clock_offset_us)

    def end_run(self, camera: str, end_us: int | None, reason: str, cause: Cause, detail: str) -> None:
        """End the camera's run, where its last part ends when `end_us` is None. Nothing happens without a run."""
        run = self.accounts.run_of(camera)
        if run is None:
            return
        segment = self._open.get(camera)
        if segment is not None:
            self.close_segment(camera, segment.end_us if end_us is None else end_us)
        if end_us is None:
            (end_us,) = self.index.query("SELECT to_us FROM run WHERE id = ?", (run,))[0]
            end_us = segment.end_us if segment is not None else end_us
        self.accounts.run_ended(camera, end_us, reason, cause, detail)

    def open_segment(self, new: NewSegment) -> None:
        """Create the file, with its header. Its directory is in the index, durably, before the file is in it."""
        run = self.accounts.run_of(new.camera)
        if run is None or new.camera in self._open:
            raise ValueError(f"camera {new.camera}: no run, or a segment is open")
        camera = self.index.camera(new.camera)
        self._last += 1
        ((run_from_us,),) = self.index.query("SELECT from_us FROM run WHERE id = ?", (run,))
        header = SegmentHeader(
            index=self.index.uuid,
            segment=self._last,
            camera=new.camera,
            stream="main",
            run=run,
            run_from_us=run_from_us,
            start_us=new.start_us,
            authorisation=new.authorisation,
            deadline_us=new.deadline_us,
            minimum_us=new.minimum_us,
            previous=self.index.chain(camera),
            clock_offset_us=new.clock_offset_us,
            boot=None if new.taken is None else new.taken.boot_id,
            boot_us=None if new.taken is None else new.taken.us,
        )
        name = file_name(new.camera, new.start_us, self._last)
        directory = os.path.dirname(name)
        if directory not in self._active:
            self._activate(directory, new.start_us - new.start_us % HOUR_US)
        self.storage.make_directory(directory)
        data = file_header(header, new.format)
        fd = self.storage.create(name)
        segment = _Open(header, camera, name, fd, 0, len(data), new.start_us, hashlib.sha256(data))
        self._open[new.camera] = segment
        self._changed.append(segment)
        self._new_directories.add(directory)
        note(self.index, self._last, new.start_us, new.taken)
        segment.length = self.storage.append(fd, [data])
        segment.last_at_us = new.start_us

    def _activate(self, directory: str, hour_us: int) -> None:
        """Files may be in this directory from now on, and in those of the same hour of all cameras under orders here:
        at a start, and when an hour begins, hundreds come one after the other, and one commit does for all."""
        names = {directory}
        if hour_us >= self._hour_us:
            names |= {hour_directory(camera, hour_us) for camera in self.accounts.cameras()}
            self._hour_us, self._of_hour = hour_us, frozenset(names)
        names -= self._active
        self.index.execute_many("INSERT INTO active_directory VALUES (?)", [(name,) for name in sorted(names)])
        self.index.commit()
        self._active |= names

    def append(self, camera: str, part: Part) -> None:
        """Hash a part, and write it with its header in one go."""
        segment = self._open[camera]
        segment.parts += 1
        header, data = pack_part(part, segment.parts)
        size = self.storage.append(segment.fd, [header, data])
        segment.hasher.update(header)
        duration_90k = part.duration_90k
        entry = PartEntry(
            part.at_us, part.base_90k, segment.length, size, len(header), len(part.data), duration_90k, part.is_key
        )
        segment.entries += pack_entry(entry, segment.last_at_us)
        segment.length += size
        segment.media_90k += duration_90k
        segment.last_at_us = part.at_us
        segment.end_us = part.at_us + us_from_90k(duration_90k)
        segment.lost += part.lost
        if part.repaired:
            self.accounts.note_repaired(camera, part.repaired)
        if not segment.dirty:
            segment.dirty = True
            self._changed.append(segment)

    def close_segment(self, camera: str, end_us: int) -> None:
        """The file is complete. It is synced at once: the next one bears its hash, and must not outlive its end."""
        segment = self._open.pop(camera)
        segment.end_us = max(end_us, segment.header.start_us)
        segment.closed = True
        try:
            self.storage.sync(segment.fd)
        finally:
            os.close(segment.fd)
        self.index.set_chain(segment.camera, segment.hasher.digest())
        if not segment.dirty:
            segment.dirty = True
            self._changed.append(segment)

    def wave(self, now_us: int) -> None:
        """Sync what was written, then advance the durable lengths in one transaction."""
        self._write_changed()
        self._shorten(now_us)
        idle = self._active - self._of_hour - {os.path.dirname(s.name) for s in self._open.values()}
        if idle:
            self.index.execute_many("DELETE FROM active_directory WHERE name = ?", [(name,) for name in idle])
        self.accounts.look(now_us)
        self.index.put("alive_us", now_us)
        self.index.commit()
        self._active -= idle

    def _write_changed(self) -> None:
        changed, self._changed = self._changed, []
        growing = [segment for segment in changed if not segment.closed]
        for segment in growing:
            self.storage.begin_sync(segment.fd)
        for segment in growing:
            self.storage.sync(segment.fd)
        for segment in changed:
            segment.dirty = False
        for directory in self._new_directories:
            self.storage.sync_directory(directory)
        self._new_directories.clear()
        for segment in changed:
            self._write_row(segment)
        if changed:
            self._advance_runs(changed)
            self.index.put("last_segment", self._last)

    def forget_old_facts(self, now_us: int) -> None:
        self.index.forget_facts(now_us - _FACTS_KEPT_US)

    def abandon(self) -> None:
        """Let go of files and transaction without writing anything."""
        for segment in self._open.values():
            os.close(segment.fd)
        self._open.clear()
        self.index.rollback()

    def is_active(self, directory: str) -> bool:
        return directory in self._active

    def _write_row(self, segment: _Open) -> None:
        header = segment.header
        digest = segment.hasher.digest() if segment.closed else None
        self.index.execute(
            SEGMENT_ROW,
            (
                header.segment,
                segment.camera,
                header.run,
                header.start_us,
                segment.end_us,
                CLOSED if segment.closed else OPEN,
                segment.length,
                segment.media_90k,
                header.deadline_us,
                header.minimum_us,
                header.authorisation,
                header.previous,
                digest,
            ),
        )
        self.index.execute(
            "INSERT INTO part VALUES (?, ?, ?) ON CONFLICT(segment) DO UPDATE SET entries = excluded.entries",
            (header.segment, segment.header_size, bytes(segment.entries)),
        )

    def _advance_runs(self, changed: list[_Open]) -> None:
        rows = []
        for segment in changed:
            rows.append((segment.lost, segment.end_us, segment.header.run))
            segment.lost = 0
        self.index.execute_many(
            "UPDATE run SET lost = lost + ?, to_us = CASE WHEN reason IS NULL THEN max(to_us, ?) ELSE to_us END"
            " WHERE id = ?",
            rows,
        )

    def obey_terms(self, camera: str, authorisation: str, retention_days: int, act_us: int = 0) -> None:
        """The delay that an authorisation now fixes, by the orders of `act_us`. A shorter one brings deadlines forward,
        in the next waves."""
        values = (self.index.camera(camera), authorisation)
        known = self.index.query("SELECT retention_days FROM terms WHERE camera = ? AND authorisation = ?", values)
        if known and known[0][0] <= retention_days:
            self._shortened.pop((camera, authorisation), None)
            set_terms(self.index, *values, retention_days)
        else:
            is_judged = is_withheld(self.index, *values, retention_days)
            self._shortened[camera, authorisation] = Shorter(retention_days, act_us, is_judged)

    @property
    def judging(self) -> frozenset[int]:
        """The orders that shorten delays and that aren't judged for all cameras here yet."""
        return frozenset(one.act_us for one in self._shortened.values() if not one.is_judged)

    def set_priority(self, camera: str, priority: int) -> None:
        """When space runs out the cameras of the highest number give up their footage first."""
        self.index.execute("UPDATE camera SET priority = ? WHERE id = ?", (priority, self.index.camera(camera)))

    @property
    def giving_way(self) -> frozenset[str]:
        """Cameras that didn't record here for want of space at the last look, also over a restart."""
        return frozenset(json.loads(self.index.get(_GIVING_WAY) or "[]"))

    def give_way(self, cameras: Collection[str]) -> None:
        self.index.put(_GIVING_WAY, json.dumps(sorted(cameras)) if cameras else None)

    def apply_released(self) -> None:
        """Shorter delays that two persons have released are applied, in the next waves."""
        for camera, authorisation, days, act_us in released_terms(self.index):
            self._shortened[camera, authorisation] = Shorter(days, act_us, is_judged=True)

    def _shorten(self, now_us: int) -> None:
        """Go on bringing deadlines forward, camera by camera, as long as a wave may last for it."""
        until_s = time.monotonic() + _SHORTEN_S
        while self._shortened:
            (camera, authorisation), shorter = next(iter(self._shortened.items()))
            if self._shortening is None or self._shortening.shorter is not shorter:
                number = self.index.camera(camera)
                self._shortening = Shortening(self.index, number, authorisation, shorter)
            if self._shortening.step(now_us):
                del self._shortened[camera, authorisation]
                self._shortening = None
            if time.monotonic() >= until_s:
                return
