"""Two storage directories, of which one is lost while the recorder runs: real mounts, real cameras, a real process."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from recorder_process import (
    RecorderProcess,
    Simulator,
    below,
    camera,
    camera_id,
    is_whole,
    orders,
    recorder,
    simulator,
    wait_until,
)

from csu.bench import recordings
from csu.keys import load_private
from csu.settings import Paths
from csu.simulator.cameras import QUALITIES
from recorder.accounts import Accounts
from recorder.channel import ChannelError
from recorder.decisions import Hold, Release, sign_hold, sign_release
from recorder.files import StorageDirectory
from recorder.index import Index
from recorder.machine import MachineClock
from recorder.store import SegmentStore
from recorder.utc import at_from_text
from recorder.writer import save_memory
from streams.ticks import us_from_at

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
    assert found["check"][1]["segments"] > 2
    assert found["rebuilt"][1]["segments"] == found["again"][1]["segments"] == found["files"]


# The sync of the first directory's files stands still while a file is there.
_STALLING = """
import os, time
synced = os.fdatasync
def stalling(fd):
    while os.path.exists("STALL") and os.readlink(f"/proc/self/fd/{fd}").startswith("DISK"):
        time.sleep(0.02)
    synced(fd)
os.fdatasync = stalling
"""


async def _on(process: RecorderProcess) -> dict[str, str | None]:
    """Where each camera records; None for one that doesn't yet."""
    cameras = (await process.call("status"))["cameras"]
    return {one["camera"]: one["storage"] if one["state"] == "recording" else None for one in cameras}


async def _until_on(process: RecorderProcess, names: set[str | None]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}

    async def there() -> bool:
        found.update(await _on(process))
        return set(found.values()) == names

    await wait_until(there, 60)
    return found


async def test_a_stalled_disk_costs_the_other_ones_cameras_nothing(tmp_path: Path, cameras: Simulator) -> None:
    stall, disks = tmp_path / "stall", (tmp_path / "one", tmp_path / "two")
    since = datetime.now(UTC)
    prelude = _STALLING.replace("STALL", str(stall)).replace("DISK", str(disks[0]))
    with recorder(tmp_path / "data", prelude, disks) as process:
        await process.order(orders(camera(cameras, 1), camera(cameras, 2)))
        names = await _until_on(process, {"one", "two"})
        stalled, other = sorted(names, key=lambda camera: str(names[camera]))
        stalled_at = datetime.now(UTC)
        stall.touch()
        await _until_on(process, {"two"})
        assert len((await process.coverage(other, since))["runs"]) == 1
        stall.unlink()
        coverage: dict[str, Any] = {}

        async def told() -> bool:
            coverage.update(await process.coverage(stalled, since))
            return len(coverage["runs"]) == 2

        await wait_until(told, 60)
        assert is_whole(coverage)
        assert {gap["cause"] for gap in coverage["gaps"]} <= {"ours", "storage"}
        # What came while the disk stood still waited for it.
        assert at_from_text(coverage["runs"][0]["to"]) - stalled_at > timedelta(seconds=5)
        assert len((await process.coverage(other, since))["runs"]) == 1
        assert process.stop() == 0
        code, report = process.csu("check", "--deep")
        assert (code, report["ok"]) == (0, True)


def _recorded_long_ago(data: Path, disk: Path, *names: str) -> None:
    """A directory that this recorder knows, with footage whose deadline passed since; and nothing that destroys it."""
    (identity_file,) = Paths(data).storage([disk]).values()
    from_at = datetime.now(UTC) - recordings.KEPT - timedelta(days=1)
    storage = StorageDirectory.open(disk, identity_file)
    index = Index.open(storage.index_path, storage.identity, us_from_at(from_at))
    store = SegmentStore(storage, index, Accounts(index))
    for name in names:
        recordings.record(store, Paths(data), name, from_at, 10, QUALITIES["quick"])
    clock = MachineClock()  # as a recorder leaves it that ran here before
    clock.remember(None)
    save_memory(index, clock.observe()[1])
    index.commit()
    index.close()
    storage.close()


