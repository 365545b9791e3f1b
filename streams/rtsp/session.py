"""One RTSP session without I/O (RFC 2326): bytes and the time in; requests, packets and CameraError out.

    OPTIONS -> DESCRIBE -> SETUP (video only) -> PLAY -> playing -> over

A 401 repeats the request once with an answer. While playing, requests only keep the session awake.
Interleaved TCP is asked for first. A camera that refuses it (461), or answers with UDP ports, is asked again for UDP,
once the owner of the sockets has told their port; over TLS it is refused, for its pictures would travel in clear. Some
hang up with that refusal (`tcp_refused`): a new session with `datagrams` asks them for UDP at once.
"""

from __future__ import annotations

import struct
from enum import Enum, auto

from streams.errors import CameraError, CameraFault
from streams.rtsp import messages, sdp
from streams.rtsp.auth import Authenticator
from streams.rtsp.messages import Address, Message
from streams.rtsp.reorder import CHANNEL
from streams.rtsp.video import H264Reader, VideoReader, reader_of
from streams.source import PacketSink, SourceInfo, Transport
from streams.ticks import at_from_ntp, unwrap_90k

_DOLLAR = 0x24
_SENDER_REPORT, _GOODBYE = 200, 203
_MAX_FOREIGN = 1000  # the camera's own requests and stray answers, between two of our keep-alives
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_MAX_STALE = 3  # times that a camera may find its own challenge out of date at once


class State(Enum):
    OPTIONS = auto()
    DESCRIBE = auto()
    SETUP = auto()
    PLAY = auto()
    PLAYING = auto()
    OVER = auto()


_MOVES = {
    State.OPTIONS: State.DESCRIBE,
    State.DESCRIBE: State.SETUP,
    State.SETUP: State.PLAY,
    State.PLAY: State.PLAYING,
}

_REFUSALS = {
    401: (CameraFault.REFUSED_CREDENTIALS, "credentials refused"),
    403: (CameraFault.REFUSED_CREDENTIALS, "access forbidden"),
    404: (CameraFault.NOT_FOUND, "no such stream"),
    454: (CameraFault.CLOSED, "the session is gone"),
}


class RedirectedError(CameraError):
    """The camera says that its stream is elsewhere."""

    def __init__(self, url: str) -> None:
        super().__init__(CameraFault.PROTOCOL, "redirected more than once")
        self.url = url


