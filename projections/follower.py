"""A thread that keeps one home's tables up to date, and lets readers wait until their own write is in."""

import logging
import threading
from time import monotonic
from typing import Final

from projections.engine import Engine

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 1.0
LONGEST_REST: Final = 0.05
"""Seconds. After a batch of more than `FEW` events a follower rests as long as it took, up to this: under load batches grow,
and the commands that make the load keep at least half of the time."""
FEW: Final = 8
RETRY_SECONDS: Final = (0.1, 0.3, 1.0, 3.0, 10.0)


class Follower:
    """Follows the log from `start` to `stop`.

    `gather` seconds pass before each batch, so that small batches become one; a reader who waits ends that at once.
    """

    def __init__(self, engine: Engine, *, gather: float = 0.0) -> None:
        self.engine = engine
        self._gather = gather
        self._stopping = threading.Event()
        self._wanted = threading.Event()
        self._moved = threading.Condition()
        self._position = 0
        self._thread = threading.Thread(target=self._run, name=f"follow-{engine.tables.home}", daemon=True)
        self.trouble: str | None = None
        """What keeps the store from being written to just now; None when all is well."""

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch at hand and end."""
        self._stopping.set()
        self._wanted.set()
        self._thread.join()

    def wait_for(self, position: int, timeout: float) -> bool:
        """Wait until the tables hold everything up to `position`, at most `timeout` seconds; whether they do."""
        with self._moved:
            if self._position < position:
                self._wanted.set()
            return self._moved.wait_for(lambda: self._position >= position, timeout)

    @property
    def position(self) -> int:
        """Up to which event all healthy folds are known to be."""
        return self._position

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                began, before = monotonic(), self._position
                if not self._step():
                    self.engine.feed.wait(self._position, IDLE_SECONDS)
                elif self._position - before > FEW:
                    self._stopping.wait(min(monotonic() - began, LONGEST_REST))
                if self._gather:
                    self._wanted.wait(self._gather)
                    self._wanted.clear()
                failures = 0
            except Exception as error:
                self.trouble = f"{type(error).__name__}: {error}"
                log.exception("the %s cannot be moved on; trying again", self.engine.tables.home)
                self._stopping.wait(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1

    def _step(self) -> bool:
        progressed = self.engine.advance()
        position = self.engine.position
        with self._moved:
            self._position, self.trouble = position, None
            self._moved.notify_all()
        return progressed
