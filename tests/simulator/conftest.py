"""A running simulator with small loops, and a plain RTSP client to look at its bytes."""

import asyncio
import contextlib
import hashlib
import re
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

from csu.settings import Paths
from csu.simulator import running
from csu.simulator.cameras import QUICK
from csu.simulator.running import Plan, Simulation
from csu.simulator.stream import Manner


@dataclass(frozen=True)
class RtpPacket:
    channel: int
    sequence: int
    time: int
    marker: bool
    payload: bytes


@dataclass
class RtspClient:
    """Speaks over one connection; `secret` is `user:password` for Digest."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    url: str
    secret: str
    session: str = ""
    number: int = 0
    packets: list[RtpPacket] = field(default_factory=list)

    @classmethod
    async def connect(cls, url: str, secret: str) -> Self:
        parts = urlsplit(url)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port), url, secret)

    async def request(self, method: str, url: str, *headers: str) -> tuple[int, str]:
        """Status and text of the answer, after a second try with Digest when it is asked for."""
        status, text = await self._once(method, url, *headers)
        found = re.search(r'nonce="(\w+)"', text)
        if status == 401 and found:
            user, _, password = self.secret.partition(":")
            first = hashlib.md5(f"{user}:csu-simulator:{password}".encode()).hexdigest()
            second = hashlib.md5(f"{method}:{url}".encode()).hexdigest()
            answer = hashlib.md5(f"{first}:{found[1]}:{second}".encode()).hexdigest()
            digest = f'username="{user}", realm="csu-simulator", nonce="{found[1]}", uri="{url}", response="{answer}"'
            status, text = await self._once(method, url, *headers, f"Authorization: Digest {digest}")
        return status, text

    async def play(self, tracks: tuple[tuple[int, str], ...] = ((0, "0-1"),)) -> None:
        for track, channels in tracks:
            transport = f"Transport: RTP/AVP/TCP;unicast;interleaved={channels}"
            status, text = await self.request("SETUP", f"{self.url}/trackID={track}", transport)
            assert status == 200, text
            self.session = text.partition("Session: ")[2].partition(";")[0]
        status, text = await self.request("PLAY", self.url)
        assert status == 200, text

    async def packet(self) -> RtpPacket | bytes:
        """The next packet: RTP, or the bytes of an RTCP compound. Raises ValueError on anything else."""
        head = await self.reader.readexactly(4)
        if head[0] != 0x24:
            raise ValueError(f"expected an interleaved packet, found {head!r}")
        data = await self.reader.readexactly(int.from_bytes(head[2:], "big"))
        if head[1] % 2:
            return data
        _, kind, sequence, time, _ = struct.unpack(">BBHII", data[:12])
        return RtpPacket(head[1], sequence, time, bool(kind & 0x80), data[12:])

    async def rtp(self) -> RtpPacket:
        while isinstance(packet := await self.packet(), bytes):
            pass
        return packet

    async def report(self) -> tuple[float, int]:
        """UTC seconds and RTP time of the next sender report."""
        while isinstance(packet := await self.packet(), RtpPacket):
            pass
        seconds, fraction, time = struct.unpack(">III", packet[8:20])
        return seconds - 2_208_988_800 + fraction / 2**32, time

    async def _once(self, method: str, url: str, *headers: str) -> tuple[int, str]:
        self.number += 1
        session = (f"Session: {self.session}",) if self.session else ()
        lines = (f"{method} {url} RTSP/1.0", f"CSeq: {self.number}", *session, *headers)
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        found = re.search(r"Content-Length: (\d+)", text)
        if found:
            text += (await self.reader.readexactly(int(found[1]))).decode()
        return int(text.split(" ")[1]), text


@pytest.fixture(scope="session")
def simulator_paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A data directory with small loops of two cameras."""
    paths = Paths(Path(tmp_path_factory.mktemp("simulated")))
    running.ensure_loops(paths, 2, QUICK)
    return paths


Start = Callable[..., AbstractAsyncContextManager[Simulation]]


@pytest.fixture
def simulate(simulator_paths: Paths) -> Start:
    """Start a simulator of small cameras: `simulate(cameras=2, **options of Plan)`."""

    @contextlib.asynccontextmanager
    async def start(
        cameras: int = 2, burst: bool = False, audio: bool = False, udp: bool = False, **options: Any
    ) -> AsyncIterator[Simulation]:
        plan = Plan(cameras, 0, Manner(QUICK, burst, audio, udp), **options)
        async with running.simulating(simulator_paths, plan) as simulation:
            yield simulation

    return start


@pytest.fixture
def secret(simulator_paths: Paths) -> str:
    credentials = running.ensure_credentials(simulator_paths)
    return f"{credentials.user}:{credentials.password}"


@pytest.fixture
def connect(secret: str) -> Callable[..., AbstractAsyncContextManager[RtspClient]]:
    """Connect to a stream; the connection ends with the block."""

    @contextlib.asynccontextmanager
    async def connected(url: str, with_secret: str = secret) -> AsyncIterator[RtspClient]:
        client = await RtspClient.connect(url, with_secret)
        try:
            async with asyncio.timeout(120):
                yield client
        finally:
            client.writer.close()
            with contextlib.suppress(OSError):
                await client.writer.wait_closed()

    return connected
