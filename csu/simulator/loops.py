"""Encoded loops on disk: made once, kept as plain MP4 files that any player opens, and read back as NAL units.

A file's name bears a key over everything that shapes its pictures (encoding, loop length, and the source of the
modules that draw), so a change of any of them re-encodes. After the loop come two seconds of its first picture
standing still: what a frozen camera sends.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from csu.simulator import barcode, cameras, scenery
from csu.simulator.barcode import Image, Reading
from csu.simulator.cameras import GOP_S, STREAMS, Profile, Quality, Stream
from streams import h265
from streams.codecs import CODECS, Codec

_ENCODER = {"preset": "superfast", "profile": "high", "bf": "0", "sc_threshold": "0", "threads": "1"}
_ENCODER_H265 = {
    "preset": "ultrafast",
    "x265-params": "bframes=0:scenecut=0:open-gop=0:pools=none:frame-threads=1:log-level=none",
}
# Three of four pictures are B-frames, one of which the others refer to; groups of pictures stay closed.
_B_FRAMES = {"bf": "3", "b_strategy": "0", "b-pyramid": "normal"}
_B_FRAMES_H265 = "bframes=3:b-adapt=0"


@dataclass(frozen=True, slots=True)
class Frame:
    """One access unit without parameter sets: its NAL units without start code or length. `ahead` is how many pictures
    are sent after it and shown before it; less than 0 when it comes after so many that are shown later."""

    nals: tuple[bytes, ...]
    is_key: bool
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Loop:
    parameter_sets: tuple[bytes, ...]  # in the order of the standard: H.265 begins with its VPS
    frames: list[Frame]
    still: list[Frame]  # one GOP of the loop's first picture, standing still


def file_of(directory: Path, scene: int, stream: Stream, quality: Quality) -> Path:
    return directory / f"{quality.label}-{scene:02d}-{stream}-{_key(scene, quality)}.mp4"


def is_encoded(directory: Path, scene: int, quality: Quality) -> bool:
    return all(file_of(directory, scene, stream, quality).exists() for stream in STREAMS)


def frames_to_encode(scene: int, quality: Quality) -> int:
    """How often `encode` calls back."""
    return (quality.length_s(scene) + GOP_S) * quality.main.fps


def encode(directory: Path, scene: int, quality: Quality, progress: Callable[[int], None]) -> None:
    """Draw and encode both streams of a scene, telling how many frames more are done.

    Each file appears whole or not at all.
    """
    picture = scenery.Scene(scene, quality.length_s(scene), quality.main.width, quality.main.height)
    writers = {
        stream: _Writer(file_of(directory, scene, stream, quality), quality.profile(stream), quality)
        for stream in STREAMS
    }
    fps, looped = quality.main.fps, quality.frames(scene, "main")
    ratio = fps / quality.sub.fps
    written = 0
    for count in range(frames_to_encode(scene, quality)):
        number = count if count < looped else 0
        image = picture.at(number / fps)
        # The slow stream takes the picture that is nearest to its own instant (at most half a frame away).
        while round(written * ratio) <= count:
            small = _shrink(image, quality.sub)
            frame = written if count < looped else 0
            writers["sub"].write(small, Reading(scene, "sub", frame))
            written += 1
        writers["main"].write(image, Reading(scene, "main", number))
        progress(1)
    for writer in writers.values():
        writer.close()
    _remove_older(directory, scene, quality)


def load(directory: Path, scene: int, stream: Stream, quality: Quality) -> Loop:
    with av.open(str(file_of(directory, scene, stream, quality))) as container:
        codec = CODECS[quality.codec]
        sets = _parameter_sets(codec, bytes(container.streams.video[0].codec_context.extradata or b""))
        packets = [packet for packet in container.demux(video=0) if packet.size]
        shown = {pts: place for place, pts in enumerate(sorted(packet.pts or 0 for packet in packets))}
        frames = [
            Frame(_media_nals(codec, bytes(packet)), bool(packet.is_keyframe), shown[packet.pts or 0] - place)
            for place, packet in enumerate(packets)
        ]
    looped = quality.frames(scene, stream)
    return Loop(sets, frames[:looped], frames[looped:])


class _Writer:
    """One MP4 file that takes its name once it is whole."""

    def __init__(self, file: Path, profile: Profile, quality: Quality) -> None:
        self._file = file
        self._written = 0
        codec, options = quality.codec, _options(quality)
        self._partial = file.with_name(f"{file.stem}.{os.getpid()}.partial.mp4")
        self._container: OutputContainer = av.open(str(self._partial), "w", format="mp4")
        self._stream: VideoStream = (
            self._container.add_stream("libx264", rate=profile.fps)
            if codec == "h264"
            else self._container.add_stream("libx265", rate=profile.fps)
        )
        self._stream.width, self._stream.height = profile.width, profile.height
        self._stream.pix_fmt = "yuv420p"
        self._stream.bit_rate = profile.bit_rate
        gop = GOP_S * profile.fps
        most, buffer = profile.bit_rate * 5 // 4, profile.bit_rate * GOP_S
        if codec == "h264":
            rate = {"maxrate": str(most), "bufsize": str(buffer), "g": str(gop), "keyint_min": str(gop)}
            self._stream.options = {**options, **rate}
        else:
            rules = f"vbv-maxrate={most // 1000}:vbv-bufsize={buffer // 1000}:keyint={gop}:min-keyint={gop}"
            self._stream.codec_context.codec_tag = "hvc1"
            self._stream.options = {**options, "x265-params": f"{options['x265-params']}:{rules}"}

    def write(self, image: Image, reading: Reading) -> None:
        barcode.draw(image, reading)
        # OpenCV converts three times faster than libswscale.
        planes = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = self._written, 1 / Fraction(self._stream.average_rate or 1)
        self._written += 1
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        os.replace(self._partial, self._file)


def _shrink(image: Image, profile: Profile) -> Image:
    return np.asarray(cv2.resize(image, (profile.width, profile.height), interpolation=cv2.INTER_AREA), np.uint8)


def _key(scene: int, quality: Quality) -> str:
    what = [
        quality.length_s(scene),
        asdict(quality.main),
        asdict(quality.sub),
        _options(quality),
        asdict(cameras.PLACES[scene - 1]),
    ]
    return hashlib.sha256(json.dumps(what).encode() + _drawing_source()).hexdigest()[:12]


def _options(quality: Quality) -> dict[str, str]:
    """The encoder's, but for rates."""
    if quality.codec == "h264":
        return _ENCODER | _B_FRAMES if quality.b_frames else _ENCODER
    params = _ENCODER_H265["x265-params"]
    return _ENCODER_H265 | {"x265-params": f"{params}:{_B_FRAMES_H265}"} if quality.b_frames else _ENCODER_H265


