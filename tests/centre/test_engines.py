"""The engines from their wheels: real ones, started, found, stopped, and never outliving whoever started them."""

import os
import pwd
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

from csu import engines
from csu.settings import Paths


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url.replace("postgresql+psycopg", "postgresql"))


def test_postgres_keeps_what_was_written_and_its_roles_are_unprivileged(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "var")
    first = engines.start_postgres(paths)
    urls = engines.postgres_urls(paths)
    try:
        assert not engines.start_postgres(paths).owned
        with connect(urls.owner_url.get_secret_value()) as owner:
            owner.execute("CREATE TABLE kept (word text)")
            owner.execute("INSERT INTO kept VALUES ('here')")
        with connect(urls.url.get_secret_value()) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("SELECT * FROM kept")
    finally:
        first.stop()
    second = engines.start_postgres(paths)
    try:
        with connect(urls.owner_url.get_secret_value()) as owner:
            assert owner.execute("SELECT word FROM kept").fetchone() == ("here",)
    finally:
        second.stop()


def test_a_wrong_password_is_refused(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "var")
    engine = engines.start_postgres(paths)
    try:
        url = engines.postgres_urls(paths).url.get_secret_value()
        password = url.split(":")[2].split("@")[0]
        with pytest.raises(psycopg.OperationalError, match="password"):
            connect(url.replace(password, "guess"))
    finally:
        engine.stop()


def test_valkey_answers_and_no_mode_above_the_data_directory_changes(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    paths = Paths(tmp_path / ("a-very-long-folder-name-" * 5) / "var")  # longer than a Unix socket's path may be
    engine = engines.start_valkey(paths)
    try:
        with redis.Redis.from_url(engines.valkey_url(paths).url.get_secret_value()) as client:
            assert client.ping()
        assert tmp_path.stat().st_mode & 0o777 == 0o700
    finally:
        engine.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the engines under an account of their own")
def test_as_root_the_engines_run_under_their_own_account(tmp_path: Path) -> None:
    engine = engines.start_valkey(Paths(tmp_path / "var"))
    try:
        assert engine.process is not None
        owner = Path(f"/proc/{engine.process.pid}").stat().st_uid
        assert pwd.getpwuid(owner).pw_name == engines.ACCOUNT
    finally:
        engine.stop()


def test_postgres_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import sys, os, signal; from pathlib import Path; from csu import engines; from csu.settings import Paths\n"
        "print(engines.start_postgres(Paths(Path(sys.argv[1]))).process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    starter = subprocess.run([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    pid = int(starter.stdout)
    deadline = time.monotonic() + 60

    def lives() -> bool:
        try:
            return "Z (" not in Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return False

    while lives():
        assert time.monotonic() < deadline, "PostgreSQL outlived its starter"
        time.sleep(0.05)
