"""When which frame is captured: arithmetic without a clock."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csu.simulator import cameras, clock
from csu.simulator.cameras import FULL, QUICK, STREAMS, Quality, Stream

_CAMERAS = st.integers(1, 300)
_STREAMS = st.sampled_from(STREAMS)
# Hypothesis wants its bounds without zone.
_INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(_CAMERAS, _STREAMS, st.integers(10**9, 10**11))
def test_a_frame_is_current_from_its_capture_until_the_next(camera: int, stream: Stream, number: int) -> None:
    at_us = clock.capture_us(camera, stream, number)
    assert clock.number_at(camera, stream, at_us) == number
    assert clock.number_at(camera, stream, at_us - 1) == number - 1


@given(_CAMERAS, _STREAMS, _INSTANTS, st.sampled_from([FULL, QUICK]), st.floats(-0.45, 0.45))
def test_the_instant_comes_back_from_the_index(
    camera: int, stream: Stream, at: datetime, quality: Quality, error: float
) -> None:
    index = clock.frame_at(camera, stream, at, quality)
    near = at + timedelta(seconds=error * quality.length_s(camera))
    found = clock.instant_of(camera, stream, index, near, quality)
    period = timedelta(seconds=1 / quality.profile(stream).fps)
    assert timedelta(0) <= at - found < period + timedelta(microseconds=1)
    assert clock.frame_at(camera, stream, found, quality) == index


@given(_CAMERAS, _STREAMS)
def test_loops_are_whole_gops(camera: int, stream: Stream) -> None:
    for quality in cameras.QUALITIES.values():
        assert quality.frames(camera, stream) % (cameras.GOP_S * quality.profile(stream).fps) == 0
        assert 90_000 % quality.profile(stream).fps == 0


def test_phases_differ() -> None:
    phases = [clock.phase_90k(camera) for camera in range(1, 201)]
    assert len(set(phases)) == 200
    assert all(0 <= phase < cameras.GOP_S * 90_000 for phase in phases)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("/cam/01/main", (1, "main")),
        ("/cam/12/sub/trackID=0", (12, "sub")),
        ("/cam/117/main/", (117, "main")),
        ("/cam/x/main", None),
        ("/cam/01", None),
        ("/cam/01/third", None),
        ("", None),
    ],
)
def test_paths(text: str, named: tuple[int, Stream] | None) -> None:
    assert cameras.parse_path(text) == named
    if named:
        assert cameras.parse_path(cameras.path(*named)) == named
