"""Every route passes the guard: a reviewed table of all routes, tried by nobody and by every role."""

from typing import Any
from uuid import uuid4

import pytest
from centre_support import ORIGIN, Running
from fastapi.routing import APIRoute

from csu.accounts.guard import Guard
from csu.app import create_app
from legal.permissions import Act

# Routes that need no session, each with its reason.
OPEN = {
    ("POST", "/api/session"): "the login itself",
    ("GET", "/api/motifs"): "the login form; without `public` it calls the guard itself",
    ("GET", "/api/health"): "says whether the service runs, and nothing else",
    ("GET", "/metrics"): "numbers, no person and no camera; nothing through a proxy",
}
# Path, act, roles that are not refused for their role (o s d a A: operator, supervisor, delegate, auditor, admin).
GUARDED = {
    ("GET", "/api/session"): (Act.SESSION_READ, "osdaA"),
    ("DELETE", "/api/session"): (Act.SESSION_CLOSE, "osdaA"),
    ("POST", "/api/session/lock"): (Act.SESSION_LOCK, "osdaA"),
    ("PUT", "/api/session/password"): (Act.PASSWORD_CHANGE, "osdaA"),
    ("POST", "/api/session/unlock"): (Act.SESSION_UNLOCK, "osdaA"),
    ("PUT", "/api/session/shift"): (Act.SESSION_SHIFT, "osdaA"),
    ("GET", "/api/cameras"): (Act.CAMERA_LIST, "osdaA"),
    ("GET", "/api/cameras/{camera_id}/timeline"): (Act.TIMELINE_READ, "osdaA"),
    ("POST", "/api/tickets"): (Act.TICKET_REQUEST, "osdaA"),
    ("GET", "/api/journal"): (Act.JOURNAL_READ, "sda"),
    ("GET", "/api/journal.csv"): (Act.JOURNAL_EXPORT, "sda"),
    ("GET", "/api/journal/anomalies"): (Act.JOURNAL_READ, "sda"),
    ("GET", "/api/journal/looks"): (Act.JOURNAL_READ, "sda"),
    ("GET", "/api/journal/persons"): (Act.JOURNAL_PERSONS, "sda"),
    ("GET", "/api/journal/statistics"): (Act.JOURNAL_READ, "sda"),
    ("GET", "/api/journal/checkpoint"): (Act.CHECKPOINT_READ, "sda"),
    ("GET", "/api/journal/consistency"): (Act.JOURNAL_PROVE, "sda"),
    ("GET", "/api/journal/{leaf}/proof"): (Act.JOURNAL_PROVE, "sda"),
    ("GET", "/api/security"): (Act.SECURITY_READ, "aA"),
    ("GET", "/api/watching"): (Act.WATCHING_LIST, "sda"),
    ("GET", "/api/alarms"): (Act.ALARM_LIST, "osdaA"),
    ("POST", "/api/alarms/{alarm_id}/acknowledge"): (Act.ALARM_ACKNOWLEDGE, "sA"),
    ("GET", "/api/events"): (Act.EVENT_FOLLOW, "osdaA"),
    ("GET", "/api/territory"): (Act.TERRITORY_READ, "sdA"),
    ("POST", "/api/conventions/{fact_id}/suspend"): (Act.CONVENTION_SUSPEND, "dA"),
    ("POST", "/api/conventions/{fact_id}/resume"): (Act.CONVENTION_RESUME, "dA"),
    ("POST", "/api/communes"): (Act.COMMUNE_JOIN, "sA"),
    ("PUT", "/api/communes/{insee}"): (Act.COMMUNE_CHANGE, "sA"),
    ("PUT", "/api/communes/{insee}/sites"): (Act.SITE_ENTER, "sA"),
    ("POST", "/api/conventions"): (Act.CONVENTION_ENTER, "sA"),
    ("GET", "/api/reference/communes"): (Act.TERRITORY_READ, "sdA"),
    ("GET", "/api/authorisations"): (Act.AUTHORISATION_LIST, "sdaA"),
    ("POST", "/api/authorisations"): (Act.AUTHORISATION_DRAFT, "sA"),
    ("PUT", "/api/authorisations/{authorisation_id}/lines"): (Act.AUTHORISATION_DRAFT, "sA"),
    ("POST", "/api/authorisations/{authorisation_id}/modification"): (Act.AUTHORISATION_AMEND, "sA"),
    ("POST", "/api/authorisations/{authorisation_id}/deposit"): (Act.AUTHORISATION_DEPOSIT, "sA"),
    ("POST", "/api/authorisations/{authorisation_id}/complete"): (Act.AUTHORISATION_COMPLETE, "sA"),
    ("POST", "/api/authorisations/{authorisation_id}/extend"): (Act.AUTHORISATION_EXTEND, "sA"),
    ("POST", "/api/authorisations/{authorisation_id}/opinion"): (Act.AUTHORISATION_OPINION, "sA"),
    ("POST", "/api/authorisations/{authorisation_id}/grant"): (Act.AUTHORISATION_GRANT, "sA"),
    ("POST", "/api/authorisations/{authorisation_id}/refuse"): (Act.AUTHORISATION_REFUSE, "sA"),
    ("POST", "/api/authorisations/{authorisation_id}/notify"): (Act.AUTHORISATION_NOTIFY, "sA"),
    ("POST", "/api/authorisations/{authorisation_id}/activate"): (Act.AUTHORISATION_ACTIVATE, "sA"),
    ("POST", "/api/authorisations/{authorisation_id}/suspend"): (Act.AUTHORISATION_SUSPEND, "sA"),
    ("POST", "/api/authorisations/{authorisation_id}/resume"): (Act.AUTHORISATION_RESUME, "sA"),
    ("POST", "/api/authorisations/{authorisation_id}/withdraw"): (Act.AUTHORISATION_WITHDRAW, "sA"),
    ("POST", "/api/authorisations/{authorisation_id}/end-event"): (Act.AUTHORISATION_END_EVENT, "sA"),
    ("POST", "/api/authorisations/{authorisation_id}/drop"): (Act.AUTHORISATION_DROP, "sA"),
    ("GET", "/api/persons"): (Act.PERSON_LIST, "sda"),
    ("GET", "/api/persons/{account_id}/history"): (Act.PERSON_LIST, "sda"),
    ("GET", "/api/persons/{account_id}/habilitation"): (Act.HABILITATION_PROVE, "sda"),
    ("PUT", "/api/persons/{account_id}/agrement"): (Act.AGREMENT_PUT, "sA"),
    ("POST", "/api/persons/{account_id}/agrement/suspend"): (Act.AGREMENT_SUSPEND, "sA"),
    ("POST", "/api/persons/{account_id}/agrement/resume"): (Act.AGREMENT_RESUME, "sA"),
    ("POST", "/api/persons/{account_id}/leave"): (Act.PERSON_LEAVE, "sA"),
    ("POST", "/api/persons/{account_id}/stay"): (Act.PERSON_STAY, "sA"),
    ("POST", "/api/persons/{account_id}/confirm"): (Act.PERSON_CONFIRM, "sA"),
    ("PUT", "/api/rules/inquiry"): (Act.RULE_SET, "A"),
    ("POST", "/api/habilitations"): (Act.HABILITATION_GRANT, "sd"),
    ("POST", "/api/habilitations/{fact_id}/end"): (Act.HABILITATION_END, "sd"),
    ("POST", "/api/habilitations/{fact_id}/suspend"): (Act.HABILITATION_SUSPEND, "sd"),
    ("POST", "/api/habilitations/{fact_id}/resume"): (Act.HABILITATION_RESUME, "sd"),
    ("GET", "/api/holds"): (Act.HOLD_LIST, "saA"),
    ("POST", "/api/holds"): (Act.HOLD_PUT, "s"),
    ("POST", "/api/holds/{fact_id}/release"): (Act.HOLD_RELEASE, "sA"),
    ("GET", "/api/interruptions"): (Act.INTERRUPTION_LIST, "sdaA"),
    ("POST", "/api/interruptions/planned"): (Act.INTERRUPTION_PLAN, "sA"),
    ("POST", "/api/interruptions/masked"): (Act.INTERRUPTION_MASK, "s"),
    ("POST", "/api/interruptions/{fact_id}/confirm"): (Act.INTERRUPTION_CONFIRM, "s"),
    ("POST", "/api/interruptions/{fact_id}/end"): (Act.INTERRUPTION_END, "sA"),
    ("GET", "/api/proposals"): (Act.PROPOSAL_LIST, "sA"),
    ("GET", "/api/recorder"): (Act.RECORDER_READ, "saA"),
    ("GET", "/api/recorder/needs"): (Act.RECORDER_READ, "saA"),
    ("POST", "/api/recorder/releases"): (Act.RELEASE_PROPOSE, "sA"),
    ("POST", "/api/recorder/releases/{fact_id}/confirm"): (Act.RELEASE_CONFIRM, "sA"),
    ("GET", "/api/retentions"): (Act.RETENTION_LIST, "sdaA"),
    ("POST", "/api/cameras/{camera_id}/retention"): (Act.RETENTION_PROPOSE, "sA"),
    ("POST", "/api/retentions/{fact_id}/confirm"): (Act.RETENTION_CONFIRM, "sA"),
    ("GET", "/api/legal-bases"): (Act.BASIS_LIST, "sdaA"),
    ("POST", "/api/legal-bases"): (Act.BASIS_PROPOSE, "sA"),
    ("POST", "/api/legal-bases/{fact_id}/confirm"): (Act.BASIS_CONFIRM, "sA"),
    ("POST", "/api/legal-bases/{fact_id}/end"): (Act.BASIS_END, "sA"),
    ("GET", "/api/statements"): (Act.STATEMENT_LIST, "sdaA"),
    ("GET", "/api/communes/{insee}/statements"): (Act.STATEMENT_LIST, "sdaA"),
    ("GET", "/api/communes/{insee}/statements/{number}"): (Act.STATEMENT_READ, "sdaA"),
    ("GET", "/api/communes/{insee}/statements/{number}/text"): (Act.STATEMENT_READ, "sdaA"),
    ("GET", "/api/communes/{insee}/coverage"): (Act.COVERAGE_READ, "sdaA"),
    ("GET", "/api/communes/{insee}/coverage.csv"): (Act.COVERAGE_READ, "sdaA"),
    ("GET", "/api/accounts"): (Act.ACCOUNT_LIST, "A"),
    ("POST", "/api/accounts"): (Act.ACCOUNT_CREATE, "A"),
    ("POST", "/api/accounts/{account_id}/password"): (Act.ACCOUNT_RESET, "A"),
    ("POST", "/api/accounts/{account_id}/close"): (Act.ACCOUNT_CLOSE, "A"),
}
LOGINS = {"o": "operateur", "s": "superviseur", "d": "delegue", "a": "auditeur", "A": "administrateur"}
INTERRUPTION = {
    "camera": str(uuid4()),
    "from": "2026-11-24T14:00:00Z",
    "to": "2026-11-24T16:00:00Z",
    "reason": "ENTRETIEN",
}
_LINE = {"camera": str(uuid4()), "finalites": ["5"], "retention_days": 15}
_ACT = {"on": "2026-11-23"}
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
    f"{_AUTHORISATION}/modification": {"dossier": "Dossier 2"},
    **{f"{_AUTHORISATION}/{step}": _ACT for step in ("deposit", "complete", "extend", "opinion", "refuse")},
    f"{_AUTHORISATION}/grant": _ACT | {"reference": "ARR-1", "from": "2026-11-23", "to": "2031-11-23"},
    f"{_AUTHORISATION}/notify": _ACT | {"service_on": "2026-11-23"},
    "/api/interruptions/planned": INTERRUPTION,
    "/api/interruptions/masked": INTERRUPTION | {"reason": "HABITATION"},
    "/api/holds": {
        "camera": str(uuid4()),
        "from": "2026-11-23T14:00:00Z",
        "to": "2026-11-23T14:10:00Z",
        "requisition": "PV 2026/00417",
    },
    "/api/cameras/{camera_id}/retention": {"days": 7, "reason": "essai"},
    "/api/legal-bases": {
        "camera": str(uuid4()),
        "function": "DEPOT",
        "reference": "Décision 12",
        "from": "2026-11-23T14:00:00Z",
        "to": "2027-11-23T14:00:00Z",
    },
    "/api/recorder/releases": {"subject": "clock", "freeze": "boot:1:2", "reason": "Heure vérifiée"},
    "/api/habilitations": {
        "account": str(uuid4()),
        "commune": "27229",
        "rights": ["live"],
        "reference": "ARR-1",
        "from": "2026-01-01",
        "to": "2027-01-01",
    },
    "/api/persons/{account_id}/agrement": {
        "reference": "AGR-2",
        "prefet": "Préfet de l'Eure",
        "departements": ["27"],
        "from": "2026-01-01",
    },
    "/api/persons/{account_id}/leave": {"days": 3, "reason": "mutation"},
    "/api/rules/inquiry": {"is_on": False},
    "/api/session/password": {"password": "wrong", "new": "correct-horse-battery"},
    "/api/session/unlock": {"password": "correct-horse-battery"},
    "/api/session/shift": {"motif": "SECURITE"},
    "/api/tickets": {"requests": [{"camera": str(uuid4()), "act": "live", "stream": "main"}]},
    "/api/accounts": {"login": "nouveau", "name": "Nouveau", "role": "auditor", "category": "SANS_IMAGES"},
}


