"""Every route passes the guard: a reviewed table of all routes, tried by nobody and by every role."""

from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from centre_support import ORIGIN, Running
from rights import COLUMNS, HEAD, OPEN, Column, column_of, prepare, query_of, read_table, routes, text_of
from rights import TABLE as RIGHTS
from sqlalchemy import text
from test_security_log import events

from csu.accounts import sessions
from legal.acts import Act

TABLE = read_table()
INTERRUPTION = {
    "camera": str(uuid4()),
    "from": "2026-11-24T14:00:00Z",
    "to": "2026-11-24T16:00:00Z",
    "reason": "ENTRETIEN",
}
_LINE = {"camera": str(uuid4()), "finalites": ["5"], "retention_days": 15}
_ACT = {"on": "2026-11-23"}
_DEPORT = {"motif": {"code": "ARRETE", "reference": "2026-119"}}
_AUTHORISATION = "/api/authorisations/{authorisation_id}"
BODIES: dict[str, Any] = {
    "/api/communes": {"insee": "27056", "authority": "Maire de Bernay"},
    "/api/communes/{insee}": {"authority": "Maire d'Évreux"},
    "/api/communes/{insee}/sites": {"name": "Place du Marché"},
    "/api/conventions": {
        "commune": "27229",
        "kind": "V",
        "reference": "CONV-V",
        "partner": "Préfet de l'Eure",
        "from": "2026-01-01",
    },
    "/api/authorisations": {"commune": "27229", "dossier": "Dossier 1", "lines": [_LINE]},
    f"{_AUTHORISATION}/lines": {"lines": [_LINE]},
    f"{_AUTHORISATION}/lines/{{camera_id}}": {"finalites": ["5"], "retention_days": 15},
    f"{_AUTHORISATION}/modification": {"dossier": "Dossier 2"},
    **{f"{_AUTHORISATION}/{step}": _ACT for step in ("deposit", "complete", "extend", "opinion", "refuse")},
    f"{_AUTHORISATION}/activate": {"lifted_by": "ARR-1"},
    f"{_AUTHORISATION}/grant": _ACT | {"reference": "ARR-1", "from": "2026-11-23", "to": "2031-11-23"},
    f"{_AUTHORISATION}/notify": _ACT | {"service_on": "2026-11-23"},
    "/api/interruptions/planned": INTERRUPTION,
    "/api/interruptions/masked": {name: told for name, told in INTERRUPTION.items() if name != "reason"}
    | {"motif": {"code": "HABITATION", "reference": "2026-117"}},
    "/api/interruptions/{fact_id}/end": {},
    "/api/holds/{fact_id}/release": {},
    "/api/holds": {
        "camera": str(uuid4()),
        "from": "2026-11-23T14:00:00Z",
        "to": "2026-11-23T14:10:00Z",
        "requisition": "PV 2026/00417",
    },
    "/api/cameras": {
        "number": "99",
        "commune": "27229",
        "name": "Gare",
        "site": "Voie publique",
        "main": "rtsp://127.0.0.1:1/main",
    },
    "/api/cameras/{camera_id}/source": {"main": "rtsp://127.0.0.1:1/main"},
    "/api/cameras/{camera_id}/retention": {"days": 7, "motif": {"code": "COMMUNE", "reference": "2026-12"}},
    "/api/journal/anomalies/seen": {"anomaly": "0" * 32, "comment": "essai"},
    "/api/legal-bases": {
        "camera": str(uuid4()),
        "function": "DEPOT",
        "reference": "Décision 12",
        "from": "2026-11-23T14:00:00Z",
        "to": "2027-11-23T14:00:00Z",
    },
    "/api/recorder/releases": {
        "subject": "clock",
        "freeze": "boot:1:2",
        "motif": {"code": "HEURE_VERIFIEE", "reference": "2026-118"},
    },
    "/api/habilitations": {
        "account": str(uuid4()),
        "commune": "27229",
        "rights": ["live"],
        "reference": "ARR-1",
        "from": "2026-01-01",
        "to": "2027-01-01",
    },
    "/api/deports": {
        "commune": "27229",
        "reference": "ARR-D2",
        "persons": [str(uuid4())],
        "rights": ["live"],
        "recipient_days": 30,
        "from": "2026-01-01",
        "to": "2027-01-01",
        **_DEPORT,
    },
    **{f"/api/deports/{{fact_id}}/{verb}": _DEPORT for verb in ("suspend", "resume", "end")},
    "/api/persons/{account_id}/agrement": {
        "reference": "AGR-2",
        "prefet": "Préfet de l'Eure",
        "departements": ["27"],
        "from": "2026-01-01",
    },
    "/api/persons/{account_id}/leave": {"days": 3, "reason": "mutation"},
    "/api/rules/inquiry": {"is_on": False},
    "/api/session/password": {"password": "correct-horse-battery", "new": "correct-horse-battery"},
    "/api/session/unlock": {"password": "correct-horse-battery"},
    "/api/session/shift": {"motif": "SECURITE"},
    "/api/tickets": {"requests": [{"camera": str(uuid4()), "act": "live", "stream": "main"}]},
    "/api/accounts": {"login": "nouveau", "name": "Nouveau", "role": "auditor", "category": "SANS_IMAGES"},
}


