"""Live over a real WebSocket, from a real feed, decoded as a browser would."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from gateway_centre import ORIGIN, PATIENCE_S, Media, ToldClock, in_future, running
from gateway_support import CAMERA, make_replay
from gateway_video import FPS, H265_FORMAT, STEP_90K, STEP_US, decode, encode, padded, times_90k

from csu.gateway import live as live_module
from csu.gateway.live import MAX_BAD_MESSAGES, MAX_CHANNELS
from streams.packets import Packet


async def test_the_last_group_comes_at_once_and_the_film_decodes(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        camera = centre.camera()
        camera.publish(30)
        channel = await browser.open(centre.text())
        first = await browser.pictures(channel, 5)
        assert first[0].is_key
        assert browser.media[channel][0].kind == 0
        camera.publish(20)
        pictures = await browser.pictures(channel, 25)
        assert [p.at_us for p in pictures] == [camera.at_us(n) for n in range(25, 50)]
        assert decode(browser.film(channel)) == [n % 16 for n in range(25, 50)]


async def test_two_browsers_share_a_stream_and_each_gets_a_whole_film(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as first, centre.browser() as second:
        camera = centre.camera()
        camera.publish(10)
        a = await first.open(centre.text())
        await first.pictures(a, 10)
        camera.publish(5)
        b = await second.open(centre.text())
        c = await second.open(centre.text())
        camera.publish(5)
        assert [p.at_us for p in await first.pictures(a, 20)] == [camera.at_us(n) for n in range(20)]
        assert [p.at_us for p in await second.pictures(b, 20)] == [camera.at_us(n) for n in range(20)]
        await second.pictures(c, 20)
        assert decode(second.film(b)) == decode(second.film(c)) == [n % 16 for n in range(20)]
        assert len(centre.feeds.connections) == 1


async def test_a_browser_that_closes_a_tile_gets_no_more_of_it(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        camera = centre.camera()
        camera.publish(5)
        kept, left = await browser.open(centre.text(), "a"), await browser.open(centre.text(), "b")
        await browser.pictures(kept, 5)
        await browser.pictures(left, 5)
        await browser.say(type="close", channel=left)
        assert (await browser.told("closed"))["channel"] == left
        camera.publish(5)
        await browser.pictures(kept, 10)
        assert len(browser.fragments(left)) == 5


async def test_what_was_served_is_in_the_spool(tmp_path: Path) -> None:
    async with running(tmp_path) as centre:
        camera = centre.camera()
        camera.publish(10)
        async with centre.browser() as browser:
            ticket = centre.ticket()
            channel = await browser.open(centre.text(ticket))
            assert [e["kind"] for e in await centre.spooled()] == ["opened"]
            await browser.pictures(channel, 10)
        opened, closed = await centre.wait_spooled(2)
        assert opened["ticket"] == closed["ticket"] == ticket.id
        assert (opened["camera"], opened["act"], opened["actor"]) == (CAMERA, "live", ticket.actor)
        assert (closed["kind"], closed["reason"], closed["frames"]) == ("closed", "VIEWER_LEFT", 10)
        assert closed["bytes"] > sum(len(media.bytes) for media in browser.fragments(channel))
        assert len(closed["intervals"]) == 1
        await centre.control.call("ack", upto=closed["n"])
        assert await centre.spooled() == []


async def test_a_withdrawn_right_ends_the_picture_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        camera = centre.camera()
        camera.publish(5)
        cut, kept = centre.ticket(), centre.ticket()
        a, b = await browser.open(centre.text(cut), "a"), await browser.open(centre.text(kept), "b")
        await browser.pictures(a, 5)
        answer = await centre.control.call(
            "renew", cut=[{"ticket": cut.id, "code": "RIGHT_WITHDRAWN", "reason": "Habilitation suspendue."}]
        )
        assert answer["cut"] == [cut.id]
        assert [lease["ticket"] for lease in answer["open"]] == [kept.id]
        camera.publish(5)
        closed = await browser.told("closed")
        assert closed == {
            "type": "closed",
            "channel": a,
            "code": "RIGHT_WITHDRAWN",
            "reason": "Habilitation suspendue.",
        }
        await browser.pictures(b, 10)
        assert len(browser.fragments(a)) == 5
        assert (await centre.control.call("renew", cut=[]))["open"][0]["camera"] == CAMERA


async def test_a_right_that_ends_ends_the_picture(tmp_path: Path) -> None:
    clock = ToldClock()
    async with running(tmp_path, clock) as centre, centre.browser() as browser:
        ticket = centre.ticket()
        await browser.open(centre.text(ticket))
        assert (await browser.told("lost"))["fault"] == "unknown_stream"
        clock.more = ticket.not_after_at - ticket.issued_at
        assert (await browser.told("closed"))["code"] == "RIGHT_ENDED"


async def test_a_lost_camera_is_told_and_comes_back_with_a_key_frame(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        camera = centre.camera()
        camera.publish(5)
        channel = await browser.open(centre.text())
        await browser.pictures(channel, 5)
        camera.feed.lost("stalled")
        lost = await browser.told("lost")
        assert (lost["channel"], lost["fault"]) == (channel, "stalled")
        assert lost["reason"] == "La caméra n'envoie plus d'image."
        camera.publish(FPS)  # the rest of a broken group, then a key frame
        assert (await browser.told("back"))["channel"] == channel
        pictures = await browser.pictures(channel, 10)
        assert pictures[5].is_key
        assert pictures[5].at_us == camera.at_us(25)
        assert decode(browser.film(channel)) == [n % 16 for n in [*range(5), *range(25, 30)]]


async def test_a_camera_that_is_not_there_yet_opens_and_says_so(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        await browser.say(type="open", ticket=centre.text(), tile="t")
        opened = await browser.told("opened")
        assert opened["mime"].startswith('video/mp4; codecs="avc1.')
        assert (await browser.told("lost"))["fault"] == "unknown_stream"
        centre.camera().publish(3)
        assert (await browser.told("back"))["channel"] == opened["channel"]
        assert (await browser.told("format"))["mime"] == f'video/mp4; codecs="{encode(400)[0].format.mime}"'
        await browser.pictures(opened["channel"], 3)
        assert decode(browser.film(opened["channel"])) == [0, 1, 2]


async def test_a_camera_that_changes_its_format_is_followed(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        camera = centre.camera()
        camera.publish(25)
        channel = await browser.open(centre.text())
        await browser.pictures(channel, 25)
        camera.packets = encode(400, width=192, height=108)
        camera.publish(25)
        assert (await browser.told("format"))["channel"] == channel
        pictures = await browser.pictures(channel, 50)
        assert pictures[25].is_key
        kinds = [media.kind for media in browser.media[channel]]
        assert kinds.count(0) == 2
        second = b"".join(media.bytes for media in browser.media[channel][26:])
        assert decode(second) == [n % 16 for n in range(25, 50)]


def _in_h265(packets: tuple[Packet, ...]) -> tuple[Packet, ...]:
    return tuple(replace(packet, format=H265_FORMAT) for packet in packets)


async def test_a_camera_in_h265_is_refused_with_its_reason(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        camera = centre.camera(_in_h265(encode(400)))
        camera.publish(5)
        await browser.say(type="open", ticket=centre.text(), tile="t")
        refused = await browser.told("refused")
        assert refused["code"] == "CODEC_NOT_PLAYABLE"
        assert "H.265" in refused["reason"]
        assert (await centre.wait_spooled(2))[-1]["reason"] == "CODEC_NOT_PLAYABLE"


async def test_a_camera_that_changes_to_h265_ends_with_its_reason(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        camera = centre.camera()
        camera.publish(25)
        channel = await browser.open(centre.text())
        await browser.pictures(channel, 25)
        camera.packets = _in_h265(encode(400))
        camera.publish(25)
        closed = await browser.told("closed")
        assert (closed["channel"], closed["code"]) == (channel, "CODEC_NOT_PLAYABLE")
        assert len([media for media in browser.media[channel] if media.kind == 1]) == 25


async def test_a_recorder_that_restarts_is_followed_again(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        camera = centre.camera()
        camera.publish(5)
        channel = await browser.open(centre.text())
        await browser.pictures(channel, 5)
        for connection in list(centre.feeds.connections):
            connection.transport.abort()
        assert (await browser.told("lost"))["fault"] == "recorder_unreachable"
        assert (await browser.told("back"))["channel"] == channel
        camera.publish(5)
        # The feed sent its last group again, so the picture is there at once; media time simply goes on.
        pictures = await browser.pictures(channel, 15)
        assert [p.at_us for p in pictures] == [camera.at_us(n) for n in [*range(5), *range(10)]]
        assert times_90k(browser.film(channel)) == [n * STEP_90K for n in range(15)]


async def test_a_slow_viewer_jumps_to_a_key_frame_and_is_told_what_it_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow one reads nothing for a while; the other one loses nothing."""
    monkeypatch.setattr(live_module, "ALLOWANCE_BYTES", 64 * 1024)
    noisy = encode(100, gop=25, width=128, height=72)
    async with running(tmp_path) as centre, centre.browser() as slow, centre.browser() as quick:
        camera = centre.camera(noisy)
        camera.publish(25)
        a, b = await slow.open(centre.text()), await quick.open(centre.text())
        await slow.pictures(a, 25)
        await quick.pictures(b, 25)
        # Fill the kernel's buffers of the one that does not read: padding as the encoder's filler data would.
        camera.packets = tuple(padded(packet, 60_000) for packet in noisy)
        sent = 25
        for _ in range(20):
            camera.publish(25)
            sent += 25
            await quick.pictures(b, sent)
        missed = 0
        resumed = None
        async with asyncio.timeout(PATIENCE_S):
            while resumed is None:
                message = await slow.receive()
                if isinstance(message, Media):
                    continue
                if message["type"] == "skipped":
                    missed = message["frames"]
                    resumed = len(slow.fragments(a))
                elif len(slow.fragments(a)) >= 25:
                    camera.publish(25)
        assert missed > 0
        pictures = await slow.pictures(a, resumed + 1)
        assert pictures[resumed].is_key
        before = (pictures[resumed - 1].at_us - camera.began_us) // STEP_US
        after = (pictures[resumed].at_us - camera.began_us) // STEP_US
        assert after - before - 1 == missed


