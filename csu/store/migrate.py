"""Bring the database to this version's tables, as their owner."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text

_MIGRATIONS = Path(__file__).with_name("migrations")
# Any fixed number: two migrations at once would trip over each other.
_LOCK = 0x435355


def migrate(owner_url: str) -> tuple[str | None, str | None] | None:
    """Run what is missing; the versions of before and after, None when the tables were of this version.

    Raises sqlalchemy.exc.DBAPIError."""
    engine = create_engine(owner_url, connect_args={"connect_timeout": 10})
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            config.attributes["connection"] = connection
            context = MigrationContext.configure(connection)
            before = context.get_current_revision()
            command.upgrade(config, "head")
            after = context.get_current_revision()
            connection.commit()
    finally:
        engine.dispose()
    return None if before == after else (before, after)
