"""The walk of the disk: what is oldest, what is overdue, judged from the files alone."""

import asyncio
import json
import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from recorder_support import CAMERA, DAY_US, OTHER, START_US, bench, packets, record, remember_clock

from legal.retention import LONGEST_DAYS, deadline_at
from recorder import walker
from recorder.clock import ClockState
from recorder.control import Control
from recorder.decisions import Hold, sign_hold
from recorder.derived import put_derived
from recorder.destruction import destroy_due
from recorder.files import StorageDirectory
from recorder.format import start_us_of
from recorder.holds import put_hold
from recorder.index import open_reader
from recorder.machine import now_us
from recorder.main import Recorder, RecorderConfig
from recorder.orders import CameraOrder, Orders, StreamAddress, sign
from recorder.rebuild import set_aside
from recorder.sealed import key_id
from recorder.utc import text_from_us
from recorder.walker import OVERDUE_US, look
from streams.ticks import at_from_us, us_from_at

KEY = Ed25519PrivateKey.generate()


def test_the_oldest_of_each_camera_and_all_it_has(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 100))
        record(made.store, OTHER, packets(25 * 30, start=25 * 50))
        files = made.index.query("SELECT count(*), sum(length) FROM segment WHERE camera = 1")[0]
    by_camera = {one.camera: one for one in look(tmp_path / "recordings", START_US, whole=True)}
    assert (by_camera[CAMERA].files, by_camera[CAMERA].size) == files
    assert by_camera[CAMERA].oldest_us == START_US
    assert by_camera[OTHER].oldest_us == START_US + 50_000_000
    assert not any(one.overdue for one in by_camera.values())


def test_what_a_later_shorter_authorisation_left_is_overdue(tmp_path: Path) -> None:
    """Recorded in one hour: 20 days first, then 5."""
    late_us = START_US + 6 * DAY_US
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 70), days=20)
        record(made.store, CAMERA, packets(25 * 70, start=25 * 100), days=5)
        short = made.index.query("SELECT count(*) FROM segment WHERE start_us >= ?", (START_US + 100_000_000,))[0][0]
    (one,) = look(tmp_path / "recordings", late_us)
    assert len(one.overdue) == short > 0
    assert one.oldest_us == START_US


def test_what_an_index_forgot_is_overdue_and_what_is_held_is_not(tmp_path: Path) -> None:
    late_us = START_US + 16 * DAY_US
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 100))
        record(made.store, OTHER, packets(25 * 100))
        hold = Hold(str(uuid4()), OTHER, at_from_us(START_US), at_from_us(late_us), "PV 1", at_from_us(START_US))
        put_hold(made.storage, made.index, hold, sign_hold(hold, KEY), START_US)
        made.index.execute("DELETE FROM segment WHERE camera = 1 AND id = (SELECT min(id) FROM segment)")
        made.index.commit()
        destroy_due(made.store, late_us, late_us)
    storage = tmp_path / "recordings"
    overdue = {one.camera: (len(one.overdue), one.held) for one in look(storage, late_us, whole=True)}
    assert overdue == {CAMERA: (1, 0), OTHER: (0, 3)}
    assert [one.held for one in look(storage, START_US, whole=True)] == [0, 0]  # held, and not past the deadline
    (held,) = (one for one in look(storage, late_us, whole=True) if one.camera == OTHER)
    assert (held.files, held.held_size, held.oldest_us) == (3, held.size, None)
    ten_minutes_us = 600_000_000
    (first,) = (one for one in look(storage, START_US + 15 * DAY_US + ten_minutes_us) if one.camera == CAMERA)
    assert first.overdue == ()
    (first,) = (one for one in look(storage, START_US + 15 * DAY_US + ten_minutes_us + 1) if one.camera == CAMERA)
    assert len(first.overdue) == 1


