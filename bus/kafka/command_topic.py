"""The topic of commands as one of a group of takers sees it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata

from bus.errors import KafkaUnavailable
from bus.kafka.cluster import Cluster, translated
from bus.kafka.messages import Message, Reply
from bus.kafka.reading import SESSION_SECONDS, STUCK_SECONDS
from bus.kafka.sending import abandon

GROUP: Final = "takers"
"""The group is called so after the prefix of the topics."""
SEND_SECONDS: Final = 30.0
METADATA_MS: Final = 5_000
"""How long it may take to notice that the topic is there now."""


class CommandTopic:
    """Takes messages in the order of their partitions; a group shares the partitions among its members.

    What was taken is given again, here or to another member, until it is done. For one thread. Everything raises KafkaUnavailable
    or KafkaRefused.
    """

    outages = (KafkaUnavailable,)

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        options = cluster.options(
            group_id=f"{cluster.prefix}-{GROUP}",
            session_timeout_ms=int(SESSION_SECONDS * 1000),
            heartbeat_interval_ms=int(SESSION_SECONDS * 1000 / 10),
            max_poll_interval_ms=int(STUCK_SECONDS * 1000),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            metadata_max_age_ms=METADATA_MS,
            metrics_enabled=False,
        )
        with translated(cluster.servers):
            self._consumer: Any = KafkaConsumer(cluster.topic("commands"), **options)
        self._producer: Any = None
        self._first: dict[Any, int] = {}
        """By partition, where what was taken begins and where it ends."""
        self._next: dict[Any, int] = {}

    def take(self, most: int, seconds: float) -> Sequence[Message]:
        """The next messages, waited for at most `seconds`."""
        with translated(self._cluster.servers):
            found: Mapping[Any, Sequence[Any]] = self._consumer.poll(timeout_ms=int(seconds * 1000), max_records=most)
        messages: list[Message] = []
        for place, records in found.items():
            self._first.setdefault(place, records[0].offset)
            self._next[place] = records[-1].offset + 1
            messages += (Message(each.key, each.headers, each.value, each.partition, each.offset) for each in records)
        return messages

    def left(self) -> int | None:
        """How many messages of our partitions have not been taken yet; None while we have no partitions."""
        with translated(self._cluster.servers):
            ours = self._consumer.assignment()
            ends: Mapping[Any, int] = self._consumer.end_offsets(list(ours)) if ours else {}
            return sum(end - self._consumer.position(place) for place, end in ends.items()) if ours else None

    def send(self, messages: Sequence[Reply]) -> None:
        """Send all of them; every one is in its topic by the time of return."""
        with translated(self._cluster.servers):
            if self._producer is None:
                options = self._cluster.options(enable_idempotence=True, acks="all", linger_ms=2, metrics_enabled=False)
                self._producer = KafkaProducer(**options)
            sent = [self._producer.send(each.topic, each.value, each.key, each.headers) for each in messages]
            self._producer.flush(timeout=SEND_SECONDS)
            for future in sent:
                future.get(timeout=SEND_SECONDS)

    def done(self) -> None:
        """What was taken need not be given to anybody any more. Raises KafkaUnavailable also when another member has it now."""
        with translated(self._cluster.servers):
            self._consumer.commit({place: OffsetAndMetadata(offset, "", -1) for place, offset in self._next.items()})
        self._first.clear()
        self._next.clear()

    def again(self) -> None:
        """Give what was taken and not done again, as far as it is still ours."""
        with translated(self._cluster.servers):
            for place in self._first.keys() & self._consumer.assignment():
                self._consumer.seek(place, self._first[place])
        self._first.clear()
        self._next.clear()
        self._let_go_of_producer()

    def close(self) -> None:
        """Leave the group, so that others go on at once."""
        with translated(self._cluster.servers):
            self._consumer.close(autocommit=False)
        self._let_go_of_producer()

    def _let_go_of_producer(self) -> None:
        """An idempotent producer whose send failed may not be used any more."""
        if self._producer is not None:
            abandon(self._producer)
            self._producer = None
