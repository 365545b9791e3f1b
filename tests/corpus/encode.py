"""Encodes the pictures that the corpus is made of into clips.json. Done once: what is built from them must not change.

python tests/corpus/encode.py
"""

import base64
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FRAMES, GOP = 12, 4
SIZES = {"large": (112, 80), "small": (64, 48)}
OPTIONS = {
    "h264": ("libx264", {"bf": "0", "preset": "veryfast", "crf": "30", "threads": "1", "x264-params": "scenecut=0"}),
    "h265": ("libx265", {"preset": "ultrafast", "crf": "30"}),
}
_X265 = f"bframes=0:keyint={GOP}:min-keyint={GOP}:scenecut=0:open-gop=0:repeat-headers=1:log-level=none:pools=1:info=0"


# Sent in another order than shown: build.py knows when each of these pictures is.
REORDERED = {
    "h264": {"bf": "2", "x264-params": "scenecut=0:b-adapt=0:open-gop=0:b-pyramid=none"},
    "h265": {"x265-params": _X265.replace("bframes=0", "bframes=2:b-adapt=0").replace(f"keyint={GOP}", "keyint=6")},
}


def encode(codec: str, width: int, height: int, reordered: bool = False) -> list[list[str]]:
    """Each picture's NAL units in base64, parameter sets with the key frames, no delimiter nor message."""
    name, options = OPTIONS[codec]
    context = av.CodecContext.create(name, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.framerate, context.time_base, context.gop_size = 25, Fraction(1, 25), 6 if reordered else GOP
    context.options = {**options, **({"x265-params": _X265} if codec == "h265" else {})}
    if reordered:
        context.options |= REORDERED[codec]
    noise = np.random.default_rng(7).integers(0, 60, (height, width, 3), np.uint8)
    units = []
    for number in range(FRAMES + 1):
        picture = None
        if number < FRAMES:
            pixels = noise + np.uint8(number * 10)
            pixels[:, number * 5 :] += np.uint8(60)
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            picture.pts = number
        units += [_nals(codec, bytes(packet)) for packet in context.encode(picture)]
    return [[base64.b64encode(nal).decode() for nal in unit] for unit in units]


def _nals(codec: str, data: bytes) -> list[bytes]:
    nals = [nal for nal in data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if nal]
    unwanted = (6, 9) if codec == "h264" else (35, 39, 40)
    return [nal for nal in nals if (nal[0] & 31 if codec == "h264" else nal[0] >> 1 & 63) not in unwanted]


if __name__ == "__main__":
    clips = {f"{codec}-{size}": encode(codec, *SIZES[size]) for codec in OPTIONS for size in SIZES}
    clips |= {f"{codec}-reordered": encode(codec, *SIZES["small"], reordered=True) for codec in OPTIONS}
    Path(__file__).with_name("clips.json").write_text(json.dumps(clips, indent=0) + "\n")
