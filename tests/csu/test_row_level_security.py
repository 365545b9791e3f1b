"""The commune is enforced a second time: raw SQL as the application's role, on every table that has one.

The tables are read from the database: a new one with a commune and without a policy fails here.
"""

import contextlib
from collections.abc import AsyncIterator

import psycopg
import pytest
from centre_support import Running
from rights import FOREIGN, OWN, prepare
from test_proposals import address

from csu.settings import Database

Connection = psycopg.Connection[tuple[object, ...]]
# Tables with a commune whose every row the application may see, each with its reason.
OPEN = {
    "statement_due": "which days wait for a statement: no person, no picture, no camera",
}
DENIED = psycopg.errors.InsufficientPrivilege


@pytest.fixture
async def application(centre: Running, database: Database, superuser: str) -> AsyncIterator[Connection]:
    """The application's role, in a database with rows of two communes in every kind."""
    await prepare(centre, superuser)
    with psycopg.connect(address(database)) as connection:
        yield connection


def bind(connection: Connection, communes: str) -> None:
    connection.rollback()
    connection.execute("SELECT set_config('csu.communes', %s, true)", (communes,))


def tables_with_commune(superuser: str) -> list[str]:
    with psycopg.connect(superuser) as connection:
        rows = connection.execute(
            "SELECT table_name FROM information_schema.columns JOIN pg_class ON relname = table_name"
            " WHERE table_schema = 'public' AND column_name = 'commune' AND relkind = 'r' ORDER BY 1"
        ).fetchall()
    return [str(name) for (name,) in rows]


def test_every_table_with_a_commune_has_its_policy_forced(database: Database, superuser: str) -> None:
    with psycopg.connect(superuser) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relkind = 'r'"
        ).fetchall()
        roles = connection.execute(
            "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname LIKE 'csu\\_%'"
        ).fetchall()
        owned = connection.execute("SELECT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert {name for (name,) in rows} >= set(tables_with_commune(superuser)) - OPEN.keys()
    assert {name for name, *powers in roles if any(powers)} == set()
    assert {owner for (owner,) in owned} == {"csu_owner"}


async def test_a_transaction_sees_the_rows_of_its_communes_only(application: Connection, superuser: str) -> None:
    filled = []
    for table in tables_with_commune(superuser):
        bind(application, "*")
        every = {commune for (commune,) in application.execute(f"SELECT DISTINCT commune FROM {table}".encode())}
        if table in OPEN:
            continue
        bind(application, OWN)
        own = {commune for (commune,) in application.execute(f"SELECT DISTINCT commune FROM {table}".encode())}
        assert own <= {OWN, None} if table == "alarm" else own <= {OWN}, table
        assert (OWN in own) == (OWN in every), table
        bind(application, "")
        unbound = {commune for (commune,) in application.execute(f"SELECT DISTINCT commune FROM {table}".encode())}
        assert unbound <= ({None} if table == "alarm" else set()), table
        if {OWN, FOREIGN} <= every:
            filled.append(table)
    assert {"camera", "convention", "authorisation", "habilitation", "hold", "interruption", "proposal", "journal",
            "alarm", "statement", "legal_basis", "deport"} <= set(filled)  # fmt: skip


async def test_foreign_rows_are_neither_altered_nor_added_nor_removed(application: Connection, superuser: str) -> None:
    for table in set(tables_with_commune(superuser)) - OPEN.keys():
        with psycopg.connect(superuser) as connection:
            before = connection.execute(f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} t".encode())
            fingerprint = before.fetchone()
            columns = connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
                " AND has_column_privilege('csu_app', attrelid, attnum, 'UPDATE')",
                (table,),
            ).fetchall()
        for (column,) in columns:
            bind(application, OWN)
            change = f"UPDATE {table} SET {column} = {column} WHERE commune = '{FOREIGN}'"
            assert application.execute(change.encode()).rowcount == 0, change
            if column == "commune":  # nor does a row go over to another commune
                bind(application, OWN)
                moved = 0
                with contextlib.suppress(DENIED, psycopg.errors.IntegrityError):
                    moved = application.execute(f"UPDATE {table} SET commune = '{FOREIGN}'".encode()).rowcount
                assert moved == 0, table
        bind(application, OWN)
        with contextlib.suppress(DENIED):
            assert application.execute(f"DELETE FROM {table} WHERE commune = '{FOREIGN}'".encode()).rowcount == 0
        bind(application, OWN)
        if table != "journal":  # an entry speaks of the commune that was asked for, be it foreign to the person
            with pytest.raises((DENIED, psycopg.errors.IntegrityError)):
                application.execute(
                    f"INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table},"
                    f" jsonb_build_object('commune', '{FOREIGN}'))).*".encode()
                )
        application.rollback()
        with psycopg.connect(superuser) as connection:
            after = connection.execute(f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} t".encode())
            assert after.fetchone() == fingerprint, table


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE csu_owner",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION csu_owner",
        "SET LOCAL row_security = off; SELECT * FROM camera",
        "ALTER POLICY by_commune ON camera USING (true)",
        "DROP POLICY by_commune ON camera",
        "CREATE POLICY mine ON camera USING (true)",
        "ALTER TABLE camera DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE camera NO FORCE ROW LEVEL SECURITY",
        "CREATE OR REPLACE FUNCTION in_scope(commune text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        "DROP FUNCTION in_scope CASCADE",
        "TRUNCATE camera CASCADE",
        "TRUNCATE journal",
        "DELETE FROM journal",
        "UPDATE journal SET author_name = 'x'",
        "DROP TABLE journal",
        "ALTER TABLE hold DISABLE TRIGGER two_persons",
        "COPY journal FROM PROGRAM 'true'",
        "COPY camera TO '/cameras'",
        "SELECT pg_read_file('/etc/passwd')",
        "CREATE TABLE public.mine (x int)",
        "GRANT csu_owner TO csu_app",
        "ALTER ROLE csu_app BYPASSRLS",
    ],
)
def test_the_application_can_lift_nothing(database: Database, statement: str) -> None:
    with psycopg.connect(address(database)) as connection:
        with pytest.raises((DENIED, psycopg.errors.InvalidParameterValue, psycopg.errors.UndefinedObject)):
            connection.execute(statement.encode())
        connection.rollback()


async def test_copy_takes_its_own_rows_only(application: Connection) -> None:
    bind(application, OWN)
    with application.cursor().copy("COPY (SELECT commune FROM camera) TO STDOUT") as copy:
        assert {row[0] for row in copy.rows()} == {OWN}


def test_the_guard_reads_facts_and_no_secret(database: Database) -> None:
    url = database.guard_url.get_secret_value().replace("+psycopg", "")
    for statement in (
        "SELECT secret FROM camera",
        "SELECT main_url FROM camera",
        "SELECT password_hash FROM account",
        "SELECT * FROM journal",
        "SELECT * FROM hold",
        "SELECT * FROM proposal",
        "UPDATE camera SET name = 'x'",
        "DELETE FROM habilitation",
        "SET ROLE csu_app",
    ):
        with psycopg.connect(url) as connection:
            with pytest.raises(DENIED):
                connection.execute(statement.encode())
            connection.rollback()
