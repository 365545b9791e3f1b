"""`csu key rotate`: a new signing key for one use.

The JSON object: `use`, `old` and `new` (ids). What the old key signed stays verifiable; tickets alone are not: they
live ten seconds. The centre signs with the new key once it is started again.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from csu.commands import failing
from csu.keys import USES

if TYPE_CHECKING:
    from csu.settings import Database

HELP = "make a new signing key; the centre uses it once it is started again"


def configure(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True)
    rotate = acts.add_parser("rotate", help="replace the key of one use; what the old one signed stays verifiable")
    rotate.add_argument("use", choices=USES)
    rotate.add_argument("--config", type=Path, metavar="FILE", help="settings; the demo's by default")
    rotate.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    import asyncio

    from csu import engines, settings

    with failing.told(OSError):
        loaded = settings.resolve(args.config)
        with engines.database(loaded) as database:
            told = asyncio.run(_rotate(database, loaded.paths.keys, args.use))
    print(json.dumps(told) if args.json else f"{args.use}: {told['old']} -> {told['new']}; start the centre again")
    return 0


async def _rotate(database: "Database", directory: Path, use: str) -> dict[str, str]:
    """In the entry's own transaction: where the journal takes none, the key stays."""
    from csu import keys
    from csu.audit import entries
    from csu.audit.entries import Entry
    from csu.clock import utc_now
    from csu.store.store import Store

    fresh = keys.generate()
    told = {"use": use, "old": keys.load_private(directory, use)[0], "new": keys.key_id(fresh.public_key())}
    store = Store(database, pool_size=1)
    try:
        async with store.transaction(None) as connection:
            detail = {"about": use, "old": told["old"], "new": told["new"]}
            await entries.append(connection, [Entry("key:rotate", utc_now(), entries.LOCAL, detail=detail)])
            keys.replace(directory, use, fresh)
    finally:
        await store.close()
    return told
