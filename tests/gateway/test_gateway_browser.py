"""What the gateway sends, played by a real browser: live through MSE, a replay with its cookie, WebRTC.

The page stands in for the console: it is served from the one origin that the gateway allows.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from gateway_centre import Camera, Centre, running
from gateway_recordings import recordings
from gateway_support import make_replay
from gateway_video import FPS, encode
from playwright.async_api import Page, async_playwright
from test_gateway_whep import ADDRESS, filming

CHROMIUM = "/usr/bin/chromium"
PATIENCE_MS = 120_000
pytestmark = pytest.mark.skipif(
    not os.path.exists(CHROMIUM), reason="needs Debian's Chromium: sudo apt-get install -y chromium"
)

PAGE = """<!doctype html><canvas width=16 height=16></canvas><video muted playsinline></video><script>
const video = document.querySelector("video"), canvas = document.querySelector("canvas");
const draw = canvas.getContext("2d", {willReadFrequently: true});
const shown = [], told = [];
function take() {
  // Of this very picture: the callback's own time is of an earlier one where the page is late.
  const picture = new VideoFrame(video);
  draw.drawImage(picture, 0, 0, 16, 16);
  shown.push([picture.timestamp / 1e6, draw.getImageData(8, 8, 1, 1).data[0]]);
  picture.close();
}
function look() { take(); video.requestVideoFrameCallback(look); }
video.requestVideoFrameCallback(look);

function live(url, ticket) {
  const socket = new WebSocket(url), source = new MediaSource(), queue = [];
  let buffer = null;
  const work = () => { if (buffer && !buffer.updating && queue.length) buffer.appendBuffer(queue.shift()); };
  socket.binaryType = "arraybuffer";
  socket.onopen = () => socket.send(JSON.stringify({type: "open", ticket, tile: "a"}));
  socket.onmessage = (message) => {
    if (typeof message.data !== "string") { queue.push(new Uint8Array(message.data, 12)); work(); return; }
    const said = JSON.parse(message.data);
    told.push(said);
    if (said.type === "opened") {
      video.src = URL.createObjectURL(source);
      source.onsourceopen = () => {
        buffer = source.addSourceBuffer(said.mime);
        buffer.onupdateend = () => {
          if (video.paused && video.buffered.length) { video.currentTime = video.buffered.start(0); video.play(); }
          work();
        };
        work();
      };
    }
  };
}

async function replay(origin, ticket, at_s) {
  const answer = await fetch(origin + "/playback",
    {method: "POST", credentials: "include", body: JSON.stringify({ticket})});
  const opened = await answer.json();
  video.crossOrigin = "use-credentials";
  video.src = origin + opened.url;
  video.currentTime = at_s;
  await new Promise((done, failed) => { video.onseeked = done; video.onerror = () => failed(video.error.message); });
  return opened.plan;
}

