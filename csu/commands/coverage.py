"""`csu coverage`: what of an interval a camera should have recorded, did record, and why the rest is missing."""

import argparse
import json
import sys
from pathlib import Path

HELP = "account for every second of a camera: recorded, or missing and why"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="data directory (default: CSU_DATA, else var/)")
    parser.add_argument("--camera", required=True, metavar="ID", help="the camera's UUID")
    parser.add_argument("--from", dest="from_", required=True, metavar="T", help="ISO 8601 with its offset or Z")
    parser.add_argument("--to", required=True, metavar="T", help="ISO 8601 with its offset or Z")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    import sqlite3
    from contextlib import closing

    from csu.settings import Paths, default_data
    from recorder.coverage import read_coverage
    from recorder.files import INDEX
    from recorder.index import open_reader
    from recorder.machine import now_us
    from recorder.utc import at_from_text, text_from_us
    from streams.ticks import us_from_at

    try:
        from_us, to_us = us_from_at(at_from_text(args.from_)), us_from_at(at_from_text(args.to))
    except ValueError as error:
        print(f"csu coverage: {error}", file=sys.stderr)
        return 2
    if to_us <= from_us:
        print("csu coverage: --from must be before --to", file=sys.stderr)
        return 2
    storage = Paths(args.data or default_data()).recordings
    try:
        with closing(open_reader(storage / INDEX)) as connection:
            coverage = read_coverage(connection, args.camera, from_us, to_us, now_us())
    except sqlite3.Error as error:
        print(f"csu coverage: {storage}: {error}", file=sys.stderr)
        return 1
    if coverage is None:
        print(f"csu coverage: camera {args.camera} was never under orders here", file=sys.stderr)
        return 1
    account = coverage.to_json()
    for gap in account["gaps"]:
        print(f"{gap['from']}  {gap['to']}  {gap['cause']} ({gap['detail']})")
    expected_s, recorded_s = coverage.expected_us / 1e6, coverage.recorded_us / 1e6
    share = f", {recorded_s / expected_s:.2%}" if expected_s else ""
    print(f"{recorded_s:.3f} s sur {expected_s:.3f} s attendues{share}")
    if args.json:
        until = text_from_us(coverage.until_us)
        print(json.dumps({"expected_s": expected_s, "recorded_s": recorded_s, "until": until, "gaps": account["gaps"]}))
    return 0
