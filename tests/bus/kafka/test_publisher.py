"""Everything that is in the log comes to be in the topic: once, in order, whoever published it and however that ended."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from types import TracebackType
from typing import Self

import pytest
from kafka.admin import KafkaAdminClient
from uuid_utils.compat import uuid7

from bus.errors import KafkaUnavailable, PublisherRunning, TopicBroken
from bus.kafka.cluster import Access, Cluster
from bus.kafka.publisher import Publisher
from bus.kafka.sending import Sender, Unsure
from bus.kafka.shipping import Shipment
from bus.kafka.tails import tails
from bus.kafka.topics import find_topic, make_topic
from bus.keystore import open_vault
from bus.log import open_log
from bus.publisher_lock import FileLock, PostgresLock, PublisherLock
from tests.bus.kafka.conftest import Publishing
from tests.contracts.commits import commit, contact
from tests.faults.server import free_port
from tests.kafka_broker.broker import Broker
from tests.kafka_topic import contents, epochs, equal, in_topic_once


def eventually(true: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def deleted(cluster: Cluster) -> None:
    admin = KafkaAdminClient(bootstrap_servers=cluster.servers)
    admin.delete_topics([cluster.events])
    admin.close()
    eventually(lambda: find_topic(cluster, cluster.events) is None)


def test_everything_is_published_once_and_in_order(publishing: Publishing) -> None:
    publishing.write(customers=700, events=3)
    publisher = publishing.once()
    assert (publisher.position, publisher.lag, publisher.shipped, publisher.epoch) == (2800, 0, 2800, 1)
    found = contents(publishing.cluster, upto=2800)
    equal(found, publishing.log)
    in_topic_once(found)


def test_what_one_publisher_left_the_next_goes_on_with(publishing: Publishing) -> None:
    for _ in range(4):
        publishing.write(customers=25, events=2)
        publishing.once()
    assert publishing.once().shipped == 0
    found = contents(publishing.cluster, upto=300)
    equal(found, publishing.log)
    in_topic_once(found)
    assert epochs(found) == [1, 2, 3, 4]


def test_an_empty_log_is_published(publishing: Publishing) -> None:
    publisher = publishing.once()
    assert (publisher.position, publisher.lag) == (0, 0)


def test_what_is_written_while_a_publisher_runs_comes_at_once(publishing: Publishing) -> None:
    with publishing.going_on() as publisher:
        for number in range(1, 6):
            publishing.write(customers=1, events=1)
            eventually(lambda at=2 * number: publisher.position == at, 20)
        assert publisher.answering
    equal(contents(publishing.cluster, upto=10), publishing.log)


def test_every_partition_knows_how_far_it_is_complete(publishing: Publishing) -> None:
    publishing.write(customers=1)
    publishing.once()
    found = contents(publishing.cluster, upto=2)
    assert set(found.upto.values()) == {2}
    assert sum(record.event is None for records in found.raw.values() for record in records) >= 1


def test_large_events_are_published_beside_small_ones(publishing: Publishing) -> None:
    customer = uuid7()
    with publishing.log.transaction() as tx:
        tx.append([commit(*(contact(customer, name="x" * size) for size in (10, 600_000, 600_000, 10, 1_500_000, 10)))])
    publishing.once()
    equal(contents(publishing.cluster, upto=6), publishing.log)


def test_a_deleted_topic_is_shipped_again_and_is_the_same(publishing: Publishing) -> None:
    publishing.write(customers=100, events=2)
    publishing.once()
    before = contents(publishing.cluster, upto=300)
    deleted(publishing.cluster)
    publishing.once()
    after = contents(publishing.cluster, upto=300)
    assert after.raw == before.raw


def test_a_topic_that_is_deleted_under_a_running_publisher_is_shipped_again(publishing: Publishing, kafka_server: Broker) -> None:
    if not kafka_server.durable:
        pytest.skip(f"{kafka_server.kind} goes on taking records for a topic that was deleted")
    publishing.write(customers=100)
    with publishing.going_on() as publisher:
        eventually(lambda: publisher.position == 200)
        deleted(publishing.cluster)
        publishing.write(customers=10)
        eventually(lambda: publisher.position == 220)
        assert publisher.outages >= 1
    equal(contents(publishing.cluster, upto=220), publishing.log)


def test_a_second_publisher_is_refused(publishing: Publishing) -> None:
    with publishing.going_on() as first:
        eventually(lambda: first.epoch == 1)
        with pytest.raises(PublisherRunning) as raised:
            publishing.once()
        assert raised.value.code == "publisher.running"
    publishing.once()


def test_a_publisher_whose_lock_file_was_taken_away_stops(publishing: Publishing) -> None:
    publisher = publishing.publisher()
    publishing.write(customers=1)
    with FileLock(publishing.lock) as lock:
        lock.verify()
        publishing.lock.unlink()
        with pytest.raises(PublisherRunning) as raised:
            lock.verify()
    assert raised.value.code == "publisher.replaced"
    publisher.run(Flag(), once=True)


def test_one_process_publishes_a_log_in_postgresql(postgres_url: str) -> None:
    with PostgresLock(postgres_url) as first:
        first.verify()
        with pytest.raises(PublisherRunning), PostgresLock(postgres_url):
            pass
    with PostgresLock(postgres_url) as second:
        second.verify()


class NoLock(PublisherLock):
    """What a publisher has whose lock went to another one without its noticing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def verify(self) -> None:
        return


