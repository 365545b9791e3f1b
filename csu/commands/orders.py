"""`csu orders supersede`: the orders of a centre that was restored from a backup take the place of newer ones.

The recorder obeys no orders older than those it has, and a centre brought back from a backup counts on from an older
version. Whoever has compared its authorisations and persons with the papers says here that they are in force again.
The JSON object: `recorder` and `centre`, the versions of both; the centre's next orders are above both.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from csu.commands import failing

if TYPE_CHECKING:
    from csu.settings import Database

HELP = "after a restore: let the centre's orders take the place of the newer ones that the recorder has"


def configure(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True)
    supersede = acts.add_parser("supersede", help="the centre's tables are right: its orders count, not the recorder's")
    supersede.add_argument("--config", type=Path, metavar="FILE", help="settings; the demo's by default")
    supersede.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    import asyncio

    from csu import engines, settings
    from csu.keys import load_public
    from recorder.orders import OrdersFile
    from recorder.sealed import OrderRefused

    with failing.told(OrderRefused, OSError):
        loaded = settings.resolve(args.config)
        file = loaded.paths.recorder / "orders.json"
        had = OrdersFile(file, load_public(loaded.paths.keys, "orders")).load()
        if had is None:
            print(f"csu orders: {file}: no orders yet; expected those that the recorder obeys", file=sys.stderr)
            return 2
        with engines.database(loaded) as database:
            centre = asyncio.run(_supersede(database, had.version))
    told = {"recorder": had.version, "centre": centre}
    if args.json:
        print(json.dumps(told))
    else:
        print(f"the recorder obeys version {had.version}; the centre, at {centre}, goes on above both within seconds")
    return 0


async def _supersede(database: "Database", version: int) -> int:
    """The version that the centre was at."""
    from csu.clock import utc_now
    from csu.links import orders
    from csu.store.store import Store

    store = Store(database, pool_size=1)
    try:
        return await orders.supersede(store, version, utc_now())
    finally:
        await store.close()
