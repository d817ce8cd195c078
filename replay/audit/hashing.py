"""Hashing the whole log again on all cores, tile by tile, and the Merkle tree that results."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import IO, Final

from bus.errors import LogUnavailable
from bus.stored import open_stored
from replay.audit import merkle
from replay.audit.merkle import HASH_BYTES, HEIGHT, TILE, complete_root, parents
from replay.audit.rehash import COUNT_BYTES, tiles

WORTH_A_PROCESS: Final = 50_000
"""Events from which on the time that processes take to start is won back."""
NO_ROOT: Final = bytes(HASH_BYTES)
"""Stands for the root of a tile in which events are missing."""

Compare = Callable[[int, bytes], None]
"""Told each tile's number and its leaf hashes, none when events are missing in it; from several threads."""


class Computed:
    """The tree over the log as it is now. Leaf hashes are kept where a size of interest ends, roots of all tiles."""

    def __init__(self, size: int, ends: set[int]) -> None:
        self.size = size
        self._roots: list[bytes] = [NO_ROOT] * -(-size // TILE)
        self._wanted = {end // TILE for end in ends}
        self._leaves: dict[int, bytes] = {}
        self._levels: list[bytes] = []

    def put(self, number: int, hashes: bytes, root: bytes) -> None:
        """Take a tile."""
        self._roots[number] = root or NO_ROOT
        if number in self._wanted:
            self._leaves[number] = hashes

    def tile_root(self, number: int) -> bytes:
        """The root of a tile."""
        return self._roots[number]

    def root(self, size: int) -> bytes:
        """The root over the first `size` events, one of the sizes of interest."""
        if not self._levels:
            self._levels.append(b"".join(self._roots))
            while len(self._levels[-1]) > HASH_BYTES:
                below = self._levels[-1]
                self._levels.append(parents(below[: len(below) - len(below) % (2 * HASH_BYTES)]))
        return merkle.root(size, self._node)

    def _node(self, height: int, index: int) -> bytes:
        if height >= HEIGHT:
            return self._levels[height - HEIGHT][index * HASH_BYTES : (index + 1) * HASH_BYTES]
        number, place = divmod(index << height, TILE)
        hashes = self._leaves[number][place * HASH_BYTES : (place + (1 << height)) * HASH_BYTES]
        return complete_root(hashes) if hashes else NO_ROOT


def compute(place: str, size: int, ends: set[int], compare: Compare, *, worth_processes: int = WORTH_A_PROCESS) -> Computed:
    """Hash the first `size` events of the log at `place`, by processes from `worth_processes` events on.

    `ends` are the sizes that roots will be asked for. Raises LogUnavailable.
    """
    computed = Computed(size, ends)

    def take(found: Iterator[tuple[bytes, bytes]], first: int) -> None:
        for number, (hashes, root) in enumerate(found, first):
            computed.put(number, hashes, root)
            compare(number, hashes)

    if size < worth_processes:
        with closing(open_stored(place)) as stored:
            take(tiles(stored, 0, size), 0)
        return computed
    workers = max(os.cpu_count() or 1, 1)
    share = -(-size // TILE // workers) * TILE
    with ThreadPoolExecutor(workers) as threads:
        running = [
            threads.submit(take, _elsewhere(place, after, min(after + share, size)), after // TILE) for after in range(0, size, share)
        ]
        for each in running:
            each.result()
    return computed


def _elsewhere(place: str, after: int, upto: int) -> Iterator[tuple[bytes, bytes]]:
    """The tiles of a range, hashed by a process of its own, which finds our packages where this one does."""
    command = [sys.executable, "-P", "-m", "replay.audit.rehash", str(after), str(upto)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment) as process:  # noqa: S603 - our own program
        if process.stdin is None or process.stdout is None or process.stderr is None:
            return
        try:
            process.stdin.write(f"{place}\n".encode())
            process.stdin.close()
            for _ in range(after, upto, TILE):
                yield _tile(process.stdout)
            said = process.stderr.read().decode(errors="replace").strip()
        except EOFError:
            said = process.stderr.read().decode(errors="replace").strip()
            raise LogUnavailable(
                "log.unavailable", f"the log could not be hashed ({said.splitlines()[-1] if said else 'the process ended'})"
            ) from None
        finally:
            process.kill()


def _tile(output: IO[bytes]) -> tuple[bytes, bytes]:
    head = output.read(COUNT_BYTES)
    if len(head) < COUNT_BYTES:
        raise EOFError
    count = int.from_bytes(head, "big")
    body = output.read((count + 1) * HASH_BYTES) if count else b""
    if count and len(body) < (count + 1) * HASH_BYTES:
        raise EOFError
    return body[:-HASH_BYTES], body[-HASH_BYTES:]
