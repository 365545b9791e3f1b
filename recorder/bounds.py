"""Where a replay begins and ends, to the picture: an interval cut out of parts, by the times of their samples.

Pure. What counts is when a picture is shown: its part's time, the media time since the part began, and its offset.

- Nothing at or after the end is in the film. Pictures are cut off where the first of those comes in the order they are
  stored. Where pictures are reordered, up to as many as are sent ahead, which come later and are shown before the end,
  go with it: they can't be decoded without it.
- Nothing before the begin is shown. The film begins with the last key frame shown at or before the begin; what comes
  between is there for decoding, and hidden by an edit list (ISO/IEC 14496-12 section 8.6.6).
- Leading pictures, which are sent after a key frame and shown before it (open groups of pictures), need pictures
  before that key frame. Where a film begins, or goes on after a hole, they are left out.
"""

from collections.abc import Sequence
from dataclasses import replace

from recorder.format import PartEntry
from streams.fmp4 import Samples
from streams.ticks import us_from_90k


def cut_end(entry: PartEntry, samples: Samples, to_us: int) -> PartEntry:
    """The part without the pictures at or after `to_us`, the last that is left shown until then. Its first picture
    must be before."""
    shown_90k = samples.shown_90k()
    kept = next(
        (place for place, at_90k in enumerate(shown_90k) if entry.at_us + us_from_90k(at_90k) >= to_us), len(samples)
    )
    before_90k = max(sum(samples.durations_90k[: kept - 1]), *shown_90k[:kept])
    within_90k = (to_us - entry.at_us) * 9 // 100
    return entry._replace(
        samples=kept,
        size=entry.header_size + sum(samples.sizes[:kept]),
        duration_90k=max(min(within_90k, entry.duration_90k), before_90k + 1),
    )


def first_shown(parts: Sequence[tuple[PartEntry, Samples]], from_us: int) -> tuple[int, int] | None:
    """When the first picture at or after `from_us` is shown, and how much of the parts is shown before it; None when
    they have no such picture. The samples are those of the whole parts, of which `cut_end` may have left some only."""
    found: list[tuple[int, int]] = []
    media_90k = 0
    for entry, samples in parts:
        for at_90k in samples.shown_90k()[: entry.samples]:
            at_us = entry.at_us + us_from_90k(at_90k)
            if at_us >= from_us:
                found.append((at_us, media_90k + at_90k))
        media_90k += entry.duration_90k
    return min(found, default=None)


def leading(samples: Samples) -> int:
    """How many samples after the first, a key frame, are shown before it."""
    shown_90k = samples.shown_90k()
    return next((n for n, at_90k in enumerate(shown_90k[1:]) if at_90k >= shown_90k[0]), len(shown_90k) - 1)


def without(samples: Samples, start: int, count: int) -> Samples:
    """The samples but for some; what goes before them lasts so much longer."""
    end = start + count
    durations_90k = samples.durations_90k[:start] + samples.durations_90k[end:]
    durations_90k[start - 1] += sum(samples.durations_90k[start:end])
    return replace(
        samples,
        sizes=samples.sizes[:start] + samples.sizes[end:],
        durations_90k=durations_90k,
        keys=tuple(key if key < start else key - count for key in samples.keys if not start <= key < end),
        offsets_90k=samples.offsets_90k[:start] + samples.offsets_90k[end:],
    )
