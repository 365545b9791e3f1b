"""Entries of the journal, written in the transaction of the act they tell of."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Self
from uuid import uuid4

from sqlalchemy import DateTime, insert
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.clock import iso
from csu.errors import Refusal
from csu.store import tables
from legal import ledger
from legal.acts import Refused
from legal.motifs import Motif

Result = Literal["done", "refused", "noted"]


@dataclass(frozen=True, slots=True)
class Author:
    """Who acts: a person with their quality and post, or the system."""

    id: str | None
    name: str
    quality: str
    workstation: str | None = None
    session: str | None = None


SYSTEM = Author(None, "Système", "système")
# Who gives a command on the machine: proved by the files that only its administrators read (csu.toml, keys).
LOCAL = Author(None, "Administration locale", "ligne de commande", "poste du serveur")


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation. `authority` is whose authority it is done under (CSI L.132-14-1); `detail` holds no name, no
    plate, no secret: codes, numbers, identifiers."""

    op: str
    at: datetime
    author: Author
    result: Result = "done"
    code: str | None = None
    reason: str | None = None
    authority: str | None = None
    commune: str | None = None
    camera: str | None = None
    camera_name: str | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None
    motif: Motif | None = None
    recipients: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid4()))

    def refused(self, refusal: Refused | Refusal) -> Self:
        return replace(self, result="refused", code=refusal.code, reason=refusal.reason)


async def append(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Write entries; they stand or fall with the transaction. A trigger queues each for its leaf number."""
    rows = [row_of(entry) for entry in entries]
    if rows:
        # One row, which most acts write, goes as a statement of its own: batches take a pipeline's turns more.
        await connection.execute(insert(tables.journal), rows if len(rows) > 1 else rows[0])


def row_of(entry: Entry) -> dict[str, Any]:
    """As it stands in the table, with a salt of its own."""
    motif = entry.motif
    return {
        "id": entry.id,
        "at": entry.at,
        "op": str(entry.op),
        "result": entry.result,
        "code": entry.code,
        "reason": entry.reason,
        "author": entry.author.id,
        "author_name": entry.author.name,
        "quality": entry.author.quality,
        "authority": entry.authority,
        "commune": entry.commune,
        "camera": entry.camera,
        "camera_name": entry.camera_name,
        "from_at": entry.from_at,
        "to_at": entry.to_at,
        "motif_code": None if motif is None else motif.code,
        "motif_reference": None if motif is None else motif.reference,
        "recipients": list(entry.recipients),
        "workstation": entry.author.workstation,
        "session": entry.author.session,
        "detail": json.dumps(entry.detail, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        "salt": secrets.token_bytes(ledger.SALT_BYTES),
    }


# Every column but the salt is in the leaf; adding a column to the table does not alter leaves of before.
_HASHED = tuple(sorted(column.name for column in tables.journal.columns if column.name != "salt"))
_INSTANTS = tuple(column.name for column in tables.journal.columns if isinstance(column.type, DateTime))


def leaf_hash(row: RowMapping | Mapping[str, Any]) -> bytes:
    """The leaf hash of an entry as it stands in its row (RFC 9162 2.1.1 over salt and canonical JSON)."""
    return ledger.leaf_hash(bytes(row["salt"]), canonical_entry(row))


def canonical_entry(row: RowMapping | Mapping[str, Any]) -> bytes:
    """What of a row is hashed, behind the salt."""
    entry = {name: row[name] for name in _HASHED}
    for name in _INSTANTS:
        entry[name] = iso(entry[name])
    return ledger.canonical(entry)
