"""Whether two versions of a table hold the same events, where workers move both on partition by partition."""

from time import monotonic, sleep
from typing import Final

from projections.homes import Tables
from readmodels.layout import Version

LOOK: Final = 0.05


def level(one: Version, other: Version) -> bool:
    """Whether both hold exactly the same events."""
    return one.position == other.position and _reached(one, other) == _reached(other, one)


def beyond(new: Version, old: Version) -> bool:
    """Whether the new version holds everything that the old one does."""
    return new.position >= old.position and all(a >= b for a, b in zip(_reached(new, old), _reached(old, new), strict=True))


def _reached(version: Version, other: Version) -> list[int]:
    """How far a version is in each partition that one of both has."""
    count = max(len(version.partitions), len(other.partitions))
    if not version.partitions:
        return [version.base or version.position] * count
    return [max(version.base, *version.partitions[part : part + 1]) for part in range(count)]


class Patience:
    """Waiting for workers to move tables on, for as long as they do."""

    def __init__(self, tables: Tables, seconds: float) -> None:
        self._tables = tables
        self._seconds = seconds
        self._moved = monotonic()
        self._seen: list[Version] = []

    def wait(self) -> bool:
        """Wait a moment; False once nothing has moved for too long, or nobody else moves these tables."""
        if not self._tables.shared:
            return False
        found = self._tables.versions()
        if found != self._seen:
            self._seen, self._moved = found, monotonic()
        sleep(LOOK)
        return monotonic() - self._moved < self._seconds
