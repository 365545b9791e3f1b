"""`csu admin create`: the first administrator."""

import argparse
import sys
from pathlib import Path

HELP = "create the first administrator and print a one-time secret"


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help=HELP)
    create.add_argument("--config", type=Path, metavar="FILE", help="settings; the demo's by default")
    create.add_argument("--login", default="administrateur")
    create.add_argument("--name", default="Administrateur du centre")


def run(args: argparse.Namespace) -> int:
    from pydantic import ValidationError
    from sqlalchemy.exc import DBAPIError

    from csu import engines, settings
    from csu.keys import KeyFileError
    from csu.territory.command import create_administrator
    from csu.territory.document import DocumentError

    try:
        loaded = settings.resolve(args.config)
        with engines.database(loaded) as database:
            password = create_administrator(loaded, database, args.login, args.name)
    except ValidationError as error:
        print(f"csu admin: {error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}", file=sys.stderr)
        return 2
    except (settings.SettingsError, DocumentError, KeyFileError) as error:
        print(f"csu admin: {error}", file=sys.stderr)
        return 2
    except (DBAPIError, engines.EngineError) as error:
        print(f"csu admin: {getattr(error, 'orig', error)}", file=sys.stderr)
        return 1
    print(f"{args.login}\t{password}")
    return 0
