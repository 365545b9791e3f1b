"""The desk: tickets in, leases out, everything written down."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from gateway_support import Issuer, ManualClock, Recorded, make_replay, make_ticket
from test_gateway_spool import no_room_left

from csu.gateway.desk import REFUSALS_FLUSH_S, REPLAY_FLUSH_S, Desk, Opened
from csu.gateway.errors import Refused
from csu.gateway.hub import Hub, LiveStream
from csu.gateway.live import Viewer
from csu.gateway.spool import Spool, time_text
from csu.gateway.steps import Stretch
from csu.tickets import Act


class Room:
    def __init__(self, directory: Path) -> None:
        self.issuer, self.clock = Issuer(), ManualClock()
        self.spool = Spool(directory)
        self.spool.open(self.clock.now())
        self.desk = Desk(self.spool, self.issuer.public_keys, self.clock)

    async def kinds(self) -> list[tuple[str, str | None]]:
        return [(e["kind"], e["reason"]) for e in await self.spool.read(0, 100)]

    async def open(self, holder: Recorded) -> Opened:
        return await self.desk.open(self.issuer.text(make_ticket(self.clock.now())), "live", holder)

    async def refused(self, text: str, act: Act = "live") -> str:
        with pytest.raises(Refused) as refusal:
            await self.desk.open(text, act, Recorded())
        assert refusal.value.reason
        return refusal.value.code


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = Room(tmp_path)
    yield room
    room.spool.close()


async def test_the_entry_is_durable_before_the_lease_is_open(room: Room) -> None:
    opened = await room.open(Recorded())
    assert opened.lease.is_open
    assert await room.kinds() == [("opened", None)]
    [listed] = room.desk.open_leases()
    assert listed["ticket"] == opened.lease.ticket.id
    assert listed["since"] == "2026-03-01T12:00:00.000000Z"


async def test_tickets_that_open_nothing(room: Room) -> None:
    now = room.clock.now()
    good = room.issuer.text(make_ticket(now))
    await room.desk.open(good, "live", Recorded())
    assert await room.refused(good) == "TICKET_USED"
    kid, payload, signature = room.issuer.text(make_ticket(now)).split(".")
    assert await room.refused(f"{kid}.{payload[:-2]}AA.{signature}") == "TICKET_INVALID"
    assert await room.refused("") == "TICKET_INVALID"
    assert await room.refused(Issuer().text(make_ticket(now))) == "TICKET_INVALID"
    assert await room.refused(room.issuer.text(make_ticket(now)), "replay") == "TICKET_INVALID"
    assert await room.refused(room.issuer.text(make_ticket(now - timedelta(seconds=11)))) == "TICKET_LATE"
    assert await room.kinds() == [("opened", None)]


async def test_altered_and_replayed_tickets_are_told_in_the_spool_counted(room: Room) -> None:
    now = room.clock.now()
    ticket = make_ticket(now)
    text = room.issuer.text(ticket)
    await room.desk.open(text, "live", Recorded())
    for _ in range(3):
        await room.refused(text)
        await room.refused(text[:-1] + ("A" if text[-1] != "A" else "B"))
    room.desk.tick()
    await room.desk.write_pending()
    assert len(await room.spool.read(0, 100)) == 1, "not at each try"
    room.clock.advance(REFUSALS_FLUSH_S)
    room.desk.tick()
    await room.desk.write_pending()
    _, *told = await room.spool.read(0, 100)
    at = time_text(now)
    assert [{name: line[name] for name in ("at", "kind", "code", "actor", "count")} for line in told] == [
        {"at": at, "kind": "refused", "code": "TICKET_USED", "actor": ticket.actor, "count": 3},
        {"at": at, "kind": "refused", "code": "TICKET_INVALID", "actor": None, "count": 3},
    ]
    room.desk.refused("ORIGIN_REFUSED")
    room.desk.shut()
    await room.desk.write_pending()
    assert (await room.spool.read(0, 100))[-1]["code"] == "ORIGIN_REFUSED", "what is not told yet is told at the end"


async def test_one_ticket_twice_at_the_same_time_opens_once(room: Room) -> None:
    text = room.issuer.text(make_ticket(room.clock.now()))
    results = await asyncio.gather(
        *(room.desk.open(text, "live", Recorded()) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(r, Opened) for r in results) == 1
    assert sum(isinstance(r, Refused) and r.code == "TICKET_USED" for r in results) == 4


async def test_a_cut_tells_the_holder_at_once_and_is_written(room: Room) -> None:
    holder = Recorded()
    opened = await room.open(holder)
    opened.account.picture(1, 500)
    withdrawn = {opened.lease.ticket.id: ("RIGHT_WITHDRAWN", "Habilitation suspendue.")}
    assert (room.desk.cut(withdrawn), room.desk.cut(withdrawn)) == ([opened.lease.ticket.id], [])
    assert holder.ends == [("RIGHT_WITHDRAWN", "Habilitation suspendue.")]
    assert room.desk.open_leases() == []
    await room.desk.write_pending()
    entries = await room.spool.read(0, 10)
    assert [(e["kind"], e["bytes"]) for e in entries] == [("opened", 0), ("closed", 500)]


async def test_a_cut_during_the_opening_refuses_and_writes_both(room: Room) -> None:
    ticket = make_ticket(room.clock.now())
    opening = asyncio.create_task(room.desk.open(room.issuer.text(ticket), "live", Recorded()))
    await asyncio.sleep(0)  # it has begun, and waits for its entry
    room.desk.cut({ticket.id: ("RIGHT_WITHDRAWN", "Habilitation suspendue.")})
    with pytest.raises(Refused, match="RIGHT_WITHDRAWN"):
        await opening
    await room.desk.write_pending()
    assert await room.kinds() == [("opened", None), ("closed", "RIGHT_WITHDRAWN")]


async def test_a_gateway_that_stops_ends_also_what_is_opening(room: Room) -> None:
    holder = Recorded()
    await room.open(holder)
    text = room.issuer.text(make_ticket(room.clock.now()))
    opening = asyncio.create_task(room.desk.open(text, "live", Recorded()))
    await asyncio.sleep(0)  # it has begun, and waits for its entry
    room.desk.shut()
    with pytest.raises(Refused, match="SHUTTING_DOWN"):
        await opening
    assert [code for code, _ in holder.ends] == ["SHUTTING_DOWN"]
    assert await room.refused(room.issuer.text(make_ticket(room.clock.now()))) == "SHUTTING_DOWN"
    await room.desk.write_pending()
    assert [kind for kind, _ in await room.kinds()] == ["opened", "opened", "closed", "closed"]


class Silent(Hub):
    """A hub whose recorder says nothing of a stream."""

    def __init__(self) -> None:
        super().__init__(Path("/nonexistent"))
        self.asked = asyncio.Event()

    async def find(self, camera: str, stream: str) -> LiveStream:
        self.asked.set()
        return await asyncio.Future()


async def test_a_viewer_that_goes_while_its_stream_is_looked_for_leaves_nothing_open(room: Room) -> None:
    hub, viewer_end = Silent(), asyncio.Transport()
    viewer = Viewer(viewer_end, room.desk, hub)
    text = room.issuer.text(make_ticket(room.clock.now()))
    hearing = asyncio.create_task(viewer.hear(json.dumps({"type": "open", "tile": "1", "ticket": text})))
    await hub.asked.wait()
    hearing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hearing
    await room.desk.write_pending()
    assert await room.kinds() == [("opened", None), ("closed", "VIEWER_LEFT")]
    assert room.desk.open_leases() == []


async def test_an_asker_that_goes_away_leaves_nothing_open(room: Room) -> None:
    ticket = make_ticket(room.clock.now())
    opening = asyncio.create_task(room.desk.open(room.issuer.text(ticket), "live", Recorded()))
    await asyncio.sleep(0)  # it has begun, and waits for its entry
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await room.desk.write_pending()
    assert await room.kinds() == [("opened", None), ("closed", "VIEWER_LEFT")]
    assert room.desk.open_leases() == []


async def test_the_end_of_renewals_ends_what_is_open(room: Room) -> None:
    holder = Recorded()
    await room.open(holder)
    room.clock.advance(59)
    room.desk.tick()
    assert holder.ends == []
    room.clock.advance(1)
    room.desk.tick()
    assert [code for code, _ in holder.ends] == ["CENTRE_UNREACHABLE"]
    assert await room.refused(room.issuer.text(make_ticket(room.clock.now()))) == "CENTRE_UNREACHABLE"
    room.desk.renew()
    assert (await room.open(Recorded())).lease.is_open


async def test_accounts_are_written_as_they_grow(room: Room) -> None:
    now = room.clock.now()
    replay = make_replay(now, now - timedelta(minutes=5), now)
    opened = await room.desk.open(room.issuer.text(replay), "replay", Recorded())
    seen = (now - timedelta(minutes=5), now - timedelta(minutes=4))
    opened.account.recording([seen], {0: 25}, 10_000)
    room.clock.advance(REPLAY_FLUSH_S)
    room.desk.tick()
    room.clock.advance(REPLAY_FLUSH_S)
    room.desk.tick()  # nothing new: no entry
    await room.desk.write_pending()
    entries = await room.spool.read(0, 10)
    assert [(e["kind"], e["bytes"], e["frames"]) for e in entries] == [("opened", 0, 0), ("served", 10_000, 25)]
    assert entries[1]["from"] == "2026-03-01T11:55:00.000000Z"
    assert entries[1]["intervals"] == [["2026-03-01T11:55:00.000000Z", "2026-03-01T11:56:00.000000Z"]]


async def test_what_the_page_told_is_written_with_the_next_account_also_when_no_byte_left_since(room: Room) -> None:
    now = room.clock.now()
    from_at = now - timedelta(minutes=5)
    opened = await room.desk.open(room.issuer.text(make_replay(now, from_at, now)), "replay", Recorded())
    opened.account.recording([(from_at, now)], {0: 25}, 10_000)
    room.clock.advance(REPLAY_FLUSH_S)
    room.desk.tick()
    opened.account.stepped([Stretch(from_at, from_at, 2)])
    room.clock.advance(REPLAY_FLUSH_S)
    room.desk.tick()
    opened.account.stepped([Stretch(now, now, 3)])
    room.desk.close(opened, "VIEWER_LEFT")
    await room.desk.write_pending()
    entries = await room.spool.read(0, 10)
    assert [(e["kind"], e["bytes"], [n for _, _, n in e.get("page_says_stepped", [])]) for e in entries] == [
        ("opened", 0, []),
        ("served", 10_000, []),
        ("served", 0, [2]),
        ("closed", 0, [3]),
    ]


async def test_nothing_is_served_that_can_not_be_written(room: Room) -> None:
    holder = Recorded()
    opened = await room.open(holder)
    opened.account.picture(1, 500)
    with no_room_left():
        assert await room.refused(room.issuer.text(make_ticket(room.clock.now()))) == "SPOOL_UNAVAILABLE"
        room.clock.advance(30)
        room.desk.tick()
        await room.desk.write_pending()
        assert [code for code, _ in holder.ends] == ["SPOOL_UNAVAILABLE"]
        await room.desk.write_pending()
    await room.desk.write_pending()
    entries = await room.spool.read(0, 10)
    assert [(e["kind"], e["bytes"], e["reason"]) for e in entries] == [
        ("opened", 0, None),
        ("served", 500, None),
        ("closed", 0, "SPOOL_UNAVAILABLE"),
    ]
