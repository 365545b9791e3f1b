"""WebRTC between two real aiortc peers: pictures arrive and decode, ends end, nothing else is bound."""

import asyncio
import json
import re
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from gateway_centre import ORIGIN, PATIENCE_S, Camera, Centre, ToldClock, running
from gateway_support import CAMERA, make_ticket
from gateway_video import FPS, encode, padded
from test_gateway_desk import Room

from csu.gateway import hub as hub_module
from csu.gateway import peer as peer_module
from csu.gateway.hub import Hub, LiveStream
from csu.gateway.peer import PacketTrack, annex_b, bind_only
from csu.gateway.whep import Session, Whep
from recorder.feed import GOP_BYTES, PacketFeedClient

ADDRESS = "127.0.0.2"


def _can_bind(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
        return True


pytestmark = pytest.mark.skipif(not _can_bind(ADDRESS), reason=f"{ADDRESS} is no address of this machine")


@asynccontextmanager
async def filming(camera: Camera) -> AsyncIterator[None]:
    """The camera gives pictures at its own pace for as long as the block lasts."""

    async def film() -> None:
        while True:
            camera.publish()
            await asyncio.sleep(1 / FPS)

    task = asyncio.create_task(film())
    try:
        yield
    finally:
        task.cancel()


class Peer:
    """A browser as far as WebRTC goes."""

    def __init__(self) -> None:
        from aiortc import RTCConfiguration, RTCPeerConnection

        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.track: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.connection.on("track", self.track.set_result)

    async def offer(self, kind: str = "video") -> str:
        bind_only(self.connection.addTransceiver(kind, direction="recvonly"), [ADDRESS])
        await self.connection.setLocalDescription(await self.connection.createOffer())
        sdp: str = self.connection.localDescription.sdp
        return sdp

    async def accept(self, sdp: str) -> Any:
        from aiortc import RTCSessionDescription

        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        return await self.track


@asynccontextmanager
async def peering() -> AsyncIterator[Peer]:
    peer = Peer()
    try:
        yield peer
    finally:
        await peer.connection.close()


async def drain(track: Any) -> None:
    while True:
        await track.recv()


async def let_go(camera: Camera) -> None:
    """Until nobody follows the camera any more, and no socket of WebRTC is left."""
    async with asyncio.timeout(PATIENCE_S):
        while camera.feed.is_followed or psutil.Process().net_connections("udp"):  # noqa: ASYNC110 - of others
            await asyncio.sleep(0.02)


async def post(centre: Centre, sdp: str, ticket: str | None = None, **headers: str) -> tuple[int, str, str]:
    sent = {
        "Origin": ORIGIN,
        "Authorization": f"Bearer {ticket or centre.text()}",
        "Content-Type": "application/sdp",
    } | headers
    async with centre.session.post(f"{centre.url}/whep", data=sdp, headers=sent) as response:
        return response.status, await response.text(), response.headers.get("Location", "")


async def test_pictures_arrive_and_decode(tmp_path: Path) -> None:
    async with running(tmp_path, webrtc_addresses=(ADDRESS,)) as centre, peering() as peer:
        camera = centre.camera(encode(400, gop=50, width=320, height=240))
        camera.publish(30)
        status, answer, location = await post(centre, await peer.offer())
        assert status == 201
        assert re.findall(r"a=candidate:\S+ \d udp \d+ (\S+) \d+ typ (\w+)", answer) == [(ADDRESS, "host")]
        assert "VP8" not in answer
        async with filming(camera), asyncio.timeout(PATIENCE_S):
            track = await peer.accept(answer)
            shades: list[int] = []
            while len(shades) < 40:
                frame = await track.recv()
                shades.append(round((float(frame.to_ndarray(format="gray").mean()) - 40) / 10))
        # From the last key frame on, each picture after the one before.
        assert all((b - a) % 16 == 1 for a, b in pairwise(shades))
        bound = {socket.laddr.ip for socket in psutil.Process().net_connections("udp")}
        assert bound == {ADDRESS}
        [lease] = (await centre.control.call("renew", cut=[]))["open"]
        assert (lease["camera"], lease["act"]) == (CAMERA, "live")
        async with centre.session.delete(f"{centre.url}{location}", headers={"Origin": ORIGIN}) as response:
            assert response.status == 204
        opened, closed = await centre.wait_spooled(2)
        assert (opened["kind"], closed["kind"], closed["reason"]) == ("opened", "closed", "VIEWER_LEFT")
        assert closed["frames"] >= 40
        async with centre.session.delete(f"{centre.url}{location}", headers={"Origin": ORIGIN}) as response:
            assert response.status == 404


async def test_reordered_pictures_are_refused_with_a_reason(tmp_path: Path) -> None:
    """WebRTC gives a picture one time; browsers show it when it comes."""
    async with running(tmp_path, webrtc_addresses=(ADDRESS,)) as centre, peering() as peer:
        camera = centre.camera(encode(400, gop=50, width=320, height=240, b_frames=3))
        camera.publish(30)
        status, answer, _ = await post(centre, await peer.offer())
        assert status == 415
        refused = json.loads(answer)
        assert refused["code"] == "PICTURES_REORDERED"
        assert "WebRTC" in refused["reason"]
        assert (await centre.wait_spooled(2))[-1]["reason"] == "PICTURES_REORDERED"


async def test_a_viewer_is_let_go_when_pictures_begin_to_be_reordered(tmp_path: Path) -> None:
    async with running(tmp_path, webrtc_addresses=(ADDRESS,)) as centre, peering() as peer:
        packets = encode(400, gop=50, width=320, height=240, b_frames=3)
        in_order = [p for p in packets[:50] if p.is_key]
        camera = centre.camera(tuple(in_order))
        camera.publish()
        status, _, _ = await post(centre, await peer.offer())
        assert status == 201
        Camera(camera.feed, packets).publish(30)
        assert (await centre.wait_spooled(2))[-1]["reason"] == "PICTURES_REORDERED"


async def test_a_withdrawn_right_ends_the_pictures(tmp_path: Path) -> None:
    from aiortc.mediastreams import MediaStreamError

    async with running(tmp_path, webrtc_addresses=(ADDRESS,)) as centre, peering() as peer:
        camera = centre.camera(encode(400, gop=50, width=320, height=240))
        camera.publish(5)
        ticket = centre.ticket()
        _, answer, _ = await post(centre, await peer.offer(), centre.text(ticket))
        async with filming(camera), asyncio.timeout(PATIENCE_S):
            track = await peer.accept(answer)
            await track.recv()
            answer_to_cut = await centre.control.call("renew", cut=[{"ticket": ticket.id}])
            assert answer_to_cut["open"] == []
            with pytest.raises(MediaStreamError):
                await drain(track)
        _, closed = await centre.wait_spooled(2)
        assert closed["reason"] == "RIGHT_WITHDRAWN"


async def test_the_pictures_end_with_the_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiortc.mediastreams import MediaStreamError

    monkeypatch.setattr(hub_module, "LINGER_S", 0.1)
    clock = ToldClock()
    async with running(tmp_path, clock, webrtc_addresses=(ADDRESS,)) as centre:
        camera = centre.camera(encode(400, gop=50, width=320, height=240))
        camera.publish(5)
        async with filming(camera), asyncio.timeout(2 * PATIENCE_S):
            async with peering() as peer:
                ticket = centre.ticket()
                _, answer, _ = await post(centre, await peer.offer(), centre.text(ticket))
                track = await peer.accept(answer)
                await track.recv()
                clock.more = ticket.not_after_at - ticket.issued_at
                with pytest.raises(MediaStreamError):
                    await drain(track)
            await let_go(camera)
        _, closed = await centre.wait_spooled(2)
        assert closed["reason"] == "RIGHT_ENDED"
        assert closed["frames"] > 0


async def test_not_one_more_picture_is_taken_for_a_viewer_whose_right_ended(tmp_path: Path) -> None:
    room = Room(tmp_path)
    session = Session(Whep(room.desk, Hub(tmp_path / "packets.sock"), (ADDRESS,)))
    ticket = make_ticket(room.clock.now(), not_after_at=room.clock.now() + timedelta(seconds=30))
    session.opened = await room.desk.open(room.issuer.text(ticket), "live", session)
    live = LiveStream(CAMERA, "main")
    track = PacketTrack(live, session.sent)
    session.follow(live, track)
    room.clock.advance(29)
    room.desk.tick()
    assert live.subscribers == [session]
    room.clock.advance(1)
    room.desk.tick()
    assert live.subscribers == []
    with pytest.raises(peer_module.MediaStreamError):
        async with asyncio.timeout(PATIENCE_S):
            await track.recv()
    room.spool.close()


async def test_a_right_withdrawn_while_the_camera_is_looked_for_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "FIRST_WORD_S", 30)
    monkeypatch.setattr(hub_module, "LINGER_S", 0.1)
    async with running(tmp_path, webrtc_addresses=(ADDRESS,)) as centre, peering() as peer:
        first, *others = encode(400, gop=50, width=320, height=240)
        camera = centre.camera((padded(first, GOP_BYTES), *others))
        camera.publish(5)  # in the midst of a group that is too large to be kept: nothing is there to begin with
        ticket = centre.ticket()
        posting = asyncio.create_task(post(centre, await peer.offer(), centre.text(ticket)))
        async with asyncio.timeout(PATIENCE_S):
            while not camera.feed.is_followed:  # noqa: ASYNC110 - another task's
                await asyncio.sleep(0.02)
        await centre.control.call("renew", cut=[{"ticket": ticket.id}])
        camera.publish(50)
        status, body, _ = await posting
        assert (status, json.loads(body)["code"]) == (403, "RIGHT_WITHDRAWN")
        await peer.connection.close()
        await let_go(camera)


