"""Long-lived work as turns: a turn may fail, the loop never does."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from csu.store.store import is_unavailable
from recorder.channel import ChannelError

_LOG = logging.getLogger(__name__)


async def repeat(
    name: str, turn: Callable[[], Awaitable[object]], every_s: float, wake: asyncio.Event | None = None
) -> None:
    """Take turns until cancelled, `every_s` after one another or as soon as `wake` is set.

    A peer that is away is logged when it goes and when it is back, not at each turn.
    """
    away = ""
    while True:
        if wake is not None:
            wake.clear()
        try:
            await turn()
            if away:
                _LOG.info("%s: works again", name)
            away = ""
        except Exception as error:  # the task's top: it must outlive whatever one turn met
            reason = _away(error)
            if reason is None:
                _LOG.exception("%s failed; it tries again", name)
            elif reason != away:
                _LOG.warning("%s: %s; it tries again", name, reason)
            away = reason or type(error).__name__
        await _pause(every_s, wake)


async def _pause(every_s: float, wake: asyncio.Event | None) -> None:
    if wake is None:
        await asyncio.sleep(every_s)
        return
    try:
        async with asyncio.timeout(every_s):
            await wake.wait()
    except TimeoutError:
        return


def _away(error: Exception) -> str | None:
    """What is away, without addresses or secrets; None for a fault of our own."""
    if is_unavailable(error):
        return "PostgreSQL is away"
    if isinstance(error, ChannelError):
        return error.code
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return "Valkey is away" if isinstance(error, RedisError) else None
