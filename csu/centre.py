"""The centre on one machine: which services run, and how each shows that it is ready."""

import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from csu.settings import Settings
from csu.supervisor import Child, Service, SupervisorError, answers

_LOG = logging.getLogger(__name__)


def services(settings: Settings, config: Path) -> list[Service]:
    """They need each other in no order: each waits for the others, and says so in the alarms meanwhile."""
    paths = settings.paths
    gateway = f"http://{settings.gateway.bind}:{settings.gateway.port}/health"
    console = f"http://{settings.console.bind}:{settings.console.port}/api/health"
    storage = [word for directory in settings.recordings for word in ("--storage", str(directory))]
    return [
        Service("recorder", ("recorder", "--data", str(paths.data), *storage), paths.recorder_socket.exists),
        Service("gateway", ("gateway", "--config", str(config)), lambda: answers(gateway)),
        Service("serve", ("serve", "--config", str(config)), lambda: answers(console)),
    ]


def check_ports_free(settings: Settings) -> None:
    """Raise SupervisorError when another program listens where the console or the gateway should."""
    for name, bind, port in (
        ("console", settings.console.bind, settings.console.port),
        ("gateway", settings.gateway.bind, settings.gateway.port),
    ):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((bind, port))
            except OSError as error:
                raise SupervisorError(f"port {port} of {bind}, for the {name}: {error.strerror}") from error


def listens(address: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


def run_command(*arguments: str) -> None:
    """Run one `csu` command to its end. Raises SupervisorError with what it said when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "csu.cli", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise SupervisorError(f"csu {' '.join(arguments)} failed:\n{done.stderr[-3000:]}")


async def prune_daily(config: Path) -> None:
    """Have the journal's entries removed that are over three years old, now and each day, until cancelled."""
    while True:
        try:
            await asyncio.to_thread(run_command, "journal", "prune", "--config", str(config))
        except (SupervisorError, OSError) as error:
            _LOG.error("%s", error)
        await asyncio.sleep(86_400)


@contextlib.asynccontextmanager
async def running(settings: Settings, wanted: list[Service], config: Path) -> AsyncIterator[None]:
    """Start the services and keep them alive for the time of the block; stop them in reverse order."""
    children: list[Child] = []
    try:
        children += [Child(service, settings.paths) for service in wanted]
        await asyncio.gather(*(child.start() for child in children))
        async with asyncio.TaskGroup() as group:
            keepers = [group.create_task(child.run()) for child in children]
            keepers.append(group.create_task(prune_daily(config)))
            try:
                yield
            finally:
                for keeper in keepers:
                    keeper.cancel()
    finally:
        for child in reversed(children):
            await child.stop()
