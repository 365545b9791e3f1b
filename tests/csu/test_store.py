"""Tables, roles and row-level security, with raw SQL under the application's roles."""

from uuid import uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from csu.settings import Database
from csu.store.migrate import migrate
from csu.store.store import Store
from csu.store.tables import METADATA

COMMUNES = (("27229", "Évreux"), ("27681", "Vernon"))


@pytest.fixture
def two_communes(database: Database, superuser: str) -> Database:
    with psycopg.connect(superuser) as connection:
        for insee, name in COMMUNES:
            connection.execute("INSERT INTO commune VALUES (%s, %s, '27', 'Maire')", (insee, name))
            connection.execute("INSERT INTO site VALUES (%s, '')", (insee,))
            connection.execute(
                "INSERT INTO camera VALUES (gen_random_uuid(), %s, %s, %s, '', 'VOIE_PUBLIQUE', 'native', 0, 'rtsp://c')",
                (insee, insee, name),
            )
            connection.execute(
                "INSERT INTO journal (id, at, op, result, author_name, quality, commune, recipients, detail, salt)"
                " VALUES (gen_random_uuid(), now(), 'test', 'done', 'x', 'x', %s, '{}', '{}', %s)",
                (insee, b"s" * 16),
            )
    return database


def test_the_tables_in_python_are_those_of_the_migrations(migrated: Database) -> None:
    engine = create_engine(migrated.owner_url.get_secret_value())
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()
    assert [d for d in differences if d[0] not in ("remove_table", "add_index", "remove_index")] == []


def test_migrating_again_changes_nothing(migrated: Database) -> None:
    migrate(migrated.owner_url.get_secret_value())


@pytest.mark.parametrize("role", ["url", "guard_url"])
def test_the_application_is_neither_owner_nor_superuser(migrated: Database, role: str) -> None:
    with psycopg.connect(plain(migrated, role)) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (False, False, False)
        owned = connection.execute("SELECT count(*) FROM pg_tables WHERE tableowner = current_user").fetchone()
        assert owned == (0,)


@pytest.mark.parametrize("table", ["camera", "journal"])
def test_a_commune_sees_its_rows_only(two_communes: Database, table: str) -> None:
    with psycopg.connect(plain(two_communes, "url")) as connection:
        assert communes_in(connection, table) == set()
        connection.execute("SET LOCAL csu.communes = '27229'")
        assert communes_in(connection, table) == {"27229"}
        connection.execute("SET LOCAL csu.communes = '*'")
        assert communes_in(connection, table) == {"27229", "27681"}
        connection.rollback()
        assert communes_in(connection, table) == set()


def test_a_commune_writes_its_rows_only(two_communes: Database) -> None:
    with psycopg.connect(plain(two_communes, "url")) as connection:
        connection.execute("SET LOCAL csu.communes = '27229'")
        changed = connection.execute("UPDATE camera SET name = 'x' WHERE commune = '27681'")
        assert changed.rowcount == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE camera SET commune = '27681'")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET op = 'x'",
        "DELETE FROM journal",
        "TRUNCATE journal",
        "UPDATE journal_leaf SET leaf = 0",
        "DELETE FROM journal_leaf",
        "UPDATE tree_head SET root = root",
        "DELETE FROM tree_head",
        "ALTER TABLE journal DISABLE ROW LEVEL SECURITY",
        "DROP TRIGGER journal_wait ON journal",
        "DELETE FROM account",
        "SET ROLE csu_owner",
    ],
)
def test_the_application_cannot_undo_what_proves(two_communes: Database, statement: str) -> None:
    with psycopg.connect(plain(two_communes, "url")) as connection:
        connection.execute("SET LOCAL csu.communes = '*'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT secret FROM camera",
        "SELECT main_url FROM camera",
        "SELECT password_hash FROM account",
        "SELECT * FROM journal",
        "UPDATE habilitation SET to_at = NULL",
        "INSERT INTO journal_pending VALUES (gen_random_uuid())",
    ],
)
def test_the_guard_reads_legal_facts_only(two_communes: Database, statement: str) -> None:
    with psycopg.connect(plain(two_communes, "guard_url")) as connection:
        assert communes_in(connection, "camera") == {"27229", "27681"}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


async def test_a_transaction_is_bound_to_its_communes(store: Store, two_communes: Database) -> None:
    for communes, expected in ((["27229"], 1), ([], 0), (None, 2)):
        async with store.transaction(communes) as connection:
            assert await connection.scalar(text("SELECT count(*) FROM camera")) == expected
    async with store.facts() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM camera")) == 2


async def test_a_failed_transaction_leaves_nothing(store: Store, database: Database) -> None:
    insert = text("INSERT INTO feed_cursor VALUES ('facts', :source, 1)")

    async def fail() -> None:
        async with store.transaction(None) as connection:
            await connection.execute(insert, {"source": uuid4()})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with store.transaction(None) as connection:
        assert await connection.scalar(text("SELECT count(*) FROM feed_cursor")) == 0


def communes_in(connection: psycopg.Connection[tuple[str]], table: str) -> set[str]:
    return {row[0] for row in connection.execute(f"SELECT commune FROM {table}".encode())}


def plain(database: Database, role: str) -> str:
    url: str = getattr(database, role).get_secret_value()
    return url.replace("+psycopg", "")
