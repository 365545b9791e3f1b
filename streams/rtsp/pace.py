"""When to read: on a beat that all cameras of an event loop share, not whenever something arrives.

A network camera spreads a picture over many small writes, and hundreds of cameras keep an event loop waking
for little. Reading each socket once a beat takes a picture's pieces together, spares the waits between, and
parses camera after camera with warm caches. The price is a delay of at most one beat; the kernel's buffer
holds what comes meanwhile. Beyond some number cameras are dealt over several turns a beat, so that none is
long. A camera that nobody watches is in no hurry: it is read every CALM_BEATS beats, several pictures at once.

A camera may send what takes long to take apart (a flood of empty packets, of pictures of one byte, of line ends), and
all others would wait for it. So when a turn takes much of the processor, each reading is weighed, and who goes on to
take more than its share is let go.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol
from weakref import WeakKeyDictionary

BEAT_S = 0.040
CALM_BEATS = 4
TURN_READERS = 128
BUFFER_BYTES = 256 * 1024
DEAR_S = BEAT_S / 2
"""Of the processor's time, for one reading; a stream of 50 Mb/s in large packets takes a hundredth of that."""
DEBT_S = 1.0
"""What a reader may have taken more than that before it is let go."""
WEIGHED_TURNS = 50
"""After the last turn that took so long."""


class Reader(Protocol):
    @property
    def in_hurry(self) -> bool:
        """Whether the next beat may not be left out."""

    def read(self) -> None:
        """Takes what has arrived, without waiting. Must not raise."""

    def let_go(self) -> None:
        """What arrives takes too much of the processor: to leave. Must not raise."""


class Pace:
    """One per event loop: the beat, and the buffer into which every connection reads in its turn.

    It only beats while somebody has joined.
    """

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self._turns: list[dict[Reader, None]] = [{}]
        self._turn = 0
        self._beats = 0
        self._armed = False
        self._next_s = 0.0
        self._late_s = 0.0
        self._weighed = 0  # turns that are still to be weighed
        self._debts_s: dict[Reader, float] = {}  # of those that were, while any are

    def take_late_s(self) -> float:
        """How late a beat came at worst since the last call: the loop was busy, or stood still, for so long."""
        late_s, self._late_s = self._late_s, 0.0
        return late_s

    def join(self, reader: Reader) -> None:
        for turn in self._turns:
            if len(turn) < TURN_READERS:
                turn[reader] = None
                break
        else:
            self._turns.append({reader: None})
        self._arm()

    def leave(self, reader: Reader) -> None:
        for turn in self._turns:
            turn.pop(reader, None)
        self._debts_s.pop(reader, None)
        while len(self._turns) > 1 and not self._turns[-1]:
            self._turns.pop()

    def _arm(self) -> None:
        if self._armed:
            return
        self._armed = True
        loop = asyncio.get_running_loop()
        # From turn to turn, not from the clock's round numbers: a timer may fire a little early.
        self._next_s = max(self._next_s, loop.time()) + BEAT_S / len(self._turns)
        loop.call_at(self._next_s, self._beat)

    def _beat(self) -> None:
        self._armed = False
        self._late_s = max(self._late_s, asyncio.get_running_loop().time() - self._next_s)
        if any(self._turns):
            self._arm()
        self._turn = (self._turn + 1) % len(self._turns)
        self._beats += self._turn == 0
        turn = self._turns[self._turn]
        began_s = time.thread_time()
        for number, reader in enumerate(tuple(turn), self._beats):
            # Another one's reading may have ended it.
            if (number % CALM_BEATS == 0 or reader.in_hurry) and reader in turn:
                if self._weighed:
                    self._weigh(reader)
                else:
                    reader.read()
        if time.thread_time() - began_s > DEAR_S:
            self._weighed = WEIGHED_TURNS
        elif self._weighed:
            self._weighed -= 1
            if not self._weighed:
                self._debts_s.clear()

    def _weigh(self, reader: Reader) -> None:
        """Have it read, and let it go when that is dear too often. By the processor's time, in which a pause or a busy
        machine doesn't count."""
        began_s = time.thread_time()
        reader.read()
        debt_s = max(0.0, self._debts_s.get(reader, 0.0) + time.thread_time() - began_s - DEAR_S)
        if debt_s > DEBT_S:
            reader.let_go()
        else:
            self._debts_s[reader] = debt_s


_paces: WeakKeyDictionary[asyncio.AbstractEventLoop, Pace] = WeakKeyDictionary()


def running_pace() -> Pace:
    """The running loop's own."""
    loop = asyncio.get_running_loop()
    pace = _paces.get(loop)
    if pace is None:
        pace = _paces[loop] = Pace()
    return pace
