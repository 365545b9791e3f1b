"""A PostgreSQL that is killed with all its processes."""

import contextlib

import psutil

from csu.engines import Engine
from csu.settings import Paths


def kill_postgres(engine: Engine, paths: Paths) -> None:
    """The server first, so that it can't end in order what its processes were about; then those, also such as began
    meanwhile: a new server does not start while one is at work in its directory."""
    assert engine.process is not None
    engine.process.kill()
    engine.process.wait()
    while left := [process for process in psutil.process_iter() if _works_in(process, paths)]:
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=1)


def _works_in(process: psutil.Process, paths: Paths) -> bool:
    try:
        return process.cwd() == str(paths.postgres / "data")
    except (psutil.Error, OSError):  # it has gone, or is another's
        return False
