"""One WebRTC viewer through aiortc: the camera's own packets, passed on and never decoded.

Imported only when somebody asks for WebRTC: aiortc and what it pulls in cost a second and 60 MB.
"""

import asyncio
import re
import struct
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from fractions import Fraction
from typing import Any

import av
from aioice import Candidate
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamError

from csu.gateway.frames import Frame
from csu.gateway.hub import LiveStream

MAX_QUEUED = 1000  # pictures: more than any group of pictures that the hub keeps

_TIME_BASE = Fraction(1, 90_000)
_START = b"\0\0\0\1"
# The browser finds us: candidates of the offer would only make us send to addresses that a stranger wrote, or ask the
# network for its `.local` names. An address counts once it has proved to know the session's password (RFC 8445 7.3).
_CANDIDATES = re.compile(r"^a=(candidate:|end-of-candidates).*\r?\n?", re.MULTILINE)
# aiortc reads a stranger's SDP with asserts and bare indexes.
_BAD_OFFER = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    InternalError,
    InvalidAccessError,
    InvalidStateError,
    OperationError,
)


class OfferRefused(Exception):
    """The offer can't be answered with H.264 video; the text is for the log."""


class PacketTrack(MediaStreamTrack):
    """Encoded pictures for aiortc's sender. `sent` is called for each just before it leaves.

    aiortc can't ask a camera for a key frame: a peer that loses packets waits for the camera's next one.
    """

    kind = "video"

    def __init__(self, live: LiveStream, sent: Callable[[Frame], None]) -> None:
        super().__init__()
        self._live = live
        self._sent = sent
        self._queue: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._waits_key = True
        self._started = False
        for frame in live.gop:
            self.push(frame)

    def push(self, frame: Frame) -> None:
        """Queue a picture; when too many wait, drop up to the next key frame.

        Before the peer is connected only the last group of pictures is kept: it begins with what is new.
        """
        if frame.is_key and not self._started:
            self._drop()
        if self._queue.qsize() >= MAX_QUEUED:
            self._waits_key = True
        if self._waits_key and not (frame.is_key and self._queue.qsize() < MAX_QUEUED):
            return
        self._waits_key = False
        self._queue.put_nowait(frame)

    def interrupt(self) -> None:
        """What follows does not continue what came before."""
        self._waits_key = True

    def end(self) -> None:
        """Not one more picture: what is queued is dropped."""
        self._drop()
        self._queue.put_nowait(None)

    def _drop(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()

    async def recv(self) -> Any:
        self._started = True
        frame = await self._queue.get()
        if frame is None or self._live.format is None:
            raise MediaStreamError
        sets = (self._live.format.sps, self._live.format.pps) if frame.is_key else ()
        packet = av.Packet(annex_b(frame.picture, sets))
        packet.pts = frame.pts_90k
        packet.time_base = _TIME_BASE
        self._sent(frame)
        return packet


def annex_b(picture: bytes | memoryview, parameter_sets: Sequence[bytes] = ()) -> bytes:
    """Start codes instead of lengths (H.264 annex B): both take four bytes."""
    out = bytearray(picture)
    at = 0
    while at + 4 <= len(out):
        (size,) = struct.unpack_from(">I", out, at)
        out[at : at + 4] = _START
        at += 4 + size
    return b"".join(_START + nal for nal in parameter_sets) + out


async def answer(offer: str, track: PacketTrack, addresses: Sequence[str]) -> tuple[RTCPeerConnection, str]:
    """A connection that sends `track`, and the SDP that answers the offer. Raises OfferRefused.

    Sockets are bound to `addresses` only, and no server is asked who we are.
    """
    configuration = RTCConfiguration(iceServers=[])
    peer = RTCPeerConnection(configuration)
    async with AsyncExitStack() as failed:
        failed.push_async_callback(peer.close)
        try:
            transceiver = peer.addTransceiver(track, direction="sendonly")
            _choose_h264(transceiver)
            bind_only(transceiver, addresses)
            await peer.setRemoteDescription(RTCSessionDescription(_CANDIDATES.sub("", offer), "offer"))
            await peer.setLocalDescription(await peer.createAnswer())
            text: str = peer.localDescription.sdp
            _check_answer(peer, transceiver, text)
        except _BAD_OFFER as error:
            raise OfferRefused(f"{type(error).__name__}: {error}") from error
        failed.pop_all()
    return peer, text


def _choose_h264(transceiver: RTCRtpTransceiver) -> None:
    """Before the remote description, else aiortc ignores it and sends H.264 labelled VP8."""
    codecs = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == "video/H264"])


def bind_only(transceiver: RTCRtpTransceiver, addresses: Sequence[str]) -> None:
    """Offer these addresses of ours instead of every one that the machine has, and no server for more."""
    connection = transceiver.sender.transport.transport.iceGatherer._connection
    assert connection.stun_server is None
    assert connection.turn_server is None
    gather = connection.get_component_candidates
    chosen = list(addresses)

    async def gather_chosen(component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
        return await gather(component=component, addresses=chosen, timeout=timeout)

    connection.get_component_candidates = gather_chosen  # type: ignore[method-assign] # it has no setting for it


def _check_answer(peer: RTCPeerConnection, transceiver: RTCRtpTransceiver, text: str) -> None:
    if len(peer.getTransceivers()) != 1 or transceiver.currentDirection != "sendonly":
        raise ValueError("the offer does not ask for one video track")
    if "H264/90000" not in text or "a=candidate:" not in text:
        raise ValueError("no common H.264, or none of the configured addresses is ours")
