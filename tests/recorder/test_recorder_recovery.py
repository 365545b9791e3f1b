"""Killed at any byte: the file is readable, at most the torn part is lost, and the index says so."""

import os
from pathlib import Path

import av
import pytest
from recorder_support import CAMERA, OTHER, START_US, bench, packets, record, start

from recorder.anchors import tell_anchors
from recorder.check import check
from recorder.format import file_name, segment_of
from recorder.recovery import scan_parts


def _only_file(path: Path) -> Path:
    (file,) = (path / "recordings").rglob("*.mp4")
    return file


def test_a_clean_end_needs_no_repair(tmp_path: Path) -> None:
    with bench(tmp_path) as first:
        record(first.store, CAMERA, packets(25 * 20))
    with bench(tmp_path, START_US + 30_000_000) as again:
        assert (again.recovery.repaired, again.recovery.filed, again.recovery.removed) == (0, 0, 0)
        assert again.index.query("SELECT DISTINCT state FROM segment") == [(1,)]
        assert again.index.query("SELECT cause, detail, to_us FROM gap ORDER BY id DESC LIMIT 1") == [
            ("ours", "killed", None)
        ]


@pytest.mark.parametrize("committed", [False, True])
def test_cut_at_every_byte_of_the_last_part(tmp_path: Path, committed: bool) -> None:
    with bench(tmp_path) as first:
        record(first.store, CAMERA, packets(25 * 5, gop=25), end=False, wave=101 if committed else 1000)
    file = _only_file(tmp_path)
    whole = file.read_bytes()
    fd = os.open(file, os.O_RDONLY)
    scan = scan_parts(fd, 0)
    os.close(fd)
    assert len(scan.entries) == 4
    assert scan.length == len(whole)
    last = scan.entries[-1].offset
    durable = len(whole) if committed else 0
    state = {p: p.read_bytes() for p in (tmp_path / "recordings").glob("index.db*")}
    for cut in (*range(last, last + 200), *range(last + 200, len(whole), 997), len(whole)):
        for place, content in state.items():
            place.write_bytes(content)
        file.write_bytes(whole[:cut])
        with bench(tmp_path, START_US + 60_000_000) as again:
            ((length, end_us, digest),) = again.index.query("SELECT length, end_us, hash FROM segment")
            damaged = bool(again.recovery.damaged)
        if cut < durable:
            assert damaged  # what was promised durable is gone: told, and never papered over
        else:
            assert not damaged
            assert length == (len(whole) if cut == len(whole) else last)
            assert file.stat().st_size == length
            assert end_us == START_US + (4 if cut == len(whole) else 3) * 1_000_000
            assert len(digest) == 32


def test_cut_inside_the_first_part_or_the_header_leaves_nothing(tmp_path: Path) -> None:
    with bench(tmp_path) as first:
        record(first.store, CAMERA, packets(26, gop=25), end=False, wave=1000)
    file = _only_file(tmp_path)
    whole = file.read_bytes()
    state = {p: p.read_bytes() for p in (tmp_path / "recordings").glob("index.db*")}
    for cut in range(0, len(whole), 101):
        for place, content in state.items():
            place.write_bytes(content)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(whole[:cut])
        with bench(tmp_path) as again:
            assert again.recovery.removed == 1
            assert again.index.query("SELECT count(*) FROM segment") == [(0,)]
        assert not file.exists()


def test_a_flipped_bit_after_the_last_sync_ends_the_file_there(tmp_path: Path) -> None:
    with bench(tmp_path) as first:
        record(first.store, CAMERA, packets(25 * 5, gop=25), end=False, wave=1000)
    file = _only_file(tmp_path)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with bench(tmp_path) as again:
        assert again.index.query("SELECT end_us FROM segment") == [(START_US + 3_000_000,)]


