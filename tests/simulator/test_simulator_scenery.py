"""The drawn streets: different, repeatable, moving; and the dumping happens when it is said to."""

import numpy as np
import pytest

from csu.simulator.cameras import DUMPING_CAMERA, FULL, PLACES
from csu.simulator.scenery import Scene, dumping

_WIDTH, _HEIGHT = 480, 270


def _scene(number: int) -> Scene:
    return Scene(number, FULL.length_s(number), _WIDTH, _HEIGHT)


def test_twelve_streets_differ() -> None:
    pictures = [_scene(n).at(0.0).astype(int) for n in range(1, len(PLACES) + 1)]
    for i, one in enumerate(pictures):
        for other in pictures[i + 1 :]:
            assert np.abs(one - other).mean() > 8


@pytest.mark.parametrize("number", range(1, len(PLACES) + 1))
def test_something_moves_and_the_same_instant_gives_the_same_picture(number: int) -> None:
    scene, again = _scene(number), _scene(number)
    first = scene.at(10.0).astype(int)
    assert (again.at(10.0) == first).all()
    moved = np.abs(scene.at(12.0).astype(int) - first).max(axis=2) > 60
    assert moved.sum() > 20


def test_what_was_dumped_stays_after_the_van_has_left() -> None:
    scene, truth = _scene(DUMPING_CAMERA), dumping()
    assert truth.van_stops_s < truth.first_put_down_s < truth.last_put_down_s < truth.van_leaves_s
    after = [truth.van_leaves_s + 20 + 3.3 * i for i in range(9)]
    before = [truth.van_stops_s - 20 - 3.3 * i for i in range(9)]
    lasting = np.median([scene.at(t).astype(int) for t in after], axis=0)
    changed = np.abs(lasting - np.median([scene.at(t).astype(int) for t in before], axis=0)).max(axis=2) > 40
    rows, columns = np.nonzero(changed)
    assert changed.sum() > 150
    # Before the bring banks on the right pavement; a few pixels elsewhere are persons far away.
    assert ((columns > _WIDTH / 2) & (rows > _HEIGHT / 2)).mean() > 0.9
