"""`csu up`: the centre on real cameras."""

import argparse
import asyncio
import sys
from pathlib import Path

HELP = "run the centre of a settings file: recorder, gateway, control plane"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="settings, see config/csu.toml")


def run(args: argparse.Namespace) -> int:
    from csu import centre, keys, settings, supervisor

    async def up(loaded: settings.Settings) -> None:
        async with centre.running(loaded, centre.services(loaded, args.config), args.config):
            print(f"{loaded.name}: {loaded.console.origin}", flush=True)
            await supervisor.wait_stopped(None)

    try:
        loaded = settings.load(args.config)
        with supervisor.sole_supervisor(loaded.paths):
            centre.check_ports_free(loaded)
            keys.ensure_keys(loaded.paths.keys)
            centre.run_command("migrate", "--config", str(args.config))
            asyncio.run(up(loaded))
    except settings.SettingsError as error:
        print(f"csu up: {error}", file=sys.stderr)
        return 2
    except (supervisor.SupervisorError, keys.KeyFileError, OSError) as error:
        print(f"csu up: {error}", file=sys.stderr)
        return 1
    return 0
