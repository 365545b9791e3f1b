"""Encodes the loops that are missing, in processes of their own, with a progress display on stderr."""

import ctypes
import fcntl
import multiprocessing
import os
import signal
from collections.abc import Sequence
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import cv2
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from csu.simulator import loops
from csu.simulator.cameras import Quality

SIGHT_S = 0.2  # between two looks at the processes


def ensure(directory: Path, scenes: Sequence[int], quality: Quality) -> None:
    """Have every scene encoded in the directory before returning; others that want the same wait and find it done.

    Raises RuntimeError when a process failed: it has told on stderr what of.
    """
    if all(loops.is_encoded(directory, s, quality) for s in scenes):
        return
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "encoding.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [s for s in scenes if not loops.is_encoded(directory, s, quality)]
        if missing:
            _encode_all(directory, missing, quality)


def _encode_all(directory: Path, missing: list[int], quality: Quality) -> None:
    # The longest first, so that the last process does not work alone at the end.
    missing.sort(key=lambda scene: -quality.length_s(scene))
    context = multiprocessing.get_context("spawn")
    taken = context.Value(ctypes.c_int, 0)
    # Each process has a place of its own: no lock that one which is killed would keep.
    done = context.RawArray(ctypes.c_int, os.cpu_count() or 1)
    words = (directory, missing, quality, taken, done, os.getpid())
    workers = [context.Process(target=_work, args=(place, *words)) for place in range(min(len(missing), len(done)))]
    try:
        for worker in workers:
            worker.start()
        _show(workers, done, sum(loops.frames_to_encode(s, quality) for s in missing))
    finally:
        # Also when the person loses patience: they would finish what they have begun, which takes minutes.
        for worker in workers:
            if worker.pid is not None:
                worker.kill()
                worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError("the simulated cameras could not be encoded")


def _show(workers: list[SpawnProcess], done: "ctypes.Array[ctypes.c_int]", total: int) -> None:
    """Until all have ended, or one has failed."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Encoding simulated cameras", total=total)
        while running := [worker for worker in workers if worker.exitcode is None]:
            running[0].join(SIGHT_S)
            progress.update(task, completed=sum(done))
            if any(worker.exitcode for worker in workers):
                return


def _work(
    place: int,
    directory: Path,
    missing: list[int],
    quality: Quality,
    taken: "Synchronized[int]",
    done: "ctypes.Array[ctypes.c_int]",
    parent: int,
) -> None:
    """One process: encodes scene after scene of those that no other has taken."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that waits decides
    cv2.setNumThreads(1)
    os.nice(5)

    def progress(frames: int) -> None:
        done[place] += frames
        if os.getppid() != parent:
            os._exit(1)  # nobody waits any more

    while True:
        with taken.get_lock():
            number = taken.value
            taken.value += 1
        if number >= len(missing):
            return
        loops.encode(directory, missing[number], quality, progress)
