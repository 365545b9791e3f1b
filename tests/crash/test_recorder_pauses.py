"""A recorder that stands still for longer than any of its watchdogs wait, as in a hypervisor that moves it: no camera,
no disk and no alarm pays for that, and what the cameras could not send meanwhile is told as ours."""

import asyncio
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recorder_process import camera, camera_id, is_whole, orders, recorder, simulator, until_recorded, wait_until

from csu.simulator.faults import Fault
from recorder.utc import at_from_text

_STOPPED_S = 25.0  # a connection is given up after 5 s, a disk after 8 s, an alarm comes after 10 s, level 3 after 20 s
_HANGS_UP, *_STAY = _CAMERAS = (1, 2, 3)


@pytest.mark.parametrize("options", [(), ("--udp",)], ids=["tcp", "udp"])
async def test_a_pause_costs_what_the_cameras_could_not_send(tmp_path: Path, options: tuple[str, ...]) -> None:
    disks = tmp_path / "disk1", tmp_path / "disk2"
    for disk in disks:
        disk.mkdir()
    odd = ("--fault", Fault.SHORT_SESSION.value)  # the first hangs up when it hears nothing of us
    with (
        simulator(tmp_path / "simulator", len(_CAMERAS), "h264", *options, *odd) as simulated,
        recorder(tmp_path / "data", storage=disks) as process,
    ):
        since = datetime.now(UTC)
        await process.order(orders(*(camera(simulated, n, sub=True, priority=n) for n in _CAMERAS)))
        await until_recorded(process, since, 3, *_CAMERAS)

        async def all_are_live() -> bool:
            states = [(row["stream"], row["state"]) for row in (await process.call("status"))["cameras"]]
            return sorted(states) == [("main", "recording")] * len(_CAMERAS) + [("sub", "live")] * len(_CAMERAS)

        await wait_until(all_are_live)
        places = {
            row["camera"]: row["storage"] for row in (await process.call("status"))["cameras"] if "storage" in row
        }

        stopped = datetime.now(UTC)
        assert process.process is not None
        process.process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(_STOPPED_S)
        finally:
            resumed = datetime.now(UTC)
            process.process.send_signal(signal.SIGCONT)

        async def all_go_on() -> bool:
            accounts = [await process.coverage(camera_id(n), resumed) for n in _CAMERAS]
            return all(account["runs"] for account in accounts)

        await wait_until(all_go_on, 60)
        status = await process.call("status")
        kept = [row for row in status["cameras"] if row["camera"] != camera_id(_HANGS_UP)]
        assert len(kept) == 2 * len(_STAY)
        for row in kept:
            assert (row["state"], row["fault"]) == ("recording" if row["stream"] == "main" else "live", None)
            assert at_from_text(row["since"]) < stopped, "it was connected again"
        assert places == {row["camera"]: row["storage"] for row in status["cameras"] if "storage" in row}
        assert status["degraded"]["level"] == 0
        assert [fact for fact in await process.facts() if fact["kind"] == "alarm_raised"] == []
        for n in _CAMERAS:
            account = await process.coverage(camera_id(n), since)
            assert is_whole(account)
            missing = [gap for gap in account["gaps"] if at_from_text(gap["from"]) < resumed]
            assert {gap["cause"] for gap in missing} == {"ours"}, account
        assert process.stop() == 0
        assert process.csu("check", "--deep")[1]["ok"]
