"""What a segment's file says of itself beside its pictures; FORMAT.md is the authority.

Pure. Two kinds of `uuid` box: one in the file's header, JSON, with all that the law and the chain need; one before
each part, binary, with the part's time and the SHA-256 of its sample data.
"""

import hashlib
import json
import re
import struct
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from recorder.clock import BootTime
from streams.fmp4 import FormatError, Init, PartHeader, Samples, init_segment, part_header, uuid_box
from streams.packets import VideoFormat
from streams.ticks import at_from_us, us_from_at

FORMAT_VERSION = 1
SEGMENT_BOX = uuid.UUID("8b1d6f2e-4c0a-5e53-9a44-63737520736d").bytes
PART_BOX = uuid.UUID("8b1d6f2e-4c0a-5e53-9a44-637375207074").bytes
NO_HASH = bytes(32)
"""The previous hash of a camera's first segment."""

MAX_PART_BYTES = 4 * 1024 * 1024
MAX_PART_SAMPLES = 1000
HEADER_READ_BYTES = 16 * 1024
"""Enough to read any file's header, with its parameter sets (`streams/parameters.py`: 4 KiB each), or any part's: 16
bytes a sample, and the boxes around them."""

_PART = struct.Struct(">qI32s")  # UTC of the first sample in microseconds, RTP packets lost, SHA-256
_REPAIRED = struct.Struct(">I")  # and only where there are some: pictures whose stamps were put in order
_CAMERA = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile(r"(\d{8}T\d{6})(\d{6})Z_(\d{10,16})\.mp4")
_NUMBER_BITS = 55  # of a header's numbers; in microseconds a thousand years


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """The `uuid` box of a file's header. Times in UTC microseconds; `previous` is the hash of the camera's segment
    before this one; `clock_offset_us` is the camera's clock minus ours, None while unknown. `boot_us` of CLOCK_BOOTTIME
    in the boot `boot` was when the first picture was taken; None in files of before."""

    index: str
    segment: int
    camera: str
    stream: str
    run: int
    run_from_us: int
    start_us: int
    authorisation: str
    deadline_us: int
    minimum_us: int | None
    previous: bytes
    clock_offset_us: int | None
    boot: str | None = None
    boot_us: int | None = None

    @property
    def taken(self) -> BootTime | None:
        return None if self.boot is None or self.boot_us is None else BootTime(self.boot, self.boot_us)

    def pack(self) -> bytes:
        document = {
            "version": FORMAT_VERSION,
            "index": self.index,
            "segment": self.segment,
            "camera": self.camera,
            "stream": self.stream,
            "run": self.run,
            "run_from_us": self.run_from_us,
            "start_us": self.start_us,
            "authorisation": self.authorisation,
            "deadline_us": self.deadline_us,
            "minimum_us": self.minimum_us,
            "previous": self.previous.hex(),
            "clock_offset_us": self.clock_offset_us,
        }
        if self.boot is not None:
            document |= {"boot": self.boot, "boot_us": self.boot_us}
        return uuid_box(SEGMENT_BOX, json.dumps(document, separators=(",", ":")).encode())


def read_segment_header(init: Init) -> SegmentHeader:
    """Raises FormatError when the file isn't one of ours, of a later format, or damaged so that a value can't be."""
    try:
        document = json.loads(init.uuids[SEGMENT_BOX])
        version = document.pop("version")
        if version != FORMAT_VERSION:
            raise FormatError(f"expected format version {FORMAT_VERSION}, found {version}")
        document["previous"] = bytes.fromhex(document["previous"])
        header = SegmentHeader(**document)
    except (KeyError, ValueError, TypeError) as error:
        raise FormatError(f"no readable segment box: {error}") from error
    texts = (header.index, header.camera, header.stream, header.authorisation, header.boot or "")
    numbers = (header.segment, header.run, header.run_from_us, header.start_us, header.deadline_us)
    may_lack = (header.minimum_us, header.clock_offset_us, header.boot_us)
    if (
        not all(isinstance(text, str) for text in texts)
        or not all(_is_number(number) for number in (*numbers, *(one for one in may_lack if one is not None)))
        or not _CAMERA.fullmatch(header.camera)
        or len(header.previous) != len(NO_HASH)
    ):
        raise FormatError("a segment box with a value that cannot be")
    return header


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not abs(value) >> _NUMBER_BITS


def file_header(header: SegmentHeader, format: VideoFormat) -> bytes:
    return init_segment(format, header.pack())


