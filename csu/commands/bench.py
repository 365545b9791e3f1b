"""`csu bench`: our processes against their peers, in one run."""

import argparse
from typing import Any

HELP = "measure recording and live viewing against their peers"


def configure(parser: argparse.ArgumentParser) -> None:
    subjects = parser.add_subparsers(dest="subject", required=True, metavar="record|live")
    record = subjects.add_parser("record", help="the recorder, ffmpeg per camera, and the floor")
    record.add_argument("--cameras", type=int, default=50, metavar="N")
    record.add_argument("--burst", action="store_true", help="each frame arrives at once")
    live = subjects.add_parser("live", help="the gateway's WebSocket, and aiortc")
    live.add_argument("--cameras", type=int, default=4, metavar="N")
    live.add_argument("--viewers", type=int, default=50, metavar="N")
    for subject in (record, live):
        subject.add_argument("--seconds", type=float, default=60.0, metavar="S", help="length of each window")
        subject.add_argument("--quality", choices=("quick", "full", "rich"), help=argparse.SUPPRESS)
        subject.add_argument("--json", action="store_true", help="print the figures as one JSON object at the end")


def run(args: argparse.Namespace) -> int:
    import json
    import sys

    from csu.bench.stage import StageError

    try:
        figures = _record(args) if args.subject == "record" else _live(args)
    except (StageError, OSError) as error:
        print(f"csu bench: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(figures))
    return 0 if figures["ok"] else 1


def _record(args: argparse.Namespace) -> dict[str, Any]:
    import asyncio

    from csu.bench import record, report

    wanted = record.Wanted(args.cameras, args.seconds, args.burst, args.quality or "full")
    figures = asyncio.run(record.run(wanted))
    report.show(
        "csu bench record", figures, f"csu simulate, quality {wanted.quality}, main streams, {figures['arrivals']}"
    )
    return figures


def _live(args: argparse.Namespace) -> dict[str, Any]:
    import asyncio

    from csu.bench import live, report

    wanted = live.Wanted(args.cameras, args.viewers, args.seconds, args.quality or "rich")
    figures = asyncio.run(live.run(wanted))
    report.show("csu bench live", figures, f"csu simulate, quality {wanted.quality}, main streams, paced")
    return figures
