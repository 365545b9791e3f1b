"""`csu statement`: verify signed daily statements, and show one."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csu.commands import failing, signed

if TYPE_CHECKING:
    from datetime import date

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from csu.settings import Database
    from csu.signed import SignedFault

HELP = "verify signed daily statements of communes, or show one"


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    verify = actions.add_parser(
        "verify", help="check signatures, and that statements given together follow one another"
    )
    signed.add_arguments(verify)
    show = actions.add_parser("show", help="print the last statement of a commune's day, in French")
    show.add_argument("--commune", required=True, metavar="INSEE")
    show.add_argument("--day", required=True, metavar="YYYY-MM-DD")
    for action in (verify, show):
        action.add_argument("--config", type=Path, metavar="FILE", help="settings; the demo's by default")
        action.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    return _verify(args) if args.action == "verify" else _show(args)


def _verify(args: argparse.Namespace) -> int:
    from csu import keys, settings

    try:
        contents, public = signed.read(args)
    except (settings.SettingsError, keys.KeyFileError, OSError) as error:
        print(f"csu statement: {error}", file=sys.stderr)
        return 2
    faults = _faults(contents, public)
    for file, fault in faults:
        print(f"{file}: {fault.code}: {fault.reason}")
    verdict = "holds" if not faults else "DOES NOT HOLD"
    print(f"{len(contents)} statement{'s' if len(contents) > 1 else ''}: {verdict}")
    if args.json:
        told = [{"file": str(file), "code": fault.code, "reason": fault.reason} for file, fault in faults]
        print(json.dumps({"files": len(contents), "faults": told, "ok": not faults}))
    return 1 if faults else 0


def _faults(
    contents: Mapping[Path, bytes], public: Mapping[str, "Ed25519PublicKey"]
) -> "list[tuple[Path, SignedFault]]":
    from csu.signed import SignedFault
    from csu.statements.document import chain_faults, read_file

    faults: list[tuple[Path, SignedFault]] = []
    read: dict[int, tuple[Path, dict[str, Any]]] = {}
    for file, content in contents.items():
        try:
            statement = read_file(content, public)
        except SignedFault as fault:
            faults.append((file, fault))
        else:
            read[id(statement)] = (file, statement)
    broken = chain_faults([statement for _, statement in read.values()])
    return faults + [(read[id(statement)][0], fault) for statement, fault in broken]


def _show(args: argparse.Namespace) -> int:
    import asyncio

    from csu import engines, settings
    from csu.commands import dates
    from csu.statements.words import text_of

    with failing.told(ValueError):
        day = dates.day("--day", args.day)
        loaded = settings.resolve(args.config)
        with engines.database(loaded) as database:
            file = asyncio.run(_read(database, args.commune, day))
    if file is None:
        print(f"csu statement: no statement of commune {args.commune} for {day}", file=sys.stderr)
        return 1
    print(json.dumps(file, ensure_ascii=False) if args.json else text_of(file))
    return 0


async def _read(database: "Database", commune: str, day: "date") -> dict[str, Any] | None:
    """The last file of a day, without what is withheld; its reading is journalled. None when there is none."""
    from csu.audit import entries
    from csu.audit.entries import Entry
    from csu.clock import utc_now
    from csu.statements.reading import file_of, last_statement
    from csu.store.store import Store
    from legal.acts import Act

    store = Store(database, pool_size=1)
    try:
        async with store.transaction(None) as connection:
            row = await last_statement(connection, commune, day)
            if row is not None:
                detail = {"number": row["number"]}
                read = Entry(Act.STATEMENT_READ, utc_now(), entries.LOCAL, commune=commune, detail=detail)
                await entries.append(connection, [read])
    finally:
        await store.close()
    return None if row is None else file_of(row, disclose=False)
