import asyncio
import time
from contextlib import suppress

import pytest

from streams.awake import LOOK_S, PAUSE_S, Awake, timeout


def _looked(awake: Awake, from_s: float, to_s: float) -> None:
    for n in range(round((to_s - from_s) / LOOK_S) + 1):
        awake.look(from_s + n * LOOK_S)


def test_a_pause_is_no_waiting_whoever_looks_first_after_it() -> None:
    awake = Awake(100.0)
    _looked(awake, 100.0, 110.0)
    assert awake.waited_s(104.0, 110.0) == 6.0
    assert awake.waited_s(104.0, 140.0) == 6.0
    _looked(awake, 140.0, 141.0)
    assert awake.waited_s(104.0, 141.0) == 7.0
    assert awake.paused_s(104.0, 141.0) == 30.0


def test_what_began_within_or_after_a_pause_has_only_its_part_of_it() -> None:
    awake = Awake(0.0)
    awake.look(20.0)
    assert awake.paused_s(12.0, 20.0) == 8.0
    assert awake.paused_s(20.0, 21.0) == 0.0
    assert awake.waited_s(12.0, 21.0) == 1.0


def test_many_pauses_do_not_hide_a_silence() -> None:
    """A machine that stands still again and again still has time in which it waits."""
    awake = Awake(0.0)
    for n in range(100):
        _looked(awake, n * 10.0, n * 10.0 + 1.0)
    assert awake.waited_s(950.0, 991.0) == 5.0
    assert awake.waited_s(0.0, 991.0) >= 100.0


def test_its_clock_stands_still_in_pauses_only() -> None:
    awake = Awake(0.0)
    _looked(awake, 0.0, 5.0)
    assert awake.clock_s(5.0) == 5.0
    assert awake.clock_s(45.0) == 5.0
    _looked(awake, 45.0, 46.0)
    assert awake.clock_s(46.0) == 6.0


def test_jitter_is_no_pause() -> None:
    awake = Awake(0.0)
    for n in range(1, 20):
        awake.look(n * PAUSE_S)
    assert awake.paused_s(0.0, 19.0) == 0.0


async def test_an_answer_that_came_in_a_pause_is_taken() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.1, time.sleep, 3.0)
    asyncio.get_running_loop().call_later(0.2, answer.set_result, "late")
    async with timeout(1.5):
        assert await answer == "late"


async def test_a_timeout_without_an_answer() -> None:
    with pytest.raises(TimeoutError):
        async with timeout(0.05):
            await asyncio.get_running_loop().create_future()
    with suppress(ValueError):
        async with timeout(0.05):
            raise ValueError
    await asyncio.sleep(0.1)  # what is over is not cancelled later
