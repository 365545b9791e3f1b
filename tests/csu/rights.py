"""What each person gets at each route of the control plane, found out by asking: the columns of `rights/centre.csv`.

A cell is `oui` when the guard let the request through to its act (whatever the act then said, a conflict say), else the
code of the refusal. Every identifier in an address is that of a real row of the commune meant.
"""

import csv
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import psycopg
from centre_support import Browser, Running, load_territory, with_forces
from fastapi.routing import APIRoute
from statements_support import signer

from csu import keys
from csu.accounts.guard import Guard
from csu.app import create_app
from csu.audit.heads import HeadSigner
from csu.audit.sequencer import sequence
from legal.acts import Act
from streams.awake import timeout

Rows = psycopg.Connection[tuple[Any, ...]]
TABLE = Path(__file__).with_name("rights") / "centre.csv"
OWN, FOREIGN = "27229", "27681"
ENDLESS = "/api/events"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
IN_FORCE, EXPIRED, SUSPENDED = "", "to_at", "suspended_at"


@dataclass(frozen=True, slots=True)
class Column:
    """A person in a situation: whose commune the address names, and how their right (a gendarme's déport) stands."""

    name: str
    login: str
    commune: str = OWN
    right: str = IN_FORCE


COLUMNS = (
    Column("opérateur", "operateur"),
    Column("opérateur, commune étrangère", "operateur", FOREIGN),
    Column("opérateur, habilitation expirée", "operateur", right=EXPIRED),
    Column("opérateur, habilitation suspendue", "operateur", right=SUSPENDED),
    Column("délégué du maire", "delegue"),
    Column("délégué, commune étrangère", "delegue", FOREIGN),
    Column("délégué, délégation expirée", "delegue", right=EXPIRED),
    Column("délégué, délégation suspendue", "delegue", right=SUSPENDED),
    Column("gendarme", "gendarme"),
    Column("gendarme, commune étrangère", "gendarme", FOREIGN),
    Column("gendarme, déport suspendu", "gendarme", right=SUSPENDED),
    Column("superviseur", "superviseur"),
    Column("auditeur", "auditeur"),
    Column("administrateur", "administrateur"),
)
HEAD = ("méthode", "adresse", "acte", *(column.name for column in COLUMNS))
# Addresses that answer without a session, each with its reason.
OPEN = {
    ("POST", "/api/session"): "the login itself",
    ("GET", "/api/motifs"): "the login form; without `public` it calls the guard itself",
    ("GET", "/api/health"): "says whether the service runs, and nothing else",
    ("GET", "/api/openapi.json"): "what addresses there are, which the console's files tell too",
    ("GET", "/metrics"): "numbers, no person and no camera; nothing through a proxy",
}


def read_table() -> dict[tuple[str, str], dict[str, str]]:
    """The reviewed rows by method and address; raises ValueError on a head or a width that is not the table's."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file, delimiter=";"))
    if tuple(head) != HEAD or any(len(row) != len(HEAD) for row in rows):
        raise ValueError("expected the columns of tests/csu/rights.py")
    return {(row[0], row[1]): dict(zip(HEAD, row, strict=True)) for row in rows}


def text_of(rows: dict[tuple[str, str], dict[str, str]]) -> str:
    """Rows as they stand in the table, by address."""
    ordered = sorted(rows.values(), key=lambda row: (row["adresse"], row["méthode"]))
    return "".join(";".join(row[name] for name in HEAD) + "\n" for row in ordered)


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


# --- one row of each kind for each commune
# ----------------------------------------------------------------------------------------------


def made_up(kind: str, commune: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{kind} {commune}"))


RESTORE = """
    UPDATE habilitation SET to_at = '2031-01-01', suspended_at = NULL;
    UPDATE convention SET suspended_at = NULL, suspended_as = NULL;
    UPDATE deport SET suspended_at = NULL;
    UPDATE authorisation SET suspended_at = NULL, ended_at = NULL, state = 'ACTIVE' WHERE reference LIKE 'A-%';
    UPDATE account SET closed_at = NULL, leaving_at = NULL, closes_at = NULL;
"""
EMPTY = """
    UPDATE camera SET regime = 'HORS_CSI' WHERE commune = '27016';
    DELETE FROM habilitation WHERE account IN (SELECT id FROM account WHERE login = 'operateur') AND commune <> '27229';
