"""What the start of a recorder does with what the end of the one before left (FORMAT.md, "Start").

The same after SIGKILL, after a power cut, and when a failed disk answers again: nothing is thrown away but the torn
end of a file, and every second of the interruption is in a gap.
"""

import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from legal.retention import LONGEST_DAYS, deadline_at
from recorder.accounts import Accounts, Cause
from recorder.dating import note
from recorder.derived import discard_unfinished
from recorder.destruction import finish_destruction
from recorder.files import StorageDirectory
from recorder.format import (
    HEADER_READ_BYTES,
    NO_HASH,
    PartEntry,
    SegmentHeader,
    file_name,
    pack_entry,
    read_part_mark,
    read_segment_header,
    segment_of,
    start_us_of,
)
from recorder.index import CLOSED, OPEN, Index
from recorder.store import SEGMENT_ROW, SegmentStore
from streams.fmp4 import FormatError, parse_init, parse_part_header
from streams.ticks import at_from_us, us_from_90k, us_from_at

log = logging.getLogger(__name__)

_LONGEST_US = 120_000_000
"""No segment is longer."""
_DAY_US = 86_400_000_000


@dataclass(slots=True)
class Scan:
    """A segment's file as it is: its header, and the parts that are whole from the start on.

    `lost` counts the RTP packets that parts not known to be durable (or all that were asked about) say were missing.
    """

    header: SegmentHeader
    header_size: int
    file_size: int
    length: int
    end_us: int
    media_90k: int
    lost: int
    entries: list[PartEntry]
    digest: bytes

    def is_of(self, name: str) -> bool:
        """Whether the file says that it is the one of this name."""
        return file_name(self.header.camera, self.header.start_us, self.header.segment) == name

    @property
    def deadline_us(self) -> int:
        """The header's, at most the longest delay of the law: a damaged one must not keep pictures for years."""
        return min(self.header.deadline_us, self.header.start_us + LONGEST_DAYS * _DAY_US)


def scan_parts(fd: int, verify_from: int, lost_from: int | None = None) -> Scan:
    """Read a file's header and parts. Sample data at or after `verify_from` (bytes) are hashed: the scan ends at the
    first part whose data differ. RTP packets lost are counted from `lost_from` on, else from there too.
    Raises FormatError when even the header is torn or foreign, OSError."""
    lost_from = verify_from if lost_from is None else lost_from
    size = os.fstat(fd).st_size
    head = os.pread(fd, HEADER_READ_BYTES, 0)
    init = parse_init(head)
    header = read_segment_header(init)
    hasher = hashlib.sha256(head[: init.size])
    scan = Scan(header, init.size, size, init.size, header.start_us, 0, 0, [], b"")
    for entry, lost, part_head, good in _parts(fd, init.size, size, verify_from):
        if not good:
            break
        hasher.update(part_head)
        scan.entries.append(entry)
        scan.length = entry.offset + entry.size
        scan.media_90k += entry.duration_90k
        scan.end_us = entry.at_us + us_from_90k(entry.duration_90k)
        scan.lost += lost if entry.offset >= lost_from else 0
    scan.digest = hasher.digest()
    return scan


def _parts(fd: int, offset: int, size: int, verify_from: int) -> Iterator[tuple[PartEntry, int, bytes, bool]]:
    """The whole parts from `offset` on, with RTP packets lost, header bytes, and whether the hash holds."""
    while offset < size:
        head = os.pread(fd, HEADER_READ_BYTES, offset)
        try:
            part = parse_part_header(head)
            mark = read_part_mark(part)
        except FormatError:
            return
        if offset + part.size > size:
            return
        entry = PartEntry(
            mark.at_us,
            part.base_decode_90k,
            offset,
            part.size,
            part.header_size,
            len(part.samples),
            part.samples.duration_90k,
            part.samples.keys[:1] == (0,),
        )
        good = True
        if offset >= verify_from:
            data = os.pread(fd, part.size - part.header_size, offset + part.header_size)
            good = hashlib.sha256(data).digest() == mark.sha256
        yield entry, mark.lost, head[: part.header_size], good
        offset += part.size


