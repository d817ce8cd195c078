"""That the broker of the tests is a real one: what was sent to it is read from it."""

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from tests.kafka_broker.broker import Broker


def send(broker: Broker, topic: str, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.address, enable_idempotence=True, acks="all")
    for value in values:
        producer.send(topic, value, partition=0)
    producer.flush(20)
    producer.close()


def received(broker: Broker, topic: str, number: int) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=broker.address)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    values: list[bytes] = []
    while len(values) < number:
        values += [record.value for records in consumer.poll(10_000).values() for record in records]
    consumer.close()
    return values


def make(broker: Broker, topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.create_topics([NewTopic(topic, 1, 1)])
    admin.close()


def test_what_is_sent_is_read(kafka_server: Broker, topics_prefix: str) -> None:
    make(kafka_server, topics_prefix)
    send(kafka_server, topics_prefix, b"one", b"two")
    assert received(kafka_server, topics_prefix, 2) == [b"one", b"two"]


def test_a_killed_broker_starts_again_with_what_it_had(own_kafka_server: Broker, topics_prefix: str) -> None:
    make(own_kafka_server, topics_prefix)
    send(own_kafka_server, topics_prefix, b"one")
    own_kafka_server.kill()
    own_kafka_server.start()
    if not own_kafka_server.durable:
        make(own_kafka_server, topics_prefix)
        send(own_kafka_server, topics_prefix, b"one")
    send(own_kafka_server, topics_prefix, b"two")
    assert received(own_kafka_server, topics_prefix, 2) == [b"one", b"two"]
