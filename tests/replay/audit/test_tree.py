"""The stored tree is the tree of its leaves, however they came, and keeps what it said."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import ForeignLog, LogUnavailable
from domain.errors import NotFound, RuleViolation
from replay.audit import merkle
from replay.audit.merkle import HASH_BYTES
from replay.audit.tree import Tree
from replay.audit.verifier import consistent, included


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    made = Tree(tmp_path / "audit.db")
    yield made
    made.close()


def hashes(count: int) -> bytes:
    return b"".join(sha256(b"%d" % number).digest() for number in range(count))


def leaf(all_of: bytes, index: int) -> bytes:
    return all_of[index * HASH_BYTES : (index + 1) * HASH_BYTES]


def fill(tree: Tree, all_of: bytes, steps: list[int]) -> None:
    for step in steps:
        size = tree.size
        assert tree.extend(size, all_of[size * HASH_BYTES : (size + step) * HASH_BYTES])


@given(steps=st.lists(st.integers(1, 900), min_size=1, max_size=8), data=st.data())
def test_any_batches_give_the_tree_of_all_leaves(tmp_path_factory: pytest.TempPathFactory, steps: list[int], data: st.DataObject) -> None:
    size = sum(steps)
    all_of = hashes(size)
    tree = Tree(tmp_path_factory.mktemp("tree") / "audit.db")
    fill(tree, all_of, steps)
    position, older = data.draw(st.integers(1, size)), data.draw(st.integers(1, size))
    assert tree.root() == merkle.over(all_of)
    assert tree.root(older) == merkle.over(all_of[: older * HASH_BYTES])
    assert included(leaf(all_of, position - 1), position - 1, size, tree.inclusion(position)) == tree.root()
    assert consistent(older, size, tree.root(older), tree.root(), tree.consistency(older))
    tree.close()


def test_three_levels_of_tiles_are_one_tree(tree: Tree) -> None:
    all_of = hashes(66_000)
    fill(tree, all_of, [65_535, 1, 1, 463])
    assert tree.root() == merkle.over(all_of)
    for position in (1, 256, 257, 65_536, 65_537, 66_000):
        assert included(leaf(all_of, position - 1), position - 1, 66_000, tree.inclusion(position)) == tree.root()
    for older in (1, 255, 256, 65_535, 65_536, 65_537):
        assert consistent(older, 66_000, tree.root(older), tree.root(), tree.consistency(older))


def test_two_who_append_at_once_do_not_append_twice(tree: Tree, tmp_path: Path) -> None:
    other = Tree(tmp_path / "audit.db")
    assert tree.extend(0, hashes(300))
    assert not other.extend(0, hashes(300))
    assert (other.size, other.root()) == (300, merkle.over(hashes(300)))
    other.close()


def test_what_is_not_there_is_refused(tree: Tree) -> None:
    tree.extend(0, hashes(5))
    for refused, code in (
        (lambda: tree.inclusion(6), "audit.position_unknown"),
        (lambda: tree.inclusion(4, 3), "audit.position_unknown"),
        (lambda: tree.inclusion(1, 6), "audit.size_unknown"),
        (lambda: tree.consistency(2, 6), "audit.size_unknown"),
    ):
        with pytest.raises(NotFound) as error:
            refused()
        assert error.value.code == code
    with pytest.raises(RuleViolation) as reversed_:
        tree.consistency(4, 3)
    assert reversed_.value.code == "audit.sizes_reversed"


def test_a_file_that_is_no_tree_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "audit.db").write_bytes(b"something else entirely" * 100)
    with pytest.raises((ForeignLog, LogUnavailable)):
        Tree(tmp_path / "audit.db")
    assert (tmp_path / "audit.db").read_bytes() == b"something else entirely" * 100
