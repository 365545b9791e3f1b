"""No password, token, ticket or key of a running centre is in its logs, nor in its database in the clear."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from centre_process import Centre, wait_for

from csu import engines
from csu.settings import Paths

pytestmark = pytest.mark.timeout(600)
ROLES = ("operator", "supervisor", "delegate", "auditor", "administrator")


def test_no_secret_is_in_a_log_or_in_the_clear_in_the_database(centre: Centre) -> None:
    secrets = {account["password"] for account in centre.told["accounts"]} | of_files(centre.data)
    with centre.client("operator", shift_motif="SECURITE") as operator, centre.client("administrator") as administrator:
        camera = next(camera for camera in centre.told["cameras"] if camera["commune"] == "Évreux")["id"]
        secrets |= looked(operator, camera)
        account = {"login": "temporaire", "name": "Agent Temporaire", "role": "operator", "category": "PM"}
        secrets.add(administrator.post("/api/accounts", json=account).json()["password"])
        for client in (operator, administrator):
            secrets |= {cookie.value or "" for cookie in client.cookies.jar} | {client.headers["X-CSRF-Token"]}
        secrets |= mistaken(operator)
    for role in ROLES:
        with centre.client(role) as person:
            secrets |= {cookie.value or "" for cookie in person.cookies.jar}
            # Wrong in every way, on every path: what is refused is told in logs and journal, not what was sent.
            for path, methods in person.get("/api/openapi.json").json()["paths"].items():
                for method in methods.keys() - {"get", "delete"}:
                    sent = f"sent-{role}-{len(secrets)}-secret"
                    secrets.add(sent)
                    answer = person.request(method, path.replace("{", "").replace("}", ""), json={"password": sent})
                    assert answer.status_code < 500, (path, answer.text)
    assert all(len(secret) >= 8 for secret in secrets)
    logs = "\n".join(file.read_text(errors="replace") for file in [*(centre.data / "log").iterdir(), centre.log])
    assert "INFO" in logs
    assert [secret[:4] for secret in secrets if secret in logs] == []
    stored = rows(centre)
    assert "temporaire" in stored
    assert [secret[:4] for secret in secrets if secret in stored] == []


def of_files(data: Path) -> set[str]:
    """Cameras' passwords, and private keys' lines."""
    lines = [line for file in (data / "simulator").glob("credentials*") for line in file.read_text().split()]
    keys = [line for file in (data / "keys").glob("*.pem") for line in file.read_text().splitlines()]
    found = {line.partition(":")[2] for line in lines} | {line for line in keys if "KEY" not in line}
    assert found
    return {secret for secret in found if len(secret) >= 8}


def looked(operator: httpx.Client, camera: str) -> set[str]:
    """Tickets of live pictures and of a replay, the replay's cookie and address, one ticket altered."""
    now = datetime.now(UTC)
    replay = {
        "camera": camera,
        "act": "replay",
        "from": (now - timedelta(minutes=1)).isoformat(),
        "to": now.isoformat(),
        "motif": {"code": "INTERVENTION", "reference": "2026-0117"},
    }
    asked = {"requests": [{"camera": camera, "act": "live", "stream": "sub"}, replay]}

    def granted() -> list[str] | None:
        results = operator.post("/api/tickets", json=asked).json()["results"]
        return [one["ticket"] for one in results] if all("ticket" in one for one in results) else None

    tickets = wait_for(granted, "tickets")
    gateway = operator.get("/api/session").json()["gateway_origin"]
    origin = {"Origin": operator.headers["Origin"]}
    with httpx.Client(base_url=gateway, headers=origin, timeout=60) as door:
        altered = tickets[1][:-4] + "AAAA"
        assert door.post("/playback", json={"ticket": altered}).status_code == 403
        opened = door.post("/playback", json={"ticket": tickets[1]})
        assert opened.status_code == 201, opened.text
        cookie = opened.cookies["csu_replay"]
        door.get(opened.json()["url"], headers={"Cookie": f"csu_replay={cookie}", "Range": "bytes=0-99"})
        assert door.get(opened.json()["url"], headers={"Cookie": "csu_replay=another"}).status_code == 404
    return {*tickets, altered, cookie, opened.json()["lease"]}


def mistaken(operator: httpx.Client) -> set[str]:
    """A password typed as a login, and a wrong one."""
    typed = {"login": "typed-as-login-7341", "password": "typed-as-password-7341", "shift_motif": None}
    assert operator.post("/api/session", json=typed).status_code in (401, 429)
    assert operator.post("/api/session/unlock", json={"password": "typed-to-unlock-7341"}).status_code in (401, 429)
    return {typed["login"] or "", typed["password"] or "", "typed-to-unlock-7341"}


def rows(centre: Centre) -> str:
    """Every table as text."""
    address = engines.superuser_url(Paths(centre.data)).replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        found = [connection.execute(f'SELECT * FROM "{name}"'.encode()).fetchall() for (name,) in names]
    return json.dumps(found, default=str, ensure_ascii=False)
