"""Packets in; parts, segments and runs out. Pure: no file, no clock, no thread.

A *part* ends before a key frame, before it would span more than 2 s or hold more than 4 MiB or 1000 pictures. A
*segment* ends at the first key frame a minute or more after it began; which second of the minute that is differs
from camera to camera, so that rotation doesn't come in bursts. A *run* ends when it is told to, when the format
changes, where pictures of more than 3 s are missing, and where time goes back by more than 1 s. Every packet from
the first key frame on comes out in exactly one part, unchanged and in order; but for a camera that changes with each
picture: each run is a file, and no more than RUNS begin in RUNS_S. All this goes by decode time, which is a key frame's
own; pictures that are shown at another time bear their offset.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from recorder.format import MAX_PART_BYTES, MAX_PART_SAMPLES, Part
from streams.packets import Packet, VideoFormat
from streams.ticks import us_from_90k

PART_90K = 2 * 90_000
SEGMENT_US = 60_000_000
MISSING_US = 3_000_000
BACKWARDS_US = 1_000_000
RUNS, RUNS_S = 30, 60.0
"""So many runs of a camera begin in so long, by when their pictures came: as often as a directory that fails, or a
camera that hangs up, is tried again."""
_SHORTEST_FIRST_US = 5_000_000
_UNKNOWN_DURATION_90K = 3600
LONGEST_SAMPLE_90K = 60 * 90_000


@dataclass(frozen=True, slots=True)
class RunStarted:
    at_us: int


@dataclass(frozen=True, slots=True)
class SegmentOpened:
    start_us: int
    format: VideoFormat


@dataclass(frozen=True, slots=True)
class PartReady:
    part: Part


@dataclass(frozen=True, slots=True)
class SegmentClosed:
    end_us: int


@dataclass(frozen=True, slots=True)
class RunEnded:
    end_us: int
    reason: str


Event = RunStarted | SegmentOpened | PartReady | SegmentClosed | RunEnded


def stagger_us(camera: str, segment_us: int) -> int:
    """Where in the minute this camera's segments begin."""
    return int(UUID(camera)) % segment_us