"""
SEED = """
    INSERT INTO account (id, login, name, role, category, employer, password_hash, created_at)
    VALUES (%(account)s, 'cible-' || %(c)s, 'Cible', 'operator', 'PM', %(c)s, 'x', %(at)s);
    INSERT INTO habilitation (id, account, commune, basis, rights, reference, from_at)
    VALUES (%(habilitation)s, %(account)s, %(c)s, 'designation', ARRAY['live'], 'cible', %(at)s);
    INSERT INTO deport (id, commune, reference, persons, rights, recipient_days, from_at, to_at)
    VALUES (%(deport)s, %(c)s, 'ARR-D', ARRAY[%(account)s::uuid], ARRAY['live'], 30, %(at)s,
        %(at)s + interval '1 year');
    INSERT INTO alarm (id, source, code, subject, commune, detail, since)
    VALUES (%(alarm)s, 'test', 'INDEX_NEW', %(alarm)s, %(c)s, '', %(at)s);
    INSERT INTO hold (id, commune, camera, from_at, to_at, requisition, put_at, put_by)
    SELECT %(hold)s, %(c)s, camera.id, %(at)s, %(at)s + interval '1 hour', 'PV 1', %(at)s, account.id
    FROM camera, account WHERE camera.commune = %(c)s AND login = 'auditeur';
    INSERT INTO interruption (id, commune, camera, cause, reason, from_at, to_at, announced_at, announced_by,
        decided_at)
    SELECT %(interruption)s, %(c)s, camera.id, 'planned', 'ESSAI', %(at)s, %(at)s + interval '20 days', %(at)s,
        account.id, %(at)s
    FROM camera, account WHERE camera.commune = %(c)s AND login = 'auditeur';
    INSERT INTO proposal (id, decision, subject, commune, reason, content, proposed_at, proposed_by)
    SELECT %(release)s, 'clock_release', %(release)s, NULL, 'essai', '{}', %(at)s, id FROM account
    WHERE login = 'auditeur';
    INSERT INTO proposal (id, decision, subject, commune, reason, content, proposed_at, proposed_by)
    SELECT %(retention)s, 'retention', camera.id, %(c)s, 'essai', '{"days":9}', %(at)s, account.id
    FROM camera, account WHERE camera.commune = %(c)s AND login = 'auditeur';
    INSERT INTO proposal (id, decision, subject, commune, reason, content, proposed_at, proposed_by, confirmed_at,
        confirmed_by)
    SELECT %(basis)s, 'legal_basis', %(basis)s, %(c)s, '', json_build_object('camera', camera.id, 'function', 'DEPOT',
        'reference', 'Texte', 'from', '2026-11-01T00:00:00+00:00', 'to', '2027-11-01T00:00:00+00:00'), %(at)s, one.id,
        %(at)s, other.id
    FROM camera, account one, account other
    WHERE camera.commune = %(c)s AND one.login = 'auditeur' AND other.login = 'superviseur';
    INSERT INTO legal_basis (id, commune, camera, function, reference, from_at, to_at, registered_at)
    SELECT %(basis)s, %(c)s, id, 'DEPOT', 'Texte', %(at)s, %(at)s + interval '1 year', %(at)s FROM camera
    WHERE commune = %(c)s;