def routes(centre: Running) -> dict[tuple[str, str], Act | None]:
    """Every route of the application with the act that guards it."""
    found: dict[tuple[str, str], Act | None] = {}
    pending: list[Any] = list(create_app(centre.centre, None).routes)
    while pending:
        route = pending.pop()
        nested = getattr(route, "original_router", None)
        if nested is not None:
            pending += nested.routes
        elif isinstance(route, APIRoute):
            guards = [d.call for d in route.dependant.dependencies if isinstance(d.call, Guard)]
            for method in route.methods or ():
                found[method, route.path] = guards[0].act if guards else None
    return found


async def test_every_route_has_its_row(centre: Running) -> None:
    found = {key: act for key, act in routes(centre).items() if key[1] not in ("/api/{path:path}", "/api/openapi.json")}
    expected = {key: act for key, (act, _) in GUARDED.items()} | dict.fromkeys(OPEN)
    assert found == expected


@pytest.mark.parametrize(("method", "path"), sorted(GUARDED))
async def test_nobody_gets_in(centre: Running, method: str, path: str) -> None:
    async with centre.browser() as browser:
        answer = await browser.send(method, filled(path), BODIES.get(path, {"reason": "essai"}))
        # Without a session the CSRF token can't be right: refused one step earlier.
        assert answer.status_code == (401 if method == "GET" else 403)
        assert set(answer.json()) == {"code", "reason"}