def test_a_file_that_can_not_be_read_is_overdue_after_the_longest_delay_and_when_its_hold_ends(tmp_path: Path) -> None:
    month_us = us_from_at(deadline_at(at_from_us(START_US), LONGEST_DAYS))
    with bench(tmp_path) as made:
        for camera in (CAMERA, OTHER):
            record(made.store, camera, packets(25 * 10))
        begins_at = at_from_us(START_US)
        hold = Hold(str(uuid4()), OTHER, begins_at, begins_at + timedelta(minutes=5), "PV 1", begins_at)
        put_hold(made.storage, made.index, hold, sign_hold(hold, KEY), START_US)
    for file in (tmp_path / "recordings").rglob("*.mp4"):
        file.write_bytes(b"?" * file.stat().st_size)
    assert [len(one.overdue) for one in look(tmp_path / "recordings", month_us + OVERDUE_US)] == [0, 0]
    late = {one.camera: len(one.overdue) for one in look(tmp_path / "recordings", month_us + OVERDUE_US + 1)}
    assert late == {CAMERA: 1, OTHER: 0}


def test_a_held_hour_hides_nothing_that_comes_after(tmp_path: Path) -> None:
    late_us, hour_us = START_US + 16 * DAY_US, 3_600_000_000
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 20))
        record(made.store, CAMERA, ((packet, at_us + hour_us) for packet, at_us in packets(25 * 20)))
        begins_at = at_from_us(START_US)
        hold = Hold(str(uuid4()), CAMERA, begins_at, begins_at + timedelta(minutes=5), "PV 1", begins_at)
        put_hold(made.storage, made.index, hold, sign_hold(hold, KEY), START_US)
    (one,) = look(tmp_path / "recordings", late_us)
    assert (one.held > 0, len(one.overdue) > 0, one.oldest_us) == (True, True, START_US + hour_us)


