"""The journal's Merkle tree: RFC 9162 section 2.1 hashing, by hand over bytes.

A leaf is the entry's random salt followed by its canonical bytes; the salt goes with the entry when it is
pruned, so that the hash left behind can't be guessed from a list of likely entries. Interior nodes hold
hashes only.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping

SALT_BYTES = 16
_LEAF_PREFIX = b"\x00"
_NODE_PREFIX = b"\x01"
EMPTY_ROOT = hashlib.sha256(b"").digest()


def canonical(entry: Mapping[str, object]) -> bytes:
    """The one byte form of an entry: JSON, keys sorted, no space, UTF-8. Values are text, integers, lists,
    None.
    """
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def leaf_hash(salt: bytes, entry: bytes) -> bytes:
    """RFC 9162 2.1.1: HASH(0x00 || leaf), the leaf being salt || entry."""
    return hashlib.sha256(_LEAF_PREFIX + salt + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 9162 2.1.1: HASH(0x01 || left || right)."""
    return hashlib.sha256(_NODE_PREFIX + left + right).digest()


class Frontier:
    """The right edge of a growing tree: the roots of its perfect subtrees, largest first.

    Invariant: one hash for each bit set in `size`. Appending is O(log n) at worst, O(1) on average.
    """

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add a leaf by its hash."""
        bit = 1
        while self.size & bit:
            leaf = node_hash(self._peaks.pop(), leaf)
            bit <<= 1
        self._peaks.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """The tree's root, equal to MTH of RFC 9162 2.1.1 over all leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def head_text(tree_size: int, root: bytes, signed_at: str) -> bytes:
    """The bytes that a tree head's signature covers; `signed_at` is ISO 8601 UTC."""
    return f"csu journal head v1\n{tree_size}\n{root.hex()}\n{signed_at}\n".encode()
