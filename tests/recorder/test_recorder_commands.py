"""What a person sees of the long commands on recordings: how far they are, how fast, and the verdict."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from recorder_support import CAMERA, bench, packets, record


def _run(data: Path, *words: str) -> tuple[int, dict[str, Any], str, str]:
    """In a terminal as far as stderr goes: the status, the JSON, what was printed, what the terminal showed."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "csu.cli", *words, "--data", str(data), "--json"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=follower, text=True, timeout=60, check=False)
    finally:
        os.close(follower)
    shown = b""
    while True:
        try:
            more = os.read(leader, 65536)
        except OSError:  # the other end is closed, and all is read
            break
        shown += more
        if not more:
            break
    os.close(leader)
    *lines, last = done.stdout.splitlines()
    return done.returncode, json.loads(last), "\n".join(lines), shown.decode()


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 100))
    (tmp_path / "state" / "storage.json").rename(tmp_path / "recorder.json")
    (tmp_path / "recorder").mkdir()
    (tmp_path / "recorder.json").rename(tmp_path / "recorder" / "storage.json")
    return tmp_path


def test_a_deep_check_shows_a_bar_and_a_rate(recordings: Path) -> None:
    _, report, printed, shown = _run(recordings, "check", "--deep")
    assert "Reading " in shown
    assert "MB/s" in printed
    assert report.keys() >= {"segments", "missing_files", "orphan_files", "bad_hashes", "overdue", "ok", "mb_per_s"}
    assert report["mb_per_s"] > 0
    assert (report["bad_hashes"], report["segments"]) == (0, len(list(recordings.rglob("*.mp4"))))


def test_a_rebuild_shows_how_far_it_is_and_a_rate(recordings: Path) -> None:
    code, report, printed, shown = _run(recordings, "index", "rebuild")
    assert "Rebuilding the index" in shown
    assert "segments/s" in printed
    assert "MB/s" in printed
    assert (code, report["ok"], report["segments"]) == (0, True, len(list(recordings.rglob("*.mp4"))))
    assert report["segments_per_s"] > 0
    assert report["mb_per_s"] > 0
    assert report["seconds"] > 0
