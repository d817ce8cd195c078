"""Making our topics where they are missing, and telling one from another of the same name that came after it."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, cast

from kafka.admin import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from bus.errors import KafkaUnavailable
from bus.kafka.cluster import Cluster, translated

MOST_BYTES: Final = 8 * 1024 * 1024
"""The largest batch of records that our topics take."""
ADMIN_MS: Final = 10_000
FOR_EVER: Final = -1
"""Days: nothing is thrown away by itself, so that whoever comes later can read from the first event."""
_DAY_MS: Final = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that is there."""

    name: str
    identity: str
    """Another one, made after this one was deleted, has another identity."""
    partitions: int


def find_topic(cluster: Cluster, name: str) -> Topic | None:
    """A topic, None where there is none. Raises KafkaUnavailable or KafkaRefused."""
    with _admin(cluster) as admin:
        return _found(admin, name)


def make_topic(cluster: Cluster, name: str, *, partitions: int, replication: int, days: int = FOR_EVER) -> Topic:
    """A topic that keeps records for so many days, made where there is none; one that is there stays as it is.

    Raises KafkaUnavailable or KafkaRefused.
    """
    kept = {
        "cleanup.policy": "delete",
        "retention.ms": str(FOR_EVER if days == FOR_EVER else days * _DAY_MS),
        "retention.bytes": "-1",
        "max.message.bytes": str(MOST_BYTES),
    }
    options = {"num_partitions": partitions, "replication_factor": replication, "configs": kept}
    with _admin(cluster) as admin:
        found = _found(admin, name)
        if found is None:
            with suppress(TopicAlreadyExistsError):
                admin.create_topics({name: options})
            admin.wait_for_topics([name])
            found = _found(admin, name)
        if found is None:
            raise KafkaUnavailable("kafka.no_topic", f"the topic {name} was made, but is gone again")
        return found


@contextmanager
def _admin(cluster: Cluster) -> Generator[Any]:
    with translated(cluster.servers):
        admin = cast("Any", KafkaAdminClient(**cluster.options(request_timeout_ms=ADMIN_MS)))
        try:
            yield admin
        finally:
            admin.close()


def _found(admin: Any, name: str) -> Topic | None:
    described: list[Mapping[str, Any]] = admin.describe_topics([name])
    [topic] = described
    if topic["error_code"] or not topic["partitions"]:
        return None
    return Topic(name, str(topic.get("topic_id", "")), len(topic["partitions"]))
