"""Where a worker reads each of its partitions: it remembers which offset had which position, to find its way back."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

from bus.kafka.records import Incoming
from domain.envelope import StoredEvent
from projections.partitions import Batch

REMEMBERED: Final = 512
"""Places in a partition that are remembered; when there are more, every other one is forgotten."""


@dataclass(slots=True)
class Cursor:
    """Where one partition is read."""

    offset: int
    """Of the record that comes next."""
    upto: int | None = None
    """Everything up to here has been delivered since it was begun with; None before the first record."""
    at_start: bool = False
    """Whether it goes on from the first record that there is."""
    silent_after: float = inf
    """When somebody should wonder why the record before, which was asked for again, has not come (seconds of the monotonic clock)."""
    unkept: int = -1
    """A fold that is at or before this position lacks what the topic has not kept; going back for it is of no use."""
    places: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Positions, and the offset that comes after each."""

    def delivered(self, upto: int, offset: int) -> None:
        """Note what has been dealt with."""
        self.upto, self.offset, self.at_start, self.silent_after = upto, offset, False, inf
        if not self.places or self.places[-1] < (upto, offset):
            self.places.append((upto, offset))
            if len(self.places) > REMEMBERED:
                del self.places[::2]

    def back_to(self, position: int) -> int | None:
        """The offset to go back to for what comes after a position; None when that is not remembered."""
        self.silent_after = inf
        place = bisect_right(self.places, (position, 2**63)) - 1
        if place < 0:
            self.upto, self.at_start = None, True
            return None
        self.upto, self.offset = self.places[place]
        return self.offset


def batch_of(records: Sequence[Incoming]) -> tuple[Batch, int]:
    """Records of one partition as a batch, and the offset after it.

    It ends where something lacks between two records. What several publishers shipped twice is in it once.
    """
    first = records[0]
    upto = previous = first.previous
    offset, events = first.offset, list[StoredEvent]()
    for record in records:
        if record.previous > upto:
            break
        if record.event is not None and record.position > upto:
            events.append(record.event)
        upto, offset = max(upto, record.upto), record.offset + 1
    return Batch(first.partition, previous, events, upto), offset
