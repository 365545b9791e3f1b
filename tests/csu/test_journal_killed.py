"""PostgreSQL killed under twenty writers: no gap in leaf numbers, no act without entry, no entry without act."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from centre_support import Browser, Running, running
from conftest import flush
from postgres_support import kill_postgres

from csu import engines, keys
from csu.audit.heads import HeadSigner
from csu.audit.sequencer import sequence
from csu.audit.verify import verify
from csu.engines import Engine
from csu.loop import repeat
from csu.settings import Paths, Valkey
from csu.store.migrate import migrate

WRITERS = 20


class Postgres:
    """A server that is killed with all its processes, and started again on what is left on disk."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self._engine: Engine = engines.start_postgres(paths)

    def kill(self) -> None:
        kill_postgres(self._engine, self.paths)

    def start(self) -> None:
        self._engine = engines.start_postgres(self.paths)

    def stop(self) -> None:
        self._engine.stop()


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    server = Postgres(Paths(tmp_path / "killed"))
    migrate(engines.postgres_urls(server.paths).owner_url.get_secret_value())
    yield server
    server.stop()


@pytest.fixture
async def centre(postgres: Postgres, valkey: Valkey, tmp_path: Path) -> AsyncIterator[Running]:
    await asyncio.to_thread(flush, valkey)
    async with running(engines.postgres_urls(postgres.paths), valkey, tmp_path) as started:
        yield started


class Writers:
    """Administrators who each open accounts without end, under logins of their own."""

    def __init__(self) -> None:
        self.tried: set[str] = set()
        self.answered: set[str] = set()
        self.moved = asyncio.Condition()

    async def run(self, person: Browser, number: int) -> None:
        turn = 0
        while True:
            turn += 1
            login = f"a{number}-{turn}"
            self.tried.add(login)
            body = {"login": login, "name": f"Fictif {login}", "role": "auditor", "category": "SANS_IMAGES"}
            answer = await person.post("/api/accounts", body)
            assert answer.status_code in (201, 503), answer.text
            if answer.status_code == 201:
                async with self.moved:
                    self.answered.add(login)
                    self.moved.notify_all()
            else:
                await asyncio.sleep(0.05)

    async def reach(self, count: int) -> None:
        async with self.moved:
            await self.moved.wait_for(lambda: len(self.answered) >= count)


def wait_until_at_rest(superuser: str) -> None:
    """Until no transaction of the application is under way: one whose asker was cancelled may still be committed."""
    busy = "SELECT count(*) FROM pg_sleep(0.02), pg_stat_activity WHERE usename = 'csu_app' AND state <> 'idle'"
    with psycopg.connect(superuser, autocommit=True) as looking:
        while looking.execute(busy.encode()).fetchone() != (0,):
            pass


@pytest.mark.parametrize("kills", [2, pytest.param(25, marks=pytest.mark.soak)])
async def test_a_killed_database_leaves_no_gap_and_parts_no_act_from_its_entry(
    centre: Running, postgres: Postgres, tmp_path: Path, kills: int
) -> None:
    store = centre.centre.store
    signer = HeadSigner(store, *keys.load_private(tmp_path / "keys", "heads"), centre.clock)
    writers = Writers()
    async with contextlib.AsyncExitStack() as people:
        persons = [await people.enter_async_context(centre.person("administrateur")) for _ in range(WRITERS)]
        tasks = [asyncio.create_task(writers.run(person, number)) for number, person in enumerate(persons)]
        tasks.append(asyncio.create_task(repeat("sequencer", lambda: sequence(store), 0.02)))
        tasks.append(asyncio.create_task(repeat("heads", signer.sign, 0.1)))
        for _ in range(kills):
            await writers.reach(len(writers.answered) + 2 * WRITERS)
            await asyncio.to_thread(postgres.kill)
            await asyncio.to_thread(postgres.start)
        await writers.reach(len(writers.answered) + WRITERS)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [error for error in ended if not isinstance(error, asyncio.CancelledError)] == []
    superuser = engines.superuser_url(postgres.paths).replace("+psycopg", "")
    await asyncio.to_thread(wait_until_at_rest, superuser)
    await signer.close()

    with psycopg.connect(superuser) as connection:
        acts = {login for (login,) in connection.execute("SELECT login FROM account WHERE name LIKE 'Fictif %'")}
        details = connection.execute("SELECT detail FROM journal WHERE op = 'account:create'").fetchall()
        leaves = [leaf for (leaf,) in connection.execute("SELECT leaf FROM journal_leaf ORDER BY leaf")]
        unnumbered = connection.execute(
            "SELECT count(*) FROM journal WHERE id NOT IN (SELECT entry FROM journal_leaf)"
        ).fetchone()
    told = [json.loads(detail)["about"] for (detail,) in details]
    assert len(told) == len(set(told))
    assert set(told) == acts
    assert writers.answered <= acts <= writers.tried
    assert leaves == list(range(len(leaves)))
    assert unnumbered == (0,)
    verdict = await verify(store, keys.load_public(tmp_path / "keys", "heads"))
    assert (verdict.ok, verdict.pending, verdict.entries) == (True, 0, len(leaves))