@pytest.mark.parametrize("role", LOGINS)
async def test_each_role_is_refused_what_the_table_says(centre: Running, role: str) -> None:
    for (method, path), (_, allowed) in GUARDED.items():
        if path == "/api/events":
            continue  # an endless answer; tried with the events
        async with centre.person(LOGINS[role]) as person:
            answer = await person.send(method, filled(path), None if method == "GET" else BODIES.get(path, REASON))
            is_refused = answer.status_code == 403 and answer.json()["code"] == "REGIME_ROLE_FORBIDDEN"
            assert is_refused == (role not in allowed), f"{method} {path}: {answer.status_code} {answer.text}"
            is_away = answer.status_code == 503 and answer.json()["code"] == "RECORDER_UNREACHABLE"
            assert answer.status_code < 500 or is_away, f"{method} {path}: {answer.text}"


async def test_refusals_are_journalled(centre: Running) -> None:
    async with centre.person("operateur") as operator:
        assert (await operator.get("/api/journal")).status_code == 403
        assert (await operator.get("/api/accounts")).status_code == 403
    refused = [entry for entry in await centre.journal() if entry["result"] == "refused"]
    assert {(entry["op"], entry["author"]) for entry in refused} == {
        ("journal:read", "Opérateur"),
        ("account:list", "Opérateur"),
    }


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
    ("method", "path"), sorted([key for key in GUARDED if key[0] != "GET"] + [("POST", "/api/session")])
)
async def test_junk_is_refused_and_breaks_nothing(centre: Running, method: str, path: str) -> None:
    for login in ("administrateur", "superviseur"):
        async with centre.person(login) as person:
            for junk in JUNK:
                answer = await person.send(method, filled(path), junk)
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
        path = filled("/api/conventions/{fact_id}/suspend")
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


def filled(path: str) -> str:
    made_up = str(uuid4())
    day = "?from=2026-11-23T14:00:00Z&to=2026-11-23T14:10:00Z"
    queries = dict.fromkeys(("timeline", "looks", "statistics", "anomalies"), day) | {
        "consistency": "?old=1",
        "communes": "?query=ber",
    }
    queries["habilitation"] = f"?camera={made_up}&at=2026-11-23T14:00:00Z"
    query = queries.get(path.rpartition("/")[2], "?month=2026-11" if "{insee}" in path else "")
    ids = dict.fromkeys(("camera_id", "fact_id", "account_id", "alarm_id", "authorisation_id"), made_up)
    return path.format(**ids, insee="27229", number=1, leaf=0) + query