@pytest.mark.parametrize("committed", [False, True])
def test_a_flipped_bit_in_the_header_of_the_file_that_was_written_last_stops_nothing(
    tmp_path: Path, committed: bool
) -> None:
    """Whether the file has a row already or not: it stays, is told where it can't be read, and the directory goes on.
    What a header says of another camera or number changes no row but its own."""
    with bench(tmp_path) as first:
        record(first.store, OTHER, packets(25 * 70, seed=1))
        record(first.store, CAMERA, packets(25 * 6, gop=25), end=False, wave=101 if committed else 10_000)
    (file,) = (tmp_path / "recordings" / CAMERA).rglob("*.mp4")
    content = file.read_bytes()
    state = {p: p.read_bytes() for p in (tmp_path / "recordings").glob("index.db*")}
    now_us = START_US + 300_000_000
    for bit in range(8 * content.index(b"segment"), 8 * content.index(b"moof"), 67):
        spoiled = bytearray(content)
        spoiled[bit // 8] ^= 1 << bit % 8
        file.write_bytes(spoiled)
        for place, data in state.items():
            place.write_bytes(data)
        with bench(tmp_path, now_us) as again:
            record(again.store, CAMERA, packets(60, start=25 * 250))
            tell_anchors(again.index, now_us, now_us)
            again.index.commit()
            numbers = [number for (number,) in again.index.query("SELECT id FROM segment ORDER BY id")]
        assert numbers == [1, 2, 3, 4], f"bit {bit}"
        report = check(tmp_path / "recordings", START_US, deep=True)
        faults = [*report.missing_files, *report.orphan_files, *report.overdue, *report.bad_hashes]
        assert set(faults) <= {str(file.relative_to(tmp_path / "recordings"))}, f"bit {bit}"
        assert report.missing_files == report.orphan_files == []
        for later in set((tmp_path / "recordings" / CAMERA).rglob("*.mp4")) - {file}:
            later.unlink()


def test_newer_files_of_several_cameras_and_runs_are_filed(tmp_path: Path) -> None:
    with bench(tmp_path) as first:
        record(first.store, CAMERA, packets(25 * 200), end=False, wave=25 * 70)
        record(first.store, OTHER, packets(25 * 30, seed=1), wave=10_000, sync=False)
        record(first.store, OTHER, packets(25 * 30, start=25 * 40, seed=2), end=False, wave=10_000)
    with bench(tmp_path, START_US + 300_000_000) as again:
        assert again.recovery.filed >= 3
        files = {p.name for p in (tmp_path / "recordings").rglob("*.mp4")}
        cameras = again.index.cameras()
        rows = again.index.query("SELECT id, camera, start_us, length, hash, previous FROM segment ORDER BY id")
        assert {file_name(cameras[c], s, i).rsplit("/", 1)[1] for i, c, s, *_ in rows} == files
        assert again.index.get("last_segment") == max(segment_of(f) or 0 for f in files)
        chains: dict[int, bytes] = {}
        for _, camera, _, _, digest, previous in rows:
            assert previous == chains.get(camera, bytes(32))
            chains[camera] = digest
        runs = again.index.query("SELECT camera, from_us, to_us, reason FROM run ORDER BY camera, from_us")
        assert [r[1:] for r in runs] == [
            (START_US, START_US + 198_000_000, "killed"),
            (START_US, START_US + 30_000_000, "unfiled"),
            (START_US + 40_000_000, START_US + 68_000_000, "killed"),
        ]
    with bench(tmp_path, START_US + 400_000_000) as third:
        assert (third.recovery.repaired, third.recovery.filed) == (0, 0)


def test_recording_goes_on_after_recovery(tmp_path: Path) -> None:
    for n in range(3):
        made = start(tmp_path, START_US + n * 100_000_000)
        record(made.store, CAMERA, packets(200, start=n * 2500), end=False, wave=60)
        made.kill()
    with bench(tmp_path, START_US + 400_000_000) as last:
        gaps = last.index.query("SELECT from_us, to_us, cause, detail FROM gap ORDER BY from_us")
        assert [g[2:] for g in gaps] == [("ours", "killed")] * 3
        runs = last.index.query("SELECT from_us, to_us FROM run ORDER BY from_us")
        assert [g[0] for g in gaps] == [r[1] for r in runs]
        assert [g[1] for g in gaps[:-1]] == [r[0] for r in runs[1:]]


def test_a_recorded_file_is_an_mp4_that_others_read(tmp_path: Path) -> None:
    with bench(tmp_path) as first:
        record(first.store, CAMERA, packets(25 * 8))
    with av.open(str(_only_file(tmp_path))) as container:
        sizes = [p.size for p in container.demux(video=0) if p.size]
    assert sizes == [len(p.data) for p, _ in packets(25 * 8)]


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        there = tmp_path / "recordings" / file_name(CAMERA, START_US, 1)
        there.parent.mkdir(parents=True)
        there.write_bytes(b"somebody's")
        with pytest.raises(FileExistsError):
            record(made.store, CAMERA, packets(60))
    assert there.read_bytes() == b"somebody's"
