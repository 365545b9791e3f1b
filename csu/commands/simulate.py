"""`csu simulate`: cameras to try the centre with."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from csu.settings import Paths
    from csu.simulator.running import Plan

HELP = "simulate cameras: RTSP, H.264 or H.265, locked to UTC, with faults on demand"


def configure(parser: argparse.ArgumentParser) -> None:
    from csu.simulator.cameras import QUALITIES
    from csu.simulator.faults import Fault

    parser.add_argument("--cameras", type=int, default=12, metavar="N", help="how many (default 12)")
    parser.add_argument(
        "--port", type=int, default=8554, help="RTSP port on 127.0.0.1, 0 for a free one (default 8554)"
    )
    parser.add_argument("--burst", action="store_true", help="one write a frame instead of eight, spread as a camera's")
    parser.add_argument("--codec", choices=("h264", "h265"), default="h264", help="of the pictures (default h264)")
    parser.add_argument("--b-frames", action="store_true", help="send pictures in another order than they are shown")
    parser.add_argument("--audio", action="store_true", help="offer a sound track")
    parser.add_argument("--tls", action="store_true", help="RTSP over TLS (rtsps), with a certificate of its own")
    parser.add_argument("--udp", action="store_true", help="RTP over UDP only: interleaved TCP is refused")
    parser.add_argument("--fault", choices=[f.value for f in Fault], help="camera 01 starts with this fault")
    parser.add_argument("--json", action="store_true", help="print the addresses as one JSON object once ready")
    parser.add_argument(
        "--quality",
        choices=list(QUALITIES),
        default="full",
        help="quick: small loops of 6 s, for tests; rich: 4 Mb/s, for benches (default full)",
    )
    parser.add_argument(
        "--no-auth", action="store_true", help="play without credentials, for benches of programs that would show them"
    )


def run(args: argparse.Namespace) -> int:
    import sys
    from dataclasses import replace

    import uvloop

    from csu.settings import Paths, default_data
    from csu.simulator import running
    from csu.simulator.cameras import QUALITIES
    from csu.simulator.faults import Fault
    from csu.simulator.stream import Manner

    if not 1 <= args.cameras <= 1000 or not 0 <= args.port <= 65535:
        print("csu simulate: expected 1 to 1000 cameras and a port of 0 to 65535", file=sys.stderr)
        return 2
    if args.udp and (args.tls or args.audio):
        print("csu simulate: --udp goes neither with --tls nor with --audio", file=sys.stderr)
        return 2
    paths = Paths(default_data())
    manner = Manner(
        replace(QUALITIES[args.quality], codec=args.codec, b_frames=args.b_frames), args.burst, args.audio, args.udp
    )
    fault = Fault(args.fault) if args.fault else None
    plan = running.Plan(args.cameras, args.port, manner, not args.no_auth, fault, args.tls)
    try:
        running.ensure_loops(paths, args.cameras, manner.quality)
        uvloop.run(_serve(paths, plan, args.json))
    except OSError as error:
        print(f"csu simulate: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(paths: "Paths", plan: "Plan", as_json: bool) -> None:
    import asyncio
    import json
    import signal

    from csu.simulator import running

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with running.simulating(paths, plan) as simulation:
        if as_json:
            file = str(running.credentials_file(paths)) if plan.auth else None
            urls = {"rtsp_urls": simulation.urls("main"), "sub_urls": simulation.urls("sub"), "onvif_urls": []}
            certificate = str(running.certificate_file(paths)) if plan.tls else None
            print(json.dumps({**urls, "credentials_file": file, "certificate_file": certificate}), flush=True)
        else:
            print(f"{plan.cameras} cameras, {simulation.urls('main')[0]} and so on", flush=True)
            print(f"user and password: {running.credentials_file(paths)}", flush=True)
            if plan.tls:
                print(f"certificate (SSL_CERT_FILE): {running.certificate_file(paths)}", flush=True)
        await stopped.wait()
