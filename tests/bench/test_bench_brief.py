"""The recorder's times in the bench: what waited too long, and who was connected to again too soon."""

import json
import time

import pytest

from csu.bench.brief import LATE_US, Times
from recorder.format import Part
from recorder.machine import now_us


def _part(last_us: int) -> Part:
    """Three pictures, the last of which was received at this instant."""
    return Part(last_us - 80_000, 0, True, [b"a", b"b", b"c"], [3600, 3600, 3600], 3, 0)


def test_pictures_that_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    instant_us = now_us()
    monkeypatch.setattr("csu.bench.brief.now_us", lambda: instant_us)
    times = Times()
    times.written(_part(instant_us - LATE_US // 2))
    assert (times.late_frames, times.waited_us) == (0, LATE_US // 2)
    times.written(_part(instant_us - 2 * LATE_US))
    times.written(_part(instant_us))
    assert (times.late_frames, times.waited_us) == (3, 2 * LATE_US)


def test_connections_to_the_same_camera() -> None:
    began_s = time.monotonic()
    times = Times()
    times.connected("one")
    times.connected("two")
    assert times.soonest_again_s is None
    times.connected("one")
    told = json.loads(times.to_json())
    assert 0 <= told["soonest_again_s"] < time.monotonic() - began_s
    assert told["connections"] == 3
    assert set(told) == {"waited_us", "late_frames", "connections", "soonest_again_s"}
