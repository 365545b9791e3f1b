"""Encodes the loops that are missing, in processes of their own, with a progress display on stderr."""

import fcntl
import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from multiprocessing.sharedctypes import SynchronizedArray
from pathlib import Path
from typing import Any

import cv2
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from csu.simulator import loops
from csu.simulator.cameras import Quality

# What a worker process is given at its start: the frames done by each job, and the process that waits for them.
_done: "SynchronizedArray[Any] | None" = None
_parent = 0


def ensure(directory: Path, scenes: Sequence[int], quality: Quality) -> None:
    """Have every scene encoded in the directory before returning; others that want the same wait and find it done."""
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
    done = context.Array("i", len(missing))
    workers = min(len(missing), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, context, _begin, (done, os.getpid())) as pool:
        try:
            jobs = [pool.submit(_encode, i, directory, scene, quality) for i, scene in enumerate(missing)]
            _show(jobs, done, sum(loops.frames_to_encode(s, quality) for s in missing))
            for job in jobs:
                job.result()
        except BaseException:
            # Also when the person loses patience: the pool would finish what it has begun, which takes minutes.
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            raise


def _show(jobs: list[Future[None]], done: "SynchronizedArray[Any]", total: int) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Encoding simulated cameras", total=total)
        while wait(jobs, timeout=0.2).not_done:
            progress.update(task, completed=sum(done[:]))
            if any(job.done() and job.exception() for job in jobs):
                return
        progress.update(task, completed=total)


def _begin(done: "SynchronizedArray[Any]", parent: int) -> None:
    global _done, _parent
    _done, _parent = done, parent
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that waits decides
    cv2.setNumThreads(1)
    os.nice(5)


def _encode(index: int, directory: Path, scene: int, quality: Quality) -> None:
    done = _done
    assert done is not None

    def progress(frames: int) -> None:
        done[index] += frames
        if os.getppid() != _parent:
            os._exit(1)  # nobody waits any more

    loops.encode(directory, scene, quality, progress)
