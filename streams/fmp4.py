"""Fragmented MP4 as bytes, and back (ISO/IEC 14496-12 boxes, 14496-15 for H.264 and H.265 in them).

Pure: nothing here knows a file or a clock. One video track, number 1, at 90 kHz; pictures are stored in decoding
order, and where that isn't the order in which they are shown, each bears its offset. A *part* is one `moof` and one
`mdat`, preceded by what `uuid` boxes the caller adds; its header is built apart from the sample data, so that the
writer sends both with one `writev`.
The tables of a whole film, for playback by byte ranges, are in `streams/movie.py`.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from operator import add
from typing import NamedTuple

from streams import h265
from streams.h264 import BadBits
from streams.packets import Packet, VideoFormat

TIMESCALE = 90_000
MAX_PART_BYTES = (1 << 32) - 9  # `mdat` keeps its 32-bit size

_KEY_FLAGS = 0x02000000  # depends on no other sample
_DELTA_FLAGS = 0x01010000  # depends on others, not a sync sample
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_DREF_SELF = b"\0\0\0\x0curl \0\0\0\1"

# A moof up to its samples; for live all of a fragment of one picture in one go, since it goes to many viewers.
_MOOF = struct.Struct(">I4s I4sII I4s I4sII I4sIQ I4sIII")
_ONE = struct.Struct(_MOOF.format + "III I4s")
_ONE_OFFSET = struct.Struct(_MOOF.format + "IIIi I4s")
# Of a `trun`: version and flags; each of a sample's 32-bit numbers has a flag.
_IN_ORDER = 0x00000701  # duration, size, flags
_REORDERED = 0x01000F01  # and its composition offset, signed


class FormatError(ValueError):
    """The bytes are not the MP4 that this module writes; says expected, found, and where."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Pictures in the order they are stored, as columns of 32 bits: a film has ten thousands, and an object for each
    would cost more than all the rest. `keys` are the places of key frames, rising. `offsets_90k` is empty where each
    picture is shown at its decode time, else how much later each is (14496-12 section 8.6.1.3)."""

    sizes: array[int]
    durations_90k: array[int]
    keys: tuple[int, ...]
    offsets_90k: array[int] = field(default_factory=lambda: array("i"))

    @classmethod
    def of(
        cls, sizes: Iterable[int], durations_90k: Iterable[int], keys: tuple[int, ...], offsets_90k: Iterable[int] = ()
    ) -> Samples:
        return cls(array("I", sizes), array("I", durations_90k), keys, array("i", offsets_90k))

    @classmethod
    def from_rows(cls, rows: bytes, has_offsets: bool) -> Samples:
        """Of one part's rows, or of many parts' behind each other."""
        width = 4 if has_offsets else 3
        numbers = array("I")
        numbers.frombytes(rows)
        if sys.byteorder == "little":
            numbers.byteswap()
        offsets = array("i", numbers[3::4].tobytes() if has_offsets else b"")
        return cls(numbers[1::width], numbers[0::width], _places(_KEY_FLAGS >> 24, rows[8 :: 4 * width]), offsets)

    def rows(self) -> bytes:
        """Duration, size, flags and where there is one the offset of each, as a `trun` has them."""
        count, width = len(self), 4 if self.offsets_90k else 3
        numbers = array("I", bytes(4 * width * count))
        numbers[0::width], numbers[1::width] = self.durations_90k, self.sizes
        flags = array("I", (_DELTA_FLAGS,)) * count
        for key in self.keys:
            flags[key] = _KEY_FLAGS
        numbers[2::width] = flags
        if self.offsets_90k:
            numbers[3::width] = array("I", self.offsets_90k.tobytes())
        return big_endian(numbers)

    @classmethod
    def joined(cls, pieces: Sequence[Samples]) -> Samples:
        if len(pieces) == 1:
            return pieces[0]
        film = cls.of((), (), ())
        keys: list[int] = []
        has_offsets = any(piece.offsets_90k for piece in pieces)
        for piece in pieces:
            keys += [len(film) + key for key in piece.keys]
            film.sizes.extend(piece.sizes)
            film.durations_90k.extend(piece.durations_90k)
            if has_offsets:
                film.offsets_90k.extend(piece.offsets_90k or array("i", bytes(4 * len(piece))))
        return replace(film, keys=tuple(keys))

    def first(self, count: int, duration_90k: int) -> Samples:
        """The first so many, the last of them lengthened or shortened so that they last `duration_90k` in all."""
        durations_90k = self.durations_90k[:count]
        durations_90k[-1] = duration_90k - sum(durations_90k[:-1])
        keys = self.keys[: bisect_left(self.keys, count)]
        return Samples(self.sizes[:count], durations_90k, keys, self.offsets_90k[:count])

    def shown_90k(self) -> list[int]:
        """When each is shown, counted from the first one's decode time."""
        starts = list(accumulate(self.durations_90k, initial=0))
        return list(map(add, starts, self.offsets_90k)) if self.offsets_90k else starts[:-1]

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def data_bytes(self) -> int:
        return sum(self.sizes)

    @property
    def duration_90k(self) -> int:
        return sum(self.durations_90k)


