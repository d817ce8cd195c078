"""Finding out what was done to events whose hashes do not fit: edited, taken out, put in, pushed on or swapped."""

from collections.abc import Iterator, Sequence
from typing import Final

from bus.stored import StoredEvents
from replay.audit.findings import Finding, Kind, grouped, where
from replay.audit.merkle import HASH_BYTES, TILE, leaf_hash
from replay.audit.tree import Tree

MOST: Final = 1000
"""Events that are looked at one by one; what differs beyond them is told by ranges."""
FARTHEST: Final = 64
"""The most events at one place whose insertion or deletion is recognised when what follows was renumbered."""
MOST_SWAPPED: Final = 64
"""The most differing events among which swapped ones are looked for."""


def renumbered(entry: bytes, position: int) -> bytes:
    """The entry as it would be at another position."""
    return b"%d" % position + entry[entry.index(b"\n") :]


class Evidence:
    """What stands in the log, and what the tree says once stood there."""

    def __init__(self, tree: Tree, size: int, stored: StoredEvents) -> None:
        self.size = size
        self._tree = tree
        self._stored = stored
        self._rows: dict[int, dict[int, bytes]] = {}

    def now(self, position: int) -> bytes | None:
        """What stands at a position, None when nothing does."""
        number = (position - 1) // TILE
        if number not in self._rows:
            if len(self._rows) > 8:
                self._rows.clear()
            self._rows[number] = dict(self._stored.entries(number * TILE, (number + 1) * TILE))
        return self._rows[number].get(position)

    def before(self, position: int) -> bytes | None:
        """The hash of what stood at a position, None beyond the tree."""
        if not 1 <= position <= self.size:
            return None
        number, place = divmod(position - 1, TILE)
        return self._tree.tile(0, number)[place * HASH_BYTES : (place + 1) * HASH_BYTES]

    def stands(self, original: int, row: int) -> bool:
        """Whether what stood at `original` now stands at `row`, the same but for its number."""
        entry = self.now(row) if row > 0 else None
        return entry is not None and leaf_hash(renumbered(entry, original)) == self.before(original)


def locate(evidence: Evidence, tiles: Sequence[int], end: int) -> Iterator[Finding]:
    """What happened in tiles whose hashes differ, up to the event at `end`."""
    edited: list[int] = []
    missing: list[int] = []
    shift, last = 0, 0
    for number in tiles:
        if len(edited) + len(missing) > MOST:
            yield Finding(Kind.EDITED, number * TILE + 1, end, f"more events up to position {end} are not those that were hashed")
            break
        position = max(number * TILE + 1, last + 1)
        while position <= min((number + 1) * TILE, end):
            if not evidence.stands(position, position + shift):
                if inserted := _inserted(evidence, position, shift):
                    first = position + shift
                    shift += inserted
                    message = f"{inserted} events were put in at {where(first, first + inserted - 1)}, and what followed was pushed on"
                    yield Finding(Kind.INSERTED, first, first + inserted - 1, message)
                elif taken := _taken(evidence, position, shift):
                    message = f"the events that stood at {where(position, position + taken - 1)} were taken out, and what followed moved up"
                    yield Finding(Kind.MISSING, position, position + taken - 1, message)
                    shift, position = shift - taken, position + taken
                elif evidence.now(position + shift) is None:
                    missing.append(position)
                else:
                    edited.append(position)
            last = position
            position += 1
    yield from grouped(Kind.MISSING, missing, "what stood at {where} was taken out")
    yield from _swapped_or_edited(evidence, edited)


def _inserted(evidence: Evidence, position: int, shift: int) -> int:
    """How many events were put in before what stood at `position`; what stood after it must have been pushed on as well."""
    for count in range(1, FARTHEST + 1):
        row = position + shift + count
        if evidence.stands(position, row) and (evidence.stands(position + 1, row + 1) if position < evidence.size else row > evidence.size):
            return count
    return 0


def _taken(evidence: Evidence, position: int, shift: int) -> int:
    """How many events were taken out from `position` on, so that later ones moved up."""
    row = position + shift
    for count in range(1, FARTHEST + 1):
        follower = position + count
        if evidence.stands(follower, row):
            last = follower == evidence.size
            if evidence.now(row + 1) is None if last else evidence.stands(follower + 1, row + 1):
                return count
    return 0


def _swapped_or_edited(evidence: Evidence, positions: Sequence[int]) -> Iterator[Finding]:
    rest = list(positions)
    if len(rest) <= MOST_SWAPPED:
        for first in positions:
            other = next((other for other in rest if first < other and _exchanged(evidence, first, other)), None)
            if other is not None and first in rest:
                yield Finding(Kind.SWAPPED, first, other, f"the events at positions {first} and {other} were put in each other's place")
                rest.remove(first)
                rest.remove(other)
    yield from grouped(Kind.EDITED, rest, "what stands at {where} is not what was hashed")


def _exchanged(evidence: Evidence, one: int, other: int) -> bool:
    return _came_from(evidence, one, other) and _came_from(evidence, other, one)


def _came_from(evidence: Evidence, original: int, row: int) -> bool:
    """Whether what stood at `original` now stands at `row`: the whole event, or its type and state, or its state alone."""
    here, there = evidence.now(original), evidence.now(row)
    if here is None or there is None:
        return False
    ours, theirs = here.split(b"\n", 4), there.split(b"\n", 4)
    mixtures = (b"\n".join([*ours[:kept], *theirs[kept:]]) for kept in (1, 3, 4))
    return evidence.before(original) in {leaf_hash(mixture) for mixture in mixtures}
