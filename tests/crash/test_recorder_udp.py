"""Cameras that send over UDP only, from the network to the disk."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recorder_process import (
    RecorderProcess,
    Simulator,
    camera,
    camera_id,
    orders,
    recorder,
    simulator,
    until_recorded,
)
from served_frames import check_served, of_loop

from csu.settings import Paths
from csu.simulator import loops
from csu.simulator.cameras import QUICK
from recorder.channel import ChannelClient
from recorder.recovery import scan_parts


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("simulator")


@pytest.fixture(scope="module")
def cameras(data: Path) -> Iterator[Simulator]:
    with simulator(data, 2, "h264", "--udp") as running:
        yield running


async def _record(process: RecorderProcess, cameras: Simulator, fault: str | None, since: datetime) -> None:
    """Two cameras for some seconds, the first with a fault."""
    async with ChannelClient(cameras.control) as control:
        await control.call("fault", camera=1, fault=fault)
        await process.order(orders(camera(cameras, 1), camera(cameras, 2)))

        try:
            await until_recorded(process, since, 6, 1, 2)
        finally:
            await control.call("fault", camera=1, fault=None)
    assert process.stop() == 0
    assert process.csu("check", "--deep")[1]["ok"]


def _files(process: RecorderProcess, number: int) -> list[Path]:
    return sorted(process.paths.recordings.glob(f"{camera_id(number)}/**/*.mp4"))


def _lost(file: Path) -> int:
    """As the parts of a file say."""
    fd = os.open(file, os.O_RDONLY)
    try:
        return scan_parts(fd, verify_from=0).lost
    finally:
        os.close(fd)


@pytest.mark.parametrize("fault", ["reordering", "duplication"])
async def test_udp_is_recorded_bit_for_bit(tmp_path: Path, data: Path, cameras: Simulator, fault: str) -> None:
    with recorder(tmp_path / "data") as process:
        await _record(process, cameras, fault, datetime.now(UTC))
        for number in (1, 2):
            loop = loops.load(Paths(data).simulator, number, "main", QUICK)
            numbers = [n for file in _files(process, number) for n in check_served(file, of_loop(loop))]
            assert len(numbers) >= 100
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert [_lost(file) for file in _files(process, number)] == [0] * len(_files(process, number))


async def test_what_the_network_loses_is_in_the_part_and_in_the_run(
    tmp_path: Path, data: Path, cameras: Simulator
) -> None:
    with recorder(tmp_path / "data") as process:
        await _record(process, cameras, "loss", datetime.now(UTC))
        loop = loops.load(Paths(data).simulator, 1, "main", QUICK)
        numbers = [n for file in _files(process, 1) for n in check_served(file, of_loop(loop))]
        assert set(range(numbers[0], numbers[-1])) - set(numbers)  # what was damaged is left out, the rest is whole
        lost = sum(_lost(file) for file in _files(process, 1))
        assert lost > 1
        assert _runs_lost(process, 1) == lost
        assert _runs_lost(process, 2) == 0


def _runs_lost(process: RecorderProcess, number: int) -> int:
    """As the index says of the camera's runs."""
    found = 0
    for path in process.paths.recordings.glob("index.db"):
        with closing(sqlite3.connect(path)) as index:
            query = "SELECT sum(lost) FROM run JOIN camera ON camera.id = run.camera WHERE uuid = ?"
            found += index.execute(query, (camera_id(number),)).fetchone()[0]
    return found
