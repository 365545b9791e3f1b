"""The security log: what was tried against the centre, without what was typed; its readers; its year."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from centre_support import ORIGIN, START, Running
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from csu.audit import security
from csu.audit.prune import prune_security
from csu.audit.tally import MOST, Event, Tally
from csu.store import tables
from csu.store.store import Store


async def events(centre: Running, login: str = "administrateur") -> list[dict[str, Any]]:
    """What was refused so far, oldest first."""
    await security.write(centre.centre.store, centre.centre.security)
    async with centre.person(login) as reader:
        answer = await reader.get("/api/security", limit=200)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["events"]
        return found[::-1]


def told(found: list[dict[str, Any]]) -> list[tuple[str, str | None, int]]:
    return [(event["code"], event["login"], event["count"]) for event in found]


async def test_failed_logins_and_locks_are_told_without_what_was_typed(centre: Running) -> None:
    async with centre.browser() as browser:
        for _ in range(3):
            assert (await browser.log_in("operateur", password="not-the-password")).status_code == 401
        for _ in range(3):
            assert (await browser.log_in("my-password-as-login", password="x")).status_code == 401
    async with centre.person("superviseur") as supervisor:
        for _ in range(5):
            await supervisor.post("/api/session/lock")
            await supervisor.post("/api/session/unlock", {"password": "guess"})
        assert (await supervisor.post("/api/session/unlock", {"password": "guess"})).status_code == 429
    found = await events(centre)
    assert told(found) == [
        ("LOGIN_REFUSED", "operateur", 3),
        ("LOGIN_REFUSED", None, 3),
        ("LOGIN_REFUSED", "superviseur", 5),
        ("TOO_MANY_ATTEMPTS", "superviseur", 1),
    ]
    assert {event["workstation"] for event in found} == {"127.0.0.1"}
    assert "my-password" not in str(found)
    assert found[0]["label"] == "Mot de passe refusé"


async def test_requests_of_other_pages_are_told(centre: Running) -> None:
    async with centre.person("operateur") as operator:
        foreign = {"Origin": "https://evil.example", "X-CSRF-Token": operator.csrf}
        assert (await operator.http.post("/api/session/lock", headers=foreign)).status_code == 403
        forged = {"Origin": ORIGIN, "X-CSRF-Token": "forged"}
        assert (await operator.http.post("/api/session/lock", headers=forged)).status_code == 403
    assert told(await events(centre)) == [("WRONG_ORIGIN", None, 1), ("WRONG_CSRF_TOKEN", None, 1)]


async def test_reading_it_is_for_two_roles_and_is_an_entry_of_the_journal(centre: Running) -> None:
    assert await events(centre, "auditeur") == []
    for login in ("operateur", "superviseur", "delegue"):
        async with centre.person(login) as person:
            assert (await person.get("/api/security")).json()["code"] == "REGIME_ROLE_FORBIDDEN"
    read = [entry for entry in await centre.journal() if entry["op"] == "security:read"]
    assert {(entry["author"], entry["result"]) for entry in read} == {
        ("Auditeur", "done"),
        ("Opérateur", "refused"),
        ("Superviseur", "refused"),
        ("Délégué", "refused"),
    }
    assert len(read) == 4


async def test_pages_follow_one_another(centre: Running) -> None:
    tally = centre.centre.security
    for number in range(5):
        tally.note(START + timedelta(seconds=number), Event("WRONG_ORIGIN", None, f"127.0.0.{number}"))
    await security.write(centre.centre.store, tally)
    async with centre.person("auditeur") as auditor:
        first = (await auditor.get("/api/security", limit=3)).json()
        rest = (await auditor.get("/api/security", limit=3, before=first["next"])).json()
    seen = [event["workstation"] for event in first["events"] + rest["events"]]
    assert seen == [f"127.0.0.{number}" for number in (4, 3, 2, 1, 0)]
    assert rest["next"] is None


async def test_the_gateway_s_lines_are_taken_over_once(centre: Running) -> None:
    async with centre.person("operateur") as operator:
        actor = operator.account["id"]
    source = "5b1f0c5e-5a0e-4c9f-9b51-7d6d2f0a8e11"
    at = START.isoformat().replace("+00:00", "Z")
    items = [
        {"n": 1, "at": at, "kind": "refused", "code": "TICKET_USED", "actor": actor, "count": 2},
        {"n": 2, "at": at, "kind": "refused", "code": "TICKET_INVALID", "actor": None, "count": 9},
    ]
    for _ in range(2):
        async with centre.centre.store.transaction(None) as connection:
            await security.take_over(connection, source, items)
    assert told(await events(centre)) == [("TICKET_USED", "operateur", 2), ("TICKET_INVALID", None, 9)]


async def test_it_only_grows_and_is_kept_one_year(store: Store, database: Any, superuser: str) -> None:
    now = datetime.now(UTC)
    rows = [
        {"at": at, "source": "console", "code": "WRONG_ORIGIN", "count": 1}
        for at in (now, now - timedelta(days=300), now - timedelta(days=367), now - timedelta(days=800))
    ]
    async with store.transaction(None) as connection:
        await connection.execute(insert(tables.security_event), rows)
    for statement in (tables.security_event.delete(), tables.security_event.update().values(code="x")):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with store.transaction(None) as connection:
                await connection.execute(statement)
    async with store.transaction(["27229"]) as connection:
        assert (await connection.execute(tables.security_event.select())).all() == []
    owner = create_async_engine(database.owner_url.get_secret_value())
    try:
        assert await prune_security(owner, now) == 2
        assert await prune_security(owner, now) == 0
        assert await prune_security(owner, now + timedelta(days=800)) == 0, "the database's clock prevails"
    finally:
        await owner.dispose()
    with psycopg.connect(superuser) as reader:
        assert reader.execute("SELECT count(*) FROM security_event").fetchone() == (2,)
        assert reader.execute("SELECT op FROM journal").fetchall() == [("security:prune",)]


async def test_a_key_that_others_can_read_is_told_once(centre: Running) -> None:
    watch = security.SecretsWatch(centre.centre)
    await watch.run_once()
    key = centre.centre.settings.paths.keys / "heads.key"
    for mode in (0o604, 0o604, 0o600, 0o606):
        key.chmod(mode)
        await watch.run_once()
    assert told(await events(centre)) == [("SECRET_READABLE", None, 2)]


async def test_what_cannot_be_written_is_counted_on(centre: Running, superuser: str) -> None:
    tally = centre.centre.security
    tally.note(START, Event("WRONG_ORIGIN"))
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON security_event FROM csu_app")
        try:
            with pytest.raises(DBAPIError):
                await security.write(centre.centre.store, tally)
        finally:
            connection.execute("GRANT INSERT ON security_event TO csu_app")
    tally.note(START + timedelta(seconds=1), Event("WRONG_ORIGIN"))
    found = await events(centre)
    assert told(found) == [("WRONG_ORIGIN", None, 2)]
    assert datetime.fromisoformat(found[0]["at"]) == START


def test_a_flood_is_bounded_and_loses_no_count() -> None:
    tally = Tally()
    for number in range(3 * MOST):
        tally.note(START, Event("WRONG_ORIGIN", None, str(number)))
    taken = tally.take()
    assert len(taken) == MOST + 1
    assert sum(count for _, _, count in taken) == 3 * MOST
    assert tally.take() == []