class Box(NamedTuple):
    """A box's place in its buffer: `start` of its header, `body` of its content, `end` after it."""

    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Init:
    """What `init_segment` wrote. `size` is where the first part begins."""

    format: VideoFormat
    uuids: dict[bytes, bytes]
    size: int


@dataclass(frozen=True, slots=True)
class PartHeader:
    """What `part_header` wrote. Sizes count from the part's first byte; `size` includes the data."""

    sequence: int
    base_decode_90k: int
    samples: Samples
    uuids: dict[bytes, bytes]
    header_size: int
    size: int


def box(kind: bytes, *contents: bytes) -> bytes:
    body = b"".join(contents)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *contents: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *contents)


def uuid_box(uuid16: bytes, payload: bytes) -> bytes:
    if len(uuid16) != 16:
        raise ValueError(f"a box's identifier has 16 bytes, not {len(uuid16)}")
    return box(b"uuid", uuid16, payload)


def file_type() -> bytes:
    return box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso6avc1mp41")


def init_segment(format: VideoFormat, extra_boxes: bytes = b"") -> bytes:
    """`ftyp`, the caller's boxes, then a `moov` without samples."""
    tables = [full_box(kind, 0, 0, bytes(4)) for kind in (b"stts", b"stsc", b"stco")]
    tables.append(full_box(b"stsz", 0, 0, bytes(8)))
    extends = box(b"mvex", full_box(b"trex", 0, 0, struct.pack(">5I", 1, 1, 0, 0, 0)))
    return file_type() + extra_boxes + movie([format], 0, tables, extends)


def movie(
    formats: Sequence[VideoFormat],
    duration_90k: int,
    tables: Sequence[bytes],
    tail: bytes = b"",
    hidden_90k: int = 0,
    late_90k: int = 0,
) -> bytes:
    """The `moov`: one track whose sample description lists `formats` and whose tables are given.

    What comes before `hidden_90k` in the track is not shown: an edit list says so. `late_90k` is by how much all
    composition offsets are too large, so that none is negative; it is taken back there too.
    """
    width = max(format.width for format in formats)
    height = max(format.height for format in formats)
    shown_90k = duration_90k - hidden_90k
    mvhd = full_box(
        b"mvhd",
        1,
        0,
        struct.pack(">QQIQIH10x", 0, 0, TIMESCALE, shown_90k, 0x10000, 0x100),
        _MATRIX,
        bytes(24),
        struct.pack(">I", 2),
    )
    tkhd = full_box(
        b"tkhd",
        1,
        3,
        struct.pack(">QQIIQ8xHHHH", 0, 0, 1, 0, shown_90k, 0, 0, 0, 0),
        _MATRIX,
        struct.pack(">II", width << 16, height << 16),
    )
    mdhd = full_box(b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, TIMESCALE, duration_90k, 0x55C4, 0))
    hdlr = full_box(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, b"vide"), b"video\0")
    stsd = full_box(b"stsd", 0, 0, struct.pack(">I", len(formats)), *map(sample_entry, formats))
    dinf = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), _DREF_SELF))
    minf = box(b"minf", full_box(b"vmhd", 0, 1, bytes(8)), dinf, box(b"stbl", stsd, *tables))
    edits, begin_90k = b"", hidden_90k + late_90k
    if begin_90k:
        edits = box(b"edts", full_box(b"elst", 1, 0, struct.pack(">IQqI", 1, shown_90k, begin_90k, 0x10000)))
    return box(b"moov", mvhd, box(b"trak", tkhd, edits, box(b"mdia", mdhd, hdlr, minf)), tail)