async def test_every_route_has_its_row_and_every_row_its_route(centre: Running) -> None:
    found = {key: act for key, act in routes(centre).items() if key[1] != "/api/{path:path}"}
    expected: dict[tuple[str, str], Act | None] = {key: Act(row["acte"]) for key, row in TABLE.items()}
    assert found == expected | dict.fromkeys(OPEN)


def test_every_row_lets_somebody_in_and_the_table_is_in_order() -> None:
    for key, row in TABLE.items():
        assert "oui" in row.values(), key
    assert RIGHTS.read_text(encoding="utf-8") == ";".join(HEAD) + "\n" + text_of(TABLE)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
async def test_each_person_gets_what_the_table_says(centre: Running, superuser: str, column: Column) -> None:
    await prepare(centre, superuser)
    found = await column_of(centre, superuser, column, sorted(TABLE), BODIES)
    wrong = {
        key: TABLE[key] | {column.name: answer} for key, answer in found.items() if TABLE[key][column.name] != answer
    }
    assert not wrong, f"{column.name}; if this is right, the rows are:\n{text_of(wrong)}"


@pytest.mark.parametrize(("method", "path"), sorted(TABLE))
async def test_nobody_gets_in(centre: Running, method: str, path: str) -> None:
    async with centre.browser() as browser:
        answer = await browser.send(method, made_up(path), BODIES.get(path, {"reason": "essai"}))
        # Without a session the CSRF token can't be right: refused one step earlier.
        assert answer.status_code == (401 if method == "GET" else 403)
        assert set(answer.json()) == {"code", "reason"}


OPEN_WHILE_LOCKED = {("GET", "/api/session"), ("DELETE", "/api/session"), ("POST", "/api/session/unlock")}


@pytest.mark.parametrize("state", ["left alone", "closed", "locked"])
async def test_a_session_that_is_over_or_locked_opens_no_route(centre: Running, state: str) -> None:
    """The same for everybody, so it is no column of the table: asked as who may most."""
    async with centre.person("superviseur") as person:
        if state == "left alone":
            centre.clock.advance(seconds=sessions.IDLE.total_seconds())
        elif state == "closed":
            cookies = dict(person.http.cookies)
            assert (await person.send("DELETE", "/api/session")).status_code == 204
            person.http.cookies.update(cookies)
        else:
            assert (await person.post("/api/session/lock")).status_code == 200
        expected = (403, "SESSION_LOCKED") if state == "locked" else (401, "SESSION_EXPIRED")
        for method, path in sorted(set(TABLE) - (OPEN_WHILE_LOCKED if state == "locked" else set())):
            answer = await person.send(method, made_up(path), BODIES.get(path, REASON) if method != "GET" else None)
            assert (answer.status_code, answer.json()["code"]) == expected, (method, path)
        if state == "locked":
            assert (await person.get("/api/session")).status_code == 200
    done = [one for one in await centre.journal() if one["author"] == "Superviseur" and one["result"] == "done"]
    assert {one["op"] for one in done} <= {"session:open", "session:close", "session:lock"}


async def test_refusals_are_journalled(centre: Running) -> None:
    async with centre.person("operateur") as operator:
        assert (await operator.get("/api/journal")).status_code == 403
        assert (await operator.get("/api/accounts")).status_code == 403
    refused = [entry for entry in await centre.journal() if entry["result"] == "refused"]
    assert {(entry["op"], entry["author"]) for entry in refused} == {
        ("journal:read", "Opérateur"),
        ("account:list", "Opérateur"),
    }


@pytest.mark.parametrize("login", ["operateur", "superviseur", "administrateur"])
async def test_row_25_whatever_is_refused_of_a_person_is_in_the_journal_once(centre: Running, login: str) -> None:
    """Also what a rule refuses before the act begins, what does not exist, and what is no request of this address."""
    refused: Counter[str] = Counter()
    async with centre.person(login) as person:
        for (method, path), row in sorted(TABLE.items()):
            if path.startswith("/api/session") or path == "/api/events":  # ends the session; a stream without end
                continue
            asked = [(made_up(path), BODIES.get(path, REASON)), (made_up(path), {"AB-123-CD": 1}), (bare(path), None)]
            for address, body in asked:
                answer = await person.send(method, address, None if method == "GET" else body)
                refused[row["acte"]] += 400 <= answer.status_code < 500
    async with centre.centre.store.transaction(None) as connection:
        statement = text(
            "SELECT op, detail || coalesce(reason, '') FROM journal WHERE result = 'refused' AND code <> :ours"
        )
        told = (await connection.execute(statement, {"ours": "RECORDER_UNREACHABLE"})).all()
    assert Counter(op for op, _ in told if not op.startswith("picture:")) == refused
    assert "AB-123-CD" not in str(told)


