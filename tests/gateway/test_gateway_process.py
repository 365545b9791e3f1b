"""`csu gateway` as its own process, on uvloop, from a settings file."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
from gateway_centre import ORIGIN, Browser, Camera, Centre
from gateway_recordings import recordings
from gateway_support import CAMERA, make_replay, write_settings
from gateway_video import decode

from csu.gateway.desk import LIVE_FLUSH_S, REPLAY_FLUSH_S
from csu.gateway.spool import Spool
from csu.keys import ensure_keys
from csu.settings import Paths
from csu.tickets import Ticket
from recorder.channel import ChannelClient, ChannelError
from recorder.feed import PacketFeedServer

CSU = Path(__file__).parents[2] / ".venv" / "bin" / "csu"


def settle(root: Path) -> tuple[Paths, int]:
    """A data directory with keys and settings."""
    paths = Paths(root)
    ensure_keys(paths.keys)
    paths.run.mkdir()
    _, port = write_settings(root)
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
    async with asyncio.timeout(120):  # a process begins, on whatever machine
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
        async with process(tmp_path) as gateway:
            await wait_ready(control)
            ticket = centre.ticket()
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


async def test_killed_while_watched_it_loses_only_what_was_served_since_the_last_entry(tmp_path: Path) -> None:
    """What `What was served` of the gateway's README says: at most 30 s of a live picture and 10 s of a replay."""
    paths, port = settle(tmp_path)
    began_at = datetime.now(UTC) - timedelta(minutes=3)
    with recordings(paths.data, began_at) as made:
        made.record(began_at, 120)
        async with (
            PacketFeedServer(paths.packets_socket) as feeds,
            ChannelClient(paths.gateway_socket) as control,
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
        ):
            centre = Centre(tmp_path, port, feeds, control, session)
            camera = Camera(feeds.stream(CAMERA, "main"))
            async with process(tmp_path) as gateway:
                await wait_ready(control)
                live = centre.ticket()
                replay = make_replay(datetime.now(UTC), began_at, began_at + timedelta(seconds=120))
                viewer = Viewer(centre, camera, live, replay)
                await viewer.begin()
                while not viewer.has_all_served(await centre.spooled()):
                    await control.call("renew")
                    await viewer.look()
                for _ in range(20):
                    await viewer.look()
                gateway.kill()
                await gateway.wait()
            killed_at = datetime.now(UTC)
            async with process(tmp_path):
                await wait_ready(control)
                entries = await centre.spooled()
    for ticket, received, longest_s in (live, viewer.pictures, LIVE_FLUSH_S), (replay, viewer.bytes, REPLAY_FLUSH_S):
        mine = [entry for entry in entries if entry["ticket"] == ticket.id]
        kinds = [entry["kind"] for entry in mine]
        assert kinds == ["opened", *["served"] * (len(kinds) - 2), "closed"]
        closed, last = mine[-1], mine[-2]
        assert (closed["reason"], closed["bytes"], closed["frames"]) == ("GATEWAY_RESTARTED", 0, 0)
        written_at = datetime.fromisoformat(last["at"])
        told = sum(entry["frames" if ticket is live else "bytes"] for entry in mine)
        # All that had come when the last entry was written is told, and what came after it is all that is lost.
        assert sum(size for at, size in received if at < written_at) <= told <= sum(size for _, size in received)
        # Entries follow one another by that time, and a turn of the gateway's: a slow machine takes longer over a turn.
        times = [*(datetime.fromisoformat(entry["at"]) for entry in mine[:-1]), killed_at]
        assert max(after - before for before, after in pairwise(times)) < timedelta(seconds=2 * longest_s)
    steps = [entry.get("page_says_stepped", []) for entry in entries if entry["ticket"] == replay.id]
    last_at = max(
        datetime.fromisoformat(e["at"]) for e in entries if e["ticket"] == replay.id and e["kind"] == "served"
    )
    told = sum(frames for stretches in steps for _, _, frames in stretches)
    assert sum(1 for at in viewer.told if at < last_at) <= told <= len(viewer.told)


@dataclass
class Viewer:
    """Somebody who watches a live picture, and beside it a replay picture by picture; when what came is remembered."""

    centre: Centre
    camera: Camera
    live: Ticket
    replay: Ticket
    pictures: list[tuple[datetime, int]] = field(default_factory=list)
    bytes: list[tuple[datetime, int]] = field(default_factory=list)
    told: list[datetime] = field(default_factory=list)

    async def begin(self) -> None:
        session, url = self.centre.session, self.centre.url
        self.camera.publish()
        headers = {"Origin": ORIGIN}
        self.browser = Browser(await session.ws_connect(f"{url}/live", headers=headers, max_msg_size=0))
        self.channel = await self.browser.open(self.centre.text(self.live))
        self.pictures.append((datetime.now(UTC), len(await self.browser.pictures(self.channel, 1))))
        body = {"ticket": self.centre.text(self.replay)}
        async with session.post(f"{url}/playback", json=body, headers=headers) as response:
            assert response.status == 201
            self.film = url + (await response.json())["url"]
        self.start = 0
        await self.read(100_000)

    async def look(self) -> None:
        """One more live picture, some more bytes of the film, one step."""
        have = len(self.browser.fragments(self.channel))
        self.camera.publish()
        came = len(await self.browser.pictures(self.channel, have + 1)) - have
        self.pictures.append((datetime.now(UTC), came))
        await self.read(100)
        if len(self.bytes) % 10 == 0:
            await self.step()
        await asyncio.sleep(0.05)

    async def read(self, size: int) -> None:
        wanted = {"Origin": ORIGIN, "Range": f"bytes={self.start}-{self.start + size - 1}"}
        async with self.centre.session.get(self.film, headers=wanted) as response:
            assert (response.status, len(await response.read())) == (206, size)
        self.start += size
        self.bytes.append((datetime.now(UTC), size))

    async def step(self) -> None:
        at = self.replay.from_at
        assert at is not None
        body = {"stepped": [{"from": at.isoformat(), "to": at.isoformat(), "frames": 1}]}
        url = self.film.replace("video.mp4", "stepped")
        async with self.centre.session.post(url, json=body, headers={"Origin": ORIGIN}) as response:
            assert response.status == 204, await response.text()
        self.told.append(datetime.now(UTC))

    def has_all_served(self, entries: list[dict[str, Any]]) -> bool:
        return {self.live.id, self.replay.id} <= {e["ticket"] for e in entries if e["kind"] == "served"}
