"""The barcode, from drawing to reading after scaling and noise."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csu.simulator import barcode
from csu.simulator.barcode import Reading
from csu.simulator.cameras import STREAMS

_READINGS = st.builds(Reading, st.integers(1, 12), st.sampled_from(STREAMS), st.integers(0, 4749))


def _picture(width: int = 1920) -> barcode.Image:
    return np.random.default_rng(1).integers(0, 255, (width * 9 // 16, width, 3), dtype=np.uint8)


@given(_READINGS)
def test_what_is_drawn_is_read(reading: Reading) -> None:
    image = _picture(640)
    barcode.draw(image, reading)
    assert barcode.read(image) == reading


@pytest.mark.parametrize("width", [320, 427, 640, 853, 1280, 1366, 1920, 2560, 3840])
@pytest.mark.parametrize("drawn_at", [640, 960, 1920])
def test_read_at_any_scale(width: int, drawn_at: int) -> None:
    image = _picture(drawn_at)
    reading = Reading(9, "sub", 0x1234)
    barcode.draw(image, reading)
    scaled = cv2.resize(image, (width, width * 9 // 16), interpolation=cv2.INTER_LINEAR)
    assert barcode.read(np.asarray(scaled)) == reading


def test_read_in_luma_with_noise_and_low_contrast() -> None:
    image = _picture()
    barcode.draw(image, Reading(3, "main", 949))
    faded = image[:, :, 1] * 0.5 + 60 + np.random.default_rng(2).normal(0, 12, image.shape[:2])
    assert barcode.read(np.clip(faded, 0, 255).astype(np.uint8)) == Reading(3, "main", 949)


def test_no_code_in_other_pictures() -> None:
    assert barcode.read(np.zeros((1080, 1920, 3), np.uint8)) is None
    assert barcode.read(np.zeros((4, 8), np.uint8)) is None
    assert barcode.read(_picture()) is None


@pytest.mark.parametrize("cell", range(barcode.CELLS))
def test_any_one_cell_inverted_is_refused(cell: int) -> None:
    image = _picture()
    barcode.draw(image, Reading(5, "main", 77))
    part = image[1030:1070, 240 + 40 * cell : 280 + 40 * cell]
    part[:] = 251 - part
    assert barcode.read(image) is None
