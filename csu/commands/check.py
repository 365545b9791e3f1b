"""`csu check`: do the index and the files of the recordings agree, and is nothing overdue?"""

import argparse
import json
import sys

from csu.commands import places

HELP = "compare the recordings' index with the files, and find what is overdue"


def configure(parser: argparse.ArgumentParser) -> None:
    places.add_arguments(parser)
    parser.add_argument("--deep", action="store_true", help="read every byte: hashes and their chain")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    import sqlite3
    import time

    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from csu.settings import SettingsError
    from recorder.check import Report, check
    from recorder.files import INDEX
    from recorder.machine import now_us

    try:
        _, storage = places.find(args)
    except SettingsError as error:
        print(f"csu check: {error}", file=sys.stderr)
        return 2
    started_s = time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    reports: dict[str, Report] = {}
    with Progress(*columns, console=Console(stderr=True), disable=not args.deep or not sys.stderr.isatty()) as bar:
        for directory in storage:
            task = bar.add_task(f"Reading {directory}", total=None)

            def progress(done: int, total: int, task: TaskID = task) -> None:
                bar.update(task, completed=done, total=total)

            try:
                reports[str(directory)] = check(directory, now_us(), args.deep, progress)
            except (sqlite3.Error, OSError) as error:
                told = error if (directory / INDEX).exists() else "no recordings' index; expected a storage directory"
                print(f"csu check: {directory}: {told}", file=sys.stderr)
    elapsed_s = max(time.monotonic() - started_s, 0.001)
    counts = dict.fromkeys(("missing_files", "orphan_files", "bad_hashes", "overdue"), 0)
    for place, report in reports.items():
        for kind in counts:
            names: list[str] = getattr(report, kind)
            counts[kind] += len(names)
            for name in names:
                print(f"{kind}: {place}/{name}")
    segments, size = sum(r.segments for r in reports.values()), sum(r.bytes_read for r in reports.values())
    unreadable = len(storage) - len(reports)
    ok = not unreadable and all(report.ok for report in reports.values())
    mb_per_s = size / elapsed_s / 1e6
    rate = f", {mb_per_s:.0f} MB/s" if args.deep else ""
    print(f"{segments} segments, {elapsed_s:.1f} s{rate}: {'holds' if ok else 'DOES NOT HOLD'}")
    if args.json:
        figures = {"seconds": round(elapsed_s, 3), "mb_per_s": round(mb_per_s, 1)}
        print(json.dumps({"segments": segments, **counts, "unreadable": unreadable, **figures, "ok": ok}))
    return 0 if ok else 1