async def test_a_hold_put_while_a_disk_was_away_is_in_force_before_it_destroys_again(tmp_path: Path) -> None:
    data, disks = tmp_path / "data", (tmp_path / "one", tmp_path / "two")
    held, other = camera_id(1), camera_id(2)
    _recorded_long_ago(data, disks[0], held, other)
    disks[0].rename(tmp_path / "away")
    with recorder(data, storage=disks) as process:
        _, key = load_private(process.paths.keys, "orders")
        now = datetime.now(UTC)
        hold = Hold(str(uuid.uuid4()), held, now - timedelta(days=33), now - timedelta(days=31), "PV 2026/1", now)

        async def refused() -> bool:
            first, _ = (await process.call("status"))["storage"]
            return bool(first["code"] == "STORAGE_UNMOUNTED")

        await wait_until(refused)
        answer = await process.call("put_hold", envelope=sign_hold(hold, key))
        assert answer["segments"] == 0
        (tmp_path / "away").rename(disks[0])

        async def destroyed() -> bool:
            first, _ = (await process.call("status"))["storage"]  # it destroys before it answers
            return bool(first["index"]) and not below(disks[0] / other)

        await wait_until(destroyed)
        assert below(disks[0] / held)
        assert [one["id"] for one in (await process.call("holds"))["holds"]] == [hold.id]
        erased = Hold(str(uuid.uuid4()), other, hold.from_at, hold.to_at, "PV 2026/2", now)
        with pytest.raises(ChannelError, match="WINDOW_ERASED"):
            await process.call("put_hold", envelope=sign_hold(erased, key))
        release = Release("hold", hold.id, ("first", "second"))
        await process.call("release", envelope=sign_release(release, key))

        async def freed() -> bool:
            return not below(disks[0] / held)

        await wait_until(freed)
        with pytest.raises(ChannelError, match="HOLD_RELEASED"):
            await process.call("put_hold", envelope=sign_hold(hold, key))
        assert process.stop() == 0
        assert process.csu("check", "--deep")[1]["ok"]


async def test_a_second_directory_is_added_to_one_that_records(tmp_path: Path, cameras: Simulator) -> None:
    since = datetime.now(UTC)
    data = tmp_path / "data"
    first = Paths(data).recordings
    with recorder(data) as process:
        await process.order(orders(camera(cameras, 1)))
        await _until_on(process, {"recordings"})
        assert process.stop() == 0
        process.storage = (first, tmp_path / "two")
        process.start()
        await _until_on(process, {"recordings"})  # it stays where it was, however much room there is elsewhere
        indexes: list[dict[str, Any]] = []

        async def both_answer() -> bool:
            indexes[:] = (await process.call("indexes"))["indexes"]
            return len(indexes) == 2

        await wait_until(both_answer)
        assert [one["added"] for one in indexes] == [True, True]
        assert not [f for f in await process.facts() if f["kind"] == "alarm_raised" and f["code"] == "INDEX_NEW"]
        await process.order(orders(camera(cameras, 1), camera(cameras, 2)))
        await _until_on(process, {"recordings", "two"})

        async def both() -> bool:
            return all([(await process.coverage(camera_id(n), since))["runs"] for n in (1, 2)])

        await wait_until(both)
        assert process.stop() == 0
        code, report = process.csu("check", "--deep")
        assert (code, report["ok"], report["unreadable"]) == (0, True, 0)
        to = datetime.now(UTC)
        (tmp_path / "two").rename(tmp_path / "away")
        words = ("coverage", "--camera", camera_id(2), "--from", since.isoformat(), "--to", to.isoformat())
        assert {gap["cause"] for gap in process.csu(*words)[1]["gaps"]} == {"storage"}
        code, report = process.csu("check")
        assert (code, report["ok"], report["unreadable"], report["segments"] > 0) == (1, False, 1, True)
        process.storage = (first,)  # and one that is named no more: what it has would never be destroyed
        process.start()

        async def alarmed() -> bool:
            raised = [f for f in await process.facts() if f["kind"] == "alarm_raised"]
            return (str(tmp_path / "two"), "STORAGE_DROPPED") in {(f["subject"], f["code"]) for f in raised}

        await wait_until(alarmed)
        await _until_on(process, {"recordings"})
