"""A barcode in the picture that tells which frame of which camera it is, and survives H.264 and any scaling.

Layout, in units `u = width / 1920` of a 16:9 picture with its origin at the top left:

- a black strip over the whole width, from y = 1020 u to the bottom edge (1080 u);
- in it one row of 36 cells of 40 u x 40 u; cell `i` spans x = (240 + 40 i) u .. (280 + 40 i) u and
  y = 1030 u .. 1070 u; white (luma 235) is 1, black (luma 16) is 0;
- cells, left to right: `1 0` (start), 24 data bits, 8 check bits, `0 1` (stop);
- data, most significant bit first: 1 bit stream (0 main, 1 sub), 7 bits scene (1..12, the camera's number for the
  first twelve cameras), 16 bits frame index within the loop;
- check: CRC-8, polynomial 0x07, initial value 0, not reflected, over the three data bytes.

To read: take the mean luma of the middle quarter (half the width, half the height) of each cell. The threshold is
halfway between the two start cells, which must differ by at least 48. Refuse when start, stop or check are wrong.
In a browser: draw the video into a canvas of any size of 16:9, at least 320 pixels wide, and do the same.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csu.simulator.cameras import STREAMS, Stream

Image = NDArray[np.uint8]
CELLS = 36
_LEFT, _TOP, _CELL, _STRIP, _WIDTH = 240, 1030, 40, 1020, 1920
_WHITE, _BLACK = 235, 16
_START, _STOP = (1, 0), (0, 1)
_MIN_CONTRAST = 48


@dataclass(frozen=True, slots=True)
class Reading:
    camera: int
    stream: Stream
    frame: int


def draw(image: Image, reading: Reading) -> None:
    """Draw into a picture, uint8 [height, width] or [height, width, 3], in place."""
    unit = image.shape[1] / _WIDTH
    image[round(_STRIP * unit) :, round(_LEFT * unit) : round((_LEFT + CELLS * _CELL) * unit)] = _BLACK
    top, bottom = round(_TOP * unit), round((_TOP + _CELL) * unit)
    for i, bit in enumerate(bits(reading)):
        if bit:
            left, right = (round((_LEFT + _CELL * j) * unit) for j in (i, i + 1))
            image[top:bottom, left:right] = _WHITE


def read(image: NDArray[Any]) -> Reading | None:
    """Read a picture, [height, width] luma or [height, width, 3] of any colour order; None when there is no code."""
    unit = image.shape[1] / _WIDTH
    quarter = _CELL // 4
    top, bottom = _span(_TOP + quarter, _TOP + 3 * quarter, unit)
    levels: list[float] = []
    for i in range(CELLS):
        left, right = _span(_LEFT + _CELL * i + quarter, _LEFT + _CELL * i + 3 * quarter, unit)
        cell = image[top:bottom, left:right]
        if cell.size == 0:
            return None
        levels.append(float(cell.mean()))
    if levels[0] - levels[1] < _MIN_CONTRAST:
        return None
    threshold = (levels[0] + levels[1]) / 2
    return _decode([int(level > threshold) for level in levels])


def bits(reading: Reading) -> list[int]:
    """The 36 cells, left to right."""
    data = bytes((STREAMS.index(reading.stream) << 7 | reading.camera, *reading.frame.to_bytes(2, "big")))
    word = int.from_bytes((*data, _crc8(data)), "big")
    return [*_START, *((word >> i) & 1 for i in range(31, -1, -1)), *_STOP]


def _decode(cells: list[int]) -> Reading | None:
    if tuple(cells[:2]) != _START or tuple(cells[-2:]) != _STOP:
        return None
    word = sum(bit << i for i, bit in enumerate(reversed(cells[2:-2]))).to_bytes(4, "big")
    if _crc8(word[:3]) != word[3]:
        return None
    return Reading(word[0] & 0x7F, STREAMS[word[0] >> 7], int.from_bytes(word[1:3], "big"))


def _span(start: float, end: float, unit: float) -> tuple[int, int]:
    first = round(start * unit)
    return first, max(first + 1, round(end * unit))


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc
