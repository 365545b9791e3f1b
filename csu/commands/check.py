"""`csu check`: do the index and the files of the recordings agree, and is nothing overdue?"""

import argparse
import json
import sys
from pathlib import Path

HELP = "compare the recordings' index with the files, and find what is overdue"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="data directory (default: CSU_DATA, else var/)")
    parser.add_argument("--deep", action="store_true", help="read every byte: hashes and their chain")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    import sqlite3
    import time

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from csu.settings import Paths, default_data
    from recorder.check import check
    from recorder.machine import now_us

    storage = Paths(args.data or default_data()).recordings
    started_s = time.monotonic()
    try:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        disable = not args.deep or not sys.stderr.isatty()
        with Progress(*columns, console=Console(stderr=True), disable=disable) as bar:
            task = bar.add_task("Lecture des enregistrements", total=None)
            report = check(
                storage, now_us(), args.deep, lambda done, total: bar.update(task, completed=done, total=total)
            )
    except (sqlite3.Error, OSError) as error:
        print(f"csu check: {storage}: {error}", file=sys.stderr)
        return 1
    elapsed_s = max(time.monotonic() - started_s, 0.001)
    faults = {
        "missing_files": report.missing_files,
        "orphan_files": report.orphan_files,
        "bad_hashes": report.bad_hashes,
        "overdue": report.overdue,
    }
    for kind, names in faults.items():
        for name in names:
            print(f"{kind}: {name}")
    mb_per_s = report.bytes_read / elapsed_s / 1e6
    rate = f", {mb_per_s:.0f} Mo/s" if args.deep else ""
    print(f"{report.segments} segments, {elapsed_s:.1f} s{rate} : {'conforme' if report.ok else 'NON CONFORME'}")
    if args.json:
        counts = {kind: len(names) for kind, names in faults.items()}
        figures = {"seconds": round(elapsed_s, 3), "mb_per_s": round(mb_per_s, 1)}
        print(json.dumps({"segments": report.segments, **counts, **figures, "ok": report.ok}))
    return 0 if report.ok else 1
