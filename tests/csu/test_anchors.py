"""Anchors leave each day by file, mail and authority, and what they hold against a journal that was rewritten."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiosmtpd.smtp import SMTP, Envelope
from centre_support import Running, settings_file
from timestamp_authority import Authority, authority

from csu import keys
from csu.alarms.keeper import AlarmKeeper
from csu.audit import timestamps
from csu.audit.anchors import AnchorKeeper, add_line, read_anchors
from csu.audit.entries import SYSTEM, Entry, append
from csu.audit.heads import HeadSigner
from csu.audit.timestamps import TimestampError
from csu.audit.verify import Verdict, verify
from csu.cli import main
from csu.settings import AnchorMail, Journal, SettingsError, load


class Relay:
    """A real SMTP server that keeps what it takes."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.refuses = False

    async def handle_RCPT(self, *given: Any) -> str:
        _, _, envelope, address, _ = given
        if self.refuses:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


@pytest.fixture
async def relay() -> AsyncIterator[tuple[Relay, int]]:
    taker, loop = Relay(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(taker, hostname="relay.example", loop=loop), "127.0.0.1", 0)
    async with server:
        yield taker, server.sockets[0].getsockname()[1]


class Room:
    """The centre with a journal that leaves it."""

    def __init__(self, centre: Running, journal: Journal) -> None:
        settings = centre.centre.settings
        self.running = centre
        self.centre = replace(centre.centre, settings=settings.model_copy(update={"journal": journal}))
        folder = settings.paths.keys
        self.public = keys.load_public(folder, "heads")
        self.signer = HeadSigner(self.centre.store, *keys.load_private(folder, "heads"), self.centre.now)
        self.keeper = AnchorKeeper(self.centre)

    async def day(self, entries: int = 3) -> None:
        """A day goes by, something happens in it, and what is due leaves."""
        self.running.clock.advance(days=1)
        async with self.centre.store.transaction(None) as connection:
            at = self.centre.now()
            await append(connection, [Entry("test", at, SYSTEM, detail={"n": n}) for n in range(entries)])
        await self.signer.close()
        await self.keeper.run_once()
        await self.signer.close()

    async def verify(self, file: Path | None = None, ca: Path | None = None) -> Verdict:
        text = "" if file is None else await asyncio.to_thread(file.read_text)
        lines, faults = read_anchors(text, self.public)
        roots = [] if ca is None else timestamps.read_roots(ca)
        verdict = await verify(self.centre.store, self.public, lines, roots)
        return replace(verdict, faults=(*faults, *verdict.faults))

    async def sent(self) -> list[tuple[str, int]]:
        """Ways and sizes that the journal tells, oldest first."""
        found = []
        with_detail = "SELECT detail FROM journal WHERE op = 'journal:anchor' ORDER BY at"
        async with self.centre.store.transaction(None) as connection:
            for (detail,) in await connection.exec_driver_sql(with_detail):
                told = json.loads(detail)
                found.append((told["way"], told["tree_size"]))
        return found

    async def alarms(self) -> list[str]:
        await AlarmKeeper(self.centre).run_once()
        async with self.running.person("operateur") as operator:
            alarms = (await operator.get("/api/alarms")).json()["alarms"]
        return [alarm["message"] for alarm in alarms if alarm["code"] == "ANCHOR_FAILED" and alarm["ended"] is None]


def rewrite(superuser: str) -> None:
    """Who rules the database forgets everything, and begins another history."""
    with psycopg.connect(superuser) as connection:
        connection.execute("TRUNCATE journal, journal_pending, journal_leaf, journal_node, tree_head CASCADE")


async def test_a_line_a_day_leaves_to_the_file_and_holds(centre: Running, tmp_path: Path) -> None:
    file = tmp_path / "anchors"
    room = Room(centre, Journal(anchor_file=file))
    await room.keeper.run_once()
    assert not file.exists(), "nothing is signed yet"
    for _ in range(3):
        await room.day()
        await room.keeper.run_once()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == 3
    assert [("file", line["tree_size"]) for line in lines] == await room.sent()
    found = await room.verify(file)
    assert (found.ok, found.anchors) == (True, 3)
    assert await room.alarms() == []


