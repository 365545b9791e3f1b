"""Keeps one camera's stream alive: `run_once` fails honestly, `run` waits and tries again."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import NoReturn

from streams.errors import CameraError, CameraFault
from streams.pull import pull
from streams.source import AGAIN_S, PacketSink, SourceConfig

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
HEALTHY_S = 30.0

_log = logging.getLogger(__name__)
_random = random.SystemRandom()

# Only a person can mend these; asking often would only lock the camera's account.
_PATIENT = frozenset((CameraFault.REFUSED_CREDENTIALS, CameraFault.NOT_FOUND, CameraFault.UNSUPPORTED_CODEC))


class ConnectBudget:
    """How many connections all cameras together may open in a second, and how soon the same one again.

    After a power cut hundreds of cameras come back at once: neither they nor the network like a storm.
    """

    def __init__(self, per_s: float = 40.0) -> None:
        self._step_s = 1.0 / per_s
        self._next_s = 0.0
        self._turns_s: dict[str, float] = {}  # the last of each address, the oldest first

    async def wait_turn(self, url: str) -> None:
        while True:
            now_s = time.monotonic()
            pause_s = self.pause_s(url, now_s)
            if pause_s <= 0:
                break
            await asyncio.sleep(pause_s)
        turn_s = self.reserve(url, now_s)
        if turn_s > now_s:
            await asyncio.sleep(turn_s - now_s)

    def pause_s(self, url: str, now_s: float) -> float:
        """How long this camera must wait before it may ask for a turn; it holds up nobody meanwhile."""
        turn_s = self._turns_s.get(url)
        return 0.0 if turn_s is None else turn_s + AGAIN_S - now_s

    def reserve(self, url: str, now_s: float) -> float:
        """The turn of a camera whose pause is over, at `now_s` or later."""
        turn_s = max(now_s, self._next_s)
        self._next_s = turn_s + self._step_s
        self._turns_s.pop(url, None)
        self._turns_s[url] = turn_s
        while (oldest := next(iter(self._turns_s))) != url and self._turns_s[oldest] + AGAIN_S <= now_s:
            del self._turns_s[oldest]
        return turn_s


class Backoff:
    """How long to wait after a failure: doubling, capped, back to the start after a healthy stretch."""

    def __init__(self) -> None:
        self._failures = 0

    def wait_s(self, fault: CameraFault, lasted_s: float, jitter: float) -> float:
        """`lasted_s` is how long packets came; `jitter` in 0..1 spreads the waits over their upper half."""
        self._failures = 1 if lasted_s >= HEALTHY_S else self._failures + 1
        longest_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * (1 << min(self._failures - 1, 16)))
        if fault in _PATIENT:
            longest_s = LONGEST_WAIT_S
        return longest_s * (0.5 + 0.5 * jitter)


class Streamer:
    """One camera stream. `on_lost` hears of every failure, before the wait; the sink of every success."""

    def __init__(
        self,
        config: SourceConfig,
        sink: PacketSink,
        budget: ConnectBudget,
        on_lost: Callable[[CameraError], None],
    ) -> None:
        self._config = config
        self._sink = sink
        self._budget = budget
        self._on_lost = on_lost

    async def run(self) -> NoReturn:
        """Never ends but by cancellation."""
        backoff = Backoff()
        while True:
            await self._budget.wait_turn(self._config.url)
            started_s = time.monotonic()
            try:
                await self.run_once()
            except CameraError as error:
                lost = error
            except Exception as error:  # top of the camera's task: a fault of ours must not end the recording
                _log.exception("our own fault while pulling a camera")
                lost = CameraError(CameraFault.PROTOCOL, f"our own fault: {type(error).__name__}")
            self._on_lost(lost)
            lasted_s = time.monotonic() - started_s
            await asyncio.sleep(backoff.wait_s(lost.fault, lasted_s, _random.random()))

    async def run_once(self) -> NoReturn:
        """One connection. Raises CameraError."""
        await pull(self._config, self._sink)
