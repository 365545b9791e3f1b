"""Small real H.264 clips, encoded as a camera would: key frames at a fixed distance, B-frames when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np

from streams.packets import Packet, VideoFormat


@dataclass(frozen=True)
class Clip:
    format: VideoFormat
    units: tuple[tuple[bytes, ...], ...]  # per picture its NAL units, parameter sets included
    fps: int
    shown: tuple[int, ...] = ()  # at which place each is shown

    def packets(self, base_90k: int = 0) -> list[Packet]:
        step = 90_000 // self.fps
        return [
            Packet(avcc(unit), base_90k + number * step, is_key(unit), number / self.fps, self.format)
            for number, unit in enumerate(self.units)
        ]


def is_key(unit: tuple[bytes, ...]) -> bool:
    return any(nal[0] & 31 == 5 for nal in unit)


def avcc(unit: tuple[bytes, ...]) -> bytes:
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in unit if nal[0] & 31 not in (7, 8, 9))


def split_annexb(data: bytes) -> tuple[bytes, ...]:
    parts = data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    return tuple(part for part in parts if part)


@lru_cache
def make_clip(
    width: int = 160, height: int = 96, frames: int = 50, gop: int = 25, fps: int = 25, b_frames: int = 0
) -> Clip:
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.framerate, codec.time_base, codec.gop_size = fps, Fraction(1, fps), gop
    codec.options = {
        "bf": str(b_frames),
        "preset": "ultrafast",
        "x264-params": f"aud=1:scenecut=0:b-adapt=0:bframes={b_frames}:b-pyramid=normal",
    }
    if not b_frames:
        codec.options["tune"] = "zerolatency"
    units, shown = [], []
    for number in range(frames + 1):
        picture = None
        if number < frames:
            pixels = np.full((height, width, 3), number * 4 % 256, np.uint8)
            pixels[:, number % width :] = 200
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts = number
        for packet in codec.encode(picture):
            units.append(split_annexb(bytes(packet)))
            shown.append(packet.pts or 0)
    sps = next(nal for nal in units[0] if nal[0] & 31 == 7)
    pps = next(nal for nal in units[0] if nal[0] & 31 == 8)
    return Clip(VideoFormat("h264", width, height, sps, pps), tuple(units), fps, tuple(shown))