async def test_a_history_rewritten_with_the_key_is_betrayed_by_the_anchors(
    centre: Running, tmp_path: Path, superuser: str
) -> None:
    file = tmp_path / "anchors"
    room = Room(centre, Journal(anchor_file=file))
    await room.day()
    await room.day()
    rewrite(superuser)
    room.signer = HeadSigner(centre.centre.store, *keys.load_private(tmp_path / "keys", "heads"), centre.clock)
    await room.day(50)
    assert (await room.verify()).ok, "machine and key together can do this"
    found = await room.verify(file)
    assert not found.ok
    assert found.first_bad == 0
    assert "line 1: not the tree of" in found.faults[0]


async def test_a_journal_cut_off_is_betrayed_by_the_anchors(centre: Running, tmp_path: Path, superuser: str) -> None:
    file = tmp_path / "anchors"
    room = Room(centre, Journal(anchor_file=file))
    await room.day()
    rewrite(superuser)
    found = await room.verify(file)
    assert (found.ok, found.first_bad) == (False, 0)
    assert "leaves were there, now 0" in found.faults[0]


async def test_forged_and_broken_lines_are_told(centre: Running, tmp_path: Path) -> None:
    file = tmp_path / "anchors"
    room = Room(centre, Journal(anchor_file=file))
    await room.day()
    good = json.loads(file.read_text())
    forged = [good | {"root": "00" * 32}, good | {"key": "0" * 16}, good | {"tree_size": "x"}, {"a": 1}, [], "text"]
    broken = ["{", *map(json.dumps, forged), "Bonjour,", "> words of a mail", ""]
    file.write_text(file.read_text() + "\n".join(broken))
    found = await room.verify(file)
    assert (found.ok, found.first_bad, found.anchors) == (False, None, 1)
    assert [fault.split(":")[0] for fault in found.faults] == [f"line {n}" for n in (2, 3, 4, 5, 6)]


async def test_a_mail_a_day_leaves_and_its_line_holds(
    centre: Running, tmp_path: Path, relay: tuple[Relay, int]
) -> None:
    taker, port = relay
    mail = AnchorMail.model_validate(
        {"host": "127.0.0.1", "port": port, "from": "csu@ville.example", "to": ["dpo@ville.example", "a@b.example"]}
    )
    room = Room(centre, Journal(anchor_mail=mail))
    await room.day()
    await room.keeper.run_once()
    (message,) = taker.mails
    assert message["To"] == "dpo@ville.example, a@b.example"
    assert "ancre du journal" in str(message["Subject"]).lower() or "=?utf-8?" in str(message["Subject"])
    source = tmp_path / "mail.eml"
    source.write_bytes(message.as_bytes())
    found = await room.verify(source)
    assert (found.ok, found.anchors) == (True, 1), "the mail's source holds the line as it is"
    assert await room.sent() == [("mail", json.loads(message.get_payload().splitlines()[0])["tree_size"])]


async def test_what_cannot_leave_raises_an_alarm_and_leaves_later(
    centre: Running, tmp_path: Path, relay: tuple[Relay, int]
) -> None:
    taker, port = relay
    taker.refuses = True
    folder = tmp_path / "share"
    mail = AnchorMail.model_validate(
        {"host": "127.0.0.1", "port": port, "from": "csu@b.example", "to": ["a@b.example"]}
    )
    room = Room(centre, Journal(anchor_file=folder / "anchors", anchor_mail=mail))
    await room.day()
    assert await room.sent() == []
    (message,) = await room.alarms()
    assert message == "L'ancre quotidienne du journal n'a pas pu partir (fichier, courriel)."
    taker.refuses = False
    folder.mkdir()
    await room.keeper.run_once()
    assert sorted(way for way, _ in await room.sent()) == ["file", "mail"]
    assert await room.alarms() == []


# A process whose files may grow by 4 bytes only.
_SHORT_OF_ROOM = """
import resource, sys
from pathlib import Path
from csu.audit.anchors import add_line
file = Path(sys.argv[1])
room = file.stat().st_size + 4
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
add_line(file, '{"b":2}')
"""


def test_a_line_is_added_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "anchors"
    add_line(file, '{"a":1}')
    done = subprocess.run(
        [sys.executable, "-c", _SHORT_OF_ROOM, str(file)], capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1] == f"OSError: {file}: no room for a whole line"
    add_line(file, '{"c":3}')
    assert file.read_text() == '{"a":1}\n{"c":3}\n'


@pytest.fixture
async def tsa(tmp_path: Path) -> AsyncIterator[Authority]:
    async with authority(tmp_path / "tsa") as started:
        yield started


