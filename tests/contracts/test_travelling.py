"""What consumers rely on, by whatever way events come to them: in the process, or over Kafka."""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Protocol

import pytest
from uuid_utils.compat import uuid7

from bus.kafka.cluster import Cluster
from bus.kafka.publisher import Layout, Publisher
from bus.log import Log
from bus.publisher_lock import publisher_lock
from domain.envelope import StoredEvent
from tests.contracts.commits import commit, contact, renamed, stream_of
from tests.contracts.conftest import Storage
from tests.kafka_broker.broker import Broker
from tests.kafka_topic import contents, equal


class Way(Protocol):
    """A way for events to come to a consumer."""

    def travelling(self, log: Log) -> "Iterator[None]":
        """What has to go on meanwhile."""
        ...

    def received(self, log: Log) -> Sequence[Sequence[StoredEvent]]:
        """All that a consumer gets who begins at zero, in sequences of which each has an order."""
        ...


class InProcess:
    """The log's own feed, in pages."""

    def travelling(self, log: Log) -> Iterator[None]:
        del log
        yield

    def received(self, log: Log) -> Sequence[Sequence[StoredEvent]]:
        events: list[StoredEvent] = []
        while page := log.read(events[-1].position if events else 0, 37):
            events += page
        return [events]


class OverKafka:
    """The topic that a publisher ships to."""

    def __init__(self, cluster: Cluster, lock: Callable[[], Publisher]) -> None:
        self.cluster = cluster
        self._publisher = lock

    def travelling(self, log: Log) -> Iterator[None]:
        del log
        stop, publisher = Flag(), self._publisher()
        thread = Thread(target=publisher.run, args=(stop,))
        thread.start()
        yield
        stop.set()
        thread.join(60)

    def received(self, log: Log) -> Sequence[Sequence[StoredEvent]]:
        self._publisher().run(Flag(), once=True)
        found = contents(self.cluster, upto=log.head())
        equal(found, log)
        return [[each.event for each in records if each.event is not None] for records in found.new.values()]


@pytest.fixture(params=["in process", "over Kafka"])
def way(request: pytest.FixtureRequest, storage: Storage, log: Log, tmp_path: Path) -> Way:
    if request.param == "in process":
        return InProcess()
    broker: Broker = request.getfixturevalue("kafka_server")
    cluster = Cluster(broker.address, request.getfixturevalue("topics_prefix"))
    url = storage.log_place if storage.log_place.startswith("postgres") else None
    return OverKafka(cluster, lambda: Publisher(log, cluster, publisher_lock(url, tmp_path / "publish.lock"), Layout(4)))


@contextmanager
def travelling(way: Way, log: Log) -> Iterator[None]:
    yield from way.travelling(log)


def write(log: Log, number: int, seed: int = 0) -> None:
    """Commits of a few events, of customers and of streams that belong to none."""
    draw = random.Random(seed)
    for _ in range(number):
        customer = uuid7()
        commits = [commit(*(contact(customer) for _ in range(draw.randint(1, 4)))), stream_of(draw.randint(1, 3))]
        with log.transaction() as tx:
            tx.append(commits)


def merged(received: Sequence[Sequence[StoredEvent]]) -> list[StoredEvent]:
    return sorted((event for sequence in received for event in sequence), key=lambda event: event.position)


def test_every_event_comes_once_and_as_it_is_stored(way: Way, log: Log) -> None:
    write(log, 60)
    assert merged(way.received(log)) == log.read(0, 10_000)


def test_each_sequence_is_in_the_order_of_the_log(way: Way, log: Log) -> None:
    write(log, 60)
    for sequence in way.received(log):
        positions = [event.position for event in sequence]
        assert positions == sorted(set(positions))


def test_what_belongs_to_one_customer_comes_in_one_sequence(way: Way, log: Log) -> None:
    customers = [uuid7() for _ in range(20)]
    for round_ in range(3):
        with log.transaction() as tx:
            tx.append([commit(contact(customer), after=round_) for customer in customers])
    received = way.received(log)
    for customer in customers:
        holding = [sequence for sequence in received if any(event.data.get("customer_id") == str(customer) for event in sequence)]
        assert len(holding) == 1


def test_what_belongs_to_one_stream_comes_in_its_order(way: Way, log: Log) -> None:
    pipelines = [uuid7() for _ in range(10)]
    for number in range(5):
        with log.transaction() as tx:
            tx.append([commit(renamed(pipeline, number), after=number) for pipeline in pipelines])
    versions: dict[str, list[int]] = {}
    for sequence in way.received(log):
        for event in sequence:
            versions.setdefault(event.stream_id, []).append(event.version)
    assert set(map(tuple, versions.values())) == {(1, 2, 3, 4, 5)}


def test_who_reads_again_from_zero_gets_the_same_and_what_came_since(way: Way, log: Log) -> None:
    write(log, 20)
    before = merged(way.received(log))
    write(log, 10, seed=1)
    after = merged(way.received(log))
    assert after[: len(before)] == before
    assert after == log.read(0, 10_000)


def test_nothing_is_lost_or_comes_twice_while_several_write(way: Way, log: Log) -> None:
    with travelling(way, log), ThreadPoolExecutor(4) as pool:
        for writing in [pool.submit(write, log, 40, seed) for seed in range(4)]:
            writing.result()
    assert merged(way.received(log)) == log.read(0, 100_000)
