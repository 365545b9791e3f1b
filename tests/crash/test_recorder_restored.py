"""Index and orders restored together from a backup: the disk's newer files are kept, older orders refused, and told."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recorder_process import RecorderProcess, camera, camera_id, is_whole, orders, recorder, simulator, wait_until

from recorder.channel import ChannelError


async def _recorded(process: RecorderProcess, number: int, since: datetime) -> None:
    async def has_run() -> bool:
        return bool((await process.coverage(camera_id(number), since))["runs"])

    await wait_until(has_run)


async def test_restored_with_older_orders(tmp_path: Path) -> None:
    since = datetime.now(UTC)
    with simulator(tmp_path / "simulator", 2) as cameras, recorder(tmp_path / "data") as process:
        older = orders(camera(cameras, 1, name="ancien nom"))
        first = orders(camera(cameras, 1))
        await process.order(first)
        await _recorded(process, 1, since)
        assert process.stop() == 0
        places = (process.paths.recordings / "index.db", process.paths.recorder / "orders.json")
        for place in places:
            shutil.copy(place, tmp_path / place.name)
        process.start()
        await process.order(orders(camera(cameras, 1), camera(cameras, 2)))
        await _recorded(process, 2, since)
        index = (await process.call("status"))["storage"][0]["index"]
        assert process.stop() == 0
        files = {file.name for file in process.paths.recordings.rglob("*.mp4")}
        for place in places:
            shutil.copy(tmp_path / place.name, place)
        process.start()

        async def told() -> bool:
            facts = await process.facts()
            raised = {fact["code"] for fact in facts if fact["kind"] == "alarm_raised"}
            return "INDEX_NEW" in raised and any(fact["kind"] == "index_rebuilt" for fact in facts)

        await wait_until(told)
        assert (await process.call("status"))["storage"][0]["index"] != index
        with pytest.raises(ChannelError, match="ORDER_OLD"):
            await process.order(older)
        await process.order(orders(camera(cameras, 1), camera(cameras, 2)))
        await _recorded(process, 2, datetime.now(UTC))
        assert process.stop() == 0
        code, report = process.csu("check", "--deep")
        assert (code, report["ok"]) == (0, True)
        assert files <= {file.name for file in process.paths.recordings.rglob("*.mp4")}
        assert report["segments"] > len(files)


async def test_the_command_rebuilds_and_the_recorder_goes_on(tmp_path: Path) -> None:
    since = datetime.now(UTC)
    with simulator(tmp_path / "simulator", 1) as cameras, recorder(tmp_path / "data") as process:
        await process.order(orders(camera(cameras, 1)))
        await _recorded(process, 1, since)
        index = (await process.call("status"))["storage"][0]["index"]
        process.kill()
        (process.paths.recordings / "index.db").unlink()
        code, report = process.csu("index", "rebuild")
        files = list(process.paths.recordings.rglob("*.mp4"))
        assert (code, report["ok"], report["segments"]) == (0, True, len(files))
        assert files
        assert process.csu("check", "--deep")[1]["ok"]
        process.start()
        await _recorded(process, 1, datetime.now(UTC))
        assert (await process.call("status"))["storage"][0]["index"] != index
        account = await process.coverage(camera_id(1), since)
        assert is_whole(account)
        assert "index_lost" in {gap["detail"] for gap in account["gaps"]}
        assert process.stop() == 0
        assert process.csu("check", "--deep")[1]["ok"]
