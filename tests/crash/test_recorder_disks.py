"""Two storage directories, of which one is lost while the recorder runs: real mounts, real cameras, a real process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from recorder_process import Simulator, camera_id, simulator

SCRIPT = Path(__file__).with_name("two_disks.py")
_UNSHARE = ["unshare", "-Urm"]


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulator(tmp_path_factory.mktemp("simulator"), 2) as running:
        yield running


@pytest.fixture(scope="module")
def mounts() -> None:
    try:
        allowed = subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False, timeout=20).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("unshare -Urm is not permitted here: disks that are lost are not tested with real mounts")


@pytest.mark.usefixtures("mounts")
@pytest.mark.parametrize("what", ["unmounted", "foreign", "swapped", "filled", "read-only"])
def test_cameras_of_a_lost_disk_go_on_on_the_other(tmp_path: Path, cameras: Simulator, what: str) -> None:
    given = {"port": cameras.port, "username": cameras.username, "password": cameras.password}
    done = subprocess.run(
        [*_UNSHARE, sys.executable, str(SCRIPT), str(tmp_path), what],
        input=json.dumps({**given, "control": str(cameras.control)}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr + (tmp_path / "data" / "recorder.log").read_text()[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert sorted(found["before"].values()) == ["disk1", "disk2"]
    if what != "swapped":
        assert found["stayed"] == dict.fromkeys(map(camera_id, (1, 2)), "disk2")  # none went back by itself
    assert found["after"] == found["stayed"]  # nor over a restart
    assert found["alarms"] == ["disk1"] or what == "swapped"
    assert found["contiguous"] == [True, True], found["gaps"]
    assert found["percent"] == [100, 100]
    assert set(found["causes"]) <= {"ours", "storage"}
    assert "storage" in found["causes"] or what == "read-only"
    assert found["beside"] == []
    assert not found["foreign_touched"]
    for code, report in (found["check"], found["again"]):
        assert (code, report["ok"], report["unreadable"]) == (0, True, 0), report
    assert found["rebuilt"][0] == 0
    assert found["rebuilt"][1]["segments"] == found["again"][1]["segments"] >= found["check"][1]["segments"] > 2
