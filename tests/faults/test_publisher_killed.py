"""kill -9 of `daybook publish` and of the broker at any moment: every event comes to be in the topic, once and in order for whoever reads."""

import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import pytest
from uuid_utils.compat import uuid7

from bus.kafka.cluster import Cluster
from bus.kafka.topics import make_topic
from bus.keystore import open_vault
from bus.log import Log, open_log
from bus.vault import master_key
from tests.contracts.commits import commit, contact, stream_of
from tests.faults.commands import Forked, start
from tests.kafka_broker.broker import Broker
from tests.kafka_topic import contents, epochs, equal, in_topic_once

ENDS_WITHIN = 120.0


@contextmanager
def written(log: Log, *, seed: int) -> Iterator[None]:
    """Somebody writes all the time."""
    stop, draw = Flag(), random.Random(seed)

    def write() -> None:
        while not stop.is_set():
            customer = uuid7()
            commits = [commit(*(contact(customer) for _ in range(draw.randint(1, 6)))), stream_of(2)]
            with log.transaction() as tx:
                tx.append(commits if draw.random() < 0.9 else [*commits, *(stream_of(3) for _ in range(100))])
            stop.wait(draw.random() * 0.01)

    thread = Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def publish(data: Path, cluster: Cluster, *arguments: str) -> Forked:
    settings = {"kafka": cluster.servers, "topics_prefix": cluster.prefix, "kafka_partitions": "3"}
    return start(data, "publish", *arguments, output=data.with_name("publish.txt"), settings=settings)


def finish(data: Path, cluster: Cluster) -> None:
    assert publish(data, cluster, "--once").wait(ENDS_WITHIN) == 0, data.with_name("publish.txt").read_text()[-3000:]


@pytest.fixture
def log(data_folder: Path) -> Iterator[Log]:
    key = master_key(data_folder / "master.key")
    with closing(open_vault(data_folder / "keys.db", key)) as vault, closing(open_log(data_folder / "log.db", vault)) as opened:
        yield opened


@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_a_publisher_killed_at_any_moment_loses_nothing_and_sends_nothing_twice(
    data_folder: Path,
    log: Log,
    kafka_server: Broker,
    topics_prefix: str,
    soak: bool,  # noqa: FBT001
) -> None:
    cluster, moments = Cluster(kafka_server.address, topics_prefix), random.Random(5)
    kills = 0
    with written(log, seed=5):
        for _ in range(100 if soak else 6):
            publisher = publish(data_folder, cluster)
            try:
                code = publisher.wait(1.5 + moments.random())
                raise AssertionError(f"it ended with {code}: {data_folder.with_name('publish.txt').read_text()[-3000:]}")
            except subprocess.TimeoutExpired:
                publisher.kill()
                publisher.wait()
                kills += 1
    finish(data_folder, cluster)
    found = contents(cluster, upto=log.head())
    equal(found, log)
    assert len(epochs(found)) > 2
    assert kills >= 6


@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_a_broker_killed_at_any_moment_has_everything_in_the_end(
    data_folder: Path,
    log: Log,
    own_kafka_server: Broker,
    topics_prefix: str,
    soak: bool,  # noqa: FBT001
) -> None:
    cluster, moments = Cluster(own_kafka_server.address, topics_prefix), random.Random(7)
    with written(log, seed=7):
        publisher = publish(data_folder, cluster)
        for _ in range(30 if soak else 2):
            time.sleep(2 + moments.random())
            own_kafka_server.kill()
            time.sleep(moments.random())
            own_kafka_server.start()
        time.sleep(1)
        assert publisher.poll() is None, "it survives the restarts of its broker"
        publisher.terminate()
        assert publisher.wait(ENDS_WITHIN) == 0
    finish(data_folder, cluster)
    equal(contents(cluster, upto=log.head()), log)


@pytest.mark.alone
def test_a_publisher_that_is_told_to_stop_ends_well(data_folder: Path, log: Log, kafka_server: Broker, topics_prefix: str) -> None:
    cluster = Cluster(kafka_server.address, topics_prefix)
    with log.transaction() as tx:
        tx.append([stream_of(500)])
    make_topic(cluster, cluster.events, partitions=3, replication=1)
    publisher = publish(data_folder, cluster)
    found = contents(cluster, upto=500)
    publisher.terminate()
    assert publisher.wait(ENDS_WITHIN) == 0
    equal(found, log)
    in_topic_once(found)
    said = data_folder.with_name("publish.txt").read_text()
    assert '"position":500' in said
    assert '"lag":0' in said
