"""What `csu import` and `csu admin create` do, apart from their command lines."""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from csu import keys
from csu.audit.sequencer import sequence
from csu.cameras.secrets import SecretBox
from csu.clock import utc_now
from csu.settings import Database, Settings
from csu.store.store import Store
from csu.territory.document import Account, Document, DocumentError
from csu.territory.importing import Importer, Keep
from legal.facts import Category, Role


@dataclass(frozen=True, slots=True)
class Report:
    """How many rows changed, and the passwords that have to be shown because no file took them."""

    changes: int
    printed: dict[str, str] = field(repr=False)


def import_document(settings: Settings, database: Database, content: Document, passwords: Path | None) -> Report:
    """Import a document. Raises DocumentError, KeyFileError, sqlalchemy.exc.DBAPIError."""
    if passwords is None:
        return _run(settings, database, content, {})
    given = _read_passwords(passwords)

    def keep(made: Mapping[str, str]) -> None:
        if made:
            _write_passwords(passwords, {**given, **made})

    return Report(_run(settings, database, content, given, keep).changes, {})


def create_administrator(settings: Settings, database: Database, login: str, name: str) -> str:
    """Create an administrator's account and return its password. Raises DocumentError when the login exists; that
    account stays as it is."""
    account = Account(login=login, name=name, role=Role.ADMINISTRATOR, category=Category.SANS_IMAGES)

    def keep(made: Mapping[str, str]) -> None:
        if login not in made:
            raise DocumentError(f"the account {login} exists already")

    return _run(settings, database, Document(account=[account]), {}, keep).printed[login]


def _run(
    settings: Settings, database: Database, content: Document, given: Mapping[str, str], keep: Keep | None = None
) -> Report:
    keys.ensure_keys(settings.paths.keys)
    return asyncio.run(_import(settings, database, content, given, keep))


async def _import(
    settings: Settings, database: Database, content: Document, given: Mapping[str, str], keep: Keep | None
) -> Report:
    store = Store(database, pool_size=2)
    try:
        box = SecretBox(settings.paths.keys)
        importer = Importer(store, box, settings.paths.data, given, utc_now(), keep=keep)
        changes = await importer.run(content)
        await sequence(store)
        return Report(changes, importer.made)
    finally:
        await store.close()


def _read_passwords(file: Path) -> dict[str, str]:
    try:
        if file.stat().st_mode & 0o077:
            raise DocumentError(f"{file}: others can read it; expected mode 0600")
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DocumentError(f"{file}: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise DocumentError(f"{file}: expected one JSON object, login to password")
    return content


def _write_passwords(file: Path, passwords: Mapping[str, str]) -> None:
    partial = file.with_name(f".{file.name}.new")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as output:
            json.dump(dict(passwords), output, indent=1)
            output.flush()
            os.fsync(output.fileno())
        partial.rename(file)
    except OSError as error:
        raise DocumentError(f"{file}: {error.strerror}") from error
