"""The centre started, killed, started again: recordings stay, nothing outlives it, and it ends cleanly."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from centre_process import Centre, copy_encoded, wait_for

from csu.supervisor import answers
from tests.ports import free_ports

pytestmark = pytest.mark.timeout(600)  # the first may have to encode its cameras' pictures


@pytest.fixture
def small_centre(tmp_path: Path) -> Iterator[Centre]:
    """A centre of three cameras."""
    small = Centre(tmp_path / "var", free_ports(3), cameras=3)
    copy_encoded(small.data)
    yield small
    if small.process is not None and small.process.poll() is None:
        small.stop()


def recorded_s(centre: Centre, camera: str, since: datetime) -> float:
    _, told = centre.csu(
        *("coverage", "--camera", camera, "--json"),
        *("--from", since.isoformat(), "--to", datetime.now(UTC).isoformat()),
    )
    return float(told.get("recorded_s", 0))  # nothing is told before the camera's first orders


def test_killed_whole_and_started_again_it_has_the_recordings_of_before(small_centre: Centre) -> None:
    since = datetime.now(UTC)
    small_centre.start()
    camera = small_centre.told["cameras"][0]["id"]
    wait_for(lambda: recorded_s(small_centre, camera, since) > 6, "six recorded seconds")
    children = [small_centre.pid(name) for name in ("recorder", "gateway", "serve", "simulator")]
    small_centre.stop(signal.SIGKILL)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "the children's end")
    killed_at = datetime.now(UTC)

    small_centre.start()
    assert small_centre.told["cameras"][0]["id"] == camera
    assert recorded_s(small_centre, camera, since) > 4
    wait_for(lambda: recorded_s(small_centre, camera, killed_at) > 3, "recording after the restart")
    assert small_centre.stop() == 0
    for command in ("check", "--deep"), ("journal", "verify"):
        status, told = small_centre.csu(*command, "--json")
        assert (status, told["ok"]) == (0, True), told


def test_a_killed_service_comes_back_and_a_second_centre_is_refused(small_centre: Centre) -> None:
    small_centre.start()
    before = small_centre.pid("gateway")
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: small_centre.pid("gateway") != before, "a new gateway")
    second = Centre(small_centre.data, free_ports(3), cameras=3)
    with pytest.raises(AssertionError, match="already runs"):
        second.start()
    assert second.process is not None
    assert second.process.wait(60) == 1
    assert second.process.stdout is not None
    second.process.stdout.close()


@pytest.mark.parametrize("stopped_s", [8, pytest.param(30, marks=pytest.mark.soak)])
def test_what_stops_beside_the_recorder_costs_it_nothing(small_centre: Centre, stopped_s: int) -> None:
    """Control plane, gateway, PostgreSQL and Valkey are stopped in turn; every camera records on without a gap."""
    small_centre.start()
    cameras = [told["id"] for told in small_centre.told["cameras"]]
    began = datetime.now(UTC)
    wait_for(lambda: all(recorded_s(small_centre, camera, began) > 4 for camera in cameras), "recording")
    since = datetime.now(UTC) - timedelta(seconds=2)
    for pid in (small_centre.pid("serve"), small_centre.pid("gateway"), *engine_pids(small_centre.data)):
        os.kill(pid, signal.SIGSTOP)
        stopped_at = datetime.now(UTC)
        wait_for(lambda at=stopped_at: (datetime.now(UTC) - at).total_seconds() > stopped_s, "the pause")
        os.kill(pid, signal.SIGCONT)
    until = datetime.now(UTC)
    for camera in cameras:
        period = ("--from", since.isoformat(), "--to", until.isoformat())

        def is_recorded(words: tuple[str, ...] = ("coverage", "--camera", camera, "--json", *period)) -> bool:
            _, coverage = small_centre.csu(*words)
            assert coverage["gaps"] == []
            return bool(coverage["recorded_s"] > (until - since).total_seconds() - 0.5)

        wait_for(is_recorded, "all until now to be recorded")
    wait_for(lambda: answers(f"{small_centre.url}/api/health"), "the control plane's return")
    with small_centre.client("auditor"):
        pass
    assert small_centre.stop() == 0
    status, told = small_centre.csu("check", "--deep", "--json")
    assert (status, told["ok"]) == (0, True), told


def engine_pids(data: Path) -> list[int]:
    """PostgreSQL and Valkey of this data directory, by their command lines, without the children that PostgreSQL has
    begun just now."""
    found: dict[int, int] = {}  # to their parents
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes()
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if str(data).encode() in command and (b"/bin/postgres" in command or b"valkey-server" in command):
                found[int(folder.name)] = parent
    engines = [pid for pid, parent in found.items() if parent not in found]
    assert len(engines) == 2
    return engines
