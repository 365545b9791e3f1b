"""Recompute the whole journal: entries, leaf numbers, tree, kept nodes, signed heads, and what was pruned by right."""

import asyncio
import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import RowMapping, Text, Uuid, cast, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.audit.entries import leaf_hash
from csu.audit.prune import LATE, OP, Ranges, read_leaves
from csu.clock import iso
from csu.store import tables
from csu.store.store import Store
from legal.ledger import Frontier, Node, head_text, oldest_kept_at

_BATCH = 2000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `first_bad` is the first leaf that can't be vouched for; None when all can.

    `entries` counts the leaves read until the end or the first bad one, `pruned` those of them whose entry was removed
    after three years; `pending` those committed entries that still waited for a number.
    """

    entries: int
    pruned: int
    pending: int
    first_bad: int | None
    checkpoint: Mapping[str, Any] | None

    @property
    def ok(self) -> bool:
        return self.first_bad is None

    def as_json(self) -> dict[str, Any]:
        return {
            "entries": self.entries,
            "pruned": self.pruned,
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
        check = _Check(await _heads(connection), keys, await _nodes(connection), await _pruning(connection))
        coming = asyncio.create_task(_rows(connection, 0))
        while rows := await coming:
            # PostgreSQL gets the next ones ready while these are checked.
            coming = asyncio.create_task(_rows(connection, rows[-1]["leaf"] + 1))
            await asyncio.sleep(0)
            for row in rows:
                check.take(row)
            if check.first_bad is not None:
                await coming
                break
        check.finish()
        if check.first_bad is None and await _has_stray_entry(connection):
            check.first_bad = check.size
    return Verdict(check.size, check.pruned, pending, check.first_bad, check.checkpoint)


@dataclass(frozen=True, slots=True)
class _Pruning:
    """What the newest entry of a pruning says: which leaves have no entry, and where that entry itself is."""

    leaves: Ranges
    at: datetime
    leaf: int | None

    def tells(self, leaf: int) -> bool:
        place = bisect.bisect_right(self.leaves, leaf, key=lambda stretch: stretch[0]) - 1
        return place >= 0 and leaf <= self.leaves[place][1]


class _Check:
    """Takes leaves in their order. `vouched` is the size of the largest head that was right."""

    def __init__(
        self,
        heads: list[RowMapping],
        keys: Mapping[str, Ed25519PublicKey],
        nodes: dict[tuple[int, int], bytes],
        pruning: _Pruning | None,
    ) -> None:
        self._heads = {head["tree_size"]: head for head in heads}
        self._signed = [(head["tree_size"], head["signed_at"]) for head in heads]
        self._keys = keys
        self._nodes = nodes
        self._pruning = pruning
        self._frontier = Frontier()
        self._vouched = 0
        self.pruned = 0
        self.first_bad: int | None = None
        self.checkpoint: dict[str, Any] | None = None

    @property
    def size(self) -> int:
        return self._frontier.size

    def take(self, row: RowMapping) -> None:
        if self.first_bad is not None:
            return
        if row["leaf"] != self.size or not self._vouches(row):
            self.first_bad = self.size
            return
        for node in self._frontier.append(bytes(row["leaf_hash"])):
            self._check_node(node)
        head = self._heads.pop(self.size, None)
        if head is not None:
            self._check_head(head)

    def _vouches(self, row: RowMapping) -> bool:
        """The leaf's hash is its entry's, or the entry was pruned by right."""
        if row["id"] is not None:
            return leaf_hash(row) == bytes(row["leaf_hash"])
        self.pruned += 1
        return self._pruning is not None and self._was_due(row["leaf"], self._pruning)

    def _was_due(self, leaf: int, pruning: _Pruning) -> bool:
        """A pruning told of it, and by the signed heads the leaf was old enough then: whoever has the database alone
        can write such an entry, but not date the heads."""
        numbered_at, told_at = self._signed_at(leaf), self._signed_at(pruning.leaf) or pruning.at
        if numbered_at is None or not pruning.tells(leaf):
            return False
        return numbered_at <= oldest_kept_at(told_at) + LATE + timedelta(days=1)

    def _signed_at(self, leaf: int | None) -> datetime | None:
        """When the first head over this leaf was signed."""
        if leaf is None:
            return None
        place = bisect.bisect_right(self._signed, leaf, key=lambda head: head[0])
        return self._signed[place][1] if place < len(self._signed) else None

    def _check_node(self, node: Node) -> None:
        """Kept nodes end where the signer has been; those that are there are right."""
        kept = self._nodes.pop((node.level, node.position), node.hash)
        if kept != node.hash and self.first_bad is None:
            self.first_bad = node.position << node.level

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


async def _nodes(connection: AsyncConnection) -> dict[tuple[int, int], bytes]:
    node = tables.journal_node
    rows = await connection.execute(select(node.c.level, node.c.position, node.c.hash))
    return {(level, position): bytes(digest) for level, position, digest in rows}


async def _pruning(connection: AsyncConnection) -> _Pruning | None:
    journal, leaf = tables.journal, tables.journal_leaf
    statement = select(journal.c.detail, journal.c.at, leaf.c.leaf)
    statement = statement.join_from(journal, leaf, leaf.c.entry == journal.c.id, isouter=True)
    statement = statement.where(journal.c.op == OP).order_by(journal.c.at.desc()).limit(1)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _Pruning(read_leaves(row.detail), row.at, row.leaf)


async def _rows(connection: AsyncConnection, first: int) -> Sequence[RowMapping]:
    journal, leaf = tables.journal, tables.journal_leaf
    # Identifiers are read as the text that they are hashed as.
    columns = [cast(c, Text).label(c.name) if isinstance(c.type, Uuid) else c for c in journal.columns]
    statement = (
        select(leaf.c.leaf, leaf.c.hash.label("leaf_hash"), *columns)
        .join_from(leaf, journal, leaf.c.entry == journal.c.id, isouter=True)
        .where(leaf.c.leaf >= first)
        .order_by(leaf.c.leaf)
        .limit(_BATCH)
    )
    return (await connection.execute(statement)).mappings().all()


async def _has_stray_entry(connection: AsyncConnection) -> bool:
    """An entry that has no leaf and waits for none was taken out of the tree, or slipped in beside it."""
    journal, leaf, pending = tables.journal, tables.journal_leaf, tables.journal_pending
    numbered = exists().where(leaf.c.entry == journal.c.id)
    waiting = exists().where(pending.c.entry == journal.c.id)
    statement = select(journal.c.id).where(~numbered, ~waiting).limit(1)
    return await connection.scalar(statement) is not None
