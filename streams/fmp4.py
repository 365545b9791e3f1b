"""Fragmented MP4 as bytes, and back (ISO/IEC 14496-12 boxes, 14496-15 for H.264 and H.265 in them).

Pure: nothing here knows a file or a clock. One video track, number 1, at 90 kHz; pictures are shown in the
order they are stored. A *part* is one `moof` and one `mdat`, preceded by what `uuid` boxes the caller adds;
its header is built apart from the sample data, so that the writer sends both with one `writev`.
The tables of a whole film, for playback by byte ranges, are in `streams/movie.py`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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

# One sample's moof and mdat header in one go: live sends one fragment a picture to many viewers.
_ONE = struct.Struct(">I4s I4sII I4s I4sII I4sIQ I4sIIIIII I4s")
_ONE_MOOF = 8 + 16 + 8 + 16 + 20 + 32


class FormatError(ValueError):
    """The bytes are not the MP4 that this module writes; says expected, found, and where."""


class Sample(NamedTuple):
    size: int
    duration_90k: int
    is_key: bool


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
    samples: tuple[Sample, ...]
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
    formats: Sequence[VideoFormat], duration_90k: int, tables: Sequence[bytes], tail: bytes = b"", hidden_90k: int = 0
) -> bytes:
    """The `moov`: one track whose sample description lists `formats` and whose tables are given.

    What comes before `hidden_90k` in the track is not shown: an edit list says so.
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
    edits = b""
    if hidden_90k:
        edits = box(b"edts", full_box(b"elst", 1, 0, struct.pack(">IQqI", 1, shown_90k, hidden_90k, 0x10000)))
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


def part_header(sequence: int, base_decode_90k: int, samples: Sequence[Sample], extra_boxes: bytes = b"") -> bytes:
    """All of a part but its sample data: the caller's boxes, `moof`, and the `mdat` header."""
    count = len(samples)
    data_bytes = sum(sample.size for sample in samples)
    if data_bytes > MAX_PART_BYTES:
        raise ValueError(f"{data_bytes} bytes do not fit one part")
    fields: list[int] = []
    for size, duration_90k, is_key in samples:
        fields += (duration_90k, size, _KEY_FLAGS if is_key else _DELTA_FLAGS)
    trun_bytes = 20 + 12 * count
    moof_bytes = 8 + 16 + 8 + 16 + 20 + trun_bytes
    return b"".join(
        (
            extra_boxes,
            struct.pack(">I4s I4sII", moof_bytes, b"moof", 16, b"mfhd", 0, sequence),
            struct.pack(">I4s I4sII", 44 + trun_bytes, b"traf", 16, b"tfhd", 0x020000, 1),
            struct.pack(">I4sIQ", 20, b"tfdt", 0x01000000, base_decode_90k),
            struct.pack(">I4sIII", trun_bytes, b"trun", 0x000701, count, moof_bytes + 8),
            struct.pack(f">{3 * count}I", *fields),
            struct.pack(">I4s", 8 + data_bytes, b"mdat"),
        )
    )


def fragment(sequence: int, packet: Packet, duration_90k: int, base_90k: int) -> bytes:
    """A whole part of one picture, for live."""
    data = packet.data
    flags = _KEY_FLAGS if packet.is_key else _DELTA_FLAGS
    # fmt: off
    head = _ONE.pack(
        _ONE_MOOF, b"moof", 16, b"mfhd", 0, sequence,
        76, b"traf", 16, b"tfhd", 0x020000, 1,
        20, b"tfdt", 0x01000000, base_90k,
        32, b"trun", 0x000701, 1, _ONE_MOOF + 8, duration_90k, len(data), flags,
        8 + len(data), b"mdat",
    )
    # fmt: on
    return head + data


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
    for item in iter_boxes(buffer, start):
        if item.kind == b"uuid":
            _add_uuid(uuids, buffer, item)
        elif item.kind == b"moof":
            sequence, base, samples = _read_moof(buffer, item)
            size = _read_mdat(buffer, item.end, samples)
            return PartHeader(sequence, base, samples, uuids, item.end + 8 - start, item.end + size - start)
        else:
            raise FormatError(f"expected moof at {item.start}, found {item.kind!r}")
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


def _read_moof(buffer: bytes | memoryview, moof: Box) -> tuple[int, int, tuple[Sample, ...]]:
    trun = _child(buffer, moof, b"traf", b"trun")
    try:
        (sequence,) = struct.unpack_from(">I", buffer, _child(buffer, moof, b"mfhd").body + 4)
        (base,) = struct.unpack_from(">Q", buffer, _child(buffer, moof, b"traf", b"tfdt").body + 4)
        flags, count = struct.unpack_from(">II", buffer, trun.body)
        if flags != 0x000701 or trun.body + 12 + 12 * count != trun.end:
            raise FormatError(f"trun at {trun.start}: flags {flags:#x}, {count} samples")
        fields = struct.unpack_from(f">{3 * count}I", buffer, trun.body + 12)
    except struct.error as error:
        raise FormatError(f"moof at {moof.start} is cut short") from error
    samples = zip(fields[1::3], fields[0::3], (flag == _KEY_FLAGS for flag in fields[2::3]), strict=True)
    return sequence, base, tuple(map(Sample._make, samples))


def _read_mdat(buffer: bytes | memoryview, at: int, samples: Sequence[Sample]) -> int:
    if at + 8 > len(buffer):
        raise FormatError(f"no mdat header at {at}")
    size, kind = struct.unpack_from(">I4s", buffer, at)
    expected = 8 + sum(sample.size for sample in samples)
    if kind != b"mdat" or size != expected:
        raise FormatError(f"expected mdat of {expected} bytes at {at}, found {kind!r} of {size}")
    return int(size)
