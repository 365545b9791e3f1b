"""The power goes at any instant: all that is older than 5 s is there, index and files agree, nothing comes back."""

import itertools
import shutil
from collections.abc import Sequence as Series
from contextlib import closing
from pathlib import Path

import pytest
from disk_model import Choice, Disk, Op, chance, everything, nothing
from recorded_sequence import BEGIN_US, CAMERAS, SECONDS, Sequence, recorded

from recorder.accounts import Cause
from recorder.adoption import is_needed
from recorder.check import check
from recorder.files import StorageDirectory
from recorder.index import Index, open_reader
from recorder.recovery import recover

DURABLE_US = 5_000_000


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Op]]:
    before, log = _record(tmp_path_factory.mktemp("sequence"))
    assert {op[0] for op in log} == {"at", "commit", "create", "dirsync", "mkdir", "rmdir", "sync", "unlink", "write"}
    return before, log


def _record(path: Path) -> tuple[Path, list[Op]]:
    """The operations of one recording, and the directory as it was before them."""
    log: list[Op] = []
    sequence = Sequence(path, log)
    sequence.prepare()
    before = path / "before"
    shutil.copytree(path / "recordings", before / "recordings")
    shutil.copytree(path / "state", before / "state")
    with recorded(path, log):
        sequence.run()
        sequence.let_go()
    assert sequence.restarts == 0
    return before, log


def _cut(before: Path, log: Series[Op], upto: int, keep: Choice, path: Path) -> int:
    """The directory as found after a cut behind `upto` operations; the time of the cut."""
    disk = Disk(before / "recordings")
    at_us = BEGIN_US
    for op in log[:upto]:
        disk.apply(op)
        at_us = op[1] if op[0] == "at" else at_us
    disk.write(path / "recordings", keep)
    shutil.copytree(before / "state", path / "state")
    return at_us


def _start(path: Path, now_us: int) -> None:
    """What a recorder does when the power is back."""
    storage = StorageDirectory.open(path / "recordings", path / "state" / "storage.json")
    with closing(Index.open(storage.index_path, storage.identity, now_us)) as index:
        assert not is_needed(storage, index, now_us)
        report = recover(storage, index, now_us, Cause.OURS, "killed")
        assert report.damaged == []
        index.commit()
    storage.close()


def _holds(path: Path, cut_us: int) -> None:
    """Index and files agree to the last hash, and no second older than 5 s is missing that was recorded."""
    report = check(path / "recordings", cut_us, deep=True)
    assert report.ok, report
    with closing(open_reader(path / "recordings" / "index.db")) as reader:
        for camera in CAMERAS:
            runs = reader.execute(
                "SELECT from_us, to_us FROM run JOIN camera c ON c.id = run.camera WHERE c.uuid = ? ORDER BY from_us",
                (camera,),
            ).fetchall()
            last_us = max((to_us for _, to_us in runs), default=BEGIN_US)
            ended_us = BEGIN_US + 17_200_000 if camera == CAMERAS[1] else cut_us
            assert last_us >= min(cut_us - DURABLE_US, max(ended_us - DURABLE_US, BEGIN_US)), (camera, runs)
        segments = reader.execute("SELECT start_us, end_us FROM segment ORDER BY camera, start_us").fetchall()
        for (_, end_us), (start_us, _) in itertools.pairwise(segments):
            assert start_us < end_us or start_us - end_us < 3_000_000
        told = reader.execute(
            "SELECT (SELECT count(*) FROM fact WHERE kind = 'destroyed') + (SELECT count(*) FROM ledger)"
        ).fetchone()[0]
        derived = reader.execute("SELECT name FROM derived").fetchall()
        assert {str(file.relative_to(path / "recordings")) for file in path.rglob("*.jpg")} == {n for (n,) in derived}
        assert told or cut_us < BEGIN_US + 18_000_000


def _survives(before: Path, log: Series[Op], upto: int, keep: Choice, path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    cut_us = _cut(before, log, upto, keep, path)
    _start(path, cut_us)
    _holds(path, cut_us)


def _cuts(log: Series[Op]) -> list[int]:
    """Before each operation, and behind the last."""
    return [n for n in range(len(log) + 1) if n == len(log) or log[n][0] != "at"]


def test_a_cut_between_any_two_operations(recording: tuple[Path, list[Op]], tmp_path: Path) -> None:
    before, log = recording
    cuts = _cuts(log)
    assert len(cuts) > 200
    for upto in cuts:
        for keep in (nothing, chance(upto), everything):
            _survives(before, log, upto, keep, tmp_path / "cut")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_every_cut_with_everything_that_may_be_lost(recording: tuple[Path, list[Op]], tmp_path: Path) -> None:
    before, log = recording
    for upto in _cuts(log):
        for seed in range(40):
            _survives(before, log, upto, chance(upto * 1000 + seed), tmp_path / "cut")


@pytest.mark.parametrize("forgotten", ["sync", "dirsync"])
def test_what_is_forgotten_is_found(recording: tuple[Path, list[Op]], tmp_path: Path, forgotten: str) -> None:
    """The test of the test: without its syncs the recording doesn't survive."""
    before, log = recording[0], [op for op in recording[1] if op[0] != forgotten]

    def survives_all() -> None:
        for upto in _cuts(log):
            _survives(before, log, upto, nothing, tmp_path / "cut")

    with pytest.raises(AssertionError):
        survives_all()


def test_a_second_cut_while_recovering(recording: tuple[Path, list[Op]], tmp_path: Path) -> None:
    before, log = recording
    for upto in range(40, len(log), len(log) // 12):
        _cut_again(before, log, upto, tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_every_second_cut_while_recovering(recording: tuple[Path, list[Op]], tmp_path: Path) -> None:
    before, log = recording
    for upto in range(0, len(log), 5):
        _cut_again(before, log, upto, tmp_path)


def _cut_again(before: Path, log: Series[Op], upto: int, path: Path) -> None:
    first, second = path / "first", path / "second"
    shutil.rmtree(first, ignore_errors=True)
    cut_us = _cut(before, log, upto, chance(upto), first)
    found = path / "found"
    shutil.rmtree(found, ignore_errors=True)
    shutil.copytree(first, found)
    recovering: list[Op] = [("commit", (found / "recordings" / "index.db").read_bytes())]
    with recorded(first, recovering):
        sequence = Sequence(first, recovering)
        sequence._attempt(lambda: None, cut_us)
        sequence.let_go()
    for again in range(1, len(recovering) + 1):
        shutil.rmtree(second, ignore_errors=True)
        _cut(found, recovering, again, chance(again), second)
        _start(second, cut_us)
        _holds(second, cut_us)


def test_the_sequence_is_long_enough(recording: tuple[Path, list[Op]]) -> None:
    _, log = recording
    created = [op[1] for op in log if op[0] == "create"]
    assert {name.split("/")[4] for name in created if name.endswith(".mp4")} == {"13", "14"}
    assert sum(op[0] == "unlink" for op in log) >= 4
    assert SECONDS > 20
    for made in ("create", "unlink"):
        assert sum(op[0] == made and op[1].startswith("derived/") for op in log) == 2