def _drawing_source() -> bytes:
    modules: list[ModuleType] = [barcode, scenery]
    files = sorted({f for m in modules for f in _files_of(m)})
    return b"".join(f.read_bytes() for f in files)


def _files_of(module: ModuleType) -> list[Path]:
    file = Path(module.__file__ or "")
    return list(file.parent.glob("*.py")) if file.name == "__init__.py" else [file]


def _remove_older(directory: Path, scene: int, quality: Quality) -> None:
    for stream in STREAMS:
        current = file_of(directory, scene, stream, quality)
        for other in directory.glob(f"{quality.label}-{scene:02d}-{stream}-*.mp4"):
            if other != current:
                other.unlink()


def _parameter_sets(codec: Codec, avcc: bytes) -> tuple[bytes, ...]:
    """The one SPS and the one PPS of an `avcC` (ISO/IEC 14496-15 5.3.3.1), with the VPS those of a `hvcC`."""
    if codec.name == "h265":
        return h265.read_configuration(avcc)
    sps_end = 8 + int.from_bytes(avcc[6:8], "big")
    pps_size = int.from_bytes(avcc[sps_end + 1 : sps_end + 3], "big")
    return avcc[8:sps_end], avcc[sps_end + 3 : sps_end + 3 + pps_size]


def _media_nals(codec: Codec, unit: bytes) -> tuple[bytes, ...]:
    """The slices of a length-prefixed access unit; parameter sets and the encoder's own SEI are left out."""
    nals: list[bytes] = []
    at = 0
    while at < len(unit):
        size = int.from_bytes(unit[at : at + 4], "big")
        nal = unit[at + 4 : at + 4 + size]
        if codec.kind_of(nal[0]) in codec.slices:
            nals.append(nal)
        at += 4 + size
    return tuple(nals)
