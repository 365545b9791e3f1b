"""A recorder's night for the statements: a real storage directory, its facts, and the centre that pulls them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from centre_support import Running
from recorder_support import START_US, Bench, bench

from csu import keys
from csu.links.recorder_link import FactsPuller
from csu.statements.signer import StatementSigner
from recorder.channel import ChannelClient, ChannelServer
from recorder.days import add_up, next_day, read_accounts, read_standing, tell_day
from recorder.holds import list_holds
from recorder.index import open_reader, read_facts
from recorder.rounds import tell_inventory
from recorder.walker import Look, look
from streams.ticks import us_from_at


@contextmanager
def recorder(tmp_path: Path) -> Iterator[Bench]:
    """A recorder's storage directory: everything of a recorder but its cameras and its loop."""
    with bench(tmp_path / "disk") as made:
        yield made


def tell(made: Bench, at: datetime, *cameras: str) -> None:
    """The night at a recorder: inventory, then the days that are over; cameras without a file have one too."""
    now_us = us_from_at(at)
    looks = look(made.storage.path, now_us, whole=True)
    for one in (*looks, *(Look(c, 0, 0, None, ()) for c in cameras if c not in {one.camera for one in looks})):
        tell_inventory(made.store, one, now_us)
    made.index.put("alive_us", now_us)
    made.index.commit()
    with closing(open_reader(made.storage.index_path)) as reader:
        while (day := next_day([read_standing(reader)], now_us, False)) is not None:
            added = add_up(day, [read_accounts(reader, day)], now_us, False)
            assert added is not None
            tell_day(made.index, added, now_us)
            made.index.commit()


@asynccontextmanager
async def linked(centre: Running, made: Bench) -> AsyncIterator[FactsPuller]:
    """The centre's puller on the feed of this index."""

    async def answer(op: str, fields: dict[str, Any]) -> dict[str, Any]:
        if op == "indexes":
            return {"indexes": [{"index": made.index.uuid, "added": False}]}
        if op == "ack":
            made.index.acknowledge(fields["upto"], START_US)
            made.index.commit()
            return {}
        if op == "holds":
            return {"holds": list_holds(made.index)}
        with closing(open_reader(made.storage.index_path)) as reader:
            return read_facts(reader, fields["after"], fields["limit"])

    socket = centre.centre.settings.paths.recorder_socket
    async with ChannelServer(socket, answer), ChannelClient(socket) as client:
        yield FactsPuller(centre.centre, client)


def signer(centre: Running) -> StatementSigner:
    kid, key = keys.load_private(centre.centre.settings.paths.keys, "statements")
    return StatementSigner(centre.centre.store, kid, key, centre.clock)


async def camera_ids(centre: Running) -> dict[str, str]:
    async with centre.person("superviseur") as person:
        return {c["number"]: c["id"] for c in (await person.get("/api/cameras")).json()["cameras"]}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
