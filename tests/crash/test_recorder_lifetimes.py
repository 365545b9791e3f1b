"""A real recorder over recordings that are about to die: each dies at its own deadline, whatever the orders become."""

import base64
import os
import random
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from recorder_process import (
    ON_THE_WAY_S,
    Pulse,
    RecorderProcess,
    Simulator,
    below,
    camera,
    camera_id,
    orders,
    recorder,
    simulator,
    wait_until,
)
from recorder_support import DAY_US, apply

from csu.keys import load_private
from csu.links.orders import plan
from recorder.accounts import Accounts, Cause
from recorder.channel import ChannelError
from recorder.decisions import Hold, Release, sign_hold, sign_release
from recorder.files import StorageDirectory
from recorder.index import Index
from recorder.machine import MachineClock
from recorder.orders import CameraOrder, StreamAddress
from recorder.recovery import recover
from recorder.segmenter import Segmenter
from recorder.store import SegmentStore
from recorder.utc import at_from_text, text_from_at
from recorder.writer import load_memory, save_memory
from streams.packets import Packet, VideoFormat
from streams.ticks import us_from_at

FORMAT = VideoFormat("h264", 640, 360, bytes.fromhex("674d001e95a0"), bytes.fromhex("68ee3c80"))
DAYS = 15
_FPS = 2


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulator(tmp_path_factory.mktemp("simulator"), 2) as running:
        yield running


