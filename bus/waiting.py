"""Waiting for the log to grow: woken at once by appends of this process, by looking for those of others."""

import time
from collections.abc import Callable
from threading import Condition
from typing import Final

LOOK_EVERY: Final = 0.02
"""Seconds between looks at the log for what other processes appended; one thread looks for all that wait."""


class Bell:
    """Rung with the new head after each append; `look` asks the log for its head."""

    def __init__(self, look: Callable[[], int]) -> None:
        self._look = look
        self._rung = Condition()
        self._head = 0
        self._looked = 0.0
        self._silenced = False

    def ring(self, head: int) -> None:
        """Wake those who wait for less than `head`."""
        with self._rung:
            if head > self._head:
                self._head = head
                self._rung.notify_all()

    def silence(self) -> None:
        """Wake all for good: the log is being closed."""
        with self._rung:
            self._silenced = True
            self._rung.notify_all()

    def wait(self, after: int, timeout: float) -> bool:
        """Whether the head is beyond `after`, at the latest after `timeout` seconds."""
        until = time.monotonic() + timeout
        with self._rung:
            while self._head <= after and not self._silenced:
                now = time.monotonic()
                if now >= self._looked + LOOK_EVERY:
                    self._looked = now
                    self._head = max(self._head, self._look())
                elif now >= until:
                    return False
                else:
                    self._rung.wait(min(until, self._looked + LOOK_EVERY) - now)
            return self._head > after