"""


def _made_up_row(kind: str, commune: str) -> str:
    return f"SELECT '{made_up(kind, commune)}'"


# Where the identifier of an address comes from, by the address's part before it.
IDS: dict[str, Callable[[str], str]] = {
    "lines": lambda c: f"SELECT id FROM camera WHERE commune = '{c}'",
    "cameras": lambda c: f"SELECT id FROM camera WHERE commune = '{c}'",
    "conventions": lambda c: f"SELECT id FROM convention WHERE commune = '{c}' AND kind = 'IV'",
    "authorisations": lambda c: f"SELECT id FROM authorisation WHERE commune = '{c}' AND reference LIKE 'A-%'",
    "journal": lambda c: f"SELECT leaf FROM journal_leaf JOIN journal ON entry = id WHERE commune = '{c}' LIMIT 1",
    "statements": lambda c: f"SELECT number FROM statement WHERE commune = '{c}' LIMIT 1",
    "communes": lambda c: f"SELECT '{c}'",
} | {
    part: partial(_made_up_row, kind)
    for part, kind in {
        "habilitations": "habilitation",
        "deports": "deport",
        "accounts": "account",
        "persons": "account",
        "alarms": "alarm",
        "holds": "hold",
        "interruptions": "interruption",
        "releases": "release",
        "retentions": "retention",
        "legal-bases": "basis",
        "proposals": "retention",
    }.items()
}


def seed(superuser: str, at: Any) -> None:
    """One row of every kind for both communes, that nobody's situation depends on."""
    kinds = ("account", "habilitation", "deport", "alarm", "hold", "interruption", "release", "retention", "basis")
    with psycopg.connect(superuser, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute((RESTORE + EMPTY).encode())
        for commune in (OWN, FOREIGN):
            values = {kind: made_up(kind, commune) for kind in kinds} | {"c": commune, "at": at}
            connection.execute(SEED.encode(), values)


def put_right(connection: Rows, login: str, right: str, at: Any) -> None:
    """How a person's habilitations stand; and what a request before has suspended, ended or closed is as it was."""
    connection.execute(RESTORE.encode())
    if right:
        held = "deport" if login == "gendarme" else "habilitation"
        theirs = "ANY(persons)" if login == "gendarme" else "habilitation.account"
        change = f"UPDATE {held} SET {right} = %s FROM account WHERE account.id = {theirs} AND login = %s"
        connection.execute(change.encode(), (at, login))


def filled(connection: Rows, path: str, commune: str) -> str:
    """An address with the identifiers of a commune's own rows, and the query that it needs."""
    parts = path.split("/")
    for n, part in enumerate(parts):
        if part.startswith("{"):
            row = connection.execute(IDS[parts[n - 1]](commune).encode()).fetchone()
            assert row is not None, path
            parts[n] = str(row[0])
    (camera,) = connection.execute("SELECT id::text FROM camera WHERE commune = %s", (commune,)).fetchone() or ("",)
    return "/".join(parts) + query_of(path).replace(UNKNOWN, camera)


def query_of(path: str) -> str:
    """What an address needs behind it."""
    day, month = "?from=2026-11-23T14:00:00Z&to=2026-11-23T14:10:00Z", "?month=2026-11"
    queries = dict.fromkeys(("timeline", "looks", "statistics", "anomalies", "seen"), day) | {
        "consistency": "?old=1",
        "reference/communes": "?query=ber",
        "habilitation": f"?camera={UNKNOWN}&at=2026-11-23T14:00:00Z",
        **dict.fromkeys(("coverage", "coverage.csv", "{insee}/statements"), month),
    }
    return next((query for end, query in queries.items() if path.endswith(f"/{end}")), "")


# --- asking
# ----------------------------------------------------------------------------------------------------------------


def body_of(connection: Rows, path: str, commune: str, bodies: dict[str, Any]) -> Any:
    """A request's body, about the commune's own rows."""
    rows = connection.execute("SELECT commune, id::text FROM camera").fetchall()
    cameras: dict[str, str] = dict(rows)
    body = bodies.get(path, {"reason": "essai"})
    if path == "/api/tickets":
        return {"requests": [{"camera": cameras[commune], "act": "live", "stream": "main"}]}
    if path == "/api/legal-bases":  # the one place that the law does not close
        return body | {"camera": cameras["27016"]}
    if path == "/api/deports":
        return body | {"persons": [made_up("account", commune)], "commune": commune}
    if path == "/api/habilitations":
        return body | {"account": made_up("account", commune), "commune": commune}
    return body | {"camera": cameras[commune]} if "camera" in body else body


async def prepare(centre: Running, superuser: str) -> None:
    """Rows of both communes in every table, a statement each, entries with proofs; a gendarme who sees live pictures of
    one of them."""
    store, settings = centre.centre.store, centre.centre.settings
    deport = {"commune": OWN, "reference": "27-2026-0417", "persons": ["gendarme"], "rights": ["live"]}
    dates = {"from": "2026-11-01", "to": "2027-11-01"}
    await load_territory(store, settings.data, with_forces() | {"deport": [deport | dates | {"recipient_days": 30}]})
    signing = signer(centre)
    await signing.run_once()
    centre.clock.advance(hours=23)
    await signing.run_once()
    seed(superuser, centre.clock())
    async with centre.person("superviseur") as supervisor:
        for camera in (await supervisor.get("/api/cameras")).json()["cameras"]:
            await supervisor.tickets({"camera": camera["id"], "act": "live", "stream": "main"})
    await sequence(store)
    await HeadSigner(store, *keys.load_private(settings.paths.keys, "heads"), centre.clock).sign()


async def column_of(
    centre: Running, superuser: str, column: Column, asked: list[tuple[str, str]], bodies: dict[str, Any]
) -> dict[tuple[str, str], str]:
    """One person's answers, in one session but for the routes that end it."""
    answers = {}
    async with AsyncExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(superuser, autocommit=True))
        person: Browser | None = None
        for method, path in asked:
            put_right(connection, column.login, column.right, centre.clock())
            if person is None or path.startswith("/api/session"):
                person = await stack.enter_async_context(centre.person(column.login))
            address = filled(connection, path, column.commune)
            answers[method, path] = await _ask(
                person, method, address, body_of(connection, path, column.commune, bodies)
            )
            if path.startswith("/api/session"):
                person = None
    return answers


async def _ask(person: Browser, method: str, address: str, body: Any) -> str:
    try:
        async with timeout(5 if address == ENDLESS else 60):
            answer = await person.send(method, address, None if method == "GET" else body)
    except TimeoutError:
        assert address == ENDLESS
        return "oui"
    assert answer.status_code < 500 or answer.json()["code"] == "RECORDER_UNREACHABLE", f"{address}: {answer.text}"
    if answer.status_code in (401, 403, 404):
        return str(answer.json()["code"])
    if address.startswith("/api/tickets"):
        (result,) = answer.json()["results"]
        return "oui" if "ticket" in result else str(result["refused"]["code"])
    return "oui"
