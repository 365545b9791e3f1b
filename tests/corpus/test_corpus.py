"""Each odd stream of the corpus through the real client, timeline and segmenter, against what index.json says."""

import asyncio
import json
import socket
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from build import CLIPS, STREAMS, build, from_bytes

from recorder.segmenter import Event, PartReady, RunEnded, RunStarted, Segmenter
from streams.codecs import CODECS
from streams.errors import CameraError
from streams.packets import Packet
from streams.pull import pull
from streams.source import SourceConfig, SourceInfo
from streams.timeline import Anchor, Timeline

INDEX: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("index.json").read_text())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(tmp_path_factory.mktemp("corpus"))
    assert build(folder) == {name: stream["sha256"] for name, stream in INDEX.items()}
    return folder


class Recording:
    """A sink that places and cuts as the recorder does, and keeps everything."""

    is_watched = True

    def __init__(self) -> None:
        self.info: SourceInfo | None = None
        self.packets: list[Packet] = []
        self.events: list[Event] = []
        self.more = asyncio.Event()
        self._timeline = Timeline(Anchor(0.0, 0))
        self._segmenter = Segmenter("6f6c1a34-8f0e-4b0a-9d57-2f3f2a0b1c01")

    def connected(self, info: SourceInfo) -> None:
        self.info = info
        self._timeline.restart()

    def packet(self, packet: Packet) -> None:
        at_us = self._timeline.place(packet.pts_90k, packet.received_s)
        if self._timeline.cut is not None:
            self.events += self._segmenter.end(self._timeline.cut.value)
        self.packets.append(packet)
        if self._segmenter.recording or packet.is_key:
            self.events += self._segmenter.push(packet, at_us)
        self.more.set()

    def sender_report(self, ntp_at: datetime, rtp_90k: int, received_s: float) -> None:
        self._timeline.sender_report(ntp_at, rtp_90k)

    def end(self, reason: str) -> None:
        self.events += self._segmenter.end(reason)


class Replayed:
    """A camera that says what is in a file."""

    def __init__(self, data: bytes, sink: Recording, expected: int) -> None:
        self._entries = list(from_bytes(data))
        self._sink = sink
        self._expected = expected
        self._answers = [said for kind, said in self._entries if kind == "answer"]
        self._said = 0
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for sock in self._sockets:
            sock.bind(("127.0.0.1", 0))
        self._client = [("", 0), ("", 0)]
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; the next goes on where it stopped."""
        try:
            while self._said < len(self._entries):
                kind, said = self._entries[self._said]
                if kind == "answer":
                    said = self._worded(said, await reader.readuntil(b"\r\n\r\n"))
                self._said += 1
                if kind == "close":
                    await self._all_come()
                    break
                if kind in ("datagram", "report"):
                    number = int(kind == "report")
                    self._sockets[number].sendto(said, self._client[number])
                else:
                    writer.write(said)
            else:
                await reader.read()  # until the client has had enough
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # a client that is redirected or had enough
        finally:
            writer.close()

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()

    def _worded(self, said: bytes, request: bytes) -> bytes:
        headers = dict(line.split(": ", 1) for line in request.decode().split("\r\n")[1:] if ": " in line)
        wanted = headers.get("Transport", "").partition("client_port=")[2]
        if wanted:
            self._client = [("127.0.0.1", int(port)) for port in wanted.split("-")]
        words = {"cseq": headers["CSeq"], "url": self.url}
        words |= {name: str(sock.getsockname()[1]) for name, sock in zip(("port", "next"), self._sockets, strict=True)}
        for name, word in words.items():
            said = said.replace(b"{" + name.encode() + b"}", word.encode())
        return said

    async def _all_come(self) -> None:
        """Datagrams are on their way for as long as they like; what TCP carries comes before its end."""
        while self._client[0][1] and len(self._sink.packets) < self._expected:
            self._sink.more.clear()
            await self._sink.more.wait()


def test_the_index_names_every_stream() -> None:
    assert set(INDEX) == set(STREAMS)


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_comes_out_as_the_index_says(corpus: Path, name: str) -> None:
    stream = INDEX[name]
    wanted = [(part["clip"], number) for part in stream["pictures"] for number in part["numbers"]]
    sink = Recording()
    camera = Replayed((corpus / f"{name}.exchange").read_bytes(), sink, len(wanted))
    async with asyncio.timeout(90), await asyncio.start_server(camera.serve, "127.0.0.1", 0) as server:
        camera.url = f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/odd"
        with pytest.raises(CameraError) as caught:
            await pull(SourceConfig(camera.url), sink)
    camera.close()
    sink.end(caught.value.fault.value)
    assert caught.value.fault.value == stream["ends"], caught.value.detail
    assert [_slices(packet.data, packet.format.codec) for packet in sink.packets] == [
        _slices_of(clip, number) for clip, number in wanted
    ]
    assert [p.lost_before for p in sink.packets] == [stream["lost"].get(str(n), 0) for n in range(len(wanted))]
    parts = [event.part for event in sink.events if isinstance(event, PartReady)]
    assert sum(part.lost for part in parts) == sum(stream["lost"].values())
    assert b"".join(b"".join(part.data) for part in parts) == b"".join(packet.data for packet in sink.packets)
    runs = [event.reason for event in sink.events if isinstance(event, RunEnded)]
    assert runs == stream["runs"]
    assert len(runs) == sum(isinstance(event, RunStarted) for event in sink.events)
    assert (sink.info.transport if sink.info else None) == stream["transport"]


def _slices(data: bytes, codec: str) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        nal = data[at + 4 : end]
        if CODECS[codec].kind_of(nal[0]) in CODECS[codec].slices:
            found.append(nal)
        at = end
    return found


def _slices_of(clip: str, number: int) -> list[bytes]:
    codec = CODECS[clip.partition("-")[0]]
    return [nal for nal in CLIPS[clip][number] if codec.kind_of(nal[0]) in codec.slices]
