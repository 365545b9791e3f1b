"""A freeze of destruction ends by two persons: a real recorder that distrusts its clock, a real PostgreSQL."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from centre_support import Browser, Running
from recorder_support import apply
from sqlalchemy import select

from csu import keys
from csu.bench.recordings import storage
from csu.links.recorder_link import FactsPuller, StatusPoller
from csu.store import tables
from recorder.accounts import Cause
from recorder.channel import ChannelClient, ChannelError
from recorder.machine import now_us, read_clock
from recorder.orders import CameraOrder, Orders, StreamAddress, sign
from recorder.playback import PlaybackClosed, PlaybackStore
from recorder.segmenter import Segmenter
from streams.packets import Packet, VideoFormat
from streams.ticks import us_from_at

CHECKED = {
    "clock": {"code": "HEURE_VERIFIEE", "reference": "INT 2026-118"},
    "breaker": {"code": "VOLUME_VERIFIE", "reference": "INT 2026-119"},
}
JUMP_S = 3630
CAMERA = "6f6c1a34-8f0e-4b0a-9d57-2f3f2a0b1c01"
FORMAT = VideoFormat("h264", 640, 360, bytes.fromhex("674d001e95a0"), bytes.fromhex("68ee3c80"))


@pytest.mark.usefixtures("patient")
class TestARealRecorder:
    async def test_frozen_proposed_by_one_confirmed_by_another_and_all_goes_on(self, centre: Running) -> None:
        async with recorder(centre) as running, people(centre) as (supervisor, administrator):
            before = await running.frozen()
            assert not before["trusted"]
            assert running.files()
            freeze = await shown_freeze(centre, running, supervisor)
            assert (freeze["subject"], freeze["id"], freeze["proposal"]) == ("clock", before["freeze"], None)
            assert "60 min" in freeze["reason"]
            with pytest.raises(PlaybackClosed):
                running.replay()
            answer = await propose(supervisor, before["freeze"])
            assert answer.status_code == 201, answer.text
            confirm = f"/api/recorder/releases/{answer.json()['id']}/confirm"
            alone = await supervisor.post(confirm)
            assert (alone.status_code, alone.json()["code"]) == (409, "SECOND_PERSON_REQUIRED")
            assert not (await running.clock())["trusted"]
            assert running.files()
            proposal = (await shown_freeze(centre, running, administrator))["proposal"]
            assert (proposal["proposed_by"], proposal["mine"]) == ("Superviseur", False)
            assert (await shown_freeze(centre, running, supervisor))["proposal"]["mine"]
            second = await administrator.post(confirm)
            assert second.status_code == 200, second.text
            assert second.json()["confirmed_at"] is not None
            await until(running.is_trusted)
            await until(running.replays)  # told to the index with the next wave
            again = await administrator.post(confirm)
            assert (again.status_code, again.json()["code"]) == (409, "ALREADY_DONE")
            persons = [supervisor.account["id"], administrator.account["id"]]
            await until(running.has_destroyed)
            await FactsPuller(centre.centre, running.client).run_once()
        entries = [e for e in await centre.journal() if e["op"] in ("release:propose", "release:confirm")]
        assert sorted((e["op"], e["result"], e["code"]) for e in entries if e["code"]) == [
            ("release:confirm", "refused", "ALREADY_DONE"),
            ("release:confirm", "refused", "SECOND_PERSON_REQUIRED"),
        ]
        assert sorted((e["op"], e["motif_reference"]) for e in entries if e["result"] == "done") == [
            ("release:confirm", "INT 2026-118"),
            ("release:propose", "INT 2026-118"),
        ]
        async with centre.centre.store.transaction(None) as connection:
            told = select(tables.journal.c.detail).where(tables.journal.c.op == "recorder:released")
            (detail,) = (await connection.scalars(told)).all()
        assert json.loads(detail)["persons"] == persons

    async def test_another_freeze_needs_two_persons_again(self, centre: Running) -> None:
        async with recorder(centre) as running, people(centre) as (supervisor, administrator):
            first = (await running.frozen())["freeze"]
            proposed = (await propose(supervisor, first)).json()
            running.restart(forward_s=3 * JUMP_S)
            await until(running.has_another_freeze(first))
            refused = await administrator.post(f"/api/recorder/releases/{proposed['id']}/confirm")
            assert (refused.status_code, refused.json()["code"]) == (409, "PROPOSAL_OTHER")
            again = await propose(supervisor, first)
            assert (again.status_code, again.json()["code"]) == (409, "PROPOSAL_OTHER")
            assert not (await running.clock())["trusted"]

    async def test_a_freeze_that_is_over_is_neither_proposed_nor_confirmed(self, centre: Running) -> None:
        async with recorder(centre) as running, people(centre) as (supervisor, administrator):
            freeze = (await running.frozen())["freeze"]
            proposed = (await propose(supervisor, freeze)).json()
            twice = await propose(administrator, freeze)
            assert (twice.status_code, twice.json()["code"]) == (409, "ALREADY_PROPOSED")
            running.restart(forward_s=0)
            await until(running.is_trusted)
            refused = await administrator.post(f"/api/recorder/releases/{proposed['id']}/confirm")
            assert (refused.status_code, refused.json()["code"]) == (409, "FREEZE_OVER")
            never = await propose(administrator, freeze)
            assert (never.status_code, never.json()["code"]) == (409, "FREEZE_OVER")
            assert (await state_of(centre, running, administrator))["freezes"] == []

    async def test_a_proposal_lasts_thirty_minutes(self, centre: Running) -> None:
        async with recorder(centre) as running, people(centre) as (supervisor, _):
            freeze = (await running.frozen())["freeze"]
            proposed = (await propose(supervisor, freeze)).json()
            centre.clock.advance(minutes=30)
            async with centre.person("administrateur") as administrator, centre.person("superviseur") as later:
                late = await administrator.post(f"/api/recorder/releases/{proposed['id']}/confirm")
                assert (late.status_code, late.json()["code"]) == (409, "PROPOSAL_EXPIRED")
                assert (await shown_freeze(centre, running, administrator))["proposal"] is None
                again = (await propose(later, freeze)).json()
                second = await administrator.post(f"/api/recorder/releases/{again['id']}/confirm")
                assert second.status_code == 200, second.text
            await until(running.is_trusted)


@pytest.mark.usefixtures("patient")
class TestARealBreaker:
    async def test_a_delay_shortened_waits_for_two_persons_and_then_destroys(self, centre: Running) -> None:
        running = FrozenRecorder(centre)
        running.start()
        try:
            await until(running.is_ready)
            running.stop()
            running.write(began=timedelta(days=3), pictures=9000, every_s=1, kept=timedelta(days=15))
            running.start()
            await until(running.is_ready)
            await running.order(version=1, retention_days=15)
            kept = len(running.files())
            assert kept > 100
            await running.order(version=2, retention_days=1)
            await until(running.has_breaker)
            assert len(running.files()) == kept
            async with people(centre) as (supervisor, administrator):
                freeze = await shown_freeze(centre, running, administrator)
                assert freeze["subject"] == "breaker"
                assert freeze["segments"] == kept
                assert "conservation" in freeze["reason"]
                answer = await propose(administrator, freeze["id"], "breaker")
                assert answer.status_code == 201, answer.text
                confirm = f"/api/recorder/releases/{answer.json()['id']}/confirm"
                alone = await administrator.post(confirm)
                assert (alone.status_code, alone.json()["code"]) == (409, "SECOND_PERSON_REQUIRED")
                assert len(running.files()) == kept
                done = await supervisor.post(confirm)
                assert done.status_code == 200, done.text
                await until(running.has_destroyed)
                await until(running.has_no_breaker)
                assert (await state_of(centre, running, supervisor))["freezes"] == []
                again = await propose(supervisor, freeze["id"], "breaker")
                assert (again.status_code, again.json()["code"]) == (409, "FREEZE_OVER")
        finally:
            running.client.close()
            running.stop()


async def test_with_the_recorder_away_nothing_is_proposed_and_the_journal_tells(centre: Running) -> None:
    async with centre.person("superviseur") as supervisor:
        away = await propose(supervisor, "boot:1:2")
        assert (away.status_code, away.json()["code"]) == (503, "RECORDER_UNREACHABLE")
        shown = (await supervisor.get("/api/recorder")).json()
        assert shown == {"answers": False, "storage": [], "freezes": [], "degraded": None, "stopped": []}
    assert [e["code"] for e in await centre.journal() if e["op"] == "release:propose"] == ["RECORDER_UNREACHABLE"]


@pytest.mark.parametrize(
    ("motif", "code"),
    [
        (None, "MOTIF_REQUIRED"),
        ({"code": "HEURE_VERIFIEE"}, "MOTIF_REQUIRED"),
        ({"code": "HEURE_VERIFIEE", "reference": "vu AB-123-CD"}, "PLATE_FORBIDDEN"),
        ({"code": "VOLUME_VERIFIE", "reference": "INT 2026-118"}, "MOTIF_REQUIRED"),
    ],
)
async def test_a_freeze_is_released_for_a_coded_motif_of_its_own_with_a_number(
    centre: Running, motif: Any, code: str
) -> None:
    async with centre.person("superviseur") as supervisor:
        asked = {"subject": "clock", "freeze": "b:1:2", "motif": motif}
        answer = await supervisor.post("/api/recorder/releases", asked)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    (entry,) = [e for e in await centre.journal() if e["op"] == "release:propose"]
    assert (entry["code"], entry["motif_reference"]) == (code, None)


class FrozenRecorder:
    """`csu recorder` of the centre under test, on recordings whose index last saw another clock."""

    def __init__(self, centre: Running) -> None:
        self._paths = centre.centre.settings.paths
        self.client = ChannelClient(self._paths.recorder_socket)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._paths.data / "recorder.log").open("ab") as log:
            command = [sys.executable, "-m", "csu.cli", "recorder", "--data", str(self._paths.data)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(120)

    def restart(self, forward_s: int) -> None:
        """As if the machine's clock had gone this far forward since the index was written."""
        self.stop()
        self._set_forward(forward_s)
        self.start()

    def prepare(self) -> None:
        """An index of an hour ago, and recordings that ought to be gone."""
        self.stop()
        self.write(began=timedelta(days=3), pictures=50, every_s=0.04, kept=timedelta(days=1))
        self._set_forward(JUMP_S)
        self.start()

    def _set_forward(self, forward_s: int) -> None:
        reading = read_clock()
        anchor_us = reading.wall_us - reading.boot_us - forward_s * 1_000_000
        changed = {"clock_boot_id": reading.boot_id, "clock_anchor_us": anchor_us, "clock_due_us": now_us()}
        with sqlite3.connect(self._paths.recordings / "index.db") as index:
            index.executemany("REPLACE INTO meta (key, value) VALUES (?, ?)", changed.items())
            index.execute("DELETE FROM meta WHERE key = 'clock_reason'")
        index.close()

    async def order(self, version: int, retention_days: int) -> None:
        """The camera under one authorisation, with nobody at its address."""
        now = datetime.now(UTC)
        order = CameraOrder(
            camera=CAMERA,
            name="01 Place",
            main=StreamAddress("rtsp://127.0.0.1:1/main"),
            sub=None,
            adapter="native",
            authorisation="27-2026-001",
            record_from_at=now - timedelta(days=30),
            record_to_at=now + timedelta(days=30),
            retention_days=retention_days,
        )
        key = keys.load_private(self._paths.keys, "orders")[1]
        await self.client.call("put_orders", envelope=sign(Orders(version, now, [order]), key))

    async def has_breaker(self) -> bool:
        return (await self.status())["breaker"] is not None

    async def has_no_breaker(self) -> bool:
        return not await self.has_breaker()

    def files(self) -> list[Path]:
        # os.walk: folders may go while they are listed.
        found = os.walk(self._paths.recordings / CAMERA)
        return [Path(folder) / name for folder, _, names in found for name in names if name.endswith(".mp4")]

    async def has_destroyed(self) -> bool:
        return not self.files()

    def write(self, began: timedelta, pictures: int, every_s: float, kept: timedelta) -> None:
        """Pictures of so long ago, to be kept so long; while the recorder is stopped."""
        now = datetime.now(UTC)
        began_us = us_from_at(now - began)
        segmenter = Segmenter(CAMERA)
        events = []
        for n in range(pictures):
            picture = Packet(b"picture", round(n * every_s * 90_000), every_s >= 1 or n == 0, n * every_s, FORMAT)
            events += segmenter.push(picture, began_us + round(n * every_s * 1_000_000))
        with storage(self._paths, now) as store:
            store.accounts.gap(CAMERA, began_us, Cause.CAMERA, "connecting")
            apply(store, CAMERA, [*events, *segmenter.end("closed")], kept // timedelta(microseconds=1))
            store.wave(us_from_at(now))
            store.index.commit()

    async def status(self) -> dict[str, Any]:
        return await self.client.call("status")

    async def clock(self) -> dict[str, Any]:
        clock: dict[str, Any] = (await self.status())["clock"]
        return clock

    async def is_ready(self) -> bool:
        return bool((await self.status())["storage"][0]["ready"])

    async def frozen(self) -> dict[str, Any]:
        await until(self.has_another_freeze(None))
        return await self.clock()

    async def is_trusted(self) -> bool:
        return bool((await self.clock())["trusted"])

    def has_another_freeze(self, freeze: str | None) -> Callable[[], Awaitable[bool]]:
        async def changed() -> bool:
            return (await self.clock())["freeze"] not in (None, freeze)

        return changed

    async def replays(self) -> bool:
        try:
            self.replay()
        except PlaybackClosed:
            return False
        return True

    def replay(self) -> None:
        """Ask for a plan as the gateway does. Raises PlaybackClosed."""
        now = datetime.now(UTC)
        PlaybackStore(self._paths.recordings).plan(CAMERA, now - timedelta(minutes=1), now, now)


@asynccontextmanager
async def recorder(centre: Running) -> AsyncIterator[FrozenRecorder]:
    """Its clock is an hour ahead of what its index remembers of this very boot."""
    running = FrozenRecorder(centre)
    running.start()
    try:
        await until(running.is_ready)
        running.prepare()
        yield running
    finally:
        running.client.close()
        running.stop()


@asynccontextmanager
async def people(centre: Running) -> AsyncIterator[tuple[Browser, Browser]]:
    async with centre.person("superviseur") as supervisor, centre.person("administrateur") as administrator:
        yield supervisor, administrator


async def propose(person: Browser, freeze: str, subject: str = "clock") -> Any:
    return await person.post(
        "/api/recorder/releases", {"subject": subject, "freeze": freeze, "motif": CHECKED[subject]}
    )


async def state_of(centre: Running, running: FrozenRecorder, person: Browser) -> dict[str, Any]:
    await StatusPoller(centre.centre, running.client).run_once()
    answer = await person.get("/api/recorder")
    assert answer.status_code == 200, answer.text
    state: dict[str, Any] = answer.json()
    return state


async def shown_freeze(centre: Running, running: FrozenRecorder, person: Browser) -> dict[str, Any]:
    (freeze,) = (await state_of(centre, running, person))["freezes"]
    assert isinstance(freeze, dict)
    return freeze


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(120):
        while True:
            try:
                if await condition():
                    return
            except ChannelError as error:
                if error.code != "UNREACHABLE":
                    raise
            await asyncio.sleep(0.05)
