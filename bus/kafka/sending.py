"""Sending batches of records, each partition's as one batch that is written whole or not at all, and whoever sent them knows which."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError

from bus.errors import KafkaUnavailable
from bus.kafka.cluster import Cluster, translated
from bus.kafka.records import Outgoing
from bus.kafka.topics import MOST_BYTES

BATCH_BYTES: Final = 1_000_000
"""Room for a partition's records in one batch: what a broker takes that nobody has set otherwise."""
LINGER_MS: Final = 60_000
REQUEST_MS: Final = 10_000
DELIVERY_MS: Final = 120_000
"""How long one batch is tried, through restarts of brokers, before its fate is looked up in the topic."""
LOOK_SECONDS: Final = 2.0
"""After so long without an answer it is worth a word, and a look whether the topic is still there."""


class Unsure(KafkaUnavailable):
    """Something that was sent may be in the topic or not (`kafka.unsure`): go on from what the topic has."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one partition gets, and the offset that its first record must have."""

    partition: int
    offset: int
    records: Sequence[Outgoing]


class Sender:
    """Sends loads one after the other with an idempotent producer: retried inside, they are in the topic once and in order."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._servers = cluster.servers
        self._topic = topic
        # Nothing is sent before a flush, so that one flush sends one batch to each partition.
        options = cluster.options(
            enable_idempotence=True,
            acks="all",
            linger_ms=LINGER_MS,
            batch_size=BATCH_BYTES,
            max_request_size=MOST_BYTES,
            request_timeout_ms=REQUEST_MS,
            delivery_timeout_ms=DELIVERY_MS,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        with translated(cluster.servers):
            self._producer: Any = KafkaProducer(**options)

    def send(self, loads: Sequence[Load], waiting: Callable[[float], None]) -> None:
        """Have loads written; `waiting` is told for how many seconds, again and again, while there is no answer.

        Raises Unsure when that failed, or when somebody else has written to the topic, or it is another one now; then nothing more may be sent.
        """
        try:
            with translated(self._servers):
                told = [[self._put(load.partition, record) for record in load.records] for load in loads]
                self._flush(waiting)
                written = [(each[0].get(0).offset, each[-1].get(0).offset) for each in told]
        except KafkaUnavailable as error:
            raise Unsure("kafka.unsure", f"it is not known whether what was sent is in {self._topic}: {error.message}") from error
        for load, (first, last) in zip(loads, written, strict=True):
            if (first, last) != (load.offset, load.offset + len(load.records) - 1):
                message = f"partition {load.partition} of {self._topic} went on at offset {first}, where {load.offset} was expected"
                raise Unsure("kafka.unsure", message)

    def abandon(self) -> None:
        """Let go of the producer without sending anything more."""
        with translated(self._servers):
            abandon(self._producer)

    def _put(self, partition: int, record: Outgoing) -> Any:
        return self._producer.send(self._topic, record.value, record.key, record.headers, partition)

    def _flush(self, waiting: Callable[[float], None]) -> None:
        began = time.monotonic()
        while True:
            try:
                self._producer.flush(LOOK_SECONDS)
            except KafkaTimeoutError:
                waiting(time.monotonic() - began)
            else:
                return


def abandon(producer: Any) -> None:
    """Close a producer of the library's without sending anything more; its own `close` waits for what is under way, or leaves it running."""
    producer._sender.force_close()  # noqa: SLF001
    producer._sender.join(REQUEST_MS / 1000)  # noqa: SLF001
    producer.close(timeout=0)
