"""A real disk that is full, and one that is not mounted: tmpfs in namespaces of our own, where that is allowed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from recorder_process import camera_id, is_whole

_UNSHARE = ["unshare", "-Urm"]


def _inside(script: str, path: Path, timeout_s: float) -> dict[str, Any]:
    """What a script of this folder prints last, run in namespaces of its own."""
    try:
        allowed = subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False, timeout=20).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("unshare -Urm is not permitted here: full and unmounted disks are not tested with real ones")
    done = subprocess.run(
        [*_UNSHARE, sys.executable, str(Path(__file__).with_name(script)), str(path)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_full_disk_and_an_unmounted_one(tmp_path: Path) -> None:
    found = _inside("small_disk.py", tmp_path, timeout_s=120)
    assert found["failures"] > 0, "the disk was never full"
    assert (found["ok_full"], found["ok_roomy"]) == (True, True)
    assert found["segments"] == found["files"] > 0
    assert found["refused"] == "STORAGE_UNMOUNTED"
    assert found["written_beside"] == []


@pytest.mark.timeout(320)
def test_a_small_disk_gives_up_in_the_right_order(tmp_path: Path) -> None:
    """What is past its minimum goes, of the lowest priority first; then the last camera by priority stops, and it
    begins again when there is room. The others have no gap."""
    found = _inside("short_disk.py", tmp_path, timeout_s=300)
    second, third = (camera_id(n) for n in (2, 3))
    gone = {(camera, cause) for camera, cause, count in found["gone"] if count}
    assert {cause for _, cause in gone} == {"space"}
    assert (second, "space") in gone
    assert third not in {camera for camera, _ in gone}, "nothing goes below its minimum"
    assert found["third"][-1] == ["storage", "space"]
    for number in ("1", "2"):
        assert [(gap["cause"], gap["detail"]) for gap in found["gaps"][number]] == [("ours", "starting")]
    raised = {(kind, code) for kind, code, _ in found["alarms"]}
    assert ("alarm_raised", "STORAGE_FULL") not in raised
    assert {subject for _, code, subject in found["alarms"] if code == "PRIORITY_STOPPED"} == {third}
    assert 0 < found["pressure"]["capacity_bytes"] < 16 << 20
    assert (found["stopped"], found["check"]["ok"]) == (0, True)


@pytest.mark.timeout(320)
def test_a_camera_without_room_goes_to_the_disk_that_has_some_and_stops_when_none_has(tmp_path: Path) -> None:
    """And one that stopped doesn't record after a restart either, until there is room."""
    found = _inside("short_of_two.py", tmp_path, timeout_s=300)
    second = camera_id(2)
    assert found["alarms_moved"] == []
    assert found["alarms"][0] == [second, True]
    assert {subject for subject, _ in found["alarms"]} == {second}
    assert found["begun_after"] == found["begun"], "it recorded for a moment after the start"
    for account in found["coverage"].values():
        assert is_whole(account)
    assert {gap["cause"] for gap in found["coverage"]["1"]["gaps"]} == {"ours"}
    assert ("storage", "space") in {(gap["cause"], gap["detail"]) for gap in found["coverage"]["2"]["gaps"]}
    assert (found["stopped"], found["check"]["ok"]) == (0, True)
