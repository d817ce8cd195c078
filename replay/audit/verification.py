"""Hashing the whole log again, and holding it against the stored tree, against checkpoints and against receipts."""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from bus.stored import StoredEvents, open_stored
from replay.audit import merkle
from replay.audit.errors import NoteMalformed
from replay.audit.findings import Finding, Kind, Verification, where
from replay.audit.hashing import Computed, compute
from replay.audit.keeping import Progress
from replay.audit.locating import Evidence, locate
from replay.audit.merkle import HASH_BYTES, HEIGHT, TILE, TILE_BYTES
from replay.audit.notes import Checkpoint, PublicKey, parse, signed_by
from replay.audit.tree import Tree

MOST_FINDINGS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What was kept outside, by those who want to know: checkpoints, each with a name for messages, and receipts that clients were given."""

    keys: Sequence[PublicKey]
    checkpoints: Mapping[str, str] = field(default_factory=dict[str, str])
    receipts: Sequence[Mapping[str, Any]] = ()


def verify(place: str, tree_path: Path, outside: Outside, progress: Progress | None = None) -> Verification:
    """Hash the log at `place` again, and find and locate whatever is not as it was. Raises LogUnavailable or ForeignLog.

    Without a tree at `tree_path` only checkpoints and receipts are there to compare with.
    """
    with ExitStack() as opened:
        stored = opened.enter_context(closing(open_stored(place)))
        tree = opened.enter_context(closing(Tree(tree_path, read_only=True))) if tree_path.exists() else None
        examination = _Examination(stored, tree, outside)
        examination.run(place, progress)
        return examination.verification()


class _Examination:
    """One verification under way."""

    def __init__(self, stored: StoredEvents, tree: Tree | None, outside: Outside) -> None:
        self._stored = stored
        self._tree = tree
        self._outside = outside
        self._hashed = tree.size if tree else 0
        self._head = stored.head()
        self._end = min(self._hashed, self._head)
        if self._end == self._hashed:
            self._end = stored.unbroken(self._hashed)
        self._findings: list[Finding] = []
        self._confirmed: list[int] = []
        self._differing: list[int] = []

    def run(self, place: str, progress: Progress | None) -> None:
        """Look at everything."""
        notes = list(self._signed())
        self._findings += forks(notes)
        done = 0

        def compare(number: int, hashes: bytes) -> None:
            nonlocal done
            known = self._known(number)
            if not hashes or hashes[: len(known)] != known:
                self._differing.append(number)
            done += TILE
            if progress is not None:
                progress(min(done, self._end), self._end)

        ends = {checkpoint.size for _, checkpoint in notes if checkpoint.size <= self._end} | {self._end}
        with ThreadPoolExecutor(1) as beside:
            covered = beside.submit(lambda: list(covering(self._stored, self._end)))
            computed = compute(place, self._end, ends, compare)
        self._differing.sort()
        self._findings += self._bounds()
        self._findings += self._located(computed)
        self._findings += self._against(notes, computed)
        self._findings += covered.result()
        self._findings += acknowledged(self._stored, self._outside.receipts)
        self._root = computed.root(self._end)

    def verification(self) -> Verification:
        """What came of it."""
        return Verification(
            events=self._end,
            hashed=self._hashed,
            root=b64encode(self._root).decode(),
            confirmed=self._confirmed,
            findings=self._findings[:MOST_FINDINGS],
        )

    def _known(self, number: int) -> bytes:
        """The stored leaf hashes of a tile, as far as events were hashed when this began and are there."""
        if self._tree is None or number * TILE >= self._hashed:
            return b""
        return self._tree.tile(0, number)[: (min(self._hashed, self._end) - number * TILE) * HASH_BYTES]

    def _signed(self) -> Iterator[tuple[str, Checkpoint]]:
        """The checkpoints with their names that are what they should be, by size; what is wrong with the others is noted."""
        kept = {
            f"checkpoint no. {number} in the tree's file": note for number, note in enumerate(self._tree.kept() if self._tree else (), 1)
        }
        found: list[tuple[str, Checkpoint]] = []
        for name, note in {**kept, **self._outside.checkpoints}.items():
            try:
                checkpoint = parse(note)
            except NoteMalformed as error:
                self._findings.append(Finding(Kind.SIGNATURE, 0, 0, f"{name}: {error.message}"))
                continue
            if signed_by(note, self._outside.keys) is None:
                message = f"{name} (of {checkpoint.size} events) is not signed by {' or '.join(map(str, self._outside.keys))}"
                self._findings.append(Finding(Kind.SIGNATURE, 0, checkpoint.size, message))
            else:
                found.append((name, checkpoint))
        return iter(sorted(found, key=lambda each: each[1].size))

    def _bounds(self) -> Iterator[Finding]:
        for position in self._stored.outside():
            yield Finding(Kind.INSERTED, position, position, f"an event stands at position {position}, below the first")
        if self._head < self._hashed:
            message = (
                f"the log ends at position {self._head}, but {self._hashed} events were hashed: it was cut, or an older copy was put back"
            )
            yield Finding(Kind.TRUNCATED, self._head + 1, self._hashed, message)
        elif self._head > self._end:
            message = f"there is nothing at position {self._end + 1}, but there are events up to position {self._head}"
            yield Finding(Kind.INSERTED, self._end + 1, self._head, message)

    def _located(self, computed: Computed) -> Iterator[Finding]:
        """Where log and stored hashes differ, and which of them was altered."""
        tree = self._tree
        if tree is None:
            return
        self._altered = [number for number in self._differing if self._inconsistent(tree, number, computed)]
        for number in self._altered:
            first, last = number * TILE + 1, min((number + 1) * TILE, self._hashed)
            yield Finding(Kind.TREE, first, last, f"the stored hashes of {where(first, last)} were altered")
        yield from self._upper(tree, computed)
        suspects = [number for number in self._differing if number not in set(self._altered)]
        yield from locate(Evidence(tree, self._hashed, self._stored), suspects, min(self._hashed, self._end))

    def _inconsistent(self, tree: Tree, number: int, computed: Computed) -> bool:
        """Whether a tile's stored root is that of the log as it is, so that it is the leaf hashes below it which were altered."""
        if (number + 1) * TILE > min(self._hashed, self._end):
            return False
        return tree.node(HEIGHT, number) == computed.tile_root(number)

    def _upper(self, tree: Tree, computed: Computed) -> Iterator[Finding]:
        """Stored inner hashes that do not follow from those below them."""
        differing = set(self._differing)
        count, level = self._hashed // TILE, 1
        while count:
            for number in range(count):
                if level == 1 and number not in differing and (number + 1) * TILE <= self._end:
                    follows = computed.tile_root(number)
                elif level == 1 and number in self._altered:
                    continue
                else:
                    below = tree.tile(level - 1, number)
                    follows = merkle.complete_root(below) if len(below) == TILE_BYTES else b""
                if tree.node(HEIGHT * level, number) != follows:
                    span = TILE**level
                    first, last = number * span + 1, (number + 1) * span
                    yield Finding(Kind.TREE, first, last, f"a stored hash over {where(first, last)} does not follow from those below it")
            count, level = count // TILE, level + 1

    def _against(self, notes: Sequence[tuple[str, Checkpoint]], computed: Computed) -> Iterator[Finding]:
        """Hold the log against checkpoints; of those that do not fit after the same sound one, the first says all that can be known."""
        sound, told = [0], set[int]()
        for name, checkpoint in notes:
            size = checkpoint.size
            if size > self._end:
                message = f"{name} is of {size} events, but the log has {self._end}: it was cut, or an older copy was put back"
                yield Finding(Kind.TRUNCATED, self._end + 1, size, message)
            elif computed.root(size) == checkpoint.root:
                sound.append(size)
                self._confirmed.append(size)
            else:
                first = max(below for below in sound if below < size or not below) + 1
                message = f"the first {size} events are not those of {name}; something was changed at {where(first, size)}"
                if first not in told:
                    yield Finding(Kind.REWRITTEN, first, size, message)
                told.add(first)