async def test_row_21_no_route_takes_a_parameter_that_it_does_not_declare(centre: Running) -> None:
    """Refused before anything is looked up or done, and journalled where a person asks."""
    found = {key: act for key, act in routes(centre).items() if key[1] != "/api/{path:path}"}
    expected: Counter[str] = Counter()
    async with centre.person("superviseur") as person:
        for (method, path), act in sorted(found.items()):
            asked = f"{made_up(path)}{'&' if query_of(path) else '?'}plate=AB-123-CD"
            answer = await person.send(method, asked, None if method == "GET" else BODIES.get(path, REASON))
            assert (answer.status_code, answer.json()["code"]) == (422, "UNKNOWN_PARAMETER"), (method, asked)
            assert "plate" not in answer.json()["reason"]
            if act is not None:
                expected[act] += 1
    nobodys = [event for event in await events(centre) if event["code"] == "UNKNOWN_PARAMETER"]
    assert sum(event["count"] for event in nobodys) == len(OPEN)
    told = [entry for entry in await centre.journal() if entry["code"] == "UNKNOWN_PARAMETER"]
    assert Counter(entry["op"] for entry in told) == expected
    assert "AB-123-CD" not in str(told)


JUNK: list[Any] = [
    None,
    [],
    "text",
    0,
    {},
    {"reason": 1},
    {"reason": "a\x00b" * 3},
    {"login": {}, "password": []},
    {"login": "a\x00b", "password": "😀" * 50},
    {"motif": ["SECURITE"]},
    {"requests": {"camera": 1}},
    {"requests": [{"camera": "' OR 1=1 --", "act": "live", "stream": "main"}]},
    {"login": "x" * 65, "name": "y", "role": "god", "category": "PM"},
    {"login": "ok", "name": "a\x00b", "role": "operator", "category": "PM", "employer": "99999"},
]


@pytest.mark.parametrize(
    ("method", "path"), sorted([key for key in TABLE if key[0] != "GET"] + [("POST", "/api/session")])
)
async def test_junk_is_refused_and_breaks_nothing(centre: Running, method: str, path: str) -> None:
    for login in ("administrateur", "superviseur"):
        async with centre.person(login) as person:
            for junk in JUNK:
                answer = await person.send(method, made_up(path), junk)
                assert answer.status_code < 500, f"{junk}: {answer.text}"
                if answer.status_code >= 400:
                    assert set(answer.json()) == {"code", "reason"}


@pytest.mark.parametrize(
    "query",
    [
        "before=-1",
        "before=x",
        "before=99999999999999999999",
        "limit=0",
        "limit=x",
        "camera=%00",
        "op=%00",
        "author=%00",
    ],
)
async def test_junk_in_a_query_is_refused_and_breaks_nothing(centre: Running, query: str) -> None:
    async with centre.person("auditeur") as auditor:
        answer = await auditor.http.get(f"/api/journal?{query}")
        assert answer.status_code == 422
        assert answer.json()["code"] == "INVALID"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b'{"reason": "\\ud800abc"}', b"[" * 5000, b'{"reason":' + b"9" * 5000 + b"}"]
)
async def test_broken_json_is_refused(centre: Running, content: bytes) -> None:
    async with centre.person("administrateur") as administrator:
        headers = {"Origin": ORIGIN, "X-CSRF-Token": administrator.csrf, "Content-Type": "application/json"}
        path = made_up("/api/conventions/{fact_id}/suspend")
        answer = await administrator.http.post(path, content=content, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["code"] == "INVALID"


@pytest.mark.parametrize("path", ["/api/nothing", "/api/cameras/x", "/api/session/nothing"])
async def test_unknown_paths_have_the_one_shape(centre: Running, path: str) -> None:
    async with centre.person("operateur") as operator:
        for method in ("GET", "POST"):
            answer = await operator.send(method, path, {})
            assert answer.status_code == 404
            assert answer.json() == {"code": "NOT_FOUND", "reason": "Élément inconnu."}


async def test_answers_bear_the_security_headers(centre: Running) -> None:
    async with centre.browser() as browser:
        headers = (await browser.get("/api/session")).headers
        policy = headers["content-security-policy"]
        assert "connect-src 'self' http://localhost:8081 ws://localhost:8081" in policy
        assert "media-src blob: http://localhost:8081" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


async def test_a_body_too_large_is_refused(centre: Running) -> None:
    async with centre.person("operateur") as operator:
        answer = await operator.post("/api/tickets", {"requests": ["x" * 2_000_000]})
        assert answer.status_code == 413
        assert answer.json()["code"] == "TOO_LARGE"


REASON = {"reason": "essai"}


def bare(path: str) -> str:
    """Without the parameters that the address wants."""
    return made_up(path).partition("?")[0]


def made_up(path: str) -> str:
    ids = dict.fromkeys(("camera_id", "fact_id", "account_id", "alarm_id", "authorisation_id"), str(uuid4()))
    return path.format(**ids, insee="27229", number=1, leaf=0) + query_of(path)