def sample_entry(format: VideoFormat) -> bytes:
    """`avc1` with `avcC`, `hvc1` with `hvcC` (14496-15 sections 5.3.3, 8.3.3).

    Raises ValueError for parameter sets out of bounds.
    """
    sps, pps = format.sps, format.pps
    if not 4 <= len(sps) < 65536 or not 1 <= len(pps) < 65536 or len(format.vps) >= 65536:
        raise ValueError(f"parameter sets of {len(format.vps)}, {len(sps)} and {len(pps)} bytes do not fit")
    head = struct.pack(">6xH16xHHIII H32xHh", 1, format.width, format.height, 0x480000, 0x480000, 0, 1, 0x18, -1)
    if format.codec == "h265":
        return box(b"hvc1", head, box(b"hvcC", h265.configuration(format.vps, sps, pps)))
    config = struct.pack(">B3sBBH", 1, sps[1:4], 0xFF, 0xE1, len(sps)) + sps
    config += struct.pack(">BH", 1, len(pps)) + pps
    return box(b"avc1", head, box(b"avcC", config))


def part_header(sequence: int, base_decode_90k: int, samples: Samples, extra_boxes: bytes = b"") -> bytes:
    """All of a part but its sample data: the caller's boxes, `moof`, and the `mdat` header."""
    data_bytes = samples.data_bytes
    if data_bytes > MAX_PART_BYTES:
        raise ValueError(f"{data_bytes} bytes do not fit one part")
    moof = _MOOF.pack(*_moof_fields(sequence, base_decode_90k, len(samples), bool(samples.offsets_90k)))
    return b"".join((extra_boxes, moof, samples.rows(), struct.pack(">I4s", 8 + data_bytes, b"mdat")))


def _moof_fields(sequence: int, base_decode_90k: int, count: int, has_offsets: bool) -> tuple[int | bytes, ...]:
    """What `_MOOF` packs for so many samples."""
    rows_bytes = (16 if has_offsets else 12) * count
    moof_bytes = _MOOF.size + rows_bytes
    # fmt: off
    return (
        moof_bytes, b"moof", 16, b"mfhd", 0, sequence,
        moof_bytes - 24, b"traf", 16, b"tfhd", 0x020000, 1,
        20, b"tfdt", 0x01000000, base_decode_90k,
        20 + rows_bytes, b"trun", _REORDERED if has_offsets else _IN_ORDER, count, moof_bytes + 8,
    )
    # fmt: on


def big_endian(column: array[int]) -> bytes:
    """The numbers as a box has them."""
    if sys.byteorder == "little":
        column = column[:]
        column.byteswap()
    return column.tobytes()


def fragment(sequence: int, packet: Packet, duration_90k: int, base_90k: int, offset_90k: int | None = None) -> bytes:
    """A whole part of one picture, for live; with an offset in a stream whose pictures are reordered."""
    data = packet.data
    flags = _KEY_FLAGS if packet.is_key else _DELTA_FLAGS
    fields = _moof_fields(sequence, base_90k, 1, offset_90k is not None)
    if offset_90k is None:
        return _ONE.pack(*fields, duration_90k, len(data), flags, 8 + len(data), b"mdat") + data
    return _ONE_OFFSET.pack(*fields, duration_90k, len(data), flags, offset_90k, 8 + len(data), b"mdat") + data


