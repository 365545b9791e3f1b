"""`csu demo`: the whole centre on simulated cameras."""

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from csu.demo import Demo
    from csu.settings import Settings

HELP = "run a whole centre on simulated cameras, with fictitious legal data"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cameras", type=int, default=12, metavar="N", help="how many of the twelve (default 12)")
    parser.add_argument("--seconds", type=float, metavar="S", help="stop by itself after S seconds")
    parser.add_argument("--port", type=int, default=8080, metavar="P", help="console; pictures use P+1, cameras P+2")
    parser.add_argument("--json", action="store_true", help="print address, accounts and cameras as one JSON object")


def run(args: argparse.Namespace) -> int:
    from csu import centre, demo, engines, settings, supervisor
    from csu.simulator.cameras import QUALITIES
    from csu.simulator.running import ensure_credentials, ensure_loops

    if not 1 <= args.port <= 65533 or not 1 <= args.cameras <= 12:
        print("csu demo: expected 1 to 12 cameras, and three neighbouring ports below 65536", file=sys.stderr)
        return 2
    paths = settings.Paths(settings.default_data().resolve())
    wanted = demo.Demo(paths, args.cameras, args.port)
    try:
        with supervisor.sole_supervisor(paths):
            ensure_loops(paths, args.cameras, QUALITIES["full"])
            ensure_credentials(paths)
            _say("Starting PostgreSQL and Valkey…")
            with demo.databases(paths):
                loaded = demo.write_settings(wanted)
                centre.check_ports_free(loaded)
                centre.run_command("migrate", "--config", str(wanted.config))
                demo.import_territory(wanted, loaded)
                _say("Starting cameras, recorder, gateway and control plane…")
                asyncio.run(_serve(wanted, loaded, args))
    except (supervisor.SupervisorError, engines.EngineError, OSError) as error:
        print(f"csu demo: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(wanted: "Demo", loaded: "Settings", args: argparse.Namespace) -> None:
    from csu import centre, demo, supervisor

    services = [demo.simulator(wanted), *centre.services(loaded, wanted.config)]
    async with centre.running(loaded, services, wanted.config):
        told: dict[str, Any] = {
            "url": loaded.console.origin,
            "accounts": demo.accounts(wanted),
            "cameras": demo.cameras(wanted, loaded),
        }
        if args.json:
            print(json.dumps(told), flush=True)
        else:
            _print_welcome(told)
        await supervisor.wait_stopped(args.seconds)
        _say("Stopping…")


def _print_welcome(told: dict[str, Any]) -> None:
    width = max(len(account["role"]) for account in told["accounts"])
    print(f"\n  {told['url']}\n")
    for account in told["accounts"]:
        print(f"  {account['role']:<{width}}  {account['login']:<15} {account['password']}")
    print("\n  Legal data is fictitious. Ctrl-C ends everything.\n", flush=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
