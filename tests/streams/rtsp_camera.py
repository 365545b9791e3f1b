"""A small real RTSP camera on 127.0.0.1 that can be told to misbehave. It streams a clip in a loop."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import socket
import ssl
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from h264_clip import Clip, make_clip
from h265_clip import h265_payloads

from streams.ticks import ntp_from_at

USER, PASSWORD = "operator", "s3cret:word"


def payloads(nal: bytes, mtu: int) -> Iterator[bytes]:
    """RFC 6184: a single NAL unit, or FU-A pieces."""
    if len(nal) <= mtu:
        yield nal
        return
    body, step = nal[1:], mtu - 2
    for at in range(0, len(body), step):
        start, end = at == 0, at + step >= len(body)
        head = bytes((nal[0] & 0xE0 | 28, start << 7 | end << 6 | nal[0] & 31))
        yield head + body[at : at + step]


def rtp(sequence: int, time: int, payload: bytes, *, marker: bool = False, payload_type: int = 96) -> bytes:
    head = struct.pack(">BBHII", 0x80, marker << 7 | payload_type, sequence & 0xFFFF, time & 0xFFFFFFFF, 7)
    return head + payload


def framed(channel: int, packet: bytes) -> bytes:
    return struct.pack(">BBH", 0x24, channel, len(packet)) + packet


def picture(unit: tuple[bytes, ...], sequence: int, time: int, mtu: int = 1400, codec: str = "h264") -> list[bytes]:
    """One access unit as RTP packets, the marker on the last."""
    cut = payloads if codec == "h264" else h265_payloads
    bodies = [body for nal in unit for body in cut(nal, mtu)]
    return [rtp(sequence + number, time, body, marker=number == len(bodies) - 1) for number, body in enumerate(bodies)]


def sender_report(at: datetime, time: int) -> bytes:
    return struct.pack(">BBHIQIII", 0x80, 200, 6, 7, ntp_from_at(at), time & 0xFFFFFFFF, 0, 0)


GOODBYE = struct.pack(">BBHI", 0x81, 203, 1, 7)


@dataclass
class Manners:
    """How this camera behaves. `speed` is how many times faster than life the clip plays."""

    auth: str = ""  # "", "basic", "md5", "sha-256", "old" (Digest without qop)
    audio: bool = False
    codec: str = "H264"
    parameter_sets: bool = True  # in the description
    speed: float = 20.0
    mtu: int = 600
    pieces: int = 1  # writes a picture
    timeout_s: int = 60
    first_time: int = 0xFFFF0000
    first_sequence: int = 65_500
    answers: dict[str, bytes] = field(default_factory=dict)  # method -> raw response instead of the right one
    silent: set[str] = field(default_factory=set)  # methods never answered
    stop_after: int = 0  # pictures; 0 = never
    ending: str = "hang"  # what follows then: "hang", "close", "reset", "goodbye", "garbage", or `flood` for ever
    flood: bytes = b""
    skew_s: float = 0.0  # the camera's clock against ours
    skip_packets: set[int] = field(default_factory=set)  # dropped, counted from the start
    unit_of: dict[int, tuple[bytes, ...]] = field(default_factory=dict)
    public: str = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"
    base: str | None = "{url}/"  # Content-Base
    control: str = "track1"
    framerate: str = ""
    further: tuple[bytes, ...] = ()  # more parameter sets, in the description only
    udp: str = ""  # sends over UDP only: "refuses" TCP, "answers" it with ports, "unsaid": from ports it does not tell
    hangs_up: bool = False  # closes the connection on which it refused a transport
    answer_udp: str = ""  # the Transport of its answer to a request for UDP, instead of the right one


class Camera:
    def __init__(
        self, manners: Manners | None = None, clip: Clip | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.tls = tls
        self.manners = manners or Manners()
        self.clip = clip or make_clip()
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.connections = 0
        self.ports: tuple[socket.socket, socket.socket] | None = None  # RTP and RTCP, to the client's
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked = asyncio.Event()

    async def __aenter__(self) -> Camera:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'rtsps' if self.tls else 'rtsp'}://127.0.0.1:{self.port}/cam/01/main"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for port in self.ports or ():
            port.close()

    async def wait_request(self, method: str, count: int = 1) -> None:
        async with asyncio.timeout(90):
            while sum(asked == method for asked, _, _ in self.requests) < count:
                self._asked.clear()
                await self._asked.wait()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        playing: asyncio.Task[None] | None = None
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                method, url, _ = first.split(" ")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                self.requests.append((method, url, headers))
                self._asked.set()
                if method in self.manners.silent:
                    continue
                answer = self._answer(method, url, headers)
                writer.write(answer)
                if self.manners.hangs_up and answer.startswith(b"RTSP/1.0 461"):
                    return
                if method == "PLAY" and method not in self.manners.answers:
                    playing = asyncio.create_task(self._play(writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            if playing:
                playing.cancel()
                await asyncio.gather(playing, return_exceptions=True)
            self._tasks.discard(task)

    def _answer(self, method: str, url: str, headers: dict[str, str]) -> bytes:
        sequence = headers["cseq"]
        if method in self.manners.answers:
            return self.manners.answers[method].replace(b"{cseq}", sequence.encode())
        if method != "OPTIONS" and not self._allowed(method, headers.get("authorization", "")):
            return self._say(401, "Unauthorized", sequence, self._challenges())
        if method == "DESCRIBE":
            base = [] if self.manners.base is None else [f"Content-Base: {self.manners.base.format(url=url)}"]
            return self._say(200, "OK", sequence, [*base, "Content-Type: application/sdp"], self._sdp())
        if method == "SETUP":
            session = f"Session: 1234;timeout={self.manners.timeout_s}"
            if self.manners.udp:
                return self._set_up_udp(sequence, headers["transport"], session)
            return self._say(200, "OK", sequence, ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", session])
        return self._say(200, "OK", sequence, [f"Public: {self.manners.public}"])

    def _set_up_udp(self, sequence: str, asked: str, session: str) -> bytes:
        wanted = re.search(r"client_port=(\d+)-(\d+)", asked)
        if wanted is None and self.manners.udp == "refuses":
            return self._say(461, "Unsupported Transport", sequence, [])
        if wanted is None:
            return self._say(200, "OK", sequence, ["Transport: RTP/AVP;unicast;client_port=0-0", session])
        media, control = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.ports = media, control
        for port, number in ((media, 1), (control, 2)):
            port.bind(("127.0.0.1", 0))
            port.setblocking(False)
            port.connect(("127.0.0.1", int(wanted[number])))
        transport = f"RTP/AVP;unicast;client_port={wanted[1]}-{wanted[2]}"
        if self.manners.udp != "unsaid":
            transport += f";server_port={media.getsockname()[1]}-{control.getsockname()[1]}"
        return self._say(200, "OK", sequence, [f"Transport: {self.manners.answer_udp or transport}", session])

    def _say(self, status: int, words: str, sequence: str, headers: list[str], body: bytes = b"") -> bytes:
        lines = [f"RTSP/1.0 {status} {words}", f"CSeq: {sequence}", "Server: test", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    def _challenges(self) -> list[str]:
        return {
            "basic": ['WWW-Authenticate: Basic realm="cam"'],
            "old": ['WWW-Authenticate: Digest realm="cam", nonce="n0"'],
            "md5": ['WWW-Authenticate: Digest realm="cam", nonce="n1", qop="auth", opaque="o"'],
            "sha-256": [
                'WWW-Authenticate: Basic realm="cam"',
                'WWW-Authenticate: Digest realm="cam", nonce="n2", algorithm=MD5, qop="auth,auth-int"',
                'WWW-Authenticate: Digest realm="cam", nonce="n2", algorithm=SHA-256, qop="auth,auth-int"',
            ],
        }[self.manners.auth]

    def _allowed(self, method: str, authorization: str) -> bool:
        auth = self.manners.auth
        if not auth:
            return True
        if auth == "basic":
            return authorization == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        hasher = hashlib.sha256 if auth == "sha-256" else hashlib.md5
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', authorization))

        def hashed(*words: str) -> str:
            return hasher(":".join(words).encode()).hexdigest()

        secret, act = hashed(USER, "cam", PASSWORD), hashed(method, given.get("uri", ""))
        middle = [] if auth == "old" else [given.get("nc", ""), given.get("cnonce", ""), "auth"]
        return given.get("response") == hashed(secret, given.get("nonce", ""), *middle, act)

    def _sdp(self) -> bytes:
        format = self.clip.format
        vps, sps, pps = (base64.b64encode(nal).decode() for nal in (format.vps, format.sps, format.pps))
        more = "".join("," + base64.b64encode(nal).decode() for nal in self.manners.further)
        fmtp = f";sprop-parameter-sets={sps},{pps}{more}"
        if format.codec == "h265":
            fmtp = f";sprop-vps={vps}; sprop-sps={sps}; sprop-pps={pps}"
        fmtp = fmtp if self.manners.parameter_sets else ""
        lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=test", "t=0 0", "a=control:*"]
        if self.manners.audio:
            lines += ["m=audio 0 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=control:track0"]
        if self.manners.codec:
            lines += [
                "m=video 0 RTP/AVP 96",
                f"a=rtpmap:96 {self.manners.codec}/90000",
                f"a=control:{self.manners.control}",
            ]
            if self.manners.framerate:
                lines.append(f"a=framerate:{self.manners.framerate}")
            lines.append(f"a=fmtp:96 packetization-mode=1{fmtp}")
        return ("\r\n".join(lines) + "\r\n").encode()

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        manners, sequence, sent = self.manners, self.manners.first_sequence, 0
        step = 90_000 // self.clip.fps
        played_at = datetime.now(UTC)
        while not manners.stop_after or sent < manners.stop_after:
            time = manners.first_time + sent * step
            if sent % self.clip.fps == 1:
                # By the camera's clock, which its stamps go by too: it stands still with this process.
                at = played_at + timedelta(seconds=sent / self.clip.fps / manners.speed + manners.skew_s)
                if self.ports:
                    self.ports[1].send(sender_report(at, time))
                else:
                    writer.write(framed(1, sender_report(at, time)))
            unit = manners.unit_of.get(sent, self.clip.units[sent % len(self.clip.units)])
            packets = picture(unit, sequence, time, manners.mtu, self.clip.format.codec)
            kept = [
                p for n, p in enumerate(packets, sequence) if n - manners.first_sequence not in manners.skip_packets
            ]
            if self.ports:
                for packet in kept:
                    self.ports[0].send(packet)
            data = b"" if self.ports else b"".join(framed(0, packet) for packet in kept)
            size = max(-(-len(data) // manners.pieces), 1)
            for at_byte in range(0, len(data), size):
                writer.write(data[at_byte : at_byte + size])
                await asyncio.sleep(1 / self.clip.fps / manners.speed / manners.pieces)
            if self.ports:
                await asyncio.sleep(1 / self.clip.fps / manners.speed)
            await writer.drain()
            sequence += len(packets)
            sent += 1
        while manners.flood:
            writer.write(manners.flood)
            await writer.drain()
        self._end(writer)

    def _end(self, writer: asyncio.StreamWriter) -> None:
        ending = self.manners.ending
        if ending == "close":
            writer.close()
        elif ending == "reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER: close sends RST
            writer.transport.abort()
        elif ending == "goodbye":
            if self.ports:
                self.ports[1].send(GOODBYE)
            else:
                writer.write(framed(1, GOODBYE))
        elif ending == "garbage":
            writer.write(bytes(range(128, 256)) * 300)
