"""How long we had the processor: a pause of our own says nothing of those whose silence we measure.

A process that is stopped, or whose machine is (a hypervisor that moves it), comes back to clocks that went on and to
sockets in which lies what came meanwhile; so does an event loop that was held up. Whoever waits for another counts by
this. Not for what ends by law at an instant: that is over, whether or not we slept.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator
from weakref import WeakKeyDictionary

LOOK_S = 0.25
PAUSE_S = 1.0
"""Not looked at for longer than this: a pause. What is shorter is jitter, and counts as waiting."""
_REMEMBERED = 64  # pauses; those before count as waiting


class Awake:
    """Pure: told the time (monotonic seconds), and looked at several times a second by whoever is awake."""

    def __init__(self, now_s: float) -> None:
        self._looked_s = now_s
        self._pauses: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)
        self._all_s = 0.0

    def look(self, now_s: float) -> None:
        if now_s - self._looked_s > PAUSE_S:
            self._pauses.append((self._looked_s, now_s))
            self._all_s += now_s - self._looked_s
        self._looked_s = now_s

    def clock_s(self, now_s: float) -> float:
        """Now, by a clock that stood still in all our pauses: for those who only ever compare its own readings."""
        self.look(now_s)
        return now_s - self._all_s

    def paused_s(self, since_s: float, now_s: float) -> float:
        """For how long of the time since then we paused, up to now; also when this is the first look after it."""
        self.look(now_s)
        return sum(max(0.0, to_s - max(from_s, since_s)) for from_s, to_s in self._pauses)

    def waited_s(self, since_s: float, now_s: float) -> float:
        """How long it is since then, without our pauses."""
        return now_s - since_s - self.paused_s(since_s, now_s)


_awake: WeakKeyDictionary[asyncio.AbstractEventLoop, Awake] = WeakKeyDictionary()


def running_awake() -> Awake:
    """The running loop's own, which is looked at from the first call on."""
    loop = asyncio.get_running_loop()
    awake = _awake.get(loop)
    if awake is None:
        awake = _awake[loop] = Awake(time.monotonic())
        _look(loop, awake)
    return awake


def _look(loop: asyncio.AbstractEventLoop, awake: Awake) -> None:
    awake.look(time.monotonic())
    loop.call_later(LOOK_S, _look, loop, awake)


@contextlib.asynccontextmanager
async def timeout(seconds: float) -> AsyncIterator[None]:
    """As asyncio.timeout, but without our pauses: an answer that came in one is still taken."""
    loop, awake, began_s = asyncio.get_running_loop(), running_awake(), time.monotonic()
    timer: asyncio.TimerHandle
    async with asyncio.timeout(None) as limit:

        def look() -> None:
            nonlocal timer
            left_s = seconds - awake.waited_s(began_s, time.monotonic())
            if left_s > 0:
                timer = loop.call_later(left_s, look)
            else:
                limit.reschedule(loop.time())

        timer = loop.call_later(seconds, look)
        try:
            yield
        finally:
            timer.cancel()
