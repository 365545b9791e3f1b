import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legal.ledger import (
    EMPTY_ROOT,
    KEPT_LEVELS,
    Frontier,
    Range,
    canonical,
    consistency_ranges,
    head_text,
    includes,
    inclusion_ranges,
    is_consistent,
    leaf_hash,
    node_hash,
    perfect_subtrees,
    root_of_peaks,
)


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
    for leaf in leaves:
        frontier.append(leaf)
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


LEAVES = [leaf_hash(bytes(16), str(n).encode()) for n in range(700)]
sizes = st.integers(min_value=1, max_value=len(LEAVES))


def hashes(ranges: list[Range]) -> list[bytes]:
    return [mth(LEAVES[start:end]) for start, end in ranges]


@given(size=sizes, data=st.data())
def test_every_leaf_proves_itself_and_no_other(size: int, data: st.DataObject) -> None:
    leaf = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != leaf or size == 1))
    proof, top = hashes(inclusion_ranges(leaf, size)), mth(LEAVES[:size])
    assert includes(LEAVES[leaf], leaf, size, proof, top)
    if size > 1:
        assert not includes(LEAVES[other], leaf, size, proof, top)
        assert not includes(LEAVES[leaf], leaf, size, proof[:-1], top)
        assert not includes(LEAVES[leaf], leaf, size, [*proof, top], top)
    assert not includes(LEAVES[leaf], leaf, size, proof, node_hash(top, top))


@given(old=sizes, new=sizes)
def test_a_tree_proves_to_be_the_beginning_of_a_later_one(old: int, new: int) -> None:
    old, new = min(old, new), max(old, new)
    proof, before, after = hashes(consistency_ranges(old, new)), mth(LEAVES[:old]), mth(LEAVES[:new])
    assert is_consistent(old, before, new, after, proof)
    forged = mth([*LEAVES[: old - 1], node_hash(before, before)])
    assert not is_consistent(old, forged, new, after, proof)
    if old < new:
        assert not is_consistent(old, before, new, after, proof[:-1])
        assert not is_consistent(old, before, new, before, proof)


def test_rfc_9162_section_2_1_5() -> None:
    """The seven leaves of the RFC's example, and the nodes that it names."""
    assert inclusion_ranges(0, 7) == [(1, 2), (2, 4), (4, 7)]
    assert inclusion_ranges(3, 7) == [(2, 3), (0, 2), (4, 7)]
    assert inclusion_ranges(6, 7) == [(4, 6), (0, 4)]
    assert consistency_ranges(3, 7) == [(2, 3), (3, 4), (0, 2), (4, 7)]
    assert consistency_ranges(4, 7) == [(4, 7)]
    assert consistency_ranges(6, 7) == [(4, 6), (6, 7), (0, 4)]


@pytest.mark.parametrize("call", [lambda: inclusion_ranges(7, 7), lambda: inclusion_ranges(-1, 7)])
def test_a_leaf_outside_the_tree_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="below 7"):
        call()


@pytest.mark.parametrize("old", [0, 8])
def test_no_size_outside_the_tree(old: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 7"):
        consistency_ranges(old, 7)


@given(size=sizes, data=st.data())
def test_a_range_is_made_of_perfect_subtrees(size: int, data: st.DataObject) -> None:
    leaf = data.draw(st.integers(0, size - 1))
    for wanted in inclusion_ranges(leaf, size):
        peaks = [mth(LEAVES[at << level : (at + 1) << level]) for level, at in perfect_subtrees(wanted)]
        assert root_of_peaks(peaks) == mth(LEAVES[wanted.start : wanted.end])


def test_kept_nodes_are_told_when_they_are_complete() -> None:
    frontier = Frontier()
    told = [node for leaf in LEAVES for node in frontier.append(leaf)]
    assert told == [
        (KEPT_LEVELS, 0, mth(LEAVES[:256])),
        (KEPT_LEVELS, 1, mth(LEAVES[256:512])),
    ]
    rest = Frontier(512, [node_hash(told[0].hash, told[1].hash)])
    for leaf in LEAVES[512:]:
        rest.append(leaf)
    assert rest.root() == frontier.root() == mth(LEAVES)
