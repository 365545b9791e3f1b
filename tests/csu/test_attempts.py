"""Failed logins, with Valkey and without."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from csu.accounts.attempts import WINDOW_S, Attempts
from csu.events import client
from csu.settings import Valkey


class Monotonic:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
async def running(valkey: Valkey) -> AsyncIterator[Redis]:
    """Waited for as long as it takes: one that is late is counted without, which is looked at on purpose below."""
    async with Redis.from_url(valkey.url.get_secret_value(), decode_responses=True) as connected:
        await connected.flushall()
        yield connected


@pytest.fixture
async def stopped(tmp_path: object) -> AsyncIterator[Redis]:
    async with client(f"unix://{tmp_path}/nobody.sock") as connected:
        yield connected


async def fail(attempts: Attempts, times: int, login: str = "operateur", address: str = "a") -> None:
    for _ in range(times):
        assert await attempts.begin(login, address)


async def test_two_processes_count_together(running: Redis) -> None:
    one, other = Attempts(running), Attempts(running)
    await fail(one, 3)
    assert await other.begin("operateur", "a")
    await fail(other, 1)
    assert not await one.begin("operateur", "a")
    assert await one.begin("operateur", "elsewhere")
    assert await one.begin("auditeur", "a")


async def test_success_forgets(running: Redis) -> None:
    attempts = Attempts(running)
    await fail(attempts, 4)
    await attempts.succeeded("operateur", "a")
    await fail(attempts, 4)
    assert await attempts.begin("operateur", "a")


async def test_many_logins_from_one_address(running: Redis) -> None:
    attempts = Attempts(running)
    for number in range(30):
        assert await attempts.begin(f"login-{number}", "a")
    assert not await attempts.begin("anybody", "a")
    assert await attempts.begin("anybody", "b")


async def test_one_login_from_many_addresses(running: Redis) -> None:
    attempts = Attempts(running)
    for number in range(50):
        assert await attempts.begin("operateur", f"address-{number}")
    assert not await attempts.begin("operateur", "new")


async def test_without_valkey_this_process_counts(stopped: Redis) -> None:
    clock = Monotonic()
    attempts = Attempts(stopped, clock)
    await fail(attempts, 5)
    assert not await attempts.begin("operateur", "a")
    clock.now_s = WINDOW_S + 1
    assert await attempts.begin("operateur", "a")


async def test_stopping_valkey_forgets_nothing_of_this_process(running: Redis, stopped: Redis) -> None:
    attempts = Attempts(running)
    await fail(attempts, 5)
    attempts._valkey = stopped
    assert not await attempts.begin("operateur", "a")


async def test_emptying_valkey_forgets_nothing_of_this_process(running: Redis) -> None:
    attempts = Attempts(running)
    await fail(attempts, 5)
    await running.flushall()
    assert not await attempts.begin("operateur", "a")


async def test_what_was_typed_as_a_login_is_not_legible_in_valkey(running: Redis) -> None:
    await Attempts(running).begin("my-password", "a")
    assert not any("password" in key for key in await running.keys())
