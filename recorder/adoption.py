"""The index brought back from the files alone (FORMAT.md, "Rebuild"): deleted, damaged, or older than the disk.

Files are read and never changed, but for one: a camera's newest file without a whole part holds no picture and goes.
So does what was derived from pictures and has no row: it can be derived again.
The same work is done at once by `csu index rebuild`, and beside the recording by a recorder that finds its index gone:
it needs only the newest file of each camera before it can go on, and files the others a little in each wave.
"""

import itertools
import logging
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from legal.retention import deadline_at
from recorder.accounts import Cause
from recorder.clock import JUMP_US
from recorder.dating import forget_empty, note
from recorder.derived import discard_unknown, doom
from recorder.files import StorageDirectory
from recorder.format import (
    cameras_among,
    file_name,
    hour_directory,
    pack_entry,
    segment_of,
)
from recorder.index import CLOSED, Index
from recorder.recovery import Scan, file_unread, is_torn, scan_parts
from streams.fmp4 import FormatError
from streams.ticks import at_from_us, us_from_at

log = logging.getLogger(__name__)

ADOPTING = "adopting"
"""The key in `meta` while files may still lack a row: the number of the last segment given before."""
LOST = "index_lost"
_OLDER = "older"
_HOURS_LOOKED_AT = 4
_FILES_OF_A_WAVE = 3
"""More files of one camera than a crash leaves without a row."""
_RECENT_US = 2 * 3_600_000_000
_LAWFUL_US = 120_000_000
_SPARE_NUMBERS = 1_000_000


@dataclass(slots=True)
class Adopted:
    """What was done; `size` is in bytes, of the files that got a row. `damaged`: files left as they are, of which not
    all is whole; `conflicts`: files whose number another file has; `holes`: segments whose predecessor is missing
    without a lawful reason; `gone`: rows without a file, forgotten."""

    segments: int = 0
    size: int = 0
    removed: int = 0
    gone: int = 0
    damaged: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    holes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not (self.damaged or self.conflicts or self.holes)


def is_needed(storage: StorageDirectory, index: Index, now_us: int) -> bool:
    """Whether the disk holds more than a crash leaves without a row: the index is new on a used directory, or a copy of
    an earlier time. To be asked before recovery, whose commit remembers it until `begin`.

    Raises OSError, sqlite3.Error.
    """
    if index.get(ADOPTING) is not None or index.get(_OLDER) is not None:
        return True
    last = index.get("last_segment")
    active = {name for (name,) in index.query("SELECT name FROM active_directory")}
    for camera in cameras_among(storage.names("")):
        names = [name for number, name in _newest_hours(storage, camera, now_us) if number > last]
        if len(names) > _FILES_OF_A_WAVE or any(os.path.dirname(name) not in active for name in names):
            index.put(_OLDER, 1)
            return True
    return False