def test_an_hour_that_is_wholly_held_is_not_read_each_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in it can be overdue; what is counted in the night is read."""
    late_us, hour_us = START_US + 16 * DAY_US, 3_600_000_000
    with bench(tmp_path) as made:
        for hours in range(3):
            shifted = ((packet, at_us + hours * hour_us) for packet, at_us in packets(25 * 20))
            record(made.store, CAMERA, shifted)
        held_us = START_US - START_US % hour_us + hour_us
        begins_at, ends_at = at_from_us(held_us), at_from_us(held_us + hour_us)
        hold = Hold(str(uuid4()), CAMERA, begins_at, ends_at, "PV 1", begins_at)
        put_hold(made.storage, made.index, hold, sign_hold(hold, KEY), START_US)
        destroy_due(made.store, START_US + 15 * DAY_US + hour_us // 2, late_us)
    seen: list[int] = []
    real = walker._read
    monkeypatch.setattr(walker, "_read", lambda path: (seen.append(start_us_of(path.name) // hour_us), real(path))[1])
    (one,) = look(tmp_path / "recordings", late_us)
    assert set(seen) == {held_us // hour_us + 1}
    assert len(one.overdue) > 0
    (one,) = look(tmp_path / "recordings", late_us, whole=True)
    assert held_us // hour_us in seen
    assert one.held > 0


def test_what_was_derived_is_overdue_when_it_outlives_its_deadline_and_is_not_held(tmp_path: Path) -> None:
    """Also where nothing of its camera is left, and what the index says is not asked."""
    due_us = START_US + 15 * DAY_US
    storage = tmp_path / "recordings"
    with bench(tmp_path) as made:
        names = {}
        for camera in (CAMERA, OTHER):
            record(made.store, camera, packets(25 * 20))
            window = START_US, START_US + 1_000_000
            told = put_derived(made.storage, made.index, camera, *window, "jpg", b"picture", START_US)
            names[camera] = told["name"]
        hold = Hold(str(uuid4()), OTHER, at_from_us(START_US), at_from_us(due_us), "PV 1", at_from_us(START_US))
        put_hold(made.storage, made.index, hold, sign_hold(hold, KEY), START_US)
        made.index.execute("DELETE FROM derived")
        made.index.commit()
        assert destroy_due(made.store, due_us + 60_000_000, due_us + 60_000_000) > 0
    assert not (storage / CAMERA).exists()
    for whole in (False, True):
        assert not any(one.overdue for one in look(storage, due_us + OVERDUE_US, whole))
        late = {one.camera: one.overdue for one in look(storage, due_us + OVERDUE_US + 1, whole)}
        assert late == {CAMERA: (names[CAMERA],), OTHER: ()}


async def test_the_recorder_raises_and_ends_the_alarm(tmp_path: Path) -> None:
    storage = tmp_path / "recordings"
    identities = {storage: tmp_path / "state" / "storage.json"}
    recorder = Recorder(RecorderConfig(identities, tmp_path / "state", tmp_path / "c", tmp_path / "p", {}))
    (disk,) = recorder.disks.values()
    recorder.disks.standing = ClockState(trusted=True, reason="", due_us=0)
    for camera, days, expected in ((OTHER, 1, []), (CAMERA, 16, [CAMERA]), (OTHER, 0, [CAMERA])):
        begins_us = now_us() - days * DAY_US - 60_000_000
        with bench(tmp_path) as made:
            record(made.store, camera, ((packet, at_us - START_US + begins_us) for packet, at_us in packets(25 * 10)))
        await recorder.rounds._walk(disk)
        assert recorder.alarms.subjects("OVERDUE") == expected
    shutil.rmtree(storage / CAMERA)
    await recorder.rounds._walk(disk)
    assert recorder.alarms.subjects("OVERDUE") == []


@pytest.mark.parametrize("away", [0, 1])
async def test_the_inventory_of_the_night_names_every_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: int
) -> None:
    monkeypatch.setattr("recorder.rounds.WALK_TICKS", 1)
    monkeypatch.setattr("recorder.rounds._DAY_US", 1_000_000)
    shift_us = now_us() - 3_600_000_000 - START_US
    with closing(StorageDirectory.open(tmp_path / "recordings", tmp_path / "state" / "storage.json")) as directory:
        for days in (31, 30):
            directory.index_path.write_bytes(b"%d" % days)
            set_aside(directory, now_us() - days * DAY_US)
    with bench(tmp_path) as made:
        record(made.store, CAMERA, ((packet, at_us + shift_us) for packet, at_us in packets(25 * 100)))
        ((count, oldest_us),) = made.index.query("SELECT count(*), min(start_us) FROM segment")
        remember_clock(made.index)
    keys = {key_id(KEY.public_key()): KEY.public_key()}
    storage = {tmp_path / "recordings": tmp_path / "state" / "storage.json"}
    if away:
        (tmp_path / "foreign" / "content").mkdir(parents=True)
        storage[tmp_path / "foreign"] = tmp_path / "state" / "foreign.json"
    config = RecorderConfig(storage, tmp_path / "state", tmp_path / "c", tmp_path / "p", keys)
    recorder = Recorder(config)
    running = asyncio.create_task(recorder.run(Control(recorder).answer))
    begins_at = at_from_us(START_US)
    address = StreamAddress("rtsp://127.0.0.1:1/main")
    order = CameraOrder(OTHER, "2", address, None, "native", "A-1", begins_at, begins_at + timedelta(days=999), 15)
    await asyncio.sleep(0)  # it is running
    await recorder.accept(sign(Orders(1, begins_at, [order]), KEY))
    query = "SELECT camera, body FROM fact WHERE kind = 'inventory' ORDER BY n"
    async with asyncio.timeout(60):
        while True:
            with closing(open_reader(tmp_path / "recordings" / "index.db")) as reader:
                told = {camera: json.loads(body) for camera, body in reader.execute(query)}
            if len(told) == 2:
                break
            await asyncio.sleep(0.1)
    recorder.stop()
    await running
    aside = [file.read_bytes() for file in (tmp_path / "recordings").glob("index.old.*")]
    assert aside == [b"30"]  # of an index, too, nothing outlives the longest delay
    assert told[CAMERA].pop("bytes") > 100_000
    assert told[CAMERA] == {
        "count": count,
        "oldest": text_from_us(oldest_us),
        "overdue": 0,
        "held": 0,
        "held_bytes": 0,
        "away": away,
    }
    assert told[OTHER] == {
        "count": 0,
        "bytes": 0,
        "oldest": None,
        "overdue": 0,
        "held": 0,
        "held_bytes": 0,
        "away": away,
    }
