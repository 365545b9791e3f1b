"""WebRTC by WHEP (draft-ietf-wish-whep): the offer comes with a ticket, the answer sends the camera's packets.

Rights, accounts and ends are those of any lease. A peer that does not connect within 15 s is let go; one that
vanishes, when aioice misses its consent (RFC 7675), after half a minute.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import web

from csu.gateway.desk import Desk, Opened
from csu.gateway.errors import Refused
from csu.gateway.frames import Frame
from csu.gateway.hub import Hub, LiveStream

if TYPE_CHECKING:
    from aiortc import RTCPeerConnection

    from csu.gateway.peer import PacketTrack

log = logging.getLogger(__name__)

MAX_PEERS = 64
CONNECT_WITHIN_S = 15.0
CLOSE_WITHIN_S = 5.0
TICK_S = 0.5


class Session:
    """One WebRTC viewer: subscriber of its stream, holder of its lease."""

    def __init__(self, whep: Whep) -> None:
        self.id = secrets.token_urlsafe(18)
        self.opened: Opened | None = None
        self.peer: RTCPeerConnection | None = None
        self.waited_s = 0.0  # in ticks: a pause of our own is one
        self._whep = whep
        self._live: LiveStream | None = None
        self._track: PacketTrack | None = None

    def follow(self, live: LiveStream, track: PacketTrack) -> None:
        self._live, self._track = live, track
        self._whep.hub.join(live, self)

    def sent(self, frame: Frame) -> None:
        if self.opened is not None:
            self.opened.account.picture(frame.at_us, len(frame.picture))

    def frame(self, frame: Frame) -> None:
        if self._track is not None:
            self._track.push(frame)

    def format_changed(self, stream: LiveStream) -> None:
        self._interrupt()
        if not stream.is_playable and self.opened is not None:
            self._whep.desk.close(self.opened, "CODEC_NOT_PLAYABLE")

    def reordered(self) -> None:
        """WebRTC's pictures bear one time, that of showing them, and browsers show them as they come."""
        self._interrupt()
        if self.opened is not None:
            self._whep.desk.close(self.opened, "PICTURES_REORDERED")

    def skipped(self, frames: int) -> None:
        self._interrupt()

    def lost(self, fault: str) -> None:
        self._interrupt()

    def back(self) -> None:
        """Pictures simply go on: WebRTC has no word for it."""

    def _interrupt(self) -> None:
        if self._track is not None:
            self._track.interrupt()

    def lease_ended(self, code: str, reason: str) -> None:
        if self._track is not None:
            self._track.end()
        if self._live is not None:
            self._whep.hub.leave(self._live, self)
        self._whep.ended(self)


class Whep:
    """The `/whep` door and its viewers. `run` must be running."""

    def __init__(self, desk: Desk, hub: Hub, addresses: Sequence[str]) -> None:
        self.desk = desk
        self.hub = hub
        self._addresses = addresses
        self._sessions: dict[str, Session] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def create(self, request: web.Request) -> web.Response:
        """POST /whep, `Authorization: Bearer <ticket>`, an SDP offer: 201 with the answer and its Location."""
        if not self._addresses:
            raise Refused("WEBRTC_CLOSED")
        scheme, _, ticket = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or request.content_type != "application/sdp":
            raise Refused("BAD_REQUEST")
        if len(self._sessions) >= MAX_PEERS:
            raise Refused("TOO_MANY_VIEWERS")
        try:
            offer = await request.text()
        except (UnicodeDecodeError, LookupError):
            raise Refused("OFFER_REFUSED") from None
        session = Session(self)
        opened = await self.desk.open(ticket.strip(), "live", session)
        session.opened = opened
        self._sessions[session.id] = session
        with self.desk.beginning(opened):
            text = await self._connect(session, opened, offer)
        headers = {"Location": f"/whep/{session.id}"}
        return web.Response(status=201, text=text, content_type="application/sdp", headers=headers)

    async def _connect(self, session: Session, opened: Opened, offer: str) -> str:
        # In a thread: the first import takes a second, in which other viewers want their pictures.
        peers = await asyncio.to_thread(_import_peer)
        wanted = opened.lease.ticket
        live = await self.hub.find(wanted.camera, wanted.streams[0])
        if live.format is None or live.fault is not None:
            raise Refused("NO_PICTURE")
        if not live.is_playable:
            raise Refused("CODEC_NOT_PLAYABLE")
        if live.is_reordered:
            raise Refused("PICTURES_REORDERED")
        if not opened.lease.is_open:  # withdrawn meanwhile: nobody would take its end
            raise Refused("RIGHT_WITHDRAWN")
        track = peers.PacketTrack(live, session.sent)
        session.follow(live, track)
        text: str
        try:
            peer, text = await peers.answer(offer, track, self._addresses)
        except peers.OfferRefused as error:
            log.info("WebRTC offer refused: %s", error)
            raise Refused("OFFER_REFUSED") from None
        if not opened.lease.is_open:  # withdrawn meanwhile
            self._let_go(peer)
            raise Refused("RIGHT_WITHDRAWN")
        session.peer = peer
        return text

    async def delete(self, request: web.Request) -> web.Response:
        session = self._sessions.get(request.match_info["session"])
        if session is None or session.opened is None:
            raise Refused("LEASE_UNKNOWN")
        self.desk.close(session.opened, "VIEWER_LEFT")
        return web.Response(status=204)

    def ended(self, session: Session) -> None:
        """The session's lease has ended: let its peer go."""
        self._sessions.pop(session.id, None)
        if session.peer is not None:
            self._let_go(session.peer)

    def _let_go(self, peer: RTCPeerConnection) -> None:
        """Close a connection beside everything else; `close` waits for it."""
        task = asyncio.get_running_loop().create_task(_close(peer))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def run(self) -> None:
        """Let go who does not connect or has vanished. Ends by cancellation only."""
        while True:
            self._tick()
            await asyncio.sleep(TICK_S)

    def _tick(self) -> None:
        for session in list(self._sessions.values()):
            if session.peer is None or session.opened is None:
                continue
            state = session.peer.connectionState
            late = state != "connected" and session.waited_s >= CONNECT_WITHIN_S
            session.waited_s += TICK_S
            if late or state in ("failed", "closed"):
                self.desk.close(session.opened, "VIEWER_LEFT")

    async def close(self) -> None:
        """Wait until the sockets of those whose leases have ended are closed."""
        await asyncio.gather(*self._closing)


def _import_peer() -> Any:
    from csu.gateway import peer

    return peer


async def _close(peer: RTCPeerConnection) -> None:
    try:
        async with asyncio.timeout(CLOSE_WITHIN_S):
            await peer.close()
    except TimeoutError:
        log.warning("a WebRTC peer did not close in time")
