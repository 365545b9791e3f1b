"""The second adapter: libav reads the camera, in a thread of its own, for sources our client does not speak.

Several times dearer than `streams/rtsp`, so it is chosen per camera. Video only, H.264 and H.265, never decoded.
This is the room's only module that imports PyAV, and is itself imported on first use.

Facts of libav that shape it. `timeout` is its protocol's option, in microseconds, and fires at about twice
its value; PyAV's argument of that name takes the interpreter's lock at every read. Closing a container under
a blocked reader frees memory in use: so a reader that must stop is told, and ends by itself at its next
picture or at its timeout. It delivers nothing once told. libav shows no sender reports: the camera's clock
stays unknown.
"""

from __future__ import annotations

import asyncio
import threading
import time
from fractions import Fraction
from typing import Any, NoReturn
from urllib.parse import quote

import av
import av.error

from streams.awake import running_awake
from streams.codecs import H264, H265, Codec
from streams.decode_times import DecodeTimes
from streams.errors import CameraError, CameraFault
from streams.h264 import split_annexb
from streams.packets import Packet
from streams.parameters import ParameterSets
from streams.rtsp.messages import check_url
from streams.source import PacketSink, SourceConfig, SourceInfo
from streams.ticks import TICKS_PER_S

STALL_S = 5.0
OPEN_S = 15.0
END_S = 1.0
MAX_WAITING = 250  # packets handed over and not yet taken by the loop
SCHEMES = ("rtsp", "rtsps")
_CODECS = {"h264": H264, "hevc": H265}

_OPTIONS = {
    "rtsp_transport": "tcp",
    "allowed_media_types": "video",
    "timeout": "5000000",
    "fflags": "nobuffer",
    "probesize": "32768",
    "analyzeduration": "0",
}
_FAULTS: tuple[tuple[type[Exception], CameraFault], ...] = (
    (av.error.HTTPUnauthorizedError, CameraFault.REFUSED_CREDENTIALS),
    (av.error.HTTPForbiddenError, CameraFault.REFUSED_CREDENTIALS),
    (av.error.HTTPNotFoundError, CameraFault.NOT_FOUND),
    (av.error.TimeoutError, CameraFault.TIMEOUT),
    (av.error.EOFError, CameraFault.CLOSED),
    (av.error.ConnectionResetError, CameraFault.RESET),
    (av.error.BrokenPipeError, CameraFault.RESET),
    (av.error.InvalidDataError, CameraFault.PROTOCOL),
    (av.error.HTTPError, CameraFault.PROTOCOL),
    (av.error.OSError, CameraFault.UNREACHABLE),
)


async def pull_pyav(config: SourceConfig, sink: PacketSink) -> NoReturn:
    """Fetches one camera through libav. Ends by CameraError, what the sink raised, or cancellation."""
    try:
        check_url(config.url, SCHEMES)
    except ValueError as error:
        raise CameraError(CameraFault.UNREACHABLE, str(error)) from None
    if config.certificate is not None:
        raise CameraError(
            CameraFault.PROTOCOL, "libav cannot check a certificate's fingerprint: use the native adapter"
        )
    reader = _Reader(config, sink, asyncio.get_running_loop())
    thread = threading.Thread(target=reader.run, name="pyav-camera", daemon=True)
    thread.start()
    try:
        await _watch(reader)
    finally:
        reader.stopped = True
        if not reader.ended.cancel():
            reader.ended.exception()  # it may have failed while the task was being cancelled: no complaint
        await asyncio.wait((reader.gone,), timeout=END_S)


async def _watch(reader: _Reader) -> NoReturn:
    """Without our own pauses, like `rtsp/client.py`."""
    awake, began_s = running_awake(), time.monotonic()
    while True:
        await asyncio.wait((reader.ended,), timeout=STALL_S / 5)
        if reader.ended.done():
            reader.ended.result()
        now_s = time.monotonic()
        if reader.last_s is None and awake.waited_s(began_s, now_s) > OPEN_S:
            raise CameraError(CameraFault.TIMEOUT, f"no picture within {OPEN_S:.0f} s")
        if reader.last_s is not None and awake.waited_s(reader.last_s, now_s) > STALL_S:
            raise CameraError(CameraFault.STALLED, f"no picture for {STALL_S:.0f} s")


