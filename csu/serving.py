"""The control plane's process: HTTP service and background tasks under one roof, and an orderly end."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator

import uvicorn

from csu import keys
from csu.app import build_centre, close_centre, create_app
from csu.audit import security
from csu.audit.heads import HeadSigner
from csu.centre_state import Centre
from csu.links import background
from csu.settings import Settings
from csu.store.store import UNAVAILABLE
from operators_ui import dist_path

_LOG = logging.getLogger(__name__)
_LAST_HEAD_S = 10.0


class _Server(uvicorn.Server):
    """A server whose signals are ours: uvicorn's own way raises them again before the journal is signed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises csu.keys.KeyFileError, OSError when the port is taken."""
    keys.ensure_keys(settings.paths.keys)
    centre = build_centre(settings)
    heads = HeadSigner(centre.store, *keys.load_private(settings.paths.keys, "heads"), centre.now)
    server = _Server(_config(centre))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in background.tasks(centre, heads)]
            try:
                await server.serve()
            finally:
                for task in tasks:
                    task.cancel()
    finally:
        await _close(centre, heads)


def _config(centre: Centre) -> uvicorn.Config:
    console = dist_path()
    return uvicorn.Config(
        create_app(centre, console if (console / "index.html").exists() else None),
        host=centre.settings.console.bind,
        port=centre.settings.console.port,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )


async def _close(centre: Centre, heads: HeadSigner) -> None:
    """Requests and tasks have ended: number and sign what they left, then let go of the database."""
    try:
        async with asyncio.timeout(_LAST_HEAD_S):
            await security.write(centre.store, centre.security)
            await heads.close()
    except (*UNAVAILABLE, TimeoutError) as error:
        _LOG.warning("the journal's last head is not signed (%s); the next start signs it", type(error).__name__)
    await close_centre(centre)
