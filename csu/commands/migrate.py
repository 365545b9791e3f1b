"""`csu migrate`: the database's tables."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from csu.commands import failing

if TYPE_CHECKING:
    from csu.settings import Database

HELP = "bring the database to this version's tables"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings; the demo's by default")


def run(args: argparse.Namespace) -> int:
    import asyncio

    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # tells of each at its import

    from csu import engines, settings
    from csu.store.migrate import migrate

    with failing.told():
        loaded = settings.resolve(args.config)
        with engines.database(loaded) as database:
            changed = migrate(database.owner_url.get_secret_value())
            if changed is not None:
                asyncio.run(_journal(database, *changed))
    return 0


async def _journal(database: "Database", before: str | None, after: str | None) -> None:
    """Tell that the tables were changed, as the application: the journal is nobody else's to write."""
    from csu.audit import entries
    from csu.audit.entries import Entry
    from csu.clock import utc_now
    from csu.store.store import Store

    store = Store(database, pool_size=1)
    try:
        async with store.transaction(None) as connection:
            detail = {"from": before, "to": after}
            await entries.append(connection, [Entry("store:migrate", utc_now(), entries.LOCAL, detail=detail)])
    finally:
        await store.close()
