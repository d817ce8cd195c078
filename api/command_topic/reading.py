"""From a message to an order: CloudEvents in either content mode, or the reason why it is no command."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.json import JSONFormat

from api.asking import JSON, asked
from api.command_door import shaped
from api.problems import InvalidRequest, MalformedBody, TooLarge, UnsupportedContent
from bus.kafka.messages import Message
from commands.catalogue import COMMANDS
from commands.errors import UnknownCommand
from commands.order import Order
from domain.errors import DaybookError

SOURCE: Final = "kafka"
"""The door, as events have it."""
LONGEST_SOURCE: Final = 200
AS_HEADERS: Final[Mapping[str, bytes]] = {"id": b"idempotency-key", "expectedversion": b"if-match", "traceparent": b"traceparent"}
"""Attributes of a message, and the HTTP headers that say the same: they are read in one way."""


class Raw(JSONFormat):
    """Leaves a value that came beside headers as it is: it is read as every door reads a body."""

    def read_data(self, body: bytes, datacontenttype: str | None) -> bytes:  # noqa: ARG002 - as the library has it
        """The bytes."""
        return body


@dataclass(frozen=True, slots=True)
class NoOrder:
    """Why a message is no order. With a `command_id` its sender can be told; `readable` when it was a command at least in form."""

    error: DaybookError
    command_id: str | None
    readable: bool


def order_of(message: Message, *, largest: int) -> Order | NoOrder:
    """The order in a message whose value may have `largest` bytes."""
    command_id, readable = None, False
    try:
        event = _event(message, largest)
        command_id = _text(event, "id", 200)
        about = asked(_headers(event), {"occurred_at": str(at)} if (at := event.get_extension("occurredat")) else {})
        actor = f"service:{_text(event, 'source', LONGEST_SOURCE)}"
        body = _body(event)
        readable = True
        registered = COMMANDS.get(event.get_type())
        if registered is None:
            raise UnknownCommand(event.get_type())
        data, command = shaped(registered, body)
    except DaybookError as error:
        return NoOrder(error, command_id, readable and not isinstance(error, MalformedBody))
    return Order(
        name=registered.name,
        data=data,
        command=command,
        actor=actor,
        source=SOURCE,
        command_id=about.command_id,
        occurred_at=about.occurred_at,
        expected_version=about.expected_version,
        correlation_id=about.correlation_id,
        causation_id=about.causation_id,
    )


def _event(message: Message, largest: int) -> BaseCloudEvent:
    """The CloudEvent that a message is. Raises TooLarge or MalformedBody `message.no_cloud_event`."""
    if len(message.value or b"") > largest:
        raise TooLarge("body.too_large", f"a command may have up to {largest:,} bytes")
    try:
        return from_kafka(KafkaMessage(dict(message.headers), None, message.value or b""), Raw())
    except Exception as error:
        # The library raises what its parts raise: ValueError, KeyError, UnicodeDecodeError, its own.
        raise MalformedBody("message.no_cloud_event", f"this is no CloudEvent: {type(error).__name__}") from error


def _headers(event: BaseCloudEvent) -> Mapping[bytes, bytes]:
    said = {**event.get_attributes()}
    return {header: str(said[name]).encode("latin-1", "replace") for name, header in AS_HEADERS.items() if said.get(name) is not None}


def _text(event: BaseCloudEvent, name: str, longest: int) -> str:
    """An attribute that is short printable ASCII. Raises InvalidRequest."""
    text = str(event.get_attributes()[name])
    if not (0 < len(text) <= longest and text.isascii() and text.isprintable() and " " not in text):
        message = f"give 1 to {longest} printable ASCII characters without spaces"
        raise InvalidRequest(f"{name}: {message}", [{"loc": [name], "msg": message}])
    return text


def _body(event: BaseCloudEvent) -> bytes:
    """The command's fields as JSON. Raises UnsupportedContent or MalformedBody."""
    kind = (event.get_datacontenttype() or JSON).partition(";")[0].strip().lower()
    if kind != JSON:
        raise UnsupportedContent("content.unsupported", f"send {JSON}, not {kind[:100]}")
    data: Any = event.get_data()
    if isinstance(data, bytes):
        return data
    try:
        return orjson.dumps(data)
    except TypeError as error:
        raise MalformedBody("body.malformed", f"this is not JSON: {error}") from None
