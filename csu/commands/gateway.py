"""`csu gateway`: serve live pictures, replays and WebRTC from this machine's recorder."""

import argparse
import asyncio
import sys
from pathlib import Path

HELP = "serve pictures to browsers, against tickets of the control plane"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file (by default the demo's)")


def run(args: argparse.Namespace) -> int:
    import gc

    import uvloop

    from csu.gateway.errors import SpoolError
    from csu.gateway.main import GatewayConfig
    from csu.gateway.main import run as serve
    from csu.keys import KeyFileError
    from csu.settings import SettingsError, resolve

    try:
        settings = resolve(args.config)
    except SettingsError as error:
        print(f"csu gateway: {error}", file=sys.stderr)
        return 2
    paths = settings.paths
    config = GatewayConfig(
        bind=settings.gateway.bind,
        port=settings.gateway.port,
        console_origin=settings.console.origin,
        keys=paths.keys,
        spool=paths.gateway,
        recordings=settings.recordings,
        packets_socket=paths.packets_socket,
        control_socket=paths.gateway_socket,
        webrtc_addresses=tuple(str(address) for address in settings.gateway.webrtc_addresses),
    )
    status = 0
    gc.freeze()  # what was imported lives for ever: no collection in the midst of a replay's tables need look at it
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(config))
    except* (SpoolError, KeyFileError, OSError) as group:
        for cause in group.exceptions:
            print(f"csu gateway: {cause}", file=sys.stderr)
        status = 1
    return status
