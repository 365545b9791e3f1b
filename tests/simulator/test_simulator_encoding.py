"""Encoded loops: made once, whole or not at all, and again when what shapes them changes."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from csu.settings import Paths
from csu.simulator import encoding, loops
from csu.simulator.cameras import QUICK, STREAMS, Stream


@pytest.mark.parametrize("stream", STREAMS)
def test_a_loop_is_whole(simulator_paths: Paths, stream: Stream) -> None:
    loop = loops.load(simulator_paths.simulator, 1, stream, QUICK)
    fps = QUICK.profile(stream).fps
    assert len(loop.frames) == QUICK.frames(1, stream)
    assert len(loop.still) == 2 * fps
    assert [frame.is_key for frame in loop.frames] == [i % (2 * fps) == 0 for i in range(len(loop.frames))]
    assert [frame.is_key for frame in loop.still] == [i == 0 for i in range(2 * fps)]
    assert [nal[0] & 31 for nal in loop.parameter_sets] == [7, 8]
    bits = sum(len(nal) for frame in loop.frames for nal in frame.nals) * 8 / QUICK.loop_s
    assert bits == pytest.approx(QUICK.profile(stream).bit_rate, rel=0.35)


def test_nothing_is_encoded_twice(simulator_paths: Paths) -> None:
    file = loops.file_of(simulator_paths.simulator, 1, "main", QUICK)
    before = file.stat().st_mtime_ns
    encoding.ensure(simulator_paths.simulator, [1, 2], QUICK)
    assert file.stat().st_mtime_ns == before


def test_a_change_makes_other_files_and_removes_the_old(tmp_path: Path) -> None:
    tiny = replace(QUICK, main=replace(QUICK.main, width=320, height=180), loop_s=2, long_loop_s=2)
    left_behind = tmp_path / "quick-01-main-0123456789ab.77.partial.mp4"
    left_behind.touch()
    encoding.ensure(tmp_path, [1], tiny)
    first = loops.file_of(tmp_path, 1, "main", tiny)
    changed = replace(tiny, main=replace(tiny.main, bit_rate=300_000))
    assert not loops.is_encoded(tmp_path, 1, changed)
    encoding.ensure(tmp_path, [1], changed)
    assert loops.is_encoded(tmp_path, 1, changed)
    assert not first.exists()
    assert not left_behind.exists()


def test_an_interrupt_ends_it_soon_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    code = (
        "import pathlib, signal, sys\n"
        "from csu.simulator import encoding\n"
        "from csu.simulator.cameras import FULL\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # also where the tests run in the background
        "if __name__ == '__main__': encoding.ensure(pathlib.Path(sys.argv[1]), [1, 2], FULL)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    out = tmp_path / "loops"
    words = [sys.executable, str(script), str(out)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(words, env=env, stderr=subprocess.PIPE) as process:
        try:
            while not list(out.glob("*.partial.mp4")):
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=90)
        finally:
            process.kill()  # where it has not ended
    assert process.returncode != 0
    assert [file for file in out.glob("*.mp4") if "partial" not in file.name] == []
