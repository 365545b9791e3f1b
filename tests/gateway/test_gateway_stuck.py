"""Viewers that read nothing: they cost themselves, and a withdrawn right does not wait for them."""

import asyncio
import base64
import json
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from gateway_centre import ORIGIN, PATIENCE_S, Camera, Centre, running
from gateway_video import encode, padded

from csu.gateway import live as live_module
from csu.gateway.desk import SystemClock
from streams.packets import Packet


@asynccontextmanager
async def deaf(centre: Centre, *tickets: str, holds_bytes: int = 8192) -> AsyncIterator[asyncio.StreamReader]:
    """A socket that asks for live pictures and reads only what the caller reads; the kernel holds so much for it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, holds_bytes)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", centre.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ["GET /live HTTP/1.1", "Host: gateway", f"Origin: {ORIGIN}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", "", ""]
    writer.write("\r\n".join(lines).encode())
    await reader.readuntil(b"\r\n\r\n")
    for ticket in tickets:
        data = json.dumps({"type": "open", "ticket": ticket, "tile": "t"}).encode()
        writer.write(b"\x81\xfe" + len(data).to_bytes(2, "big") + bytes(4) + data)
    try:
        yield reader
    finally:
        writer.transport.abort()


async def fill(centre: Centre, camera: Camera, opened: int) -> None:
    """Publish until every lease is open and much more was given than kernel and allowance hold."""
    await centre.wait_spooled(opened)
    for _ in range(10):
        camera.publish(25)
        await asyncio.sleep(0)


async def closed_reasons(centre: Centre, entries: int) -> dict[str, str]:
    return {e["ticket"]: e["reason"] for e in await centre.wait_spooled(entries) if e["kind"] == "closed"}


@pytest.fixture
def heavy() -> tuple[Packet, ...]:
    return tuple(padded(packet, 40_000) for packet in encode(100))


async def test_a_viewer_that_reads_nothing_is_let_go_and_costs_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heavy: tuple[Packet, ...]
) -> None:
    monkeypatch.setattr(live_module, "STUCK_S", 0.3)
    monkeypatch.setattr(live_module, "TICK_S", 0.05)
    async with running(tmp_path) as centre, centre.browser() as browser:
        camera = centre.camera(heavy)
        camera.publish()
        stuck = centre.ticket()
        channel = await browser.open(centre.text())
        async with deaf(centre, centre.text(stuck)):
            await centre.wait_spooled(2)
            # A browser that reads is given everything, in turns with the one that does not.
            while (await centre.spooled())[-1]["kind"] != "closed":
                camera.publish(5)
                await browser.pictures(channel, camera.next)
        assert await closed_reasons(centre, 3) == {stuck.id: "VIEWER_STUCK"}
        assert [p.at_us for p in browser.fragments(channel)] == [camera.at_us(n) for n in range(camera.next)]
        # What waited for the other one was bounded: the kernel's buffers, its allowance, and one picture over it.
        assert (await centre.spooled())[-1]["bytes"] < live_module.ALLOWANCE_BYTES + 6 * 1024 * 1024


async def test_a_pause_of_our_own_is_no_viewer_that_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heavy: tuple[Packet, ...]
) -> None:
    monkeypatch.setattr(live_module, "STUCK_S", 3.0)
    monkeypatch.setattr(live_module, "TICK_S", 0.05)
    async with running(tmp_path) as centre:
        camera = centre.camera(heavy)
        # It reads much at a time: before three seconds without a pause are over, also on a slow machine.
        async with deaf(centre, centre.text(), holds_bytes=1 << 18) as reader:
            await fill(centre, camera, 1)
            await asyncio.sleep(4 * live_module.TICK_S)  # it is seen to be behind
            time.sleep(4.0)  # noqa: ASYNC251  the whole process stands still
            await asyncio.sleep(4 * live_module.TICK_S)  # and is looked at again while it is still behind
            told = asyncio.create_task(_until_skipped(reader))
            async with asyncio.timeout(PATIENCE_S):
                while not told.done():
                    camera.publish()
                    await asyncio.sleep(0.02)
            await told


async def _until_skipped(reader: asyncio.StreamReader) -> None:
    """Reads up to the word of what was left out, which comes with the first picture after it."""
    data = b""
    while b'"type":"skipped"' not in data:
        more = await reader.read(1 << 16)
        assert more, "it was let go"
        data = data[-32:] + more


async def test_a_big_first_group_is_not_taken_for_slowness(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        camera = centre.camera(tuple(padded(packet, 200_000) for packet in encode(50)))
        camera.publish(25)
        assert 2 * live_module.ALLOWANCE_BYTES < 25 * 200_000
        first, second = await browser.open(centre.text(), "a"), await browser.open(centre.text(), "b")
        camera.publish(3)
        for channel in (first, second):
            pictures = await browser.pictures(channel, 28)
            assert [p.at_us for p in pictures] == [camera.at_us(n) for n in range(28)]


async def test_withdrawn_pictures_do_not_wait_for_a_slow_viewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heavy: tuple[Packet, ...]
) -> None:
    monkeypatch.setattr(live_module, "CUT_DRAIN_S", 0.3)
    monkeypatch.setattr(live_module, "TICK_S", 0.05)
    async with running(tmp_path, SystemClock()) as centre:
        camera = centre.camera(heavy)
        cut, other = centre.ticket(), centre.ticket()
        async with deaf(centre, centre.text(cut), centre.text(other)) as reader:
            await fill(centre, camera, 2)
            await centre.control.call("renew", cut=[{"ticket": cut.id}])
            reasons = await closed_reasons(centre, 4)
            assert reasons == {cut.id: "RIGHT_WITHDRAWN", other.id: "RIGHT_WITHDRAWN"}
            # What the kernel had already is all that can still be read.
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await reader.readexactly(1 << 30)


async def test_a_cut_leaves_the_other_tiles_of_a_viewer_that_keeps_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "CUT_DRAIN_S", 0.2)
    monkeypatch.setattr(live_module, "TICK_S", 0.05)
    async with running(tmp_path, SystemClock()) as centre, centre.browser() as browser:
        camera = centre.camera()
        camera.publish(5)
        cut = centre.ticket()
        gone, kept = await browser.open(centre.text(cut), "a"), await browser.open(centre.text(), "b")
        await browser.pictures(gone, 5)
        await centre.control.call("renew", cut=[{"ticket": cut.id}])
        assert (await browser.told("closed"))["channel"] == gone
        for n in range(10):
            camera.publish()
            await asyncio.sleep(0.05)  # the camera's pace: for more than twice as long as a cut may take
            await browser.pictures(kept, 6 + n)