class Session:
    """The client's side of one connection. `outgoing` collects the bytes to send."""

    def __init__(
        self, address: Address, authenticator: Authenticator | None, sink: PacketSink, datagrams: bool = False
    ) -> None:
        self.state = State.OPTIONS
        self.outgoing: list[bytes] = []
        self.video: VideoReader = H264Reader(sink.packet)
        self.keep_alive_s = 30.0
        self.asks_ports = False  # the camera sends over UDP only: `set_up_datagrams` is waited for
        self.tcp_refused = False  # and UDP is not agreed on yet
        self.server_ports: tuple[int, int] | None = None  # media and RTCP, as the camera told them; 0 where it did not
        self.last_report = (0, 0.0)  # the middle of the NTP time in the last sender report, and when it came
        self._address = address
        self._authenticator = authenticator
        self._sink = sink
        self._datagrams = datagrams
        self._sequence = 0
        self._repeats = 0  # of the pending request, with an answer to a challenge
        self._method = ""
        self._server = ""
        self._identifier = ""
        self._base = self._track = self._aggregate = address.url
        self._alive_method = "OPTIONS"
        self._payload_type = -1
        self._tracks: tuple[str, ...] = ()
        self._declared_fps: float | None = None
        self._channel_control = -1
        self._foreign = 0
        self._client_port = 0  # of UDP, once that is asked for

    @property
    def playing(self) -> bool:
        return self.state is State.PLAYING

    def start(self) -> None:
        self._send("OPTIONS", self._address.url)

    def keep_alive(self) -> None:
        """To be called every `keep_alive_s` while playing."""
        self._foreign = 0
        self._send(self._alive_method, self._aggregate)

    def set_up_datagrams(self, port: int) -> None:
        """Asks again for the track, over UDP to this port, with its RTCP to the next."""
        self.asks_ports, self._client_port = False, port
        self._ask()

    def stop(self) -> None:
        """Says goodbye, if there is anything to end."""
        if self._identifier and self.state is not State.OVER:
            self._send("TEARDOWN", self._aggregate)
        self.state = State.OVER

    def receive(self, view: memoryview, end: int, now_s: float) -> int:
        """Takes what is whole in `view[:end]`; returns how many bytes are done with.

        The rest, at most a head, a body or a frame, must come again before the next bytes. `view` extends
        beyond `end` (see VideoReader.feed).
        """
        at, video = 0, self.video
        while True:
            at = video.feed(view, at, end, now_s)
            if end - at < 4:
                if end > at and view[at] in b"\r\n":
                    at += 1
                    continue
                return at
            first = view[at]
            if first == _DOLLAR:
                after = at + 4 + (view[at + 2] << 8 | view[at + 3])
                if after > end:
                    return at
                if view[at + 1] == self._channel_control:
                    self.control_packet(view[at + 4 : after], now_s)
                at = after
            elif first in b"\r\n":
                at += 1  # some cameras end a message with one line too many
            else:
                message, after = messages.parse_message(view, at, end)
                if message is None:
                    return at
                at = after
                self._message(message)

    def _send(self, method: str, url: str, headers: dict[str, str] | None = None) -> None:
        headers = dict(headers or {})
        if self._identifier:
            headers["Session"] = self._identifier
        authorization = self._authenticator.header(method, url) if self._authenticator else None
        if authorization:
            headers["Authorization"] = authorization
        self._method = method
        self._sequence += 1
        self.outgoing.append(messages.request(method, url, self._sequence, headers))

    def _message(self, message: Message) -> None:
        if message.status is None or message.header("cseq") not in (str(self._sequence), ""):
            self._foreign += 1
            if self._foreign > _MAX_FOREIGN:
                raise CameraError(CameraFault.GARBAGE, "a flood of messages that answer nothing")
            return
        if message.status == 401 and self._challenged(message):
            return
        self._repeats = 0
        if self.state is State.PLAYING:
            self._kept_alive(message.status)
        elif self.state is State.OPTIONS:
            self._options(message)
        elif self.state is State.SETUP and not self._client_port and _only_datagrams(message):
            if message.header("session"):
                self._identifier, _ = messages.parse_session(message.header("session"))
            self._ask_ports()
            self.tcp_refused = True
        elif self.state is not State.OVER:
            self._require_success(message)
            {State.DESCRIBE: self._described, State.SETUP: self._set_up, State.PLAY: self._playing}[self.state](message)

    def _challenged(self, message: Message) -> bool:
        """Repeats the request with an answer to this 401, unless an answer was refused already."""
        if self._authenticator is None:
            raise CameraError(CameraFault.REFUSED_CREDENTIALS, "the camera asks for credentials, none are set")
        challenges = message.headers.get("www-authenticate", [])
        if not self._authenticator.challenge(challenges):
            raise CameraError(CameraFault.REFUSED_CREDENTIALS, "no challenge that can be answered")
        stale = any("stale=true" in challenge.lower().replace('"', "") for challenge in challenges)
        if self._repeats >= (_MAX_STALE if stale else 1):
            return False
        self._repeats += 1
        self._resend()
        return True

    def _resend(self) -> None:
        if self.state is State.PLAYING:
            self._send(self._method, self._aggregate)
        elif self.state is not State.OVER:
            self._ask()

    def _move(self) -> None:
        self.state = _MOVES[self.state]
        if self.state is not State.PLAYING:
            self._ask()

    def _ask(self) -> None:
        """Sends the request that the state waits for an answer to."""
        if self.state is State.OPTIONS:
            self._send("OPTIONS", self._address.url)
        elif self.state is State.DESCRIBE:
            self._send("DESCRIBE", self._address.url, {"Accept": "application/sdp"})
        elif self.state is State.SETUP and self._datagrams and not self._client_port:
            self._ask_ports()
        elif self.state is State.SETUP:
            port = self._client_port
            udp, tcp = f"RTP/AVP;unicast;client_port={port}-{port + 1}", "RTP/AVP/TCP;unicast;interleaved=0-1"
            self._send("SETUP", self._track, {"Transport": udp if port else tcp})
        else:
            self._send("PLAY", self._aggregate, {"Range": "npt=0.000-"})

    def _require_success(self, message: Message) -> None:
        status = message.status or 0
        if status == 200:
            return
        if status in _REFUSALS:
            fault, words = _REFUSALS[status]
        elif status in _REDIRECTS and message.header("location"):
            raise RedirectedError(message.header("location"))
        else:
            fault, words = CameraFault.PROTOCOL, f"refused: {message.reason}"
        raise CameraError(fault, f"{self._method}: {status} {words}")

    def _options(self, message: Message) -> None:
        self._server = messages.printable(message.header("server"))
        if message.status == 401:
            self._require_success(message)
        if "GET_PARAMETER" in message.header("public").upper():
            self._alive_method = "GET_PARAMETER"
        self._move()

    def _described(self, message: Message) -> None:
        self._server = self._server or messages.printable(message.header("server"))
        description = sdp.parse(message.body)
        track = description.video()
        base = message.header("content-base") or message.header("content-location") or self._address.url
        base = messages.resolve(self._address.url, base)
        self._track = messages.resolve(base, track.control)
        self._aggregate = messages.resolve(base, description.control)
        self._payload_type, self._tracks = track.payload_type, description.kinds
        self._declared_fps = track.fps
        self.video = reader_of(track.codec, self._sink.packet, track.parameter_sets)
        self._move()

    def _set_up(self, message: Message) -> None:
        self._identifier, timeout_s = messages.parse_session(message.header("session"))
        self.keep_alive_s = timeout_s / 2
        self.tcp_refused = False
        transport = message.header("transport")
        if self._client_port:
            self.server_ports = messages.parse_ports(transport)
            self.video.attach(CHANNEL, self._payload_type)
        else:
            media, self._channel_control = messages.parse_channels(transport)
            self.video.attach(media, self._payload_type)
        self._move()

    def _ask_ports(self) -> None:
        if self._address.is_tls:
            raise CameraError(CameraFault.PROTOCOL, "pictures over UDP only, in clear: refused over rtsps")
        self.asks_ports = True

    def _playing(self, message: Message) -> None:
        self._move()
        transport: Transport = "udp" if self._client_port else "tls" if self._address.is_tls else "tcp"
        self._sink.connected(SourceInfo(self._server, self._tracks, self.video.format, self._declared_fps, transport))

    def _kept_alive(self, status: int) -> None:
        if status == 454 or status == 401:
            fault, words = _REFUSALS[status]
            raise CameraError(fault, f"{self._method}: {status} {words}")
        if status != 200 and self._method == "GET_PARAMETER":
            self._alive_method = "OPTIONS"  # advertised, yet not understood

    def _is_of_source(self, packet: memoryview, at: int, words: int) -> bool:
        """Cameras may name any source; once there have been several, only the one that is read counts."""
        return self.video.sources < 2 or not words or self._names_source(packet, at, words)

    def _may_end(self, packet: memoryview, at: int, words: int) -> bool:
        """Over UDP a goodbye must name the source that is read: whoever can forge an address must know that too."""
        return not self._client_port or self.video.source is None or self._names_source(packet, at, words)

    def _names_source(self, packet: memoryview, at: int, words: int) -> bool:
        return words > 0 and bool(struct.unpack_from(">I", packet, at + 4)[0] == self.video.source)

    def control_packet(self, packet: memoryview, now_s: float) -> None:
        """A compound RTCP packet (RFC 3550 section 6): sender reports and goodbyes, the rest passed over."""
        at = 0
        while at + 4 <= len(packet):
            first, kind, words = struct.unpack_from(">BBH", packet, at)
            after = at + 4 + 4 * words
            if first >> 6 != 2 or after > len(packet):
                return
            if not self._is_of_source(packet, at, words):
                at = after
                continue
            if kind == _SENDER_REPORT and words >= 6 and self.video.pts_90k is not None:
                ntp, rtp = struct.unpack_from(">QI", packet, at + 8)
                self.last_report = (ntp >> 16 & 0xFFFFFFFF, now_s)
                if ntp:  # zero: the camera has no clock
                    self._sink.sender_report(at_from_ntp(ntp), unwrap_90k(self.video.pts_90k, rtp), now_s)
            elif kind == _GOODBYE and self.state is State.PLAYING and self._may_end(packet, at, words):
                raise CameraError(CameraFault.CLOSED, "the camera said goodbye")
            at = after


def _only_datagrams(message: Message) -> bool:
    """Whether a camera that was asked for interleaved TCP has nothing but UDP."""
    return message.status == 461 or (message.status == 200 and messages.wants_datagrams(message.header("transport")))
