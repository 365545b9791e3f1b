"""The recorder as a process: obeys alone, accounts for every second, ends in order."""

import asyncio
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import pytest
from recorder_process import (
    Pulse,
    RecorderProcess,
    Simulator,
    camera,
    camera_id,
    is_whole,
    orders,
    recorder,
    simulator,
    until_recorded,
    wait_until,
)

from recorder.channel import ChannelError
from recorder.feed import FeedPacket, PacketFeedClient
from recorder.orders import StreamAddress
from recorder.playback import PlaybackStore, VirtualMp4
from recorder.utc import at_from_text

FORBIDDEN_MODULES = {"fastapi", "sqlalchemy", "aiortc", "cv2", "redis", "ray"}


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulator(tmp_path_factory.mktemp("simulator"), 2) as running:
        yield running


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[RecorderProcess]:
    with recorder(tmp_path / "data") as running:
        yield running


async def _recording(process: RecorderProcess, *numbers: int) -> None:
    async def all_record() -> bool:
        return all([await process.state(camera_id(n)) == "recording" for n in numbers])

    await wait_until(all_record)


async def test_records_feeds_and_plays_what_it_records(recording: RecorderProcess, cameras: Simulator) -> None:
    since = datetime.now(UTC)
    await recording.order(orders(camera(cameras, 1, sub=True), camera(cameras, 2)))
    await _recording(recording, 1, 2)
    async with PacketFeedClient.open(recording.paths.packets_socket) as feed:
        channels = {await feed.subscribe(camera_id(1), stream) for stream in ("main", "sub")}
        seen: dict[int, list[FeedPacket]] = {channel: [] for channel in channels}
        async with asyncio.timeout(60):
            async for event in feed.events():
                if isinstance(event, FeedPacket):
                    seen[event.channel].append(event)
                if all(len(packets) >= 20 for packets in seen.values()):
                    break
    for packets in seen.values():
        assert packets[0].is_key
        assert all(a.at_us < b.at_us for a, b in itertools.pairwise(packets))
    await until_recorded(recording, since, 5, 1)
    runs: list[dict[str, Any]] = []

    async def is_soon_durable() -> bool:
        runs[:] = (await recording.coverage(camera_id(1), since))["runs"]
        return datetime.now(UTC) - at_from_text(runs[-1]["to"]) < timedelta(seconds=3.5)

    await wait_until(is_soon_durable)
    (run,) = runs
    store = PlaybackStore(recording.paths.recordings)
    now = datetime.now(UTC)
    plan = store.plan(camera_id(1), at_from_text(run["from"]), now, now)
    film = VirtualMp4(plan)
    file = recording.data / "film.mp4"
    file.write_bytes(b"".join(film.read(0, film.size, now)))
    with av.open(str(file)) as container:
        pictures = sum(1 for _ in container.decode(video=0))
    assert pictures == pytest.approx(plan.duration_s * 25, abs=1)
    facts = await recording.facts()
    assert [f["n"] for f in facts] == list(range(1, len(facts) + 1))
    assert {"orders_accepted", "run_started", "gap_opened", "gap_closed"} <= {f["kind"] for f in facts}
    await recording.call("ack", upto=facts[-1]["n"])
    needs = (await recording.call("needs"))["needs"]
    assert {(one["camera"], one["path"], one["retention_days"]) for one in needs} == {
        (camera_id(n), str(recording.paths.recordings), 15) for n in (1, 2)
    }
    code, report = recording.csu("check", "--deep")
    assert (code, report["ok"]) == (0, True)
    assert recording.stop() == 0
    assert not FORBIDDEN_MODULES & recording.modules
    assert "recorder.main" in recording.modules
    code, report = recording.csu("check", "--deep")
    assert (code, report["ok"], report["segments"]) == (0, True, len(list(recording.data.rglob("*.mp4"))) - 1)


async def test_every_second_is_in_a_run_or_a_gap_over_an_orderly_restart(
    recording: RecorderProcess, cameras: Simulator
) -> None:
    since = datetime.now(UTC)
    await recording.order(orders(camera(cameras, 1)))
    await until_recorded(recording, since, 1, 1)
    recording.stop()
    recording.start()
    coverage: dict[str, Any] = {"runs": []}

    async def two_runs() -> bool:
        coverage.update(await recording.coverage(camera_id(1), since))
        return len(coverage["runs"]) == 2

    await wait_until(two_runs)
    assert is_whole(coverage)
    assert [g["cause"] for g in coverage["gaps"]] == ["ours", "ours"]
    assert coverage["gaps"][1]["detail"] == "stopped"


