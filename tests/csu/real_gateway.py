"""A real gateway beside the control plane of a test, on its clock; the test is the recorder that feeds it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import aiohttp
from centre_support import ORIGIN, ManualClock
from gateway_centre import Browser as Screen

from csu.centre_state import Centre
from csu.gateway.main import GatewayConfig, gateway
from recorder.channel import ChannelClient
from recorder.feed import PacketFeedServer


@dataclass
class GatewayClock:
    """The centre's clock as the gateway reads it; what it waits for passes with it."""

    clock: ManualClock

    def now(self) -> datetime:
        return self.clock.at

    def monotonic_s(self) -> float:
        return self.clock.at.timestamp()


@dataclass
class RealGateway:
    feeds: PacketFeedServer
    channel: ChannelClient
    _port: int
    _screens: aiohttp.ClientSession

    @asynccontextmanager
    async def screen(self) -> AsyncIterator[Screen]:
        url = f"http://127.0.0.1:{self._port}/live"
        async with self._screens.ws_connect(url, headers={"Origin": ORIGIN}, max_msg_size=0) as socket:
            yield Screen(socket)


@asynccontextmanager
async def real_gateway(centre: Centre, clock: ManualClock) -> AsyncIterator[RealGateway]:
    paths = centre.settings.paths
    paths.run.mkdir(exist_ok=True)
    config = GatewayConfig(
        bind="127.0.0.1",
        port=0,
        console_origin=ORIGIN,
        keys=paths.keys,
        spool=paths.gateway,
        recordings=(paths.recordings,),
        packets_socket=paths.packets_socket,
        control_socket=paths.gateway_socket,
    )
    async with (
        PacketFeedServer(paths.packets_socket) as feeds,
        gateway(config, GatewayClock(clock)) as port,
        ChannelClient(paths.gateway_socket) as channel,
        aiohttp.ClientSession() as screens,
    ):
        yield RealGateway(feeds, channel, port, screens)
