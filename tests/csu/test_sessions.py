"""Login, lock, change of agent, expiry, CSRF and origin, over HTTP."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import psycopg
import pytest
from centre_support import CHEAP, ORIGIN, PASSWORD, ROLES, START, Browser, Running

from csu.accounts import guard
from csu.accounts.passwords import AT_ONCE, Passwords
from csu.alarms import routes as alarm_routes
from csu.app import create_app
from legal.acts import Act


async def test_a_person_logs_in_and_sees_the_own_session(centre: Running) -> None:
    async with centre.person("operateur") as operator:
        answer = await operator.get("/api/session")
        body = answer.json()
        assert answer.status_code == 200
        assert body["account"]["role"] == "operator"
        assert body["account"]["commune"] is None
        assert body["shift_motif"]["code"] == "SECURITE"
        assert body["centre"] == centre.centre.settings.name
        assert body["gateway_origin"] == "http://localhost:8081"
        assert datetime.fromisoformat(body["ends_at"]) == START + timedelta(hours=12)
        assert body["locked"] is False
        assert body["now"].endswith("Z")
    async with centre.person("delegue") as delegate:
        assert delegate.account["commune"] == {"insee": "27229", "name": "Évreux"}


async def test_the_cookie_is_out_of_scripts_reach(centre: Running) -> None:
    async with centre.browser() as browser:
        header = (await browser.log_in("operateur")).headers["set-cookie"]
        assert header.startswith("csu_session=")
        assert "HttpOnly" in header
        assert "SameSite=strict" in header
        assert "Secure" not in header


@pytest.mark.parametrize("role", ROLES)
async def test_every_role_logs_in(centre: Running, role: str) -> None:
    async with centre.person(role, None) as person:
        assert (await person.get("/api/session")).json()["shift_motif"] is None


async def test_unknown_login_and_wrong_password_are_told_apart_by_nothing(centre: Running) -> None:
    async with centre.browser() as browser:
        wrong = await browser.log_in("operateur", password="wrong")
        unknown = await browser.log_in("nobody")
        assert wrong.status_code == unknown.status_code == 401
        assert wrong.json() == unknown.json()
        assert wrong.json()["code"] == "LOGIN_REFUSED"
        assert "set-cookie" not in wrong.headers
    failures = [entry for entry in await centre.journal() if entry["result"] == "refused"]
    assert sorted(entry["author"] for entry in failures) == ["Opérateur", "inconnu"]
    assert "nobody" not in str(failures)


async def test_too_many_attempts_are_stopped_even_with_the_right_password(centre: Running) -> None:
    async with centre.browser() as browser:
        for _ in range(5):
            assert (await browser.log_in("operateur", password="wrong")).status_code == 401
        answer = await browser.log_in("operateur")
        assert answer.status_code == 429
        assert answer.json()["code"] == "TOO_MANY_ATTEMPTS"
        assert (await browser.log_in("auditeur")).status_code == 200


async def test_no_session_and_a_made_up_one(centre: Running) -> None:
    async with centre.browser() as browser:
        assert (await browser.get("/api/session")).json()["code"] == "NO_SESSION"
        browser.http.cookies.set("csu_session", "made-up")
        answer = await browser.get("/api/cameras")
        assert answer.status_code == 401
        assert answer.json()["code"] == "NO_SESSION"


async def test_a_session_ends_when_idle(centre: Running) -> None:
    async with centre.person("operateur") as operator:
        centre.clock.advance(minutes=14)
        assert (await operator.get("/api/session")).status_code == 200
        centre.clock.advance(minutes=14)
        assert (await operator.get("/api/session")).status_code == 200
        centre.clock.advance(minutes=16)
        answer = await operator.get("/api/session")
        assert answer.status_code == 401
        assert answer.json()["code"] == "SESSION_EXPIRED"
        # Last seen at 15:58 in Paris, however much later it is asked.
        assert "le 23/11/2026 à 16:13 : ce poste n'a rien demandé" in answer.json()["reason"]


async def test_a_session_ends_after_twelve_hours_of_work(centre: Running) -> None:
    async with centre.person("operateur") as operator:
        for _ in range(12 * 6 - 1):
            centre.clock.advance(minutes=10)
            assert (await operator.get("/api/session")).status_code == 200
        centre.clock.advance(minutes=10)
        told = (await operator.get("/api/session")).json()
        assert told["code"] == "SESSION_EXPIRED"
        assert "le 24/11/2026 à 03:30 : elle durait depuis 12 heures" in told["reason"]


async def test_logging_out_ends_the_session_itself(centre: Running) -> None:
    async with centre.person("operateur") as operator:
        token = operator.http.cookies["csu_session"]
        assert (await operator.send("DELETE", "/api/session")).status_code == 204
        operator.http.cookies.set("csu_session", token)
        centre.clock.advance(hours=13)
        told = (await operator.get("/api/session")).json()
        assert told["code"] == "SESSION_EXPIRED"
        assert "a été fermée le 23/11/2026 à 15:30 : le poste a été quitté." in told["reason"]


async def test_a_change_of_agent_closes_the_session_of_before(centre: Running) -> None:
    async with centre.person("operateur") as post:
        former = post.http.cookies["csu_session"]
        assert (await post.log_in("auditeur")).status_code == 200
        post.http.cookies.clear()
        post.http.cookies.set("csu_session", former)
        told = (await post.get("/api/session")).json()
        assert told["code"] == "SESSION_EXPIRED"
        assert "le poste a été repris" in told["reason"]


async def test_a_locked_post_opens_again_with_its_password_only(centre: Running) -> None:
    async with centre.person("operateur") as operator:
        assert (await operator.post("/api/session/lock")).json()["locked"] is True
        assert (await operator.get("/api/session")).json()["locked"] is True
        answer = await operator.get("/api/cameras")
        assert answer.status_code == 403
        assert answer.json()["code"] == "SESSION_LOCKED"
        refused = await operator.post("/api/session/unlock", {"password": "wrong"})
        assert refused.status_code == 401
        assert (await operator.post("/api/session/unlock", {"password": PASSWORD})).json()["locked"] is False
        assert (await operator.get("/api/cameras")).status_code == 200
    refused = {(e["op"], e["code"]) for e in await centre.journal() if e["result"] == "refused"}
    assert refused == {("session:unlock", "LOGIN_REFUSED"), ("camera:list", "SESSION_LOCKED")}


NEW = "a-quite-different-one"


class Held(Passwords):
    """Passwords whose checks end when they are let go."""

    def __init__(self) -> None:
        super().__init__(CHEAP)
        self.checked, self.let_go = asyncio.Event(), asyncio.Event()

    async def matches(self, password: str, known_hash: str | None) -> bool:
        matched = await super().matches(password, known_hash)
        self.checked.set()
        await self.let_go.wait()
        return matched


async def test_a_password_that_is_replaced_while_it_is_checked_opens_nothing(centre: Running) -> None:
    passwords = Held()
    slow = httpx.ASGITransport(create_app(replace(centre.centre, passwords=passwords), None))
    async with (
        centre.person("administrateur") as administrator,
        httpx.AsyncClient(transport=slow, base_url=ORIGIN) as http,
    ):
        accounts = (await administrator.get("/api/accounts")).json()["accounts"]
        account = next(one["id"] for one in accounts if one["login"] == "operateur")
        late = Browser(http)
        opening = asyncio.create_task(late.log_in("operateur"))
        await passwords.checked.wait()
        assert (await administrator.post(f"/api/accounts/{account}/password")).status_code == 200
        passwords.let_go.set()
        answer = await opening
        assert (answer.status_code, answer.json()["code"]) == (401, "LOGIN_REFUSED")
        assert (await late.get("/api/session")).status_code == 401
    refused = [e for e in await centre.journal() if e["op"] == "session:open" and e["result"] == "refused"]
    assert [(e["author"], e["code"]) for e in refused] == [("Opérateur", "LOGIN_REFUSED")]


async def test_many_tries_at_once_are_no_more_than_one_after_another(centre: Running) -> None:
    async with centre.browser() as browser:
        tries = [browser.log_in("operateur", password=f"guess-{n}") for n in range(30)]
        answers = await asyncio.gather(*tries, browser.log_in("operateur"))
    told = [answer.json().get("code") for answer in answers]
    assert told.count("LOGIN_REFUSED") <= 5 + AT_ONCE
    assert told[-1] == "TOO_MANY_ATTEMPTS", "the right one among the guesses opens nothing either"


async def test_a_session_whose_password_was_replaced_says_so(centre: Running) -> None:
    async with centre.person("administrateur") as administrator, centre.person("operateur") as operator:
        accounts = (await administrator.get("/api/accounts")).json()["accounts"]
        account = next(one["id"] for one in accounts if one["login"] == "operateur")
        assert (await administrator.post(f"/api/accounts/{account}/password")).status_code == 200
        told = (await operator.get("/api/session")).json()
        assert told["code"] == "SESSION_EXPIRED"
        assert "un administrateur a remplacé votre mot de passe" in told["reason"]


async def test_one_changes_the_own_password(centre: Running) -> None:
    async with centre.person("operateur") as post, centre.person("operateur") as elsewhere:
        assert (await post.send("PUT", "/api/session/password", {"password": PASSWORD, "new": NEW})).status_code == 200
        assert (await post.get("/api/session")).status_code == 200
        told = (await elsewhere.get("/api/session")).json()
        assert told["code"] == "SESSION_EXPIRED"
        assert "mot de passe a été changé depuis un autre poste" in told["reason"]
        assert centre.centre.renewer_wake.is_set()
        assert (await elsewhere.log_in("operateur")).status_code == 401
        assert (await elsewhere.log_in("operateur", password=NEW)).status_code == 200
    entries = await centre.journal()
    assert [e["author"] for e in entries if e["op"] == "password:change"] == ["Opérateur"]
    assert NEW not in str(entries)


@pytest.mark.parametrize(
    ("password", "new", "status"), [("wrong", NEW, 401), (PASSWORD, "short", 422), (PASSWORD, PASSWORD, 422)]
)
async def test_a_password_is_not_changed_by_halves(centre: Running, password: str, new: str, status: int) -> None:
    async with centre.person("operateur") as post:
        answer = await post.send("PUT", "/api/session/password", {"password": password, "new": new})
        assert answer.status_code == status
        assert (await post.log_in("operateur")).status_code == 200


async def test_a_password_is_not_guessed_by_changing_or_unlocking(centre: Running) -> None:
    async with centre.person("operateur") as post:
        for _ in range(5):
            await post.send("PUT", "/api/session/password", {"password": "wrong", "new": NEW})
        answer = await post.send("PUT", "/api/session/password", {"password": PASSWORD, "new": NEW})
        assert answer.json()["code"] == "TOO_MANY_ATTEMPTS"
        assert (await post.post("/api/session/unlock", {"password": PASSWORD})).status_code == 429


async def test_the_shift_motif_is_one_for_live_pictures(centre: Running) -> None:
    async with centre.person("operateur", None) as operator:
        assert (await operator.send("PUT", "/api/session/shift", {"motif": "REQUISITION"})).status_code == 422
        answer = await operator.send("PUT", "/api/session/shift", {"motif": "DEPOTS"})
        assert answer.json()["shift_motif"]["code"] == "DEPOTS"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": ORIGIN},
        {"Origin": ORIGIN, "X-CSRF-Token": "made-up"},
        {"Origin": "http://evil.example", "X-CSRF-Token": "right"},
        {"X-CSRF-Token": "right"},
    ],
)
async def test_unsafe_requests_from_elsewhere_are_refused(centre: Running, headers: dict[str, str]) -> None:
    async with centre.person("operateur") as operator:
        if headers.get("X-CSRF-Token") == "right":
            headers = headers | {"X-CSRF-Token": operator.csrf}
        answer = await operator.http.post("/api/session/lock", headers=headers)
        assert answer.status_code == 403
        assert answer.json()["code"] in ("WRONG_ORIGIN", "WRONG_CSRF_TOKEN")
        assert (await operator.get("/api/session")).json()["locked"] is False


async def test_login_from_another_origin_is_refused(centre: Running) -> None:
    async with centre.browser() as browser:
        body = {"login": "operateur", "password": PASSWORD}
        answer = await browser.http.post("/api/session", json=body, headers={"Origin": "http://evil.example"})
        assert answer.json()["code"] == "WRONG_ORIGIN"


async def test_the_login_form_gets_the_motifs_of_a_shift(centre: Running) -> None:
    async with centre.browser() as browser:
        public = (await browser.get("/api/motifs", public="")).json()
        assert {tuple(motif["acts"]) for motif in public} == {("live",)}
        assert (await browser.get("/api/motifs")).status_code == 401
    async with centre.person("operateur") as operator:
        assert len((await operator.get("/api/motifs")).json()) > len(public)


async def test_tokens_are_stored_hashed(centre: Running, superuser: str) -> None:
    async with centre.person("operateur") as operator:
        token = operator.http.cookies["csu_session"]
        async with await psycopg.AsyncConnection.connect(superuser) as connection:
            rows = await (await connection.execute("SELECT s::text FROM session s")).fetchall()
        assert rows
        assert not any(token in row[0] or operator.csrf in row[0] for row in rows)


async def test_the_stream_of_hints_ends_when_the_post_is_locked(
    centre: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_routes, "_KEEP_ALIVE_S", 0.01)
    async with centre.person("operateur") as operator:
        token = operator.http.cookies[centre.centre.cookie_name]
        session = await guard._session(centre.centre, token, centre.clock())
        hints = alarm_routes._hints(guard.Visit(centre.centre, Act.EVENT_FOLLOW, session, token, centre.clock()))
        assert [await anext(hints) for _ in range(2)] == [b"retry: 4000\n\n", b": \n\n"]
        assert (await operator.post("/api/session/lock")).status_code == 200
        assert [one async for one in hints] == []
