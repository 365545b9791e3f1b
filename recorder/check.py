"""Whether index and files agree: what `csu check` finds. Reads only, also while the recorder runs.

`deep` reads every byte: the hash of each part, of each segment, and the chain from one segment to the next.
"""

import hashlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from recorder.derived import DIRECTORY as DERIVED
from recorder.derived import Derived, read_derived
from recorder.files import INDEX, cameras_on, walk, walk_camera
from recorder.format import HEADER_READ_BYTES, file_name, read_part_mark, read_segment_header, segment_of
from recorder.index import CLOSED, open_reader
from streams.fmp4 import FormatError, parse_init, parse_part_header

OVERDUE_US = 600_000_000
"""A deadline passed by this much, with the file still there, is a fault."""

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Report:
    """Names are paths inside the storage directory."""

    segments: int = 0
    missing_files: list[str] = field(default_factory=list)
    orphan_files: list[str] = field(default_factory=list)
    bad_hashes: list[str] = field(default_factory=list)
    overdue: list[str] = field(default_factory=list)
    bytes_read: int = 0

    @property
    def ok(self) -> bool:
        return not (self.missing_files or self.orphan_files or self.bad_hashes or self.overdue)


@dataclass(frozen=True, slots=True)
class _Row:
    segment: int
    camera: str
    name: str
    state: int
    length: int
    deadline_us: int
    previous: bytes
    digest: bytes | None


def check(storage: Path, now_us: int, deep: bool, progress: Progress | None = None) -> Report:
    """Compare one storage directory's index and files, camera by camera: a month of 250 has ten million segments, and
    memory that this took would be the recorder's. Raises sqlite3.Error, OSError."""
    report = Report()
    copies = dict(walk(storage, DERIVED))
    with closing(open_reader(storage / INDEX)) as connection:
        derived = read_derived(connection)
        (total,) = connection.execute("SELECT coalesce(sum(length), 0) FROM segment").fetchone()
        known = {camera for (camera,) in connection.execute("SELECT uuid FROM camera")}
        for camera in sorted(known.union(cameras_on(storage))):
            # Files first: one that comes after them is in the index or newer than it; one that goes, goes from both.
            files = dict(walk_camera(storage, camera))
            one = _read_camera(connection, camera)
            _check_camera(storage, files, one, now_us, report)
            if deep:
                _check_content(storage, one, total, report, progress)
    _check_derived(storage, copies, derived, now_us, report)
    return report


@dataclass(frozen=True, slots=True)
class _Camera:
    """What the index says of one camera at one instant. `held`: segments that a hold keeps, whatever their deadline;
    `doomed`: files marked for destruction; `active`: directories that may hold files with numbers over `last`."""

    rows: list[_Row]
    held: set[int]
    doomed: set[str]
    active: set[str]
    last: int
    bridges: set[tuple[bytes, bytes]]


def _read_camera(connection: sqlite3.Connection, camera: str) -> _Camera:
    connection.execute("BEGIN")
    try:
        (number,) = connection.execute("SELECT id FROM camera WHERE uuid = ?", (camera,)).fetchone() or (None,)
        (last,) = connection.execute("SELECT value FROM meta WHERE key = 'last_segment'").fetchone()
        rows = connection.execute(
            "SELECT id, start_us, state, length, deadline_us, previous, hash FROM segment WHERE camera = ? ORDER BY id",
            (number,),
        )
        held = connection.execute(
            "SELECT s.id FROM hold h CROSS JOIN segment s ON s.camera = h.camera AND s.start_us < h.to_us"
            " AND s.end_us > h.from_us WHERE h.camera = ?",
            (number,),
        )
        doomed = connection.execute("SELECT start_us, segment FROM destroy WHERE camera = ?", (number,))
        active = connection.execute("SELECT name FROM active_directory WHERE name LIKE ?", (f"{camera}/%",))
        return _Camera(
            rows=[
                _Row(segment, camera, file_name(camera, start_us, segment), *rest) for segment, start_us, *rest in rows
            ],
            held={segment for (segment,) in held},
            doomed={file_name(camera, start_us, segment) for start_us, segment in doomed},
            active={name for (name,) in active},
            last=last,
            bridges=set(connection.execute("SELECT before, after FROM bridge WHERE camera = ?", (number,))),
        )
    finally:
        connection.execute("COMMIT")