def forks(notes: Sequence[tuple[str, Checkpoint]]) -> Iterator[Finding]:
    """Checkpoints of one size that have different roots."""
    by_size: dict[int, dict[bytes, str]] = defaultdict(dict)
    for name, checkpoint in notes:
        by_size[checkpoint.size].setdefault(checkpoint.root, name)
    for size, names in by_size.items():
        if len(names) > 1:
            message = f"{' and '.join(names.values())} are of {size} events each, but have different roots: two histories were shown"
            yield Finding(Kind.FORKED, 1, size, message)


def covering(stored: StoredEvents, end: int) -> Iterator[Finding]:
    """Where the receipts of all commands do not cover the log: each stands for events that follow on those of the one before."""
    covered = 0
    for some in stored.receipts():
        ends = [covered, *(last for _, last in some)]
        if ends[:-1] != [before for before, _ in some]:
            yield from _breaks(ends, some)
        covered = ends[-1]
    head = stored.head()
    if covered < end:
        yield Finding(Kind.RECEIPT, covered + 1, end, f"no command's receipt stands for {where(covered + 1, end)}")
    elif covered > head:
        message = f"receipts stand for {where(head + 1, covered)}, but the log ends at position {head}"
        yield Finding(Kind.RECEIPT, head + 1, covered, message)


def _breaks(ends: Sequence[int], receipts: Sequence[tuple[int, int]]) -> Iterator[Finding]:
    """Where receipts do not follow on each other; `ends` are the last positions of those before each."""
    for covered, (before, last) in zip(ends, receipts, strict=False):
        if before > covered:
            yield Finding(Kind.RECEIPT, covered + 1, before, f"no command's receipt stands for {where(covered + 1, before)}")
        elif before < covered:
            yield Finding(Kind.RECEIPT, before + 1, last, f"the receipt for {where(before + 1, last)} overlaps with another")


def acknowledged(stored: StoredEvents, receipts: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Receipts that clients were given, for events that are not there as they say."""
    for receipt in receipts:
        ids: Sequence[str] = receipt["event_ids"]
        last = int(receipt["position"])
        first = last - len(ids) + 1
        there = dict(stored.entries(first - 1, last)) if ids else {}
        for position, event_id in enumerate(ids, first):
            if _identity(there.get(position)) != (event_id, receipt["command_id"]):
                message = f"the event {event_id} that the command {receipt['command_id']} was told of is not at position {position}"
                yield Finding(Kind.RECEIPT, position, position, message)


def _identity(entry: bytes | None) -> tuple[str, str] | None:
    """The ids of the event and of its command in an entry."""
    try:
        state: dict[str, Any] = orjson.loads(entry.split(b"\n", 4)[4]) if entry else {}
        return state["id"], state["command_id"]
    except (orjson.JSONDecodeError, IndexError, KeyError, TypeError):
        return None
