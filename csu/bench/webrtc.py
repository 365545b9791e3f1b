"""The peer of live viewing: aiortc's stock sender, given encoded pictures, and viewers that only count.

Two processes, so that only the sender is measured. `python -m csu.bench.webrtc receive` reads `{"viewers": n}`, prints
its offers as one JSON list, reads the answers, prints `ready` once media flows to every viewer, and the number of RTP
packets at the end. `python -m csu.bench.webrtc send FILE` reads the offers and prints the answers. Both end when stdin
does. They bind 127.0.0.2, because aioice leaves 127.0.0.1 out.
"""

import asyncio
import json
import sys
import time
from fractions import Fraction
from typing import Any

import av
import uvloop
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)

from csu.bench.viewers import standard_input
from csu.gateway.peer import bind_only

ADDRESS = "127.0.0.2"
_TIME_BASE = Fraction(1, 90_000)
_FPS = 25


class LoopTrack(MediaStreamTrack):
    """Hands the encoded pictures of a loop to aiortc's sender, each at its time."""

    kind = "video"

    def __init__(self, pictures: list[bytes]) -> None:
        super().__init__()
        self._pictures = pictures
        self._began_s = time.monotonic()
        self._number = 0

    async def recv(self) -> "av.Packet[Any]":
        number, self._number = self._number, self._number + 1
        await asyncio.sleep(self._began_s + number / _FPS - time.monotonic())
        packet = av.Packet(self._pictures[number % len(self._pictures)])
        packet.pts = packet.dts = number * 90_000 // _FPS
        packet.time_base = _TIME_BASE
        return packet


def read_pictures(file: str) -> list[bytes]:
    """The access units of an MP4 file with start codes, parameter sets before key frames, as aiortc splits them."""
    with av.open(file) as container:
        stream = container.streams.video[0]
        convert = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        return [bytes(unit) for packet in container.demux(stream) for unit in convert.filter(packet) if unit.size]


async def send(file: str) -> None:
    words, pictures = await standard_input(), read_pictures(file)
    peers: list[RTCPeerConnection] = []
    answers: list[str] = []
    for offer in json.loads(await words.readline()):
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        transceiver = peer.addTransceiver(LoopTrack(pictures), direction="sendonly")
        _prepare(transceiver)
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        peers.append(peer)
        answers.append(peer.localDescription.sdp)
    print(json.dumps(answers), flush=True)
    await words.read()
    await asyncio.gather(*(peer.close() for peer in peers))


async def receive() -> None:
    words, counts = await standard_input(), _count_instead_of_decoding()
    viewers = json.loads(await words.readline())["viewers"]
    peers = [RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(viewers)]
    for peer in peers:
        _prepare(peer.addTransceiver("video", direction="recvonly"))
        await peer.setLocalDescription(await peer.createOffer())
    print(json.dumps([peer.localDescription.sdp for peer in peers]), flush=True)
    for peer, answer in zip(peers, json.loads(await words.readline()), strict=True):
        await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    while len(counts) < viewers:  # noqa: ASYNC110 - other objects' progress
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    await words.read()
    print(sum(counts.values()), flush=True)
    await asyncio.gather(*(peer.close() for peer in peers))


def _count_instead_of_decoding() -> dict[int, int]:
    """Packets by receiver. Decoding 1080p for each viewer would starve the sender that is measured."""
    counts: dict[int, int] = {}

    async def count(receiver: RTCRtpReceiver, packet: object, arrival_time_ms: int) -> None:
        counts[id(receiver)] = counts.get(id(receiver), 0) + 1

    # aiortc has no receiver that doesn't decode.
    RTCRtpReceiver._handle_rtp_packet = count  # type: ignore[method-assign, assignment]
    return counts


def _prepare(transceiver: RTCRtpTransceiver) -> None:
    codecs = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == "video/H264"])
    bind_only(transceiver, [ADDRESS])


if __name__ == "__main__":
    uvloop.run(send(sys.argv[2]) if sys.argv[1] == "send" else receive())
