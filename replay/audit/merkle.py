"""The Merkle tree of RFC 9162 §2.1: hashes, roots, and proofs of inclusion and consistency over any store of complete subtrees."""

from collections.abc import Callable, Iterable
from hashlib import sha256
from struct import iter_unpack
from typing import Final

HASH_BYTES: Final = 32
EMPTY: Final = sha256().digest()
"""The root of the empty tree."""
HEIGHT: Final = 8
TILE: Final = 1 << HEIGHT
"""Hashes in a full tile: the leaves of a complete subtree of height 8, side by side."""
TILE_BYTES: Final = TILE * HASH_BYTES
_LEAF: Final = sha256(b"\0")
_NODE: Final = sha256(b"\1")
"""Hashes begun with what tells leaves from nodes; to go on with a copy is quicker than to begin, by a fifth for short texts."""

Nodes = Callable[[int, int], bytes]
"""The hash of the complete subtree of 2**height leaves that begins at leaf index << height, by height and index."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf: SHA-256 of 0x00 and the entry."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256 of 0x01 and both children."""
    return sha256(b"\1" + left + right).digest()


def leaf_hashes(entries: Iterable[bytes]) -> bytes:
    """The hashes of the leaves of these entries, side by side."""
    begin = _LEAF.copy
    digests: list[bytes] = []
    for entry in entries:
        begun = begin()
        begun.update(entry)
        digests.append(begun.digest())
    return b"".join(digests)


def parents(hashes: bytes) -> bytes:
    """The hashes of the inner nodes over pairs of an even number of hashes, all side by side."""
    begin = _NODE.copy
    digests: list[bytes] = []
    for (pair,) in iter_unpack(f"{2 * HASH_BYTES}s", hashes):
        begun = begin()
        begun.update(pair)
        digests.append(begun.digest())
    return b"".join(digests)


def complete_root(hashes: bytes) -> bytes:
    """The root over 1, 2, 4, … hashes that stand side by side."""
    while len(hashes) > HASH_BYTES:
        hashes = parents(hashes)
    return hashes


def over(hashes: bytes) -> bytes:
    """The root over any number of hashes that stand side by side."""
    return root(len(hashes) // HASH_BYTES, lambda height, index: _part(hashes, height, index))


def _part(hashes: bytes, height: int, index: int) -> bytes:
    width = HASH_BYTES << height
    return complete_root(hashes[index * width : (index + 1) * width])


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def root(size: int, nodes: Nodes) -> bytes:
    """The root over the first `size` leaves."""
    return _subtree(0, size, nodes) if size else EMPTY


def _subtree(first: int, end: int, nodes: Nodes) -> bytes:
    """The hash over the leaves from `first` up to but without `end`; `first` is where such a subtree may begin."""
    size = end - first
    if size & (size - 1) == 0:
        height = size.bit_length() - 1
        return nodes(height, first >> height)
    middle = first + _split(size)
    return node_hash(_subtree(first, middle, nodes), _subtree(middle, end, nodes))


def inclusion(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """The proof (RFC 9162 §2.1.3.1) that leaf `index` is in the tree of the first `size` leaves; 0 ≤ index < size."""
    first, end = 0, size
    path: list[bytes] = []
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            path.append(_subtree(middle, end, nodes))
            end = middle
        else:
            path.append(_subtree(first, middle, nodes))
            first = middle
    return path[::-1]


def consistency(older: int, size: int, nodes: Nodes) -> list[bytes]:
    """The proof (RFC 9162 §2.1.4.1) that the tree of the first `size` leaves begins with that of the first `older`; older ≤ size.

    It is empty from 0, and to the same size.
    """
    if older in (0, size):
        return []
    first, end, whole = 0, size, True
    path: list[bytes] = []
    while older != end:
        middle = first + _split(end - first)
        if older <= middle:
            path.append(_subtree(middle, end, nodes))
            end = middle
        else:
            path.append(_subtree(first, middle, nodes))
            first, whole = middle, False
    return ([] if whole else [_subtree(first, end, nodes)]) + path[::-1]