async def test_a_right_withdrawn_while_the_offer_is_answered_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "LINGER_S", 0.1)
    answer = peer_module.answer
    async with running(tmp_path, webrtc_addresses=(ADDRESS,)) as centre, peering() as peer:
        camera = centre.camera(encode(400, gop=50, width=320, height=240))
        camera.publish(5)
        ticket = centre.ticket()

        async def withdrawn(*args: Any) -> Any:
            answered = await answer(*args)
            await centre.control.call("renew", cut=[{"ticket": ticket.id}])
            return answered

        monkeypatch.setattr(peer_module, "answer", withdrawn)
        status, body, _ = await post(centre, await peer.offer(), centre.text(ticket))
        assert (status, json.loads(body)["code"]) == (403, "RIGHT_WITHDRAWN")
        await peer.connection.close()
        await let_go(camera)


async def test_a_pause_of_our_own_is_no_recorder_that_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe = PacketFeedClient.subscribe

    async def paused(feed: PacketFeedClient, camera: str, stream: str) -> int:
        time.sleep(1.5 * hub_module.FIRST_WORD_S)  # noqa: ASYNC251  the whole process stands still before it asks
        return await subscribe(feed, camera, stream)

    monkeypatch.setattr(PacketFeedClient, "subscribe", paused)
    async with running(tmp_path, webrtc_addresses=(ADDRESS,)) as centre, peering() as peer:
        centre.camera(encode(400, gop=50, width=320, height=240)).publish(5)
        assert (await post(centre, await peer.offer()))[0] == 201


