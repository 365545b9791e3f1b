"""The one door to a camera."""

from typing import NoReturn

from streams.rtsp.client import pull_rtsp
from streams.source import PacketSink, SourceConfig


async def pull(config: SourceConfig, sink: PacketSink) -> NoReturn:
    """Fetches one camera's video until that fails: always ends by CameraError or cancellation.

    What the sink raises passes through.
    """
    if config.adapter == "pyav":
        from streams.pyav_adapter import pull_pyav  # libav is loaded only where a camera needs it

        await pull_pyav(config, sink)
    await pull_rtsp(config, sink)
