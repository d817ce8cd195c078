"""The end of the log, read once for all webhooks that have come so far; what lies before is looked through for each."""

import threading
from collections.abc import Callable
from typing import Final

from api.feed.asking import Wanted
from api.feed.reading import find
from bus.log import Log
from domain.envelope import StoredEvent

KEPT: Final = 500
"""Events at the end of the log that are held in memory."""


class Tail:
    """Reads the log for many readers, from any thread."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._kept: list[StoredEvent] = []
        self._after = 0
        """The kept events are all that are after this position, up to `_upto`."""
        self._upto = 0

    def find(self, wanted: Wanted, holds: Callable[[StoredEvent], bool], after: int, most: int) -> tuple[list[StoredEvent], int]:
        """At most `most` wanted events after a position, and the position up to which there are no others.

        That lies before `after` when the log does not come so far.
        """
        head = self._log.head()
        if after >= head:
            return [], head
        if head - after > KEPT:
            found, reached = find(self._log, wanted, after, most, head)
            return found, max(after, reached)
        with self._lock:
            self._extend(after, head)
            events = [event for event in self._kept if event.position > after]
        found = [event for event in events if holds(event)]
        if len(found) > most:
            return found[:most], found[most - 1].position
        return found, events[-1].position if events else after

    def _extend(self, after: int, head: int) -> None:
        """Keep everything after a position that lies little before the end."""
        if not self._after <= after <= self._upto:
            self._kept, self._after, self._upto = [], after, after
        if self._upto < head:
            more = self._log.read(self._upto, KEPT)
            self._kept += more
            self._upto = more[-1].position if more else self._upto
        if len(self._kept) > 2 * KEPT:
            self._kept = self._kept[-KEPT:]
            self._after = self._kept[0].position - 1
