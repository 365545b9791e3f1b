"""Small real H.265 clips, and their RTP payloads by RFC 7798."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
from h264_clip import Clip, split_annexb

from streams import h265
from streams.packets import Packet, VideoFormat
from streams.parameters import ParameterSets


def kind(nal: bytes) -> int:
    return nal[0] >> 1 & 63


def unit_data(unit: Sequence[bytes]) -> bytes:
    """As a `Packet` has it."""
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in unit if kind(nal) not in (32, 33, 34, 35))


def is_key(unit: Sequence[bytes]) -> bool:
    return any(16 <= kind(nal) <= 21 for nal in unit)


def packets(clip: Clip) -> list[Packet]:
    step = 90_000 // clip.fps
    return [Packet(unit_data(u), n * step, is_key(u), n / clip.fps, clip.format) for n, u in enumerate(clip.units)]


@lru_cache
def make_h265_clip(
    width: int = 160, height: int = 96, frames: int = 50, gop: int = 25, fps: int = 25, options: str = "bframes=0"
) -> Clip:
    codec = av.CodecContext.create("libx265", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.framerate, codec.time_base, codec.gop_size = fps, Fraction(1, fps), gop
    rules = f"{options}:keyint={gop}:min-keyint={gop}:scenecut=0:repeat-headers=1:aud=1:log-level=none:pools=1"
    codec.options = {"preset": "ultrafast", "x265-params": rules}
    units, shown = [], []
    for number in range(frames + 1):
        picture = None
        if number < frames:
            pixels = np.full((height, width, 3), number * 4 % 256, np.uint8)
            pixels[:, number % width :] = 200
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            picture.pts = number
        for packet in codec.encode(picture):
            units.append(split_annexb(bytes(packet)))
            shown.append(packet.pts or 0)
    vps, sps, pps = (next(nal for nal in units[0] if kind(nal) == wanted) for wanted in (32, 33, 34))
    return Clip(VideoFormat("h265", *h265.picture_size(sps), sps, pps, vps), tuple(units), fps, tuple(shown))


def h265_payloads(nal: bytes, mtu: int) -> Iterator[bytes]:
    """A single NAL unit, or fragmentation units."""
    if len(nal) <= mtu:
        yield nal
        return
    body, step = nal[2:], mtu - 3
    for at in range(0, len(body), step):
        head = (at == 0) << 7 | (at + step >= len(body)) << 6 | kind(nal)
        yield bytes((nal[0] & 0x81 | 49 << 1, nal[1], head)) + body[at : at + step]


def aggregate(nals: Sequence[bytes]) -> bytes:
    return bytes((48 << 1, 1)) + b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)


def decode(clip: Clip, units: Sequence[bytes]) -> list[bytes]:
    """The pictures of length-prefixed units, as raw planes."""
    codec = av.CodecContext.create("hevc", "r")
    codec.thread_count = 1
    format = clip.format
    sets = b"".join(b"\0\0\0\1" + nal for nal in (format.vps, format.sps, format.pps))
    frames = []
    for number, unit in enumerate([*units, None]):
        packet = None
        if unit is not None:
            packet = av.Packet((b"" if number else sets) + _annexb(unit))
        frames += [frame.to_ndarray().tobytes() for frame in codec.decode(packet)]
    return frames


def _annexb(unit: bytes) -> bytes:
    out, at = b"", 0
    while at < len(unit):
        size = int.from_bytes(unit[at : at + 4], "big")
        out += b"\0\0\0\1" + unit[at + 4 : at + 4 + size]
        at += 4 + size
    return out


def sets_of(clip: Clip) -> ParameterSets:
    from streams.codecs import H265

    return ParameterSets((clip.format.vps, clip.format.sps, clip.format.pps), H265)