@dataclass(slots=True)
class Recovery:
    """What was found and done. `damaged` names files that had pictures and can't be read: never touched, to be told."""

    repaired: int = 0
    filed: int = 0
    removed: int = 0
    cut_bytes: int = 0
    damaged: list[str] = field(default_factory=list)


def recover(storage: StorageDirectory, index: Index, now_us: int, cause: Cause, detail: str) -> Recovery:
    """Bring index and files together, end the open runs, and account for the time since. Raises OSError, sqlite3.Error.

    Invariant 1 read backwards: a file in an active directory without a row is newer than the last commit; it is cut to
    its last whole part and filed. `cause` and `detail` are of the gaps that begin where the runs end.
    """
    report = Recovery()
    finish_destruction(SegmentStore(storage, index, Accounts(index)), now_us)
    discard_unfinished(storage, index)
    cameras = index.cameras()
    for segment, camera, start_us, length, deadline in index.query(
        "SELECT id, camera, start_us, length, deadline_us FROM segment WHERE state = ? ORDER BY id", (OPEN,)
    ):
        name = file_name(cameras[camera], start_us, segment)
        _repair(storage, index, name, length, deadline, report)
    for segment, name in sorted(_newer_files(storage, index)):
        _repair(storage, index, name, 0, None, report)
        index.put("last_segment", max(segment, index.get("last_segment")))
    _end_runs(index, cause, detail)
    Accounts(index).down(index.get("alive_us", now_us), cause, detail)
    index.commit()
    if report.repaired or report.filed or report.removed:
        log.info("recovery: %s", report)
    return report


def _newer_files(storage: StorageDirectory, index: Index) -> Iterator[tuple[int, str]]:
    last = index.get("last_segment")
    for (directory,) in index.query("SELECT name FROM active_directory"):
        for name in storage.names(directory):
            segment = segment_of(name)
            if segment is not None and segment > last:
                yield segment, f"{directory}/{name}"


def _repair(
    storage: StorageDirectory, index: Index, name: str, durable: int, deadline_us: int | None, report: Recovery
) -> None:
    """Cut one file to its last whole part and file its row. What was promised durable is never cut away."""
    scan = _scan(storage, name, durable)
    if durable and (scan is None or scan.length < durable):
        report.damaged.append(name)
        index.execute("UPDATE segment SET state = ? WHERE id = ?", (CLOSED, segment_of(os.path.basename(name))))
        return
    if scan is None or not (scan.entries or durable):
        if is_torn(storage, name):
            _remove(storage, name, report)
        else:
            report.damaged.append(name)
            file_unread(storage, index, name, None)
        return
    fd = storage.open_existing(name, write=True)
    try:
        storage.truncate(fd, scan.length)
    finally:
        os.close(fd)
    storage.sync_directory(os.path.dirname(name))
    report.cut_bytes += scan.file_size - scan.length
    report.repaired += bool(durable)
    report.filed += not durable
    _file(index, scan, deadline_us)


def _scan(storage: StorageDirectory, name: str, durable: int) -> Scan | None:
    """None for a file that is missing, or whose header can't be read or is another file's."""
    try:
        fd = storage.open_existing(name)
    except FileNotFoundError:
        return None
    try:
        scan = scan_parts(fd, verify_from=durable)
        return scan if scan.is_of(name) else None
    except FormatError:
        return None
    finally:
        os.close(fd)


def is_torn(storage: StorageDirectory, name: str) -> bool:
    """Whether a file of which no part can be used is what a kill or a power cut leaves: it ends within its header or
    its first part, or in zeros, where it got its length before its data. Any other held pictures, and is damaged."""
    fd = storage.open_existing(name)
    try:
        size = os.fstat(fd).st_size
        if not size or os.pread(fd, 1, size - 1) == b"\0":
            return True
        first = parse_init(os.pread(fd, HEADER_READ_BYTES, 0)).size
        return first + parse_part_header(os.pread(fd, HEADER_READ_BYTES, first)).size > size
    except FormatError:
        return size < 2 * HEADER_READ_BYTES
    finally:
        os.close(fd)


