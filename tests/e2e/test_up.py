"""`csu up`: the centre of a settings file, as on real cameras; it starts, serves and ends cleanly."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from centre_process import wait_for

from csu import engines
from csu.settings import SAMPLE_PASSWORD, Paths
from csu.supervisor import answers
from tests.ports import free_ports

SAMPLE = Path(__file__).parents[2] / "config" / "csu.toml"


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """The sample, with addresses of this machine in it."""
    servers = Paths(tmp_path / "servers")
    running = [engines.start_postgres(servers), engines.start_valkey(servers)]
    port = free_ports(2)
    text = SAMPLE.read_text(encoding="utf-8")
    database = engines.postgres_urls(servers)
    changes = {
        "/var/lib/csu": str(tmp_path / "data"),
        "https://csu.example.fr": f"http://localhost:{port}",
        "https://images.csu.example.fr": f"http://localhost:{port + 1}",
        "port = 8080": f"port = {port}",
        "port = 8081": f"port = {port + 1}",
        "redis://localhost:6379/0": engines.valkey_url(servers).url.get_secret_value(),
    }
    for role, url in (("app", database.url), ("guard", database.guard_url), ("owner", database.owner_url)):
        changes[f"postgresql+psycopg://csu_{role}:{SAMPLE_PASSWORD}@localhost/csu"] = url.get_secret_value()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "csu.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    yield file
    for engine in running:
        engine.stop()


def test_the_centre_of_a_settings_file_starts_serves_and_ends(config: Path) -> None:
    command = [sys.executable, "-m", "csu.cli"]
    log = config.with_name("up.log")
    with log.open("w") as output:
        centre = subprocess.Popen([*command, "up", "--config", str(config)], stdout=output, stderr=output)
    try:
        url = next(line for line in config.read_text().splitlines() if "origin" in line).split('"')[1]
        wait_for(lambda: answers(f"{url}/api/health") or centre.poll() is not None, "the centre", 150)
        assert centre.poll() is None, log.read_text()
        made = subprocess.run([*command, "admin", "create", "--config", str(config)], capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        login, password = made.stdout.strip().split("\t")
        body = {"login": login, "password": password}
        answer = httpx.post(f"{url}/api/session", json=body, headers={"Origin": url}, timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.json()["account"]["role"] == "administrator"
    finally:
        centre.send_signal(signal.SIGINT)
        status = centre.wait(120)
    assert status == 0
