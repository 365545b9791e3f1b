"""When to read. A camera spreads a picture over many small writes; waking for each costs more than the rest.

After a read that ended in the middle of a picture, the connection is left alone until the next beat, which
all connections of the loop share. A picture that came whole is passed on at once. So a paced camera is read
once a beat, not once a write, at the price of at most one beat of delay; the kernel's buffer holds what
comes meanwhile. The beat only runs while somebody waits for it.
"""

from __future__ import annotations

import asyncio
from typing import Protocol
from weakref import WeakKeyDictionary

BEAT_S = 0.036
BUFFER_BYTES = 256 * 1024


class Pausable(Protocol):
    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def is_closing(self) -> bool: ...


class Pace:
    """One per event loop: the beat, and the buffer into which every connection reads in its turn."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self._waiting: list[Pausable] = []
        self._armed = False

    def pause(self, transport: Pausable) -> None:
        transport.pause_reading()
        self._waiting.append(transport)
        if not self._armed:
            self._armed = True
            loop = asyncio.get_running_loop()
            now_s = loop.time()
            loop.call_at((now_s // BEAT_S + 1) * BEAT_S, self._beat)

    def _beat(self) -> None:
        self._armed = False
        waiting, self._waiting = self._waiting, []
        for transport in waiting:
            if not transport.is_closing():
                transport.resume_reading()


_paces: WeakKeyDictionary[asyncio.AbstractEventLoop, Pace] = WeakKeyDictionary()


def running_pace() -> Pace:
    """The running loop's own. Must be called from within it."""
    loop = asyncio.get_running_loop()
    pace = _paces.get(loop)
    if pace is None:
        pace = _paces[loop] = Pace()
    return pace
