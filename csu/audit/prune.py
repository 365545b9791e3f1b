"""Entries over three years are removed (CSI R.253-5); their leaves' hashes stay, so that proofs go on.

Done as the tables' owner: the application can't remove an entry, and row-level security lets the owner remove those
only that are old enough. Which leaves have no entry any more is told by an entry of its own, in the tree like any
other.
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from csu.audit import entries
from csu.audit.entries import SYSTEM, Entry
from csu.clock import iso
from csu.store import tables
from legal.ledger import oldest_kept_at

OP = "journal:prune"
LATE = timedelta(days=90)
"""How much later than its act an entry may have come into the tree (a recorder's facts wait out an outage)."""
KEPT_SECURITY = timedelta(days=365)
Ranges = list[tuple[int, int]]  # first and last leaf of each unbroken stretch, in order


async def prune(engine: AsyncEngine, now: datetime) -> int:
    """Remove the entries that are over three years old at `now`, and tell so; how many there were.

    What auditors said of them goes as well. Where the database's clock says less, it prevails. Raises
    sqlalchemy.exc.DBAPIError.
    """
    journal, leaf = tables.journal, tables.journal_leaf
    before = oldest_kept_at(now)
    async with engine.begin() as connection:
        await connection.execute(delete(tables.anomaly_seen).where(tables.anomaly_seen.c.seen_at < before))
        signed = await _signed_by(connection, before + LATE)
        old = select(journal.c.id, leaf.c.leaf).join_from(journal, leaf, leaf.c.entry == journal.c.id)
        rows = (await connection.execute(old.where(journal.c.at < before, leaf.c.leaf < signed))).all()
        if not rows:
            return 0
        told = await pruned_leaves(connection)
        gone = delete(journal).where(journal.c.id.in_([row.id for row in rows])).returning(journal.c.id)
        removed = set((await connection.scalars(gone)).all())
        leaves = joined([*told, *((row.leaf, row.leaf) for row in rows if row.id in removed)])
        detail = {"before": iso(before), "entries": len(removed), "leaves": leaves}
        if removed:
            await entries.append(connection, [Entry(OP, now, SYSTEM, detail=detail)])
    return len(removed)


async def _signed_by(connection: AsyncConnection, at: datetime) -> int:
    """How many leaves were under a head by then. The tree's order is that of time: a head that says to be older than
    one of a smaller tree was signed under a clock that had been set back, and vouches for nothing."""
    head = tables.tree_head
    later = select(func.min(head.c.tree_size)).where(head.c.signed_at > at).scalar_subquery()
    older = or_(later.is_(None), head.c.tree_size < later)
    return await connection.scalar(select(func.max(head.c.tree_size)).where(head.c.signed_at <= at, older)) or 0


async def prune_security(engine: AsyncEngine, now: datetime) -> int:
    """Remove the security events that are over a year old at `now`, and tell so; how many there were.

    Where the database's clock says less, it prevails. Raises sqlalchemy.exc.DBAPIError.
    """
    event, before = tables.security_event, now - KEPT_SECURITY
    async with engine.begin() as connection:
        removed = (await connection.execute(delete(event).where(event.c.at < before))).rowcount
        if removed:
            detail = {"before": iso(before), "events": removed}
            await entries.append(connection, [Entry("security:prune", now, SYSTEM, detail=detail)])
    return removed


async def pruned_leaves(connection: AsyncConnection) -> Ranges:
    """The leaves without an entry, as the newest pruning told them."""
    row = (await connection.execute(newest_pruning())).one_or_none()
    return [] if row is None else read_leaves(row.detail)


def newest_pruning() -> Select[tuple[str, int | None]]:
    """`detail` and `leaf` of the last pruning by its place in the tree, whatever the clock said; one that has no
    place yet comes after all that have."""
    journal, leaf = tables.journal, tables.journal_leaf
    statement = select(journal.c.detail, leaf.c.leaf)
    statement = statement.join_from(journal, leaf, leaf.c.entry == journal.c.id, isouter=True)
    order = leaf.c.leaf.desc().nulls_first(), journal.c.at.desc(), journal.c.id.desc()
    return statement.where(journal.c.op == OP).order_by(*order).limit(1)


def read_leaves(detail: str) -> Ranges:
    """From the detail of a pruning's entry."""
    return [(first, last) for first, last in json.loads(detail)["leaves"]]


def joined(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Stretches in order, joined where one goes on after another."""
    found: Ranges = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found
