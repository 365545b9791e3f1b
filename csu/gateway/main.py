"""The gateway's process: its parts put together, started and ended in order."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from csu.gateway.app import create_app
from csu.gateway.control import Control
from csu.gateway.desk import Clock, Desk, SystemClock
from csu.gateway.hub import Hub
from csu.gateway.live import Live
from csu.gateway.playback import Playback
from csu.gateway.spool import Spool
from csu.gateway.whep import Whep
from csu.keys import load_public
from recorder.channel import ChannelServer

log = logging.getLogger(__name__)

SHUTDOWN_S = 5.0


class _OneLine(logging.Filter):
    """For aiohttp's own log: an unreadable request is worth a line, without a stack and without its bytes, which may
    hold a cookie. Errors of our handlers are logged in `app.py`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = record.exc_text = None
        return True


_http_log = logging.getLogger("csu.gateway.http")
_http_log.addFilter(_OneLine())


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """What a gateway is told. `port` 0 takes a free one."""

    bind: str
    port: int
    console_origin: str
    keys: Path
    spool: Path
    recordings: tuple[Path, ...]
    packets_socket: Path
    control_socket: Path
    webrtc_addresses: tuple[str, ...] = ()


@asynccontextmanager
async def gateway(config: GatewayConfig, clock: Clock) -> AsyncIterator[int]:
    """A running gateway; gives its port. Raises SpoolError, KeyFileError, OSError when it can't start.

    It ends in the reverse order of its start: no new viewer, goodbye to those who look, their ends written.
    """
    keys = load_public(config.keys, "ticket")
    spool = Spool(config.spool)
    spool.open(clock.now())
    try:
        desk = Desk(spool, keys, clock)
        hub = Hub(config.packets_socket)
        live = Live(desk, hub, config.console_origin)
        playback = Playback(desk, config.recordings, secure_cookies=config.console_origin.startswith("https:"))
        whep = Whep(desk, hub, config.webrtc_addresses)

        async def health(request: web.Request) -> web.Response:
            return web.json_response({"ok": hub.connected, "feed": hub.connected})

        app = create_app(config.console_origin, live, playback, whep, health, desk.refused)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(part.run()) for part in (desk, hub, live, whep)]
            # Sockets are ended by `live.close`; the runner waits only for what is left.
            runner = web.AppRunner(
                app, access_log=None, logger=_http_log, handle_signals=False, shutdown_timeout=SHUTDOWN_S
            )
            await runner.setup()
            try:
                site = web.TCPSite(runner, config.bind, config.port)
                await site.start()
                # Last, for whoever waits for it: the gateway that answers here also takes viewers.
                async with ChannelServer(
                    config.control_socket, Control(desk, spool).handle, refused=lambda: desk.refused("PEER_REFUSED")
                ):
                    yield runner.addresses[0][1]
                await site.stop()
            finally:
                desk.shut()
                await live.close()
                await runner.cleanup()
                for task in running:
                    task.cancel()
                await whep.close()
                playback.close()
                await desk.write_pending()
    finally:
        spool.close()


async def run(config: GatewayConfig) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with gateway(config, SystemClock()) as port:
        log.info("gateway listens on %s port %d", config.bind, port)
        await stop.wait()
        log.info("gateway stops")