class _Reader:
    """Lives in its thread; hands over to the loop by `call_soon_threadsafe` alone."""

    def __init__(self, config: SourceConfig, sink: PacketSink, loop: asyncio.AbstractEventLoop) -> None:
        self.stopped = False
        self.ended: asyncio.Future[NoReturn] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.last_s: float | None = None
        self._config = config
        self._sink = sink
        self._loop = loop
        self._codec: Codec = H264
        self._parameters = ParameterSets()
        self._decode_times = DecodeTimes(H264)
        self._waiting = 0
        self._started = False
        self._lost = 0

    def run(self) -> None:
        """The thread's body."""
        try:
            self._read()
        except CameraError as error:
            self._hand_over(self._end, error)
        except av.error.FFmpegError as error:
            self._hand_over(self._end, _camera_error(error))
        except Exception as error:  # top of the thread: the task that pulls must hear of it
            self._hand_over(self._end, error)
        finally:
            self._hand_over(self._leave)

    def _read(self) -> None:
        with av.open(_with_credentials(self._config), options=_OPTIONS) as container:
            stream = next(iter(container.streams.video), None)
            if stream is None:
                raise CameraError(CameraFault.NO_VIDEO, "no video track")
            if stream.codec_context.name not in _CODECS:
                raise CameraError(CameraFault.UNSUPPORTED_CODEC, f"video only as {stream.codec_context.name}")
            self._codec = _CODECS[stream.codec_context.name]
            self._parameters = ParameterSets(codec=self._codec)
            self._decode_times = DecodeTimes(self._codec)
            self._take_parameters(split_annexb(bytes(stream.codec_context.extradata or b"")))
            info = SourceInfo("libav", tuple(s.type for s in container.streams), self._parameters.renew())
            self._hand_over(self._sink.connected, info)
            scale = (stream.time_base or Fraction(1, TICKS_PER_S)) * TICKS_PER_S
            for packet in container.demux(stream):
                if self.stopped:
                    return
                if packet.pts is not None and packet.size:
                    self._take(bytes(packet), round(packet.pts * scale))
            raise CameraError(CameraFault.CLOSED, "the camera ended the stream")

    def _take(self, data: bytes, pts_90k: int) -> None:
        nals = self._take_parameters(split_annexb(data))
        kinds = {self._codec.kind_of(nal[0]) for nal in nals}
        if not kinds & self._codec.slices:
            return
        is_key = not kinds.isdisjoint(self._codec.keys)
        format = self._parameters.renew() if is_key else self._parameters.format
        if self._waiting > MAX_WAITING or format is None or not (is_key or self._started):
            # The loop is behind, or the first key frame is still to come: on from the next one.
            self._lost += self._started
            self._started = self._started and self._waiting <= MAX_WAITING
            return
        unit = b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)
        offset_90k = pts_90k - self._decode_times.dts_90k(pts_90k, is_key, unit, format)
        packet = Packet(unit, pts_90k, is_key, time.monotonic(), format, self._lost, offset_90k)
        self._started, self._lost = True, 0
        self._waiting += 1
        self._hand_over(self._deliver, packet)

    def _take_parameters(self, nals: list[bytes]) -> list[bytes]:
        codec = self._codec
        sets = (codec.vps, codec.sps, codec.pps)
        return [
            nal
            for nal in nals
            if codec.kind_of(nal[0]) not in codec.without_picture
            and not (codec.kind_of(nal[0]) in sets and self._parameters.take(nal))
        ]

    def _hand_over(self, function: Any, *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(self._in_loop, function, *args)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self.stopped = True

    def _in_loop(self, function: Any, *args: object) -> None:
        if self.stopped and function != self._leave:
            return
        try:
            function(*args)
        except Exception as error:  # the sink's own fault belongs to the task that pulls
            self._end(error)

    def _deliver(self, packet: Packet) -> None:
        self._waiting -= 1
        self.last_s = packet.received_s
        self._sink.packet(packet)

    def _end(self, error: Exception) -> None:
        self.stopped = True
        if not self.ended.done():
            self.ended.set_exception(error)

    def _leave(self) -> None:
        if not self.gone.done():
            self.gone.set_result(None)


def _with_credentials(config: SourceConfig) -> str:
    """libav takes them in the address only; this one is never stored, logged or shown."""
    if config.username is None:
        return config.url
    scheme, rest = config.url.split("://", 1)
    return f"{scheme}://{quote(config.username, safe='')}:{quote(config.password, safe='')}@{rest}"


def _camera_error(error: av.error.FFmpegError) -> CameraError:
    """Without the error's own text, which repeats the address and the password in it."""
    for kind, fault in _FAULTS:
        if isinstance(error, kind):
            return CameraError(fault, f"libav: {kind.__name__}")
    return CameraError(CameraFault.PROTOCOL, f"libav: {type(error).__name__}")
