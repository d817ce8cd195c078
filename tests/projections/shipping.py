"""Events brought to Kafka by a test itself, so that it can ship them twice, late, or to a broker that forgot everything."""

from collections.abc import Sequence

import orjson
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from bus.kafka.cluster import Cluster
from bus.kafka.records import Link, event_record, key_of, partition_of, settled_record
from bus.stored_text import StoredText
from domain.envelope import StoredEvent
from tests.projections.feed import state


class Shipper:
    """One publisher, with what each partition has had from it."""

    def __init__(self, cluster: Cluster, partitions: int, *, make: bool = True, epoch: int = 1) -> None:
        self.cluster = cluster
        self.last = [0] * partitions
        self.epoch = epoch
        if make:
            admin = KafkaAdminClient(bootstrap_servers=cluster.servers)
            admin.create_topics([NewTopic(cluster.events, partitions, 1)])
            admin.close()
        self._producer = KafkaProducer(bootstrap_servers=cluster.servers, enable_idempotence=True, acks="all")

    def ship(self, events: Sequence[StoredEvent]) -> None:
        settled, settled_id = events[-1].position, events[-1].id
        for event in events:
            text = state(event)
            stored = StoredText(event.position, event.stream_id, event.version, event.type, text)
            part = partition_of(key_of(stored, orjson.loads(text)), len(self.last))
            link = Link(self.last[part], event.position - 1, event.id, self.epoch)
            made = event_record(stored, link)
            self._producer.send(self.cluster.events, key=made.key, value=made.value, headers=made.headers, partition=part)
            self.last[part] = event.position
        for part, last in enumerate(self.last):
            made = settled_record(part, Link(last, settled, settled_id, self.epoch))
            self._producer.send(self.cluster.events, key=made.key, value=made.value, headers=made.headers, partition=part)
        self._producer.flush(30)

    def close(self) -> None:
        self._producer.close()
