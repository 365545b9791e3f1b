"""The head of a progressive MP4 whose samples are stored elsewhere (ISO/IEC 14496-12 chapter 8).

Playback and extraction put slices of recorded parts behind each other. This builds all that comes before
the first picture: `ftyp`, a `moov` with whole sample tables, and the header of one big `mdat`. Its length
depends only on the shape of its input, so the same interval always gives the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from streams.fmp4 import Sample, file_type, full_box, movie
from streams.packets import VideoFormat


class Chunk(NamedTuple):
    """Samples of one format that lie side by side in the film's data, as one recorded part's do."""

    format: VideoFormat
    samples: Sequence[Sample]


def movie_header(chunks: Sequence[Chunk], extra_boxes: bytes = b"", hidden_90k: int = 0) -> bytes:
    """Everything before the data; the chunks' sample data must follow at once, in the same order.

    The first `hidden_90k` of them are decoded and not shown (edit list, 8.6.6). Each format gets its own sample
    entry, so a film may run across a change of the camera's settings.
    Raises ValueError without any sample.
    """
    chunks = [chunk for chunk in chunks if chunk.samples]
    if not chunks:
        raise ValueError("a film needs at least one picture")
    formats = list(dict.fromkeys(chunk.format for chunk in chunks))
    sizes = [sample.size for chunk in chunks for sample in chunk.samples]
    duration_90k = sum(sample.duration_90k for chunk in chunks for sample in chunk.samples)
    fixed = [
        _runs(b"stts", (sample.duration_90k for chunk in chunks for sample in chunk.samples)),
        _sync(sample.is_key for chunk in chunks for sample in chunk.samples),
        _chunk_map(chunks, formats),
        full_box(b"stsz", 0, 0, struct.pack(f">II{len(sizes)}I", 0, len(sizes), *sizes)),
    ]
    offsets = list(_offsets(chunks))
    head = file_type() + extra_boxes
    first = len(head) + len(movie(formats, duration_90k, [*fixed, _co64(offsets, 0)], hidden_90k=hidden_90k)) + 16
    moov = movie(formats, duration_90k, [*fixed, _co64(offsets, first)], hidden_90k=hidden_90k)
    return head + moov + struct.pack(">I4sQ", 1, b"mdat", 16 + sum(sizes))


def _offsets(chunks: Sequence[Chunk]) -> Iterator[int]:
    offset = 0
    for chunk in chunks:
        yield offset
        offset += sum(sample.size for sample in chunk.samples)


def _co64(offsets: Sequence[int], first: int) -> bytes:
    places = (first + offset for offset in offsets)
    return full_box(b"co64", 0, 0, struct.pack(f">I{len(offsets)}Q", len(offsets), *places))


def _runs(kind: bytes, values: Iterable[int]) -> bytes:
    """Run-length pairs (count, value), as `stts` wants them."""
    fields: list[int] = []
    for value, run in groupby(values):
        fields += (sum(1 for _ in run), value)
    return full_box(kind, 0, 0, struct.pack(f">I{len(fields)}I", len(fields) // 2, *fields))


def _sync(keys: Iterable[bool]) -> bytes:
    numbers = [number for number, is_key in enumerate(keys, 1) if is_key]
    return full_box(b"stss", 0, 0, struct.pack(f">I{len(numbers)}I", len(numbers), *numbers))


def _chunk_map(chunks: Sequence[Chunk], formats: Sequence[VideoFormat]) -> bytes:
    """`stsc`: first chunk, samples per chunk, sample entry; only where one of them changes."""
    entry_of = {format: number for number, format in enumerate(formats, 1)}
    fields: list[int] = []
    last = None
    for number, chunk in enumerate(chunks, 1):
        shape = (len(chunk.samples), entry_of[chunk.format])
        if shape != last:
            fields += (number, *shape)
            last = shape
    return full_box(b"stsc", 0, 0, struct.pack(f">I{len(fields)}I", len(fields) // 3, *fields))