async function whep(origin, ticket) {
  const peer = new RTCPeerConnection({iceServers: []});
  peer.addTransceiver("video", {direction: "recvonly"});
  peer.ontrack = (event) => { video.srcObject = new MediaStream([event.track]); video.play(); };
  await peer.setLocalDescription(await peer.createOffer());
  const answer = await fetch(origin + "/whep", {method: "POST", body: peer.localDescription.sdp,
    headers: {Authorization: "Bearer " + ticket, "Content-Type": "application/sdp"}});
  await peer.setRemoteDescription({type: "answer", sdp: await answer.text()});
  return answer.headers.get("Location");
}
</script>"""


@asynccontextmanager
async def page(root: Path, **changes: Any) -> AsyncIterator[tuple[Centre, Page]]:
    """A gateway, and a page of the origin that it allows."""

    async def show(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", show)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection"]
    try:
        async with running(root, **({"console_origin": origin} | changes)) as centre, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=PATIENCE_MS)
            opened = await browser.new_page()
            opened.set_default_timeout(PATIENCE_MS)
            await opened.goto(origin)
            yield centre, opened
            await browser.close()
    finally:
        await runner.cleanup()


async def shown(page: Page, count: int) -> list[tuple[float, int]]:
    """(media time, shade's number) of the pictures that the browser showed, once there are `count`."""
    await page.wait_for_function(f"shown.length >= {count} || video.error")
    assert await page.evaluate("video.error && video.error.message") is None
    return [(time_s, round((grey - 40) / 10)) for time_s, grey in await page.evaluate("shown")]


async def until_shown(page: Page, from_s: float) -> None:
    """Until the browser shows a picture of this media time or later."""
    await page.wait_for_function(f"take(), shown.at(-1)[0] > {from_s}")


def assert_in_their_times(pictures: list[tuple[float, int]]) -> None:
    """From one shown picture to the next there are as many of the camera's as the media time says: none is missing,
    doubled or out of its order in the film. A page that is late leaves some out, and its times say so."""
    for (time_s, number), (later_s, later) in pairwise(pictures):
        assert later_s >= time_s
        assert (later - number) % 16 == round((later_s - time_s) * FPS) % 16


def has_row(pictures: list[tuple[float, int]], length: int) -> bool:
    """Whether so many were shown each right after the one before."""
    numbers = [number for _, number in pictures]
    return any(
        all((after - before) % 16 == 1 for before, after in pairwise(numbers[at : at + length]))
        for at in range(len(numbers) - length + 1)
    )


async def test_live_plays_without_holes_also_across_a_lost_camera(tmp_path: Path) -> None:
    async with page(tmp_path) as (centre, browser):
        camera = centre.camera(encode(400, width=320, height=240))
        camera.publish(30)
        url = f"{centre.url.replace('http', 'ws')}/live"
        async with filming(camera):
            await browser.evaluate("([url, ticket]) => live(url, ticket)", [url, centre.text()])
            assert_in_their_times(await shown(browser, 40))
        camera.feed.lost("stalled")
        await browser.wait_for_function("told.some((said) => said.type === 'lost')")
        # It comes back with another clock, and the player goes on without a hole to jump over.
        other = Camera(camera.feed, camera.packets)
        other.next = 100_000
        async with filming(other):
            await shown(browser, len(await shown(browser, 0)) + 40)
        assert await browser.evaluate("video.buffered.length") == 1
        assert await browser.evaluate("told.map((said) => said.type)") == ["opened", "lost", "back"]


async def test_live_shows_reordered_pictures_in_their_order(tmp_path: Path) -> None:
    async with page(tmp_path) as (centre, browser):
        camera = centre.camera(encode(400, width=320, height=240, b_frames=3))
        camera.publish(30)
        url = f"{centre.url.replace('http', 'ws')}/live"
        async with filming(camera):
            await browser.evaluate("([url, ticket]) => live(url, ticket)", [url, centre.text()])
            pictures = await shown(browser, 60)
            await until_shown(browser, pictures[0][0] + 2)
            pictures = await shown(browser, 60)
        # Before the depth of the reordering has shown, times are not yet the camera's.
        assert_in_their_times([one for one in pictures if one[0] > pictures[0][0] + 1])
        assert await browser.evaluate("video.buffered.length") == 1
        assert await browser.evaluate("told.map((said) => said.type)") == ["opened"]


async def test_a_replay_seeks_to_the_instant_asked_for(tmp_path: Path) -> None:
    began_at = datetime.now(UTC) - timedelta(seconds=60)
    with recordings(tmp_path, began_at) as made:
        made.record(began_at, 20)
        async with page(tmp_path) as (centre, browser):
            text = centre.text(make_replay(datetime.now(UTC), began_at, began_at + timedelta(seconds=20)))
            plan = await browser.evaluate(
                "([origin, ticket, at]) => replay(origin, ticket, at)", [centre.url, text, 12.02]
            )
            assert plan["items"][0]["kind"] == "clip"
            await until_shown(browser, 12.0 - 1 / FPS)
            [(time_s, shade)] = (await shown(browser, 1))[-1:]
            assert abs(time_s - 12.0) < 1 / FPS
            assert shade == round(12.0 * FPS) % 16


@pytest.mark.parametrize("b_frames", [0, 3])
async def test_a_replay_shows_no_picture_outside_its_interval(tmp_path: Path, b_frames: int) -> None:
    began_at = datetime.now(UTC) - timedelta(seconds=60)
    with recordings(tmp_path, began_at) as made:
        made.record(began_at, 20, b_frames=b_frames)
        async with page(tmp_path) as (centre, browser):
            # From between two key frames to between two parts.
            from_at, to_at = began_at + timedelta(seconds=5.4), began_at + timedelta(seconds=8.72)
            text = centre.text(make_replay(datetime.now(UTC), from_at, to_at))
            await browser.evaluate("([origin, ticket, at]) => replay(origin, ticket, at)", [centre.url, text, 3])
            assert await browser.evaluate("video.duration") == pytest.approx(3.32, abs=0.001)
            await browser.evaluate("video.currentTime = 0")
            await browser.wait_for_function("take(), shown.at(-1)[0] === 0")
            await browser.evaluate("video.play()")
            await browser.wait_for_function("video.ended")
            # A page that is late isn't called for each picture, and may not have shown the last ones.
            await browser.evaluate("video.currentTime = video.duration - 0.01")
            await until_shown(browser, 3.32 - (b_frames + 1.5) / FPS)
            pictures = await shown(browser, 10)
        first, last = round(5.4 * FPS), round(8.72 * FPS) - 1
        for time_s, shade in pictures:
            assert shade == (first + round(time_s * FPS)) % 16
        assert (0, first % 16) in pictures
        # What is sent after a picture that is shown at the end or later is not in the film.
        assert (last - pictures[-1][1]) % 16 <= b_frames


async def test_webrtc_shows_the_cameras_pictures(tmp_path: Path) -> None:
    async with page(tmp_path, webrtc_addresses=(ADDRESS,)) as (centre, browser):
        camera = centre.camera(encode(400, width=320, height=240))
        camera.publish(30)
        async with filming(camera):
            location = await browser.evaluate("([origin, ticket]) => whep(origin, ticket)", [centre.url, centre.text()])
            assert location.startswith("/whep/")
            # The page is told no media time: what tells is a row of pictures of which it was late for none.
            pictures = await shown(browser, 1)
            while not has_row(pictures, 5):
                pictures = await shown(browser, len(pictures) + 1)


async def test_another_page_gets_nothing(tmp_path: Path) -> None:
    async with page(tmp_path, console_origin="http://localhost:1") as (centre, browser):
        url = f"{centre.url.replace('http', 'ws')}/live"
        refused = "(url) => new Promise((done) => { new WebSocket(url).onclose = (event) => done(event.code); })"
        assert await browser.evaluate(refused, url) == 1006
        blocked = "(url) => fetch(url, {method: 'POST'}).then(() => 'read', () => 'blocked')"
        assert await browser.evaluate(blocked, f"{centre.url}/playback") == "blocked"
