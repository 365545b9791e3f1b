"""How many logins may fail: counted in Valkey, or in this process while Valkey is down.

Three counters, each over five minutes: a login from one address (somebody guessing), an address (somebody trying
many logins), a login from anywhere (many machines at one login; wide enough not to lock an operator out easily).
"""

import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Iterable

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

    async def begin(self, login: str, address: str) -> bool:
        """Count a try as failed, before it is known; False, and not counted, when too many have failed. Many at once
        are thus no more than one after another. It is counted here too: stopping Valkey, or emptying it, forgets
        nothing."""
        limits = _counters(login, address)
        counts = {key: self._add(key, 1) for key in limits}
        try:
            values = await self._add_shared(limits, 1)
            counts = {key: max(count, value) for (key, count), value in zip(counts.items(), values, strict=True)}
        except (RedisError, OSError) as error:
            _LOG.warning("failed logins are counted in this process only: %s", type(error).__name__)
        if all(counts[key] <= limit for key, limit in limits.items()):
            return True
        await self._take_back(limits)
        return False

    async def succeeded(self, login: str, address: str) -> None:
        """The try that began was no failure; it also clears the counter of this login at this address."""
        both, *others = _counters(login, address)
        await self._take_back(others)
        self._local.pop(both, None)
        with contextlib.suppress(RedisError, OSError):  # it expires by itself
            await self._valkey.delete(both)

    async def _take_back(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._add(key, -1)
        with contextlib.suppress(RedisError, OSError):  # it expires by itself
            await self._add_shared(keys, -1)

    async def _add_shared(self, keys: Iterable[str], by: int) -> list[int]:
        async with self._valkey.pipeline(transaction=True) as pipeline:
            for key in keys:
                pipeline.incrby(key, by)
                pipeline.expire(key, WINDOW_S, nx=True)
            return list((await pipeline.execute())[::2])

    def _add(self, key: str, by: int) -> int:
        now_s = self._monotonic()
        self._local = {one: value for one, value in self._local.items() if value[1] > now_s}
        count, until_s = self._local.get(key, (0, now_s + WINDOW_S))
        self._local[key] = (count + by, until_s)
        return count + by


def _counters(login: str, address: str) -> dict[str, int]:
    """Keys and limits, the one of both first. Hashed: a password typed as a login must not lie about in Valkey."""
    names = {"both": f"{login}\n{address}", "address": address, "login": login}
    return {
        f"csu:login:{kind}:{hashlib.sha256(names[kind].encode()).hexdigest()[:32]}": limit
        for kind, limit in _LIMITS.items()
    }