def _check_camera(storage: Path, files: dict[str, int], camera: _Camera, now_us: int, report: Report) -> None:
    report.segments += len(camera.rows)
    for name in sorted(files.keys() - {row.name for row in camera.rows} - camera.doomed):
        number = segment_of(os.path.basename(name))
        newer = number is not None and number > camera.last and os.path.dirname(name) in camera.active
        if not newer and (storage / name).exists():
            report.orphan_files.append(name)
    for row in camera.rows:
        if row.deadline_us + OVERDUE_US < now_us and row.state == CLOSED and row.segment not in camera.held:
            report.overdue.append(row.name)
        if _is_missing(storage, row, files.get(row.name)):
            report.missing_files.append(row.name)


def _check_derived(storage: Path, files: dict[str, int], derived: list[Derived], now_us: int, report: Report) -> None:
    """Each derived file has a row and each row that isn't marked its file, and none outlives its parents."""
    for name in sorted(files.keys() - {one.name for one in derived}):
        if (storage / name).exists():
            report.orphan_files.append(name)
    for one in derived:
        if one.state != CLOSED:
            continue
        if files.get(one.name, -1) != one.length and not (storage / one.name).exists():
            report.missing_files.append(one.name)
        if not one.is_held and one.deadline_us + OVERDUE_US < now_us:
            report.overdue.append(one.name)


def _is_missing(storage: Path, row: _Row, size: int | None) -> bool:
    """Not there, or shorter than its durable length; looked at again, since the walk was before the index."""
    if size is not None and size >= row.length:
        return False
    try:
        return (storage / row.name).stat().st_size < row.length
    except FileNotFoundError:
        return True


def _check_content(storage: Path, camera: _Camera, total_bytes: int, report: Report, progress: Progress | None) -> None:
    missing = set(report.missing_files)
    before: bytes | None = None
    for row in camera.rows:
        broken = before is not None and before != row.previous and (before, row.previous) not in camera.bridges
        before = row.digest
        if row.name in missing:
            continue
        try:
            good = _content_holds(storage / row.name, row)
        except FileNotFoundError:
            continue  # destroyed while we read
        if broken or not good:
            report.bad_hashes.append(row.name)
        report.bytes_read += row.length
        if progress is not None:
            progress(report.bytes_read, max(total_bytes, report.bytes_read))


def _content_holds(path: Path, row: _Row) -> bool:
    """The row's and the header's account of the file against every byte of it, up to its durable length."""
    with path.open("rb") as file:
        fd = file.fileno()
        try:
            init = parse_init(os.pread(fd, HEADER_READ_BYTES, 0))
            header = read_segment_header(init)
            hasher = hashlib.sha256(os.pread(fd, init.size, 0))
            offset = init.size
            while offset < row.length:
                offset += _part_holds(fd, offset, row.length, hasher)
        except FormatError:
            return False
    if offset != row.length or (header.segment, header.camera) != (row.segment, row.camera):
        return False
    return header.previous == row.previous and (row.state != CLOSED or hasher.digest() == row.digest)


def _part_holds(fd: int, offset: int, end: int, hasher: "hashlib._Hash") -> int:
    """The part's size. Raises FormatError where it reaches beyond `end`, or its data differ from its hash."""
    head = os.pread(fd, HEADER_READ_BYTES, offset)
    part = parse_part_header(head)
    mark = read_part_mark(part)
    if offset + part.size > end:
        raise FormatError(f"part at {offset} of {part.size} bytes")
    data = os.pread(fd, part.size - part.header_size, offset + part.header_size)
    if hashlib.sha256(data).digest() != mark.sha256:
        raise FormatError(f"part at {offset} differs from its hash")
    hasher.update(head[: part.header_size])
    return part.size