async def test_an_authority_stamps_the_day_s_head(centre: Running, tsa: Authority, superuser: str) -> None:
    centre.clock.at = datetime.now(UTC) - timedelta(days=1)  # the authority's clock is the machine's
    room = Room(centre, Journal(timestamp_url=tsa.url, timestamp_ca=tsa.root))
    await room.day()
    await room.keeper.run_once()
    assert tsa.asked == 1
    assert [way for way, _ in await room.sent()] == ["timestamp"]
    found = await room.verify(ca=tsa.root)
    assert (found.ok, found.timestamps, found.faults) == (True, 1, ())
    assert (await room.verify()).timestamps == 0, "without certificates none is looked at"
    with psycopg.connect(superuser) as connection:
        connection.execute("UPDATE head_timestamp SET token = overlay(token placing '\\x00' from 200)")
    found = await room.verify(ca=tsa.root)
    assert not found.ok
    assert found.timestamps == 0


async def test_a_head_dated_ahead_is_betrayed_by_its_timestamp(centre: Running, tsa: Authority) -> None:
    centre.clock.at = datetime.now(UTC)
    room = Room(centre, Journal(timestamp_url=tsa.url, timestamp_ca=tsa.root))
    await room.day()
    found = await room.verify(ca=tsa.root)
    assert "older than the head says" in found.faults[0]


async def test_another_authority_s_timestamp_is_not_taken(centre: Running, tsa: Authority, tmp_path: Path) -> None:
    centre.clock.at = datetime.now(UTC) - timedelta(days=1)  # the authority's clock is the machine's
    async with authority(tmp_path / "other") as other:
        room = Room(centre, Journal(timestamp_url=tsa.url, timestamp_ca=other.root))
        await room.day()
        assert await room.sent() == []
        assert await room.alarms() == ["L'ancre quotidienne du journal n'a pas pu partir (horodatage)."]
        tsa.status = 503
        with pytest.raises(TimestampError, match="answered 503"):
            await timestamps.stamp(tsa.url, b"head", timestamps.read_roots(tsa.root))
        with pytest.raises(TimestampError, match="no answer"):
            await timestamps.stamp("http://127.0.0.1:1/", b"head", timestamps.read_roots(tsa.root))


async def test_the_command_holds_the_journal_against_the_file(
    centre: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "anchors"
    room = Room(centre, Journal(anchor_file=file))
    await room.day()
    config = settings_with(centre, tmp_path, f'[journal]\nanchor_file = "{file}"\n')
    wanted = ["journal", "verify", "--config", str(config), "--anchors", str(file), "--json"]
    assert await in_thread(wanted) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["anchors"] == 1
    file.write_text(json.dumps(json.loads(file.read_text()) | {"root": "00" * 32}))
    assert await in_thread(wanted) == 1
    assert await in_thread([*wanted[:-2], str(tmp_path / "nothing"), "--json"]) == 2


async def in_thread(arguments: list[str]) -> int:
    return await asyncio.to_thread(main, arguments)


def settings_with(centre: Running, folder: Path, more: str) -> Path:
    given = centre.centre.settings
    return settings_file(folder, given.data, given.database, given.valkey, more)


@pytest.mark.parametrize(
    "wrong",
    [
        'timestamp_url = "http://tsa.example/"',
        'timestamp_url = "ftp://tsa.example/"\ntimestamp_ca = "ca.pem"',
        '[journal.anchor_mail]\nhost = "relay"\nfrom = "csu"\nto = ["a@b.example"]',
        '[journal.anchor_mail]\nhost = "relay"\nfrom = "a@b.example"\nto = []',
        '[journal.anchor_mail]\nhost = "relay"\nfrom = "a@b.example"\nto = ["a@b.example\\nBcc: c@d.example"]',
    ],
)
async def test_settings_that_cannot_be_used_are_refused(centre: Running, tmp_path: Path, wrong: str) -> None:
    with pytest.raises(SettingsError, match="journal"):
        load(settings_with(centre, tmp_path, f"[journal]\n{wrong}\n"))


async def test_relative_files_count_from_the_settings(centre: Running, tmp_path: Path) -> None:
    loaded = load(settings_with(centre, tmp_path, '[journal]\nanchor_file = "share/anchors"\n'))
    assert loaded.journal.anchor_file == tmp_path / "share" / "anchors"


async def test_the_command_prunes_both_logs(
    centre: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = settings_with(centre, tmp_path, "")
    assert await in_thread(["journal", "prune", "--config", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"removed": 0, "security_events": 0, "ok": True}