@dataclass(slots=True)
class Part:
    """What one `moof` and `mdat` will hold: samples in order, of which only the first may be a key frame.

    `at_us` is the UTC of the first sample's decode time, which is when a key frame is shown; `durations_90k` has one
    for each. `offsets_90k` are those of samples that are shown at another time than their decode time, by their place.
    `repaired` counts the pictures that were stamped before the one before them.
    """

    at_us: int
    base_90k: int
    is_key: bool
    data: list[bytes]
    durations_90k: list[int]
    data_bytes: int
    lost: int
    offsets_90k: Mapping[int, int] = field(default_factory=dict)
    repaired: int = 0

    @property
    def duration_90k(self) -> int:
        return sum(self.durations_90k)


def pack_part(part: Part, sequence: int) -> tuple[bytes, bytes]:
    """The part's header, and its sample data behind each other.

    Joining costs a copy, but lets the hash run once over all of it without the GIL: handing the GIL back for each
    picture cost more.
    """
    data = b"".join(part.data)
    mark = _PART.pack(part.at_us, part.lost, hashlib.sha256(data).digest())
    if part.repaired:
        mark += _REPAIRED.pack(part.repaired)
    offsets_90k = part.offsets_90k
    columns = [offsets_90k.get(place, 0) for place in range(len(part.data))] if offsets_90k else ()
    samples = Samples.of(map(len, part.data), part.durations_90k, (0,) if part.is_key else (), columns)
    return part_header(sequence, part.base_90k, samples, uuid_box(PART_BOX, mark)), data


class PartMark(NamedTuple):
    at_us: int
    lost: int
    sha256: bytes
    repaired: int = 0


def read_part_mark(header: PartHeader) -> PartMark:
    payload = header.uuids.get(PART_BOX, b"")
    if len(payload) not in (_PART.size, _PART.size + _REPAIRED.size):
        raise FormatError("no readable part box")
    at_us, lost, digest = _PART.unpack_from(payload)
    return PartMark(at_us, lost, digest, int.from_bytes(payload[_PART.size :], "big"))


class PartEntry(NamedTuple):
    """A part's line in the index: where it is and what it spans. Packed in 16 bytes, see `pack_entries`."""

    at_us: int
    base_90k: int
    offset: int
    size: int
    header_size: int
    samples: int
    duration_90k: int
    is_key: bool


_ENTRY = struct.Struct(">IIHHI")
_KEY_BIT = 1 << 31


def pack_entry(entry: PartEntry, previous_at_us: int) -> bytes:
    """Time since the part before (or the segment's start), size, header's size, samples, duration with the key bit."""
    since = min(max(entry.at_us - previous_at_us, 0), 0xFFFFFFFF)
    duration = entry.duration_90k | (_KEY_BIT if entry.is_key else 0)
    return _ENTRY.pack(since, entry.size, entry.header_size, entry.samples, duration)


def unpack_entries(packed: bytes, start_us: int, first_offset: int) -> Iterator[PartEntry]:
    at_us, base_90k, offset = start_us, 0, first_offset
    for since, size, header_size, samples, duration in _ENTRY.iter_unpack(packed):
        at_us += since
        length = duration & ~_KEY_BIT
        yield PartEntry(at_us, base_90k, offset, size, header_size, samples, length, bool(duration & _KEY_BIT))
        base_90k += length
        offset += size


def file_name(camera: str, start_us: int, segment: int) -> str:
    """The path inside the storage directory: `<camera>/<yyyy>/<mm>/<dd>/<hh>/<UTC>_<segment>.mp4`."""
    at = at_from_us(start_us)
    return f"{hour_directory(camera, start_us)}/{at:%Y%m%dT%H%M%S}{at.microsecond:06d}Z_{segment:010d}.mp4"


def hour_directory(camera: str, start_us: int) -> str:
    return f"{camera}/{at_from_us(start_us):%Y/%m/%d/%H}"


def cameras_among(names: Iterable[str]) -> list[str]:
    """Those of a storage directory's names that are cameras', sorted."""
    return sorted(name for name in names if _CAMERA.fullmatch(name))


def segment_of(name: str) -> int | None:
    """The segment's number in a file's name, None for a name that isn't ours."""
    match = _NAME.fullmatch(name)
    return int(match[3]) if match else None


def start_us_of(name: str) -> int | None:
    """When the file's first picture was taken, by its name, None for a name that isn't ours."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return us_from_at(datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)) + int(match[2])


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 section 2.1 over the leaves' bytes."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()
