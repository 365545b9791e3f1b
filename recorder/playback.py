"""Playback: an interval of one camera as a plan of clips and gaps, and as one MP4 served by byte ranges.

Read-only, for another process than the recorder's. Nothing is copied or decoded: the head of the file (sample tables)
is built from the parts' headers, and the rest is slices of the recorded files, each opened for one read and closed.
Pictures past their deadline are never planned nor read, also before the purge has run; nor is anything while the
recorder doesn't vouch for the machine's clock (invariant 7).
"""

import bisect
import hashlib
import itertools
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from legal.retention import LONGEST_DAYS
from recorder.bounds import cut_end, first_shown, leading, without
from recorder.coverage import Account, Coverage, account, read_account, union, unite
from recorder.files import INDEX
from recorder.format import HEADER_READ_BYTES, PartEntry, file_name, unpack_entries
from recorder.index import open_reader
from recorder.machine import boot_id
from streams.fmp4 import FormatError, Samples, parse_init, part_rows
from streams.movie import Chunk, movie_header
from streams.packets import VideoFormat
from streams.ticks import TICKS_PER_S, at_from_us, us_from_90k, us_from_at

EXPIRED = "expired"
NOT_ORDERED = "not_ordered"
"""Causes of a gap that only playback knows: recorded, and destroyed since; never under orders."""

_DAY_US = 86_400_000_000
_OVERLAP_US = 600_000_000
"""Segments are a minute or two long: of those that began so long ago, none but the last can still go on."""
_CHUNK_BYTES = 256 * 1024
_TOUCHING_US = 200_000
"""Less between two clips is how long a picture lasts, not a gap."""


class PlaybackError(Exception):
    """Nothing can be shown now: index or files can't be read."""


class PlaybackClosed(PlaybackError):
    """The recorder doesn't allow playback now: it has not caught up with destruction, or distrusts the clock."""


class SegmentGone(PlaybackError):
    """A segment of the plan was destroyed, or passed its deadline, since the plan was made."""


@dataclass(frozen=True, slots=True)
class Clip:
    """An unbroken stretch. Its wall time and its media time advance together, linearly from one end to the other."""

    from_at: datetime
    to_at: datetime
    media_from_s: float
    media_to_s: float


@dataclass(frozen=True, slots=True)
class Gap:
    from_at: datetime
    to_at: datetime
    cause: str


class Slice(NamedTuple):
    """Consecutive parts of one segment, from a key frame on. The first `hidden_90k` are there for decoding only; the
    pictures shown begin at `start_us`. `path` is inside the directory `storage`."""

    segment: int
    run: int
    storage: Path
    path: str
    deadline_us: int
    entries: tuple[PartEntry, ...]
    start_us: int
    hidden_90k: int = 0

    @property
    def end_us(self) -> int:
        return self.entries[-1].at_us + us_from_90k(self.entries[-1].duration_90k)

    @property
    def media_90k(self) -> int:
        """Of what is shown."""
        return sum(entry.duration_90k for entry in self.entries) - self.hidden_90k


@dataclass(frozen=True, slots=True)
class Plan:
    """What an interval holds: no clip reaches outside it. Only the first slice may hide pictures."""

    camera: str
    from_at: datetime
    to_at: datetime
    items: list[Clip | Gap]
    slices: list[Slice]

    @property
    def duration_s(self) -> float:
        """Of the film: clips only."""
        return sum(piece.media_90k for piece in self.slices) / TICKS_PER_S


