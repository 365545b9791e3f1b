"""Every file operation of a recording failing in turn: nothing that was durable is lost, and the account says why."""

import errno
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from disk_model import Op
from recorded_sequence import BEGIN_US, SECONDS, Sequence, recorded

from recorder.check import check
from recorder.index import open_reader

END_US = BEGIN_US + SECONDS * 1_000_000


def _record(path: Path, fail_at: int, failure: int) -> tuple[int, int]:
    """Record with one failing operation; how many operations there were, and how often it started over."""
    log: list[Op] = []
    sequence = Sequence(path, log)
    sequence.prepare()
    with recorded(path, log, fail_at=fail_at, failure=failure) as disk:
        sequence = Sequence(path, log, disk)
        sequence.run()
        sequence.let_go()
    return disk.calls, sequence.restarts


def _survives(path: Path, fail_at: int, failure: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    _, restarts = _record(path, fail_at, failure)
    report = check(path / "recordings", END_US, deep=True)
    assert report.ok, (fail_at, report)
    with closing(open_reader(path / "recordings" / "index.db")) as reader:
        gaps = reader.execute("SELECT cause, sum(to_us - from_us) FROM gap WHERE to_us IS NOT NULL GROUP BY cause")
        lost = dict(gaps.fetchall())
        recorded_us = reader.execute("SELECT sum(to_us - from_us) FROM run").fetchone()[0]
    if restarts:
        assert lost.get("storage", 0) <= 2 * 5_000_000, fail_at
    assert recorded_us >= 2 * (SECONDS - 6) * 1_000_000, fail_at


@pytest.mark.parametrize("failure", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_an_operation_fails(tmp_path: Path, failure: int) -> None:
    """Every second with one of the errors; all with all in soak."""
    calls, restarts = _record(tmp_path / "whole", -1, failure)
    assert (restarts, calls > 250) == (0, True)
    for fail_at in range(1 + (errno.ENOSPC, errno.EIO, errno.EROFS).index(failure), calls, 6):
        _survives(tmp_path / "failing", fail_at, failure)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("failure", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_every_operation_fails_in_turn(tmp_path: Path, failure: int) -> None:
    calls, _ = _record(tmp_path / "whole", -1, failure)
    for fail_at in range(1, calls + 1):
        _survives(tmp_path / "failing", fail_at, failure)
