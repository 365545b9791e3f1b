"""`csu serve`: the control plane."""

import argparse
import sys
from pathlib import Path

HELP = "serve the console, the API and the journal; give orders to the recorder"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings; the demo's by default")


def run(args: argparse.Namespace) -> int:
    import uvloop

    from csu import settings
    from csu.keys import KeyFileError
    from csu.serving import serve

    try:
        uvloop.run(serve(settings.resolve(args.config)))
    except (settings.SettingsError, KeyFileError) as error:
        print(f"csu serve: {error}", file=sys.stderr)
        return 2
    return 0
