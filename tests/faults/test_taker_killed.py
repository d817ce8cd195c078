"""kill -9 of `daybook take-commands` at random moments while commands come in: each has its effect once, and each is answered."""

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any, Final

import orjson
import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition

from bus.kafka.cluster import Cluster
from bus.kafka.topics import make_topic
from tests.faults import history
from tests.faults.clients import Command, Ledger, beginnings, receipt_of, shared
from tests.faults.fleet import Fleet, fleet, until
from tests.held import Held
from tests.kafka_broker.broker import Broker

TAKERS: Final = ("taker-1", "taker-2")
TOPICS: Final = ("commands", "receipts", "commands.refused")
PARTITIONS: Final = 3
NOISE: Final = b"\xffnot a command"


@dataclass
class Sender:
    """Sends commands at a steady pace: some wrong, some twice under one id, and now and then what is no command at all."""

    cluster: Cluster
    chance: random.Random
    ledger: Ledger = field(default_factory=Ledger)
    sent: int = 0
    noise: int = 0
    ended: Flag = field(default_factory=Flag)

    def run(self) -> None:
        """Send until told to end."""
        producer = KafkaProducer(bootstrap_servers=self.cluster.servers, enable_idempotence=True, acks="all")
        for command in beginnings():
            self._send(producer, command, key=b"beginning")
        producer.flush()
        while not self.ended.wait(0.01):
            for _ in range(self.chance.randint(1, 6)):
                self._draw(producer)
        producer.flush()
        producer.close()

    def _draw(self, producer: Any) -> None:
        draw, number = self.chance.random(), len(self.ledger.sent)
        if draw < 0.03:
            self.noise += 1
            producer.send(self.cluster.topic("commands"), key=b"noise", value=NOISE)
            return
        customer = {"source": "kafka", "id": f"{number}"}
        name, data = "register_customer", {"customer_id": customer, "name": f"Customer {number}"}
        if draw < 0.1:
            name, data = "rename_customer", {"customer_id": {"source": "nobody", "id": f"{number}"}, "name": "Nobody"}
        elif draw < 0.5:
            name, data = "log_interaction", {"customer_id": shared("customer", 0), "kind": "call", "direction": "inbound"}
        command = Command(command_id=f"k-{number}", name=name, data=data)
        for _ in range(2 if self.chance.random() < 0.1 else 1):
            self._send(producer, command, key=b"beginning" if name == "log_interaction" else str(number).encode())

    def _send(self, producer: Any, command: Command, key: bytes) -> None:
        self.ledger.sent[command.command_id] = command
        said = {"specversion": "1.0", "id": command.command_id, "source": "soak", "type": command.name}
        headers = [*((f"ce_{name}", value.encode()) for name, value in said.items()), ("content-type", b"application/json")]
        producer.send(self.cluster.topic("commands"), key=key, value=orjson.dumps(command.data), headers=headers)
        self.sent += 1


def records(cluster: Cluster, name: str) -> Sequence[Any]:
    """All that a topic holds."""
    topic = cluster.topic(name)
    consumer = KafkaConsumer(bootstrap_servers=cluster.servers, auto_offset_reset="earliest", enable_auto_commit=False)
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    found: list[Any] = []
    while any(consumer.position(place) < end for place, end in ends.items()):
        found += [record for some in consumer.poll(500).values() for record in some]
    consumer.close()
    return found


def note_answers(ledger: Ledger, found: Sequence[Any]) -> Counter[str]:
    """Take what was answered into the ledger; how often each command was."""
    times: Counter[str] = Counter()
    for record in found:
        headers = {name: value.decode() for name, value in record.headers}
        body, command_id = orjson.loads(record.value), headers["ce_subject"]
        times[command_id] += 1
        if headers["ce_type"] == "daybook.receipt":
            ledger.take(command_id, receipt_of(body))
        else:
            ledger.refuse(command_id, body["code"])
            if body["status"] != 404:
                ledger.faults.append(f"{command_id}: {body}")
    return times


@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_each_command_has_one_effect_and_is_answered_whenever_who_takes_it_is_killed(
    tmp_path: Path,
    postgres_url: str,
    kafka_server: Broker,
    soak: bool,  # noqa: FBT001
    held: Held,
) -> None:
    if not kafka_server.durable:
        pytest.skip(f"{kafka_server.kind} does not give the partitions of a killed member to others")
    chance, kills = random.Random(71), 60 if soak else 3
    with fleet(tmp_path, postgres_url, kafka_server, partitions=PARTITIONS) as there:
        for name in TOPICS:
            make_topic(there.cluster, there.cluster.topic(name), partitions=PARTITIONS, replication=1, days=1)
        sender = Sender(there.cluster, chance)
        thread = Thread(target=sender.run)
        thread.start()
        try:
            _killed(there, chance, kills)
        finally:
            sender.ended.set()
            thread.join()
        for name in TAKERS:
            there.stop(name)
        there.taker("last", "--once")
        until(lambda: there.running["last"].poll() == 0, lambda: there.last_words("last"))
        ledger = sender.ledger
        times = note_answers(ledger, records(there.cluster, "receipts"))
        aside = [record for record in records(there.cluster, "commands.refused") if record.value == NOISE]
        findings = history.examine(tmp_path / "last", ledger, urls=there.settings)
    assert not str(findings)
    assert not ledger.faults
    assert not ledger.contradictions
    assert not ledger.unanswered
    assert {ledger.sent[command_id].name for command_id in ledger.refused} == {"rename_customer"}
    assert len({(record.headers[-2], record.headers[-1]) for record in aside}) == sender.noise
    held(
        f"{there.kills} kills of takers while {sender.sent:,} messages came for {len(ledger.sent):,} commands: {len(ledger.accepted):,} accepted, "
        f"{len(ledger.refused):,} refused, {times.total():,} answers, none contradicting another; {findings.events:,} events, lost "
        f"{len(findings.lost)}, applied twice {len(findings.twice)}; {sender.noise} that were no commands set aside"
    )


def _killed(there: Fleet, chance: random.Random, kills: int) -> None:
    for name in TAKERS:
        there.taker(name)
    for _ in range(kills):
        time.sleep(chance.uniform(0.5, 4.0))
        name = chance.choice(TAKERS)
        there.kill(name)
        time.sleep(chance.uniform(0.0, 1.0))
        there.taker(name)
        assert not there.ended()
    time.sleep(2)
