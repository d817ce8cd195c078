"""Commands that come by a topic: each has its effect once and is answered, however often the process is killed in between."""

from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any

import orjson
import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from api.command_topic.reading import NoOrder, order_of
from api.command_topic.taking import Taking
from bus.kafka.messages import Message, Reply
from commands.order import Order
from tests.commands.orders import Desk

LARGEST = 10_000
REGISTER = {"customer_id": {"source": "crm", "id": "7"}, "name": "Kowalski GmbH"}


class Outage(Exception):
    """The broker is away."""


class MemoryTopic:
    """A topic with one partition that goes on from what was done last, and fails when `fails` says so."""

    outages = (Outage,)

    def __init__(self, messages: Sequence[Message], fails: Callable[[str], bool] = lambda _step: False) -> None:
        self.messages = messages
        self.fails = fails
        self.sent: list[Reply] = []
        self.finished = self.taken = 0

    def take(self, most: int, seconds: float) -> Sequence[Message]:
        assert seconds > 0
        self._try("take")
        found = self.messages[self.taken : self.taken + most]
        self.taken += len(found)
        return found

    def left(self) -> int:
        return len(self.messages) - self.taken

    def send(self, messages: Sequence[Reply]) -> None:
        self._try("send")
        self.sent += messages

    def done(self) -> None:
        self._try("done")
        self.finished = self.taken

    def again(self) -> None:
        self.taken = self.finished

    def _try(self, step: str) -> None:
        if self.fails(step):
            raise Outage(step)


def message(headers: Mapping[str, str], value: bytes, offset: int = 0) -> Message:
    return Message(b"key", [(name, text.encode()) for name, text in headers.items()], value, 0, offset)


def command(name: str, data: Mapping[str, Any], command_id: str = "c-1", offset: int = 0, **more: str) -> Message:
    headers = {"specversion": "1.0", "id": command_id, "source": "billing", "type": name, **more}
    told = {f"ce_{header}": text for header, text in headers.items()} | {"content-type": "application/json"}
    return message(told, orjson.dumps(data), offset)


def taking(desk: Desk, topic: MemoryTopic) -> Taking:
    return Taking(topic, desk.dispatcher.execute, stopping=Event(), receipts="receipts", refusals="refused", largest=LARGEST, outages=())


def answers(topic: MemoryTopic, name: str = "receipts") -> list[tuple[dict[str, str], Any]]:
    return [
        ({header: value.decode() for header, value in sent.headers}, orjson.loads(sent.value or b"null"))
        for sent in topic.sent
        if sent.topic == name
    ]


def code(found: Order | NoOrder) -> str:
    assert isinstance(found, NoOrder)
    return found.error.code


def test_a_command_is_applied_and_its_receipt_has_its_id_and_its_key() -> None:
    desk = Desk()
    topic = MemoryTopic([command("register_customer", REGISTER, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")])
    taking(desk, topic).run(once=True)
    (headers, receipt), event = answers(topic)[0], desk.log.events[0]
    assert topic.sent[0].key == b"key"
    assert (headers["ce_type"], headers["ce_subject"]) == ("daybook.receipt", "c-1")
    assert (receipt["position"], receipt["repeated"]) == (1, False)
    assert (event.cause.actor, event.cause.source, event.cause.correlation_id) == ("service:billing", "kafka", "a" * 32)


def test_a_refused_command_is_answered_with_the_problem_that_every_door_gives() -> None:
    topic = MemoryTopic([command("win_opportunity", {"opportunity_id": {"source": "crm", "id": "1"}})])
    taking(Desk(), topic).run(once=True)
    headers, problem = answers(topic)[0]
    assert headers["ce_type"] == "daybook.refusal"
    assert (problem["code"], problem["status"], problem["command_id"]) == ("opportunity.unknown", 404, "c-1")
    assert answers(topic, "refused") == []


def test_a_command_in_structured_mode_is_the_same_command() -> None:
    attributes = {"id": "c-1", "source": "billing", "type": "register_customer", "specversion": "1.0"}
    event = kafka.to_structured_event(CloudEvent(attributes, REGISTER))
    structured = Message(None, list(event.headers.items()), event.value, 0, 0)
    found = order_of(structured, largest=LARGEST)
    assert isinstance(found, Order)
    assert found == order_of(command("register_customer", REGISTER), largest=LARGEST)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (message({}, b"\xff\x00"), "message.no_cloud_event"),
        (message({"ce_id": "1"}, b"{}"), "message.no_cloud_event"),
        (message({"ce_id": "1", "ce_specversion": "9"}, b"{}"), "message.no_cloud_event"),
        (command("register_customer", REGISTER, command_id="has space"), "request.invalid"),
        (command("register_customer", REGISTER, expectedversion="soon"), "request.invalid"),
        (command("register_customer", REGISTER, occurredat="tomorrow"), "request.invalid"),
        (command("register_customer", {"name": "x" * LARGEST}), "body.too_large"),
        (message({"ce_id": "1", "ce_specversion": "1.0", "ce_source": "s", "ce_type": "register_customer"}, b"{"), "body.malformed"),
    ],
)
def test_what_is_no_command_is_set_aside_byte_for_byte_with_the_reason(broken: Message, why: str) -> None:
    desk, topic = Desk(), MemoryTopic([broken])
    taking(desk, topic).run(once=True)
    aside = [sent for sent in topic.sent if sent.topic == "refused"]
    assert [(sent.key, sent.value, dict(sent.headers)["daybook_code"]) for sent in aside] == [(broken.key, broken.value, why.encode())]
    assert list(aside[0].headers)[: len(broken.headers)] == list(broken.headers)
    assert topic.finished == 1
    assert not desk.log.events


@pytest.mark.parametrize(
    ("asked", "why"),
    [(command("reign", {}), "command.unknown"), (command("register_customer", {"nam": "x"}), "command.invalid")],
)
def test_a_command_that_cannot_be_is_refused_to_its_sender(asked: Message, why: str) -> None:
    found = order_of(asked, largest=LARGEST)
    assert code(found) == why
    assert isinstance(found, NoOrder)
    assert (found.command_id, found.readable) == ("c-1", True)


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=12), st.randoms(use_true_random=False))
def test_each_command_has_one_effect_and_is_answered_whatever_fails(asked: list[tuple[int, bool]], chance: Any) -> None:
    desk = Desk()
    names = {number: f"Customer {number}" for number, _ in asked}
    messages = [
        command("register_customer" if known else "reign", {"name": names[number]}, f"c-{number}-{known}", offset)
        for offset, (number, known) in enumerate(asked)
    ]
    topic = MemoryTopic(messages, lambda _step: chance.random() < 0.3)
    work = taking(desk, topic)
    while topic.finished < len(messages):
        try:
            work.step()
        except Outage:
            work = taking(desk, topic)
    wanted = {f"c-{number}-True" for number, known in asked if known}
    assert {event.cause.command_id for event in desk.log.events} == wanted
    assert len(desk.log.events) == len(wanted)
    receipts: dict[str, set[str]] = {}
    for headers, body in answers(topic):
        receipts.setdefault(headers["ce_subject"], set()).add(str({**body, "repeated": None}))
    assert receipts.keys() == {f"c-{number}-{known}" for number, known in asked}
    assert all(len(told) == 1 for told in receipts.values())
