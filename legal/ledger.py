"""The journal's Merkle tree: RFC 9162 section 2.1 hashing and proofs, by hand over bytes.

A leaf is the entry's random salt followed by its canonical bytes; the salt goes with the entry when it is
pruned, so that the hash left behind can't be guessed from a list of likely entries. Interior nodes hold
hashes only. A proof is a list of hashes, each the root over a range of leaves; which ranges depends on the numbers
alone, so that whoever keeps the leaves' hashes can give proofs without the entries.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

SALT_BYTES = 16
_LEAF_PREFIX = b"\x00"
_NODE_PREFIX = b"\x01"
EMPTY_ROOT = hashlib.sha256(b"").digest()
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(entry: Mapping[str, object]) -> bytes:
    """The one byte form of an entry: JSON, keys sorted, no space, UTF-8. Values are text, integers, lists,
    None.
    """
    return _CANONICAL.encode(entry).encode()


def leaf_hash(salt: bytes, entry: bytes) -> bytes:
    """RFC 9162 2.1.1: HASH(0x00 || leaf), the leaf being salt || entry."""
    return hashlib.sha256(_LEAF_PREFIX + salt + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 9162 2.1.1: HASH(0x01 || left || right)."""
    return hashlib.sha256(_NODE_PREFIX + left + right).digest()


class Node(NamedTuple):
    """The root over the leaves [position << level, (position + 1) << level)."""

    level: int
    position: int
    hash: bytes


class Range(NamedTuple):
    """The leaves [start, end) as one node of the tree; `start` is a multiple of the power of two not below its size."""

    start: int
    end: int


KEPT_LEVELS = 8
"""Of the nodes inside the tree those are kept whose level is a multiple of this: any other takes 256 of them."""


class Frontier:
    """The right edge of a growing tree: the roots of its perfect subtrees, largest first.

    Invariant: one hash for each bit set in `size`. Appending is O(log n) at worst, O(1) on average.
    """

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self._peaks = list(peaks)

    def append(self, leaf: bytes) -> list[Node]:
        """Add a leaf by its hash; the nodes worth keeping that are complete with it."""
        complete: list[Node] = []
        level = 0
        while self.size >> level & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            level += 1
            if level % KEPT_LEVELS == 0:
                complete.append(Node(level, self.size >> level, leaf))
        self._peaks.append(leaf)
        self.size += 1
        return complete

    def root(self) -> bytes:
        """The tree's root, equal to MTH of RFC 9162 2.1.1 over all leaves so far."""
        return root_of_peaks(self._peaks)


def root_of_peaks(peaks: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees that follow one another, the largest first (RFC 9162 2.1.1)."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def perfect_subtrees(leaves: Range) -> list[tuple[int, int]]:
    """The perfect subtrees that make up a range: level and position of each, the largest first."""
    found: list[tuple[int, int]] = []
    at, left = leaves.start, leaves.end - leaves.start
    while left:
        level = left.bit_length() - 1
        found.append((level, at >> level))
        at += 1 << level
        left -= 1 << level
    return found


def inclusion_ranges(leaf: int, size: int) -> list[Range]:
    """The nodes that prove a leaf to be in the tree of this size, in the order of RFC 9162 2.1.3.1.

    Raises ValueError unless 0 <= leaf < size.
    """
    if not 0 <= leaf < size:
        raise ValueError(f"expected a leaf below {size}, found {leaf}")
    ranges: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _left(end - start)
        if leaf < split:
            ranges.append(Range(split, end))
            end = split
        else:
            ranges.append(Range(start, split))
            start = split
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The nodes that prove the tree of size `old` to be the beginning of that of size `new` (RFC 9162 2.1.4.1).

    Raises ValueError unless 0 < old <= new.
    """
    if not 0 < old <= new:
        raise ValueError(f"expected sizes from 1 to {new}, found {old}")
    ranges: list[Range] = []
    start, end, is_whole = 0, new, True
    while old < end:
        split = start + _left(end - start)
        if old <= split:
            ranges.append(Range(split, end))
            end = split
        else:
            ranges.append(Range(start, split))
            start, is_whole = split, False
    if not is_whole:
        ranges.append(Range(start, end))
    return ranges[::-1]


def includes(leaf_digest: bytes, leaf: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from this leaf to this root (RFC 9162 2.1.3.2)."""
    if not 0 <= leaf < size:
        return False
    position, last, digest = leaf, size - 1, leaf_digest
    for node in proof:
        if not last:
            return False
        if position & 1 or position == last:
            digest = node_hash(node, digest)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            digest = node_hash(digest, node)
        position, last = position >> 1, last >> 1
    return not last and digest == root


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows the old tree to be the beginning of the new one (RFC 9162 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    before = after = path[0]
    for node in path[1:]:
        if not last:
            return False
        if position & 1 or position == last:
            before, after = node_hash(node, before), node_hash(node, after)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            after = node_hash(after, node)
        position, last = position >> 1, last >> 1
    return not last and before == old_root and after == new_root


def _left(size: int) -> int:
    """How many leaves the left subtree has: the largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


def oldest_kept_at(at: datetime) -> datetime:
    """An entry of before this is over three years old at `at`, the longest that one may be kept (CSI R.253-5).

    The civil date three years ago; for 29 February, 1 March.
    """
    try:
        return at.replace(year=at.year - 3)
    except ValueError:
        return at.replace(year=at.year - 3, month=3, day=1)


def head_text(tree_size: int, root: bytes, signed_at: str) -> bytes:
    """The bytes that a tree head's signature covers; `signed_at` is ISO 8601 UTC."""
    return f"csu journal head v1\n{tree_size}\n{root.hex()}\n{signed_at}\n".encode()
