"""`csu import`: communes, conventions, cameras, authorisations, accounts and habilitations from a TOML document."""

import argparse
import sys
from pathlib import Path

from csu.commands import failing

HELP = "bring the territory, the persons and their rights to what a document says"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="the document, see config/demo.toml")
    parser.add_argument("--config", type=Path, metavar="SETTINGS", help="settings; the demo's by default")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="value of ${NAME} in it")
    parser.add_argument(
        "--passwords",
        type=Path,
        metavar="FILE",
        help="JSON of mode 0600, login to password: read for new accounts, and completed with those generated;"
        " without it generated passwords are printed once",
    )


def run(args: argparse.Namespace) -> int:
    from csu import engines, settings
    from csu.territory.command import import_document
    from csu.territory.document import DocumentError, read

    pairs = [word.partition("=") for word in args.set]
    if any(not separator for _, separator, _ in pairs):
        print("csu import: --set takes NAME=VALUE", file=sys.stderr)
        return 2
    with failing.told(DocumentError):
        loaded = settings.resolve(args.config)
        content = read(args.file, {name: value for name, _, value in pairs})
        with engines.database(loaded) as database:
            report = import_document(loaded, database, content, args.passwords)
    print(f"{report.changes} changes")
    for login, password in report.printed.items():
        print(f"{login}\t{password}")
    return 0
