"""The Merkle tree written down as RFC 9162 §2.1 defines it, with all leaves at hand: slow and plainly right."""

from collections.abc import Sequence
from hashlib import sha256


def split(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = split(len(leaves))
    return sha256(b"\1" + tree_hash(leaves[:k]) + tree_hash(leaves[k:])).digest()


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*path(index, leaves[:k]), tree_hash(leaves[k:])]
    return [*path(index - k, leaves[k:]), tree_hash(leaves[:k])]


def proof(older: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    if older == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    k = split(len(leaves))
    if older <= k:
        return [*proof(older, leaves[:k], whole=whole), tree_hash(leaves[k:])]
    return [*proof(older - k, leaves[k:], whole=False), tree_hash(leaves[:k])]