class Segmenter:
    """One camera's main stream. Invariant: pictures wait in the current part only while a run is open."""

    def __init__(self, camera: str, segment_us: int = SEGMENT_US) -> None:
        self._segment_us = segment_us
        self._stagger_us = stagger_us(camera, segment_us)
        self._format: VideoFormat | None = None  # of the open run
        self._began_s: deque[float] = deque(maxlen=RUNS)  # the last runs, by when their first pictures came
        self._rotate_us = 0
        self._base_90k = 0
        self._clear_part()
        self._last_dts_90k = 0
        self._latest_pts_90k = 0  # of the picture that is shown last, where they are reordered
        self._first_dts_90k = 0  # of the part
        self._step_90k = _UNKNOWN_DURATION_90K
        self._last_at_us = 0

    @property
    def recording(self) -> bool:
        return self._format is not None

    @property
    def end_us(self) -> int:
        """Until when there are pictures: the last one's time, and as long as the one before it was shown."""
        return self._last_at_us + us_from_90k(self._end_90k - self._last_dts_90k)

    @property
    def _end_90k(self) -> int:
        return max(self._last_dts_90k, self._latest_pts_90k) + self._step_90k

    def push(self, packet: Packet, at_us: int) -> Sequence[Event]:
        """Take the next packet, whose decode time is `at_us`. Called for each frame: most often nothing comes out."""
        if self._format is None:
            return self._start(packet, at_us)
        if packet.format is not self._format and packet.format != self._format:
            return self._cut(packet, at_us, "format")
        since_us = at_us - self._last_at_us
        if since_us < 0 or since_us > MISSING_US:
            if since_us > 0:
                return self._cut(packet, at_us, "missing")
            if since_us < -BACKWARDS_US:
                return self._cut(packet, at_us, "backwards")
            at_us = self._last_at_us
        events: Sequence[Event] = ()
        size = len(packet.data)
        offset_90k = packet.offset_90k
        dts_90k = packet.pts_90k - offset_90k
        if (
            packet.is_key
            or dts_90k - self._first_dts_90k >= PART_90K
            or self._bytes + size > MAX_PART_BYTES
            or len(self._data) >= MAX_PART_SAMPLES
        ):
            events = self._end_part(packet, dts_90k, at_us)
        if not self._data:
            self._first_dts_90k = dts_90k
            self._part_at_us = at_us
            self._is_key = packet.is_key
        if offset_90k:
            self._offsets_90k[len(self._data)] = offset_90k
            self._latest_pts_90k = max(self._latest_pts_90k, packet.pts_90k)
        self._data.append(packet.data)
        self._dts.append(dts_90k)
        self._bytes += size
        self._lost += packet.lost_before
        step_90k = dts_90k - self._last_dts_90k
        if 0 < step_90k <= LONGEST_SAMPLE_90K:
            self._step_90k = step_90k
        elif step_90k <= 0:
            self._repaired += 1
        self._last_dts_90k = dts_90k
        self._last_at_us = at_us
        return events

    def end(self, reason: str) -> Sequence[Event]:
        """End the run, if one is open; the last picture is taken to last as long as the one before it."""
        if self._format is None:
            return ()
        end_us = self.end_us
        part = self._take_part(self._end_90k)
        self._format = None
        return (PartReady(part), SegmentClosed(end_us), RunEnded(end_us, reason))

    def discard(self) -> None:
        """Forget the run and the pictures of its unfinished part: the storage lost them."""
        self._format = None
        self._clear_part()

    def _start(self, packet: Packet, at_us: int) -> Sequence[Event]:
        """Begin a run with this packet, if one may."""
        began_s = self._began_s
        if not packet.is_key or (len(began_s) == RUNS and packet.received_s - began_s[0] < RUNS_S):
            return ()
        began_s.append(packet.received_s)
        self._format = packet.format
        self._base_90k = 0
        self._rotate_us = at_us + (self._stagger_us - at_us) % self._segment_us
        if self._rotate_us - at_us < min(_SHORTEST_FIRST_US, self._segment_us):
            self._rotate_us += self._segment_us
        self._last_at_us = at_us
        self._last_dts_90k = self._latest_pts_90k = packet.dts_90k
        self._step_90k = _UNKNOWN_DURATION_90K
        self._clear_part()
        self.push(packet, at_us)
        self._repaired = 0
        return (RunStarted(at_us), SegmentOpened(at_us, packet.format))

    def _cut(self, packet: Packet, at_us: int, reason: str) -> Sequence[Event]:
        return (*self.end(reason), *self._start(packet, at_us))

    def _end_part(self, packet: Packet, dts_90k: int, at_us: int) -> Sequence[Event]:
        if not self._data:
            return ()
        ready = PartReady(self._take_part(dts_90k))
        if not packet.is_key or at_us < self._rotate_us:
            return (ready,)
        self._base_90k = 0
        while self._rotate_us <= at_us:
            self._rotate_us += self._segment_us
        return (ready, SegmentClosed(at_us), SegmentOpened(at_us, packet.format))

    def _take_part(self, next_dts_90k: int) -> Part:
        """The waiting pictures as a part.

        Their times are put in order first: a camera that stamps a picture before the last one must not make the part
        longer. Two of the same time are one tick apart.
        """
        starts = sorted(self._dts)
        ends = [*starts[1:], next_dts_90k]
        durations = [min(max(end - start, 1), LONGEST_SAMPLE_90K) for start, end in zip(starts, ends, strict=True)]
        part = Part(
            self._part_at_us,
            self._base_90k,
            self._is_key,
            self._data,
            durations,
            self._bytes,
            self._lost,
            self._offsets_90k,
            self._repaired,
        )
        self._base_90k += part.duration_90k
        self._clear_part()
        return part

    def _clear_part(self) -> None:
        self._data: list[bytes] = []
        self._dts: list[int] = []
        self._offsets_90k: dict[int, int] = {}
        self._repaired = 0
        self._bytes = 0
        self._lost = 0
        self._first_dts_90k = 0
        self._part_at_us = 0
        self._is_key = False