def file_unread(storage: StorageDirectory, index: Index, name: str, deadline_us: int | None) -> None:
    """What can't be read isn't shown; but it has a row, so that it dies: when its header says, at the latest after
    the longest delay of the law."""
    camera, number = name.split("/", 1)[0], segment_of(os.path.basename(name)) or 0
    start_us = start_us_of(os.path.basename(name)) or 0
    lawful_us = us_from_at(deadline_at(at_from_us(start_us), LONGEST_DAYS))
    deadline_us = lawful_us if deadline_us is None else min(deadline_us, lawful_us)
    index.execute(
        "INSERT INTO segment(id, camera, run, start_us, end_us, state, length, media_90k, deadline_us,"
        " authorisation, previous) VALUES (?, ?, 0, ?, ?, ?, ?, 0, ?, '', ?)",
        (
            number,
            index.camera(camera),
            start_us,
            start_us + _LONGEST_US,
            CLOSED,
            storage.size(name),
            deadline_us,
            NO_HASH,
        ),
    )
    note(index, number, start_us, None)


def _remove(storage: StorageDirectory, name: str, report: Recovery) -> None:
    """A file without one whole part holds no picture, and no row speaks of it."""
    storage.unlink(name)
    storage.sync_directory(os.path.dirname(name))
    report.removed += 1


def _file(index: Index, scan: Scan, deadline_us: int | None) -> None:
    """The closed row of a repaired file, and its run as far as it goes; a row that was there keeps its deadline."""
    header = scan.header
    camera = index.camera(header.camera)
    values = (
        header.segment,
        camera,
        _file_run(index, camera, scan),
        header.start_us,
        scan.end_us,
        CLOSED,
        scan.length,
        scan.media_90k,
        scan.deadline_us if deadline_us is None else min(deadline_us, scan.deadline_us),
        header.minimum_us,
        header.authorisation,
        header.previous,
        scan.digest,
    )
    index.execute(SEGMENT_ROW, values)
    if deadline_us is None:
        note(index, header.segment, header.start_us, header.taken)
    entries = bytearray()
    previous_us = header.start_us
    for entry in scan.entries:
        entries += pack_entry(entry, previous_us)
        previous_us = entry.at_us
    index.execute("INSERT OR REPLACE INTO part VALUES (?, ?, ?)", (header.segment, scan.header_size, bytes(entries)))
    index.set_chain(camera, scan.digest)


def _file_run(index: Index, camera: int, scan: Scan) -> int:
    """The row of the file's run, which may be as new as the file. A run is known by its camera and its start."""
    header = scan.header
    known = index.query(
        "SELECT id FROM run WHERE camera = ? AND from_us = ? ORDER BY id DESC LIMIT 1", (camera, header.run_from_us)
    )
    if known:
        run: int = known[0][0]
    else:
        accounts = Accounts(index)
        before = accounts.run_of(header.camera)
        if before is not None:
            ((end_us,),) = index.query("SELECT to_us FROM run WHERE id = ?", (before,))
            accounts.run_ended(header.camera, end_us, "unfiled", Cause.OURS, "killed")
        elif header.camera not in accounts.cameras():
            accounts.gap(header.camera, header.run_from_us, Cause.OURS, "unfiled")
        run = accounts.run_started(header.camera, header.run_from_us, header.authorisation, header.clock_offset_us)
    index.execute("UPDATE run SET to_us = max(to_us, ?), lost = lost + ? WHERE id = ?", (scan.end_us, scan.lost, run))
    return run


def _end_runs(index: Index, cause: Cause, detail: str) -> None:
    accounts = Accounts(index)
    names = index.cameras()
    for camera, to_us in index.query("SELECT camera, to_us FROM run WHERE reason IS NULL ORDER BY id"):
        accounts.run_ended(names[camera], to_us, detail, cause, detail)
