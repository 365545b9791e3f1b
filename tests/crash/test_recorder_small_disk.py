"""A real disk that is full, and one that is not mounted: tmpfs in namespaces of our own, where that is allowed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("small_disk.py")
_UNSHARE = ["unshare", "-Urm"]


def test_a_full_disk_and_an_unmounted_one(tmp_path: Path) -> None:
    try:
        allowed = subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False, timeout=20).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("unshare -Urm is not permitted here: full and unmounted disks are not tested with real ones")
    done = subprocess.run(
        [*_UNSHARE, sys.executable, str(SCRIPT), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["failures"] > 0, "the disk was never full"
    assert (found["ok_full"], found["ok_roomy"]) == (True, True)
    assert found["segments"] == found["files"] > 0
    assert found["refused"] == "STORAGE_UNMOUNTED"
    assert found["written_beside"] == []
