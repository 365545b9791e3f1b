"""The supervisor's children: one that can't be started again is tried again, and ends none of the others."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from csu.settings import Paths
from csu.supervisor import Child, Service


def pid_of(paths: Paths) -> int | None:
    try:
        return int((paths.run / "simulator.pid").read_text())
    except (OSError, ValueError):
        return None


async def until(keeper: asyncio.Task[None], condition: Callable[[], bool]) -> None:
    """Until the supervised processes are so; their keeper must not end meanwhile."""
    async with asyncio.timeout(60):
        while not condition():
            assert not keeper.done(), keeper.exception()
            await asyncio.sleep(0.05)


async def test_a_service_that_cannot_be_started_again_is_tried_until_it_can(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.run.mkdir()
    # `migrate` without settings ends at once: what is looked at is how it is started.
    child = Child(Service("simulator", ("migrate", "--config", "/nonexistent"), lambda: True), paths)
    await child.start()
    keeper = asyncio.create_task(child.run())
    try:
        shutil.rmtree(paths.run)
        paths.run.touch()  # no pid file can be written
        await until(keeper, lambda: (paths.log / "simulator.log").read_text().count("nonexistent") >= 2)
        paths.run.unlink()
        paths.run.mkdir()
        await until(keeper, lambda: pid_of(paths) is not None)
    finally:
        keeper.cancel()
        await child.stop()
