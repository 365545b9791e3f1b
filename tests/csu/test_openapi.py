"""The OpenAPI of the running application, tried by schemathesis as each person: no failure of ours, no leak.

Addresses are generated, and filled with the identifiers of real rows of the person's commune and of a foreign one. No
answer has a secret; none to a person bound to a commune has an identifier, a name or a number of another.
"""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
import schemathesis
from centre_support import ORIGIN, PASSWORD, Browser, Running
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rights import ENDLESS, FOREIGN, OWN, filled, prepare
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from csu.app import create_app
from csu.store.tables import METADATA

LOGINS = ("operateur", "delegue", "superviseur", "auditeur", "administrateur")
BOUND = ("operateur", "delegue")
ENDED = ("NO_SESSION", "SESSION_EXPIRED", "SESSION_LOCKED", "WRONG_CSRF_TOKEN")
SECRETS = ("camera-secret", "$argon2", "rtsp://", PASSWORD, "PRIVATE KEY", "Traceback")


# Of persons, what R.253-1 lets nobody choose pictures by; and sound.
FORBIDDEN = {"audio", "biometry", "clothing", "face", "faces", "gender", "plaque", "plate", "plates", "sex", "visage"}


async def test_row_21_nothing_is_stored_or_asked_for_by_what_persons_look_like(centre: Running) -> None:
    api = create_app(centre.centre, None).openapi()
    asked = {
        p["name"] for methods in api["paths"].values() for one in methods.values() for p in one.get("parameters", ())
    }
    told = {name for schema in api["components"]["schemas"].values() for name in schema.get("properties", ())}
    stored = {column.name for table in METADATA.tables.values() for column in table.columns}
    assert "camera" in asked & told & stored
    for name in (*api["paths"], *METADATA.tables, *asked, *told, *stored):
        assert FORBIDDEN.isdisjoint(re.split("[^a-z]+", name.lower())), name


@pytest.mark.parametrize("login", LOGINS)
async def test_no_failure_and_no_leak(centre: Running, superuser: str, login: str) -> None:
    await explore(centre, superuser, login, examples=2)


@pytest.mark.soak
@pytest.mark.parametrize("login", LOGINS)
async def test_no_failure_and_no_leak_at_length(centre: Running, superuser: str, login: str) -> None:
    await explore(centre, superuser, login, examples=200)


async def explore(centre: Running, superuser: str, login: str, *, examples: int) -> None:
    await prepare(centre, superuser)
    loop = asyncio.get_running_loop()
    async with centre.browser() as browser:
        await browser.log_in(login)
        with psycopg.connect(superuser, autocommit=True) as rows:
            hidden = (*SECRETS, *(foreign_of(rows) if login in BOUND else ()))

            def ask(case: schemathesis.Case, place: str | None) -> httpx.Response:
                return asyncio.run_coroutine_threadsafe(send(browser, login, case, place, rows), loop).result(60)

            await asyncio.to_thread(try_all, create_app(centre.centre, None).openapi(), ask, hidden, examples)


def try_all(document: dict[str, Any], ask: Any, hidden: tuple[str, ...], examples: int) -> None:
    for operation in operations(document):

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), place=st.sampled_from([None, OWN, FOREIGN]))
        def once(case: schemathesis.Case, place: str | None) -> None:
            answer = ask(case, place)
            told = f"{case.method} {answer.request.url} {case.body!r}: {answer.status_code} {answer.text}"
            if answer.status_code >= 400:
                assert set(answer.json()) == {"code", "reason"}, told
            if answer.status_code != 503 or answer.json()["code"] != "RECORDER_UNREACHABLE":
                case.validate_response(answer, checks=[not_a_server_error, response_schema_conformance])
            asked = f"{answer.request.url} {answer.request.content!r}"
            leaked = [text for text in hidden if text in answer.text and text not in asked]
            assert not leaked, f"{leaked} in {told}"

        once()


def operations(document: dict[str, Any]) -> Iterator[Any]:
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = result.ok()
        if operation.path != ENDLESS:
            yield operation


async def send(
    browser: Browser, login: str, case: schemathesis.Case, place: str | None, rows: psycopg.Connection[Any]
) -> httpx.Response:
    """As the person's console would; a session that the exploration itself has ended is opened again, once."""
    told = case.as_transport_kwargs(base_url=ORIGIN)
    url = told["url"]
    if place is not None and "{" in case.path:
        url = ORIGIN + filled(rows, case.path, place).split("?")[0]
    headers = {
        name: value
        for name, value in told.get("headers", {}).items()
        if value is not None and value.isascii() and name.lower() != "user-agent"
    }
    body = {"json": told["json"]} if "json" in told else {"content": told.get("data") or b""}
    for _ in range(2):
        answer = await browser.http.request(
            told["method"],
            url,
            params=told.get("params"),
            headers=headers | {"Origin": ORIGIN, "X-CSRF-Token": browser.csrf},
            **body,
        )
        if answer.status_code not in (401, 403) or answer.json()["code"] not in ENDED:
            break
        browser.http.cookies.clear()
        await browser.log_in(login)
    return answer


def foreign_of(rows: psycopg.Connection[Any]) -> list[str]:
    """What identifies the other commune's: identifiers of its rows, its number, the names of its persons' acts."""
    found = [FOREIGN, "Vernon", f"C-{FOREIGN}", f"A-{FOREIGN}"]
    for table in ("camera", "convention", "authorisation", "habilitation", "hold", "interruption", "legal_basis"):
        query = f"SELECT id::text FROM {table} WHERE commune = %s"
        found += [row[0] for row in rows.execute(query.encode(), (FOREIGN,)).fetchall()]
    return found
