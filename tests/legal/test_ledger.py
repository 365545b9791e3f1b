import hashlib

from hypothesis import given
from hypothesis import strategies as st

from legal.ledger import EMPTY_ROOT, Frontier, canonical, head_text, leaf_hash, node_hash


def mth(leaves: list[bytes]) -> bytes:
    """RFC 9162 2.1.1, word for word, on leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(mth(leaves[:k]), mth(leaves[k:]))


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=70))
def test_the_frontier_grows_the_tree_of_the_rfc(leaves: list[bytes]) -> None:
    frontier = Frontier()
    frontier.extend(leaves)
    assert frontier.size == len(leaves)
    assert frontier.root() == mth(leaves)


def test_known_values() -> None:
    # RFC 6962's test vectors: the empty tree, and the leaf of the empty string.
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"", b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_a_leaf_depends_on_salt_and_entry() -> None:
    entry = canonical({"op": "picture:live", "at": "2026-11-23T14:30:00Z"})
    assert entry == b'{"at":"2026-11-23T14:30:00Z","op":"picture:live"}'
    assert leaf_hash(b"a" * 16, entry) != leaf_hash(b"b" * 16, entry)


def test_a_head_names_size_root_and_time() -> None:
    assert head_text(3, b"\x01" * 32, "2026-11-23T14:30:00Z").splitlines()[1:3] == [b"3", b"01" * 32]
