"""The checker finds every fault that is made, and none that isn't."""

import os
import sqlite3
import tracemalloc
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from recorder_support import CAMERA, OTHER, START_US, bench, packets, record

from recorder.check import check
from recorder.destruction import destroy_due
from recorder.format import PART_BOX, SEGMENT_BOX, file_header, file_name, segment_of
from recorder.recovery import scan_parts
from streams.fmp4 import parse_init

NOW_US = START_US + 3_600_000_000


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 150))
        record(made.store, OTHER, packets(25 * 70))
    return tmp_path / "recordings"


def _files(recordings: Path, camera: str = CAMERA) -> list[Path]:
    return sorted((recordings / camera).rglob("*.mp4"))


def test_all_is_well(recordings: Path) -> None:
    seen: list[int] = []
    report = check(recordings, NOW_US, True, lambda done, _: seen.append(done))
    assert report.ok
    assert report.segments == len(_files(recordings)) + len(_files(recordings, OTHER))
    assert seen[-1] == report.bytes_read == sum(f.stat().st_size for f in recordings.rglob("*.mp4"))


def test_what_is_being_written_is_no_fault(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 100), end=False, wave=1000)
        assert check(tmp_path / "recordings", NOW_US, True).ok
        made.store.wave(START_US)
        assert check(tmp_path / "recordings", NOW_US, True).ok


def test_missing_orphan_and_short_files(recordings: Path) -> None:
    first, second, *_ = _files(recordings)
    first.unlink()
    os.truncate(second, second.stat().st_size - 1)
    orphan = second.with_name("20260101T000000000000Z_0000000001.mp4")
    orphan.write_bytes(b"x")
    report = check(recordings, NOW_US, False)
    assert not report.ok
    assert report.missing_files == [str(p.relative_to(recordings)) for p in (first, second)]
    assert report.orphan_files == [str(orphan.relative_to(recordings))]


def _peak_of_a_check(path: Path, cameras: int) -> int:
    """Bytes, with so many cameras of 400 segments each."""
    with bench(path) as made:
        for n in range(cameras):
            camera = f"{n:08x}-0000-4000-8000-000000000000"
            number = made.index.camera(camera)
            times_us = [(n * 400 + i + 1, START_US + i * 60_000_000) for i in range(400)]
            made.index.execute_many(
                "INSERT INTO segment(id, camera, run, start_us, end_us, state, length, media_90k, deadline_us,"
                f" authorisation, previous, hash) VALUES (?, {number}, 1, ?2, ?2, 1, 0, 0, ?2 * 2, 'a', ?, ?)",
                [(segment, at_us, bytes(32), bytes(32)) for segment, at_us in times_us],
            )
            for segment, at_us in times_us:
                file = path / "recordings" / file_name(camera, at_us, segment)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
        made.index.commit()
    tracemalloc.start()
    report = check(path / "recordings", NOW_US, False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (report.ok, report.segments) == (True, 400 * cameras)
    return peak


def test_a_check_takes_the_memory_of_one_camera(tmp_path: Path) -> None:
    """A month of 250 cameras has ten million segments, and the recorder runs beside it."""
    assert _peak_of_a_check(tmp_path / "eight", 8) < 3 * _peak_of_a_check(tmp_path / "one", 1)


def test_overdue(recordings: Path) -> None:
    late = check(recordings, START_US + 40 * 86_400_000_000, False)
    assert len(late.overdue) == late.segments
    assert not late.ok


def test_one_flipped_bit_anywhere(recordings: Path) -> None:
    file = _files(recordings)[1]
    whole = file.read_bytes()
    fd = os.open(file, os.O_RDONLY)
    entries = scan_parts(fd, 0).entries
    os.close(fd)
    places = [0, 40, 200, len(whole) - 1, *(e.offset + 30 for e in entries[:3]), *(e.offset + 400 for e in entries)]
    for place in places:
        data = bytearray(whole)
        data[place] ^= 4
        file.write_bytes(data)
        assert check(recordings, NOW_US, True).bad_hashes == [str(file.relative_to(recordings))], place
    file.write_bytes(whole)
    assert check(recordings, NOW_US, True).ok


@pytest.mark.parametrize("mark", [SEGMENT_BOX, PART_BOX])
@pytest.mark.parametrize("put_instead", [b"free", b""])
def test_row_33_a_segment_that_no_longer_says_its_camera_and_time_is_not_conform(
    recordings: Path, mark: bytes, put_instead: bytes
) -> None:
    """The box that says so is taken out of the file, or made one that players pass over."""
    file = _files(recordings)[1]
    whole = file.read_bytes()
    at = whole.index(b"uuid" + mark)
    size = int.from_bytes(whole[at - 4 : at])
    box = whole[at - 4 : at] + put_instead + whole[at + 4 : at - 4 + size] if put_instead else b""
    file.write_bytes(whole[: at - 4] + box + whole[at - 4 + size :])
    report = check(recordings, NOW_US, True)
    assert not report.ok
    assert {*report.bad_hashes, *report.missing_files} == {str(file.relative_to(recordings))}


def test_a_segment_taken_out_of_the_chain(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 200))
        segments = made.index.query("SELECT id, start_us FROM segment ORDER BY id")
        made.index.execute("DELETE FROM segment WHERE id = ?", (segments[1][0],))
        made.index.commit()
        files = _files(tmp_path / "recordings")
        files[1].unlink()
    report = check(tmp_path / "recordings", NOW_US, True)
    assert report.bad_hashes == [str(files[2].relative_to(tmp_path / "recordings"))]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 1, 3), (1, 3, 2)])
