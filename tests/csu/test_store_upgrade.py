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
        kept = [{name: row[name] for name in columns if name in row} for row in _rows(superuser, table)]
        assert sorted(map(str, kept)) == sorted(map(str, BEFORE["tables"][table])), table
    store = Store(database)
    heads = {kid: Ed25519PublicKey.from_public_bytes(bytes.fromhex(raw)) for kid, raw in BEFORE["heads"].items()}
    try:
        verdict = await verify(store, heads)
    finally:
        await store.close()
    assert (verdict.first_bad, verdict.entries) == (None, len(BEFORE["tables"]["journal_leaf"]))
    assert verdict.entries > 5
