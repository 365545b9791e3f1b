"""The whole benches, with few cameras and short windows: they run, and say what they must."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def _bench(data: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "csu.cli", "bench", *words, "--quality", "quick", "--json"],
        env={"PATH": "/usr/bin:/bin", "CSU_DATA": str(data), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    lines = done.stdout.splitlines()
    assert lines, done.stderr
    assert list(data.glob("bench-*")) == []
    figures: dict[str, Any] = json.loads(lines[-1])
    return figures


@pytest.mark.soak
def test_record(tmp_path: Path) -> None:
    figures = _bench(tmp_path, "record", "--cameras", "2", "--seconds", "3")
    assert figures["gaps"] == figures["rtp_gaps"] == figures["server_drops"] == 0
    assert figures["frames"] > 2 * 25 * 3
    assert figures["peer"]["frames"] > 0
    assert figures["late_frames"] == 0
    assert 0 < figures["write_wait_ms"] < 1000
    assert 0 < figures["restart_s"] < 15
    assert min(figures[k] for k in ("cpu_ms_per_camera_s", "floor_ratio", "pss_mb_per_camera", "ratio")) > 0


@pytest.mark.soak
def test_live(tmp_path: Path) -> None:
    figures = _bench(tmp_path, "live", "--cameras", "1", "--viewers", "2", "--seconds", "3")
    assert figures["skipped_frames"] == 0
    assert 0 < figures["latency_p50_ms"] < 2000
    assert 0 < figures["first_picture_p95_ms"] < 2000
    assert figures["peer"]["rtp_packets"] > 0


@pytest.mark.soak
def test_seek(tmp_path: Path) -> None:
    figures = _bench(tmp_path, "seek", "--segments", "1000000")
    assert [step["segments"] for step in figures["growth"]] == [10_000, 100_000, 1_000_000]
    assert 0 < figures["first_byte_p95_ms"] < figures["peer"]["first_byte_p95_ms"] * 2
    assert 0 < figures["list_p95_ms"] < 1000


@pytest.mark.soak
def test_export(tmp_path: Path) -> None:
    figures = _bench(tmp_path, "export", "--seconds", "180")
    assert figures["pictures"] == 180 * 25
    assert min(figures[k] for k in ("seconds", "verify_s", "ratio")) > 0


def test_what_is_not_built_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    from csu.cli import main

    for words in (
        ["bench"],
        ["bench", "detect"],
        ["bench", "record", "--cameras", "many"],
        ["bench", "seek", "--segments", "9"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
    assert "invalid choice: 'detect'" in capsys.readouterr().err
