"""Places a camera's pictures on the wall clock (see TIME.md). Pure: told every clock, asks none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from streams.ticks import US_PER_S, us_from_90k, us_from_at

JUMP_US = 1_000_000  # beyond this a clock did not drift, it jumped
JITTER_US = 100_000  # a camera may stamp a picture so much before the last one
WINDOW_US = 15_000_000  # the least delayed picture is sought in one to two of these
SLEW_PPM = 500  # how fast the placing follows a camera that runs slow, at least
SLEW_SPAN_US = 30_000_000  # a larger difference is made up over this
STUCK_US = 3_000_000  # so long all pictures must come late before their stamps are disbelieved


class Cut(StrEnum):
    """Why a new run began with the packet just placed."""

    CAMERA_CLOCK = "camera_clock"  # the camera's stamps jumped
    WALL_CLOCK = "wall_clock"  # our own clock was set


@dataclass(frozen=True, slots=True)
class Anchor:
    """One look at both of our clocks: the monotonic one, and UTC in microseconds since 1970."""

    monotonic_s: float
    wall_us: int

    @property
    def offset_us(self) -> int:
        return self.wall_us - round(self.monotonic_s * US_PER_S)


class Timeline:
    """One stream's placing. `place` every packet in order; `cut` then says whether a run began with it.

    Invariants: within a run the times given strictly rise; a picture is never placed after its arrival, but
    for what an earlier one of the run already took (they rise by 1 us at least).
    """

    def __init__(self, anchor: Anchor) -> None:
        self.cut: Cut | None = None
        self.backwards = 0  # pictures stamped before the one before them, and placed behind it
        self.clock_offset_us: int | None = None  # the camera's clock ahead of ours, by its last report
        self._anchor_us = anchor.offset_us
        self._stepped = False
        self._first_90k: int | None = None  # of the run
        self._last_media_us = self._last_received_us = self._last_at_us = 0
        self._used_us = 0  # wall time of the run's media time 0, as used for the last packet
        self._least_us = self._older_least_us = 0  # arrival minus media time: of this window, of the one before
        self._window_end_us = 0
        self._late_for_us: int | None = None  # how long all pictures have come late
        self._report: tuple[int, int] | None = None

    def told(self, anchor: Anchor) -> None:
        """The wall clock as it is now. A step of more than a second cuts the run; less is followed softly."""
        offset_us = anchor.offset_us
        if abs(offset_us - self._anchor_us) > JUMP_US:
            self._stepped = True
        self._anchor_us = offset_us

    def restart(self) -> None:
        """The next packet comes from a new connection: it begins a run, and nothing before counts."""
        self._first_90k = None
        self._report = self.clock_offset_us = None

    def sender_report(self, ntp_at: datetime, rtp_90k: int) -> None:
        """The camera's own clock showed `ntp_at` at `rtp_90k` (unwrapped as packets are)."""
        self._report = (us_from_at(ntp_at), rtp_90k)
        self._measure_offset()

    def place(self, dts_90k: int, received_s: float, offset_90k: int = 0) -> int:
        """The instant of a picture's decode time, in microseconds of UTC, as far as arrivals tell. It was taken
        `offset_90k` later: at that instant itself where pictures are sent in the order they are shown."""
        received_us = round(received_s * US_PER_S)
        # When a picture that was taken at its decode time would have come, had it been as late as this one.
        earliest_us = received_us - us_from_90k(offset_90k) if offset_90k else received_us
        if self._first_90k is None or self._stepped:
            return self._start(dts_90k, received_us, earliest_us, Cut.WALL_CLOCK if self._stepped else None)
        media_us = us_from_90k(dts_90k - self._first_90k)
        step_us = media_us - self._last_media_us
        waited_us = received_us - self._last_received_us
        advance_us = step_us - waited_us
        if step_us < -JITTER_US or (advance_us > JUMP_US and self._is_early(earliest_us - media_us)):
            return self._jumped(dts_90k, received_us, earliest_us)
        self._last_received_us = received_us
        self._seek_least(earliest_us - media_us, received_us)
        if self._is_stuck(earliest_us - media_us + self._anchor_us, waited_us):
            return self._jumped(dts_90k, received_us, earliest_us)
        if step_us > 0:
            self._last_media_us = media_us
            self._follow(step_us)
        else:
            self.backwards += 1
        self.cut = None
        self._last_at_us = max(media_us + self._used_us, self._last_at_us + 1)
        return self._last_at_us

    def _start(self, dts_90k: int, received_us: int, earliest_us: int, cut: Cut | None) -> int:
        self.cut = cut
        self._stepped = False
        self._first_90k = dts_90k
        self._last_media_us = 0
        self._last_received_us = received_us
        self._least_us = self._older_least_us = earliest_us
        self._window_end_us = received_us + WINDOW_US
        self._late_for_us = None
        self._used_us = self._last_at_us = earliest_us + self._anchor_us
        self._measure_offset()
        return self._last_at_us

    def _jumped(self, dts_90k: int, received_us: int, earliest_us: int) -> int:
        self._report = self.clock_offset_us = None
        return self._start(dts_90k, received_us, earliest_us, Cut.CAMERA_CLOCK)

    def _seek_least(self, late_us: int, received_us: int) -> None:
        if received_us >= self._window_end_us:
            self._older_least_us, self._least_us = self._least_us, late_us
            self._window_end_us = received_us + WINDOW_US
        elif late_us < self._least_us:
            self._least_us = late_us

    def _is_early(self, late_us: int) -> bool:
        """Whether a picture came so much before the least delayed one that its stamp can't be of the same clock.

        A camera that left pictures out after one that was held up sends the next at its time, not before.
        """
        return late_us < min(self._least_us, self._older_least_us) - JUMP_US

    def _is_stuck(self, late_us: int, waited_us: int) -> bool:
        """Whether pictures have come over a second late for so long that it can't be the way's fault.

        A network that stalled delivers what it held and is on time again; a camera that stood still is not. While
        nothing is read (a pause of our own) nothing shows which it is: of a wait a second counts.
        """
        if late_us - self._used_us <= JUMP_US:
            self._late_for_us = None
            return False
        self._late_for_us = 0 if self._late_for_us is None else self._late_for_us + min(waited_us, JUMP_US)
        return self._late_for_us > STUCK_US

    def _follow(self, step_us: int) -> None:
        """Moves the placing towards the least delayed picture.

        Earlier: as fast as half the picture's own time, so a late first picture is soon made good and time
        still advances. Later: softly, since a burst of late pictures proves nothing.
        """
        wanted_us = min(self._least_us, self._older_least_us) + self._anchor_us - self._used_us
        if wanted_us < 0:
            self._used_us += max(wanted_us, -(step_us // 2))
        elif wanted_us > 0:
            slew_us = max(step_us * SLEW_PPM // 1_000_000, wanted_us * step_us // SLEW_SPAN_US)
            self._used_us += min(wanted_us, slew_us)

    def _measure_offset(self) -> None:
        if self._report is not None and self._first_90k is not None:
            ntp_us, rtp_90k = self._report
            self.clock_offset_us = ntp_us - us_from_90k(rtp_90k - self._first_90k) - self._used_us