def test_a_publisher_that_lost_its_lock_does_no_harm(publishing: Publishing) -> None:
    """A zombie sends what it had read before another one took over and went on; it notices at the latest with its next batch."""
    publishing.write(customers=60, events=2)
    topic = make_topic(publishing.cluster, publishing.cluster.events, partitions=3, replication=1)
    zombie = Shipment(Sender(publishing.cluster, topic.name), tails(publishing.cluster, 3))
    try:
        zombie.ship(publishing.log.read_texts(0, 30), lambda _: None)
        publishing.once()
        with pytest.raises(Unsure):
            zombie.ship(publishing.log.read_texts(zombie.position, 40), lambda _: None)
    finally:
        zombie.abandon()
    publishing.write(customers=20)
    publishing.once()
    found = contents(publishing.cluster, upto=220)
    equal(found, publishing.log)
    assert sum(map(len, found.raw.values())) > sum(map(len, found.new.values()))


def test_two_publishers_without_a_lock_do_no_harm(publishing: Publishing) -> None:
    """Both run at the same time and disturb one another; whoever reads has every event once and in order all the same."""
    stop = Flag()
    publishers = [Publisher(publishing.log, publishing.cluster, NoLock()) for _ in range(2)]
    make_topic(publishing.cluster, publishing.cluster.events, partitions=3, replication=1)
    threads = [Thread(target=each.run, args=(stop,)) for each in publishers]
    for thread in threads:
        thread.start()
    for _ in range(15):
        publishing.write(customers=10, events=2)
        time.sleep(0.05)
    eventually(lambda: max(each.position for each in publishers) == 450)
    stop.set()
    for thread in threads:
        thread.join(60)
    equal(contents(publishing.cluster, upto=450), publishing.log)


def test_another_log_is_refused(publishing: Publishing, tmp_path: Path) -> None:
    publishing.write(customers=5)
    publishing.once()
    with closing(open_vault(tmp_path / "other-keys.db", bytes(32))) as vault, closing(open_log(tmp_path / "other.db", vault)) as other:
        theirs = Publishing(other, publishing.cluster, tmp_path / "other.lock")
        with pytest.raises(TopicBroken) as raised:
            theirs.once()
        assert raised.value.code == "topic.ahead"
        theirs.write(customers=5)
        with pytest.raises(TopicBroken) as raised:
            theirs.once()
        assert raised.value.code == "topic.foreign"
        assert "delete" in raised.value.message


def test_a_broker_that_is_not_there_is_said_to_be_so(publishing: Publishing, tmp_path: Path) -> None:
    port = free_port()
    nowhere = Publishing(publishing.log, Cluster(f"127.0.0.1:{port}"), tmp_path / "publish.lock")
    with pytest.raises(KafkaUnavailable) as raised:
        nowhere.once()
    assert raised.value.code == "kafka.unavailable"
    assert str(port) in raised.value.message


def test_a_cluster_is_printed_without_its_password() -> None:
    cluster = Cluster("broker:9092", "daybook", Access("SASL_SSL", "PLAIN", "daybook", "hush", "ca.pem"))
    assert "hush" not in repr(cluster)
    assert cluster.options()["sasl_plain_password"] == "hush"
    assert cluster.options()["ssl_cafile"] == "ca.pem"


def test_a_broker_that_is_killed_and_comes_back_is_waited_for(breakable: Publishing, own_kafka_server: Broker) -> None:
    breakable.write(customers=100)
    with breakable.going_on() as publisher:
        eventually(lambda: publisher.position == 200)
        own_kafka_server.kill()
        breakable.write(customers=50)
        eventually(lambda: not publisher.answering, 30)
        own_kafka_server.start()
        breakable.write(customers=50)
        eventually(lambda: publisher.position == 400, 90)
        assert publisher.answering
    found = contents(breakable.cluster, upto=400)
    equal(found, breakable.log)


def test_a_wiped_broker_has_everything_again(breakable: Publishing, own_kafka_server: Broker) -> None:
    breakable.write(customers=100)
    with breakable.going_on() as publisher:
        eventually(lambda: publisher.position == 200)
        own_kafka_server.kill()
        own_kafka_server.wipe()
        own_kafka_server.start()
        breakable.write(customers=50)
        eventually(lambda: publisher.position == 300, 90)
    equal(contents(breakable.cluster, upto=300), breakable.log)
