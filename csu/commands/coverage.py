"""`csu coverage`: what of an interval a camera should have recorded, did record, and why the rest is missing."""

import argparse
import json
import sqlite3
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csu.commands import places

if TYPE_CHECKING:
    from csu.settings import Paths
    from recorder.coverage import Coverage

HELP = "account for every second of a camera: recorded, or missing and why"


def configure(parser: argparse.ArgumentParser) -> None:
    places.add_arguments(parser)
    parser.add_argument("--camera", metavar="N", help="the camera's number, or its UUID")
    parser.add_argument("--from", dest="from_", metavar="T", help="date and time with its offset or Z")
    parser.add_argument("--to", metavar="T", help="date and time with its offset or Z")
    parser.add_argument("--month", metavar="YYYY-MM", help="instead of an interval: a civil month, of all cameras")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    from csu.settings import SettingsError

    try:
        from_us, to_us = _interval(args)
        paths, storage = places.find(args)
        names = _names(paths)
        args.camera = _camera(args.camera, names)
    except (ValueError, SettingsError) as error:
        print(f"csu coverage: {error}", file=sys.stderr)
        return 2
    try:
        with ExitStack() as stack:
            connections = _connections(storage, stack)
            away = len(connections) < len(storage)
            if not connections:
                return 1
            if args.month:
                return _month(args, connections, from_us, to_us, away, names)
            return _interval_of_one(args, connections, from_us, to_us, away)
    except sqlite3.Error as error:
        print(f"csu coverage: {error}", file=sys.stderr)
        return 1


def _names(paths: "Paths") -> dict[str, str]:
    """Number and name by UUID, of the cameras under the last orders; none where orders or their key can't be read."""
    from csu.keys import KeyFileError, load_public
    from recorder.orders import OrdersFile
    from recorder.sealed import OrderRefused

    try:
        orders = OrdersFile(paths.recorder / "orders.json", load_public(paths.keys, "orders")).load()
    except (KeyFileError, OrderRefused, OSError):
        return {}
    return {} if orders is None else {order.camera: order.name for order in orders.cameras}


def _camera(wanted: str | None, names: dict[str, str]) -> str | None:
    """The UUID of a camera that was named by it or by its number. Raises ValueError."""
    from uuid import UUID

    if wanted is None:
        return None
    for camera, name in names.items():
        if wanted in (camera, name.split(" ", 1)[0]):
            return camera
    try:
        return str(UUID(wanted))
    except ValueError as error:
        known = ", ".join(sorted(name.split(" ", 1)[0] for name in names.values()))
        expected = f"the number of a camera ({known})" if known else "a camera's UUID"
        raise ValueError(f"--camera: expected {expected}; got {wanted!r}") from error


def _connections(storage: tuple[Path, ...], stack: ExitStack) -> list[sqlite3.Connection]:
    """The indexes that can be read; what the others have is told as a gap."""
    from recorder.files import INDEX
    from recorder.index import open_reader

    opened = []
    for directory in storage:
        try:
            connection = stack.enter_context(closing(open_reader(directory / INDEX)))
            connection.execute("SELECT 1 FROM meta").fetchone()
        except sqlite3.Error as error:
            told = error if (directory / INDEX).exists() else "no recordings' index; expected a storage directory"
            print(f"csu coverage: {directory}: {told}", file=sys.stderr)
        else:
            opened.append(connection)
    return opened


def _interval(args: argparse.Namespace) -> tuple[int, int]:
    """UTC microseconds. Raises ValueError for what can't be meant."""
    from csu.commands import dates
    from streams.ticks import us_from_at

    if args.month:
        if args.from_ or args.to:
            raise ValueError("--month stands alone, without --from and --to")
        first = dates.month("--month", args.month)
        year, month = (first.year + 1, 1) if first.month == 12 else (first.year, first.month + 1)
        return us_from_at(first), us_from_at(first.replace(year=year, month=month))
    if not (args.camera and args.from_ and args.to):
        raise ValueError("expected --camera, --from and --to, or --month")
    from_us = us_from_at(dates.instant("--from", args.from_))
    to_us = us_from_at(dates.instant("--to", args.to))
    if to_us <= from_us:
        raise ValueError("--from must be before --to")
    return from_us, to_us


def _interval_of_one(
    args: argparse.Namespace, connections: list[sqlite3.Connection], from_us: int, to_us: int, away: bool
) -> int:
    from recorder.coverage import read_account, read_offsets, unite
    from recorder.machine import now_us
    from recorder.utc import text_from_us

    accounts = [read_account(connection, args.camera, from_us, to_us) for connection in connections]
    coverage = unite([one for one in accounts if one is not None], from_us, to_us, now_us(), away)
    if coverage is None:
        print(f"csu coverage: camera {args.camera} was never under orders here", file=sys.stderr)
        return 1
    gaps = coverage.to_json()["gaps"]
    for gap in gaps:
        print(f"{gap['from']}  {gap['to']}  {gap['cause']} ({gap['detail']})")
    offsets = [one for connection in connections for one in read_offsets(connection, args.camera, from_us, to_us)]
    for one in offsets:
        print(f"{one['from']}  {one['to']}  the camera's clock: {one['offset_s']:+.3f} s")
    figures = _figures(coverage)
    print(_line(figures))
    if args.json:
        until = text_from_us(coverage.until_us)
        print(json.dumps({**figures, "until": until, "gaps": gaps, "clock_offsets": offsets}))
    return 0


def _month(
    args: argparse.Namespace,
    connections: list[sqlite3.Connection],
    from_us: int,
    to_us: int,
    away: bool,
    names: dict[str, str],
) -> int:
    from recorder.coverage import read_month
    from recorder.machine import now_us

    months = read_month(connections, from_us, to_us, now_us(), away)
    cameras = [
        {"camera": camera, **_figures(coverage)} for camera, coverage in months.items() if args.camera in (None, camera)
    ]
    for line in sorted(cameras, key=lambda line: names.get(line["camera"], line["camera"])):
        print(f"{names.get(line['camera'], line['camera'])}  {_line(line)}")
    if args.json:
        print(json.dumps({"month": args.month, "cameras": cameras}))
    return 0


def _figures(coverage: "Coverage") -> dict[str, Any]:
    """Seconds; `sums` and `percent` also hold what was not expected for want of an authorisation, and are of all."""
    from recorder.coverage import percentages

    sums = coverage.sums()
    return {
        "expected_s": coverage.expected_us / 1e6,
        "recorded_s": coverage.recorded_us / 1e6,
        "sums": {name: us / 1e6 for name, us in sums.items()},
        "percent": percentages(sums),
    }


def _line(figures: dict[str, Any]) -> str:
    expected_s, recorded_s = figures["expected_s"], figures["recorded_s"]
    share = f", {100 * recorded_s / expected_s:.2f} %" if expected_s else ""
    causes = ", ".join(f"{name} {part:.2f} %" for name, part in figures["percent"].items() if part)
    return f"{recorded_s:.3f} s of {expected_s:.3f} s expected{share} ({causes})"