class PlaybackStore:
    """The recorder's storage directories, read. Opens their indexes for each question, so it holds no transaction."""

    def __init__(self, *storages: Path) -> None:
        self._storages = storages

    def plan(self, camera: str, from_at: datetime, to_at: datetime, now: datetime) -> Plan:
        """What can be shown of [from_at, to_at). A directory that can't be read, beside one that can, leaves gaps with
        cause `storage`. Raises PlaybackError."""
        from_us, to_us, now_us = us_from_at(from_at), us_from_at(to_at), us_from_at(now)
        slices: list[Slice] = []
        accounts: list[Account] = []
        refused: list[PlaybackError] = []
        for storage in self._storages:
            try:
                with _reading(storage) as connection:
                    connection.execute("BEGIN")
                    due_us = _due_us(connection, now_us)
                    slices += _slices(connection, storage, camera, from_us, to_us, due_us)
                    known = read_account(connection, camera, from_us, to_us)
                    accounts += [] if known is None else [known]
            except PlaybackError as error:
                refused.append(error)
        if len(refused) == len(self._storages):
            raise next((error for error in refused if isinstance(error, PlaybackClosed)), refused[0])
        slices.sort(key=lambda piece: piece.start_us)
        slices = _bounded(slices, from_us, to_us)
        coverage = unite(accounts, from_us, to_us, now_us, away=bool(refused))
        if coverage is None:
            coverage = account([], [], [], from_us, to_us)
        items = _items(slices, coverage, from_us, to_us)
        return Plan(camera, from_at, to_at, items, slices)


