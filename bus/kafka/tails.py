"""What a topic of events holds at its ends: from there a publisher goes on, as it keeps nothing in mind itself."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from bus.errors import KafkaUnavailable, TopicBroken
from bus.kafka.cluster import Cluster
from bus.kafka.reading import EventReader
from bus.kafka.records import Incoming
from domain.envelope import StoredEvent

PATIENCE: Final = 30.0
"""Seconds that reading one record of each partition may take."""
MOST: Final = 100_000
"""More records than are written together."""


@dataclass(slots=True)
class Tail:
    """The end of one partition, as far as the next publisher has to know it."""

    upto: int = 0
    """The partition has all that is its own up to this position."""
    upto_id: str = ""
    """The id of the log's event there."""
    previous: int = 0
    """The position of the partition's last event."""
    offset: int = 0
    """The offset of the next record."""
    epoch: int = 0
    """Which publisher shipped the last one."""


class Known(Protocol):
    """The log, as far as it is compared with the topic."""

    def head(self) -> int: ...
    def read_at(self, positions: Sequence[int]) -> list[StoredEvent]: ...


def tails(cluster: Cluster, partitions: int) -> list[Tail]:
    """The ends of a topic's partitions.

    Raises TopicBroken `topic.gap` where a partition that was never shortened does not begin with its first event, KafkaUnavailable or
    KafkaRefused, or CorruptHistory where a record is not one of ours.
    """
    with EventReader(cluster, catalogue=None) as reader:
        bounds = reader.bounds(range(partitions))
        filled = {number: (first, end) for number, (first, end) in bounds.items() if end > first}
        whole = {number: 0 for number, (first, _) in filled.items() if first == 0}
        for number, records in _read(reader, whole).items():
            if records[0].previous > 0:
                message = f"partition {number} of {cluster.events} begins after position {records[0].previous}; delete the topic, it is shipped again"
                raise TopicBroken("topic.gap", message)
        last = _read(reader, {number: end - 1 for number, (_, end) in filled.items()})
    return [_tail(last[number][-1]) if number in last else Tail(offset=end) for number, (_, end) in sorted(bounds.items())]


def held_against(found: Sequence[Tail], log: Known, topic: str) -> None:
    """Hold what the topic ends with against the log. Raises TopicBroken `topic.ahead` or `topic.foreign` where they do not agree."""
    head, furthest = log.head(), max(tail.upto for tail in found)
    remedy = f"publish to another topic, or delete {topic}: it is shipped again"
    if furthest > head:
        message = f"{topic} has come to position {furthest}, but the log ends at {head}: it is another log, or an older copy; {remedy}"
        raise TopicBroken("topic.ahead", message)
    filled = [tail for tail in found if tail.upto]
    for tail, event in zip(filled, log.read_at([tail.upto for tail in filled]), strict=True):
        if event.id != tail.upto_id:
            message = f"the event at position {tail.upto} is another one in {topic} than in the log; {remedy}"
            raise TopicBroken("topic.foreign", message)


def _tail(record: Incoming) -> Tail:
    return Tail(record.upto, record.settled_id, record.position, record.offset + 1, record.epoch)


def _read(reader: EventReader, offsets: Mapping[int, int]) -> dict[int, list[Incoming]]:
    """Of each partition the record at an offset, with what was written together with it: brokers exist that count a batch as one record."""
    found: dict[int, list[Incoming]] = {}
    until = time.monotonic() + PATIENCE
    while len(found) < len(offsets):
        if time.monotonic() > until:
            raise KafkaUnavailable("kafka.unavailable", "Kafka says where its partitions end, but does not hand out their last records")
        reader.assign({number: offset for number, offset in offsets.items() if number not in found})
        for record in reader.poll(1.0, MOST):
            found.setdefault(record.partition, []).append(record)
    return found
