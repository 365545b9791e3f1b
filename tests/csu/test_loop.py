"""Long-lived work outlives its turns."""

import asyncio
import logging

import pytest

from csu.loop import repeat
from recorder.channel import ChannelError


async def run_until(task: asyncio.Task[None], done: asyncio.Event) -> None:
    async with asyncio.timeout(60):
        await done.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_failing_turn_is_followed_by_another(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    turns, done = 0, asyncio.Event()
    errors = [ChannelError("UNREACHABLE", "x"), ChannelError("UNREACHABLE", "x"), TimeoutError(), ZeroDivisionError()]

    async def turn() -> None:
        nonlocal turns
        turns += 1
        if errors:
            raise errors.pop(0)
        done.set()

    await run_until(asyncio.create_task(repeat("work", turn, 0.0)), done)
    messages = [record.getMessage() for record in caplog.records]
    assert messages[:3] == [
        "work: UNREACHABLE; it tries again",
        "work: no answer in time; it tries again",
        "work failed; it tries again",
    ]
    assert "work: works again" in messages
    assert turns >= 5


async def test_waking_takes_the_next_turn_at_once() -> None:
    wake, done = asyncio.Event(), asyncio.Event()
    turns = 0

    async def turn() -> None:
        nonlocal turns
        turns += 1
        (wake if turns == 1 else done).set()

    await run_until(asyncio.create_task(repeat("work", turn, 3600.0, wake)), done)