async def test_recording_ends_with_the_authorisation(recording: RecorderProcess, cameras: Simulator) -> None:
    await recording.call("status")
    pulse = Pulse(recording, cameras)
    since = datetime.now(UTC)
    until = since + timedelta(seconds=12)
    await recording.order(orders(camera(cameras, 1, record_to_at=until), camera(cameras, 2)))

    async def forbidden() -> bool:
        await pulse.beat()
        return await recording.state(camera_id(1)) == "forbidden"

    await wait_until(forbidden)
    gaps: list[dict[str, Any]] = []

    async def in_gap() -> bool:
        gaps[:] = (await recording.coverage(camera_id(1), since))["gaps"]
        return bool(gaps) and gaps[-1]["cause"] == "authorisation"

    await wait_until(in_gap)
    end = at_from_text(gaps[-1]["from"])
    # To the picture, which goes on for 40 ms; on a slow machine the last ones before it may not have come.
    assert until - timedelta(seconds=2 + pulse.silent_s) <= end <= until + timedelta(milliseconds=40)
    await _recording(recording, 2)


async def test_cameras_change_by_difference(recording: RecorderProcess, cameras: Simulator) -> None:
    since = datetime.now(UTC)
    first = orders(camera(cameras, 1), camera(cameras, 2))
    await recording.order(first)
    await _recording(recording, 1, 2)
    await recording.order(orders(camera(cameras, 2)))
    assert await recording.state(camera_id(1)) is None
    with pytest.raises(ChannelError, match="ORDER_OLD"):
        await recording.order(first)
    await recording.order(orders(camera(cameras, 2, name="autre nom"), camera(cameras, 1)))
    (coverage,) = await until_recorded(recording, since, 2, 1)
    assert len(coverage["runs"]) == 1 or len(coverage["gaps"]) >= 2
    (coverage,) = await until_recorded(recording, since, 3, 2)
    assert len(coverage["runs"]) == 1


async def test_a_camera_that_fails_costs_only_itself(recording: RecorderProcess, cameras: Simulator) -> None:
    since = datetime.now(UTC)
    bad = camera(cameras, 1, main=StreamAddress("rtsp://127.0.0.1:9/cam/01/main", "camera", "wrong"))
    await recording.order(orders(bad, camera(cameras, 2)))

    async def told() -> bool:
        raised = [f for f in await recording.facts() if f["kind"] == "alarm_raised"]
        return [(f["code"], f["camera"], f["detail"]) for f in raised] == [("CAMERA_LOST", camera_id(1), "unreachable")]

    await wait_until(told)
    gaps = (await recording.coverage(camera_id(1), since))["gaps"]
    assert gaps[-1]["cause"] == "network"
    await recording.order(orders(camera(cameras, 1), camera(cameras, 2)))

    async def ended() -> bool:
        return any(f["kind"] == "alarm_ended" for f in await recording.facts())

    await wait_until(ended)
    assert len((await recording.coverage(camera_id(2), since))["runs"]) == 1


async def test_a_directory_whose_identity_is_gone_is_not_written_to(
    recording: RecorderProcess, cameras: Simulator
) -> None:
    await recording.order(orders(camera(cameras, 1)))
    await _recording(recording, 1)
    recording.stop()
    identity = recording.paths.recordings / "identity.json"
    kept = identity.read_bytes()
    identity.unlink()
    before = sorted(str(p) for p in recording.paths.recordings.rglob("*"))
    recording.start()

    async def refused() -> bool:
        (storage,) = (await recording.call("status"))["storage"]
        return bool(storage["code"] == "STORAGE_UNMOUNTED")

    await wait_until(refused)
    assert sorted(str(p) for p in recording.paths.recordings.rglob("*")) == before
    found = identity.with_name("identity.found")
    found.write_bytes(kept)
    found.rename(identity)  # at once: half of it would be another's
    await _recording(recording, 1)
    kinds = [(f["kind"], f["code"]) for f in await recording.facts() if f["kind"].startswith("alarm")]
    assert set(kinds) <= {("alarm_raised", "STORAGE_UNMOUNTED"), ("alarm_ended", "STORAGE_UNMOUNTED")}


async def test_a_second_recorder_on_the_same_data_leaves_the_first_alone(
    recording: RecorderProcess, cameras: Simulator
) -> None:
    await recording.order(orders(camera(cameras, 1)))
    second = RecorderProcess(recording.data)
    second.start()
    assert second.process is not None
    assert await asyncio.to_thread(second.process.wait, 60) == 1
    second.process.communicate()
    await _recording(recording, 1)
