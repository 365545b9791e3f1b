"""The index is gone, damaged or older than the disk: it comes back from the files, and the recording goes on."""

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from recorder_support import CAMERA, DAY_US, OTHER, START_US, bench, packets, record, start, start_writer

from recorder.accounts import Cause
from recorder.adoption import LOST, Adopted, Adoption, is_needed
from recorder.check import check
from recorder.coverage import Coverage, read_coverage
from recorder.derived import put_derived
from recorder.destruction import destroy_due
from recorder.files import StorageRefused
from recorder.index import open_reader
from recorder.rebuild import rebuild
from recorder.store import SegmentStore
from recorder.writer import StorageState

NOW_US = START_US + 600_000_000
COLUMNS = "id, start_us, end_us, state, length, media_90k, deadline_us, minimum_us, authorisation, previous, hash"


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Two cameras; one of them with an interruption."""
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 150))
        record(made.store, OTHER, packets(25 * 70))
        record(made.store, CAMERA, packets(25 * 30, start=25 * 200))
    return tmp_path / "recordings"


def _rebuild(path: Path, now_us: int = NOW_US) -> Adopted:
    return rebuild(path / "recordings", path / "state" / "storage.json", now_us, lambda done: None)


def _rows(recordings: Path, what: str) -> list[tuple[object, ...]]:
    with closing(open_reader(recordings / "index.db")) as reader:
        return reader.execute(what).fetchall()


def _segments(recordings: Path) -> list[tuple[object, ...]]:
    return _rows(
        recordings,
        f"SELECT c.uuid, {COLUMNS.replace('id,', 's.id,', 1)}, entries FROM segment s"
        " JOIN part p ON p.segment = s.id JOIN camera c ON c.id = s.camera ORDER BY s.id",
    )


def _coverage(recordings: Path, camera: str, now_us: int = NOW_US) -> Coverage:
    with closing(open_reader(recordings / "index.db")) as reader:
        coverage = read_coverage(reader, camera, START_US, now_us, now_us)
    assert coverage is not None
    return coverage


def _forget_index(recordings: Path) -> None:
    for file in recordings.glob("index.db*"):
        file.unlink()


def _set_aside(recordings: Path) -> list[Path]:
    return list(recordings.glob("index.old.*Z"))


def test_the_index_comes_back_as_it_was(tmp_path: Path, recordings: Path) -> None:
    before, uuid = _segments(recordings), _rows(recordings, "SELECT value FROM meta WHERE key = 'index'")
    report = _rebuild(tmp_path)
    assert (report.ok, report.segments) == (True, len(before))
    assert _segments(recordings) == before
    assert _rows(recordings, "SELECT value FROM meta WHERE key = 'index'") != uuid
    assert check(recordings, NOW_US, True).ok
    coverage = _coverage(recordings, CAMERA)
    seconds = [(a - START_US) // 1_000_000 for run in coverage.runs for a in run]
    assert seconds == [0, 150, 200, 230]
    assert [(g.cause, g.detail) for g in coverage.gaps] == [("ours", LOST)] * 2
    assert coverage.expected_us == NOW_US - START_US
    with bench(tmp_path, NOW_US) as again:
        assert not again.is_older
        record(again.store, CAMERA, packets(25 * 20, start=25 * 700))
    assert check(recordings, NOW_US, True).ok


def test_never_while_a_recorder_holds_the_directory(tmp_path: Path, recordings: Path) -> None:
    with bench(tmp_path), pytest.raises(StorageRefused, match="STORAGE_BUSY"):
        _rebuild(tmp_path)
    assert not (recordings / "index.new").exists()
    with pytest.raises(StorageRefused, match="STORAGE_UNMOUNTED"):
        rebuild(tmp_path, tmp_path / "state" / "other.json", NOW_US, lambda done: None)


def test_an_unreadable_index_is_kept_aside(tmp_path: Path, recordings: Path) -> None:
    before = _segments(recordings)
    (recordings / "index.db").write_bytes(b"junk" * 4096)
    assert _rebuild(tmp_path).ok
    assert _segments(recordings) == before
    [old] = _set_aside(recordings)
    assert old.read_bytes().startswith(b"junk")


def test_what_was_set_aside_is_not_overwritten_and_the_newest_three_stay(tmp_path: Path, recordings: Path) -> None:
    for n in range(5):
        (recordings / "index.db").write_bytes(b"%d" % n * 4096)
        (recordings / "index.db-wal").write_bytes(b"log %d" % n)
        assert _rebuild(tmp_path, NOW_US + n).ok
    _forget_index(recordings)
    assert _rebuild(tmp_path, NOW_US + 5).ok  # nothing to set aside: nothing gives way to it
    (recordings / "index.old.notes").write_text("of a person")
    (recordings / "index.db").write_bytes(b"5" * 4096)
    assert _rebuild(tmp_path, NOW_US - DAY_US).ok  # set aside by a clock that was set back: newest all the same
    kept = {file.name: file.read_bytes()[:5] for file in recordings.glob("index.old.*")}
    assert kept == {
        "index.old.20261122T135000000000Z": b"55555",
        **{f"index.old.20261123T135000{n:06}Z": b"%d" % n * 5 for n in (3, 4)},
        **{f"index.old.20261123T135000{n:06}Z-wal": b"log %d" % n for n in (3, 4)},
        "index.old.notes": b"of a ",
    }


@pytest.mark.parametrize("cut", [1, 3000, 100_000])
def test_a_torn_last_part_is_left_out_and_left_alone(tmp_path: Path, recordings: Path, cut: int) -> None:
    last = max(recordings.rglob("*.mp4"), key=lambda file: file.name[-14:])
    os.truncate(last, max(last.stat().st_size - cut, 700))
    size = last.stat().st_size
    _forget_index(recordings)
    assert _rebuild(tmp_path).ok
    assert not last.exists() or last.stat().st_size == size
    assert check(recordings, NOW_US, True).ok


def test_one_flipped_bit_is_still_found_after(tmp_path: Path, recordings: Path) -> None:
    file = sorted((recordings / CAMERA).rglob("*.mp4"))[1]
    whole = file.read_bytes()
    for place in (0, 200, 900, len(whole) // 2, len(whole) - 1):
        data = bytearray(whole)
        data[place] ^= 1
        file.write_bytes(data)
        _rebuild(tmp_path)
        assert not check(recordings, NOW_US, True).ok, place
        assert file.stat().st_size == len(whole)


def _spoil_header(file: Path, other: Path) -> None:
    file.write_bytes(b"?" * 100 + file.read_bytes()[100:])


def _spoil_first_part(file: Path, other: Path) -> None:
    content = file.read_bytes()
    at = content.index(b"moof")
    file.write_bytes(content[:at] + b"????" + content[at + 4 :])


def _spoil_pictures(file: Path, other: Path) -> None:
    content = bytearray(file.read_bytes())
    content[content.index(b"mdat") + 20] ^= 1
    file.write_bytes(content)


def _put_another_there(file: Path, other: Path) -> None:
    shutil.copy(other, file)


@pytest.mark.parametrize("spoil", [_spoil_header, _spoil_first_part, _spoil_pictures])
def test_the_newest_files_that_can_not_be_read_stay(
    tmp_path: Path, recordings: Path, spoil: Callable[[Path, Path], None]
) -> None:
    """Though they are short: only what a kill or a power cut leaves of a first part goes."""
    before = sorted(recordings.rglob("*.mp4"))
    for file in before:
        spoil(file, file)
    _forget_index(recordings)
    report = _rebuild(tmp_path)
    assert sorted(recordings.rglob("*.mp4")) == before
    assert report.removed == 0
    assert len(report.damaged) == (0 if spoil is _spoil_pictures else len(before))
    assert check(recordings, NOW_US, deep=False).ok
    with bench(tmp_path, NOW_US) as again:
        record(again.store, CAMERA, packets(25 * 20, start=25 * 700))
        assert destroy_due(again.store, START_US + 31 * DAY_US, NOW_US) == len(before) + 1
    assert not list(recordings.rglob("*.mp4"))


@pytest.mark.parametrize(("spoil", "days"), [(_spoil_header, 30), (_spoil_first_part, 15), (_put_another_there, 15)])
def test_what_can_not_be_read_is_told_and_dies_all_the_same(
    tmp_path: Path, recordings: Path, spoil: Callable[[Path, Path], None], days: int
) -> None:
    """When its header says so, else after a month from what its name says; of 23 November that is 30 days."""
    file, *_, other = sorted((recordings / CAMERA).rglob("*.mp4"))
    spoil(file, other)
    _forget_index(recordings)
    report = _rebuild(tmp_path)
    assert report.damaged == [str(file.relative_to(recordings))]
    assert check(recordings, NOW_US, deep=False).ok
    assert check(recordings, NOW_US, deep=True).bad_hashes[0] == report.damaged[0]
    deadline_us = START_US + days * DAY_US
    with bench(tmp_path, deadline_us) as made:
        destroy_due(made.store, deadline_us - 1, deadline_us)
        assert file.exists()
        destroy_due(made.store, deadline_us + 300_000_000, deadline_us)
        assert not file.exists()


def test_a_hole_is_lawful_only_beside_what_is_due(tmp_path: Path, recordings: Path) -> None:
    with bench(tmp_path) as made:
        ids = [i for (i,) in made.index.query("SELECT id FROM segment WHERE camera = 1 ORDER BY id")]
        made.index.execute("UPDATE segment SET deadline_us = 1 WHERE id = ?", (ids[1],))
        assert destroy_due(made.store, 1, START_US) == 1
        made.index.commit()
    assert check(recordings, NOW_US, True).ok
    report = _rebuild(tmp_path)
    assert len(report.holes) == 1
    assert not check(recordings, NOW_US, True).ok
    due = START_US + 16 * DAY_US
    assert _rebuild(tmp_path, due).ok
    assert not check(recordings, NOW_US, True).bad_hashes


def _adopt_all(path: Path, now_us: int) -> Adopted:
    with bench(path, now_us) as made:
        assert made.is_older
        adoption = Adoption(made.storage, made.index, now_us)
        adoption.begin()
        while not adoption.step(0.0):
            made.index.commit()
        made.index.commit()
        assert not is_needed(made.storage, made.index, now_us)
    return adoption.report


def test_an_index_from_a_backup_is_brought_up_to_date(tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    hour_us = 3_600_000_000
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 130))
        gone = made.index.query("SELECT id FROM segment ORDER BY id LIMIT 1")[0][0]
    old = (recordings / "index.db").read_bytes()
    with bench(tmp_path, START_US + hour_us) as made:
        record(made.store, CAMERA, packets(25 * 130, start=25 * 3600))
        record(made.store, OTHER, packets(25 * 70, start=25 * 3600))
        made.index.execute("UPDATE segment SET deadline_us = 1 WHERE id = ?", (gone,))
        assert destroy_due(made.store, 1, START_US) == 1
        made.store.wave(START_US + hour_us + 200_000_000)
        uuid, after = made.index.uuid, made.index.query(f"SELECT {COLUMNS} FROM segment ORDER BY id")
    _forget_index(recordings)
    (recordings / "index.db").write_bytes(old)
    report = _adopt_all(tmp_path, START_US + 2 * hour_us)
    assert (report.gone, report.conflicts, report.damaged) == (1, [], [])
    with closing(open_reader(recordings / "index.db")) as reader:
        assert reader.execute(f"SELECT {COLUMNS} FROM segment ORDER BY id").fetchall() == after
        assert reader.execute("SELECT value FROM meta WHERE key = 'index'").fetchone() != (uuid,)
    assert _coverage(recordings, CAMERA, START_US + 2 * hour_us).recorded_us == 260_000_000
    assert check(recordings, START_US + 2 * hour_us, True).ok


@pytest.mark.parametrize("by", ["command", "recorder"])
def test_what_was_derived_is_destroyed_with_the_index_that_knew_it(tmp_path: Path, recordings: Path, by: str) -> None:
    """It can be derived again; and nothing that nobody knows is left on the disk."""
    with bench(tmp_path, NOW_US) as made:
        window = START_US, START_US + 1_000_000
        told = put_derived(made.storage, made.index, CAMERA, *window, "jpg", b"picture", NOW_US)
        made.index.commit()
    assert (recordings / told["name"]).exists()
    assert check(recordings, NOW_US, True).ok
    before = _segments(recordings)
    _forget_index(recordings)
    report = _rebuild(tmp_path) if by == "command" else _adopt_all(tmp_path, NOW_US)
    assert report.ok
    assert not list(recordings.rglob("*.jpg"))
    assert not list((recordings / "derived").rglob("*"))
    assert _rows(recordings, "SELECT count(*) FROM derived") == [(0,)]
    assert _segments(recordings) == before
    assert check(recordings, NOW_US, True).ok


@pytest.mark.parametrize(("ordered", "kept"), [(7, 7), (20, 15)])
def test_the_delay_in_force_can_shorten_what_a_file_says_and_never_lengthen_it(
    tmp_path: Path, recordings: Path, ordered: int, kept: int
) -> None:
    highest = max(number for (number,) in _rows(recordings, "SELECT id FROM segment") if isinstance(number, int))
    _forget_index(recordings)
    with bench(tmp_path, NOW_US) as made:
        made.store.obey_terms(CAMERA, "27-2026-001", ordered)
        made.store.wave(NOW_US)
        adoption = Adoption(made.storage, made.index, NOW_US)
        adoption.begin()
        while not adoption.step(time.monotonic() + 1):
            pass
        days = made.index.query(
            "SELECT DISTINCT c.uuid, (s.deadline_us - s.start_us) / ? FROM segment s JOIN camera c ON c.id = s.camera",
            (DAY_US,),
        )
        assert dict(days) == {CAMERA: kept, OTHER: 15}
        assert made.index.get("last_segment") == highest + 1_000_000


def test_killed_while_adopting_it_goes_on(tmp_path: Path, recordings: Path) -> None:
    before = _segments(recordings)
    _forget_index(recordings)
    for _ in range(3):
        made = start(tmp_path, NOW_US)
        adoption = Adoption(made.storage, made.index, NOW_US)
        adoption.begin()
        adoption.step(0.0)
        made.index.commit()
        made.kill()
    _adopt_all(tmp_path, NOW_US)
    assert _segments(recordings) == before
    assert check(recordings, NOW_US, True).ok
    assert _coverage(recordings, CAMERA).recorded_us == 180_000_000


@pytest.mark.parametrize("cut", [1, 3000])
def test_killed_while_adopting_a_torn_newest_file_is_still_no_damage(
    tmp_path: Path, recordings: Path, cut: int
) -> None:
    """What the crash before tore is its end only: found at the first start, and remembered over the next ones."""
    last = max(recordings.rglob("*.mp4"), key=lambda file: file.name[-14:])
    os.truncate(last, last.stat().st_size - cut)
    _forget_index(recordings)
    made = start(tmp_path, NOW_US)
    Adoption(made.storage, made.index, NOW_US).begin()
    made.kill()
    report = _adopt_all(tmp_path, NOW_US)
    assert report.damaged == []
    assert check(recordings, NOW_US, True).ok


def test_killed_while_adopting_a_newest_file_that_a_power_cut_left_unwritten(tmp_path: Path, recordings: Path) -> None:
    """Its last part has a header and the length, and not the pictures: it is no part."""
    last = max(recordings.rglob("*.mp4"), key=lambda file: file.name[-14:])
    with last.open("r+b") as file:
        file.seek(-1000, os.SEEK_END)
        file.write(bytes(1000))
    _forget_index(recordings)
    made = start(tmp_path, NOW_US)
    Adoption(made.storage, made.index, NOW_US).begin()
    made.kill()
    assert _adopt_all(tmp_path, NOW_US).damaged == []
    assert check(recordings, NOW_US, True).ok


async def _told_ready(states: list[StorageState]) -> bool:
    return bool(states) and states[-1].ready


async def _told_new(states: list[StorageState]) -> bool:
    return any(state.ready and state.index_new for state in states)


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.01)


def _damage_header(recordings: Path) -> None:
    (recordings / "index.db").write_bytes(b"no database" * 1000)


def _damage_page(recordings: Path) -> None:
    """One that is needed when a segment is filed: until then nothing shows."""
    ((page, size),) = _rows(
        recordings, "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = 'segment_by_deadline'"
    )
    assert isinstance(page, int)
    assert isinstance(size, int)
    with (recordings / "index.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))


@pytest.mark.parametrize("lose", [_forget_index, _damage_header, _damage_page])
async def test_a_recorder_without_its_index_records_on_and_files_the_rest(
    tmp_path: Path, recordings: Path, lose: Callable[[Path], None]
) -> None:
    before = _segments(recordings)
    lose(recordings)
    states: list[StorageState] = []
    writer = start_writer(tmp_path, states)
    await _until(lambda: _told_ready(states))
    if lose is _damage_page:
        writer.submit(lambda store: store.accounts.gap(OTHER, NOW_US, Cause.OURS, "starting"))
        writer.submit(lambda store: record(store, OTHER, packets(50, start=25 * 700)))
    await _until(lambda: _told_new(states))
    assert len(_set_aside(recordings)) == (lose is not _forget_index)

    def begin(store: SegmentStore) -> None:
        store.accounts.gap(CAMERA, NOW_US, Cause.OURS, "starting")

    async def all_filed() -> bool:
        return await writer.ask(lambda store: store.index.get("adopting")) is None

    await writer.ask(begin)
    await writer.ask(lambda store: record(store, CAMERA, packets(25 * 70, start=25 * 700)))
    await _until(all_filed)
    facts = await writer.ask(lambda store: store.index.query("SELECT kind FROM fact"))
    await writer.stop()
    assert ("index_rebuilt",) in facts
    assert _segments(recordings)[: len(before)] == before
    assert check(recordings, NOW_US, True).ok


def test_a_killed_rebuild_leaves_the_old_index_or_none(tmp_path: Path, recordings: Path) -> None:
    before = _segments(recordings)
    shutil.copy(recordings / "index.db", recordings / "index.new")
    (recordings / "index.new-wal").write_bytes(b"junk")
    (recordings / "index.db-wal").write_bytes(b"")
    assert _rebuild(tmp_path).ok
    os.rename(recordings / "index.db", recordings / "index.new")
    with pytest.raises(sqlite3.Error):
        open_reader(recordings / "index.db").execute("SELECT 1 FROM meta")
    assert _rebuild(tmp_path).ok
    assert _segments(recordings) == before


def test_a_backup_of_a_recording_index_is_found_to_be_older(tmp_path: Path) -> None:
    """Taken in the same hour, while it recorded: its own directories are active, and may hold newer files."""
    recordings = tmp_path / "recordings"
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 30), end=False)
        with closing(sqlite3.connect(recordings / "index.db")) as index:
            old = index.serialize()
        made.store.end_run(CAMERA, None, "closed", Cause.CAMERA, "closed")
        record(made.store, CAMERA, packets(25 * 400, start=25 * 40))
        uuid = made.index.uuid
    _forget_index(recordings)
    (recordings / "index.db").write_bytes(old)
    _adopt_all(tmp_path, NOW_US)
    assert _rows(recordings, "SELECT value FROM meta WHERE key = 'index'") != [(uuid,)]
    assert check(recordings, NOW_US, True).ok
    assert _coverage(recordings, CAMERA).recorded_us >= 428_000_000


def test_a_crash_alone_is_never_taken_for_an_older_index(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 30), end=False)
        made.store.end_run(CAMERA, None, "closed", Cause.CAMERA, "closed")
        record(made.store, CAMERA, packets(25 * 70, start=25 * 40), end=False, wave=10_000)
    assert len(list((tmp_path / "recordings").rglob("*.mp4"))) >= 3
    with bench(tmp_path, NOW_US) as again:
        assert not again.is_older
        assert again.recovery.filed >= 1


def test_the_chain_goes_on_after_the_newest_file_though_the_clock_was_ahead(tmp_path: Path) -> None:
    """Directories of a day to come stay the newest by name; the newest file lies elsewhere."""
    recordings = tmp_path / "recordings"
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 30, start=25 * 86_400))
        record(made.store, CAMERA, packets(25 * 70))
    _forget_index(recordings)
    _adopt_all(tmp_path, NOW_US)
    with bench(tmp_path, NOW_US) as again:
        record(again.store, CAMERA, packets(25 * 20, start=25 * 300))
    assert check(recordings, NOW_US, True).ok


def test_a_file_with_nothing_but_its_header_keeps_its_place_in_the_chain(tmp_path: Path) -> None:
    """Killed just after the header was synced: the next file bears its hash."""
    recordings = tmp_path / "recordings"
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(1), end=False, wave=1)
    with bench(tmp_path) as again:
        record(again.store, CAMERA, packets(25 * 10, start=25 * 10))
    before = _segments(recordings)
    _forget_index(recordings)
    report = _rebuild(tmp_path)
    assert (report.ok, report.segments) == (True, 2)
    assert _segments(recordings) == before
    assert check(recordings, NOW_US, True).ok