class Adoption:
    """Files without a row get one. `begin` is what recording has to wait for; `step` is the rest."""

    def __init__(self, storage: StorageDirectory, index: Index, now_us: int) -> None:
        self.report = Adopted()
        self._storage = storage
        self._index = index
        self._now_us = now_us
        self._work = self._run()

    def begin(self) -> None:
        """Numbers and hash chains go on after what is on the disk; facts are numbered under a new uuid.

        Only a camera's newest file may end in a part that isn't whole: it gets its row here.
        """
        index = self._index
        if index.get(ADOPTING) is not None:
            return
        last = index.get("last_segment")
        for camera in cameras_among(self._storage.names("")):
            for number, name in reversed(_newest_hours(self._storage, camera, self._now_us)):
                scan = _scan(self._storage, name, verify=True)
                if scan is not None and scan.entries and scan.is_of(name):
                    if self._row_of(number) is None:
                        self._file(scan)
                    index.set_chain(index.camera(camera), scan.digest)
                    last = max(last, number + _SPARE_NUMBERS)
                    break
                if is_torn(self._storage, name):
                    self._storage.unlink(name)
                    self._storage.sync_directory(os.path.dirname(name))
                    self.report.removed += 1
                else:
                    last = max(last, number + _SPARE_NUMBERS)
        index.renew(str(uuid.uuid4()))
        index.put(ADOPTING, last)
        index.put(_OLDER, None)
        index.put("last_segment", last)
        index.commit()

    def step(self, until_s: float) -> bool:
        """Go on until the monotonic clock says `until_s`; True when all is done. Raises OSError, sqlite3.Error."""
        return all(time.monotonic() < until_s for _ in self._work)

    def _run(self) -> Iterator[None]:
        limit = self._index.get(ADOPTING)
        for camera in cameras_among(self._storage.names("")):
            for directory in _hours(self._storage, camera):
                for number, name in _segments(self._storage, directory):
                    if number <= limit:
                        self._adopt(camera, number, name)
                        yield
        yield from discard_unknown(self._storage, self._index)
        for row, camera in self._index.cameras().items():
            yield from self._forget_gone(row, camera, limit)
            self._bridge_lawful(row, camera)
            yield
        self._account()
        forget_empty(self._index, limit)
        self._index.put(ADOPTING, None)
        report = self.report
        self._index.fact(
            self._now_us,
            "index_rebuilt",
            None,
            segments=report.segments,
            damaged=len(report.damaged),
            conflicts=len(report.conflicts),
            holes=len(report.holes),
            gone=report.gone,
        )
        log.info("index brought back from the files: %s", report)

    def _adopt(self, camera: str, number: int, name: str) -> None:
        known = self._row_of(number)
        if known is not None:
            if (self._index.cameras()[known[0]], name) != (camera, file_name(camera, known[1], number)):
                self.report.conflicts.append(name)
            return
        scan = _scan(self._storage, name, verify=False)
        if scan is None or not scan.is_of(name) or scan.length < scan.file_size:
            self.report.damaged.append(name)
        # Whole and without a part: a kill just after the header was synced. The next file bears its hash.
        if scan is not None and scan.is_of(name) and (scan.entries or scan.length == scan.file_size):
            self._file(scan)
        else:
            file_unread(self._storage, self._index, name, None if scan is None else scan.header.deadline_us)

    def _row_of(self, number: int) -> tuple[int, int] | None:
        """Camera and start of the file that has this number, if any is known, also one marked for destruction."""
        index = self._index
        known: list[tuple[int, int]] = index.query("SELECT camera, start_us FROM segment WHERE id = ?", (number,))
        known = known or index.query("SELECT camera, start_us FROM destroy WHERE segment = ?", (number,))
        return known[0] if known else None

    def _file(self, scan: Scan) -> None:
        header, index = scan.header, self._index
        camera = index.camera(header.camera)
        self.report.segments += 1
        self.report.size += scan.file_size
        entries = bytearray()
        previous_us = header.start_us
        for entry in scan.entries:
            entries += pack_entry(entry, previous_us)
            previous_us = entry.at_us
        index.execute(
            "INSERT INTO segment(id, camera, run, start_us, end_us, state, length, media_90k, deadline_us, minimum_us,"
            " authorisation, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                header.segment,
                camera,
                self._run_of(camera, scan),
                header.start_us,
                scan.end_us,
                CLOSED,
                scan.length,
                scan.media_90k,
                self._deadline_us(camera, scan),
                header.minimum_us,
                header.authorisation,
                header.previous,
                scan.digest,
            ),
        )
        index.execute("INSERT INTO part VALUES (?, ?, ?)", (header.segment, scan.header_size, bytes(entries)))
        note(index, header.segment, header.start_us, header.taken)

    def _run_of(self, camera: int, scan: Scan) -> int:
        """The row of the file's run; a run is known by its camera and its start."""
        header, index = scan.header, self._index
        key = (camera, header.run_from_us)
        known = index.query("SELECT id FROM run WHERE camera = ? AND from_us = ?", key)
        if known:
            run = int(known[0][0])
        else:
            cursor = index.execute(
                "INSERT INTO run(camera, from_us, to_us, reason, lost, clock_offset_us, authorisation)"
                " VALUES (?, ?, ?, ?, 0, ?, ?)",
                (*key, header.run_from_us, LOST, header.clock_offset_us, header.authorisation),
            )
            run = int(cursor.lastrowid or 0)
        values = (scan.end_us, scan.lost, run)
        index.execute("UPDATE run SET to_us = max(to_us, ?), lost = lost + ? WHERE id = ?", values)
        return run

    def _deadline_us(self, camera: int, scan: Scan) -> int:
        """The file's own, or that of the delay now in force when it is earlier."""
        header = scan.header
        terms = self._index.query(
            "SELECT retention_days FROM terms WHERE camera = ? AND authorisation = ?", (camera, header.authorisation)
        )
        if not terms:
            return scan.deadline_us
        return min(scan.deadline_us, us_from_at(deadline_at(at_from_us(header.start_us), terms[0][0])))

    def _forget_gone(self, camera: int, name: str, limit: int) -> Iterator[None]:
        """Rows of a restored index whose files were destroyed since."""
        directories: dict[str, set[str]] = {}
        for segment, start_us, end_us in self._index.query(
            "SELECT id, start_us, end_us FROM segment WHERE camera = ? AND id <= ? ORDER BY id", (camera, limit)
        ):
            path = file_name(name, start_us, segment)
            directory = os.path.dirname(path)
            if directory not in directories:
                directories = {directory: set(self._storage.names(directory))}
                yield
            if os.path.basename(path) not in directories[directory]:
                doom(self._index, [(segment, camera, start_us, end_us)])
                self._index.execute("DELETE FROM segment WHERE id = ?", (segment,))
                self._index.execute("DELETE FROM part WHERE segment = ?", (segment,))
                self.report.gone += 1

    def _bridge_lawful(self, camera: int, name: str) -> None:
        """Holes in the chain next to what is due now were made by destruction: they get a bridge. Others stay visible.

        A segment past its deadline is there because of a hold, or until the purge has run: what followed it may be
        gone by right. So may what came just before a segment that is due; and what followed one that was dated ahead,
        whose own deadline is too late.
        """
        index = self._index
        bridges = set(index.query("SELECT before, after FROM bridge WHERE camera = ?", (camera,)))
        before: bytes | None = None
        before_us = 0
        was_due = False
        for segment, start_us, deadline_us, previous, digest in index.query(
            "SELECT id, start_us, deadline_us, previous, hash FROM segment WHERE camera = ? AND hash IS NOT NULL"
            " ORDER BY id",
            (camera,),
        ):
            if before is not None and before != previous and (before, previous) not in bridges:
                was_ahead = before_us > start_us + JUMP_US
                if was_due or was_ahead or deadline_us <= self._now_us + _LAWFUL_US:
                    index.execute(
                        "INSERT INTO bridge(camera, before, after) VALUES (?, ?, ?)", (camera, before, previous)
                    )
                else:
                    self.report.holes.append(file_name(name, start_us, segment))
            before, before_us, was_due = digest, start_us, deadline_us <= self._now_us

    def _account(self) -> None:
        """What lies between the runs found, and since: a gap of ours. Runs win over it wherever they are.

        Whether a camera was still under orders nobody knows: one that is now, and one that recorded until shortly
        before the others' end, is taken to have been, so that no second is lost from the account.
        """
        index = self._index
        found = index.query(
            "SELECT camera, min(from_us), max(to_us) FROM run WHERE reason = ? GROUP BY camera", (LOST,)
        )
        newest_us = max((last for *_, last in found), default=0)
        for number, first_us, last_us in found:
            known = index.query("SELECT min(from_us) FROM period WHERE camera = ?", (number,))[0][0]
            if known is not None and known <= first_us:
                continue
            is_recent = last_us >= newest_us - _RECENT_US
            until_us: int = last_us if known is None else known
            index.execute("INSERT INTO period(camera, from_us, to_us) VALUES (?, ?, ?)", (number, first_us, until_us))
            self._gap(number, first_us, until_us)
            if known is None and is_recent:
                index.execute("INSERT INTO period(camera, from_us) VALUES (?, ?)", (number, until_us))
                self._gap(number, until_us, None)

    def _gap(self, camera: int, from_us: int, to_us: int | None) -> None:
        self._index.execute(
            "INSERT INTO gap(camera, from_us, to_us, cause, detail) VALUES (?, ?, ?, ?, ?)",
            (camera, from_us, to_us, Cause.OURS, LOST),
        )


