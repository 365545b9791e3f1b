"""What a simulated camera served, against what is in a recorded file: access unit by access unit, bit for bit."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import av

from csu.simulator import sei
from csu.simulator.loops import Frame, Loop

Frames = Callable[[int], Frame]


def of_loop(loop: Loop) -> Frames:
    """A camera that serves its loop as it is, by the absolute number of the frame."""
    return lambda number: loop.frames[number % len(loop.frames)]


def check_served(source: Path | io.BytesIO, frames: Frames, codec: str = "h264") -> list[int]:
    """Each access unit is what was served under its number; the numbers."""
    numbers = []
    with av.open(str(source) if isinstance(source, Path) else source, "r") as container:
        for packet in container.demux(video=0):
            if not packet.size:
                continue
            stamp = sei.find(bytes(packet))
            assert stamp is not None
            frame = frames(stamp.number)
            assert bytes(packet) == length_prefixed((sei.nal(stamp, codec), *frame.nals)), stamp
            assert bool(packet.is_keyframe) == frame.is_key
            numbers.append(stamp.number)
    return numbers


def length_prefixed(nals: Sequence[bytes]) -> bytes:
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)
