"""When each frame of a simulated camera is captured: pure arithmetic on UTC, in 90 kHz ticks.

Frame `n` (the absolute number, counted from 1970) of a stream is captured at `phase + n / fps`, so

    n     = floor((t - phase(camera)) * fps)
    index = n mod frames                        (frames = loop seconds * fps; index is in the barcode)

Phases spread the cameras over a GOP, so that neither frames nor key frames of all cameras coincide:
`phase = camera * 111246 mod 180000` ticks. Frame `n` opens a GOP when `n` is a multiple of `2 * fps`.
"""

from datetime import UTC, datetime, timedelta

from csu.simulator.cameras import FULL, GOP_S, Quality, Stream

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def ticks_of_us(at_us: int) -> int:
    return at_us * 9 // 100


def us_of_ticks(ticks_90k: int) -> int:
    """The first whole microsecond that is not before the tick: the inverse of `ticks_of_us`."""
    return -(-ticks_90k * 100 // 9)


def phase_90k(camera: int) -> int:
    return camera * 111_246 % (GOP_S * 90_000)


def number_at(camera: int, stream: Stream, at_us: int, quality: Quality = FULL) -> int:
    """Absolute number of the frame captured last at `at_us` (UTC microseconds)."""
    return (ticks_of_us(at_us) - phase_90k(camera)) // quality.profile(stream).ticks_90k


def capture_90k(camera: int, stream: Stream, number: int, quality: Quality = FULL) -> int:
    """UTC, in ticks since 1970, at which a frame is captured."""
    return phase_90k(camera) + number * quality.profile(stream).ticks_90k


def capture_us(camera: int, stream: Stream, number: int, quality: Quality = FULL) -> int:
    return us_of_ticks(capture_90k(camera, stream, number, quality))


def frame_at(camera: int, stream: Stream, at: datetime, quality: Quality = FULL) -> int:
    """Index within the loop (the barcode's frame) of the frame captured last at `at`."""
    number = number_at(camera, stream, (at - _EPOCH) // _MICROSECOND, quality)
    return number % quality.frames(camera, stream)


def instant_of(camera: int, stream: Stream, frame: int, near: datetime, quality: Quality = FULL) -> datetime:
    """When the frame of that index was captured: the instant nearest to `near`, to the microsecond.

    A loop repeats, so the answer is right when `near` is within half a loop of the truth.
    """
    frames = quality.frames(camera, stream)
    around = number_at(camera, stream, (near - _EPOCH) // _MICROSECOND, quality)
    offset = (frame - around + frames // 2) % frames - frames // 2
    return _EPOCH + capture_us(camera, stream, around + offset, quality) * _MICROSECOND
