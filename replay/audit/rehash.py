"""The program that hashes a range of a log again: writes each tile's leaf hashes and root to its output.

It runs as a process of its own, so that both cores hash; `verification` starts it. Per tile: how many hashes follow
(0 when events are missing in it), the hashes, and the root over them.
"""

import gc
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import IO, Final, Protocol

from bus.stored_sqlite import SQLiteEvents
from replay.audit.merkle import TILE, TILE_BYTES, complete_root, leaf_hashes, over

COUNT_BYTES: Final = 2


class Texts(Protocol):
    """What is hashed."""

    def texts(self, after: int, upto: int) -> list[tuple[bytes]]: ...


def tiles(stored: Texts, after: int, upto: int) -> Iterator[tuple[bytes, bytes]]:
    """The leaf hashes and the root of each tile after position `after` (where one begins) up to `upto`; nothing for one with gaps.

    A tile at a time is the quickest: what was read is still in the processor's cache when it is hashed.
    """
    for first in range(after, upto, TILE):
        end = min(first + TILE, upto)
        texts = stored.texts(first, end)
        if len(texts) == end - first:
            hashes = leaf_hashes(text for (text,) in texts)
            yield hashes, complete_root(hashes) if len(hashes) == TILE_BYTES else over(hashes)
        else:
            yield b"", b""


def _opened(place: str) -> Texts:
    """The stored events; what PostgreSQL needs is loaded for it only, since it takes longer than hashing a hundred thousand events."""
    return import_module("bus.stored").open_stored(place) if "://" in place else SQLiteEvents(Path(place))


def main(place: str, after: int, upto: int, output: IO[bytes]) -> None:
    """Write the tiles after position `after` up to `upto`."""
    gc.disable()  # millions of small objects come and go, none of them in a cycle
    stored = _opened(place)
    for hashes, root in tiles(stored, after, upto):
        output.write((len(hashes) // 32).to_bytes(COUNT_BYTES, "big") + hashes + root)


if __name__ == "__main__":
    main(sys.stdin.readline().rstrip("\n"), int(sys.argv[1]), int(sys.argv[2]), sys.stdout.buffer)
