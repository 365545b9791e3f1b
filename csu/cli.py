"""The `csu` command: a table of sub-commands, each loaded only when it is called.

A sub-command is a module with `HELP`, `configure(parser)` and `run(args) -> int`, which may raise Failed. Exit status:
0 = holds, 1 = does not, 2 = wrong use. Loading lazily keeps web and database libraries out of the recorder's process.
"""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence

from csu.commands.failing import Failed

COMMANDS: dict[str, str] = {
    "demo": "csu.commands.demo",
    "up": "csu.commands.up",
    "serve": "csu.commands.serve",
    "recorder": "csu.commands.recorder",
    "gateway": "csu.commands.gateway",
    "simulate": "csu.commands.simulate",
    "migrate": "csu.commands.migrate",
    "import": "csu.commands.import_",
    "admin": "csu.commands.admin",
    "camera": "csu.commands.camera",
    "check": "csu.commands.check",
    "coverage": "csu.commands.coverage",
    "index": "csu.commands.index",
    "journal": "csu.commands.journal",
    "key": "csu.commands.key",
    "orders": "csu.commands.orders",
    "person": "csu.commands.person",
    "statement": "csu.commands.statement",
    "bench": "csu.commands.bench",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = words[0] if words else ""
    if name in ("", "-h", "--help"):
        _print_help()
        return 0 if name else 2
    if name not in COMMANDS:
        print(f"csu: unknown command {name!r}; `csu --help` lists the commands", file=sys.stderr)
        return 2
    module = importlib.import_module(COMMANDS[name])
    parser = argparse.ArgumentParser(prog=f"csu {name}", description=module.HELP)
    module.configure(parser)
    args = parser.parse_args(words[1:])
    level = os.environ.get("CSU_LOG", "INFO")
    if level not in logging.getLevelNamesMapping():
        print(f"csu: CSU_LOG is {level!r}; expected DEBUG, INFO, WARNING or ERROR", file=sys.stderr)
        return 2
    logging.basicConfig(
        level=level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        status: int = module.run(args)
    except KeyboardInterrupt:
        return 130
    except Failed as failed:
        print(f"csu {name}: {failed}", file=sys.stderr)
        return failed.status
    return status


def _print_help() -> None:
    print("usage: csu COMMAND [options]\n")
    for name, path in COMMANDS.items():
        print(f"  {name:<10} {importlib.import_module(path).HELP}")


if __name__ == "__main__":
    sys.exit(main())