@contextmanager
def _reading(storage: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(open_reader(storage / INDEX)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise PlaybackError(f"index of {storage.name}: {error}") from error


def _due_us(connection: sqlite3.Connection, now_us: int) -> int:
    """The time to hold deadlines against: a clock set back keeps nothing alive. Raises PlaybackClosed."""
    meta = dict(connection.execute("SELECT key, value FROM meta WHERE key IN ('playback_boot', 'clock_due_us')"))
    if meta.get("playback_boot") != boot_id():
        raise PlaybackClosed("the recorder doesn't vouch for the clock")
    return max(now_us, meta.get("clock_due_us") or 0)


def _shortest_withheld_us(connection: sqlite3.Connection, camera: str) -> int:
    """How long pictures may be shown while a shorter delay waits for two persons: it may have come since the plan."""
    ((days,),) = connection.execute(
        "SELECT coalesce(min(w.retention_days), ?) FROM withheld w JOIN camera c ON c.id = w.camera WHERE c.uuid = ?",
        (LONGEST_DAYS, camera),
    ).fetchall()
    return int(days) * _DAY_US


def _slices(
    connection: sqlite3.Connection, storage: Path, camera: str, from_us: int, to_us: int, due_us: int
) -> list[Slice]:
    row = connection.execute("SELECT id FROM camera WHERE uuid = ?", (camera,)).fetchone()
    if row is None:
        return []
    # The last segment that began before the interval may reach into it; so may one before that, where the clock was
    # set back while it was recorded.
    (first_us,) = connection.execute(
        "SELECT coalesce(max(start_us), ?) FROM segment WHERE camera = ? AND start_us <= ?",
        (from_us - _OVERLAP_US, row[0], from_us - _OVERLAP_US),
    ).fetchone()
    rows = connection.execute(
        "SELECT s.id, s.run, s.start_us,"
        " min(s.deadline_us, coalesce(s.start_us + w.retention_days * ?, s.deadline_us)) AS due,"
        " p.header_size, p.entries FROM segment s JOIN part p ON p.segment = s.id"
        " LEFT JOIN withheld w ON w.camera = s.camera AND w.authorisation = s.authorisation"
        " WHERE s.camera = ? AND s.start_us >= ? AND s.start_us < ? AND s.end_us > ? AND due > ?"
        " ORDER BY s.start_us, s.id",
        (_DAY_US, row[0], first_us, to_us, from_us, due_us),
    )
    slices: list[Slice] = []
    for segment, run, start_us, deadline_us, header_size, packed in rows:
        entries = _chosen(tuple(unpack_entries(packed, start_us, header_size)), from_us, to_us)
        if entries:
            path = file_name(camera, start_us, segment)
            slices.append(Slice(segment, run, storage, path, deadline_us, entries, entries[0].at_us))
    return slices


def _bounded(slices: Sequence[Slice], from_us: int, to_us: int) -> list[Slice]:
    """The slices cut to the interval, to the picture; the headers of the parts at its bounds are read for that. What
    is gone meanwhile is left out. Raises PlaybackError.

    Two may begin before it, where the clock was set back: only one can hide what is there for decoding, another begins
    with its first key frame in the interval.
    """
    bounded: list[Slice] = []
    for piece in slices:
        if bounded and piece.start_us < from_us:
            begins = (n for n, entry in enumerate(piece.entries) if entry.is_key and entry.at_us >= from_us)
            if (first := next(begins, None)) is None:
                continue
            piece = piece._replace(entries=piece.entries[first:], start_us=piece.entries[first].at_us)
        begins_before = piece.start_us < from_us
        if begins_before or piece is slices[-1] or piece.end_us > to_us:
            try:
                piece = _cut(piece, from_us if begins_before else None, to_us)
            except SegmentGone:
                continue
        if piece.media_90k > 0:
            bounded.append(piece)
    return bounded


def _cut(piece: Slice, from_us: int | None, to_us: int) -> Slice:
    """Ends at `to_us`, and shows nothing before `from_us`."""
    with _opened(piece) as fd:
        last = piece.entries[-1]
        entries = (*piece.entries[:-1], cut_end(last, _read_samples(fd, last), to_us))
        if from_us is None:
            return piece._replace(entries=entries)
        # Where pictures are reordered, the first to be shown may be in the part after.
        near = entries[: bisect.bisect_right([entry.at_us for entry in entries], from_us) + 1]
        first = first_shown([(entry, _read_samples(fd, entry)) for entry in near], from_us)
    piece = piece._replace(entries=entries)
    if first is None:
        return piece._replace(hidden_90k=piece.media_90k)
    return piece._replace(start_us=first[0], hidden_90k=first[1])


def _chosen(entries: tuple[PartEntry, ...], from_us: int, to_us: int) -> tuple[PartEntry, ...]:
    """The parts that touch the interval, and those before that the first needs for decoding."""
    starts = [entry.at_us for entry in entries]
    last = bisect.bisect_left(starts, to_us)
    first = max(0, bisect.bisect_right(starts, from_us) - 1)
    while first > 0 and not entries[first].is_key:
        first -= 1
    chosen = entries[first:last]
    if not chosen or chosen[-1].at_us + us_from_90k(chosen[-1].duration_90k) <= from_us:
        return ()
    return chosen


def _items(slices: Sequence[Slice], coverage: Coverage, from_us: int, to_us: int) -> list[Clip | Gap]:
    """One clip a segment, so that each is linear; between them gaps, also where the cause must be worked out.

    A picture is shown for a tick at least: what that adds beyond the interval is not told.
    """
    items: list[Clip | Gap] = []
    media_90k = 0
    at_us = from_us
    for piece in slices:
        items += _gaps(coverage, at_us, piece.start_us)
        end_90k = media_90k + piece.media_90k
        end_us = min(max(piece.end_us, piece.start_us + 1), to_us)
        items.append(
            Clip(at_from_us(piece.start_us), at_from_us(end_us), media_90k / TICKS_PER_S, end_90k / TICKS_PER_S)
        )
        media_90k = end_90k
        at_us = max(at_us, end_us)
    return items + _gaps(coverage, at_us, coverage.until_us)


def _gaps(coverage: Coverage, from_us: int, to_us: int) -> list[Clip | Gap]:
    """The causes between two instants: gaps known, recordings that were destroyed, and time without orders."""
    known = [(gap.from_us, gap.to_us, gap.cause) for gap in coverage.gaps]
    known += [(start, end, EXPIRED) for start, end in coverage.runs]
    gaps: list[Clip | Gap] = []
    at_us = from_us
    for start_us, end_us, cause in [*sorted(known), (to_us, to_us, "")]:
        start_us, end_us = min(max(start_us, at_us), to_us), min(end_us, to_us)
        if start_us - at_us >= _TOUCHING_US:
            gaps.append(Gap(at_from_us(at_us), at_from_us(start_us), NOT_ORDERED))
        if end_us - start_us >= _TOUCHING_US:
            gaps.append(Gap(at_from_us(start_us), at_from_us(end_us), cause))
        at_us = max(at_us, min(end_us, to_us))
    return gaps


class _Piece(NamedTuple):
    """Where bytes of the film come from: data of so many samples of one part, `offset` in its file."""

    start: int
    size: int
    slice: Slice
    entry: PartEntry
    offset: int
    samples: int


class VirtualMp4:
    """A plan as one progressive MP4 that exists nowhere: its size is known, and any range of it can be read.

    Building it reads the parts' headers, so it belongs in a thread. Raises SegmentGone, PlaybackError; ValueError
    for a plan without a clip.
    """

    def __init__(self, plan: Plan) -> None:
        self._storages = {piece.storage for piece in plan.slices}
        self._camera = plan.camera
        self._until_us = us_from_at(plan.to_at)
        film = _Film()
        for number, piece in enumerate(plan.slices):
            with _opened(piece) as fd:
                film.begin(_read_format(fd))
                goes_on = number > 0 and _goes_on(plan.slices[number - 1], piece)
                for entry in piece.entries:
                    film.add(piece, entry, *_read_rows(fd, entry), goes_on)
                    goes_on = True
        self._head = film.head(plan.slices)
        at = len(self._head)
        self._pieces = [piece._replace(start=at + piece.start) for piece in film.pieces]
        self.size = at + film.data_bytes
        self._starts = [piece.start for piece in self._pieces]
        self.codecs = frozenset(chunk.format.codec for chunk in film.chunks)
        self.mime = f'video/mp4; codecs="{film.chunks[0].format.mime}"'
        identity = hashlib.sha256(self._head)
        for piece in plan.slices:
            identity.update(f"{piece.path} {piece.entries[0].offset}\n".encode())
        self.etag = f'"{identity.hexdigest()[:32]}"'

    def read(self, start: int, end: int, now: datetime) -> Iterator[bytes]:
        """The bytes [start, end), in chunks; files are open only while their bytes are read.

        Raises SegmentGone when a segment of this range was destroyed or is past its deadline at `now`; PlaybackError.
        """
        touched = self._touched(start, end)
        for storage in {piece.slice.storage for piece in touched} or self._storages:
            with _reading(storage) as connection:
                due_us = _due_us(connection, us_from_at(now))
                withheld_us = _shortest_withheld_us(connection, self._camera)
            mine = [piece.slice for piece in touched if piece.slice.storage == storage]
            if any(min(piece.deadline_us, piece.start_us + withheld_us) <= due_us for piece in mine):
                raise SegmentGone("past its deadline")
        if start < len(self._head):
            yield self._head[start:end]
        for segment, pieces in itertools.groupby(touched, key=lambda piece: piece.slice):
            with _opened(segment) as fd:
                for piece in pieces:
                    low, high = max(start - piece.start, 0), min(end - piece.start, piece.size)
                    yield from _read_exactly(fd, piece.offset + low, high - low)

    def intervals(self, start: int, end: int) -> list[tuple[datetime, datetime]]:
        """The wall time of the pictures that the bytes [start, end) touch, joined where they follow one another.

        Hidden pictures too: their bytes leave.
        """
        spans = [
            (piece.entry.at_us, piece.entry.at_us + us_from_90k(piece.entry.duration_90k) + _TOUCHING_US)
            for piece in self._touched(start, end)
        ]
        return [(at_from_us(a), at_from_us(min(b - _TOUCHING_US, self._until_us))) for a, b in union(spans)]

    def pictures(self, start: int, end: int) -> dict[int, int]:
        """How many pictures the parts have that the bytes [start, end) touch, by where each begins in the film."""
        return {piece.start: piece.samples for piece in self._touched(start, end)}

    def _touched(self, start: int, end: int) -> list[_Piece]:
        first = max(0, bisect.bisect_right(self._starts, start) - 1)
        last = bisect.bisect_left(self._starts, end)
        return [piece for piece in self._pieces[first:last] if piece.start + piece.size > start]


def _goes_on(before: Slice, piece: Slice) -> bool:
    """Whether a slice begins where the one before ends, so that its first pictures may need those."""
    same = (before.storage, before.run) == (piece.storage, piece.run)
    return same and piece.entries[0].at_us - before.end_us < _TOUCHING_US


class _Film:
    """The parts of a film as they come: chunks, samples, and where the bytes are (`start` without the head)."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.pieces: list[_Piece] = []
        self.data_bytes = 0
        self._format: VideoFormat
        self._samples: list[Samples] = []
        self._rows: list[bytes] = []
        self._has_offsets = False

    def begin(self, format: VideoFormat) -> None:
        if not self.chunks or format != self.chunks[-1].format:
            self._format = format

    def add(self, piece: Slice, entry: PartEntry, rows: bytes, has_offsets: bool, goes_on: bool) -> None:
        """The next part; one that is cut has its first samples only. One that doesn't go on from the one before loses
        its leading pictures."""
        if has_offsets != self._has_offsets:
            self._settle()
            self._has_offsets = has_offsets
        is_whole = len(rows) == entry.samples * (16 if has_offsets else 12)
        if is_whole and (goes_on or not has_offsets):
            self._rows.append(rows)
            self._chunk(piece, entry, entry.samples, 0, entry.size - entry.header_size)
            return
        self._settle()
        samples = Samples.from_rows(rows, has_offsets)
        if not is_whole:
            samples = _cut_samples(samples, entry)
        count = 0 if goes_on else leading(samples)
        if count:
            self._add_without(count, piece, entry, samples)
        else:
            self._samples.append(samples)
            self._chunk(piece, entry, entry.samples, 0, entry.size - entry.header_size)

    def head(self, slices: Sequence[Slice]) -> bytes:
        """All before the data."""
        if not self.chunks:
            raise ValueError("a plan without a clip has no film")
        self._settle()
        try:
            return movie_header(self.chunks, Samples.joined(self._samples), hidden_90k=slices[0].hidden_90k)
        except (ValueError, OverflowError) as error:
            raise PlaybackError(f"files and index disagree: {error}") from error

    def _settle(self) -> None:
        if self._rows:
            self._samples.append(Samples.from_rows(b"".join(self._rows), self._has_offsets))
            self._rows = []

    def _add_without(self, count: int, piece: Slice, entry: PartEntry, samples: Samples) -> None:
        """A part without so many pictures after its first."""
        self._samples.append(without(samples, 1, count))
        first, left_out = samples.sizes[0], sum(samples.sizes[1 : 1 + count])
        self._chunk(piece, entry, 1, 0, first)
        if entry.samples > 1 + count:
            rest = entry.size - entry.header_size - first - left_out
            self._chunk(piece, entry, entry.samples - 1 - count, first + left_out, rest)

    def _chunk(self, piece: Slice, entry: PartEntry, samples: int, skipped: int, size: int) -> None:
        """`size` bytes of a part's data, after the first `skipped`."""
        self.chunks.append(Chunk(self._format, samples, size))
        offset = entry.offset + entry.header_size + skipped
        self.pieces.append(_Piece(self.data_bytes, size, piece, entry, offset, samples))
        self.data_bytes += size


def _cut_samples(samples: Samples, entry: PartEntry) -> Samples:
    try:
        return samples.first(entry.samples, entry.duration_90k)
    except (IndexError, OverflowError) as error:
        raise PlaybackError(f"files and index disagree: {error}") from error


@contextmanager
def _opened(piece: Slice) -> Iterator[int]:
    try:
        fd = os.open(piece.storage / piece.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise SegmentGone(piece.path) from None
    except OSError as error:
        raise PlaybackError(f"{piece.path}: {error.strerror}") from error
    try:
        yield fd
    finally:
        os.close(fd)


def _read_exactly(fd: int, offset: int, size: int) -> Iterator[bytes]:
    while size > 0:
        data = os.pread(fd, min(size, _CHUNK_BYTES), offset)
        if not data:
            raise PlaybackError("a file is shorter than its index says")
        yield data
        offset += len(data)
        size -= len(data)


def _read_format(fd: int) -> VideoFormat:
    try:
        return parse_init(os.pread(fd, HEADER_READ_BYTES, 0)).format
    except FormatError as error:
        raise PlaybackError(f"unreadable file header: {error}") from error


def _read_rows(fd: int, entry: PartEntry) -> tuple[bytes, bool]:
    """The rows of all of a part's samples, also of one whose end is cut off, and whether they have offsets."""
    try:
        return part_rows(os.pread(fd, entry.header_size, entry.offset))
    except FormatError as error:
        raise PlaybackError(f"unreadable part: {error}") from error


def _read_samples(fd: int, entry: PartEntry) -> Samples:
    return Samples.from_rows(*_read_rows(fd, entry))
