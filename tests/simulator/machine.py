"""A machine that may lose power, and processes on it that may be killed, at moments that the code passes.

Losing power copies the files as they are at that moment: whatever happens afterwards in the old ones, on the way out of the
code that was running, is never seen again. What a file had been given but not confirmed may be torn in the copy.
"""

import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Final

SECTOR: Final = 512
FRAME: Final = 4096 + 24
UNCHECKPOINTED: Final = 900 * FRAME
"""A write-ahead log of lookups that is shorter has not been brought into its file, so that any prefix may be what is left of it."""

COMMITTING: Final = "log: while committing"


class PowerLost(BaseException):
    """Every process is gone, and so is what files had not been given."""


class Killed(BaseException):
    """One process is gone; the others and all files stay."""


class Machine:
    """`folder` is where the files lie now; a new one after each loss of power."""

    def __init__(self, folder: Path, chance: random.Random, *, synced: bool = True) -> None:
        self.folder = folder
        self.passed: Counter[str] = Counter()
        self.full = False
        """Whether files may not grow."""
        self._root = folder.parent
        self._chance = chance
        self._synced = synced
        self._armed: tuple[str, type[BaseException]] | None = None
        self._before: tuple[bytes, bytes] | None = None
        self._losses = 0

    def arm(self, moment: str, end: type[BaseException]) -> None:
        """Let that be the end when the code next comes to this moment."""
        self._armed = (moment, end)

    def disarm(self) -> None:
        """Let nothing happen any more."""
        self._armed = None

    def passes(self, moment: str) -> None:
        """The code is at this moment. Raises PowerLost or Killed when that was to be the end."""
        self.passed[moment] += 1
        if self._armed is not None and self._armed[0] == moment:
            end, self._armed = self._armed[1], None
            if end is PowerLost:
                self.lose_power()
            raise end(moment)

    def begin_commit(self) -> None:
        """The log is about to commit; how its files are now is kept if they are to be torn."""
        self.passes("log: before the commit")
        if self._armed is not None and self._armed[0] == COMMITTING:
            self._before = (_bytes(self.folder / "log.db"), _bytes(self.folder / "log.db-wal"))

    def end_commit(self) -> None:
        """The log has committed, and nobody has been told."""
        if self._before is not None:
            self.passed[COMMITTING] += 1
            self._armed = None
            self.lose_power()
            raise PowerLost(COMMITTING)
        self.passes("log: committed, nobody told")

    def abandon_commit(self) -> None:
        """The commit was rolled back."""
        self._before = None

    def lose_power(self) -> None:
        """Go on from a copy of the files."""
        self._losses += 1
        copy = self._root / f"after loss {self._losses}"
        copy.mkdir()
        for file in self.folder.iterdir():
            if file.is_file() and not file.name.endswith("-shm"):
                shutil.copyfile(file, copy / file.name)
        if self._before is not None:
            self._tear_log(copy, *self._before)
            self._before = None
        elif not self._synced:
            self._tear_lookups(copy / "log.db-wal")
        self._tear_lookups(copy / "lookups.db-wal")
        self.folder = copy

    def _tear_log(self, copy: Path, file: bytes, wal: bytes) -> None:
        """The commit's pages had not all come to the disk, nor had what it may have brought into the file after them."""
        after = _bytes(copy / "log.db-wal")
        (copy / "log.db").write_bytes(file)
        (copy / "log.db-wal").write_bytes(torn(wal, after, self._chance))

    def _tear_lookups(self, wal: Path) -> None:
        """Lookups are not confirmed by the disk with every commit: any prefix may be what is left."""
        if wal.exists() and 0 < wal.stat().st_size < UNCHECKPOINTED and self._chance.random() < 0.7:
            with wal.open("r+b") as file:
                file.truncate(self._chance.randrange(wal.stat().st_size + 1))


def torn(before: bytes, after: bytes, chance: random.Random) -> bytes:
    """A file on its way from `before` to `after`: written up to some byte, or some of its sectors only."""
    if chance.random() < 0.5:
        cut = chance.randrange(len(after) + 1)
        return after[:cut] + before[cut:]
    old = before.ljust(len(after), b"\0")
    starts = range(0, len(after), SECTOR)
    return b"".join((after if chance.random() < 0.8 else old)[start : start + SECTOR] for start in starts)


def _bytes(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""
