"""`csu coverage`: what of an interval a camera should have recorded, did record, and why the rest is missing."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recorder.coverage import Coverage

HELP = "account for every second of a camera: recorded, or missing and why"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="data directory (default: CSU_DATA, else var/)")
    parser.add_argument("--camera", metavar="ID", help="the camera's UUID")
    parser.add_argument("--from", dest="from_", metavar="T", help="ISO 8601 with its offset or Z")
    parser.add_argument("--to", metavar="T", help="ISO 8601 with its offset or Z")
    parser.add_argument("--month", metavar="YYYY-MM", help="instead of an interval: a civil month, of all cameras")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    import sqlite3

    from csu.settings import Paths, default_data
    from recorder.files import INDEX

    try:
        from_us, to_us = _interval(args)
    except ValueError as error:
        print(f"csu coverage: {error}", file=sys.stderr)
        return 2
    index = Paths(args.data or default_data()).recordings / INDEX
    try:
        return _month(args, index, from_us, to_us) if args.month else _interval_of_one(args, index, from_us, to_us)
    except sqlite3.Error as error:
        print(f"csu coverage: {index}: {error}", file=sys.stderr)
        return 1


def _interval(args: argparse.Namespace) -> tuple[int, int]:
    """UTC microseconds. Raises ValueError for what can't be meant."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from recorder.utc import at_from_text
    from streams.ticks import us_from_at

    if args.month:
        if args.from_ or args.to:
            raise ValueError("--month stands alone, without --from and --to")
        first = datetime.strptime(args.month, "%Y-%m").replace(tzinfo=ZoneInfo("Europe/Paris"))
        year, month = (first.year + 1, 1) if first.month == 12 else (first.year, first.month + 1)
        return us_from_at(first), us_from_at(first.replace(year=year, month=month))
    if not (args.camera and args.from_ and args.to):
        raise ValueError("expected --camera, --from and --to, or --month")
    from_us, to_us = us_from_at(at_from_text(args.from_)), us_from_at(at_from_text(args.to))
    if to_us <= from_us:
        raise ValueError("--from must be before --to")
    return from_us, to_us


def _interval_of_one(args: argparse.Namespace, index: Path, from_us: int, to_us: int) -> int:
    from contextlib import closing

    from recorder.coverage import read_coverage
    from recorder.index import open_reader
    from recorder.machine import now_us
    from recorder.utc import text_from_us

    with closing(open_reader(index)) as connection:
        coverage = read_coverage(connection, args.camera, from_us, to_us, now_us())
    if coverage is None:
        print(f"csu coverage: camera {args.camera} was never under orders here", file=sys.stderr)
        return 1
    gaps = coverage.to_json()["gaps"]
    for gap in gaps:
        print(f"{gap['from']}  {gap['to']}  {gap['cause']} ({gap['detail']})")
    figures = _figures(coverage)
    print(_line(figures))
    if args.json:
        print(json.dumps({**figures, "until": text_from_us(coverage.until_us), "gaps": gaps}))
    return 0


def _month(args: argparse.Namespace, index: Path, from_us: int, to_us: int) -> int:
    from contextlib import closing

    from recorder.coverage import read_month
    from recorder.index import open_reader
    from recorder.machine import now_us

    with closing(open_reader(index)) as connection:
        months = read_month(connection, from_us, to_us, now_us())
    cameras = [
        {"camera": camera, **_figures(coverage)} for camera, coverage in months.items() if args.camera in (None, camera)
    ]
    for line in cameras:
        print(f"{line['camera']}  {_line(line)}")
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
    share = f", {recorded_s / expected_s:.2%}" if expected_s else ""
    causes = ", ".join(f"{name} {share:.2f} %" for name, share in figures["percent"].items() if share)
    return f"{recorded_s:.3f} s sur {expected_s:.3f} s attendues{share} ({causes})"
