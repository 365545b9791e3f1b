"""Hints for consoles: "look again at this", pushed through Valkey. No data, nothing that must be certain.

While Valkey is down nothing is pushed and consoles live on their polling.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

_LOG = logging.getLogger(__name__)
_CHANNEL = "csu:hints"
HINTS = ("alarms", "cameras", "proposals", "recorder", "session")
_RETRY_S = 2.0
# A console that does not read misses hints, which its polling makes up for.
_QUEUE = 16


def client(url: str, *, blocking: bool = False) -> Redis:
    """A client that answers or fails within a second; a blocking one may wait for messages without end."""
    return Redis.from_url(
        url,
        socket_timeout=None if blocking else 1.0,
        socket_connect_timeout=1.0,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )


class Events:
    """Publishes hints and hands those of all processes to this one's listeners."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.valkey = client(url)
        # None until the first attempt has ended.
        self.is_up: bool | None = None
        self._listeners: set[asyncio.Queue[str]] = set()

    async def publish(self, hint: str) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self.valkey.publish(_CHANNEL, hint)

    @contextlib.contextmanager
    def listening(self) -> Iterator[asyncio.Queue[str]]:
        """A bounded queue of hints for the time of the block."""
        queue: asyncio.Queue[str] = asyncio.Queue(_QUEUE)
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    async def run(self) -> None:
        """Listen until cancelled; connect again every two seconds while Valkey is away."""
        while True:
            try:
                await self.run_once()
            except (RedisError, OSError) as error:
                if self.is_up:
                    _LOG.warning("Valkey went away (%s): consoles poll", type(error).__name__)
            self.is_up = False
            await asyncio.sleep(_RETRY_S)

    async def run_once(self) -> None:
        """Subscribe and hand on hints; returns or raises when Valkey goes away."""
        async with client(self._url, blocking=True) as valkey, valkey.pubsub() as subscription:
            await subscription.subscribe(_CHANNEL)
            async for message in subscription.listen():
                self.is_up = True
                if message["type"] == "message" and message["data"] in HINTS:
                    self._hand_on(message["data"])

    async def close(self) -> None:
        await self.valkey.aclose()

    def _hand_on(self, hint: str) -> None:
        for queue in self._listeners:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(hint)
