"""Publishing a PostgreSQL log to Kafka by `daybook publish`, and reading it, beside a bare producer and a bare consumer of the same records."""

import time
from collections.abc import Sequence
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from bench.cpu import cores
from bench.scaled import Scaled
from bus.kafka.cluster import Cluster
from bus.kafka.reading import EventReader
from bus.kafka.topics import make_topic

PARTITIONS = 6
LOOK = 0.02
PATIENCE = 300.0
AT_ONCE = 4_000
BATCH_BYTES = 1_000_000
LINGER_MS = 20


def published(scaled: Scaled, prefix: str, head: int) -> tuple[float, dict[str, float]]:
    """Events a second into a new topic, from when the first are there until all are; and how many cores each part kept busy."""
    cluster = scaled.cluster(prefix)
    make_topic(cluster, cluster.events, partitions=PARTITIONS, replication=1)
    with EventReader(cluster, catalogue=None) as reader, scaled.running(scaled.settings(prefix), "publish") as command:
        meter = scaled.meter(publisher=[command.pid])
        began, first = _reached(reader, 1), meter.read()
        ended, last = _reached(reader, head), meter.read()
        command.said()
    return (ended[1] - began[1]) / (ended[0] - began[0]), cores(first, last)


def _reached(reader: EventReader, count: int) -> tuple[float, int]:
    """When the topic had at least so many records, and how many it had then."""
    until = time.perf_counter() + PATIENCE
    while time.perf_counter() < until:
        found = sum(end for _, end in reader.bounds(range(PARTITIONS)).values())
        if found >= count:
            return time.perf_counter(), found
        time.sleep(LOOK)
    raise RuntimeError(f"the topic did not come to {count} records")


def consumed(cluster: Cluster) -> tuple[float, list[Any]]:
    """Records a second of a bare consumer that reads the whole topic, and the records."""
    consumer = KafkaConsumer(bootstrap_servers=cluster.servers, max_partition_fetch_bytes=4 * BATCH_BYTES, metrics_enabled=False)
    partitions = [TopicPartition(cluster.events, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    count = sum(consumer.end_offsets(partitions).values())
    consumer.seek_to_beginning(*partitions)
    found: list[Any] = []
    began = time.perf_counter()
    while len(found) < count:
        for some in consumer.poll(timeout_ms=1000, max_records=AT_ONCE).values():
            found += some
    rate = count / (time.perf_counter() - began)
    consumer.close()
    return rate, found


def read(cluster: Cluster) -> float:
    """Events a second of our reader: the same with every record told apart and every event decoded."""
    with EventReader(cluster) as reader:
        reader.assign(dict.fromkeys(range(PARTITIONS)))
        count, found = sum(end for _, end in reader.bounds(range(PARTITIONS)).values()), 0
        began = time.perf_counter()
        while found < count:
            found += len(reader.poll(1.0, AT_ONCE))
        return count / (time.perf_counter() - began)


def sent(cluster: Cluster, records: Sequence[Any]) -> float:
    """Records a second of a bare idempotent producer that sends these, which are in memory, into a new topic."""
    make_topic(cluster, cluster.events, partitions=PARTITIONS, replication=1)
    options = {"enable_idempotence": True, "acks": "all", "batch_size": BATCH_BYTES, "linger_ms": LINGER_MS, "metrics_enabled": False}
    producer: Any = KafkaProducer(bootstrap_servers=cluster.servers, **options)
    began = time.perf_counter()
    for each in records:
        producer.send(cluster.events, each.value, each.key, each.headers, each.partition)
    producer.flush()
    rate = len(records) / (time.perf_counter() - began)
    producer.close()
    return rate
