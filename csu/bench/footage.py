"""Counts frames in what was recorded, by the stamps that the simulator put into them."""

import mmap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from csu.simulator import sei

_STAMP_BYTES = 64  # more than a stamp with its uuid and escapes


@dataclass(frozen=True, slots=True)
class Footage:
    """Frames found over all cameras, and frames absent between the first and the last of each."""

    cameras: int
    frames: int
    missing: int


class Counter:
    """Takes files one by one, so that they can be counted before they are destroyed.

    Works on any file that holds the access units as they came: fragmented MP4, or the RTP bytes themselves.
    """

    def __init__(self) -> None:
        self._numbers: dict[int, set[int]] = {}

    def add(self, file: Path) -> None:
        for stamp in _stamps(file):
            self._numbers.setdefault(stamp.camera, set()).add(stamp.number)

    def found(self) -> Footage:
        seen = self._numbers.values()
        return Footage(len(seen), sum(map(len, seen)), sum(max(n) - min(n) + 1 - len(n) for n in seen))


def count(files: Iterable[Path]) -> Footage:
    counter = Counter()
    for file in files:
        counter.add(file)
    return counter.found()


def _stamps(file: Path) -> Iterable[sei.Stamp]:
    if file.stat().st_size == 0:
        return
    with file.open("rb") as source, mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(sei.UUID)
        while at >= 0:
            stamp = sei.find(data[at : at + _STAMP_BYTES])
            if stamp is not None:
                yield stamp
            at = data.find(sei.UUID, at + 1)
