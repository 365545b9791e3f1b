"""`csu admin create`: the first administrator."""

import argparse
from pathlib import Path

from csu.commands import failing

HELP = "create the first administrator and print a one-time secret"


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help=HELP)
    create.add_argument("--config", type=Path, metavar="FILE", help="settings; the demo's by default")
    create.add_argument("--login", default="administrateur")
    create.add_argument("--name", default="Administrateur du centre")


def run(args: argparse.Namespace) -> int:
    from pydantic import ValidationError

    from csu import engines, settings
    from csu.territory.command import create_administrator
    from csu.territory.document import DocumentError

    with failing.told(DocumentError):
        loaded = settings.resolve(args.config)
        with engines.database(loaded) as database:
            try:
                password = create_administrator(loaded, database, args.login, args.name)
            except ValidationError as error:
                raise failing.Failed(2, f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}") from error
    print(f"{args.login}\t{password}")
    return 0
