"""Anchors: each day the newest signed head leaves the machine, so that who holds machine and key can't rewrite what was
before it.

Three ways out, each when the settings name it: a line added to a file (on another machine's share, on paper, on a disk
that is carried away), the same line by e-mail, and a time-stamping authority's signature (RFC 3161), which is kept with
the head. Each is journalled when the head has left, and an alarm while one could not.
"""

import asyncio
import email.policy
import json
import os
import smtplib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import RowMapping, select
from sqlalchemy.dialects.postgresql import insert

from csu.audit import entries, timestamps
from csu.audit.documents import DocumentError, head_faults
from csu.audit.entries import SYSTEM, Entry
from csu.audit.proofs import told_head
from csu.audit.timestamps import TimestampError
from csu.centre_state import Centre
from csu.clock import iso
from csu.settings import AnchorMail
from csu.statements.days import begins_at, day_of
from csu.store import tables
from legal.ledger import head_text

OP = "journal:anchor"
TURN_S = 60.0
_RELAY_S = 20.0


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head as a line of an anchor file told it: the tree of so many leaves had this root."""

    line: int
    tree_size: int
    root: bytes


class AnchorKeeper:
    """Sends the newest head each day, once by each way; what could not leave is tried again each turn."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        settings = centre.settings.journal
        self._ways: dict[str, Callable[[RowMapping], Awaitable[None]]] = {}
        if settings.anchor_file is not None:
            self._ways["file"] = self._to_file
        if settings.anchor_mail is not None:
            self._ways["mail"] = self._to_mail
        if settings.timestamp_url is not None:
            self._ways["timestamp"] = self._to_authority

    async def run_once(self) -> None:
        """Raises the database's errors; those of a way out are kept for the alarm."""
        now = self._centre.now()
        head, left = await self._newest(now)
        if head is None:
            return
        failed = []
        for way in self._ways.keys() - left:
            try:
                await self._ways[way](head)
            except (OSError, smtplib.SMTPException, TimestampError):
                failed.append(way)
            else:
                await self._journal(way, head, now)
        self._centre.observed.anchors_failed = ",".join(sorted(failed))

    async def _newest(self, now: datetime) -> tuple[RowMapping | None, set[str]]:
        """The newest head, and the ways by which one has left since midnight in Paris."""
        journal, head = tables.journal, tables.tree_head
        today = begins_at(day_of(now))
        sent = select(journal.c.detail).where(journal.c.op == OP, journal.c.at >= today)
        newest = select(head).order_by(head.c.tree_size.desc()).limit(1)
        async with self._centre.store.transaction(None) as connection:
            row = (await connection.execute(newest)).mappings().one_or_none()
            details = (await connection.scalars(sent)).all()
        return row, {json.loads(detail)["way"] for detail in details}

    async def _journal(self, way: str, head: RowMapping, now: datetime) -> None:
        detail = {"way": way, "tree_size": head["tree_size"], "root": bytes(head["root"]).hex()}
        async with self._centre.store.transaction(None) as connection:
            await entries.append(connection, [Entry(OP, now, SYSTEM, detail=detail)])
        self._centre.journal_grew()

    async def _to_file(self, head: RowMapping) -> None:
        file = self._centre.settings.journal.anchor_file
        assert file is not None
        await asyncio.to_thread(add_line, file, line_of(head))

    async def _to_mail(self, head: RowMapping) -> None:
        mail = self._centre.settings.journal.anchor_mail
        assert mail is not None
        message = message_of(head, mail, self._centre.settings.name, self._centre.now())
        await asyncio.to_thread(_send, mail, message)

    async def _to_authority(self, head: RowMapping) -> None:
        settings = self._centre.settings.journal
        assert settings.timestamp_url is not None
        assert settings.timestamp_ca is not None
        roots = await asyncio.to_thread(timestamps.read_roots, settings.timestamp_ca)
        token = await timestamps.stamp(settings.timestamp_url, text_of(head), roots)
        async with self._centre.store.transaction(None) as connection:
            row = {"tree_size": head["tree_size"], "token": token}
            await connection.execute(insert(tables.head_timestamp).values(row).on_conflict_do_nothing())


def text_of(head: RowMapping) -> bytes:
    """What of a head is signed, by us and by a time-stamping authority."""
    return head_text(head["tree_size"], bytes(head["root"]), iso(head["signed_at"]) or "")


def line_of(head: RowMapping) -> str:
    """The head with its signature as one line of JSON."""
    return json.dumps(told_head(head), sort_keys=True, separators=(",", ":"))


def add_line(file: Path, line: str) -> None:
    """Durably, and whole or not at all. Raises OSError."""
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        size = os.fstat(fd).st_size
        data = line.encode() + b"\n"
        try:
            if os.write(fd, data) != len(data):
                raise OSError(f"{file}: no room for a whole line")
            os.fsync(fd)
        except OSError:
            os.ftruncate(fd, size)
            raise
    finally:
        os.close(fd)


def message_of(head: RowMapping, mail: AnchorMail, centre: str, now: datetime) -> EmailMessage:
    """The line as it is, also in the mail's source, and what it is for."""
    message = EmailMessage(policy=email.policy.SMTP.clone(max_line_length=900))
    message["From"], message["To"] = mail.sender, ", ".join(mail.to)
    message["Subject"] = f"{centre} : ancre du journal du {day_of(now):%d/%m/%Y}"
    message["Date"], message["Message-ID"] = format_datetime(now), make_msgid(domain="csu.invalid")
    message["Auto-Submitted"] = "auto-generated"
    text = f"""{line_of(head)}

Conservez ce courriel : cette ligne prouve ce que contenait le journal du centre à cette date.
Pour la vérifier, copiez-la dans un fichier : csu journal verify --anchors FICHIER
"""
    message.set_content(text, cte="8bit")
    return message


def _send(mail: AnchorMail, message: EmailMessage) -> None:
    """Hand a message to the relay; one recipient who is refused fails it. Raises OSError, SMTPException."""
    with smtplib.SMTP(mail.host, mail.port, timeout=_RELAY_S) as relay:
        refused = relay.send_message(message)
    if refused:
        raise smtplib.SMTPRecipientsRefused(refused)


def read_anchors(text: str, keys: Mapping[str, Ed25519PublicKey]) -> tuple[list[Anchor], list[str]]:
    """The heads that an anchor file tells, and what is wrong with its lines. Lines that are no JSON are a mail's."""
    anchors, faults = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.lstrip().startswith("{"):
            continue
        try:
            head: dict[str, Any] = json.loads(line)
            wrong = head_faults(f"line {number}", head, keys)
            anchor = Anchor(number, int(head["tree_size"]), bytes.fromhex(head["root"]))
        except (ValueError, KeyError, TypeError, AttributeError, DocumentError) as error:
            faults.append(f"line {number}: no anchor of a journal ({type(error).__name__})")
            continue
        if wrong:
            faults += wrong
        else:
            anchors.append(anchor)
    return anchors, faults
