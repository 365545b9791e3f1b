"""A sink that keeps everything and lets a test wait for it."""

from __future__ import annotations

import asyncio
from datetime import datetime

from streams.packets import Packet
from streams.source import SourceInfo


class Collector:
    is_watched = True

    def __init__(self) -> None:
        self.infos: list[SourceInfo] = []
        self.packets: list[Packet] = []
        self.reports: list[tuple[datetime, int, float]] = []
        self._changed = asyncio.Event()

    def connected(self, info: SourceInfo) -> None:
        self.infos.append(info)
        self._changed.set()

    def packet(self, packet: Packet) -> None:
        self.packets.append(packet)
        self._changed.set()

    def sender_report(self, ntp_at: datetime, rtp_90k: int, received_s: float) -> None:
        self.reports.append((ntp_at, rtp_90k, received_s))
        self._changed.set()

    async def wait_packets(self, count: int) -> None:
        async with asyncio.timeout(90):
            while len(self.packets) < count:
                self._changed.clear()
                await self._changed.wait()


def is_whole(packet: Packet) -> bool:
    """Whether the lengths of its units lead to its very end."""
    at = 0
    while at < len(packet.data):
        at += 4 + int.from_bytes(packet.data[at : at + 4], "big")
    return at == len(packet.data)
