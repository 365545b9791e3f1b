"""What others do costs the recording nothing: slow and stopped viewers, a stopped centre, a storm of resets."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from recorder_process import RecorderProcess, Simulator, camera, camera_id, orders, recorder, simulator, wait_until

from recorder.channel import ChannelClient
from recorder.feed import _SUBSCRIBE, _message
from recorder.utc import at_from_text

CAMERAS = 4

# Subscribes on the feed, or asks on the control socket, and is then stopped by the test in the middle of it.
_FOLLOWER = """
import asyncio, sys
from pathlib import Path
from recorder.feed import PacketFeedClient
async def follow():
    async with PacketFeedClient.open(Path(sys.argv[1])) as feed:
        await feed.subscribe(sys.argv[2], "main")
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


async def _all_record(process: RecorderProcess, count: int = CAMERAS) -> None:
    async def recording() -> bool:
        return {await process.state(camera_id(n + 1)) for n in range(count)} == {"recording"}

    await wait_until(recording, 60)


@asynccontextmanager
async def _undisturbed(tmp_path: Path, cameras: Simulator) -> AsyncIterator[RecorderProcess]:
    """All cameras record; at the end no run has broken, no picture is late, and every hash holds."""
    with recorder(tmp_path / "data") as process:
        await process.order(orders(*(camera(cameras, n + 1) for n in range(CAMERAS))))
        await _all_record(process)
        since = datetime.now(UTC)
        yield process
        for n in range(CAMERAS):
            account = await process.coverage(camera_id(n + 1), since)
            assert len(account["runs"]) == 1, account
            assert datetime.now(UTC) - at_from_text(account["runs"][0]["to"]) < timedelta(seconds=6)
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


async def test_a_stopped_gateway_and_a_stopped_centre(tmp_path: Path, cameras: Simulator) -> None:
    async with _undisturbed(tmp_path, cameras) as process:
        sockets = process.paths
        with (
            _stopped(_FOLLOWER, str(sockets.packets_socket), camera_id(1)),
            _stopped(_CENTRE, str(sockets.recorder_socket)),
        ):
            await asyncio.sleep(10)


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
        await asyncio.sleep(10)


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_a_reset_storm_of_the_whole_fleet(tmp_path: Path) -> None:
    """All cameras at once, five times: all record again, within the budget of connections, and the account says why."""
    fleet = 40
    with simulator(tmp_path / "simulator", fleet) as simulated, recorder(tmp_path / "data") as process:
        since = datetime.now(UTC)
        await process.order(orders(*(camera(simulated, n + 1) for n in range(fleet))))
        await _all_record(process, fleet)
        for _ in range(5):
            async with ChannelClient(simulated.control) as control:
                for n in range(fleet):
                    await control.call("fault", camera=n + 1, fault="reset")
                await asyncio.sleep(2)
                for n in range(fleet):
                    await control.call("fault", camera=n + 1, fault=None)
            await _all_record(process, fleet)
        for n in range(fleet):
            account = await process.coverage(camera_id(n + 1), since)
            pieces = sorted([*account["runs"], *account["gaps"]], key=lambda piece: piece["from"])
            assert [a["to"] for a in pieces[:-1]] == [b["from"] for b in pieces[1:]]
            assert {gap["cause"] for gap in account["gaps"]} <= {"network", "ours"}
        assert process.stop() == 0
        assert process.csu("check", "--deep")[1]["ok"]
