"""The head of a progressive MP4 whose samples are stored elsewhere (ISO/IEC 14496-12 chapter 8).

Playback and extraction put slices of recorded parts behind each other. This builds all that comes before
the first picture: `ftyp`, a `moov` with whole sample tables, and the header of one big `mdat`. Its length
depends only on the shape of its input, so the same interval always gives the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby
from typing import NamedTuple

from streams.fmp4 import Samples, big_endian, file_type, full_box, movie
from streams.packets import VideoFormat


class Chunk(NamedTuple):
    """Samples of one format that lie side by side in the film's data, as one recorded part's do: how many they are,
    and the bytes of their data."""

    format: VideoFormat
    samples: int
    data_bytes: int


def movie_header(chunks: Sequence[Chunk], film: Samples, extra_boxes: bytes = b"", hidden_90k: int = 0) -> bytes:
    """Everything before the data: the chunks' sample data must follow at once, in the same order; `film` are the
    samples of all.

    The first `hidden_90k` of them are decoded and not shown (edit list, 8.6.6). Each format gets its own sample
    entry, so a film may run across a change of the camera's settings.
    Raises ValueError without any sample, or when chunks and samples differ.
    """
    if not chunks:
        raise ValueError("a film needs at least one picture")
    formats = list(dict.fromkeys(chunk.format for chunk in chunks))
    places = list(accumulate((chunk.data_bytes for chunk in chunks), initial=0))
    data_bytes = places.pop()
    if (sum(chunk.samples for chunk in chunks), data_bytes) != (len(film), film.data_bytes):
        raise ValueError(f"expected {len(film)} samples of {film.data_bytes} bytes, found chunks of {data_bytes}")
    # Negative offsets are allowed (8.6.1.3), but libav then misplaces what an edit list shows.
    late_90k = max(0, -min(film.offsets_90k, default=0))
    tables = [
        _runs(b"stts", film.durations_90k),
        *([_runs(b"ctts", (offset + late_90k for offset in film.offsets_90k))] if any(film.offsets_90k) else []),
        full_box(b"stss", 0, 0, struct.pack(f">I{len(film.keys)}I", len(film.keys), *(key + 1 for key in film.keys))),
        _chunk_map(chunks, formats),
        full_box(b"stsz", 0, 0, struct.pack(">II", 0, len(film)), big_endian(film.sizes)),
        full_box(b"co64", 0, 0, struct.pack(">I", len(places)), bytes(8 * len(places))),
    ]
    head = file_type() + extra_boxes + movie(formats, film.duration_90k, tables, b"", hidden_90k, late_90k)
    # The places of the chunks, which depend on the head's length, are its very end.
    first = len(head) + 16
    head = head[: -8 * len(places)] + struct.pack(f">{len(places)}Q", *(first + place for place in places))
    return head + struct.pack(">I4sQ", 1, b"mdat", 16 + data_bytes)


def _runs(kind: bytes, values: Iterable[int]) -> bytes:
    """Run-length pairs (count, value), as `stts` and `ctts` want them."""
    fields: list[int] = []
    for value, run in groupby(values):
        fields += (len(list(run)), value)
    return full_box(kind, 0, 0, struct.pack(f">I{len(fields)}I", len(fields) // 2, *fields))


def _chunk_map(chunks: Sequence[Chunk], formats: Sequence[VideoFormat]) -> bytes:
    """`stsc`: first chunk, samples per chunk, sample entry; only where one of them changes."""
    entry_of = {format: number for number, format in enumerate(formats, 1)}
    fields: list[int] = []
    last = None
    for number, chunk in enumerate(chunks, 1):
        shape = (chunk.samples, entry_of[chunk.format])
        if shape != last:
            fields += (number, *shape)
            last = shape
    return full_box(b"stsc", 0, 0, struct.pack(f">I{len(fields)}I", len(fields) // 3, *fields))
