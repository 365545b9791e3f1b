"""`csu gateway` as its own process, on uvloop, from a settings file."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from gateway_centre import ORIGIN, Browser, Camera, Centre
from gateway_support import CAMERA
from gateway_video import decode

from csu.gateway.spool import Spool
from csu.keys import ensure_keys
from csu.settings import Paths
from recorder.channel import ChannelClient, ChannelError
from recorder.feed import PacketFeedServer

CSU = Path(__file__).parents[2] / ".venv" / "bin" / "csu"

SETTINGS = """
data = "."
[gateway]
port = {port}
[database]
url = "postgresql://unused"
guard_url = "postgresql://unused"
owner_url = "postgresql://unused"
[valkey]
url = "redis://unused"
"""


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def settle(root: Path) -> tuple[Paths, int]:
    """A data directory with keys and settings."""
    paths, port = Paths(root), _free_port()
    ensure_keys(paths.keys)
    paths.run.mkdir()
    file = root / "csu.toml"
    file.write_text(SETTINGS.format(port=port))
    file.chmod(0o600)
    return paths, port


@asynccontextmanager
async def process(root: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    started = await asyncio.create_subprocess_exec(
        *(str(CSU), "gateway", "--config", str(root / "csu.toml")),
        env=os.environ | {"CSU_LOG": "DEBUG"},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def wait_ready(control: ChannelClient, op: str = "renew") -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await control.call(op)
            except ChannelError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_it_serves_stops_and_remembers(tmp_path: Path) -> None:
    paths, port = settle(tmp_path)
    async with (
        PacketFeedServer(paths.packets_socket) as feeds,
        ChannelClient(paths.gateway_socket) as control,
        aiohttp.ClientSession() as session,
    ):
        centre = Centre(tmp_path, port, feeds, control, session)
        camera = Camera(feeds.stream(CAMERA, "main"))
        ticket = centre.ticket()
        async with process(tmp_path) as gateway:
            await wait_ready(control)
            camera.publish(30)
            async with centre.browser() as browser:
                channel = await browser.open(centre.text(ticket))
                camera.publish(20)
                await browser.pictures(channel, 25)
                assert decode(browser.film(channel)) == [n % 16 for n in range(25, 50)]
                gateway.send_signal(signal.SIGTERM)
                assert (await browser.told("closed"))["code"] == "SHUTTING_DOWN"
            assert await gateway.wait() == 0
            assert gateway.stderr is not None
            log = (await gateway.stderr.read()).decode()
        assert ticket.id not in log
        assert centre.text(ticket).split(".")[1] not in log
        # A second life: the spool goes on, the ticket stays used.
        async with process(tmp_path) as gateway:
            await wait_ready(control)
            assert [e["reason"] for e in await centre.spooled()] == [None, "SHUTTING_DOWN"]
            async with centre.browser() as browser:
                await browser.say(type="open", ticket=centre.text(ticket), tile="t")
                assert (await browser.told("refused"))["code"] == "TICKET_USED"


async def test_killed_in_the_middle_it_closes_what_it_left_open(tmp_path: Path) -> None:
    paths, port = settle(tmp_path)
    async with (
        PacketFeedServer(paths.packets_socket) as feeds,
        ChannelClient(paths.gateway_socket) as control,
        aiohttp.ClientSession() as session,
    ):
        centre = Centre(tmp_path, port, feeds, control, session)
        Camera(feeds.stream(CAMERA, "main")).publish(5)
        async with process(tmp_path) as gateway:
            await wait_ready(control)
            live = await session.ws_connect(f"{centre.url}/live", headers={"Origin": ORIGIN}, max_msg_size=0)
            await Browser(live).open(centre.text())
            gateway.kill()
            await gateway.wait()
        async with process(tmp_path):
            await wait_ready(control)
            entries = await centre.spooled()
        assert [(e["kind"], e["reason"]) for e in entries] == [("opened", None), ("closed", "GATEWAY_RESTARTED")]


async def test_a_second_gateway_on_the_same_spool_does_not_start(tmp_path: Path) -> None:
    paths, _ = settle(tmp_path)
    async with process(tmp_path), ChannelClient(paths.gateway_socket) as control:
        await wait_ready(control)
        async with process(tmp_path) as second:
            _, log = await second.communicate()
            assert second.returncode == 1
            assert b"csu gateway:" in log
            assert b"Traceback" not in log
        assert (await control.call("renew", cut=[]))["open"] == []


async def test_without_keys_or_with_a_foreign_spool_it_says_what_is_wrong(tmp_path: Path) -> None:
    paths, _ = settle(tmp_path)
    paths.gateway.mkdir()
    (paths.gateway / "spool.sqlite3").write_bytes(b"something else" * 100)
    async with process(tmp_path) as gateway:
        _, log = await gateway.communicate()
    assert gateway.returncode == 1
    assert b"spool.sqlite3" in log
    (paths.keys / "public" / "ticket.pem").unlink()
    async with process(tmp_path) as gateway:
        _, log = await gateway.communicate()
    assert gateway.returncode == 1
    assert b"ticket.pem" in log


def test_the_spool_is_for_its_owner_only(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "gateway")
    spool.open(datetime.now(UTC))
    try:
        assert (tmp_path / "gateway").stat().st_mode & 0o777 == 0o700
        assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "gateway").iterdir())
    finally:
        spool.close()
