"""A small discrete-event simulation: lives sleep until their next moment and are woken in order of time."""

from collections.abc import Generator
from datetime import datetime
from heapq import heappop, heappush

Life = Generator[datetime, None, None]
"""What happens to one thing, told from its beginning: it yields the moment that it sleeps until."""


class Agenda:
    """Keeps all lives and the simulated time. Lives that wake at the same moment do so in the order they went to sleep."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self._asleep: list[tuple[datetime, int, Life]] = []
        self._number = 0

    def begin(self, life: Life, at: datetime | None = None) -> None:
        """Let a life begin at a moment (now unless given); one in the past begins now."""
        self._sleep(life, at or self.now)

    def _sleep(self, life: Life, until: datetime) -> None:
        self._number += 1
        heappush(self._asleep, (max(until, self.now), self._number, life))

    def run(self, until: datetime) -> None:
        """Wake every life whose moment comes before `until`, which is the time afterwards."""
        while self._asleep and self._asleep[0][0] < until:
            self.now, _, life = heappop(self._asleep)
            moment = next(life, None)
            if moment is not None:
                self._sleep(life, moment)
        self.now = until
