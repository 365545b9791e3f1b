"""Files, index and orders of the version before open, record on and check out; nothing of them is lost."""

import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from make_recordings_of_before import BEGIN_US, CAMERAS, FILES, SECONDS, make
from recorder_process import wait_until
from recorder_support import apply, start_writer

from recorder.accounts import Accounts, Cause
from recorder.adoption import is_needed
from recorder.check import check
from recorder.clock import ClockMemory
from recorder.coverage import read_coverage
from recorder.dating import settle
from recorder.destruction import destroy_due, tell_destroyed
from recorder.files import StorageDirectory
from recorder.index import HOUR_US, UNCOUNTED, Index, open_reader, read_facts
from recorder.recovery import Recovery, recover
from recorder.segmenter import Segmenter
from recorder.space import read_space
from recorder.store import SegmentStore
from recorder.writer import StorageState
from streams.packets import Packet, VideoFormat

NOW_US = BEGIN_US + 600_000_000
FORMAT = VideoFormat("h264", 640, 360, bytes.fromhex("674d001e95a0"), bytes.fromhex("68ee3c80"))
KEPT = ("segment", "part", "run", "gap", "period", "terms", "alarm", "fact", "camera")


@pytest.fixture(params=FILES)
def before(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    with zipfile.ZipFile(FILES[request.param]) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def _rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(open_reader(path / "recordings" / "index.db")) as reader:
        return {table: reader.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in KEPT}


def _open(path: Path) -> tuple[StorageDirectory, Index, Recovery]:
    storage = StorageDirectory.open(path / "recordings", path / "state" / "storage.json")
    index = Index.open(storage.index_path, storage.identity, NOW_US)
    assert not is_needed(storage, index, NOW_US)
    return storage, index, recover(storage, index, NOW_US, Cause.OURS, "killed")


@pytest.mark.parametrize(("before", "version"), [(n, n) for n in FILES], indirect=["before"])
def test_it_is_of_the_version_before(before: Path, version: int) -> None:
    with closing(sqlite3.connect(before / "recordings" / "index.db")) as index:
        assert index.execute("SELECT value FROM meta WHERE key = 'version'").fetchone() == (version,)


@pytest.mark.parametrize(("before", "is_counted"), [(1, False), (2, False), (3, True), (4, True)], indirect=["before"])
def test_the_hours_are_counted_and_everything_dies_at_its_deadline(before: Path, is_counted: bool) -> None:
    storage, index, _ = _open(before)
    counted = "SELECT sum(count), sum(bytes), min(early_us) FROM hour"
    expected = "SELECT count(*), sum(length), min(minimum_us) FROM segment"
    assert bool(index.query("SELECT * FROM hour")) is is_counted
    with closing(open_reader(before / "recordings" / "index.db")) as reader:
        assert (read_space(reader, NOW_US) is not None) is is_counted
    while index.count_on(1):
        index.commit()
    assert index.query(counted) == index.query(expected)
    index.commit()
    with closing(open_reader(before / "recordings" / "index.db")) as reader:
        space = read_space(reader, NOW_US)
    assert space is not None
    assert [(space.recorded,)] == index.query("SELECT sum(length) FROM segment")
    store = SegmentStore(storage, index, Accounts(index))
    ((kept,),) = index.query("SELECT count(*) FROM segment")
    due_us = NOW_US + 16 * 86_400_000_000
    assert destroy_due(store, due_us, due_us) == kept > 0
    tell_destroyed(index, due_us)
    told = [f["count"] for f in read_facts(index._db, 0, 1000)["facts"] if f["kind"] == "destroyed"]
    assert sum(told) == kept
    index.commit()
    index.close()
    storage.close()
    assert not list(before.rglob("*.mp4"))


async def test_a_running_recorder_counts_the_hours(before: Path) -> None:
    states: list[StorageState] = []
    writer = start_writer(before, states)

    async def counted() -> bool:
        if not states or states[-1].index is None:
            return False
        return await writer.ask(lambda store: store.index.get(UNCOUNTED)) is None

    await wait_until(counted)
    hours = await writer.ask(lambda store: store.index.query("SELECT sum(count), sum(bytes) FROM hour"))
    assert hours == await writer.ask(lambda store: store.index.query("SELECT count(*), sum(length) FROM segment"))
    await writer.stop()
    assert check(before / "recordings", NOW_US, deep=True).ok


def test_nothing_is_lost_by_the_upgrade(before: Path) -> None:
    was = _rows(before)
    storage, index, report = _open(before)
    index.close()
    storage.close()
    assert (report.damaged, report.filed, report.removed, report.cut_bytes) == ([], 0, 0, 0)
    is_ = _rows(before)
    for table in ("terms", "alarm"):
        assert is_[table] == was[table]
    for table in ("gap", "period", "fact"):
        assert [row[0] for row in was[table]] == [row[0] for row in is_[table]][: len(was[table])]
    closed = [row[:13] for row in was["segment"] if row[5] == 1]
    assert [row[:13] for row in is_["segment"] if row[0] in {r[0] for r in closed}] == closed
    with closing(open_reader(before / "recordings" / "index.db")) as reader:
        ends = [reader.execute("SELECT max(to_us) FROM run WHERE camera = ?", (n,)).fetchone()[0] for n in (1, 2)]
        for camera in CAMERAS:
            coverage = read_coverage(reader, camera, BEGIN_US, NOW_US, NOW_US)
            assert coverage is not None
            assert sum(coverage.sums().values()) == NOW_US - BEGIN_US
    assert ends[0] >= BEGIN_US + (SECONDS - 5) * 1_000_000
    assert ends[1] == BEGIN_US + 80_000_000
    assert check(before / "recordings", NOW_US, deep=True).ok


def test_an_index_of_before_is_made_like_a_new_one(before: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = "SELECT type, name FROM sqlite_master ORDER BY 1, 2"
    new = Index.open(tmp_path_factory.mktemp("new") / "index.db", "new", NOW_US)
    storage, index, _ = _open(before)
    assert index.query(made) == new.query(made)
    index.close()
    storage.close()
    new.close()


def _tell_before(path: Path, **meta: object) -> None:
    with closing(sqlite3.connect(path / "recordings" / "index.db")) as index, index:
        index.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())


@pytest.mark.parametrize("before", [3], indirect=True)
@pytest.mark.parametrize(("reason", "ahead_us"), [("jumped forward by 7200 s", 2 * HOUR_US), ("", 0)])
def test_what_was_dated_ahead_before_the_upgrade_comes_forward_after_it(
    before: Path, reason: str, ahead_us: int
) -> None:
    """In a freeze that began a minute after the first picture, or under a first clock that was trusted and wrong."""
    since_us = BEGIN_US + 60_000_000 if reason else BEGIN_US - 1_000_000_000
    anchor_us = BEGIN_US - 1_000_000_000 - ahead_us
    clock = {"boot_id": "a", "anchor_us": anchor_us, "due_us": since_us, "reason": reason or None, "seen_us": 2 * 10**9}
    _tell_before(before, **{f"clock_{key}": value for key, value in clock.items()}, clock_ahead_us=ahead_us)
    storage, index, _ = _open(before)
    was = index.query("SELECT id, start_us, deadline_us, minimum_us FROM segment ORDER BY id")
    truth = ClockMemory("a", BEGIN_US - 1_000_000_000 - 2 * HOUR_US, NOW_US, seen_us=2 * 10**9, known=True)
    while not settle(index, truth, limit=2):
        index.commit()
    ahead = [(number, start_us >= since_us) for number, start_us, *_ in was]
    by_us = [2 * HOUR_US * is_ahead for _, is_ahead in ahead]
    assert sum(is_ahead for _, is_ahead in ahead) > 0
    assert index.query("SELECT id, start_us, deadline_us, minimum_us FROM segment ORDER BY id") == [
        (number, start_us, deadline_us - by, minimum_us - by)
        for (number, start_us, deadline_us, minimum_us), by in zip(was, by_us, strict=True)
    ]
    index.close()
    storage.close()


@pytest.mark.parametrize("before", [3], indirect=True)
def test_deadlines_that_were_coming_forward_do_so_at_once(before: Path) -> None:
    """One camera of two was done."""
    _tell_before(before, forward=json.dumps([[HOUR_US, 0, 1 << 62, 0, 100, NOW_US, 1]]), forwarded=2)
    was = {row[0]: row for row in _rows(before)["segment"]}
    storage, index, _ = _open(before)
    for number, camera, deadline_us in index.query("SELECT id, camera, deadline_us FROM segment"):
        assert deadline_us == was[number][8] - HOUR_US * (camera == 2)
    assert index.query("SELECT camera, max(deadline_us) FROM hour GROUP BY camera") == (
        index.query("SELECT camera, max(deadline_us) FROM segment GROUP BY camera")
    )
    assert index.get("forward") is index.get("forwarded") is None
    index.close()
    storage.close()


def test_recording_goes_on_in_the_same_chain(before: Path) -> None:
    storage, index, _ = _open(before)
    store = SegmentStore(storage, index, Accounts(index))
    segmenter = Segmenter(CAMERAS[0])
    for n in range(100):
        at_us = NOW_US + n * 500_000
        packet = Packet(bytes([n]) * 50, n * 45_000, n % 4 == 0, at_us / 1e6, FORMAT)
        apply(store, CAMERAS[0], segmenter.push(packet, at_us))
    apply(store, CAMERAS[0], segmenter.end("closed"))
    store.wave(NOW_US + 50_000_000)
    index.close()
    storage.close()
    report = check(before / "recordings", NOW_US, deep=True)
    assert report.ok
    assert report.segments >= 6


def test_a_directory_of_now_is_like_that_of_before(tmp_path: Path) -> None:
    """The script still makes what the fixture holds, but for what a new version adds."""
    make(tmp_path / "now")
    with zipfile.ZipFile(FILES[1]) as archive:
        names = {Path(name).name for name in archive.namelist() if name.endswith(".mp4")}
    assert {file.name for file in (tmp_path / "now").rglob("*.mp4")} == names
