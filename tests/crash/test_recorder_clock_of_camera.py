"""A camera whose own clock is off is told as an alarm of the recorder; what it sends is recorded all the same."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from recorder_process import RecorderProcess, camera, camera_id, orders, recorder, simulator, wait_until

from recorder.channel import ChannelClient

WAIT_S = 90


async def _alarms(process: RecorderProcess, kind: str) -> list[tuple[str, str]]:
    facts = [fact for fact in await process.facts() if fact["kind"] == kind and fact["code"] == "CAMERA_CLOCK"]
    assert all(fact["camera"] == fact["subject"] for fact in facts)
    return [(fact["camera"], fact.get("detail", "")) for fact in facts]


@pytest.mark.timeout(420)
async def test_row_33_a_camera_two_seconds_off_or_in_1970_raises_an_alarm(tmp_path: Path) -> None:
    """Until it is right again, also over a restart of the recorder; its neighbour has none."""
    since = datetime.now(UTC)
    with simulator(tmp_path / "simulator", 3) as cameras, recorder(tmp_path / "data") as process:

        async def set_faults(**faults: str | None) -> None:
            async with ChannelClient(cameras.control) as simulated:
                for name, fault in faults.items():
                    await simulated.call("fault", camera=int(name[1:]), fault=fault)

        async def raised() -> bool:
            found[:] = await _alarms(process, "alarm_raised")
            return len(found) >= 2

        async def ended(count: int) -> bool:
            found[:] = await _alarms(process, "alarm_ended")
            return len(found) >= count

        async def recording_and_measured() -> bool:
            rows = (await process.call("status"))["cameras"]
            return len(rows) == 3 and all(
                row["state"] == "recording" and row["clock_offset_s"] is not None for row in rows
            )

        found: list[Any] = []
        await set_faults(_1="clock-ahead", _2="clock-1970")
        await process.order(orders(*(camera(cameras, n) for n in (1, 2, 3))))
        await wait_until(raised, WAIT_S, found)
        details = {one: float(detail) for one, detail in found}
        assert details.keys() == {camera_id(1), camera_id(2)}
        assert 2 <= details[camera_id(1)] < 5
        assert details[camera_id(2)] < -50 * 365 * 86_400
        process.kill()
        process.start()
        await wait_until(recording_and_measured, WAIT_S)
        await set_faults(_1=None)
        await wait_until(lambda: ended(1), WAIT_S, found)
        assert [one for one, _ in found] == [camera_id(1)]
        await process.order(orders(camera(cameras, 1), camera(cameras, 3)))
        await wait_until(lambda: ended(2), WAIT_S, found)
        assert [one for one, _ in found] == [camera_id(1), camera_id(2)]
        assert len(await _alarms(process, "alarm_raised")) == 2
        gaps = (await process.coverage(camera_id(2), since))["gaps"]
        assert {gap["cause"] for gap in gaps} <= {"ours"}
        assert process.stop() == 0
        assert process.csu("check", "--deep")[1]["ok"]
