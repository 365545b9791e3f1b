"""Heads every five minutes, a root for each camera and day; both can be computed again from the files."""

import json
from pathlib import Path

from recorder_support import CAMERA, DAY_US, OTHER, START_US, bench, packets, record

from recorder.anchors import HEADS_US, heads_root, tell_anchors
from recorder.format import merkle_root
from recorder.index import Index

MIDNIGHT_US = (START_US // DAY_US + 1) * DAY_US


def _facts(index: Index, kind: str) -> list[dict[str, object]]:
    rows = index.query("SELECT camera, body FROM fact WHERE kind = ? ORDER BY n", (kind,))
    return [{"camera": camera, **json.loads(body)} for camera, body in rows]


def test_heads_every_five_minutes(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        tell_anchors(made.index, START_US)
        assert _facts(made.index, "chain_head") == []
        record(made.store, CAMERA, packets(25 * 70))
        record(made.store, OTHER, packets(25 * 20))
        for second in range(0, 901, 5):
            tell_anchors(made.index, START_US + second * 1_000_000)
        told = _facts(made.index, "chain_head")
        assert len(told) == 900_000_000 // HEADS_US
        heads = {c: made.index.chain(made.index.camera(c)).hex() for c in (CAMERA, OTHER)}
        assert told[-1]["heads"] == heads
        assert (told[-1]["root"], told[-1]["count"]) == (heads_root(heads).hex(), 2)


def test_a_clock_set_back_tells_again(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 20))
        tell_anchors(made.index, START_US + DAY_US)
        tell_anchors(made.index, START_US)
        assert len(_facts(made.index, "chain_head")) == 2


def test_a_root_for_each_camera_and_day_that_is_over(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 200))
        record(made.store, OTHER, packets(25 * 20))
        tell_anchors(made.index, MIDNIGHT_US + 300_000_000)
        assert _facts(made.index, "day_root") == []
        tell_anchors(made.index, MIDNIGHT_US + 900_000_000)
        told = _facts(made.index, "day_root")
        assert [(f["camera"], f["day"]) for f in told] == [(CAMERA, "2026-11-23"), (OTHER, "2026-11-23")]
        hashes = [h for (h,) in made.index.query("SELECT hash FROM segment WHERE camera = 1 ORDER BY id")]
        assert (told[0]["root"], told[0]["count"]) == (merkle_root(hashes).hex(), len(hashes))
        tell_anchors(made.index, MIDNIGHT_US + 2 * DAY_US)
        tell_anchors(made.index, MIDNIGHT_US + 5 * DAY_US)
        assert len(_facts(made.index, "day_root")) == 2
