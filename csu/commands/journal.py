"""`csu journal verify`: whether the journal is whole."""

import argparse
import sys
from pathlib import Path

HELP = "recompute the journal and check its signed heads"


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    verify = actions.add_parser("verify", help=HELP)
    verify.add_argument("--config", type=Path, metavar="FILE", help="settings; the demo's by default")
    verify.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    import asyncio
    import json

    from sqlalchemy.exc import DBAPIError

    from csu import engines, keys, settings
    from csu.audit.verify import Verdict, verify
    from csu.settings import Database
    from csu.store.store import Store

    async def check(database: Database, public: Path) -> Verdict:
        store = Store(database, pool_size=1)
        try:
            return await verify(store, keys.load_public(public, "heads"))
        finally:
            await store.close()

    try:
        loaded = settings.resolve(args.config)
        with engines.database(loaded) as database:
            verdict = asyncio.run(check(database, loaded.paths.keys))
    except (settings.SettingsError, keys.KeyFileError) as error:
        print(f"csu journal: {error}", file=sys.stderr)
        return 2
    except (DBAPIError, engines.EngineError) as error:
        print(f"csu journal: {getattr(error, 'orig', error)}", file=sys.stderr)
        return 1
    found = verdict.as_json()
    if args.json:
        print(json.dumps(found))
    else:
        state = "whole" if verdict.ok else f"NOT whole: leaf {verdict.first_bad} is the first that can't be vouched for"
        print(f"{found['entries']} entries, {found['pending']} waiting for a number; the journal is {state}")
        print(f"last signed head: {found['checkpoint'] or 'none'}")
    return 0 if verdict.ok else 1
