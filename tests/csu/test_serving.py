"""`csu serve` as a process, on databases of its own that are taken away and come back."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from centre_support import Browser, load_territory, settings_file
from postgres_support import kill_postgres
from redis.asyncio import Redis

from csu import engines
from csu.engines import Engine
from csu.keys import load_public
from csu.settings import Paths
from csu.store.migrate import migrate
from csu.store.store import Store
from csu.tickets import verify
from tests.ports import free_port

WAIT_S = 120.0


@dataclass
class Machine:
    """A data directory with its engines and the process under test."""

    paths: Paths
    port: int
    postgres: Engine
    valkey: Engine
    serve: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    def csu(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self._command(*arguments), capture_output=True, text=True, env=self._env())

    def start(self) -> None:
        log = (self.paths.data / "serve.log").open("ab")
        with log:
            self.serve = subprocess.Popen(self._command("serve"), stderr=log, env=self._env())

    def stop(self) -> int:
        assert self.serve is not None
        self.serve.terminate()
        return self.serve.wait(WAIT_S)

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "csu.cli", *arguments]

    def _env(self) -> dict[str, str]:
        return {**os.environ, "CSU_DATA": str(self.paths.data)}

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        async with httpx.AsyncClient(base_url=self.origin, headers={"Origin": self.origin}, timeout=WAIT_S) as http:
            yield LocalBrowser(http)


class LocalBrowser(Browser):
    """A browser whose console is at the process's own origin."""

    async def log_in(self, login: str, shift_motif: str | None = "SECURITE", password: str = "") -> httpx.Response:
        body = {"login": login, "password": password or "correct-horse-battery", "shift_motif": shift_motif}
        answer = await self.http.post("/api/session", json=body)
        if answer.status_code == 200:
            self.csrf = answer.json()["csrf"]
        return answer

    async def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self.http.request(method, path, json=body, headers={"X-CSRF-Token": self.csrf})


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    paths = Paths(tmp_path)
    started = Machine(paths, free_port(), engines.start_postgres(paths), engines.start_valkey(paths))
    database, valkey = engines.postgres_urls(paths), engines.valkey_url(paths)
    console = f'embedded = true\n[console]\nport = {started.port}\norigin = "{started.origin}"'
    settings_file(paths.data, paths.data, database, valkey, console)
    migrate(database.owner_url.get_secret_value())

    async def load() -> None:
        store = Store(database)
        await load_territory(store, paths.data)
        await store.close()

    asyncio.run(load())
    yield started
    for process in (started.serve, started.postgres.process, started.valkey.process):
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()


