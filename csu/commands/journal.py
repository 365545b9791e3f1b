"""`csu journal`: whether the journal is whole, proofs from it, and what is over three years old."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from csu.commands import failing

if TYPE_CHECKING:
    from csu.settings import Settings

HELP = "recompute the journal, check a proof, remove entries over three years old"


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    verify = actions.add_parser("verify", help="recompute everything and check the signed heads")
    verify.add_argument(
        "--anchors", type=Path, metavar="FILE", help="lines that left the centre, to be held against the tree"
    )
    check = actions.add_parser("check", help="check a proof that the console gave, without the database")
    check.add_argument("file", type=Path, help="the document, JSON")
    check.add_argument("--key", type=Path, metavar="FILE", help="the centre's public key; by default this centre's")
    prune = actions.add_parser("prune", help="remove what may not be kept any longer (CSI R.253-5)")
    for action in (verify, check, prune):
        action.add_argument("--config", type=Path, metavar="FILE", help="settings; the demo's by default")
        action.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    from csu import settings
    from csu.audit.timestamps import TimestampError

    with failing.told(OSError, UnicodeDecodeError, TimestampError):
        if args.action == "check":
            return _check(args)
        loaded = settings.resolve(args.config)
        return _verify(args, loaded) if args.action == "verify" else _prune(args, loaded)


def _verify(args: argparse.Namespace, loaded: "Settings") -> int:
    import asyncio
    import json
    from dataclasses import replace

    from csu import engines, keys
    from csu.audit.anchors import read_anchors
    from csu.audit.timestamps import read_roots
    from csu.audit.verify import Verdict, verify
    from csu.settings import Database
    from csu.store.store import Store

    public = keys.load_public(loaded.paths.keys, "heads")
    lines, faults = ([], []) if args.anchors is None else read_anchors(args.anchors.read_text("utf-8"), public)
    roots = [] if loaded.journal.timestamp_ca is None else read_roots(loaded.journal.timestamp_ca)

    async def look(database: Database) -> Verdict:
        store = Store(database, pool_size=1)
        try:
            verdict = await verify(store, public, lines, roots)
            return replace(verdict, faults=(*faults, *verdict.faults))
        finally:
            await store.close()

    with engines.database(loaded) as database:
        verdict = asyncio.run(look(database))
    found = verdict.as_json()
    if args.json:
        print(json.dumps(found))
    else:
        bad = f"NOT whole: leaf {verdict.first_bad} is the first that can't be vouched for"
        state = "whole" if verdict.first_bad is None else bad
        print(
            f"{found['entries']} entries ({found['pruned']} of them pruned), {found['pending']} waiting for a number;"
            f" the journal is {state}"
        )
        head = found["checkpoint"]
        signed = head and f"{head['tree_size']} leaves, signed {head['signed_at']} by key {head['key']}"
        print(f"last signed head: {signed}, root {head['root']}" if signed else "last signed head: none")
        print(f"{found['anchors']} anchors and {found['timestamps']} timestamps hold")
        print(*verdict.faults, sep="\n", end="\n" if verdict.faults else "")
    return 0 if verdict.ok else 1


def _check(args: argparse.Namespace) -> int:
    import json

    from csu import keys, settings
    from csu.audit.documents import DocumentError, check

    public = (
        keys.read_public(args.key)
        if args.key is not None
        else keys.load_public(settings.resolve(args.config).paths.keys, "heads")
    )
    try:
        document = json.loads(args.file.read_bytes())
        faults = check(document, public)
    except (OSError, ValueError, DocumentError) as error:
        raise failing.Failed(2, f"check: {args.file}: {error}") from error
    if args.json:
        print(json.dumps({"kind": document["kind"], "head": document["head"], "faults": faults, "ok": not faults}))
    else:
        head = document["head"]
        print("\n".join(faults) or f"holds: {document['kind']} in the tree of {head['tree_size']} leaves,")
        print(f"signed {head['signed_at']} by key {head['key']}: compare it with a head that left the centre")
    return 1 if faults else 0


def _prune(args: argparse.Namespace, loaded: "Settings") -> int:
    import asyncio
    import json

    from sqlalchemy.ext.asyncio import create_async_engine

    from csu import engines
    from csu.audit.prune import prune, prune_security
    from csu.clock import utc_now

    async def remove(owner_url: str) -> tuple[int, int]:
        engine = create_async_engine(owner_url)
        try:
            return await prune(engine, utc_now()), await prune_security(engine, utc_now())
        finally:
            await engine.dispose()

    with engines.database(loaded) as database:
        removed, events = asyncio.run(remove(database.owner_url.get_secret_value()))
    if args.json:
        print(json.dumps({"removed": removed, "security_events": events, "ok": True}))
    else:
        print(f"{removed} entries and {events} security events removed")
    return 0
