"""Proofs from the journal's tree: that an entry is in it, and that a tree is the beginning of a later one (RFC 9162).

They need the leaves' hashes and the nodes that the signer keeps, never an entry: a commune can check what is its own.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.audit.entries import canonical_entry, leaf_hash
from csu.clock import iso
from csu.store import tables
from legal.ledger import (
    KEPT_LEVELS,
    Frontier,
    Range,
    consistency_ranges,
    inclusion_ranges,
    node_hash,
    perfect_subtrees,
    root_of_peaks,
)


class ProofError(Exception):
    """Nothing can be proved: the text says, in French, why."""


async def kept_frontier(connection: AsyncConnection) -> Frontier:
    """The tree's right edge as far as kept nodes tell it: without what came after the last 256 leaves."""
    node = tables.journal_node
    statement = select(node.c.position).where(node.c.level == KEPT_LEVELS).order_by(node.c.position.desc()).limit(1)
    last = await connection.scalar(statement)
    size = 0 if last is None else (last + 1) << KEPT_LEVELS
    return Frontier(size, [await _subtree(connection, *one) for one in perfect_subtrees(Range(0, size))])


async def inclusion(connection: AsyncConnection, row: RowMapping) -> dict[str, Any]:
    """An entry with its proof, as one document that `csu journal check FILE` verifies without this database.

    `row` is of the journal with `leaf`. Raises ProofError while no signed head covers it.
    """
    entry = {"entry": canonical_entry(row).decode(), "salt": bytes(row["salt"]).hex()}
    return {"kind": "inclusion"} | entry | await _place(connection, row["leaf"])


async def leaf_inclusion(connection: AsyncConnection, row: RowMapping) -> dict[str, Any]:
    """The same without the entry, for who may not read all of it: its salt stays, so that it can't be guessed."""
    return {"kind": "leaf", "hash": leaf_hash(row).hex()} | await _place(connection, row["leaf"])


async def _place(connection: AsyncConnection, leaf: int) -> dict[str, Any]:
    head = await _head(connection, leaf + 1)
    if head is None:
        raise ProofError("Cette entrée n'est pas encore couverte par une tête signée : attendez une minute.")
    proof = await _roots(connection, inclusion_ranges(leaf, head["tree_size"]))
    return {"leaf": leaf, "head": told_head(head), "proof": proof}


async def consistency(connection: AsyncConnection, old_size: int) -> dict[str, Any]:
    """That the newest signed tree goes on from the signed one of `old_size`. Raises ProofError."""
    table = tables.tree_head
    statement = select(table).where(table.c.tree_size == old_size)
    old = (await connection.execute(statement)).mappings().one_or_none()
    new = await _head(connection, old_size)
    if old is None or new is None:
        raise ProofError("Aucune tête signée n'a cette taille.")
    proof = await _roots(connection, consistency_ranges(old_size, new["tree_size"]))
    return {"kind": "consistency", "old": told_head(old), "head": told_head(new), "proof": proof}


def told_head(row: RowMapping) -> dict[str, Any]:
    return {
        "tree_size": row["tree_size"],
        "root": bytes(row["root"]).hex(),
        "signed_at": iso(row["signed_at"]),
        "key": row["kid"],
        "signature": bytes(row["signature"]).hex(),
    }


async def _head(connection: AsyncConnection, least: int) -> RowMapping | None:
    """The newest signed head, when it is over so many leaves."""
    head = tables.tree_head
    statement = select(head).where(head.c.tree_size >= least).order_by(head.c.tree_size.desc()).limit(1)
    return (await connection.execute(statement)).mappings().one_or_none()


async def _roots(connection: AsyncConnection, ranges: Iterable[Range]) -> list[str]:
    return [
        root_of_peaks([await _subtree(connection, *one) for one in perfect_subtrees(wanted)]).hex() for wanted in ranges
    ]


async def _subtree(connection: AsyncConnection, level: int, position: int) -> bytes:
    """The root of a perfect subtree, from the 256 kept nodes or leaves below it at most."""
    kept = level - level % KEPT_LEVELS
    first, count = position << (level - kept), 1 << (level - kept)
    hashes = await _kept(connection, kept, first, count)
    if len(hashes) != count:
        raise ProofError("Le journal a un trou : lancez « csu journal verify ».")
    while len(hashes) > 1:
        hashes = [node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


async def _kept(connection: AsyncConnection, level: int, first: int, count: int) -> list[bytes]:
    leaf, node = tables.journal_leaf, tables.journal_node
    if level:
        statement = select(node.c.hash).where(node.c.level == level, node.c.position >= first)
        statement = statement.where(node.c.position < first + count).order_by(node.c.position)
    else:
        statement = select(leaf.c.hash).where(leaf.c.leaf >= first, leaf.c.leaf < first + count).order_by(leaf.c.leaf)
    return [bytes(one) for one in await connection.scalars(statement)]
