"""Recompute the whole journal: entries, leaf numbers, tree, signed heads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import RowMapping, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.audit.entries import leaf_hash
from csu.clock import iso
from csu.store import tables
from csu.store.store import Store
from legal.ledger import Frontier, head_text

_BATCH = 2000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `first_bad` is the first leaf that can't be vouched for; None when all can.

    `entries` counts the leaves read until the end or the first bad one; `pending` those committed entries that still
    waited for a number.
    """

    entries: int
    pending: int
    first_bad: int | None
    checkpoint: Mapping[str, Any] | None

    @property
    def ok(self) -> bool:
        return self.first_bad is None

    def as_json(self) -> dict[str, Any]:
        return {
            "entries": self.entries,
            "pending": self.pending,
            "first_bad": self.first_bad,
            "checkpoint": self.checkpoint,
            "ok": self.ok,
        }


async def verify(store: Store, keys: Mapping[str, Ed25519PublicKey]) -> Verdict:
    """Check every leaf against its entry, every head against the leaves below it, and that no entry is outside.

    Without a head the tree proves nothing against who rewrites all of it; `checkpoint` None says so.
    """
    async with store.transaction(None) as connection:
        pending = await connection.scalar(select(func.count()).select_from(tables.journal_pending)) or 0
        check = _Check(await _heads(connection), keys)
        while check.first_bad is None:
            rows = await _rows(connection, check.size)
            for row in rows:
                check.take(row)
            if len(rows) < _BATCH:
                break
        check.finish()
        if check.first_bad is None and await _has_stray_entry(connection):
            check.first_bad = check.size
    return Verdict(check.size, pending, check.first_bad, check.checkpoint)


class _Check:
    """Takes leaves in their order. `vouched` is the size of the largest head that was right."""

    def __init__(self, heads: list[RowMapping], keys: Mapping[str, Ed25519PublicKey]) -> None:
        self._heads = {head["tree_size"]: head for head in heads}
        self._keys = keys
        self._frontier = Frontier()
        self._vouched = 0
        self.first_bad: int | None = None
        self.checkpoint: dict[str, Any] | None = None

    @property
    def size(self) -> int:
        return self._frontier.size

    def take(self, row: RowMapping) -> None:
        if self.first_bad is not None:
            return
        if row["leaf"] != self.size or row["id"] is None or leaf_hash(row) != bytes(row["leaf_hash"]):
            self.first_bad = self.size
            return
        self._frontier.append(bytes(row["leaf_hash"]))
        head = self._heads.pop(self.size, None)
        if head is not None:
            self._check_head(head)

    def finish(self) -> None:
        """A head over more leaves than there are: the end of the journal was cut off."""
        if self.first_bad is None and self._heads:
            self.first_bad = self.size

    def _check_head(self, head: RowMapping) -> None:
        """A wrong head means that some leaf since the last right one is not what was signed."""
        root, signed_at = self._frontier.root(), iso(head["signed_at"]) or ""
        key = self._keys.get(head["kid"])
        if key is None or bytes(head["root"]) != root or not _signs(key, head, root, signed_at):
            self.first_bad = self._vouched
            return
        self._vouched = self.size
        self.checkpoint = {"tree_size": self.size, "root": root.hex(), "signed_at": signed_at, "key": head["kid"]}


def _signs(key: Ed25519PublicKey, head: RowMapping, root: bytes, signed_at: str) -> bool:
    try:
        key.verify(bytes(head["signature"]), head_text(head["tree_size"], root, signed_at))
    except InvalidSignature:
        return False
    return True


async def _heads(connection: AsyncConnection) -> list[RowMapping]:
    head = tables.tree_head
    return list((await connection.execute(select(head).order_by(head.c.tree_size))).mappings())


async def _rows(connection: AsyncConnection, first: int) -> list[RowMapping]:
    journal, leaf = tables.journal, tables.journal_leaf
    statement = (
        select(leaf.c.leaf, leaf.c.hash.label("leaf_hash"), journal)
        .join_from(leaf, journal, leaf.c.entry == journal.c.id, isouter=True)
        .where(leaf.c.leaf >= first)
        .order_by(leaf.c.leaf)
        .limit(_BATCH)
    )
    return list((await connection.execute(statement)).mappings())


async def _has_stray_entry(connection: AsyncConnection) -> bool:
    """An entry that has no leaf and waits for none was taken out of the tree, or slipped in beside it."""
    journal, leaf, pending = tables.journal, tables.journal_leaf, tables.journal_pending
    numbered = exists().where(leaf.c.entry == journal.c.id)
    waiting = exists().where(pending.c.entry == journal.c.id)
    statement = select(journal.c.id).where(~numbered, ~waiting).limit(1)
    return await connection.scalar(statement) is not None
