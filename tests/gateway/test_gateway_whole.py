"""The whole path with real processes: a simulated camera, the recorder, the gateway, a browser's socket and film.

Pictures are known by the barcode that the simulator draws: camera, and frame within its loop.
"""

import asyncio
import io
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import av
from gateway_centre import ORIGIN, Browser, Centre
from gateway_support import CAMERA, make_replay, make_ticket
from test_gateway_process import CSU, process, settle, wait_ready

from csu.keys import load_private
from csu.simulator import barcode
from csu.tickets import Ticket, sign
from recorder.channel import ChannelClient
from recorder.orders import CameraOrder, Orders, StreamAddress
from recorder.orders import sign as sign_orders

PICTURE = timedelta(milliseconds=40)


@asynccontextmanager
async def command(root: Path, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A `csu` command on this data directory; ended with the block."""
    started = await asyncio.create_subprocess_exec(
        *(str(CSU), *words), env=os.environ | {"CSU_DATA": str(root)}, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.terminate()
        await started.communicate()


def orders(root: Path, urls: dict[str, Any]) -> dict[str, str]:
    user, _, password = Path(urls["credentials_file"]).read_text().strip().partition(":")
    now = datetime.now(UTC)
    order = CameraOrder(
        camera=CAMERA,
        name="Caméra 01",
        main=StreamAddress(urls["rtsp_urls"][0], user, password),
        sub=StreamAddress(urls["sub_urls"][0], user, password),
        adapter="native",
        authorisation="27-2026-001",
        record_from_at=now - timedelta(hours=1),
        record_to_at=now + timedelta(days=300),
        retention_days=15,
    )
    _, key = load_private(root / "keys", "orders")
    return sign_orders(Orders(1, now, [order]), key)


def read_codes(film: bytes) -> list[tuple[int, int]]:
    """(camera, frame) of every picture of a film; a picture without a readable code fails."""
    codes = []
    with av.open(io.BytesIO(film), "r") as container:
        for picture in container.decode(video=0):
            reading = barcode.read(picture.to_ndarray(format="gray"))
            assert reading is not None
            codes.append((reading.camera, reading.frame))
    return codes


def assert_continuous(codes: list[tuple[int, int]], loop: int) -> None:
    assert {camera for camera, _ in codes} == {1}
    frames = [frame for _, frame in codes]
    assert frames == [(frames[0] + n) % loop for n in range(len(frames))]


@asynccontextmanager
async def centre_of(root: Path) -> AsyncIterator[Centre]:
    """All three processes on one data directory, the camera under orders."""
    paths, port = settle(root)
    async with command(root, "simulate", "--cameras", "1", "--port", "0", "--quality", "quick", "--json") as simulator:
        assert simulator.stdout is not None
        urls = json.loads(await simulator.stdout.readline())
        async with (
            command(root, "recorder"),
            process(root),
            ChannelClient(paths.recorder_socket) as recorder,
            ChannelClient(paths.gateway_socket) as control,
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
        ):
            await wait_ready(control)
            await wait_ready(recorder, "status")
            await recorder.call("put_orders", envelope=orders(root, urls))
            yield Centre(root, port, None, control, session)  # type: ignore[arg-type] # the feed is the recorder's


def text(centre: Centre, ticket: Ticket) -> str:
    return sign(ticket, *load_private(centre.root / "keys", "ticket"))


async def watch(browser: Browser, ticket: str, count: int) -> tuple[int, datetime]:
    """Open a live picture and wait until `count` came; the channel, and when the first was taken."""
    await browser.say(type="open", ticket=ticket, tile="t")
    channel = None
    while channel is None or len(browser.fragments(channel)) < count:
        message = await browser.receive()
        if isinstance(message, dict) and message["type"] == "opened":
            channel = message["channel"]
    return channel, datetime.fromtimestamp(browser.fragments(channel)[0].at_us / 1e6, UTC)


async def opened_when_written(centre: Centre, from_at: datetime, to_at: datetime) -> tuple[int, dict[str, Any]]:
    """A replay of the interval, once the recorder has all of it on its disk: it is a little behind the live picture.
    How often it was asked for, and the answer."""
    asked = 0
    while True:
        asked += 1
        body = {"ticket": text(centre, make_replay(datetime.now(UTC), from_at, to_at))}
        async with centre.session.post(f"{centre.url}/playback", json=body, headers={"Origin": ORIGIN}) as response:
            answer = await response.json()
            assert response.status == 201, answer
        items = answer["plan"]["items"]
        if {item["kind"] for item in items} == {"clip"} and to_at - datetime.fromisoformat(items[-1]["to"]) < PICTURE:
            return asked, answer
        await asyncio.sleep(0.1)


async def test_from_the_camera_to_the_browser_live_and_replayed(tmp_path: Path) -> None:
    async with centre_of(tmp_path) as centre, centre.browser() as browser:
        channel, first_at = await watch(browser, text(centre, make_ticket(datetime.now(UTC))), 150)
        live = read_codes(browser.film(channel))
        assert_continuous(live, loop=6 * 25)
        # A second tile: its first picture is there at once, from the gateway's own last group.
        sub, _ = await watch(browser, text(centre, make_ticket(datetime.now(UTC), streams=("sub",))), 5)
        assert_continuous(read_codes(browser.film(sub)), loop=6 * 10)

        # In the midst of a picture: at its edge either neighbour may be the one on the screen.
        from_at = first_at + timedelta(seconds=1, milliseconds=20)
        asked, answer = await opened_when_written(centre, from_at, from_at + timedelta(seconds=2))
        async with centre.session.get(centre.url + answer["url"], headers={"Origin": ORIGIN}) as response:
            film = await response.read()
        replayed = read_codes(film)
        assert_continuous(replayed, loop=6 * 25)
        # What was seen live is what was recorded: the same picture at the same instant.
        clip = answer["plan"]["items"][0]
        began_us = int(datetime.fromisoformat(clip["from"]).timestamp() * 1_000_000)
        taken_us = [fragment.at_us for fragment in browser.fragments(channel)]
        shown = max(n for n, at_us in enumerate(taken_us) if at_us <= began_us + 1_000)
        assert began_us - taken_us[shown] <= 40_000
        # Live is placed picture by picture, a part by its first one: they may differ by a picture's time.
        camera, frame = replayed[0]
        assert live[shown] in [(camera, (frame + step) % (6 * 25)) for step in (-1, 0, 1)]
        acts = [(e["kind"], e["act"]) for e in await centre.spooled()]
        assert acts.count(("opened", "live")) == 2
        assert acts.count(("opened", "replay")) == asked
