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
from recorder.files import INDEX, walk
from recorder.format import HEADER_READ_BYTES, file_name, read_part_mark, read_segment_header, segment_of
from recorder.index import CLOSED, open_reader
from streams.fmp4 import FormatError, parse_init, parse_part_header

_READ_BYTES = 8 * 1024 * 1024
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
    """Compare one storage directory's index and files. Raises sqlite3.Error, OSError."""
    # Files first: one that comes after them is in the index or newer than it; one that goes, goes from both.
    files = dict(walk(storage))
    copies = dict(walk(storage, DERIVED))
    with closing(open_reader(storage / INDEX)) as connection:
        connection.execute("BEGIN")
        rows = _rows(connection)
        held = _held(connection)
        doomed = _doomed(connection)
        derived = read_derived(connection)
        active = {name for (name,) in connection.execute("SELECT name FROM active_directory")}
        (last,) = connection.execute("SELECT value FROM meta WHERE key = 'last_segment'").fetchone()
        bridges = _bridges(connection)
    report = Report(segments=len(rows))
    for name in sorted(files.keys() - {row.name for row in rows} - doomed):
        number = segment_of(os.path.basename(name))
        newer = number is not None and number > last and os.path.dirname(name) in active
        if not newer and (storage / name).exists():
            report.orphan_files.append(name)
    for row in rows:
        if row.deadline_us + OVERDUE_US < now_us and row.state == CLOSED and row.segment not in held:
            report.overdue.append(row.name)
        if _is_missing(storage, row, files.get(row.name)):
            report.missing_files.append(row.name)
    _check_derived(storage, copies, derived, now_us, report)
    if deep:
        _check_content(storage, rows, bridges, report, progress)
    return report


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


def _rows(connection: sqlite3.Connection) -> list[_Row]:
    cursor = connection.execute(
        "SELECT s.id, c.uuid, s.start_us, s.state, s.length, s.deadline_us, s.previous, s.hash"
        " FROM segment s JOIN camera c ON c.id = s.camera ORDER BY s.camera, s.id"
    )
    return [
        _Row(segment, camera, file_name(camera, start_us, segment), state, length, deadline_us, previous, digest)
        for segment, camera, start_us, state, length, deadline_us, previous, digest in cursor
    ]


def _held(connection: sqlite3.Connection) -> set[int]:
    """Segments that a hold keeps, whatever their deadline."""
    cursor = connection.execute(
        "SELECT s.id FROM hold h CROSS JOIN segment s ON s.camera = h.camera AND s.start_us < h.to_us"
        " AND s.end_us > h.from_us"
    )
    return {segment for (segment,) in cursor}


def _doomed(connection: sqlite3.Connection) -> set[str]:
    cursor = connection.execute("SELECT d.segment, c.uuid, d.start_us FROM destroy d JOIN camera c ON c.id = d.camera")
    return {file_name(camera, start_us, segment) for segment, camera, start_us in cursor}


def _bridges(connection: sqlite3.Connection) -> set[tuple[str, bytes, bytes]]:
    cursor = connection.execute("SELECT c.uuid, b.before, b.after FROM bridge b JOIN camera c ON c.id = b.camera")
    return set(cursor)


def _is_missing(storage: Path, row: _Row, size: int | None) -> bool:
    """Not there, or shorter than its durable length; looked at again, since the walk was before the index."""
    if size is not None and size >= row.length:
        return False
    try:
        return (storage / row.name).stat().st_size < row.length
    except FileNotFoundError:
        return True


def _check_content(
    storage: Path,
    rows: list[_Row],
    bridges: set[tuple[str, bytes, bytes]],
    report: Report,
    progress: Progress | None,
) -> None:
    missing = set(report.missing_files)
    total = sum(row.length for row in rows)
    chain: tuple[str, bytes | None] = ("", None)
    for row in rows:
        camera, digest = chain
        broken = camera == row.camera and digest is not None and digest != row.previous
        broken = broken and (camera, digest, row.previous) not in bridges
        chain = (row.camera, row.digest)
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
            progress(report.bytes_read, total)


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
                offset += _part_holds(fd, offset, hasher)
        except FormatError:
            return False
    if offset != row.length or (header.segment, header.camera) != (row.segment, row.camera):
        return False
    return header.previous == row.previous and (row.state != CLOSED or hasher.digest() == row.digest)


def _part_holds(fd: int, offset: int, hasher: "hashlib._Hash") -> int:
    """The part's size. Raises FormatError where its data differ from its hash."""
    buffer = os.pread(fd, _READ_BYTES, offset)
    part = parse_part_header(buffer)
    mark = read_part_mark(part)
    if len(buffer) < part.size or hashlib.sha256(buffer[part.header_size : part.size]).digest() != mark.sha256:
        raise FormatError(f"part at {offset} differs from its hash")
    hasher.update(buffer[: part.header_size])
    return part.size
