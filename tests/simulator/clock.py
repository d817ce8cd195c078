"""A clock that goes as the simulation lets it, also backwards."""

import random
from datetime import UTC, datetime, timedelta
from typing import Final

BEGINNING: Final = datetime(2026, 3, 1, 9, tzinfo=UTC)


class Clock:
    """Called, it tells the time in UTC; it stands still between `pass_by` and `jump`."""

    def __init__(self, chance: random.Random) -> None:
        self.now = BEGINNING
        self.seen = {BEGINNING}
        """Every time that it has told or could have."""
        self._chance = chance

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self) -> None:
        """Some milliseconds to minutes go by."""
        self._move(timedelta(milliseconds=self._chance.choice((1, 50, 900, 20_000, 300_000))))

    def jump(self) -> timedelta:
        """Somebody sets it, up to two days forwards or backwards; by how much."""
        by = timedelta(seconds=self._chance.choice((-1, 1)) * self._chance.choice((1, 3_600, 172_800)))
        self._move(by)
        return by

    def _move(self, by: timedelta) -> None:
        self.now += by
        self.seen.add(self.now)
