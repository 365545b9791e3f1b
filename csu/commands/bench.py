"""`csu bench`: our processes against their peers, in one run."""

import argparse
from typing import Any

HELP = "measure recording, live viewing, seeking, export and journal against their peers"


def configure(parser: argparse.ArgumentParser) -> None:
    subjects = parser.add_subparsers(dest="subject", required=True, metavar="record|live|seek|export|journal")
    record = subjects.add_parser("record", help="the recorder, ffmpeg per camera, and the floor")
    record.add_argument("--cameras", type=int, default=50, metavar="N")
    record.add_argument("--burst", action="store_true", help="each frame arrives at once")
    live = subjects.add_parser("live", help="the gateway's WebSocket, and aiortc")
    live.add_argument("--cameras", type=int, default=4, metavar="N")
    live.add_argument("--viewers", type=int, default=50, metavar="N")
    seek = subjects.add_parser("seek", help="any instant of 30 days of 250 cameras, and ffmpeg -ss")
    seek.add_argument("--segments", type=_segments, default=10_800_000, metavar="N", help="fewer than the 10.8 million")
    export = subjects.add_parser("export", help="one hour as one MP4, and ffmpeg's concat demuxer")
    for subject in (record, live):
        subject.add_argument("--seconds", type=float, default=60.0, metavar="S", help="length of each window")
    export.add_argument("--seconds", type=int, default=3600, metavar="S", help="length of the film")
    journal = subjects.add_parser("journal", help="an entry, and the same row by plain INSERT and COMMIT")
    journal.add_argument("--entries", type=int, default=1_000_000, metavar="N", help="to verify")
    journal.add_argument("--seconds", type=float, default=10.0, metavar="S", help="of eight writers")
    journal.add_argument("--json", action="store_true", help="print the figures as one JSON object at the end")
    for subject in (record, live, seek, export):
        subject.add_argument("--quality", choices=("quick", "full", "rich"), help=argparse.SUPPRESS)
        subject.add_argument("--json", action="store_true", help="print the figures as one JSON object at the end")


def _segments(text: str) -> int:
    if (number := int(text)) < 1_000_000:
        raise argparse.ArgumentTypeError("at least 1000000, so that a hundredth of them is long enough to look at")
    return number


def run(args: argparse.Namespace) -> int:
    import json
    import sys

    from csu.bench.stage import StageError

    try:
        figures = _SUBJECTS[args.subject](args)
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


def _seek(args: argparse.Namespace) -> dict[str, Any]:
    from csu.bench import report, seek

    figures = seek.run(seek.Wanted(args.segments, args.quality or "full"))
    report.show("csu bench seek", figures, f"{args.segments} segments in the index, real files where it looks")
    return figures


def _export(args: argparse.Namespace) -> dict[str, Any]:
    from csu.bench import export, report

    wanted = export.Wanted(args.seconds, args.quality or "full")
    figures = export.run(wanted)
    report.show("csu bench export", figures, f"{args.seconds} s of one camera, quality {wanted.quality}")
    return figures


def _journal(args: argparse.Namespace) -> dict[str, Any]:
    import asyncio

    from csu.bench import journal, report

    figures = asyncio.run(journal.run(args.entries, args.seconds))
    report.show("csu bench journal", figures, f"{args.entries} entries, {journal.WRITERS} writers")
    return figures


_SUBJECTS = {"record": _record, "live": _live, "seek": _seek, "export": _export, "journal": _journal}
