"""`csu index rebuild`: the recordings' index anew, from the files alone."""

import argparse
import json
import sys
from pathlib import Path

HELP = "rebuild the recordings' index from the files alone"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["rebuild"])
    parser.add_argument("--data", type=Path, help="data directory (default: CSU_DATA, else var/)")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    import sqlite3
    import time

    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from csu.settings import Paths, default_data
    from recorder.files import IDENTITY_MEMORY, StorageRefused
    from recorder.machine import now_us
    from recorder.rebuild import rebuild

    paths = Paths(args.data or default_data())
    started_s = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed} segments"))
    try:
        with Progress(
            *columns, TimeElapsedColumn(), console=Console(stderr=True), disable=not sys.stderr.isatty()
        ) as bar:
            task = bar.add_task("Reconstruction de l'index", total=None)
            report = rebuild(
                paths.recordings,
                paths.recorder / IDENTITY_MEMORY,
                now_us(),
                lambda done: bar.update(task, completed=done),
            )
    except (StorageRefused, sqlite3.Error, OSError) as error:
        print(f"csu index: {paths.recordings}: {error}", file=sys.stderr)
        return 1
    elapsed_s = max(time.monotonic() - started_s, 0.001)
    faults = {"damaged": report.damaged, "conflicts": report.conflicts, "holes": report.holes}
    for kind, names in faults.items():
        for name in names:
            print(f"{kind}: {name}")
    rate = report.segments / elapsed_s
    verdict = "conforme" if report.ok else "NON CONFORME"
    print(f"{report.segments} segments, {elapsed_s:.1f} s, {rate:.0f} segments/s : {verdict}")
    if args.json:
        counts = {kind: len(names) for kind, names in faults.items()}
        answer = {"segments": report.segments, "seconds": round(elapsed_s, 3), "segments_per_s": round(rate)}
        print(json.dumps({**answer, **counts, "ok": report.ok}))
    return 0 if report.ok else 1