async def test_tickets_that_open_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:

        async def refused(text: str) -> str:
            await browser.say(type="open", ticket=text, tile="t")
            message = await browser.told("refused")
            assert set(message) == {"type", "tile", "code", "reason"}
            assert message["tile"] == "t"
            code: str = message["code"]
            return code

        used = centre.text()
        await browser.open(used)
        await browser.told("lost")
        assert await refused(used) == "TICKET_USED"
        kid, payload, signature = centre.text().split(".")
        assert await refused(f"{kid}.{payload}.{signature[:-4]}AAAA") == "TICKET_INVALID"
        assert await refused("..") == "TICKET_INVALID"
        now = in_future(seconds=-20)
        late = centre.ticket(issued_at=now, redeem_by_at=now + timedelta(seconds=10))
        assert await refused(centre.text(late)) == "TICKET_LATE"
        replay = make_replay(in_future(), in_future(minutes=-5), in_future(minutes=-4))
        assert await refused(centre.text(replay)) == "TICKET_INVALID"
        cut = centre.ticket()
        await centre.control.call("renew", cut=[{"ticket": cut.id}])
        assert await refused(centre.text(cut)) == "RIGHT_WITHDRAWN"
        assert [e["kind"] for e in await centre.spooled()] == ["opened"]


async def test_a_ticket_stays_used_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        used = centre.text()
        await browser.open(used)
    async with running(tmp_path) as centre, centre.browser() as browser:
        await browser.say(type="open", ticket=used, tile="t")
        assert (await browser.told("refused"))["code"] == "TICKET_USED"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:8080.evil.example", ""])
