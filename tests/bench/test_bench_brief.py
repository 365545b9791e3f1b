"""The recorder's times in the bench: what waited too long, and who was connected to again too soon."""

import json

import pytest

from csu.bench.brief import LATE_US, Times
from recorder.format import Part
from recorder.machine import now_us


def _part(old_us: int) -> Part:
    """Three pictures, the last of which was received so long ago."""
    return Part(now_us() - old_us - 80_000, 0, True, [b"a", b"b", b"c"], [3600, 3600, 3600], 3, 0)


def test_pictures_that_waited() -> None:
    times = Times()
    times.written(_part(LATE_US // 2))
    assert times.late_frames == 0
    assert times.waited_us == pytest.approx(LATE_US // 2, abs=100_000)
    times.written(_part(2 * LATE_US))
    times.written(_part(0))
    assert times.late_frames == 3
    assert times.waited_us == pytest.approx(2 * LATE_US, abs=100_000)


def test_connections_to_the_same_camera() -> None:
    times = Times()
    times.connected("one")
    times.connected("two")
    assert times.soonest_again_s is None
    times.connected("one")
    told = json.loads(times.to_json())
    assert 0 <= told["soonest_again_s"] < 10
    assert told["connections"] == 3
    assert set(told) == {"waited_us", "late_frames", "connections", "soonest_again_s"}
