"""Signed heads of the journal's tree: each minute when it grew, and at shutdown."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.audit import sequencer
from csu.audit.proofs import kept_frontier
from csu.clock import iso
from csu.store import tables
from csu.store.store import Store
from legal.ledger import Frontier, Node, head_text

EVERY_S = 60.0
_BATCH = 10_000


class HeadSigner:
    """Signs the tree as far as it is numbered, and keeps the nodes that proofs need. The tree's right edge is in
    memory, from the kept nodes at each start."""

    def __init__(self, store: Store, kid: str, key: Ed25519PrivateKey, now: Callable[[], datetime]) -> None:
        self._store = store
        self._kid = kid
        self._key = key
        self._now = now
        self._frontier: Frontier | None = None

    async def sign(self) -> int:
        """Sign a head over every leaf unless one of that size exists; the tree's size."""
        head = tables.tree_head
        frontier, self._frontier = self._frontier, None  # what a transaction that fails has left of it is not known
        async with self._store.transaction(None) as connection:
            frontier = frontier or await kept_frontier(connection)
            await _grow(connection, frontier)
            size, root, signed_at = frontier.size, frontier.root(), self._now()
            signed = await connection.scalar(select(func.coalesce(func.max(head.c.tree_size), 0)))
            if size > (signed or 0):
                signature = self._key.sign(head_text(size, root, iso(signed_at) or ""))
                row = {"tree_size": size, "root": root, "signed_at": signed_at, "kid": self._kid}
                # Another process may have signed this size a moment ago; its head says the same.
                await connection.execute(insert(head).values(row | {"signature": signature}).on_conflict_do_nothing())
        self._frontier = frontier
        return size

    async def close(self) -> None:
        """Number and sign what is left."""
        await sequencer.sequence(self._store)
        await self.sign()


async def _grow(connection: AsyncConnection, frontier: Frontier) -> None:
    """Append the leaves that were numbered since, and keep the nodes that are complete with them."""
    kept: list[Node] = []
    async for leaf in leaf_hashes(connection, frontier.size):
        kept += frontier.append(leaf)
    if kept:
        rows = [node._asdict() for node in kept]
        await connection.execute(insert(tables.journal_node).on_conflict_do_nothing(), rows)


async def leaf_hashes(connection: AsyncConnection, first: int) -> AsyncIterator[bytes]:
    """Hashes of leaves from `first` on, in their order."""
    leaf = tables.journal_leaf
    while True:
        statement = select(leaf.c.hash).where(leaf.c.leaf >= first).order_by(leaf.c.leaf).limit(_BATCH)
        hashes = (await connection.scalars(statement)).all()
        for item in hashes:
            yield bytes(item)
        first += len(hashes)
        if len(hashes) < _BATCH:
            return