async def test_only_the_console_may_open_a_socket(tmp_path: Path, origin: str) -> None:
    async with running(tmp_path) as centre:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            async with centre.browser(origin):
                pass
        assert refusal.value.status == 403


GARBAGE = ["", "{", "[]", "1", '"open"', "null", '{"type": "open"}', '{"type": 1}', "[" * 5000]


async def test_garbage_is_refused_and_too_much_of_it_ends_the_socket(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        for text in GARBAGE[: MAX_BAD_MESSAGES - 1]:
            await browser.socket.send_str(text)
            assert (await browser.told("refused"))["code"] == "BAD_MESSAGE"
        await browser.socket.send_bytes(b"\0\1\2")
        assert (await browser.told("refused"))["code"] == "BAD_MESSAGE"
        assert (await browser.socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert browser.socket.close_code == 1008


@pytest.mark.parametrize(
    "message",
    [
        {"type": "open", "ticket": 5, "tile": "t"},
        {"type": "open", "ticket": "x", "tile": "t" * 65},
        {"type": "open", "ticket": "x", "tile": None},
        {"type": "close", "channel": [1]},
        {"type": "close"},
        {"type": "shout"},
    ],
)
async def test_wrong_types_are_refused(tmp_path: Path, message: object) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        await browser.socket.send_str(json.dumps(message))
        assert (await browser.told("refused"))["code"] == "BAD_MESSAGE"
        await browser.say(type="ping")
        await browser.open(centre.text())


async def test_a_message_that_is_too_long_ends_only_its_own_socket(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser, centre.browser() as other:
        centre.camera().publish(3)
        channel = await other.open(centre.text())
        await browser.say(type="open", ticket="x" * 100_000, tile="t")
        assert (await browser.socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert browser.socket.close_code == 1009
        await other.pictures(channel, 3)


async def test_tiles_are_bounded(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        centre.camera().publish(1)
        for n in range(MAX_CHANNELS):
            await browser.open(centre.text(), str(n))
        await browser.say(type="open", ticket=centre.text(), tile="more")
        assert (await browser.told("refused"))["code"] == "TOO_MANY_CHANNELS"


async def test_a_wall_opens_side_by_side(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        names = [str(uuid4()) for _ in range(16)]
        for name in names:
            centre.camera(name=name, stream="sub").publish(5)
        for name in names:
            text = centre.text(centre.ticket(camera=name, streams=("sub",)))
            await browser.say(type="open", ticket=text, tile=name)
        opened: dict[str, dict[str, Any]] = {}
        while len(opened) < 16:
            message = await browser.receive()
            if isinstance(message, dict):
                opened[message["tile"]] = message
        assert set(opened) == set(names)
        assert all(message["camera"] == tile for tile, message in opened.items())
        assert len({message["channel"] for message in opened.values()}) == 16


async def test_the_end_of_the_gateway_says_goodbye(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        async with running(tmp_path) as centre:
            socket = await session.ws_connect(f"{centre.url}/live", headers={"Origin": ORIGIN})
            await socket.send_str(json.dumps({"type": "open", "ticket": centre.text(), "tile": "t"}))
            for kind in ("opened", "lost"):
                assert (await socket.receive_json())["type"] == kind

            async def farewell() -> list[str]:
                return [json.loads(message.data)["code"] async for message in socket]

            told = asyncio.create_task(farewell())
        assert await told == ["SHUTTING_DOWN"]
        assert socket.close_code == 1001