async def wait_until(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def answers(browser: Browser, path: str, status: int) -> bool:
    try:
        return (await browser.get(path)).status_code == status
    except httpx.TransportError:
        return False


async def test_a_working_life(machine: Machine) -> None:
    """Served, without PostgreSQL, with it again, without Valkey, stopped: what is journalled stays whole."""
    machine.start()
    async with machine.browser() as operator, machine.browser() as auditor:
        await wait_until(lambda: answers(operator, "/api/health", 200))
        assert (await operator.log_in("operateur")).status_code == 200
        cameras = (await operator.get("/api/cameras")).json()["cameras"]
        request = {"requests": [{"camera": cameras[0]["id"], "act": "live", "stream": "main"}]}
        assert "ticket" in (await operator.post("/api/tickets", request)).json()["results"][0]

        assert machine.postgres.process is not None
        machine.postgres.process.send_signal(signal.SIGQUIT)
        machine.postgres.process.wait(WAIT_S)
        for answer in (await operator.post("/api/tickets", request), await operator.get("/api/session")):
            assert answer.status_code == 503
            assert answer.json()["code"] == "SERVICE_UNAVAILABLE"
        assert machine.serve is not None
        assert machine.serve.poll() is None

        machine.postgres = engines.start_postgres(machine.paths)
        await wait_until(lambda: answers(operator, "/api/session", 200))
        assert "ticket" in (await operator.post("/api/tickets", request)).json()["results"][0]

        machine.valkey.stop()
        assert (await auditor.log_in("auditeur")).status_code == 200

        async def is_told() -> bool:
            alarms = (await auditor.get("/api/alarms")).json()["alarms"]
            return {"VALKEY_DOWN", "RECORDER_UNREACHABLE", "GATEWAY_UNREACHABLE"} <= {alarm["code"] for alarm in alarms}

        await wait_until(is_told)
        seen: list[str] = []

        async def is_numbered() -> bool:
            entries = (await auditor.get("/api/journal", op="picture:live")).json()["entries"]
            seen[:] = [entry["result"] for entry in entries]
            return len(seen) >= 2

        await wait_until(is_numbered)
        assert seen == ["done", "done"]
    assert machine.stop() == 0
    verdict = json.loads(machine.csu("journal", "verify", "--json").stdout.splitlines()[-1])
    assert verdict["ok"] is True
    assert verdict["pending"] == 0
    assert verdict["checkpoint"]["tree_size"] == verdict["entries"]


async def test_no_ticket_without_its_entry_when_postgres_is_killed(machine: Machine) -> None:
    """Eight posts ask without end while PostgreSQL is killed: each ticket handed out is in the journal afterwards."""
    machine.start()
    handed: list[str] = []

    async def post(browser: Browser, request: Any) -> None:
        while True:
            answer = await browser.post("/api/tickets", request)
            if answer.status_code != 200:
                assert answer.status_code == 503
                return
            public = load_public(machine.paths.keys, "ticket")
            ticket = verify(answer.json()["results"][0]["ticket"], public, datetime.now(UTC))
            handed.append(ticket.id)

    async with AsyncExitStack() as stack:
        browsers = [await stack.enter_async_context(machine.browser()) for _ in range(8)]
        await wait_until(lambda: answers(browsers[0], "/api/health", 200))
        for browser in browsers:
            assert (await browser.log_in("operateur")).status_code == 200
        cameras = (await browsers[0].get("/api/cameras")).json()["cameras"]
        request = {"requests": [{"camera": cameras[0]["id"], "act": "live", "stream": "main"}]}

        async def enough() -> bool:
            return len(handed) > 40

        async with asyncio.TaskGroup() as group:
            for browser in browsers:
                group.create_task(post(browser, request))
            await wait_until(enough)
            await asyncio.to_thread(kill_postgres, machine.postgres, machine.paths)
        machine.postgres = engines.start_postgres(machine.paths)
        await wait_until(lambda: answers(browsers[0], "/api/session", 200))
    assert machine.stop() == 0
    url = engines.superuser_url(machine.paths).replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(url) as connection:
        rows = await (await connection.execute("SELECT id::text FROM journal WHERE op = 'picture:live'")).fetchall()
    assert set(handed) <= {row[0] for row in rows}
    assert json.loads(machine.csu("journal", "verify", "--json").stdout.splitlines()[-1])["ok"] is True


async def test_events_are_pushed_and_end_with_the_session(machine: Machine) -> None:
    machine.start()
    async with machine.browser() as operator:
        await wait_until(lambda: answers(operator, "/api/health", 200))
        await operator.log_in("operateur")

        async def pushed() -> bool:
            return bool((await operator.get("/api/health")).json()["valkey"])

        await wait_until(pushed)
        seen = []
        url = engines.valkey_url(machine.paths).url.get_secret_value()
        async with Redis.from_url(url) as valkey, operator.http.stream("GET", "/api/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            async for line in stream.aiter_lines():
                if line == "retry: 4000":
                    await valkey.publish("csu:hints", "no hint of ours")
                    await valkey.publish("csu:hints", "cameras")
                if line == "event: cameras":
                    assert (await operator.send("DELETE", "/api/session")).status_code == 204
                    await valkey.publish("csu:hints", "session")
                seen.append(line)
        assert seen[0] == "retry: 4000"
        assert "event: cameras" in seen
        assert not any("ours" in line for line in seen)
        assert "event: session" not in seen, "told to somebody who had left"
    assert machine.stop() == 0


async def test_the_journal_verifies_while_nothing_runs_and_a_forged_row_is_found(
    machine: Machine, tmp_path: Path
) -> None:
    machine.start()
    async with machine.browser() as operator:
        await wait_until(lambda: answers(operator, "/api/health", 200))
        await operator.log_in("operateur")
    assert machine.stop() == 0
    url = engines.superuser_url(machine.paths).replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(
            "UPDATE journal SET author_name = 'x' WHERE id = (SELECT entry FROM journal_leaf WHERE leaf = 7)"
        )
    machine.postgres.stop()
    done = machine.csu("journal", "verify", "--json")
    assert done.returncode == 1
    verdict = json.loads(done.stdout.splitlines()[-1])
    assert (verdict["ok"], verdict["first_bad"]) == (False, 7)
    human = machine.csu("journal", "verify")
    assert human.returncode == 1
    assert "leaf 7" in human.stdout
    assert not (machine.paths.postgres / "data" / "postmaster.pid").exists()


async def test_administrators_and_imports_by_command(machine: Machine) -> None:
    made = machine.csu("admin", "create", "--login", "premier")
    assert made.returncode == 0
    login, password = made.stdout.strip().split("\t")
    assert login == "premier"
    again = machine.csu("admin", "create", "--login", "premier", "--name", "Autre nom")
    assert again.returncode == 2
    assert again.stderr.strip().endswith("csu admin: the account premier exists already")
    assert machine.csu("admin", "create", "--login", "Pas Bon").returncode == 2
    document = machine.paths.data / "more.toml"
    who = 'login = "${who}"\nname = "Personne ${who}"'
    document.write_text(f'[[account]]\n{who}\nrole = "auditor"\ncategory = "SANS_IMAGES"\n')
    assert machine.csu("import", str(document)).returncode == 2
    passwords = machine.paths.data / "passwords.json"
    arguments = ("import", str(document), "--set", "who=un", "--passwords", str(passwords))
    assert machine.csu(*arguments).stdout == "1 changes\n"
    assert machine.csu(*arguments).stdout == "0 changes\n"
    assert passwords.stat().st_mode & 0o777 == 0o600
    assert list(json.loads(passwords.read_text())) == ["un"]
    printed = machine.csu("import", str(document), "--set", "who=deux").stdout.splitlines()
    assert printed[1].startswith("deux\t")
    machine.start()
    async with machine.browser() as browser:
        await wait_until(lambda: answers(browser, "/api/health", 200))
        first = await browser.log_in("premier", None, password)
        assert (first.status_code, first.json()["account"]["name"]) == (200, "Administrateur du centre")
        assert (await browser.log_in("un", None, json.loads(passwords.read_text())["un"])).status_code == 200
    assert machine.stop() == 0
