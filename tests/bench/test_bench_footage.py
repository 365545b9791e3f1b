"""Counting stamped frames in files."""

from pathlib import Path

from csu.bench import footage
from csu.simulator import sei
from csu.simulator.sei import Stamp


def _write(file: Path, camera: int, numbers: list[int]) -> Path:
    file.write_bytes(b"head" + b"".join(sei.nal(Stamp(5, n, camera)) + b"picture" for n in numbers))
    return file


def test_missing_frames_between_first_and_last(tmp_path: Path) -> None:
    first = _write(tmp_path / "a.mp4", 1, [10, 11, 13])
    second = _write(tmp_path / "b.mp4", 1, [13, 14, 20])
    other = _write(tmp_path / "c.mp4", 2, [256, 257])
    (tmp_path / "d.mp4").touch()
    found = footage.count([first, second, other, tmp_path / "d.mp4"])
    assert found == footage.Footage(cameras=2, frames=7, missing=6)
