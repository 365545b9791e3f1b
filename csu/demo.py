"""The demonstration: a whole centre on simulated cameras, with nothing to configure.

Its settings, keys, databases and recordings stay in the data directory, so that a second start finds them again.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csu import centre, engines
from csu.settings import Database, Paths, Settings, Valkey, load
from csu.supervisor import Service, SupervisorError
from csu.territory.command import import_document
from csu.territory.document import Document, read

_ROOT = Path(__file__).resolve().parent.parent
TERRITORY = _ROOT / "config" / "demo.toml"


@dataclass(frozen=True, slots=True)
class Demo:
    """What was asked for: how many of the twelve cameras, and the first of three neighbouring ports."""

    paths: Paths
    cameras: int
    port: int

    @property
    def config(self) -> Path:
        return self.paths.data / "csu.toml"

    @property
    def simulator_port(self) -> int:
        return self.port + 2


@contextlib.contextmanager
def databases(paths: Paths) -> Iterator[None]:
    """PostgreSQL and Valkey from their wheels for the time of the block."""
    engines.end_leftovers(paths)
    with contextlib.ExitStack() as stack:
        stack.callback(engines.start_postgres(paths).stop)
        stack.callback(engines.start_valkey(paths).stop)
        yield


def write_settings(demo: Demo) -> Settings:
    """The settings file that every service of the demo reads; of mode 0600, because it holds passwords."""
    database, valkey = engines.postgres_urls(demo.paths), engines.valkey_url(demo.paths)
    text = _SETTINGS.format(
        data=json.dumps(str(demo.paths.data)),
        console=demo.port,
        gateway=demo.port + 1,
        **_plain(database),
        valkey=_plain(valkey)["url"],
    )
    partial = demo.config.with_suffix(".new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    partial.rename(demo.config)
    return load(demo.config)


def territory(demo: Demo) -> Document:
    """The fictitious centre of config/demo.toml, cut to the cameras asked for."""
    whole = read(TERRITORY, {"port": str(demo.simulator_port)})
    if not 1 <= demo.cameras <= len(whole.camera):
        raise SupervisorError(f"expected 1 to {len(whole.camera)} cameras")
    cameras = whole.camera[: demo.cameras]
    kept = {camera.number for camera in cameras}
    lines = [
        line.model_copy(
            update={
                "cameras": [number for number in line.cameras if number in kept],
                "details": [one for one in line.details if one.camera in kept],
            }
        )
        for line in whole.authorisation
    ]
    return whole.model_copy(update={"camera": cameras, "authorisation": [line for line in lines if line.cameras]})


def import_territory(demo: Demo, settings: Settings) -> None:
    content = extended(territory(demo), _authorised(settings))
    import_document(settings, settings.database, content, _passwords_file(demo))


def extended(content: Document, authorised: dict[str, set[str]]) -> Document:
    """The document for a demo that has run before with fewer cameras: an arrêté takes no camera more, so that each of
    those that are new gets one. `authorised`: numbers of cameras by arrêté, as they were imported."""
    items = []
    for item in content.authorisation:
        known = authorised.get(item.reference, set(item.cameras))
        there = [number for number in item.cameras if number in known]
        details = {detail.camera: detail for detail in item.details}
        new = [(f"{item.reference}-{number}", [number]) for number in item.cameras if number not in known]
        for reference, numbers in [(item.reference, there), *new]:
            kept = [details[number] for number in numbers if number in details]
            changes = {"reference": reference, "cameras": numbers, "details": kept}
            items += [item.model_copy(update=changes)] if numbers else []
    return content.model_copy(update={"authorisation": items})


def _authorised(settings: Settings) -> dict[str, set[str]]:
    import psycopg

    numbers: dict[str, set[str]] = {}
    with psycopg.connect(_guard_address(settings)) as connection:
        rows = connection.execute(
            "SELECT authorisation.reference, camera.number FROM authorisation_line"
            " JOIN authorisation ON authorisation.id = authorisation_line.authorisation"
            " JOIN camera ON camera.id = authorisation_line.camera WHERE authorisation.reference IS NOT NULL"
        )
        for reference, number in rows:
            numbers.setdefault(reference, set()).add(number)
    return numbers


def simulator(demo: Demo) -> Service:
    arguments = ("simulate", "--cameras", str(demo.cameras), "--port", str(demo.simulator_port))
    return Service("simulator", arguments, lambda: centre.listens("127.0.0.1", demo.simulator_port))


def accounts(demo: Demo) -> list[dict[str, str]]:
    """Of each account its login, password and role."""
    passwords: dict[str, str] = json.loads(_passwords_file(demo).read_text(encoding="utf-8"))
    return [
        {"login": account.login, "password": passwords[account.login], "role": account.role.value}
        for account in territory(demo).account
    ]


def cameras(demo: Demo, settings: Settings) -> list[dict[str, Any]]:
    """Identifier, number, name and commune of each camera, as imported."""
    import psycopg

    names = {commune.insee: commune.name for commune in territory(demo).commune}
    with psycopg.connect(_guard_address(settings)) as connection:
        rows = connection.execute("SELECT id::text, number, name, commune FROM camera ORDER BY number").fetchall()
    return [{"id": row[0], "number": row[1], "name": row[2], "commune": names[row[3]]} for row in rows]


def _guard_address(settings: Settings) -> str:
    return settings.database.guard_url.get_secret_value().replace("postgresql+psycopg", "postgresql")


def _passwords_file(demo: Demo) -> Path:
    return demo.paths.keys / "demo-accounts.json"


def _plain(table: Database | Valkey) -> dict[str, str]:
    return {name: getattr(table, name).get_secret_value() for name in type(table).model_fields}


_SETTINGS = """\
# Written by `csu demo`; the fictitious centre's settings.
name = "CSU de démonstration"
data = {data}
embedded = true

[console]
port = {console}
origin = "http://localhost:{console}"

[gateway]
port = {gateway}
origin = "http://localhost:{gateway}"
webrtc_addresses = ["127.0.0.1"]

[database]
url = "{url}"
guard_url = "{guard_url}"
owner_url = "{owner_url}"

[valkey]
url = "{valkey}"
"""
