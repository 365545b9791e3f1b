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


def _tell(index: Index, now_us: int) -> None:
    tell_anchors(index, now_us, now_us)


def test_heads_every_five_minutes(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        _tell(made.index, START_US)
        assert _facts(made.index, "chain_head") == []
        record(made.store, CAMERA, packets(25 * 70))
        record(made.store, OTHER, packets(25 * 20))
        for second in range(0, 901, 5):
            _tell(made.index, START_US + second * 1_000_000)
        told = _facts(made.index, "chain_head")
        assert len(told) == 900_000_000 // HEADS_US
        heads = {c: made.index.chain(made.index.camera(c)).hex() for c in (CAMERA, OTHER)}
        assert told[-1]["heads"] == heads
        assert (told[-1]["root"], told[-1]["count"]) == (heads_root(heads).hex(), 2)


def test_a_clock_set_back_tells_again(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 20))
        _tell(made.index, START_US + DAY_US)
        _tell(made.index, START_US)
        assert len(_facts(made.index, "chain_head")) == 2


def test_a_root_for_each_camera_and_day_that_is_over(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 200))
        record(made.store, OTHER, packets(25 * 20))
        _tell(made.index, MIDNIGHT_US + 300_000_000)
        assert _facts(made.index, "day_root") == []
        _tell(made.index, MIDNIGHT_US + 900_000_000)
        told = _facts(made.index, "day_root")
        assert [(f["camera"], f["day"]) for f in told] == [(CAMERA, "2026-11-23"), (OTHER, "2026-11-23")]
        hashes = [h for (h,) in made.index.query("SELECT hash FROM segment WHERE camera = 1 ORDER BY id")]
        assert (told[0]["root"], told[0]["count"]) == (merkle_root(hashes).hex(), len(hashes))
        _tell(made.index, MIDNIGHT_US + 2 * DAY_US)
        _tell(made.index, MIDNIGHT_US + 5 * DAY_US)
        assert len(_facts(made.index, "day_root")) == 2


def test_a_day_is_over_by_the_time_that_can_be_trusted(tmp_path: Path) -> None:
    """In a freeze that time stands, however far the wall clock has jumped."""
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 20))
        tell_anchors(made.index, MIDNIGHT_US + 9 * DAY_US, MIDNIGHT_US - 900_000_000)
        assert _facts(made.index, "day_root") == []
        _tell(made.index, MIDNIGHT_US + 900_000_000)
        assert [f["day"] for f in _facts(made.index, "day_root")] == ["2026-11-23"]


def test_a_first_clock_that_was_ahead_skips_no_day(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        _tell(made.index, MIDNIGHT_US + 400 * DAY_US)
        record(made.store, CAMERA, packets(25 * 20))
        _tell(made.index, MIDNIGHT_US + 900_000_000)
        _tell(made.index, MIDNIGHT_US + 1800_000_000)
        assert [f["day"] for f in _facts(made.index, "day_root")] == ["2026-11-23"]
