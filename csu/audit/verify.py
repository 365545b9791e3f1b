"""Recompute the whole journal: entries, leaf numbers, tree, kept nodes, signed heads, and what was pruned by right."""

import asyncio
import bisect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509 import Certificate
from sqlalchemy import RowMapping, Text, Uuid, cast, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.audit.anchors import Anchor, text_of
from csu.audit.entries import leaf_hash
from csu.audit.prune import LATE, Ranges, newest_pruning, read_leaves
from csu.audit.timestamps import TimestampError, stamped_at
from csu.clock import iso
from csu.store import tables
from csu.store.store import Store
from legal.ledger import Frontier, Node, head_text, oldest_kept_at

_BATCH = 2000
# The authority's clock and ours.
_CLOCKS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `first_bad` is the first leaf that can't be vouched for; None when all can.

    `entries` counts the leaves read until the end or the first bad one, `pruned` those of them whose entry was removed
    after three years; `pending` those committed entries that still waited for a number. `anchors` and `timestamps` were
    held against the tree and hold; `faults` says of others what is wrong.
    """

    entries: int
    pruned: int
    pending: int
    first_bad: int | None
    checkpoint: Mapping[str, Any] | None
    anchors: int = 0
    timestamps: int = 0
    faults: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.first_bad is None and not self.faults

    def as_json(self) -> dict[str, Any]:
        return {
            "entries": self.entries,
            "pruned": self.pruned,
            "pending": self.pending,
            "first_bad": self.first_bad,
            "checkpoint": self.checkpoint,
            "anchors": self.anchors,
            "timestamps": self.timestamps,
            "faults": list(self.faults),
            "ok": self.ok,
        }


async def verify(
    store: Store,
    keys: Mapping[str, Ed25519PublicKey],
    anchors: Sequence[Anchor] = (),
    roots: Sequence[Certificate] = (),
) -> Verdict:
    """Check every leaf against its entry, every head against the leaves below it, and that no entry is outside;
    `anchors` are heads that had left, `roots` certify the authority whose timestamps heads have.

    Without a head the tree proves nothing against who rewrites all of it; `checkpoint` None says so.
    """
    async with store.transaction(None) as connection:
        pending = await connection.scalar(select(func.count()).select_from(tables.journal_pending)) or 0
        heads = await _heads(connection)
        check = _Check(heads, keys, await _nodes(connection), await _pruning(connection), anchors)
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
    stamped, faults = _timestamps(heads, roots)
    return Verdict(
        check.size,
        check.pruned,
        pending,
        check.first_bad,
        check.checkpoint,
        check.anchored,
        stamped,
        (*check.faults, *faults),
    )


@dataclass(frozen=True, slots=True)
class _Pruning:
    """What the newest entry of a pruning says: which leaves have no entry, and where that entry itself is."""

    leaves: Ranges
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
        anchors: Sequence[Anchor],
    ) -> None:
        self._heads = {head["tree_size"]: head for head in heads}
        self._signed: list[tuple[int, datetime]] = [(head["tree_size"], head["signed_at"]) for head in heads]
        self._reached = list(itertools.accumulate((at for _, at in self._signed), max))
        self._keys = keys
        self._nodes = nodes
        self._pruning = pruning
        self._frontier = Frontier()
        self._vouched = 0
        self._anchors: dict[int, list[Anchor]] = {}
        for anchor in anchors:
            self._anchors.setdefault(anchor.tree_size, []).append(anchor)
        self._held = 0
        self.anchored = 0
        self.faults: list[str] = []
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
        for anchor in self._anchors.pop(self.size, ()):
            self._check_anchor(anchor)

    def _vouches(self, row: RowMapping) -> bool:
        """The leaf's hash is its entry's, or the entry was pruned by right."""
        if row["id"] is not None:
            return leaf_hash(row) == bytes(row["leaf_hash"])
        self.pruned += 1
        return self._pruning is not None and self._was_due(row["leaf"], self._pruning)

    def _was_due(self, leaf: int, pruning: _Pruning) -> bool:
        """A pruning told of it, and by the signed heads the leaf was old enough then: whoever has the database alone
        can write such an entry, but not date the heads."""
        place, told = self._head_over(leaf), None if pruning.leaf is None else self._head_over(pruning.leaf)
        if place is None or not pruning.tells(leaf):
            return False
        # A pruning that no head is over yet is dated by the last one: its own row can be written by whoever has it.
        told_at = self._signed[-1 if told is None else told][1]
        # Time had come so far when the leaf got its number, wherever the clock was set back to.
        return self._reached[place] <= oldest_kept_at(told_at) + LATE + timedelta(days=1)

    def _head_over(self, leaf: int) -> int | None:
        """Which of the heads, by tree size, is the first over this leaf."""
        place = bisect.bisect_right(self._signed, leaf, key=lambda head: head[0])
        return place if place < len(self._signed) else None

    def _check_node(self, node: Node) -> None:
        """Kept nodes end where the signer has been; those that are there are right."""
        kept = self._nodes.pop((node.level, node.position), node.hash)
        if kept != node.hash and self.first_bad is None:
            self.first_bad = node.position << node.level

    def finish(self) -> None:
        """A head over more leaves than there are: the end of the journal was cut off."""
        if self.first_bad is not None:
            return
        if self._heads or self._anchors:
            self.first_bad = self.size
        for anchor in itertools.chain.from_iterable(self._anchors.values()):
            self.faults.append(f"line {anchor.line}: {anchor.tree_size} leaves were there, now {self.size}")

    def _check_anchor(self, anchor: Anchor) -> None:
        """What left the machine can't be altered from here: where it differs the tree was rewritten, key and all."""
        if anchor.root == self._frontier.root():
            self._held = anchor.tree_size
            self.anchored += 1
            return
        self.faults.append(f"line {anchor.line}: not the tree of {anchor.tree_size} leaves that was anchored")
        self.first_bad = self._held if self.first_bad is None else min(self.first_bad, self._held)

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
    head, stamp = tables.tree_head, tables.head_timestamp
    statement = select(head, stamp.c.token).join_from(head, stamp, isouter=True).order_by(head.c.tree_size)
    return list((await connection.execute(statement)).mappings())


def _timestamps(heads: list[RowMapping], roots: Sequence[Certificate]) -> tuple[int, list[str]]:
    """How many heads have a timestamp that holds, and what is wrong with others. Without roots none is looked at."""
    stamped, faults = 0, []
    for head in heads:
        if head["token"] is None or not roots:
            continue
        name = f"timestamp of the head over {head['tree_size']} leaves"
        try:
            at = stamped_at(bytes(head["token"]), text_of(head), roots)
        except TimestampError as error:
            faults.append(f"{name}: {error}")
            continue
        if at < head["signed_at"] - _CLOCKS:
            faults.append(f"{name}: it is older than the head says to be")
        stamped += 1
    return stamped, faults


async def _nodes(connection: AsyncConnection) -> dict[tuple[int, int], bytes]:
    node = tables.journal_node
    rows = await connection.execute(select(node.c.level, node.c.position, node.c.hash))
    return {(level, position): bytes(digest) for level, position, digest in rows}


async def _pruning(connection: AsyncConnection) -> _Pruning | None:
    row = (await connection.execute(newest_pruning())).one_or_none()
    return None if row is None else _Pruning(read_leaves(row.detail), row.leaf)


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
