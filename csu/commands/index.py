"""`csu index rebuild`: the recordings' index anew, from the files alone."""

import argparse
import json
import sys

from csu.commands import places

HELP = "rebuild the recordings' index from the files alone"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["rebuild"])
    places.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    import sqlite3
    import time

    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    from csu.settings import SettingsError
    from recorder.adoption import Adopted
    from recorder.files import StorageRefused
    from recorder.machine import now_us
    from recorder.rebuild import rebuild

    try:
        paths, storage = places.find(args)
    except SettingsError as error:
        print(f"csu index: {error}", file=sys.stderr)
        return 2
    started_s = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed} segments"))
    reports: dict[str, Adopted] = {}
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        for directory, identity_file in paths.storage(storage).items():
            task = bar.add_task(f"Rebuilding the index of {directory}", total=None)

            def progress(done: int, task: TaskID = task) -> None:
                bar.update(task, completed=done)

            try:
                reports[str(directory)] = rebuild(directory, identity_file, now_us(), progress)
            except (StorageRefused, sqlite3.Error, OSError) as error:
                print(f"csu index: {directory}: {error}", file=sys.stderr)
    elapsed_s = max(time.monotonic() - started_s, 0.001)
    counts = dict.fromkeys(("damaged", "conflicts", "holes"), 0)
    for place, report in reports.items():
        faults = {"damaged": report.damaged, "conflicts": report.conflicts, "holes": report.holes}
        for kind, names in faults.items():
            counts[kind] += len(names)
            for name in names:
                print(f"{kind}: {place}/{name}")
    segments = sum(report.segments for report in reports.values())
    rate, mb_per_s = segments / elapsed_s, sum(report.size for report in reports.values()) / elapsed_s / 1e6
    ok = len(reports) == len(storage) and all(report.ok for report in reports.values())
    verdict = "holds" if ok else "DOES NOT HOLD"
    print(f"{segments} segments, {elapsed_s:.1f} s, {rate:.0f} segments/s, {mb_per_s:.0f} MB/s: {verdict}")
    if args.json:
        rates = {"seconds": round(elapsed_s, 3), "segments_per_s": round(rate), "mb_per_s": round(mb_per_s, 1)}
        print(json.dumps({"segments": segments, **rates, **counts, "ok": ok}))
    return 0 if ok else 1
