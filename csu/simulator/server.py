"""The RTSP server of all simulated cameras: one event loop, one ticker, sockets that are never waited for."""

import asyncio
import contextlib
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from csu.simulator import rtsp
from csu.simulator.cameras import STREAMS, Stream, parse_path, scene_of
from csu.simulator.client import Client, Tracks
from csu.simulator.datagrams import Datagrams
from csu.simulator.faults import SHORT_SESSION_S, Fault
from csu.simulator.loops import Loop
from csu.simulator.rtsp import Credentials, Request
from csu.simulator.stream import TICK_US, Manner, StreamSender

_MAX_LATE_TICKS = 2000  # after ten seconds without the processor, frames are skipped rather than sent late
_TURN_TICKS = 50  # what is late leaves a quarter of a second at a time, with a breath between, ...
_BREATH_S = 0.01  # ... else those who receive it over UDP find no room for all of it
_OTHER: dict[Stream, Stream] = {"main": "sub", "sub": "main"}
_MOVED = "?moved"
_SHORT = (Fault.SHORT_SESSION, Fault.OPTIONS_ONLY)

Loops = Mapping[tuple[int, Stream], Loop]  # by scene and stream


class Server:
    """Cameras 1..n on one listening socket. Without credentials, anyone may play; with `tls`, over TLS only."""

    def __init__(
        self,
        cameras: int,
        loops: Loops,
        manner: Manner,
        credentials: Credentials | None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.streams = {
            (camera, stream): StreamSender(
                camera, stream, loops[scene_of(camera), stream], manner, loops[scene_of(camera), _OTHER[stream]]
            )
            for camera in range(1, cameras + 1)
            for stream in STREAMS
        }
        self.credentials = credentials
        self._tls = tls
        self.manner = manner
        self.skipped_ticks = 0
        self._connections: set[Connection] = set()
        self._playing = asyncio.Event()

    @contextlib.asynccontextmanager
    async def serving(self, port: int, host: str = "127.0.0.1") -> AsyncIterator[int]:
        """Listen and send until the block ends; gives the port."""
        loop = asyncio.get_running_loop()
        with socket.create_server((host, port), backlog=1024) as listener:
            listener.setblocking(False)
            loop.add_reader(listener, self._accept, loop, listener)
            ticker = asyncio.create_task(self._tick_forever())
            try:
                yield listener.getsockname()[1]
            finally:
                loop.remove_reader(listener)
                ticker.cancel()
                for connection in list(self._connections):
                    connection.client.close()
                await asyncio.wait([ticker])

    def set_fault(self, camera: int, fault: Fault | None) -> None:
        """Give a camera a fault, or lift it. Raises KeyError when there is no such camera."""
        for stream in STREAMS:
            self.streams[camera, stream].set_fault(fault)
        if fault in (Fault.RESET, Fault.UNAUTHORISED):
            for connection in list(self._connections):
                if connection.camera == camera:
                    connection.client.close(reset=fault is Fault.RESET)

    def stats(self) -> dict[str, Any]:
        """Frames dropped for slow clients since the start, clients that play now, faults in force."""
        return {
            "drops": sum(s.drops for s in self.streams.values()),
            "clients": sum(c.is_open for s in self.streams.values() for c in s.clients),
            "skipped_ticks": self.skipped_ticks,
            "receiver_reports": sum(d.reports for d in self.datagrams()),
            "faults": {camera: s.fault for (camera, stream), s in self.streams.items() if s.fault and stream == "main"},
        }

    def datagrams(self) -> list[Datagrams]:
        """Of the clients that play over UDP now."""
        found = [c.datagrams for s in self.streams.values() for c in s.clients if c.is_open]
        return [d for d in found if d is not None]

    def play(self, sender: StreamSender, client: Client) -> None:
        sender.add(client)
        self._playing.set()

    def _accept(self, loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:  # none is waiting, or it has gone again
                return
            self._connections = {c for c in self._connections if c.client.is_open}
            if self._tls is not None:
                accepted.setblocking(False)
                accepted = self._tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
            self._connections.add(Connection(self, loop, accepted))

    async def _tick_forever(self) -> None:
        tick = 0
        while True:
            active = [s for s in self.streams.values() if s.clients]
            if not active:
                self._playing.clear()
                await self._playing.wait()
                tick = 0
                continue
            now_us = time.time_ns() // 1000
            last = now_us // TICK_US
            if tick > last + 2 or tick < last - _MAX_LATE_TICKS:  # the first tick, a clock step, or a long stop
                self.skipped_ticks += max(last - tick, 0) if tick else 0
                tick = last
            at_s = time.monotonic()
            upto = min(last, tick + _TURN_TICKS)
            while tick <= upto:
                for sender in active:
                    sender.tick(tick, at_s)
                tick += 1
            if upto < last:
                await asyncio.sleep(_BREATH_S)
            else:
                await asyncio.sleep(max(tick * TICK_US - time.time_ns() // 1000, 0) / 1e6)


class Connection:
    """One RTSP connection: reads requests, answers them, and joins a stream on PLAY."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
        self.client = Client(loop, connection)
        self.camera: int | None = None
        self._server = server
        self._loop = loop
        self._socket = connection
        self._buffer = bytearray()
        self._nonce = secrets.token_hex(16)
        self._session = secrets.token_hex(8)
        self._sender: StreamSender | None = None
        self._playing = False
        self._heard_s = loop.time()
        loop.add_reader(connection, self._readable)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.client.close()
            return
        self._buffer += data
        try:
            for request in rtsp.take_requests(self._buffer):
                self._answer(request)
        except (rtsp.BadRequest, UnicodeError):
            self.client.reply(rtsp.response(400, None))
            self.client.close()

    def _answer(self, request: Request) -> None:
        if not self.client.is_open:
            return
        named = parse_path(request.path)
        sender = self._server.streams.get(named) if named else None
        self._heard_s = self._loop.time()
        if request.method == "OPTIONS":
            is_old = sender is not None and sender.fault is Fault.OPTIONS_ONLY
            self._reply(200, request, {"Public": rtsp.METHODS_OF_OLD if is_old else rtsp.METHODS})
            return
        if sender is not None:
            self.camera = sender.camera
            if sender.fault is Fault.RESET:
                self.client.close(reset=True)
                return
        if not self._is_authorised(request, sender):
            self._reply(401, request, {"WWW-Authenticate": rtsp.challenge(self._nonce)})
        elif sender is None:
            self._reply(404, request)
        else:
            self._serve(request, sender)

    def _is_authorised(self, request: Request, sender: StreamSender | None) -> bool:
        if sender is not None and sender.fault is Fault.UNAUTHORISED:
            return False
        credentials = self._server.credentials
        return credentials is None or rtsp.is_authorised(request, credentials, self._nonce)

    def _serve(self, request: Request, sender: StreamSender) -> None:
        match request.method:
            case "DESCRIBE":
                self._describe(request, sender)
            case "SETUP":
                self._set_up(request, sender)
            case _ if request.headers.get("session", "").partition(";")[0] != self._session:
                self._reply(454, request)
            case "PLAY":
                self._play(request)
            case "GET_PARAMETER" if sender.fault is Fault.OPTIONS_ONLY:
                self._reply(405, request, {"Allow": rtsp.METHODS_OF_OLD})
            case "GET_PARAMETER" | "SET_PARAMETER":
                self._reply(200, request, {"Session": self._session})
            case "TEARDOWN":
                self._reply(200, request, {"Session": self._session})
                self.client.end()
            case _:
                self._reply(405, request, {"Allow": rtsp.METHODS})

    def _describe(self, request: Request, sender: StreamSender) -> None:
        if sender.fault is Fault.REDIRECT and not request.url.endswith(_MOVED):
            self._reply(302, request, {"Location": request.url + _MOVED})
            return
        fps = self._server.manner.quality.profile(sender.stream).fps
        body = rtsp.session_description(
            sender.described_sets, self._server.manner.quality.codec, fps, self._server.manner.audio
        )
        base = f"rtsp://192.0.2.1:8554{request.path}" if sender.fault is Fault.ODD_BASE else request.url
        headers = {"Content-Base": base.removesuffix(_MOVED).rstrip("/") + "/", "Content-Type": "application/sdp"}
        self._reply(200, request, headers, body)

    def _set_up(self, request: Request, sender: StreamSender) -> None:
        is_audio = request.path.endswith("/" + rtsp.AUDIO_TRACK)
        if self._playing or (self._sender is not None and self._sender is not sender):
            self._reply(455, request)
            return
        if not request.path.endswith("/" + rtsp.VIDEO_TRACK) and not (is_audio and self._server.manner.audio):
            self._reply(404, request)
            return
        if self._server.manner.udp:
            self._set_up_datagrams(request, sender)
            return
        channel = rtsp.interleaved_channel(request, 2 if is_audio else 0)
        if channel is None:
            self._reply(461, request)
            return
        self._sender = sender
        tracks = self.client.tracks
        self.client.tracks = Tracks(tracks.video, channel) if is_audio else Tracks(channel, tracks.audio)
        transport = f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
        self._accept_transport(request, sender, transport)

    def _accept_transport(self, request: Request, sender: StreamSender, transport: str) -> None:
        timeout_s = 60
        if sender.fault in _SHORT:
            timeout_s = SHORT_SESSION_S
            self._loop.call_later(timeout_s, self._end_if_forgotten)
        self._reply(200, request, {"Transport": transport, "Session": f"{self._session};timeout={timeout_s}"})

    def _end_if_forgotten(self) -> None:
        """A session of which nothing was heard for too long: twice the timeout, so that a pause of the machine that
        both run on is not taken for a client that forgot."""
        if not self.client.is_open:
            return
        left_s = self._heard_s + 2 * SHORT_SESSION_S - self._loop.time()
        if left_s <= 0:
            self.client.close()
        else:
            self._loop.call_later(left_s, self._end_if_forgotten)

    def _set_up_datagrams(self, request: Request, sender: StreamSender) -> None:
        ports = rtsp.datagram_ports(request)
        if ports is None or not request.path.endswith("/" + rtsp.VIDEO_TRACK):
            self._reply(461, request)
            if sender.fault is Fault.HANG_UP:
                self.client.end()
            return
        host, peer = self._socket.getsockname()[0], self._socket.getpeername()[0]
        client = self.client
        if client.datagrams is not None:
            client.datagrams.close()
        client.datagrams = Datagrams(self._loop, host, (peer, *ports), lambda: sender.fault)
        client.tracks = Tracks(0, None, True)
        self._sender = sender
        mine = client.datagrams.port
        transport = f"RTP/AVP;unicast;client_port={ports[0]}-{ports[1]};server_port={mine}-{mine + 1}"
        self._accept_transport(request, sender, transport)

    def _play(self, request: Request) -> None:
        if self._sender is None:
            self._reply(455, request)
            return
        url = request.url.rstrip("/")
        where = f"url={url}/{rtsp.VIDEO_TRACK};seq={self._sender.next_sequence}"
        headers = {"Session": self._session, "Range": "npt=now-", "RTP-Info": where}
        self._reply(200, request, headers)
        if not self._playing:
            self._playing = True
            self._server.play(self._sender, self.client)

    def _reply(self, status: int, request: Request, headers: dict[str, str] | None = None, body: str = "") -> None:
        self.client.reply(rtsp.response(status, request, headers, body))
