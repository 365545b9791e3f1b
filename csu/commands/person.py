"""`csu person`: was a person habilité for a camera at a date? A signed answer, and its verification."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csu.commands import failing, signed

if TYPE_CHECKING:
    from datetime import datetime

    from csu.settings import Database, Settings

HELP = "say, signed, whether a person was habilité for a camera at a date, or verify such an answer"


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    ask = actions.add_parser("habilitation", help="answer, sign and journal; status 1 when the person was not")
    ask.add_argument("--login", required=True)
    ask.add_argument("--camera", required=True, metavar="N", help="the camera's number, or its UUID")
    ask.add_argument("--at", required=True, metavar="T", help="date and time with its offset or Z")
    ask.add_argument("--output", type=Path, metavar="FILE", help="where to put the signed answer")
    verify = actions.add_parser("verify", help="check the signature of answers")
    signed.add_arguments(verify)
    for action in (ask, verify):
        action.add_argument("--config", type=Path, metavar="FILE", help="settings; the demo's by default")
        action.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    return _verify(args) if args.action == "verify" else _ask(args)


def _ask(args: argparse.Namespace) -> int:
    import asyncio

    from csu import engines, settings
    from csu.commands import dates

    with failing.told(ValueError, OSError):
        at = dates.instant("--at", args.at)
        if at.year < 2000:
            raise ValueError("--at: expected a date since 2000")
        loaded = settings.resolve(args.config)
        with engines.database(loaded) as database:
            file = asyncio.run(_answer(loaded, database, args.login, args.camera, at))
        if args.output is not None:
            args.output.write_text(json.dumps(file, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(file, ensure_ascii=False) if args.json else _text(file["answer"]))
    return 0 if file["answer"]["habilite"] else 1


async def _answer(
    settings: "Settings", database: "Database", login: str, camera: str, at: "datetime"
) -> dict[str, Any]:
    """The signed file, journalled. Raises ValueError for a login or a camera that isn't known, or a date to come."""
    from sqlalchemy import select

    from csu import keys
    from csu import signed as documents
    from csu.audit import entries
    from csu.audit.entries import Entry
    from csu.clock import utc_now
    from csu.persons import answers
    from csu.store import facts, tables
    from csu.store.store import Store
    from legal.acts import Act

    now = utc_now()
    if at > now:
        raise ValueError("--at is a date to come")
    kid, key = keys.load_private(settings.paths.keys, "statements")
    store = Store(database, pool_size=1)
    try:
        async with store.facts() as connection:
            account = await connection.scalar(select(tables.account.c.id).where(tables.account.c.login == login))
            known = (await facts.cameras(connection)).values()
            found = next((one for one in known if camera in (one.number, one.id)), None)
            if account is None or found is None:
                raise ValueError(f"unknown {'login ' + login if account is None else 'camera ' + camera}")
            document = await answers.answer(connection, answers.Question(str(account), login, found, at), now)
        detail = answers.entry_detail(document, answers.digest(document))
        entry = Entry(
            Act.HABILITATION_PROVE,
            now,
            entries.LOCAL,
            authority=found.commune.authority,
            commune=found.insee,
            camera=found.id,
            camera_name=f"{found.number} {found.name}",
            recipients=(entries.LOCAL.name,),
            detail=detail,
        )
        async with store.transaction(None) as connection:
            await entries.append(connection, [entry])
    finally:
        await store.close()
    return documents.to_file(answers.NAME, document, kid, documents.sign(document, key))


def _text(answer: dict[str, Any]) -> str:
    """The reason of a refusal as it was told to the person, in French."""
    camera, said = answer["camera"], "was" if answer["habilite"] else "was not"
    lines = [
        f"{answer['login']} {said} habilité for camera {camera['number']} {camera['name']} on {_local(answer['at'])}"
    ]
    for act in answer.get("acts", ()):  # answers of before name them among their facts only
        signed = f"signed by {act['signed_by'] or 'an unknown hand'} on {act['signed_on'] or 'an unknown day'}"
        lines.append(f"  act: {act['reference']}, {signed}{_span(act)}")
    lines += [f"  déport: arrêté {deport['reference']}{_span(deport)}" for deport in answer.get("deports", ())]
    for name, right in answer["rights"].items():
        lines.append(f"  {name}: yes" if right["allowed"] else f"  {name}: no, {right['code']} ({right['reason']})")
    return "\n".join(lines)


def _local(at: str, before: int = 0) -> str:
    """An instant, or the one so many microseconds before, in the centre's civil time."""
    from datetime import datetime, timedelta

    from legal.retention import PARIS

    return (datetime.fromisoformat(at) - timedelta(microseconds=before)).astimezone(PARIS).isoformat()


def _span(act: dict[str, Any]) -> str:
    """From the first day to the last, as an act says it; nothing for an answer of before."""
    if not act.get("from_at"):
        return ""
    first = _local(act["from_at"])[:10]
    return f", from {first} to {_local(act['to_at'], 1)[:10]} included" if act.get("to_at") else f", from {first} on"


def _verify(args: argparse.Namespace) -> int:
    from csu import keys, settings
    from csu.persons.answers import FORMAT, NAME, WHAT
    from csu.signed import SignedFault, read_file

    try:
        contents, public = signed.read(args)
    except (settings.SettingsError, keys.KeyFileError, OSError) as error:
        print(f"csu person: {error}", file=sys.stderr)
        return 2
    faults = []
    for file, content in contents.items():
        try:
            print(_text(read_file(content, NAME, FORMAT, WHAT, public)[NAME]))
        except SignedFault as fault:
            print(f"{file}: {fault.code}: {fault.reason}")
            faults.append({"file": str(file), "code": fault.code, "reason": fault.reason})
    if args.json:
        print(json.dumps({"files": len(contents), "faults": faults, "ok": not faults}))
    return 1 if faults else 0
