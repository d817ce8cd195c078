"""Roots and proofs are those of RFC 9162, at every size, and any change of a bit is noticed."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from replay.audit import merkle
from replay.audit.merkle import HASH_BYTES, Nodes
from replay.audit.verifier import Failed, consistent, included
from tests.replay.audit import naive

PUBLISHED = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
"""Roots over the first leaves of the test tree that Certificate Transparency implementations share."""
LEAVES = [
    bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]

sizes = st.integers(1, 700)


def leaves(size: int) -> list[bytes]:
    return [b"event %d" % number for number in range(size)]


def nodes(entries: Sequence[bytes]) -> Nodes:
    hashes = b"".join(merkle.leaf_hash(entry) for entry in entries)

    def node(height: int, index: int) -> bytes:
        width = HASH_BYTES << height
        found = hashes[index * width : (index + 1) * width]
        assert len(found) == width, "only complete subtrees are asked for"
        return merkle.complete_root(found)

    return node


def flipped(text: bytes, bit: int) -> bytes:
    changed = bytearray(text)
    changed[bit // 8 % len(text)] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize(("size", "root"), PUBLISHED.items())
def test_roots_are_the_published_ones(size: int, root: str) -> None:
    assert merkle.root(size, nodes(LEAVES)).hex() == root
    assert naive.tree_hash(LEAVES[:size]).hex() == root


@given(size=sizes, data=st.data())
def test_roots_and_proofs_are_those_of_the_definition(size: int, data: st.DataObject) -> None:
    entries = leaves(size)
    node = nodes(entries)
    index, older = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    assert merkle.root(size, node) == naive.tree_hash(entries)
    assert merkle.inclusion(index, size, node) == naive.path(index, entries)
    assert merkle.consistency(older, size, node) == naive.proof(older, entries)


@given(size=st.integers(1, 130), data=st.data())
def test_another_implementation_agrees(size: int, data: st.DataObject) -> None:
    entries = leaves(size)
    other = InmemoryTree(algorithm="sha256")
    for entry in entries:
        other.append_entry(entry)
    index = data.draw(st.integers(0, size - 1))
    assert merkle.root(size, nodes(entries)) == other.get_root()
    theirs = {bytes.fromhex(each) for each in other.prove_inclusion(index + 1, size).serialize()["path"]}
    assert theirs - {merkle.leaf_hash(entries[index])} == set(merkle.inclusion(index, size, nodes(entries)))


@given(size=sizes, data=st.data())
def test_proofs_of_inclusion_verify_and_no_bit_of_them_may_change(size: int, data: st.DataObject) -> None:
    entries = leaves(size)
    node, index = nodes(entries), data.draw(st.integers(0, size - 1))
    root, proof, leaf = merkle.root(size, node), merkle.inclusion(index, size, node), merkle.leaf_hash(entries[index])
    assert included(leaf, index, size, proof) == root
    bit = data.draw(st.integers(0, 255))
    assert included(flipped(leaf, bit), index, size, proof) != root
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert included(leaf, index, size, [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]]) != root
        with pytest.raises(Failed):
            included(leaf, index, size, proof[:-1])
    with pytest.raises(Failed):
        included(leaf, index, size, [*proof, root])


@given(size=sizes, data=st.data())
def test_proofs_of_consistency_verify_and_no_bit_of_them_may_change(size: int, data: st.DataObject) -> None:
    node, older = nodes(leaves(size)), data.draw(st.integers(1, size))
    before, after, proof = merkle.root(older, node), merkle.root(size, node), merkle.consistency(older, size, node)
    bit = data.draw(st.integers(0, 255))
    assert consistent(older, size, before, after, proof)
    assert not consistent(older, size, flipped(before, bit), after, proof)
    assert not consistent(older, size, before, flipped(after, bit), proof)
    assert not consistent(older, size, before, after, [*proof, after])
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not consistent(older, size, before, after, [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]])
        assert not consistent(older, size, before, after, proof[:-1])


@given(size=st.integers(2, 300), data=st.data())
def test_an_event_is_not_proven_at_another_place(size: int, data: st.DataObject) -> None:
    node = nodes(leaves(size))
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda place: place != index))
    try:
        reached = included(merkle.leaf_hash(leaves(size)[index]), other, size, merkle.inclusion(index, size, node))
    except Failed:
        return
    assert reached != merkle.root(size, node)


def test_a_leaf_cannot_pass_for_an_inner_node() -> None:
    left, right = merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b")
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right) == sha256(b"\1" + left + right).digest()