def iter_boxes(buffer: bytes | memoryview, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes that are whole in `buffer[start:end]`; stops quietly where one is cut short.

    A torn file is normal input here: the caller compares the last `end` with what it has. Raises
    FormatError for a size that can't be.
    """
    end = len(buffer) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", buffer, start)
        header = 8
        if size == 1:
            if start + 16 > end:
                return
            size, header = struct.unpack_from(">Q", buffer, start + 8)[0], 16
        if size < header:
            raise FormatError(f"box {kind!r} at {start} claims {size} bytes")
        if start + size > end:
            return
        yield Box(kind, start, start + header, start + size)
        start += size


def parse_init(buffer: bytes | memoryview) -> Init:
    """Reads back what `init_segment` wrote. Raises FormatError."""
    uuids: dict[bytes, bytes] = {}
    for item in iter_boxes(buffer):
        if item.kind == b"uuid":
            _add_uuid(uuids, buffer, item)
        elif item.kind == b"moov":
            return Init(_read_format(buffer, item), uuids, item.end)
    raise FormatError("no moov in the file's header")


def parse_part_header(buffer: bytes | memoryview, start: int = 0) -> PartHeader:
    """Reads back what `part_header` wrote at `start`; the sample data need not be in the buffer.

    Raises FormatError when the header is cut short or is not ours.
    """
    uuids: dict[bytes, bytes] = {}
    moof = _moof_of(buffer, start, uuids)
    sequence, base, rows, has_offsets = _read_moof(buffer, moof)
    samples = Samples.from_rows(rows, has_offsets)
    size = _read_mdat(buffer, moof.end, samples)
    return PartHeader(sequence, base, samples, uuids, moof.end + 8 - start, moof.end + size - start)


def part_rows(header: bytes) -> tuple[bytes, bool]:
    """What `Samples.from_rows` takes, out of a part's header: for those who read many. Raises FormatError."""
    _, _, rows, has_offsets = _read_moof(header, _moof_of(header, 0, {}))
    return rows, has_offsets


def _moof_of(buffer: bytes | memoryview, start: int, uuids: dict[bytes, bytes]) -> Box:
    """The `moof` of the part at `start`; the `uuid` boxes before it are noted."""
    for item in iter_boxes(buffer, start):
        if item.kind == b"moof":
            return item
        if item.kind != b"uuid":
            raise FormatError(f"expected moof at {item.start}, found {item.kind!r}")
        _add_uuid(uuids, buffer, item)
    raise FormatError(f"no whole moof after {start}")


def _add_uuid(uuids: dict[bytes, bytes], buffer: bytes | memoryview, item: Box) -> None:
    if item.end - item.body < 16:
        raise FormatError(f"uuid box at {item.start} has no identifier")
    uuids[bytes(buffer[item.body : item.body + 16])] = bytes(buffer[item.body + 16 : item.end])


def _child(buffer: bytes | memoryview, parent: Box, *path: bytes) -> Box:
    for kind in path:
        for item in iter_boxes(buffer, parent.body, parent.end):
            if item.kind == kind:
                parent = item
                break
        else:
            raise FormatError(f"no {kind!r} in {parent.kind!r} at {parent.start}")
    return parent


def _read_format(buffer: bytes | memoryview, moov: Box) -> VideoFormat:
    stsd = _child(buffer, moov, b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    entry = next(iter_boxes(buffer, stsd.body + 8, stsd.end), None)
    if entry is None or entry.kind not in (b"avc1", b"hvc1"):
        raise FormatError("the sample description is neither avc1 nor hvc1")
    inside = entry._replace(body=entry.body + 78)
    try:
        width, height = struct.unpack_from(">HH", buffer, entry.body + 24)
        if entry.kind == b"hvc1":
            item = _child(buffer, inside, b"hvcC")
            vps, sps, pps = h265.read_configuration(bytes(buffer[item.body : item.end]))
            return VideoFormat("h265", width, height, sps, pps, vps)
        config = _child(buffer, inside, b"avcC").body
        (length,) = struct.unpack_from(">H", buffer, config + 6)
        sps = bytes(buffer[config + 8 : config + 8 + length])
        config += 8 + length
        (length,) = struct.unpack_from(">H", buffer, config + 1)
        pps = bytes(buffer[config + 3 : config + 3 + length])
    except struct.error as error:
        raise FormatError("the sample description is cut short") from error
    except BadBits as error:
        raise FormatError(f"the sample description: {error}") from error
    return VideoFormat("h264", width, height, sps, pps)


def _read_moof(buffer: bytes | memoryview, moof: Box) -> tuple[int, int, bytes, bool]:
    """Sequence, base time, sample rows and whether they have offsets. Raises FormatError unless it is as
    `part_header` wrote it."""
    if moof.end - moof.start < _MOOF.size:
        raise FormatError(f"moof at {moof.start} is cut short")
    fields = _MOOF.unpack_from(buffer, moof.start)
    sequence, base, has_offsets, count = fields[5], fields[15], fields[18] == _REORDERED, fields[19]
    if fields[0] != moof.end - moof.start or fields != _moof_fields(sequence, base, count, has_offsets):
        raise FormatError(f"expected the moof of a part at {moof.start}, found {fields}")
    return sequence, base, bytes(buffer[moof.start + _MOOF.size : moof.end]), has_offsets


def _places(wanted: int, kinds: bytes) -> tuple[int, ...]:
    places: list[int] = []
    at = kinds.find(wanted)
    while at >= 0:
        places.append(at)
        at = kinds.find(wanted, at + 1)
    return tuple(places)


def _read_mdat(buffer: bytes | memoryview, at: int, samples: Samples) -> int:
    if at + 8 > len(buffer):
        raise FormatError(f"no mdat header at {at}")
    size, kind = struct.unpack_from(">I4s", buffer, at)
    expected = 8 + samples.data_bytes
    if kind != b"mdat" or size != expected:
        raise FormatError(f"expected mdat of {expected} bytes at {at}, found {kind!r} of {size}")
    return int(size)
