"""Reading events from Kafka: partitions by name, or as a member of a group that shares them."""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Final, Self

from kafka import KafkaConsumer
from kafka.structs import OffsetAndMetadata

from bus.catalogue import TODAY, Catalogue
from bus.codec import Codec
from bus.errors import KafkaUnavailable
from bus.kafka.cluster import Cluster, Partition, partition, translated
from bus.kafka.records import Incoming, read
from domain.errors import DaybookError

SESSION_SECONDS: Final = 10.0
"""A member that is not heard of for so long loses its partitions to the others."""
STUCK_SECONDS: Final = 30.0
"""So does one that is alive, but has not come back for more for so long: it may be cut off from where it writes. Nor do the others wait
longer than that for its consent when they share the partitions anew."""
MOST: Final = 1000
"""Records that one poll returns, unless asked otherwise."""
FETCH_BYTES: Final = 4 * 1024 * 1024
POSITION_MS: Final = 10_000
FAST_CHECKSUMS: Final = find_spec("crc32c") is not None
"""Whether the client library has checksums in C. Its own in Python take two thirds of all the time of reading, and brokers verify them too."""
METADATA_MS: Final = 5_000
"""How long it may take to notice that the topic is there now, or has more partitions."""


class EventReader:
    """Reads the topic of events; for one thread. Everything raises KafkaUnavailable or KafkaRefused.

    What is read is at least once and, in each partition, in order; a `Chain` says what is new in each record. Without a catalogue
    only what the headers say is read, and no event.
    """

    def __init__(
        self, cluster: Cluster, *, group: str | None = None, session_seconds: float = SESSION_SECONDS, catalogue: Catalogue | None = TODAY
    ) -> None:
        self._cluster = cluster
        self._topic = cluster.events
        self._codec = Codec(catalogue) if catalogue else None
        options: dict[str, Any] = {
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "allow_auto_create_topics": False,
            "max_partition_fetch_bytes": FETCH_BYTES,
            "check_crcs": FAST_CHECKSUMS,
            "metadata_max_age_ms": METADATA_MS,
            "metrics_enabled": False,
        }
        if group is not None:
            beats = {"session_timeout_ms": int(session_seconds * 1000), "heartbeat_interval_ms": int(session_seconds * 1000 / 10)}
            options |= {"group_id": group, "max_poll_interval_ms": int(STUCK_SECONDS * 1000), **beats}
        with translated(cluster.servers):
            self._consumer: Any = KafkaConsumer(**cluster.options(**options))

    def partitions(self) -> int:
        """How many partitions the topic has. Raises KafkaUnavailable `kafka.no_topic` where there is no such topic."""
        with translated(self._cluster.servers):
            found = self._consumer.partitions_for_topic(self._topic)
        if not found:
            raise KafkaUnavailable("kafka.no_topic", f"there is no topic {self._topic} yet: `daybook publish` makes it")
        return len(found)

    def assign(self, offsets: Mapping[int, int | None]) -> None:
        """Read these partitions, each from an offset, or from its beginning (None)."""
        with translated(self._cluster.servers):
            self._consumer.assign([self._named(number) for number in offsets])
            for number, offset in offsets.items():
                self.seek(number, offset)

    def subscribe(self) -> None:
        """Share the topic's partitions with the other members of the group; each goes on from what was committed, or from its beginning."""
        with translated(self._cluster.servers):
            self._consumer.subscribe([self._topic])

    def assigned(self) -> frozenset[int]:
        """The partitions that are read here now; with a group that changes while polling."""
        return frozenset(each.partition for each in self._consumer.assignment())

    def poll(self, seconds: float, most: int = MOST) -> list[Incoming]:
        """At most so many records, as soon as there are some or after so many seconds; of one partition in order.

        A record that cannot be understood ends what is returned, and is raised when it would be the next: it is never passed over.
        """
        with translated(self._cluster.servers):
            polled: Mapping[Partition, list[Any]] = self._consumer.poll(timeout_ms=int(seconds * 1000), max_records=most)
        found: list[Incoming] = []
        waiting = list(polled.items())
        for place, (named, raws) in enumerate(waiting):
            for raw in raws:
                try:
                    found.append(read(raw, self._codec))
                except DaybookError:
                    self._give_back({named: raw.offset, **{other: later[0].offset for other, later in waiting[place + 1 :]}})
                    if found:
                        return found
                    raise
        return found

    def seek(self, number: int, offset: int | None) -> None:
        """Go on reading a partition that is read here at an offset, or at its beginning (None)."""
        with translated(self._cluster.servers):
            if offset is None:
                self._consumer.seek_to_beginning(self._named(number))
            else:
                self._consumer.seek(self._named(number), offset)

    def position(self, number: int) -> int:
        """The offset of the record that comes next in a partition that is read here."""
        with translated(self._cluster.servers):
            found = self._consumer.position(self._named(number), timeout_ms=POSITION_MS)
        if found is None:
            raise KafkaUnavailable("kafka.unavailable", f"Kafka does not say where partition {number} of {self._topic} is to be read")
        return int(found)

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell the group where each partition is to be gone on with: at the offset after the last record that was dealt with."""
        with translated(self._cluster.servers):
            self._consumer.commit({self._named(number): OffsetAndMetadata(offset, "", -1) for number, offset in offsets.items()})

    def bounds(self, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
        """Of each partition the first offset that is kept, and the one that the next record will have."""
        named = [self._named(number) for number in partitions]
        with translated(self._cluster.servers):
            first, end = self._consumer.beginning_offsets(named), self._consumer.end_offsets(named)
        return {each.partition: (first[each], end[each]) for each in named}

    def close(self) -> None:
        """Let go of the partitions, so that others get them at once."""
        with translated(self._cluster.servers):
            self._consumer.close()

    def __enter__(self) -> Self:
        """Nothing more has to be done to use it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def _give_back(self, offsets: Mapping[Partition, int]) -> None:
        for named, offset in offsets.items():
            self._consumer.seek(named, offset)

    def _named(self, number: int) -> Partition:
        return partition(self._topic, number)
