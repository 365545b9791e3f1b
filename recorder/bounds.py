"""Where a replay begins and ends, to the picture: an interval cut out of parts, by the times of their samples.

Pure. At the end nothing at or after the interval is in the film. At the beginning the pictures from the key frame on
must stay, since what follows is coded against them: they are hidden, which the film says in an edit list
(ISO/IEC 14496-12 section 8.6.6). Wall time inside a part is its own plus the media time since it began.
"""

import bisect
from collections.abc import Sequence
from itertools import accumulate

from recorder.format import PartEntry
from streams.fmp4 import Samples
from streams.ticks import us_from_90k


def sample_times(entry: PartEntry, samples: Samples) -> Sequence[int]:
    """When each picture of a part was taken, in UTC microseconds, and when the last one ends."""
    return [entry.at_us + us_from_90k(media_90k) for media_90k in accumulate(samples.durations_90k, initial=0)]


def cut_end(entry: PartEntry, samples: Samples, to_us: int) -> PartEntry:
    """The part without the pictures at or after `to_us`, the last that is left shown until then. Its first picture
    must be before."""
    times = sample_times(entry, samples)
    if times[-1] <= to_us:
        return entry
    kept = bisect.bisect_left(times, to_us, hi=len(samples))
    last_90k = sum(samples.durations_90k[: kept - 1])
    within_90k = (to_us - entry.at_us) * 9 // 100
    return entry._replace(
        samples=kept,
        size=entry.header_size + sum(samples.sizes[:kept]),
        duration_90k=max(min(within_90k, entry.duration_90k), last_90k + 1),
    )


def hidden_90k(entry: PartEntry, samples: Samples, from_us: int) -> int:
    """How much of a part comes before its first picture at or after `from_us`; all of it when there is none."""
    first = bisect.bisect_left(sample_times(entry, samples), from_us, hi=len(samples))
    return sum(samples.durations_90k[:first])
