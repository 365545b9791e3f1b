"""N viewers of a gateway, each on a WebSocket of its own, which read every header and decode nothing.

A process of its own: reads its orders from stdin (see `Orders`), prints `ready` once every viewer has a picture,
measures latency between the lines `begin` and `end` on stdin, and then prints what it saw as one JSON object.
"""

import asyncio
import json
import struct
import sys
import time
import uuid
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import uvloop

from csu import keys, tickets
from csu.simulator import sei

_HEADER = struct.Struct(">BBHQ")  # kind, flags, channel, UTC microseconds
_FRAGMENT = 1
_APART_S = 0.05  # between one viewer's arrival and the next


@dataclass(frozen=True, slots=True)
class Orders:
    """`viewers` are spread over `cameras`; tickets are signed with the key in `keys`."""

    url: str
    origin: str
    keys: str
    cameras: list[str]
    viewers: int


@dataclass(slots=True)
class Seen:
    first_picture_ms: list[float] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)
    frames: int = 0
    skipped: int = 0
    counts: bool = False


async def watch(session: aiohttp.ClientSession, orders: Orders, number: int, seen: Seen) -> None:
    """One viewer, for ever; its first picture is timed from before it connects."""
    await asyncio.sleep(number * _APART_S)
    began_s = time.monotonic()
    seen_first = False
    async with session.ws_connect(orders.url, origin=orders.origin, max_msg_size=0, compress=0) as socket:
        await socket.send_json({"type": "open", "ticket": _ticket(orders, number), "tile": "bench"})
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                told = json.loads(message.data)
                if told["type"] == "refused":
                    raise ConnectionError(f"refused: {told['code']}")
                seen.skipped += told.get("frames", 0) if seen.counts else 0
                continue
            kind, _, _, _ = _HEADER.unpack_from(message.data)
            if kind != _FRAGMENT:
                continue
            if not seen_first:
                seen_first = True
                seen.first_picture_ms.append((time.monotonic() - began_s) * 1000)
            if seen.counts:
                seen.frames += 1
                stamp = sei.find(message.data)
                if stamp is not None:
                    seen.latency_ms.append(time.time() * 1000 - stamp.at_us / 1000)
    raise ConnectionError("the gateway closed a viewer's socket")


def _ticket(orders: Orders, number: int) -> str:
    now = datetime.now(UTC)
    ticket = tickets.Ticket(
        id=str(uuid.uuid4()),
        camera=orders.cameras[number % len(orders.cameras)],
        act="live",
        streams=("main",),
        from_at=None,
        to_at=None,
        motif_code="bench",
        motif_reference=None,
        actor=str(uuid.UUID(int=number)),
        session="bench",
        issued_at=now,
        redeem_by_at=now + tickets.REDEEM_WITHIN,
        not_after_at=now + timedelta(hours=1),
    )
    return tickets.sign(ticket, *keys.load_private(Path(orders.keys), "ticket"))


async def look(orders: Orders, words: asyncio.StreamReader) -> Seen:
    seen = Seen()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as tasks:
        viewers = [tasks.create_task(watch(session, orders, n, seen)) for n in range(orders.viewers)]
        while len(seen.first_picture_ms) < orders.viewers:  # noqa: ASYNC110 - many tasks' progress
            await asyncio.sleep(0.05)
        print("ready", flush=True)
        await words.readuntil(b"begin\n")
        seen.counts = True
        await words.readuntil(b"end\n")
        seen.counts = False
        for viewer in viewers:
            viewer.cancel()
    return seen


async def standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def main() -> None:
    words = await standard_input()
    seen = await _told(look(Orders(**json.loads(await words.readline())), words))
    told = {"first_picture_ms": seen.first_picture_ms, "latency_ms": seen.latency_ms}
    print(json.dumps({**told, "frames": seen.frames, "skipped": seen.skipped}), flush=True)


async def _told(looking: Awaitable[Seen]) -> Seen:
    """The first reason alone, on one line, when it fails."""
    try:
        return await looking
    except* (ConnectionError, aiohttp.ClientError) as group:
        raise SystemExit(f"viewers: {group.exceptions[0]}") from None


if __name__ == "__main__":
    uvloop.run(main())
