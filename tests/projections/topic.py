"""A topic in memory: a log's events by partition, as a publisher ships them, and workers who fold what they are delivered."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from domain.envelope import StoredEvent
from projections.engine import Engine
from projections.partitions import Batch, Partitions


def partition_of(event: StoredEvent, count: int) -> int:
    """By the customer, else by the stream, as the publisher does."""
    return (UUID(event.data.get("customer_id") or event.stream_id).int >> 64) % count


@dataclass(slots=True)
class Topic:
    """Records by partition: events, and None for marks that say how far the topic is complete."""

    count: int
    records: list[list[tuple[int, StoredEvent | None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.records = [[] for _ in range(self.count)]

    def ship(self, events: Sequence[StoredEvent]) -> None:
        for event in events:
            self.records[partition_of(event, self.count)].append((event.position, event))
        for records in self.records:
            records.append((events[-1].position, None))

    def batch(self, partition: int, start: int, length: int) -> Batch | None:
        """Some records from an offset on; None where there are none."""
        records = self.records[partition]
        some = records[start : start + length]
        if not some:
            return None
        events = [event for _, event in some if event is not None]
        return Batch(partition, records[start - 1][0] if start else 0, events, some[-1][0])

    def offset(self, partition: int, position: int) -> int:
        """Where the first record after a position lies."""
        return next((place for place, (at, _) in enumerate(self.records[partition]) if at > position), len(self.records[partition]))


class Member:
    """A worker: it reads its partitions from where it is, and goes back where it is told that something is lacking."""

    def __init__(self, engine: Engine, topic: Topic, *, fresh: float = 3600.0) -> None:
        self.partitions = Partitions(engine, topic.count, fresh=fresh)
        self.topic = topic
        self.offsets: dict[int, int] = {}
        self.last: list[Batch] = []

    def assigned(self, partition: int, offset: int) -> None:
        self.offsets[partition] = offset

    def step(self, length: int) -> bool:
        """Fold up to so many records of each partition; False when there is nothing."""
        found = {part: batch for part, offset in self.offsets.items() if (batch := self.topic.batch(part, offset, length))}
        if not found:
            return False
        self.last = list(found.values())
        behind = self.partitions.apply(self.last)
        for part in found:
            self.offsets[part] = self.topic.offset(part, behind[part]) if part in behind else self.offsets[part] + length
        return True

    def again(self) -> None:
        """Fold what was folded last once more, whoever has the partitions now."""
        if self.last:
            self.partitions.apply(self.last)
