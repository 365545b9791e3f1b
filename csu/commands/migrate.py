"""`csu migrate`: the database's tables."""

import argparse
import sys
from pathlib import Path

HELP = "bring the database to this version's tables"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings; the demo's by default")


def run(args: argparse.Namespace) -> int:
    from sqlalchemy.exc import DBAPIError

    from csu import engines, settings
    from csu.store.migrate import migrate

    try:
        loaded = settings.resolve(args.config)
        with engines.database(loaded) as database:
            migrate(database.owner_url.get_secret_value())
    except settings.SettingsError as error:
        print(f"csu migrate: {error}", file=sys.stderr)
        return 2
    except (DBAPIError, engines.EngineError) as error:
        print(f"csu migrate: {getattr(error, 'orig', error)}", file=sys.stderr)
        return 1
    return 0