def _hours(storage: StorageDirectory, camera: str) -> list[str]:
    """The camera's hour directories, oldest first."""
    level = [camera]
    for _ in range(4):
        level = [f"{above}/{name}" for above in level for name in sorted(storage.names(above)) if name.isdigit()]
    return level


def _newest_hours(storage: StorageDirectory, camera: str, now_us: int) -> list[tuple[int, str]]:
    """The files of the camera's newest hour directories, in the order of their numbers; and of the newest that doesn't
    lie in the future: a clock that was ahead for a while leaves directories that stay the newest."""
    newest = itertools.islice(_directories(storage, camera, 4, None), _HOURS_LOOKED_AT)
    past = itertools.islice(_directories(storage, camera, 4, hour_directory(camera, now_us)), 1)
    return sorted({file for directory in {*newest, *past} for file in _segments(storage, directory)})


def _directories(storage: StorageDirectory, directory: str, depth: int, last: str | None) -> Iterator[str]:
    """The hour directories below that have files, newest first, none behind `last`."""
    if depth == 0:
        if _segments(storage, directory):
            yield directory
        return
    for name in sorted(storage.names(directory), reverse=True):
        below = f"{directory}/{name}"
        if name.isdigit() and (last is None or below <= last[: len(below)]):
            yield from _directories(storage, below, depth - 1, last)


def _segments(storage: StorageDirectory, directory: str) -> list[tuple[int, str]]:
    found = [(segment_of(name), f"{directory}/{name}") for name in storage.names(directory)]
    return sorted((number, name) for number, name in found if number is not None)


def _scan(storage: StorageDirectory, name: str, verify: bool) -> Scan | None:
    """None for a file whose header can't be read."""
    fd = storage.open_existing(name)
    try:
        return scan_parts(fd, verify_from=0 if verify else os.fstat(fd).st_size, lost_from=0)
    except FormatError:
        return None
    finally:
        os.close(fd)
