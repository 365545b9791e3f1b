"""Every command of `csu` has its reviewed row (`rights/commands.csv`), and one that acts leaves the entry named."""

import argparse
import ast
import asyncio
import csv
import importlib
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from centre_support import START, ManualClock, Running, settings_file
from statements_support import signer

from csu import engines, keys
from csu.audit import ops
from csu.audit.entries import SYSTEM, Entry, append
from csu.audit.heads import HeadSigner
from csu.cli import COMMANDS, main
from csu.settings import Database, Paths
from recorder.orders import Orders, sign

TABLE = Path(__file__).with_name("rights") / "commands.csv"
HEAD = ["commande", "qui, par quelle preuve", "ce qu'elle fait", "acte au journal", "pourquoi rien"]
# Services, whose entries come from what happens while they run: the tests that see them come.
SERVICES = {
    "gateway": "test_commune_story.py",
    "index rebuild": "test_links_recorder.py",
    "recorder": "test_links_recorder.py",
    "serve": "test_links_orders.py",
}
OLD = datetime.now(UTC) - timedelta(days=3 * 366 + 10)


def read_table() -> dict[str, dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file, delimiter=";"))
    assert head == HEAD
    return {row[0]: dict(zip(HEAD, row, strict=True)) for row in rows}


def tree() -> Iterator[str]:
    """Every command as it is given, from the parsers themselves."""
    for name, path in COMMANDS.items():
        parser = argparse.ArgumentParser()
        importlib.import_module(path).configure(parser)
        places = [action for action in parser._actions if not action.option_strings and action.choices is not None]
        words = [word for action in places for word in action.choices or ()]
        yield from [f"{name} {word}" for word in words] or [name]


def test_every_command_has_its_row_and_every_row_its_command() -> None:
    assert list(read_table()) == sorted(tree())


# The law's own words, which have no other; a name that is data; an article is cited as it is.
LEGAL = {
    "habilité",
    "arrêté",
    "préfet",
    "récépissé",
    "réquisition",
    "préfecture",
    "agrément",
    "délégué",
    "délégation",
    "déport",
}
FRENCH = {"le", "la", "les", "des", "du", "une", "un", "pour", "avec", "oui", "est", "sont", "aucun", "conforme", "et"}
DATA = {"Administrateur du centre"}


def said(source: Path) -> Iterator[str]:
    """What a module can print: its texts, without its docstrings."""
    parsed = ast.parse(source.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {id(node.body[0].value) for node in ast.walk(parsed) if isinstance(node, documented) and _begins(node)}
    for node in ast.walk(parsed):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def _begins(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return bool(node.body) and isinstance(node.body[0], ast.Expr)


def test_the_command_line_speaks_english() -> None:
    """Its own texts, and those of the documents that it verifies; the law's words stay French."""
    root = Path(__file__).resolve().parents[2] / "csu"
    sources = [*sorted((root / "commands").glob("*.py")), root / "cli.py", root / "signed.py"]
    sources += [
        root / "simulator" / "encoding.py",
        root / "audit" / "documents.py",
        root / "statements" / "document.py",
    ]
    french = {
        (source.name, text)
        for source in sources
        for text in said(source)
        for word in re.findall(r"[^\W\d_]+", text)
        if text not in DATA and ((not word.isascii() and word.lower() not in LEGAL) or word.lower() in FRENCH)
    }
    assert french == set()


def test_every_row_names_an_act_of_the_journal_or_says_why_there_is_none() -> None:
    acting = {}
    for name, row in read_table().items():
        op, why = row["acte au journal"], row["pourquoi rien"]
        assert bool(op) != bool(why), name
        assert row["qui, par quelle preuve"], name
        if op:
            assert op in ops.LABELS, name
            acting[name] = op
    assert set(acting) == {*SERVICES, *GIVEN, "migrate"}
    for name, file in SERVICES.items():
        assert f'"{acting[name]}' in Path(__file__).with_name(file).read_text(encoding="utf-8"), name


async def _entry_of_four_years_ago(centre: Running, folder: Path) -> None:
    signing = keys.load_private(centre.centre.settings.paths.keys, "heads")
    async with centre.centre.store.transaction(None) as connection:
        await append(connection, [Entry("test", OLD, SYSTEM)])
    await HeadSigner(centre.centre.store, *signing, ManualClock(OLD)).close()


async def _document(centre: Running, folder: Path) -> None:
    account = 'login = "un"\nname = "Personne un"\nrole = "auditor"\ncategory = "SANS_IMAGES"\n'
    (folder / "document.toml").write_text(f"[[account]]\n{account}")


async def _statement(centre: Running, folder: Path) -> None:
    signing = signer(centre)
    await signing.run_once()
    centre.clock.advance(hours=23)
    await signing.run_once()


async def _nothing(centre: Running, folder: Path) -> None:
    """All is there."""


async def _orders_of_the_recorder(centre: Running, folder: Path) -> None:
    """Newer than those of the centre, as where a backup of its database was restored."""
    signing = keys.load_private(folder / "keys", "orders")[1]
    (folder / "recorder").mkdir(exist_ok=True)
    (folder / "recorder" / "orders.json").write_text(json.dumps(sign(Orders(9, START, []), signing)))


# What must be there before a command, and its words; `{folder}` is the test's.
GIVEN: dict[str, tuple[Callable[[Running, Path], Awaitable[None]], str]] = {
    "admin create": (_nothing, "--login premier"),
    "import": (_document, "{folder}/document.toml"),
    "journal prune": (_entry_of_four_years_ago, ""),
    "key rotate": (_nothing, "heads"),
    "orders supersede": (_orders_of_the_recorder, ""),
    "person habilitation": (_nothing, "--login vernon --camera 02 --at 2026-11-23T15:00:00Z"),
    "statement show": (_statement, "--commune 27229 --day 2026-11-23"),
}


@pytest.mark.parametrize("name", GIVEN)
async def test_what_a_command_does_is_in_the_journal(
    centre: Running, database: Database, tmp_path: Path, name: str
) -> None:
    before, words = GIVEN[name]
    await before(centre, tmp_path)
    config = str(settings_file(tmp_path, tmp_path, database, centre.centre.settings.valkey))
    known = {entry["leaf"] for entry in await centre.journal()}
    command = [*name.split(), *words.format(folder=tmp_path).split(), "--config", config]
    assert await asyncio.to_thread(main, command) == 0
    op = read_table()[name]["acte au journal"]
    (told,) = [entry for entry in await centre.journal() if entry["leaf"] not in known and entry["op"] == op]
    system, by_hand = ("Système", None), ("Administration locale", "poste du serveur")
    assert (told["author"], told["workstation"]) == (system if name == "journal prune" else by_hand)


def test_a_migration_is_in_the_journal_once(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    engine = engines.start_postgres(paths)
    try:
        config = str(settings_file(tmp_path, tmp_path, engines.postgres_urls(paths), engines.valkey_url(paths)))
        for _ in range(2):
            assert main(["migrate", "--config", config]) == 0
        with psycopg.connect(engines.superuser_url(paths).replace("+psycopg", "")) as connection:
            entries = connection.execute("SELECT op, author_name, detail FROM journal").fetchall()
            version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    finally:
        engine.stop()
    assert version is not None
    ((op, author, detail),) = entries
    assert (op, author) == ("store:migrate", "Administration locale")
    assert json.loads(detail) == {"from": None, "to": version[0]}
