"""The topic of commands with a real broker: what is not done comes again, and two takers share it."""

from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from api.command_topic.taking import Taking
from bus.kafka.cluster import Cluster
from bus.kafka.command_topic import CommandTopic
from tests.api.test_command_topic import LARGEST, command
from tests.commands.orders import Desk
from tests.kafka_broker.broker import Broker

PARTITIONS = 2


@pytest.fixture
def connection(kafka_server: Broker, topics_prefix: str) -> dict[str, Any]:
    connection = {"bootstrap_servers": kafka_server.address}
    admin = KafkaAdminClient(**connection)
    admin.create_topics([NewTopic(f"{topics_prefix}.{name}", PARTITIONS, 1) for name in ("commands", "receipts", "refused")])
    admin.close()
    return connection


@pytest.fixture
def topics(connection: dict[str, Any], topics_prefix: str) -> Iterator[Any]:
    opened: list[CommandTopic] = []

    def new() -> CommandTopic:
        opened.append(CommandTopic(Cluster(connection["bootstrap_servers"], topics_prefix)))
        return opened[-1]

    yield new
    for topic in opened:
        topic.close()


def give(connection: dict[str, Any], prefix: str, numbers: range) -> None:
    producer = KafkaProducer(**connection)
    for number in numbers:
        message = command("register_customer", {"name": f"Customer {number}"}, f"c-{number}")
        producer.send(f"{prefix}.commands", key=str(number).encode(), value=message.value, headers=list(message.headers))
    producer.flush()
    producer.close()


def receipts(connection: dict[str, Any], prefix: str, least: int) -> list[str]:
    consumer = KafkaConsumer(f"{prefix}.receipts", auto_offset_reset="earliest", consumer_timeout_ms=5000, **connection)
    found: list[str] = []
    for record in consumer:
        found.append(dict(record.headers)["ce_subject"].decode())
        if len(found) >= least:
            break
    consumer.close()
    return found


def taking(desk: Desk, topic: CommandTopic, prefix: str) -> Taking:
    return Taking(
        topic,
        desk.dispatcher.execute,
        stopping=Event(),
        receipts=f"{prefix}.receipts",
        refusals=f"{prefix}.refused",
        largest=LARGEST,
        outages=(),
    )


def work_until(taker: Taking, many: int) -> None:
    for _ in range(60):
        taker.step()
        if taker.taken >= many:
            return
    raise AssertionError(f"only {taker.taken} of {many} commands came")


def test_commands_of_a_topic_are_applied_and_answered(connection: dict[str, Any], topics: Any, topics_prefix: str) -> None:
    desk = Desk()
    give(connection, topics_prefix, range(40))
    work_until(taking(desk, topics(), topics_prefix), 40)
    assert sorted(receipts(connection, topics_prefix, 40)) == sorted(f"c-{number}" for number in range(40))
    assert len(desk.log.events) == 40


def test_what_was_taken_but_not_done_comes_again_and_changes_nothing(connection: dict[str, Any], topics: Any, topics_prefix: str) -> None:
    desk, topic = Desk(), topics()
    give(connection, topics_prefix, range(20))
    taker = taking(desk, topic, topics_prefix)
    for _ in range(60):
        messages = topic.take(20, 0.5)
        if messages:
            break
    topic.send(taker._answers(messages)[0])
    topic.again()
    work_until(taker, 20)
    assert len(desk.log.events) == 20
    assert set(receipts(connection, topics_prefix, 20 + len(messages))) == {f"c-{number}" for number in range(20)}


def test_who_goes_on_for_a_killed_taker_begins_where_that_one_was_done(connection: dict[str, Any], topics: Any, topics_prefix: str) -> None:
    desk, first = Desk(), topics()
    give(connection, topics_prefix, range(10))
    work_until(taking(desk, first, topics_prefix), 10)
    first.close()
    give(connection, topics_prefix, range(10, 25))
    second = taking(desk, topics(), topics_prefix)
    work_until(second, 15)
    assert second.taken == 15
    assert len(desk.log.events) == 25
