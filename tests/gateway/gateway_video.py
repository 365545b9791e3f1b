"""Real H.264 from PyAV as the recorder would feed it, and real decoding of what the gateway serves.

Every picture is one shade of grey, so that a decoded frame tells its number.
"""

import io
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np

from streams.codecs import H264
from streams.decode_times import DecodeTimes
from streams.packets import Packet, VideoFormat

FPS = 25
STEP_90K = 90_000 // FPS
STEP_US = 1_000_000 // FPS


# Of another codec in name only, which is all that the gateway looks at.
H265_FORMAT = VideoFormat(
    "h265",
    128,
    72,
    bytes.fromhex("42010101600000030090000003000003001ea0102051f2e5ba4a4c2e6808000003000800000300c840"),
    b"\x44\1\xc1",
    b"\x40\1\x0c",
)


def shade(n: int) -> int:
    return 40 + n % 16 * 10


@cache
def encode(frames: int, gop: int = 25, width: int = 128, height: int = 72, b_frames: int = 0) -> tuple[Packet, ...]:
    """`frames` pictures; picture n has pts n / 25 s, and is a key frame every `gop`. With `b_frames` they are in the
    order in which they are sent."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.framerate, codec.time_base = Fraction(FPS), Fraction(1, FPS)
    codec.options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(gop), "keyint_min": str(gop), "crf": "10"}
    if b_frames:
        del codec.options["tune"]
        codec.options |= {"bf": str(b_frames), "b_strategy": "0", "b-pyramid": "normal", "sc_threshold": "0"}
    units: list[Any] = []
    for n in range(frames):
        picture = av.VideoFrame.from_ndarray(np.full((height, width, 3), shade(n), np.uint8), format="rgb24")
        picture.pts = n
        units += codec.encode(picture.reformat(format="yuv420p"))
    units += codec.encode(None)
    return tuple(_packets(units, width, height))


def _packets(units: list[Any], width: int, height: int) -> Iterator[Packet]:
    format: VideoFormat | None = None
    times = DecodeTimes(H264)
    for unit in units:
        nals = list(_nals(bytes(unit)))
        sets = {nal[0] & 0x1F: nal for nal in nals if nal[0] & 0x1F in (7, 8)}
        if sets and format is None:
            format = VideoFormat("h264", width, height, sets[7], sets[8])
        assert format is not None
        data = b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals if nal[0] & 0x1F not in (7, 8, 9))
        is_key = any(nal[0] & 0x1F == 5 for nal in nals)
        pts_90k = unit.pts * STEP_90K
        offset_90k = pts_90k - times.dts_90k(pts_90k, is_key, data, format)
        yield Packet(data, pts_90k, is_key, unit.pts / FPS, format, 0, offset_90k)


def padded(packet: Packet, size: int) -> Packet:
    """The same picture with so many bytes of filler data behind it (H.264 7.3.2.7), which decoders skip."""
    filler = b"\x0c" + b"\xff" * size + b"\x80"
    return replace(packet, data=packet.data + len(filler).to_bytes(4, "big") + filler)


def _nals(stream: bytes) -> Iterator[bytes]:
    for piece in stream.split(b"\0\0\1")[1:]:
        yield piece.rstrip(b"\0")


def decode(media: bytes) -> list[int]:
    """The shades of the pictures in an MP4, by the number that `shade` gave them (modulo 16)."""
    with av.open(io.BytesIO(media), "r") as container:
        return [round((float(f.to_ndarray(format="gray").mean()) - 40) / 10) for f in container.decode(video=0)]


def times_90k(media: bytes) -> list[int]:
    """Presentation times of the packets in an MP4."""
    with av.open(io.BytesIO(media), "r") as container:
        return [p.pts for p in container.demux(video=0) if p.pts is not None]