def test_the_chain_holds_over_what_was_destroyed_lawfully(tmp_path: Path, order: tuple[int, ...]) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 320))
        segments = [s for (s,) in made.index.query("SELECT id FROM segment ORDER BY id")]
        assert len(segments) >= 6
        for number in order:
            made.index.execute("UPDATE segment SET deadline_us = 1 WHERE id = ?", (segments[number],))
            assert destroy_due(made.store, 1, START_US) == 1
        assert made.index.query("SELECT count(*) FROM bridge") == [(1,)]
        made.index.commit()
        assert check(tmp_path / "recordings", NOW_US, True).ok


def test_one_flipped_bit_in_every_place(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(20, gop=5, fps=5))
    recordings = tmp_path / "recordings"
    (file,) = _files(recordings)
    whole = file.read_bytes()
    for place in range(0, len(whole), 3):
        data = bytearray(whole)
        data[place] ^= 1 << place % 8
        file.write_bytes(data)
        assert not check(recordings, NOW_US, True).ok, place


def _forge(recordings: Path, made_of: Path, segment: int, previous: bytes) -> bytes:
    """Another segment's pictures under a number and chain of the forger's choice; the hash that its row needs."""
    whole = made_of.read_bytes()
    fd = os.open(made_of, os.O_RDONLY)
    scan = scan_parts(fd, 0)
    init = parse_init(os.pread(fd, 65536, 0))
    os.close(fd)
    header = replace(scan.header, segment=segment, previous=previous)
    forged = recordings / file_name(header.camera, header.start_us, segment)
    forged.write_bytes(file_header(header, init.format) + whole[scan.header_size :])
    fd = os.open(forged, os.O_RDONLY)
    digest = scan_parts(fd, 0).digest
    os.close(fd)
    return digest


def test_a_segment_put_into_the_chain(tmp_path: Path) -> None:
    """With a file and a row that agree, and the right hash before it: the next one gives it away."""
    recordings = tmp_path / "recordings"
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 90))
        made.store._last += 1  # a number to put in
        record(made.store, CAMERA, packets(25 * 90, start=25 * 100))
        ids = [i for (i,) in made.index.query("SELECT id FROM segment ORDER BY id")]
        free = next(n for n in ids if n + 1 not in ids) + 1
        ((before,),) = made.index.query("SELECT hash FROM segment WHERE id = ?", (free - 1,))
        assert check(recordings, NOW_US, True).ok
        forged = _forge(recordings, _files(recordings)[free - 2], free, before)
        made.index.execute(
            "INSERT INTO segment(id, camera, run, start_us, end_us, state, length, media_90k, deadline_us, minimum_us,"
            " authorisation, previous, hash) SELECT ?, camera, run, start_us, end_us, state, length, media_90k,"
            " deadline_us, minimum_us, authorisation, ?, ? FROM segment WHERE id = ?",
            (free, before, forged, free - 1),
        )
        made.index.commit()
    (bad,) = check(recordings, NOW_US, True).bad_hashes
    assert segment_of(Path(bad).name) == free + 1


@pytest.mark.parametrize("rows_too", [False, True])
def test_two_segments_exchanged(recordings: Path, rows_too: bool) -> None:
    first, second = _files(recordings)[:2]
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    if rows_too:
        with closing(sqlite3.connect(recordings / "index.db")) as index, index:
            columns = "end_us, length, media_90k, previous, hash"
            index.execute(f"CREATE TEMP TABLE was AS SELECT id, {columns} FROM segment WHERE id IN (1, 2)")
            index.execute(
                f"UPDATE segment SET ({columns}) = (SELECT {columns} FROM was WHERE was.id = 3 - segment.id)"
                " WHERE id IN (1, 2)"
            )
    report = check(recordings, NOW_US, True)
    found = {*report.bad_hashes, *report.missing_files}  # missing: shorter than its row says
    assert {str(p.relative_to(recordings)) for p in (first, second)} <= found
