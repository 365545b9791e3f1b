"""The log of what was served: durable, numbered, once per ticket."""

import asyncio
import resource
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from gateway_support import NOON, make_ticket

from csu.gateway.errors import Refused, SpoolError
from csu.gateway.spool import REDEEMED_KEPT, Entry, Spool


@contextmanager
def opened(directory: Path) -> Iterator[Spool]:
    spool = Spool(directory)
    spool.open(NOON)
    try:
        yield spool
    finally:
        spool.close()


@contextmanager
def no_room_left() -> Iterator[None]:
    """Every write beyond the present size fails, as on a full disk (EFBIG; Python ignores SIGXFSZ)."""
    assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_entries_are_numbered_pulled_and_forgotten_once_acknowledged(tmp_path: Path) -> None:
    ticket = make_ticket(NOON)
    with opened(tmp_path) as spool:
        await spool.append([Entry(NOON, "opened", ticket)])
        await spool.append([Entry(NOON, "served", ticket, [(NOON, NOON + timedelta(seconds=1))], 1000, 25)])
        await spool.append([Entry(NOON, "closed", ticket, reason="VIEWER_LEFT")])
        first, second, third = await spool.read(0, 10)
        assert [first["n"], second["n"], third["n"]] == [1, 2, 3]
        assert [first["kind"], second["kind"], third["kind"]] == ["opened", "served", "closed"]
        assert first["ticket"] == ticket.id
        assert first["camera"] == ticket.camera
        assert first["streams"] == ["main"]
        assert second["intervals"] == [["2026-03-01T12:00:00.000000Z", "2026-03-01T12:00:01.000000Z"]]
        assert (second["bytes"], second["frames"]) == (1000, 25)
        assert third["reason"] == "VIEWER_LEFT"
        assert [e["n"] for e in await spool.read(1, 1)] == [2]
        await spool.acknowledge(3)
        assert await spool.read(0, 10) == []


async def test_numbers_and_identity_go_on_after_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        uuid = spool.uuid
        ticket = make_ticket(NOON)
        await spool.append([Entry(NOON, "opened", ticket), Entry(NOON, "closed", ticket, reason="VIEWER_LEFT")])
        await spool.acknowledge(2)
    with opened(tmp_path) as spool:
        assert spool.uuid == uuid
        await spool.append([Entry(NOON, "opened", make_ticket(NOON))])
        assert [e["n"] for e in await spool.read(0, 10)] == [3]


async def test_a_ticket_is_redeemed_once_also_across_a_restart(tmp_path: Path) -> None:
    ticket = make_ticket(NOON)
    with opened(tmp_path) as spool:
        await spool.append([Entry(NOON, "opened", ticket)])
        with pytest.raises(Refused) as refusal:
            await spool.append([Entry(NOON, "opened", ticket)])
        assert refusal.value.code == "TICKET_USED"
    with opened(tmp_path) as spool:
        with pytest.raises(Refused) as refusal:
            await spool.append([Entry(NOON, "opened", ticket)])
        assert refusal.value.code == "TICKET_USED"
        assert [e["kind"] for e in await spool.read(0, 10)] == ["opened", "closed"]


async def test_redeemed_ids_are_forgotten_after_a_month(tmp_path: Path) -> None:
    ticket = make_ticket(NOON)
    with opened(tmp_path) as spool:
        await spool.append([Entry(NOON - REDEEMED_KEPT - timedelta(days=1), "opened", ticket)])
    with opened(tmp_path) as spool:
        await spool.append([Entry(NOON, "opened", ticket)])


async def test_what_a_dead_process_left_open_is_closed_at_the_next_start(tmp_path: Path) -> None:
    left, ended = make_ticket(NOON), make_ticket(NOON)
    with opened(tmp_path) as spool:
        await spool.append([Entry(NOON, "opened", left), Entry(NOON, "opened", ended)])
        await spool.append([Entry(NOON, "closed", ended, reason="VIEWER_LEFT")])
    with opened(tmp_path) as spool:
        last = (await spool.read(0, 10))[-1]
        assert (last["kind"], last["ticket"], last["reason"]) == ("closed", left.id, "GATEWAY_RESTARTED")
    with opened(tmp_path) as spool:
        assert len(await spool.read(0, 10)) == 4


async def test_many_callers_at_once_all_get_their_entry(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        tickets = [make_ticket(NOON) for _ in range(64)]
        await asyncio.gather(*(spool.append([Entry(NOON, "opened", ticket)]) for ticket in tickets))
        entries = await spool.read(0, 100)
        assert [e["ticket"] for e in entries] == [t.id for t in tickets]


async def test_a_full_disk_refuses_and_is_tried_again(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        await spool.append([Entry(NOON, "opened", make_ticket(NOON))])
        refused = make_ticket(NOON)
        with no_room_left(), pytest.raises(SpoolError):
            await spool.append([Entry(NOON, "opened", refused)])
        # Nothing of the failed attempt stayed: the ticket can still be redeemed.
        await spool.append([Entry(NOON, "opened", refused)])
        assert [e["n"] for e in await spool.read(0, 10)] == [1, 2]


def test_a_spool_has_one_owner(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(SpoolError):
        Spool(tmp_path).open(NOON)


def test_a_foreign_file_is_not_taken_for_a_spool(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite3").write_bytes(b"not a database at all" * 100)
    with pytest.raises(SpoolError):
        Spool(tmp_path).open(NOON)


async def test_closed_spool_serves_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(SpoolError):
        await spool.append([Entry(NOON, "opened", make_ticket(NOON))])


_WRITER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from gateway_support import NOON, make_ticket
from csu.gateway.spool import Entry, Spool

async def main():
    spool = Spool(Path(sys.argv[1]))
    spool.open(NOON)
    while True:
        ticket = make_ticket(NOON)
        await spool.append([Entry(NOON, "opened", ticket)])
        print(ticket.id, flush=True)

asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITER, str(tmp_path), here, stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    told = [await writer.stdout.readline() for _ in range(20)]
    writer.kill()
    rest, _ = await writer.communicate()
    told += [line for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
    with opened(tmp_path) as spool:
        entries = await spool.read(0, 5000)
        assert [e["n"] for e in entries] == list(range(1, len(entries) + 1))
        kept = [e["ticket"] for e in entries if e["kind"] == "opened"]
        assert kept[: len(told)] == [line.decode().strip() for line in told]
        assert sorted(kept) == sorted(e["ticket"] for e in entries if e["kind"] == "closed")


async def test_a_torn_tail_costs_only_itself(tmp_path: Path) -> None:
    """The last bytes of the log are cut off, as by a power cut in the middle of a write."""
    with opened(tmp_path / "whole") as spool:
        for _ in range(5):
            await spool.append([Entry(NOON, "opened", make_ticket(NOON))])
        torn = tmp_path / "torn"
        torn.mkdir()
        for name in ("spool.sqlite3", "spool.sqlite3-wal"):
            (torn / name).write_bytes((tmp_path / "whole" / name).read_bytes())
    wal = torn / "spool.sqlite3-wal"
    wal.write_bytes(wal.read_bytes()[:-100])
    with opened(torn) as spool:
        kinds = [e["kind"] for e in await spool.read(0, 10)]
        assert kinds == ["opened"] * 4 + ["closed"] * 4
    with sqlite3.connect(torn / "spool.sqlite3") as check:
        assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check.close()
