"""What others do costs the recording nothing: slow and stopped viewers, a stopped centre, a storm of resets."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from gateway_support import make_ticket, write_settings
from recorder_process import (
    RecorderProcess,
    Simulator,
    camera,
    camera_id,
    is_whole,
    orders,
    recorder,
    simulator,
    until_recorded,
    wait_until,
)

from csu.keys import load_private
from csu.settings import Paths, resolve
from csu.tickets import sign as sign_ticket
from recorder.channel import ChannelClient, ChannelError
from recorder.feed import _SUBSCRIBE, _message
from recorder.utc import at_from_text

CAMERAS = 4

# Follow the feed as a detector does, or ask on the control socket; stopped by the test in the middle of it.
_ANALYSIS = """
import asyncio, sys
from pathlib import Path
from recorder.feed import PacketFeedClient
async def follow():
    async with PacketFeedClient.open(Path(sys.argv[1])) as feed:
        for camera in sys.argv[2:]:
            await feed.subscribe(camera, "main", "analysis")
        async for event in feed.events():
            print("got", flush=True)
asyncio.run(follow())
"""
_CENTRE = """
import asyncio, sys
from pathlib import Path
from recorder.channel import ChannelClient
async def poll():
    async with ChannelClient(Path(sys.argv[1])) as client:
        while True:
            await client.call("facts", after=0, limit=5000)
            print("got", flush=True)
