"""Leaf numbers for journal entries: gapless, in the order in which this sequencer met them, within a second.

A serial is given out before its transaction commits, so its order is not the order in which entries appear and its
numbers have holes. Here an entry is queued by the transaction that writes it, and numbered once it is committed: one
sequencer at a time (advisory lock) takes what waits, in batches, after the highest number given so far.
"""

from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.audit.entries import leaf_hash
from csu.store import tables
from csu.store.store import Store

TURN_S = 0.5
_BATCH = 1000
_LOCK = 0x4A4C4541  # any fixed number, alike in all processes


async def sequence(store: Store) -> int:
    """Number every entry that is committed by now; how many there were."""
    total = 0
    while True:
        async with store.transaction(None) as connection:
            numbered = await _sequence_batch(connection)
        total += numbered
        if numbered < _BATCH:
            return total


async def _sequence_batch(connection: AsyncConnection) -> int:
    await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    journal, pending, leaf = tables.journal, tables.journal_pending, tables.journal_leaf
    statement = select(journal).join_from(pending, journal, pending.c.entry == journal.c.id)
    statement = statement.order_by(journal.c.at, journal.c.id).limit(_BATCH)
    rows = (await connection.execute(statement)).mappings().all()
    if not rows:
        return 0
    following = await connection.scalar(select(func.coalesce(func.max(leaf.c.leaf) + 1, 0)))
    leaves = [
        {"leaf": number, "entry": row["id"], "hash": leaf_hash(row)} for number, row in enumerate(rows, following)
    ]
    await connection.execute(insert(leaf), leaves)
    await connection.execute(delete(pending).where(pending.c.entry.in_([row["id"] for row in rows])))
    return len(rows)


async def oldest_unnumbered(connection: AsyncConnection) -> datetime | None:
    """When the entry that has waited longest for its leaf number was written."""
    journal, pending = tables.journal, tables.journal_pending
    oldest = select(func.min(journal.c.at)).join_from(pending, journal, pending.c.entry == journal.c.id)
    at: datetime | None = await connection.scalar(oldest)
    return at
