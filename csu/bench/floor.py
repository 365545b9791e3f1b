"""The floor of recording: drains the sockets of N cameras and appends the bytes to files, and nothing else.

A process of its own: reads `{"urls": [...], "directory": ...}` from stdin, prints `ready` once all streams play, and
ends at SIGTERM. The cameras must ask for no credentials.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

_BUFFER_BYTES = 256 * 1024
_LOWEST_FREE = 64 * 1024


class Drain(asyncio.BufferedProtocol):
    """Reads straight into the buffer that is appended to the file when it is nearly full."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._filled = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        if self._filled > _BUFFER_BYTES - _LOWEST_FREE:
            os.write(self._file, self._buffer[: self._filled])
            self._filled = 0


async def play(url: str, file: Path) -> asyncio.StreamWriter:
    """Shake hands for the video track, then leave the socket to a drain. A writer that nobody keeps closes it."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    session = ""
    for number, request in enumerate(
        (
            f"SETUP {url}/trackID=0 RTSP/1.0\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1",
            f"PLAY {url} RTSP/1.0",
        )
    ):
        writer.write(f"{request}\r\nCSeq: {number}\r\nSession: {session}\r\n\r\n".encode())
        answer = (await reader.readuntil(b"\r\n\r\n")).decode()
        if not answer.startswith("RTSP/1.0 200"):
            raise ConnectionError(f"expected 200 OK, found {answer.splitlines()[0]!r}")
        session = next(x.partition(": ")[2].partition(";")[0] for x in answer.split("\r\n") if x.startswith("Session:"))
    target = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    transport = cast(asyncio.Transport, writer.transport)  # of a connection both ways
    transport.set_protocol(Drain(target))
    if not transport.is_reading():  # the first picture came with the answer, and was more than a reader holds
        transport.resume_reading()
    return writer


async def drain(urls: list[str], directory: Path) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    writers = [await play(url, directory / f"{i}.rtp") for i, url in enumerate(urls)]
    print("ready", flush=True)
    await stopped.wait()
    for writer in writers:
        writer.transport.abort()


if __name__ == "__main__":
    orders = json.loads(sys.stdin.readline())
    uvloop.run(drain(orders["urls"], Path(orders["directory"])))