asyncio.run(poll())
"""


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulator(tmp_path_factory.mktemp("simulator"), CAMERAS) as running:
        yield running


async def _until_all(process: RecorderProcess, state: str, count: int = CAMERAS) -> None:
    async def are() -> bool:
        return {await process.state(camera_id(n + 1)) for n in range(count)} == {state}

    await wait_until(are, 60)


async def _recorded_for(process: RecorderProcess, seconds: int) -> None:
    """Until every camera has recorded so long from now on, durably."""
    await until_recorded(process, datetime.now(UTC), seconds, *range(1, CAMERAS + 1))


@asynccontextmanager
async def _undisturbed(tmp_path: Path, cameras: Simulator) -> AsyncIterator[RecorderProcess]:
    """All cameras record; at the end no run has broken, no picture is late, nothing was given up, every hash holds."""
    with recorder(tmp_path / "data") as process:
        await process.order(orders(*(camera(cameras, n + 1) for n in range(CAMERAS))))
        await _until_all(process, "recording")
        since = datetime.now(UTC)
        yield process

        async def nothing_is_late() -> bool:
            for n in range(CAMERAS):
                asked = datetime.now(UTC)
                account = await process.coverage(camera_id(n + 1), since)
                assert (len(account["runs"]), account["gaps"]) == (1, []), account
                if asked - at_from_text(account["runs"][0]["to"]) >= timedelta(seconds=6):
                    return False
            return True

        await wait_until(nothing_is_late)
        assert not [fact for fact in await process.facts() if fact.get("code") == "DEGRADED"]
        assert process.stop() == 0
        assert process.csu("check", "--deep")[1]["ok"]


@contextlib.contextmanager
def _stopped(script: str, *words: str) -> Iterator[None]:
    """A process that has begun and is then stopped by SIGSTOP."""
    process = subprocess.Popen([sys.executable, "-c", script, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "got\n"
        process.send_signal(signal.SIGSTOP)
        yield
    finally:
        process.kill()
        process.communicate()


async def test_a_stopped_detector_and_a_stopped_centre(tmp_path: Path, cameras: Simulator) -> None:
    async with _undisturbed(tmp_path, cameras) as process:
        sockets = process.paths
        with (
            _stopped(_ANALYSIS, str(sockets.packets_socket), *(camera_id(n + 1) for n in range(CAMERAS))),
            _stopped(_CENTRE, str(sockets.recorder_socket)),
        ):
            await _recorded_for(process, 10)


async def _slow_viewer(stack: AsyncExitStack, path: Path, number: int) -> None:
    """A follower with the smallest buffer that subscribes and never reads."""
    end = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        await asyncio.to_thread(end.connect, f"/proc/self/fd/{fd}/{path.name}")
    finally:
        os.close(fd)
    end.setblocking(False)
    request = json.dumps({"camera": camera_id(1 + number % CAMERAS), "stream": "main"}).encode()
    await asyncio.get_running_loop().sock_sendall(end, _message(_SUBSCRIBE, 1, request))


@pytest.mark.parametrize("viewers", [30, pytest.param(1000, marks=pytest.mark.soak)])
async def test_slow_viewers(tmp_path: Path, cameras: Simulator, viewers: int) -> None:
    async with _undisturbed(tmp_path, cameras) as process, AsyncExitStack() as stack:
        for n in range(viewers):
            await _slow_viewer(stack, process.paths.packets_socket, n)
        await _recorded_for(process, 10)


@dataclass
class _Gateway:
    port: int
    origin: str
    paths: Paths
    process: "subprocess.Popen[bytes]"

    def ticket(self, number: int) -> str:
        changes = {"camera": camera_id(1 + number % CAMERAS), "actor": str(uuid.UUID(int=number))}
        ticket = make_ticket(datetime.now(UTC), **changes, session=f"session {number}")
        return sign_ticket(ticket, *load_private(self.paths.keys, "ticket"))

    async def told(self) -> Counter[str] | None:
        """How many leases it opened, closed and refused by now, and why, as its spool says; None while it starts. What
        is open is renewed."""
        found: Counter[str] = Counter()
        after: int | None = 0
        try:
            async with ChannelClient(self.paths.gateway_socket) as control:
                await control.call("renew", cut=[])
                while after is not None:
                    entries = (await control.call("spool", after=after))["entries"]
                    for one in entries:
                        found[f"{one['kind']} {one.get('reason') or one.get('code') or ''}".strip()] += 1
                    after = entries[-1]["n"] if entries else None
        except ChannelError:
            return None
        return found


@contextlib.contextmanager
def _gateway(paths: Paths) -> Iterator[_Gateway]:
    """The real one, on the recorder's data; the test issues the tickets."""
    file, port = write_settings(paths.data)
    with (paths.data / "gateway.log").open("ab") as log:
        command = [sys.executable, "-m", "csu.cli", "gateway", "--config", str(file)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield _Gateway(port, resolve(file).console.origin, paths, process)
    finally:
        process.kill()
        process.wait()


async def _deaf_viewer(stack: AsyncExitStack, gateway: _Gateway, number: int) -> None:
    """A browser's socket with the smallest buffer that opens a live picture and never reads it."""
    loop = asyncio.get_running_loop()
    end = stack.enter_context(socket.socket())
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    end.setblocking(False)
    await loop.sock_connect(end, ("127.0.0.1", gateway.port))
    lines = ["GET /live HTTP/1.1", "Host: gateway", f"Origin: {gateway.origin}", "Upgrade: websocket"]
    lines += ["Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "", ""]
    await loop.sock_sendall(end, "\r\n".join(lines).encode())
    assert (await loop.sock_recv(end, 12)).endswith(b" 101")
    opening = json.dumps({"type": "open", "ticket": gateway.ticket(number), "tile": "t"}).encode()
    await loop.sock_sendall(end, b"\x81\xfe" + len(opening).to_bytes(2, "big") + bytes(4) + opening)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("viewers", [30, pytest.param(1000, marks=pytest.mark.soak)])
async def test_slow_viewers_of_a_gateway_that_is_then_stopped(tmp_path: Path, cameras: Simulator, viewers: int) -> None:
    async with _undisturbed(tmp_path, cameras) as process, AsyncExitStack() as stack:
        gateway = stack.enter_context(_gateway(process.paths))

        found: list[Counter[str] | None] = []

        async def opened(count: int) -> bool:
            found[:] = [await gateway.told()]
            return found[0] is not None and found[0]["opened"] == count

        await wait_until(partial(opened, 0))
        for n in range(viewers):
            await _deaf_viewer(stack, gateway, n)
            if n % 50 == 49:  # no more tickets than are redeemed in time; on a busy machine the first may be gone since
                await wait_until(partial(opened, n + 1), 60, found)
        await wait_until(partial(opened, viewers), 60, found)
        await _recorded_for(process, 5)
        gateway.process.send_signal(signal.SIGSTOP)
        await _recorded_for(process, 10)


# What is told of simulated cameras that get no processor for seconds: their pictures come late or not at all.
_STOOD_STILL = {("camera", "camera_clock"), ("camera", "missing"), ("camera", "stalled")}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("fleet", "storms"), [(8, 2), pytest.param(40, 5, marks=pytest.mark.soak)])
async def test_a_reset_storm_of_the_whole_fleet(tmp_path: Path, fleet: int, storms: int) -> None:
    """All cameras at once, again and again: all record again, and the account says why without a hole."""
    with simulator(tmp_path / "simulator", fleet) as simulated, recorder(tmp_path / "data") as process:
        since = datetime.now(UTC)
        await process.order(orders(*(camera(simulated, n + 1) for n in range(fleet))))
        await _until_all(process, "recording", fleet)
        for _ in range(storms):
            async with ChannelClient(simulated.control) as control:
                for n in range(fleet):
                    await control.call("fault", camera=n + 1, fault="reset")
                await _until_all(process, "lost", fleet)
                for n in range(fleet):
                    await control.call("fault", camera=n + 1, fault=None)
            await _until_all(process, "recording", fleet)
        for n in range(fleet):
            account = await process.coverage(camera_id(n + 1), since)
            assert is_whole(account)
            told = {(gap["cause"], gap["detail"]) for gap in account["gaps"]}
            assert {cause for cause, _ in told - _STOOD_STILL} <= {"network", "ours"}, told
        assert process.stop() == 0
        assert process.csu("check", "--deep")[1]["ok"]
