"""How many logins may fail: counted in Valkey, or in this process while Valkey is down.

Three counters, each over five minutes: a login from one address (somebody guessing), an address (somebody trying
many logins), a login from anywhere (many machines at one login; wide enough not to lock an operator out easily).
"""

import hashlib
import logging
import time
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

_LOG = logging.getLogger(__name__)
WINDOW_S = 300
_LIMITS = {"both": 5, "address": 30, "login": 50}


class Attempts:
    """Failed logins per counter. `monotonic` is read for the fallback only."""

    def __init__(self, valkey: Redis, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._valkey = valkey
        self._monotonic = monotonic
        self._local: dict[str, tuple[int, float]] = {}

    async def are_too_many(self, login: str, address: str) -> bool:
        counters = _counters(login, address)
        keys = list(counters)
        try:
            values = await self._valkey.mget(keys)
            counts = [int(value or 0) for value in values]
        except (RedisError, OSError):
            counts = [self._local_count(key) for key in keys]
        return any(count >= limit for count, limit in zip(counts, counters.values(), strict=True))

    async def failed(self, login: str, address: str) -> None:
        """Count one failure. It is counted here too, so that stopping Valkey forgets nothing."""
        for key in _counters(login, address):
            count, until_s = self._local.get(key, (0, 0.0))
            now_s = self._monotonic()
            self._local[key] = (count + 1, until_s) if until_s > now_s else (1, now_s + WINDOW_S)
        self._forget_old()
        try:
            async with self._valkey.pipeline(transaction=True) as pipeline:
                for key in _counters(login, address):
                    pipeline.incr(key)
                    pipeline.expire(key, WINDOW_S, nx=True)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            _LOG.warning("failed logins are counted in this process only: %s", type(error).__name__)

    async def succeeded(self, login: str, address: str) -> None:
        """A right password clears the counter of this login at this address."""
        key = next(iter(_counters(login, address)))
        self._local.pop(key, None)
        try:
            await self._valkey.delete(key)
        except (RedisError, OSError):
            return  # it expires by itself

    def _local_count(self, key: str) -> int:
        count, until_s = self._local.get(key, (0, 0.0))
        return count if until_s > self._monotonic() else 0

    def _forget_old(self) -> None:
        now_s = self._monotonic()
        self._local = {key: value for key, value in self._local.items() if value[1] > now_s}


def _counters(login: str, address: str) -> dict[str, int]:
    """Keys and limits, the one of both first. Hashed: a password typed as a login must not lie about in Valkey."""
    names = {"both": f"{login}\n{address}", "address": address, "login": login}
    return {
        f"csu:login:{kind}:{hashlib.sha256(names[kind].encode()).hexdigest()[:32]}": limit
        for kind, limit in _LIMITS.items()
    }
