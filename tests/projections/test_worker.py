"""Workers over a real broker and a real PostgreSQL: whatever befalls them, the lookups are what the log says."""

import gc
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest

from bus.kafka.cluster import Cluster
from domain.envelope import StoredEvent
from projections.engine import Engine
from projections.versions import start
from projections.worker import Worker
from readmodels.layout import State
from tests.kafka_broker.broker import Broker
from tests.projections.feed import MemoryFeed, wild_history
from tests.projections.shipping import Shipper
from tests.projections.tables import at_the_beginning, cells, engines

SESSION = 6.0


@contextmanager
def working(engine: Engine, cluster: Cluster) -> Iterator[Worker]:
    worker = Worker(engine, cluster, session_seconds=SESSION)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(60)
        assert not thread.is_alive()


def until(reached: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def told(engine: Engine) -> set[int]:
    return {version.position for version in engine.tables.versions() if version.state is State.SERVING}


def assert_as_the_log_says(engine: Engine, events: Sequence[StoredEvent]) -> None:
    with engines(MemoryFeed(events)) as embedded:
        start(embedded[0].feed, embedded)
        assert {fold: cells(engine, fold) for fold in engine.plans} == {fold: cells(embedded[0], fold) for fold in engine.plans}


@pytest.fixture
def lookups(postgres_url: str) -> Iterator[Engine]:
    with engines(MemoryFeed(), lookups_url=postgres_url) as made:
        at_the_beginning(made)
        yield made[0]


def test_workers_that_come_and_go_while_events_are_published(lookups: Engine, kafka_server: Broker, topics_prefix: str) -> None:
    events = wild_history(5, 3_000, ids=20)
    cluster = Cluster(kafka_server.address, topics_prefix)
    shipper = Shipper(cluster, 4)
    chance = random.Random(1)

    def ship() -> None:
        for start_at in range(0, len(events), 60):
            shipper.ship(events[start_at : start_at + 60])
            time.sleep(0.2)

    publishing = threading.Thread(target=ship)
    publishing.start()
    with working(lookups, cluster):
        while publishing.is_alive():
            with working(lookups, cluster):
                time.sleep(chance.uniform(0.5, 3))
                with working(lookups, cluster):
                    time.sleep(chance.uniform(0.5, 3))
        publishing.join()
        until(lambda: told(lookups) == {3_000})
    shipper.close()
    assert_as_the_log_says(lookups, events)


def test_events_shipped_twice_by_two_publishers_count_once(lookups: Engine, kafka_server: Broker, topics_prefix: str) -> None:
    events = wild_history(6, 400, ids=9)
    cluster = Cluster(kafka_server.address, topics_prefix)
    one = Shipper(cluster, 3)
    other = Shipper(cluster, 3, make=False, epoch=2)
    with working(lookups, cluster):
        one.ship(events[:150])
        other.ship(events[:250])
        one.ship(events[150:300])
        other.ship(events[250:])
        one.ship(events[300:])
        until(lambda: told(lookups) == {400})
    for shipper in (one, other):
        shipper.close()
    assert_as_the_log_says(lookups, events)


def test_a_database_that_drops_every_connection_makes_workers_wait_and_no_more(
    lookups: Engine, postgres_url: str, postgres_server: str, kafka_server: Broker, topics_prefix: str
) -> None:
    events = wild_history(12, 600, ids=9)
    cluster = Cluster(kafka_server.address, topics_prefix)
    shipper = Shipper(cluster, 3)
    name = urlsplit(postgres_url).path.removeprefix("/")
    troubles: set[str] = set()
    with working(lookups, cluster) as worker, psycopg.connect(postgres_server, autocommit=True) as elsewhere:
        until(lambda: bool(worker.standing.partitions))
        elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        for start_at in range(0, len(events), 100):
            elsewhere.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            shipper.ship(events[start_at : start_at + 100])
            until(lambda: worker.trouble is not None)
            troubles.add(str(worker.trouble))
            elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
            until(lambda reached=start_at + 100: told(lookups) == {reached})
            elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        until(lambda: worker.trouble is None)
    shipper.close()
    assert troubles
    assert_as_the_log_says(lookups, events)


def test_a_worker_that_begins_later_goes_back_for_what_its_database_lost(
    lookups: Engine, another_postgres_url: str, kafka_server: Broker, topics_prefix: str
) -> None:
    events = wild_history(8, 300, ids=9)
    cluster = Cluster(kafka_server.address, topics_prefix)
    shipper = Shipper(cluster, 3)
    shipper.ship(events)
    Worker(lookups, cluster, session_seconds=SESSION).run(once=True)
    assert told(lookups) == {300}
    with engines(MemoryFeed(), lookups_url=another_postgres_url) as fresh:  # as if an older copy had been restored
        at_the_beginning(fresh)
        with working(fresh[0], cluster):
            until(lambda: told(fresh[0]) == {300})
        assert_as_the_log_says(fresh[0], events)
    shipper.close()


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # the client leaves sockets that never connected to the collector
def test_a_broker_that_forgot_everything_is_shipped_to_again_and_nothing_counts_twice(
    lookups: Engine, own_kafka_server: Broker, topics_prefix: str
) -> None:
    events = wild_history(9, 400, ids=9)
    cluster = Cluster(own_kafka_server.address, topics_prefix)
    shipper = Shipper(cluster, 3)
    with working(lookups, cluster) as worker:
        shipper.ship(events[:200])
        until(lambda: told(lookups) == {200})
        shipper.close()
        own_kafka_server.kill()
        own_kafka_server.wipe()
        time.sleep(1)
        own_kafka_server.start()
        again = Shipper(cluster, 3)
        again.ship(events)
        until(lambda: told(lookups) == {400})
        assert worker.trouble is None
        again.close()
    assert_as_the_log_says(lookups, events)
    gc.collect()
