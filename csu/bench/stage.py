"""A passing data directory with simulated cameras, a recorder and a gateway: real processes, ended with the block."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from csu import keys
from csu.settings import Paths, default_data
from recorder import orders
from recorder.channel import ChannelClient, ChannelError
from recorder.orders import CameraOrder, Orders, StreamAddress

START_WITHIN_S = 60.0
_NAMESPACE = uuid.UUID("6f1dd7b8-3a0c-4d7e-8d0b-2f5a90c3a9d1")


class StageError(Exception):
    """A process of the bench did not come up, or ended too early; the text says which."""


@dataclass(frozen=True, slots=True)
class Cameras:
    """A running simulator."""

    process: Process
    main_urls: list[str]
    secret: tuple[str, str] | None  # user and password

    def __repr__(self) -> str:
        return f"Cameras({len(self.main_urls)})"


@contextlib.contextmanager
def data_directory() -> Iterator[Paths]:
    """Empty but for keys, on the disk that recordings would be on; the encoded loops are the usual ones."""
    usual = Paths(default_data().resolve())
    usual.simulator.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=usual.data) as directory:
        paths = Paths(Path(directory))
        paths.simulator.symlink_to(usual.simulator)
        keys.ensure_keys(paths.keys)
        paths.run.mkdir()
        yield paths


@contextlib.asynccontextmanager
async def child(words: list[str], env: Mapping[str, str] | None = None, **options: Any) -> AsyncIterator[Process]:
    """A process that is asked to end with the block, and killed when it does not within 20 s."""
    process = await asyncio.create_subprocess_exec(*words, env=dict(env) if env else None, **options)
    try:
        yield process
    finally:
        await end([process])


async def end(processes: list[Process]) -> None:
    """Ask all to end at once, and wait."""
    for process in processes:
        if process.returncode is None:
            process.terminate()
    for process in processes:
        try:
            async with asyncio.timeout(20):
                await process.communicate()
        except TimeoutError:
            process.kill()
            await process.communicate()


def csu(*words: str) -> list[str]:
    return [sys.executable, "-m", "csu.cli", *words]


@contextlib.asynccontextmanager
async def simulator(paths: Paths, count: int, *options: str) -> AsyncIterator[Cameras]:
    words = csu("simulate", "--cameras", str(count), "--port", "0", "--json", *options)
    env = {**os.environ, "CSU_DATA": str(paths.data)}
    async with child(words, env, stdout=PIPE, limit=1 << 20) as process:
        assert process.stdout is not None
        line = await process.stdout.readline()  # comes once missing loops are encoded
        if not line:
            raise StageError("csu simulate ended before its cameras were ready")
        told = json.loads(line)
        yield Cameras(process, told["rtsp_urls"], _secret(told["credentials_file"]))


def _secret(file: str | None) -> tuple[str, str] | None:
    if file is None:
        return None
    user, _, password = Path(file).read_text().strip().partition(":")
    return user, password


@contextlib.asynccontextmanager
async def recorder(paths: Paths, words: list[str] | None = None) -> AsyncIterator[tuple[Process, ChannelClient]]:
    """`csu recorder`, or what `words` start in its place."""
    env = {**os.environ, "CSU_DATA": str(paths.data), "CSU_LOG": "WARNING"}
    async with child(words or csu("recorder"), env) as process, ChannelClient(paths.recorder_socket) as control:
        await wait_until(lambda: answers(control, "status"), "csu recorder")
        yield process, control


async def wait_until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Raises StageError when it does not come true in time."""
    try:
        async with asyncio.timeout(START_WITHIN_S):
            while not await condition():  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise StageError(f"waited {START_WITHIN_S:.0f} s in vain for {what}") from error


async def answers(control: ChannelClient, op: str) -> bool:
    try:
        await control.call(op)
    except ChannelError:
        return False
    return True


def camera_id(number: int) -> str:
    """The identifier that camera `number` (from 1) has in every bench."""
    return str(uuid.uuid5(_NAMESPACE, str(number)))


async def record_all(paths: Paths, control: ChannelClient, cameras: Cameras) -> None:
    """Order every camera's main stream to be recorded, and wait until each of them is."""
    now = datetime.now(UTC)
    user, password = cameras.secret or (None, None)
    wanted = [
        CameraOrder(
            camera=camera_id(i),
            name=f"Caméra {i}",
            main=StreamAddress(url, user, password),
            sub=None,
            adapter="native",
            authorisation="bench",
            record_from_at=now - timedelta(hours=1),
            record_to_at=now + timedelta(days=1),
            retention_days=1,
            minimum_days=0,  # a disk that can't keep a day of all cameras is no reason to record fewer here
        )
        for i, url in enumerate(cameras.main_urls, 1)
    ]
    _, key = keys.load_private(paths.keys, "orders")
    await control.call("put_orders", envelope=orders.sign(Orders(1, now, wanted), key))
    await all_recording(control, len(wanted))


async def all_recording(control: ChannelClient, count: int) -> None:
    """Wait for it."""

    async def all_are() -> bool:
        states = [c["state"] for c in (await control.call("status"))["cameras"]]
        return states == ["recording"] * count

    await wait_until(all_are, "all cameras to be recording")
