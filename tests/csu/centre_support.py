"""A small territory and a client that speaks to the real application, for the control plane's tests."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher

from csu import keys
from csu.accounts.passwords import Passwords
from csu.app import build_centre, close_centre, create_app
from csu.audit.sequencer import sequence
from csu.cameras.secrets import SecretBox
from csu.centre_state import Centre
from csu.settings import Database, Settings, Valkey
from csu.store.store import Store
from csu.territory.document import Document
from csu.territory.importing import Importer

ORIGIN = "http://localhost:8080"
PASSWORD = "correct-horse-battery"
START = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
# The real algorithm at its cheapest: hundreds of logins in these tests.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
QUICK = Passwords(CHEAP)
ROLES = ("operateur", "superviseur", "delegue", "auditeur", "administrateur")


GRANT: dict[str, Any] = {
    "commune": "27229",
    "rights": ["live"],
    "reference": "ARR-2026-14",
    "signed_by": "Maire d'Évreux",
    "signed_on": "2026-11-20",
    "from": "2026-11-23",
    "to": "2027-11-23",
}
"""A habilitation as a form sends it, but for whose it is."""
ANSWERS_FOR: dict[str, Any] = {
    "authority": "Maire de Bernay",
    "controller": "Commune de Bernay",
    "dpo": "Délégué à la protection des données, dpo@example.invalid",
    "deliberation": "DEL-2026-17",
    "deliberation_on": "2026-02-01",
    "cnil_sent_on": "2026-03-01",
    "cnil_receipt": "CNIL-1",
}
"""What a commune has to show before it joins."""


class ManualClock:
    """Tells the time that it is given."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **by: float) -> None:
        self.at += timedelta(**by)


def territory() -> dict[str, Any]:
    """Two communes with one camera each, and a third whose camera is authorised but which has no convention."""
    communes = (("27229", "Évreux"), ("27681", "Vernon"), ("27016", "Les Andelys"))
    dates = {"from": "2026-01-01", "to": "2031-01-01"}
    agrement = {"reference": "AGR-1", "departements": ["27"], **dates}
    signed = {"signed_by": "Maire", "signed_on": "2025-12-15"}
    return {
        "commune": [{"insee": i, "name": n, "departement": "27", "authority": f"Maire {n}"} for i, n in communes],
        "convention": [
            {"commune": insee, "kind": "IV", "reference": f"C-{insee}", "partner": "Syndicat", **dates}
            for insee, _ in communes[:2]
        ],
        "camera": [
            {
                "number": f"{number:02d}",
                "commune": insee,
                "name": "Place",
                "site": "Voie publique",
                "main": f"rtsp://127.0.0.1:1/cam/{number:02d}/main",
                "sub": f"rtsp://127.0.0.1:1/cam/{number:02d}/sub",
                "credentials_file": "credentials",
            }
            for number, (insee, _) in enumerate(communes, 1)
        ],
        "authorisation": [
            {
                "commune": insee,
                "reference": f"A-{insee}",
                "cameras": [f"{number:02d}"],
                "finalites": ["5"],
                "retention_days": 15,
                **dates,
            }
            for number, (insee, _) in enumerate(communes, 1)
        ],
        "account": [
            {
                "login": "operateur",
                "name": "Opérateur",
                "role": "operator",
                "category": "CIVIL_AGREE",
                "agrement": agrement,
            },
            {"login": "superviseur", "name": "Superviseur", "role": "supervisor", "category": "PM"},
            {"login": "delegue", "name": "Délégué", "role": "delegate", "category": "ELU", "employer": "27229"},
            {"login": "auditeur", "name": "Auditeur", "role": "auditor", "category": "SANS_IMAGES"},
            {"login": "administrateur", "name": "Admin", "role": "administrator", "category": "SANS_IMAGES"},
            {
                "login": "vernon",
                "name": "Police de Vernon",
                "role": "operator",
                "category": "PM",
                "employer": "27681",
            },
        ],
        "habilitation": [
            *(
                {
                    "account": "operateur",
                    "commune": i,
                    "rights": ["live", "replay"],
                    "reference": f"H-{i}",
                    **signed,
                    **dates,
                }
                for i, _ in communes
            ),
            {"account": "vernon", "commune": "27681", "rights": ["live"], "reference": "H-V", **signed, **dates},
            {
                "account": "delegue",
                "commune": "27229",
                "basis": "delegation",
                "rights": ["live", "replay"],
                "reference": "D-1",
                **signed,
                **dates,
            },
        ],
    }


