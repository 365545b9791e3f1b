"""Decode times for pictures that are sent in another order than they are shown (B-frames). Pure.

A camera's stamps say when a picture is shown (`pts_90k`). A file wants a time besides that rises from each picture
sent to the next: the decode time (`dts_90k`). It is found without looking ahead. How many pictures may be sent
before one that is shown earlier, the *depth*, is what the sequence parameter set says, or as many as H.264 streams
that say nothing have shown to need. A picture's decode time is the stamp of the one that many places from the latest
shown so far, moved by as many pictures' time, so that

- a key frame's decode time is its own stamp, whatever came before: losses, jumps and a greater depth heal there;
- without reordering it is the stamp, and nothing is computed;
- it rises, by a tick at least, but where the camera's clock was set back.
"""

from __future__ import annotations

from bisect import insort

from streams.codecs import Codec
from streams.h264 import BadBits
from streams.packets import VideoFormat
from streams.ticks import TICKS_PER_S

MAX_DEPTH = 16  # of both codecs
FIRST_STEP_90K = 1_500  # a picture's time before it is known: short, so that decode times can't overtake a key frame
JUMP_90K = 3 * TICKS_PER_S  # stamps that differ by more aren't reordered: the camera's clock jumped, or pictures lack
KEY_JUMP_90K = TICKS_PER_S  # the same for a key frame behind what came before it


class DecodeTimes:
    """One connection's stream. Ask for every picture, in the order they came."""

    def __init__(self, codec: Codec) -> None:
        self.depth = 0
        self._codec = codec
        self._format: VideoFormat | None = None
        self._last_dts_90k: int | None = None
        self._latest: list[int] = []  # the stamps that are shown last so far, in order: more than the depth
        self._lead_90k = 0
        self._step_90k = FIRST_STEP_90K
        self._measured_90k = JUMP_90K
        self._key_90k: int | None = None
        self._since_key = 0

    def dts_90k(self, pts_90k: int, is_key: bool, data: bytes, format: VideoFormat) -> int:
        """The picture's decode time; `data` is its access unit."""
        if format is not self._format:
            self._format = format
            self.depth = depth_of(self._codec, format)
        last_90k = self._last_dts_90k
        if not self.depth:
            if last_90k is None or not 0 < last_90k - pts_90k < JUMP_90K or not self._codec.is_bidirectional(data):
                self._last_dts_90k = pts_90k
                return pts_90k
            self._begin_inside(last_90k)
        dts_90k = self._reordered(pts_90k, is_key, data)
        if last_90k is not None and 0 <= last_90k - dts_90k < (KEY_JUMP_90K if is_key else JUMP_90K):
            dts_90k = last_90k + 1
        self._last_dts_90k = dts_90k
        return dts_90k

    def _reordered(self, pts_90k: int, is_key: bool, data: bytes) -> int:
        if is_key:
            self._measure_step(pts_90k)
        self._since_key += 1
        if is_key or not self._latest:
            # As if pictures at an even rate had come in order so far.
            self._latest = [pts_90k - n * self._step_90k for n in range(MAX_DEPTH + 1, -1, -1)]
            self._lead_90k = self.depth * self._step_90k
            return pts_90k
        if abs(pts_90k - self._latest[-1]) > JUMP_90K:
            self._begin_inside(pts_90k)
            return pts_90k
        insort(self._latest, pts_90k)
        ahead = len(self._latest) - 1 - self._latest.index(pts_90k)
        del self._latest[0]
        if self.depth < ahead <= MAX_DEPTH and self._codec.is_bidirectional(data):
            self.depth = ahead
        return self._latest[-1 - self.depth] + self._lead_90k

    def _begin_inside(self, pts_90k: int) -> None:
        """In the middle of a group of pictures: nothing is known of what is shown before this one."""
        self._latest = [pts_90k - JUMP_90K // 2] * (MAX_DEPTH + 1) + [pts_90k]
        self._lead_90k = 0
        self._key_90k = None

    def _measure_step(self, key_90k: int) -> None:
        """How long a picture lasts, by the last two groups of pictures: of one, some may be lost."""
        if self._key_90k is not None and 0 < key_90k - self._key_90k <= self._since_key * TICKS_PER_S:
            measured_90k = max((key_90k - self._key_90k) // self._since_key, 1)
            self._step_90k, self._measured_90k = min(measured_90k, self._measured_90k), measured_90k
        self._key_90k, self._since_key = key_90k, 0


def depth_of(codec: Codec, format: VideoFormat) -> int:
    """How many pictures may be sent before one that is shown earlier, by the sequence; 0 when it doesn't say."""
    try:
        return min(codec.reordered(format.sps), MAX_DEPTH)
    except BadBits:
        return 0