async def test_a_used_ticket_opens_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, webrtc_addresses=(ADDRESS,)) as centre, peering() as peer:
        centre.camera().publish(5)
        text = centre.text()
        offer = await peer.offer()
        assert (await post(centre, offer, text))[0] == 201
        status, body, _ = await post(centre, offer, text)
        assert status == 403
        assert "TICKET_USED" in body


@pytest.mark.parametrize("sdp", ["", "garbage", "v=0\r\nm=video\r\n", "v=0\r\no=- 1 2 IN IP4 x\r\ns=-\r\nt=0 0\r\n"])
async def test_garbage_for_an_offer(tmp_path: Path, sdp: str) -> None:
    async with running(tmp_path, webrtc_addresses=(ADDRESS,)) as centre:
        centre.camera().publish(5)
        status, body, _ = await post(centre, sdp)
        assert status == 400
        assert "OFFER_REFUSED" in body
        assert (await centre.control.call("renew", cut=[]))["open"] == []


async def test_an_offer_of_sound_only_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path, webrtc_addresses=(ADDRESS,)) as centre, peering() as peer:
        centre.camera().publish(5)
        status, body, _ = await post(centre, await peer.offer("audio"))
        assert (status, "OFFER_REFUSED" in body) == (400, True)


async def test_refusals_before_anything_is_opened(tmp_path: Path) -> None:
    async with running(tmp_path, webrtc_addresses=(ADDRESS,)) as centre:
        assert (await post(centre, "x", Authorization="Basic eDp5"))[0] == 400
        assert (await post(centre, "x", **{"Content-Type": "text/plain"}))[0] == 400
        assert (await post(centre, "x", Origin="http://evil.example"))[0] == 403
        assert (await post(centre, "x" * 100_000))[0] == 413
        status, body, _ = await post(centre, "x")
        assert (status, "NO_PICTURE" in body) == (503, True)


async def test_closed_where_no_address_is_configured(tmp_path: Path) -> None:
    async with running(tmp_path) as centre:
        status, body, _ = await post(centre, "x")
        assert (status, "WEBRTC_CLOSED" in body) == (404, True)
        assert await centre.spooled() == []


def test_start_codes_take_the_place_of_lengths() -> None:
    assert annex_b(b"\0\0\0\2ab\0\0\0\1c", [b"S", b"P"]) == b"\0\0\0\1S\0\0\0\1P\0\0\0\1ab\0\0\0\1c"


async def test_aiortc_is_not_loaded_before_it_is_needed() -> None:
    check = "import sys, csu.gateway.main; sys.exit(any(m in sys.modules for m in ('aiortc', 'av', 'cv2')))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", check)
    assert await process.wait() == 0