def with_forces() -> dict[str, Any]:
    """The same, with a gendarme and a firefighter, both habilitated for Évreux by their chiefs."""
    content = territory()
    for login, category in (("gendarme", "GN"), ("pompier", "SDIS")):
        account = {"login": login, "name": login.capitalize(), "role": "operator", "category": category}
        content["account"].append(account)
        held = {**content["habilitation"][0], "account": login, "commune": "27229", "reference": f"HAB {login}"}
        content["habilitation"].append(held | {"signed_by": "Chef de service", "signed_on": "2025-12-20"})
    return content


async def load_territory(store: Store, data: Path, content: dict[str, Any] | None = None) -> None:
    credentials = data / "credentials"
    credentials.touch(mode=0o600)
    credentials.write_text("viewer:camera-secret\n")
    document = Document.model_validate(content or territory(), strict=False)
    logins = {account.login: PASSWORD for account in document.account}
    await Importer(store, SecretBox(data / "keys"), data, logins, START, QUICK).run(document)


@dataclass(slots=True)
class Browser:
    """A person's browser: its cookies, and the headers that the console sends."""

    http: httpx.AsyncClient
    csrf: str = ""
    account: dict[str, Any] = field(default_factory=dict)

    async def log_in(
        self, login: str, shift_motif: str | None = "SECURITE", password: str = PASSWORD
    ) -> httpx.Response:
        body = {"login": login, "password": password, "shift_motif": shift_motif}
        answer = await self.http.post("/api/session", json=body, headers={"Origin": ORIGIN})
        if answer.status_code == 200:
            self.csrf = answer.json()["csrf"]
            self.account = answer.json()["account"]
        return answer

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.http.get(path, params=params)

    async def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Origin": ORIGIN, "X-CSRF-Token": self.csrf}
        return await self.http.request(method, path, json=body, headers=headers)

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self.send("POST", path, body)

    async def tickets(self, *requests: dict[str, Any]) -> list[dict[str, Any]]:
        answer = await self.post("/api/tickets", {"requests": list(requests)})
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.json()["results"]
        return results


@dataclass(slots=True)
class Running:
    """The application over a real database, and its clock."""

    centre: Centre
    clock: ManualClock
    transport: httpx.ASGITransport

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        async with httpx.AsyncClient(transport=self.transport, base_url=ORIGIN) as http:
            yield Browser(http)

    @asynccontextmanager
    async def person(self, login: str, shift_motif: str | None = "SECURITE") -> AsyncIterator[Browser]:
        async with self.browser() as browser:
            answer = await browser.log_in(login, shift_motif)
            assert answer.status_code == 200, answer.text
            yield browser

    async def journal(self) -> list[dict[str, Any]]:
        """The journal as the auditor reads it, newest first."""
        await sequence(self.centre.store)
        async with self.person("auditeur") as auditor:
            await sequence(self.centre.store)
            answer = await auditor.get("/api/journal", limit=200)
            assert answer.status_code == 200, answer.text
            entries: list[dict[str, Any]] = answer.json()["entries"]
            return entries


@asynccontextmanager
async def running(database: Database, valkey: Valkey, data: Path) -> AsyncIterator[Running]:
    settings = Settings(data=data, database=database, valkey=valkey)
    keys.ensure_keys(settings.paths.keys)
    clock = ManualClock()
    centre = replace(build_centre(settings, clock), passwords=Passwords(CHEAP))
    try:
        await load_territory(centre.store, data)
        yield Running(centre, clock, httpx.ASGITransport(create_app(centre, None), raise_app_exceptions=False))
    finally:
        await close_centre(centre)


def settings_file(folder: Path, data: Path, database: Database, valkey: Valkey, more: str = "") -> Path:
    """A `csu.toml` for commands, with what else it says before its tables."""
    urls = {name: getattr(database, name).get_secret_value() for name in ("url", "guard_url", "owner_url")}
    lines = [f"data = {json.dumps(str(data))}", more, "[database]"]
    lines += [f"{name} = {json.dumps(url)}" for name, url in urls.items()]
    lines += ["[valkey]", f"url = {json.dumps(valkey.url.get_secret_value())}", ""]
    file = folder / "csu.toml"
    file.touch(mode=0o600)
    file.write_text("\n".join(lines))
    return file
