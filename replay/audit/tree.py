"""The hashes of the log's Merkle tree in a SQLite file of its own: leaves and every eighth level above them, in tiles of 256."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Final

from bus.failures import translated
from bus.stamp import Stamp
from domain.errors import NotFound, RuleViolation
from replay.audit import merkle
from replay.audit.merkle import HASH_BYTES, HEIGHT, TILE, TILE_BYTES, complete_root

STAMP: Final = Stamp(b"DBAU", 1, "audit tree")
CACHED: Final = 512
"""Full tiles kept at hand, 8 KiB each; they never change."""
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS tree (size INTEGER NOT NULL)",
    "INSERT INTO tree SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM tree)",
    "CREATE TABLE IF NOT EXISTS tiles (level INTEGER, number INTEGER, hashes BLOB NOT NULL, PRIMARY KEY (level, number))",
    "CREATE TABLE IF NOT EXISTS checkpoints (size INTEGER, root BLOB, note TEXT NOT NULL, PRIMARY KEY (size, root))",
)


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")


class Tree:
    """Appends leaves, answers with roots and proofs; for any number of threads, and for other processes that read.

    What is appended is durable together with the tree's new size, or not there at all. Raises ForeignLog for a file that
    is something else, LogUnavailable when it cannot be read or written.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._lock = RLock()
        self._full: dict[tuple[int, int], bytes] = {}
        mode = "ro" if read_only else "rwc"
        with translated():
            STAMP.check_file(str(path))
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False, timeout=30
            )
            # What was altered behind our back is to be told, not to be failed at.
            self._connection.text_factory = _text
            if not read_only:
                self._begin()

    def _begin(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        with self._writing():
            for statement in _TABLES:
                self._connection.execute(statement)
            STAMP.put(self._connection)

    @contextmanager
    def _writing(self) -> Generator[None]:
        with self._lock, translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @property
    def size(self) -> int:
        """How many leaves there are: the position of the last event that is hashed."""
        with self._lock, translated():
            return self._connection.execute("SELECT size FROM tree").fetchone()[0]

    def extend(self, size: int, hashes: bytes) -> bool:
        """Append leaf hashes, side by side, to a tree of `size` leaves; False, and nothing is done, when it has another size."""
        with self._writing():
            if self.size != size:
                return False
            level, first, new = 0, size, hashes
            while new:
                number, before = divmod(first, TILE)
                if before:
                    new = self._read(level, number) + new
                self._write(level, number, new)
                new = b"".join([complete_root(new[at : at + TILE_BYTES]) for at in range(0, len(new) - TILE_BYTES + 1, TILE_BYTES)])
                level, first = level + 1, number
            self._connection.execute("UPDATE tree SET size = ?", (size + len(hashes) // HASH_BYTES,))
        return True

    def _write(self, level: int, number: int, hashes: bytes) -> None:
        tiles = ((level, number + at // TILE_BYTES, hashes[at : at + TILE_BYTES]) for at in range(0, len(hashes), TILE_BYTES))
        self._connection.executemany("INSERT OR REPLACE INTO tiles VALUES (?, ?, ?)", tiles)

    def tile(self, level: int, number: int) -> bytes:
        """The hashes in a tile, fewer than 256 in the last one of a level, none where there is no tile."""
        with translated():
            return self._read(level, number)

    def _read(self, level: int, number: int) -> bytes:
        with self._lock:
            row = self._connection.execute(
                "SELECT CAST(hashes AS BLOB) FROM tiles WHERE level = ? AND number = ?", (level, number)
            ).fetchone()
        return row[0] if row else b""

    def node(self, height: int, index: int) -> bytes:
        """The hash of a complete subtree."""
        level, over = divmod(height, HEIGHT)
        number, place = divmod(index << over, TILE)
        hashes = self._at_hand(level, number)
        return complete_root(hashes[place * HASH_BYTES : (place + (1 << over)) * HASH_BYTES])

    def _at_hand(self, level: int, number: int) -> bytes:
        hashes = self._full.get((level, number))
        if hashes is None:
            hashes = self._read(level, number)
            if len(hashes) == TILE_BYTES:
                if len(self._full) >= CACHED:
                    self._full.clear()
                self._full[level, number] = hashes
        return hashes

    def leaf(self, position: int) -> bytes:
        """The hash of the event at a position."""
        return self.node(0, position - 1)

    def root(self, size: int | None = None) -> bytes:
        """The root over the first `size` leaves, all unless said. Raises NotFound `audit.size_unknown`."""
        with translated():
            return merkle.root(self._known(size), self.node)

    def inclusion(self, position: int, size: int | None = None) -> list[bytes]:
        """The proof that the event at `position` is in the tree of the first `size`. Raises NotFound."""
        size = self._known(size)
        if not 1 <= position <= size:
            raise NotFound("audit.position_unknown", f"no event at position {position} is in the tree of {size} events")
        with translated():
            return merkle.inclusion(position - 1, size, self.node)

    def consistency(self, older: int, size: int | None = None) -> list[bytes]:
        """The proof that the tree of `size` begins with that of `older`. Raises NotFound, or RuleViolation `audit.sizes_reversed`."""
        size = self._known(size)
        if older > size:
            raise RuleViolation(
                "audit.sizes_reversed", f"a tree of {size} events cannot begin with one of {older}; give the smaller size first"
            )
        with translated():
            return merkle.consistency(older, size, self.node)

    def _known(self, size: int | None) -> int:
        there = self.size
        if size is None:
            return there
        if size > there:
            raise NotFound("audit.size_unknown", f"the tree has {there} events hashed, not {size}")
        return size

    def keep(self, size: int, root: bytes, note: str) -> None:
        """Keep a checkpoint that was signed, so that it can be held against the tree later."""
        with self._writing():
            self._connection.execute("INSERT OR IGNORE INTO checkpoints VALUES (?, ?, ?)", (size, root, note))

    def kept(self) -> list[str]:
        """The checkpoints that were signed, by size."""
        with self._lock, translated():
            return [note for (note,) in self._connection.execute("SELECT note FROM checkpoints ORDER BY size")]

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()
