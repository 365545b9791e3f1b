"""Starts the processes of a centre on one machine, keeps them alive, and ends them in reverse order.

A child gets a signal when its supervisor dies (PR_SET_PDEATHSIG); one that outlived a killed supervisor all the
same is found by its pid file at the next start and ended. One supervisor per data directory (flock).
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from csu.engines import with_death_signal
from csu.settings import Paths
from streams.awake import timeout

_LOG = logging.getLogger(__name__)
READY_S = 60.0
STOP_S = 20.0
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 15.0
_HEALTHY_S = 30.0


class SupervisorError(Exception):
    """The centre can't start; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Service:
    """One child: `arguments` of the `csu` command, and a check that is true once it serves."""

    name: str
    arguments: tuple[str, ...]
    is_ready: Callable[[], bool]


class Child:
    """Keeps one service running: `run` restarts it with a growing wait, `stop` ends it within 20 s."""

    def __init__(self, service: Service, paths: Paths) -> None:
        self._service = service
        self._pid_file = paths.run / f"{service.name}.pid"
        self._log = paths.log / f"{service.name}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start and wait until it is ready. Raises SupervisorError with the end of its log when it isn't."""
        await self._spawn()
        deadline = time.monotonic() + READY_S
        while not await asyncio.to_thread(self._service.is_ready):
            assert self._process is not None
            if self._process.returncode is not None or time.monotonic() > deadline:
                raise SupervisorError(f"{self._service.name} did not start:\n{_tail(self._log)}\n(see {self._log})")
            await asyncio.sleep(0.05)

    async def run(self) -> None:
        """Restart the service each time that it ends, until cancelled. A machine that can't (a full disk, no process
        more) is no reason to end the others: it is tried again."""
        wait_s = _FIRST_WAIT_S
        while True:
            assert self._process is not None
            began_s = time.monotonic()
            status = await self._process.wait()
            if time.monotonic() - began_s > _HEALTHY_S:
                wait_s = _FIRST_WAIT_S
            _LOG.error("%s ended with status %s; restarted in %.1f s", self._service.name, status, wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
            try:
                await self._spawn()
            except OSError as error:
                _LOG.error("%s can't be started: %s", self._service.name, error.strerror)

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after 20 s."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
            try:
                async with timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                _LOG.error("%s did not stop within %.0f s: killed", self._service.name, STOP_S)
                process.kill()
                await process.wait()
        self._pid_file.unlink(missing_ok=True)

    async def _spawn(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        command = with_death_signal([sys.executable, "-m", "csu.cli", *self._service.arguments])
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops its children in order
            )
        new = self._pid_file.with_suffix(".new")
        new.write_text(str(self._process.pid))
        new.replace(self._pid_file)  # whoever reads it, also after a kill, finds the one or the other


@contextlib.contextmanager
def sole_supervisor(paths: Paths) -> Iterator[None]:
    """Hold the data directory: a second supervisor is refused, leftovers of a killed one are ended."""
    paths.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(paths.run / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SupervisorError(f"a centre already runs on {paths.data}; stop it first, or set CSU_DATA") from error
        for file in sorted(paths.run.glob("*.pid")):
            _end_leftover(file)
        yield
    finally:
        os.close(descriptor)


def answers(url: str) -> bool:
    """Whether a GET of this local address answers 200 within 2 s."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310  the address is ours, http on loopback
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


async def wait_stopped(seconds: float | None) -> None:
    """Return at SIGINT or SIGTERM, or after this many seconds."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()


def _end_leftover(pid_file: Path) -> None:
    try:
        pid = int(pid_file.read_text())
        ours = b"csu.cli" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        ours = False
    if ours:
        _LOG.warning("%s of an earlier run (pid %d) is ended", pid_file.stem, pid)
        _end(pid)
    pid_file.unlink(missing_ok=True)


def _end(pid: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + STOP_S
        while time.monotonic() < deadline:
            if not Path(f"/proc/{pid}").exists():
                return
            time.sleep(0.05)


def _tail(file: Path, lines: int = 15) -> str:
    try:
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
