"""Waiting for workers elsewhere to move the lookups on: what a follower is to tables that this process folds by itself."""

import time
from threading import Condition
from typing import Final

from projections.engine import Engine

LOOK_EVERY: Final = 0.01
"""Seconds between two looks at the register while somebody waits; one of those who wait looks for all."""
TRUSTED: Final = 1.0
"""Seconds that what was seen holds without another look; a read model that is rolled back goes back in position."""
PATIENCE: Final = 30.0
"""Seconds that lookups may stand still behind the log before somebody is told."""


class Watcher:
    """Looks how far the lookups are, whenever somebody asks."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._looking = Condition()
        self._position = 0
        self._looked = float("-inf")
        self._stopped = False
        self._behind_since: float | None = None

    def start(self) -> None:
        """Look once; from now on somebody looks while somebody waits."""
        with self._looking:
            self._look()

    def stop(self) -> None:
        """Let go of all who wait."""
        with self._looking:
            self._stopped = True
            self._looking.notify_all()

    @property
    def position(self) -> int:
        """Up to which event all healthy folds are now."""
        with self._looking:
            return self._look()

    def wait_for(self, position: int, timeout: float) -> bool:
        """Wait until the lookups hold everything up to `position`, at most `timeout` seconds; whether they do."""
        until = time.monotonic() + timeout
        with self._looking:
            while not self._stopped:
                now = time.monotonic()
                if self._position >= position and now < self._looked + TRUSTED:
                    return True
                if now >= self._looked + LOOK_EVERY:
                    if self._look() >= position:
                        return True
                elif now >= until:
                    return False
                else:
                    self._looking.wait(min(until, self._looked + LOOK_EVERY) - now)
            return False

    @property
    def trouble(self) -> str | None:
        """That nobody moves the lookups on; None while somebody does, or all is folded."""
        with self._looking:
            before, position = self._position, self._look()
            now = time.monotonic()
            if position >= self.engine.feed.head():
                self._behind_since = None
            elif position > before or self._behind_since is None:
                self._behind_since = now
            elif now > self._behind_since + PATIENCE:
                return f"nobody has moved them on from position {position} for {now - self._behind_since:.0f} s: is `daybook work` running?"
            return None

    def _look(self) -> int:
        before = self._position
        self._position = self.engine.position
        self._looked = time.monotonic()
        if self._position > before:
            self._looking.notify_all()
        return self._position
