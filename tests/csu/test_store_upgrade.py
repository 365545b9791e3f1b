"""The tables of the first release, with rows in them, become this version's: every row and every proof stays."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import create_engine

import csu.store.migrate
from csu import engines
from csu.audit.verify import verify
from csu.settings import Database, Paths
from csu.store.migrate import migrate
from csu.store.store import Store

BEFORE = json.loads(Path(__file__).with_name("centre_of_before.json").read_text())
FIRST_RELEASE = "0002"


@pytest.fixture
def before(tmp_path: Path) -> Iterator[tuple[Database, str]]:
    """A database of its own in that state, and its superuser's address."""
    paths = Paths(tmp_path)
    engine = engines.start_postgres(paths)
    try:
        database, superuser = engines.postgres_urls(paths), engines.superuser_url(paths).replace("+psycopg", "")
        _migrate_to(database, FIRST_RELEASE)
        with psycopg.connect(superuser) as connection:
            connection.execute("SET session_replication_role = replica")  # rows as they were, in any order
            for table, rows in BEFORE["tables"].items():
                fill = f"INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, %s)"
                connection.execute(fill.encode(), (json.dumps(rows),))
        yield database, superuser
    finally:
        engine.stop()


def _migrate_to(database: Database, revision: str) -> None:
    engine = create_engine(database.owner_url.get_secret_value())
    config = Config()
    config.set_main_option("script_location", str(Path(csu.store.migrate.__file__).with_name("migrations")))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def _rows(superuser: str, table: str) -> list[dict[str, Any]]:
    with psycopg.connect(superuser) as connection:
        return [row for (row,) in connection.execute(f"SELECT to_jsonb(t) FROM {table} t".encode()).fetchall()]


async def test_nothing_is_lost_by_the_upgrade(before: tuple[Database, str]) -> None:
    database, superuser = before
    filled = [table for table, rows in BEFORE["tables"].items() if rows]
    assert {"journal", "journal_leaf", "tree_head", "hold", "camera", "account"} <= set(filled)
    migrate(database.owner_url.get_secret_value())
    for table in filled:
        columns = BEFORE["tables"][table][0].keys()
        kept = [{name: row.get(name) for name in columns} for row in _rows(superuser, table)]
        assert sorted(map(str, kept)) == sorted(map(str, BEFORE["tables"][table])), table
    store = Store(database)
    heads = {kid: Ed25519PublicKey.from_public_bytes(bytes.fromhex(raw)) for kid, raw in BEFORE["heads"].items()}
    try:
        verdict = await verify(store, heads)
    finally:
        await store.close()
    assert (verdict.first_bad, verdict.entries) == (None, len(BEFORE["tables"]["journal_leaf"]))
    assert verdict.entries > 5


ONE, OTHER = (row["id"] for row in BEFORE["tables"]["account"][:2])
PENDING = f"""
    UPDATE hold SET release_proposed_at = '2026-11-23T14:00Z', release_proposed_by = '{ONE}';
    INSERT INTO freeze_release (id, subject, freeze_id, reason, proposed_at, proposed_by, confirmed_at, confirmed_by)
    SELECT gen_random_uuid(), 'clock', 'boot:1:2', 'lu', at::timestamptz, '{ONE}', done::timestamptz, by::uuid
    FROM (VALUES ('2026-11-22T14:00Z', NULL, NULL), ('2026-11-23T14:00Z', NULL, NULL),
                 ('2026-11-21T14:00Z', '2026-11-21T14:05Z', '{OTHER}')) AS told (at, done, by);
    INSERT INTO interruption (id, commune, camera, cause, reason, from_at, to_at, proposed_at, proposed_by, decided_at,
        decided_by, end_proposed_at, end_proposed_by)
    SELECT gen_random_uuid(), commune, id, 'masked', 'HABITATION', '2026-11-23T14:00Z', '2026-11-24T14:00Z',
        '2026-11-23T14:00Z', '{ONE}', '2026-11-23T14:01Z', '{OTHER}', '2026-11-23T14:20Z', '{OTHER}'
    FROM camera LIMIT 1;
"""


def test_what_waits_for_a_second_person_still_does(before: tuple[Database, str]) -> None:
    database, superuser = before
    _migrate_to(database, "0007")
    with psycopg.connect(superuser) as connection:
        connection.execute(PENDING.encode())
    migrate(database.owner_url.get_secret_value())
    told = [
        (row["decision"], row["proposed_by"], row["confirmed_by"], row["closed_at"] is None)
        for row in _rows(superuser, "proposal")
    ]
    holds = len(BEFORE["tables"]["hold"])
    assert sorted(told, key=str) == sorted(
        [("hold_release", ONE, None, True)] * holds
        + [
            ("clock_release", ONE, None, False),
            ("clock_release", ONE, None, True),
            ("clock_release", ONE, OTHER, True),
            ("mask", ONE, OTHER, True),
            ("unmask", OTHER, None, True),
        ],
        key=str,
    )


SUSPENDED, RESUMED = "2026-11-23T14:10Z", "2026-11-23T14:20Z"
JOURNALLED = """
    INSERT INTO journal (id, at, op, result, author_name, quality, commune, recipients, detail, salt)
    SELECT gen_random_uuid(), told.at::timestamptz, told.op, 'done', 'x', 'x', held.commune, '{}',
        json_build_object('habilitation', held.id, 'given', 'contrôle')::text, %s
    FROM (SELECT * FROM habilitation LIMIT 1) AS held,
        (VALUES ('habilitation:suspend', %s), ('habilitation:resume', %s)) AS told (op, at)
"""


def test_facts_of_before_have_their_history(before: tuple[Database, str]) -> None:
    database, superuser = before
    _migrate_to(database, "0011")
    with psycopg.connect(superuser) as connection:
        connection.execute(JOURNALLED.encode(), (b"s" * 16, SUSPENDED, RESUMED))
    migrate(database.owner_url.get_secret_value())
    versions = _rows(superuser, "fact_version")
    tables = {"account": "password_hash", "camera": "main_url", "habilitation": None, "authorisation_line": None}
    for table, secret in tables.items():
        told = [version["known"] for version in versions if version["fact"] == table]
        assert len(told) >= len(BEFORE["tables"][table]) > 0
        assert not any(secret in known for known in told if secret is not None)
    assert "secret" not in {name for version in versions for name in version["known"]}
    held = _rows(superuser, "habilitation")[0]
    lifted = {version["key"] for version in versions if version["known"].get("suspended_reason") == "contrôle"}
    (key,) = lifted
    history = sorted((v["recorded_at"], v["known"]["suspended_at"]) for v in versions if v["key"] == key)
    assert [(at[:16], None if until is None else until[:16]) for at, until in history] == [
        ("1900-01-01T00:00", None),
        ("2026-11-23T14:10", "2026-11-23T14:10"),
        ("2026-11-23T14:20", None),
    ]
    assert held["regimes"] is None
    with psycopg.connect(superuser) as connection:
        forced = "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND NOT relforcerowsecurity"
        names = [
            "habilitation",
            "camera",
            "convention",
            "authorisation",
            "authorisation_line",
            "journal",
            "fact_version",
        ]
        assert connection.execute(forced, (names,)).fetchall() == []
