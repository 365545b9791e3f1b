"""SIGKILL in the middle of writing, twenty times: every file is readable, at most one part is lost."""

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import pytest
from recorder_process import (
    ON_THE_WAY_S,
    Pulse,
    camera,
    camera_id,
    is_whole,
    orders,
    recorder,
    simulator,
    wait_until,
)

from recorder.recovery import scan_parts
from recorder.utc import at_from_text

CAMERAS = 4
KILLS = 20
LONGEST_PART_S = 2.0


@pytest.mark.timeout(300)
async def test_killed_at_random_instants(tmp_path: Path) -> None:
    await _kill(tmp_path, KILLS)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_killed_two_hundred_times(tmp_path: Path) -> None:
    await _kill(tmp_path, 200)


async def _kill(tmp_path: Path, kills: int) -> None:
    source = random.Random(2026)
    since = datetime.now(UTC)
    kills_at: list[tuple[datetime, datetime, float]] = []  # all recorded, killed, stood still before
    with simulator(tmp_path / "simulator", CAMERAS) as simulated, recorder(tmp_path / "data") as process:
        await process.order(orders(*(camera(simulated, n + 1) for n in range(CAMERAS))))
        pulse = Pulse(process, simulated)

        async def all_record() -> bool:
            await pulse.beat()
            return all([await process.state(camera_id(n + 1)) == "recording" for n in range(CAMERAS)])

        for _ in range(kills):
            await pulse.begin()
            await wait_until(all_record)
            recording_at = datetime.now(UTC)
            until_s = time.monotonic() + source.uniform(0.0, 2.2)  # at any instant of two parts
            while time.monotonic() < until_s:
                await asyncio.sleep(0.01)
                await pulse.beat()
            process.kill()
            killed_at = datetime.now(UTC)
            await pulse.beat()
            kills_at.append((recording_at, killed_at, pulse.silent_s))
            _every_file_is_readable(process.paths.recordings)
            process.start()
        await wait_until(all_record)
        for number in range(1, CAMERAS + 1):
            account = await process.coverage(camera_id(number), since)
            assert is_whole(account)
            ends = [at_from_text(g["from"]) for g in account["gaps"] if g["detail"] == "killed"]
            runs = [(at_from_text(run["from"]), at_from_text(run["to"])) for run in account["runs"]]
            for recording_at, killed_at, silent_s in kills_at:
                # Pictures that were held up at a run's beginning are placed from their arrival on (TIME.md).
                dead_at = killed_at + timedelta(seconds=ON_THE_WAY_S + silent_s)
                over_it = [(run, dead_at) for run in runs if run[0] <= killed_at and dead_at < run[1]]
                assert not over_it
                # A run of which no part was whole leaves nothing: the gap before goes on over it.
                lost_from = max([recording_at, *(end for end in ends if end <= killed_at)])
                assert killed_at - lost_from <= timedelta(seconds=LONGEST_PART_S + ON_THE_WAY_S + silent_s)
        assert process.csu("check", "--deep")[1]["ok"]
        process.stop()
        code, report = process.csu("check", "--deep")
        assert (code, report["ok"]) == (0, True)
        assert report["segments"] == len(list(process.paths.recordings.rglob("*.mp4")))


def _every_file_is_readable(recordings: Path) -> None:
    """As the kill left them: whole parts from the start on, and a player takes the file as it is."""
    newest = sorted(recordings.rglob("*.mp4"), key=lambda p: p.name)[-CAMERAS:]
    for file in newest:
        with file.open("rb") as stream:
            scan = scan_parts(stream.fileno(), 0)
        if not scan.entries:
            continue
        with av.open(str(file)) as container:
            pictures = sum(1 for packet in container.demux(video=0) if packet.size)
        assert pictures >= sum(entry.samples for entry in scan.entries)
