"""What a topic of events holds, read as a consumer reads it: from the first record, dropping what was seen before."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bus.kafka.chain import Chain
from bus.kafka.cluster import Cluster
from bus.kafka.reading import EventReader
from bus.kafka.records import Incoming, partition_of
from bus.log import Log
from domain.envelope import StoredEvent

READ_SECONDS = 60


@dataclass
class Contents:
    """A topic: by partition all records as they stand there, and those that a consumer makes use of."""

    raw: dict[int, list[Incoming]] = field(default_factory=dict)
    new: dict[int, list[Incoming]] = field(default_factory=dict)
    upto: dict[int, int] = field(default_factory=dict)

    @property
    def events(self) -> list[StoredEvent]:
        """All events that a consumer gets, in the order of the log."""
        found = [each.event for records in self.new.values() for each in records if each.event is not None]
        return sorted(found, key=lambda event: event.position)

    @property
    def settled(self) -> int:
        """Up to here a consumer of all partitions has everything."""
        return min(self.upto.values())


def contents(cluster: Cluster, *, upto: int) -> Contents:
    """Read the topic until every partition says that it has all of its own up to a position. Raises TopicBroken where something lacks."""
    found = Contents()
    with EventReader(cluster) as reader:
        numbers = range(reader.partitions())
        chains = {number: Chain(0) for number in numbers}
        found.raw, found.new = {number: [] for number in numbers}, {number: [] for number in numbers}
        reader.assign(dict.fromkeys(numbers))
        until = time.monotonic() + READ_SECONDS
        while min(chain.upto for chain in chains.values()) < upto:
            assert time.monotonic() < until, {number: chain.upto for number, chain in chains.items()}
            for record in reader.poll(0.2, 5000):
                found.raw[record.partition].append(record)
                new = chains[record.partition].admit(record)
                if new is not None:
                    found.new[record.partition].append(new)
        found.upto = {number: chain.upto for number, chain in chains.items()}
    return found


def equal(found: Contents, log: Log) -> None:
    """Hold what a consumer gets against the log: every event, once, in its partition, in order."""
    stored = log.read(0, 10_000_000)
    assert found.events == stored
    for number, records in found.new.items():
        own = [event.position for event in stored if _partition(event, len(found.new)) == number]
        assert [each.position for each in records if each.event is not None] == own
        assert [each.previous for each in records if each.event is not None] == [0, *own][: len(own)]


def in_topic_once(found: Contents) -> None:
    """Hold that the topic itself has no event twice."""
    positions = [each.position for records in found.raw.values() for each in records if each.event is not None]
    assert len(positions) == len(set(positions))


def _partition(event: StoredEvent, partitions: int) -> int:
    return partition_of(event.data.get("customer_id") or event.stream_id, partitions)


def epochs(found: Contents) -> Sequence[int]:
    """Which publishers shipped what is in the topic."""
    return sorted({each.epoch for records in found.raw.values() for each in records})