def _history(
    process: RecorderProcess,
    number: int,
    start_at: datetime,
    minutes: int = 2,
    hours_each: int = 0,
    disk: Path | None = None,
) -> int:
    """What a recorder of before left of a camera, from an instant on: files and index; how many segments.

    `hours_each`: the index says that each segment is so long.
    """
    ((path, identity_file),) = process.paths.storage([disk or process.paths.recordings]).items()
    storage = StorageDirectory.open(path, identity_file)
    index = Index.open(storage.index_path, storage.identity, us_from_at(start_at))
    recover(storage, index, us_from_at(start_at), Cause.OURS, "killed")
    store = SegmentStore(storage, index, Accounts(index))
    if camera_id(number) not in store.accounts.cameras():
        store.accounts.gap(camera_id(number), us_from_at(start_at), Cause.OURS, "starting")
    segmenter = Segmenter(camera_id(number), 10_000_000)
    source = random.Random(number)
    for n in range(minutes * 60 * _FPS):
        at_us = us_from_at(start_at) + n * 1_000_000 // _FPS
        packet = Packet(source.randbytes(80), n * 90_000 // _FPS, n % 4 == 0, at_us / 1e6, FORMAT)
        apply(store, camera_id(number), segmenter.push(packet, at_us), DAYS * DAY_US, Cause.NETWORK)
    apply(store, camera_id(number), segmenter.end("reset"), DAYS * DAY_US, Cause.NETWORK)
    store.obey_terms(camera_id(number), "27-2026-001", DAYS, 0)
    store.wave(us_from_at(start_at) + minutes * 60_000_000)
    row = index.camera(camera_id(number))
    ((count,),) = index.query("SELECT count(*) FROM segment WHERE camera = ?", (row,))
    if hours_each:
        index.execute("UPDATE segment SET end_us = start_us + ? WHERE camera = ?", (hours_each * 3_600_000_000, row))
        index.count_hours(row)
    index.put("stopped", 1)
    if load_memory(index) is None:  # as a recorder leaves it that ran here before
        clock = MachineClock()
        clock.remember(None)
        save_memory(index, clock.observe()[1])
    index.commit()
    index.close()
    storage.close()
    return int(count)


def _files(process: RecorderProcess, number: int, before: datetime) -> list[Path]:
    """The files of a camera that were recorded before an instant."""
    found = sorted(below(process.paths.recordings / camera_id(number)))
    return [file for file in found if file.name < f"{before:%Y%m%dT%H%M%S}"]


def _is_old(file: Path, start_at: datetime) -> bool:
    return file.name < f"{start_at + timedelta(days=1):%Y%m%dT%H%M%S}"


async def _ordered(process: RecorderProcess, *wanted: CameraOrder) -> None:
    await process.order(orders(*wanted))


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[RecorderProcess]:
    with recorder(tmp_path / "data") as process:
        process.stop()
        yield process


def _by_authorisation(cameras: Simulator, **dates: datetime) -> CameraOrder:
    """The first camera as the centre orders it, by the dates of its authorisation."""
    address, now = cameras.address(1, "main"), datetime.now(UTC)
    of_camera = {"id": camera_id(1), "number": 1, "name": "caméra", "adapter": "native", "priority": 0}
    of_camera |= {"main_url": address.url, "sub_url": None, "username": address.username, "password": address.password}
    line = {"camera": camera_id(1), "reference": "27-2026-001", "retention_days": DAYS, "minimum_days": None}
    line |= {"from_at": now - timedelta(days=100), "to_at": now + timedelta(days=100), "suspended_at": None, **dates}
    (order,) = plan([{**of_camera, "certificate": None, "kept_days": None}], [line], now)
    return order


async def _stops_at_once(process: RecorderProcess, since: datetime, ended_at: datetime, pulse: Pulse) -> None:
    """No picture from after the order came is recorded, nor any is shown."""
    pieces: list[dict[str, Any]] = []

    async def forbidden() -> bool:
        await pulse.beat()
        pieces[:] = (await process.coverage(camera_id(1), since))["gaps"]
        is_told = bool(pieces) and pieces[-1]["cause"] == "authorisation"
        return is_told and await process.state(camera_id(1)) == "forbidden"

    await wait_until(forbidden)
    (run,) = (await process.coverage(camera_id(1), since))["runs"]
    # Pictures that were held up at a run's beginning are placed from their arrival on (TIME.md).
    late = timedelta(seconds=ON_THE_WAY_S + pulse.silent_s)
    after = [piece for piece in pieces if at_from_text(piece["from"]) >= at_from_text(run["to"])]
    assert {piece["cause"] for piece in after} == {"authorisation"}
    assert at_from_text(run["to"]) == at_from_text(after[0]["from"]) <= ended_at + late


@pytest.mark.parametrize("change", ["suspended", "withdrawn"])
async def test_an_authorisation_that_ends_stops_the_recording_and_what_exists_dies_on_time(
    stopped: RecorderProcess, cameras: Simulator, change: str
) -> None:
    since = datetime.now(UTC)
    start_at = since - timedelta(days=DAYS) + timedelta(seconds=20)
    count = _history(stopped, 1, start_at)
    stopped.start()
    await stopped.call("status")
    pulse = Pulse(stopped, cameras)
    await pulse.begin()
    await _ordered(stopped, _by_authorisation(cameras))

    async def records() -> bool:
        await pulse.beat()
        return bool((await stopped.coverage(camera_id(1), since))["runs"])

    await wait_until(records)
    at = datetime.now(UTC)
    ended = {"suspended": {"suspended_at": at}, "withdrawn": {"to_at": at}}[change]
    await _ordered(stopped, _by_authorisation(cameras, **ended))
    await _stops_at_once(stopped, since, ended_at=datetime.now(UTC), pulse=pulse)
    before = since - timedelta(days=1)
    assert _files(stopped, 1, before)

    async def some_fell_due() -> bool:
        return len(_files(stopped, 1, before)) < count

    await wait_until(some_fell_due, 60)
    assert datetime.now(UTC) >= start_at + timedelta(days=DAYS)
    assert len(below(stopped.paths.recordings / camera_id(1))) > len(_files(stopped, 1, before)) > 0
    if change == "suspended":
        await _ordered(stopped, _by_authorisation(cameras))

        async def records_again() -> bool:
            return len((await stopped.coverage(camera_id(1), since))["runs"]) == 2

        await wait_until(records_again)
    assert stopped.stop() == 0
    assert stopped.csu("check", "--deep")[1]["ok"]


async def test_that_space_will_be_short_is_told_before(stopped: RecorderProcess, cameras: Simulator) -> None:
    """The index says that the camera records a petabyte in some hours."""
    _history(stopped, 1, datetime.now(UTC) - timedelta(days=5), hours_each=4)
    with closing(sqlite3.connect(stopped.paths.recordings / "index.db", isolation_level=None)) as index:
        index.execute("UPDATE hour SET bytes = 1 << 50")
    stopped.prelude = "from recorder import rounds; rounds.PRESS_TICKS = 1"
    stopped.start()
    # It records no more: a new segment would be its rate of today, of which an hour must be known.
    await _ordered(stopped, camera(cameras, 1, main=StreamAddress("rtsp://127.0.0.1:9/cam/01/main")))

    async def told(kind: str) -> bool:
        facts = await stopped.facts()
        return any(f["kind"] == kind and (f["code"], f["subject"]) == ("STORAGE_SHORT", "recordings") for f in facts)

    await wait_until(partial(told, "alarm_raised"))
    (directory,) = (await stopped.call("status"))["storage"]
    assert directory["code"] == ""
    assert directory["pressure"]["needed_bytes"] > directory["pressure"]["capacity_bytes"]
    assert at_from_text(directory["pressure"]["full_at"]) >= datetime.now(UTC) - timedelta(minutes=1)
    assert not await told("alarm_ended")
    await _ordered(stopped)
    await wait_until(partial(told, "alarm_ended"))
    assert stopped.stop() == 0


@pytest.mark.parametrize("change", ["leaves", "renamed", "reauthorised", "expired", "moved"])
async def test_what_exists_dies_at_its_own_deadline(stopped: RecorderProcess, cameras: Simulator, change: str) -> None:
    """Some of it was due while the recorder was off, some falls due while it runs, some later."""
    now = datetime.now(UTC)
    start_at = now - timedelta(days=DAYS) - timedelta(seconds=30)
    count = _history(stopped, 1, start_at)
    before = now - timedelta(days=1)
    assert len(_files(stopped, 1, before)) == count >= 12
    stopped.start()
    kept = camera(cameras, 1)
    changes: dict[str, dict[str, Any]] = {
        "renamed": {"name": "autre nom"},
        "reauthorised": {"authorisation": "27-2026-999", "retention_days": 30},
        "expired": {"record_to_at": datetime.now(UTC)},
        "moved": {"main": cameras.address(2, "main")},
    }
    if change == "leaves":
        await _ordered(stopped, kept)
        await _ordered(stopped)
    else:
        await _ordered(stopped, kept)
        await _ordered(stopped, camera(cameras, 1, **changes[change]))

    def due(file: Path) -> bool:
        at = datetime.strptime(file.name[:21], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
        return at + timedelta(days=DAYS) <= datetime.now(UTC)

    async def only_what_is_not_due() -> bool:
        return not any(due(file) for file in _files(stopped, 1, before))

    async def one_more_fell_due() -> bool:
        return len(_files(stopped, 1, before)) < left

    await wait_until(only_what_is_not_due)
    left = len(_files(stopped, 1, before))
    assert left > 0
    await wait_until(one_more_fell_due)
    await wait_until(only_what_is_not_due)
    assert stopped.stop() == 0
    assert stopped.csu("check", "--deep")[1]["ok"]


async def test_a_delay_shortened_by_mistake_waits_for_two_persons_over_restarts(
    stopped: RecorderProcess, cameras: Simulator
) -> None:
    now = datetime.now(UTC)
    before = now - timedelta(days=1)
    count = _history(stopped, 1, now - timedelta(days=5), hours_each=4)
    stopped.start()
    await _ordered(stopped, camera(cameras, 1, retention_days=DAYS))
    assert (await stopped.call("status"))["breaker"] is None
    await _ordered(stopped, camera(cameras, 1, retention_days=1))
    breakers: list[dict[str, Any]] = []

    async def waits() -> bool:
        breakers[:] = [found] if (found := (await stopped.call("status"))["breaker"]) else []
        return bool(breakers) and breakers[0]["segments"] == count

    await wait_until(waits, found=breakers)
    assert breakers[0]["reason"] == "retention"
    first = breakers[0]
    stopped.kill()
    stopped.start()
    await wait_until(waits)
    assert breakers == [first]
    assert len(_files(stopped, 1, before)) == count

    async def told(kind: str) -> bool:
        facts = [f for f in await stopped.facts() if f["kind"] == kind]
        return any(f.get("code", "DESTRUCTION_BREAKER") == "DESTRUCTION_BREAKER" for f in facts)

    await wait_until(partial(told, "alarm_raised"))
    _, key = load_private(stopped.paths.keys, "orders")
    for wrong in (str(uuid.uuid4()), "clock"):
        with pytest.raises(ChannelError, match="RELEASE_UNKNOWN"):
            await stopped.call("release", envelope=sign_release(Release("breaker", wrong, ("a", "b")), key))
    await stopped.call("release", envelope=sign_release(Release("breaker", first["id"], ("a", "b")), key))

    async def gone() -> bool:
        return not _files(stopped, 1, before) and (await stopped.call("status"))["breaker"] is None

    await wait_until(gone)
    await wait_until(partial(told, "breaker_released"))
    await wait_until(partial(told, "alarm_ended"))
    assert stopped.stop() == 0
    assert stopped.csu("check", "--deep")[1]["ok"]


async def test_what_two_directories_wait_with_is_one_act_and_one_document_serves_also_for_the_one_that_was_away(
    tmp_path: Path, cameras: Simulator
) -> None:
    disks = (tmp_path / "one", tmp_path / "two")
    start_at = datetime.now(UTC) - timedelta(days=5)
    with recorder(tmp_path / "data", storage=disks) as process:
        process.stop()
        # Each on its own: which second a camera's segments begin at differs, and so may how many there are.
        counts = [_history(process, number, start_at, hours_each=4, disk=disks[number - 1]) for number in (1, 2)]
        process.start()
        kept = [camera(cameras, number, retention_days=DAYS) for number in (1, 2)]
        await _ordered(process, *kept)
        await _ordered(process, *(replace(one, retention_days=1) for one in kept))
        found: dict[str, Any] = {}

        async def waits(segments: int) -> bool:
            status = await process.call("status")
            found.update(breaker=status["breaker"] or {"segments": 0}, storage=status["storage"])
            return bool(found["breaker"]["segments"] == segments)

        await wait_until(partial(waits, sum(counts)), found=found)
        act = found["breaker"]["id"]
        disks[1].rename(tmp_path / "away")

        async def two_is_away() -> bool:
            return not (await process.call("status"))["storage"][1]["index"]

        await wait_until(two_is_away)
        _, key = load_private(process.paths.keys, "orders")
        document = sign_release(Release("breaker", act, ("a", "b")), key)
        await process.call("release", envelope=document)

        def left(number: int) -> list[Path]:
            directory = (disks[0] if number == 1 else tmp_path / "away") / camera_id(number)
            return [file for file in below(directory) if _is_old(file, start_at)]

        async def first_is_gone() -> bool:
            return not left(1)

        await wait_until(first_is_gone)
        await wait_until(partial(waits, 0), found=found)
        assert left(2)
        facts = {(fact["kind"], fact.get("code")) for fact in await process.facts()}
        assert ("alarm_raised", "DESTRUCTION_BREAKER") in facts
        assert ("alarm_ended", "DESTRUCTION_BREAKER") not in facts, "what is away waits still"
        (tmp_path / "away").rename(disks[1])
        await wait_until(partial(waits, counts[1]), found=found)
        assert found["breaker"]["id"] == act
        await process.call("release", envelope=document)

        async def all_is_over() -> bool:
            facts = {(fact["kind"], fact.get("code")) for fact in await process.facts()}
            old = [file for file in below(disks[1] / camera_id(2)) if _is_old(file, start_at)]
            return ("alarm_ended", "DESTRUCTION_BREAKER") in facts and not old

        await wait_until(all_is_over)
        with pytest.raises(ChannelError, match="RELEASE_UNKNOWN"):
            await process.call("release", envelope=document)
        assert process.stop() == 0
        assert process.csu("check", "--deep")[1]["ok"]


async def test_pictures_derived_die_with_their_parents_and_a_hold_keeps_both(
    stopped: RecorderProcess, cameras: Simulator
) -> None:
    """The bytes are looked for on the whole disk."""
    now = datetime.now(UTC)
    start_at = now - timedelta(days=DAYS) + timedelta(seconds=45)  # by then they have been made and looked for
    _history(stopped, 1, start_at)
    _history(stopped, 2, start_at)
    stopped.start()
    await _ordered(stopped)
    _, key = load_private(stopped.paths.keys, "orders")
    hold = Hold(str(uuid.uuid4()), camera_id(2), start_at, start_at + timedelta(seconds=1), "PV 2026/7", now)
    await stopped.call("put_hold", envelope=sign_hold(hold, key))
    secrets = {1: os.urandom(5000), 2: os.urandom(5000)}
    names: dict[int, str] = {}
    for number, secret in secrets.items():
        answer = await stopped.call(
            "put_derived",
            camera=camera_id(number),
            kind="jpg",
            data=base64.b64encode(secret).decode(),
            **{"from": text_from_at(start_at), "to": text_from_at(start_at + timedelta(seconds=2))},
        )
        names[number] = answer["name"]
        assert (stopped.paths.recordings / names[number]).read_bytes() == secret
        assert (stopped.paths.recordings / names[number]).stat().st_mode & 0o777 == 0o640
        assert datetime.fromisoformat(answer["deadline"]) == start_at + timedelta(days=DAYS)
    stopped.kill()
    stopped.start()

    def found(number: int) -> list[Path]:
        paths = []
        for path in below(stopped.data):
            with suppress(FileNotFoundError):
                if path.is_file() and secrets[number][100:200] in path.read_bytes():
                    paths.append(path)
        return paths

    assert [len(found(number)) for number in (1, 2)] == [1, 1]
    assert stopped.csu("check", "--deep")[1]["ok"]

    async def first_is_gone() -> bool:
        return not found(1)

    await wait_until(first_is_gone, 90)
    assert datetime.now(UTC) >= start_at + timedelta(days=DAYS)
    assert found(2) == [stopped.paths.recordings / names[2]]
    with pytest.raises(ChannelError, match="PARENT_GONE"):
        await stopped.call(
            "put_derived",
            camera=camera_id(2),
            kind="jpg",
            data="QUJD",
            **{"from": text_from_at(start_at), "to": text_from_at(start_at + timedelta(seconds=2))},
        )
    await stopped.call("release", envelope=sign_release(Release("hold", hold.id, ("a", "b")), key))

    async def second_is_gone() -> bool:
        # Its directory goes after it.
        return not found(2) and not (stopped.paths.recordings / "derived" / camera_id(2)).exists()

    await wait_until(second_is_gone)
    assert stopped.stop() == 0
    assert stopped.csu("check", "--deep")[1]["ok"]
