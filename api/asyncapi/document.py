"""The document itself: topics, who sends and who receives, and the messages of each."""

from collections.abc import Mapping
from typing import Any, Final

from api.asking import COMMAND_ID
from api.asyncapi.events import ENVELOPE_SCHEMA, name_of, payload_of, said_by
from api.openapi import PROBLEM_SCHEMA, RECEIPT, REF, command_schemas
from commands.catalogue import COMMANDS
from commands.registry import RegisteredCommand
from domain.catalogue import EVENTS
from domain.event import Event

ASYNCAPI: Final = "3.0.0"
JSON: Final = "application/json"
DESCRIPTION: Final = """Every fact of the log travels as a CloudEvent in the topic of events, in the order of the log within each partition; commands
may come in by another topic, and each is answered once. Kafka is no place of truth here: a wiped broker is shipped to again, and the
read models come out the same."""

EVENT_HEADERS: Final[Mapping[str, str]] = {
    "ce_specversion": "1.0",
    "ce_id": "The event's own id.",
    "ce_source": "`daybook`.",
    "ce_type": "What kind of event it is.",
    "ce_time": "When it happened.",
    "ce_subject": "The record that it is about.",
    "ce_position": "Its place in the log.",
    "ce_previous": "The place of the event before it in this partition, 0 for the first: what does not follow on shows a gap.",
    "ce_settled": "With this record the partition has all that is its own up to this place of the log.",
    "ce_settledid": "The id of the event at that place of the log; left out where it is this event itself.",
    "ce_epoch": "Which publisher shipped it. What one ships again that another has shipped is to be dropped by its place in the log.",
    "ce_v": "The version of its shape.",
    "ce_streamversion": "The version of the record after it.",
    "content-type": JSON,
    "ce_traceparent": "W3C trace context of the request that it came of, where there was one.",
}
MARK_HEADERS: Final = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_previous", "ce_settled", "ce_settledid", "ce_epoch")
OPTIONAL_HEADERS: Final = frozenset({"ce_settledid", "ce_traceparent"})

COMMAND_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ce_specversion": {"const": "1.0"},
    "ce_id": {"type": "string", "pattern": COMMAND_ID, "description": "The command's id: repeated, it does nothing again, for ever."},
    "ce_source": {"type": "string", "description": "Which service asks; kept with the events as their actor, `service:…`."},
    "ce_occurredat": {"type": "string", "format": "date-time", "description": "When it happened; now, unless it is said."},
    "ce_expectedversion": {"type": "string", "pattern": "^[0-9]{1,9}$", "description": "The version of the record that was seen."},
    "ce_traceparent": {"type": "string", "description": "W3C trace context, kept with the events."},
    "content-type": {"const": JSON},
}


def document(version: str, prefix: str = "daybook") -> dict[str, Any]:
    """The AsyncAPI document of a Daybook of this version whose topics begin with `prefix`."""
    bodies, shared = command_schemas()
    events = {name_of(event): _event(event) for event in EVENTS}
    commands = {_title(command.name): _command(command, bodies[command.name]) for command in COMMANDS.values()}
    answers = {"Receipt": _answer("daybook.receipt", "Receipt", RECEIPT), "Refusal": _answer("daybook.refusal", "Problem", PROBLEM_SCHEMA)}
    channels = {
        "events": _channel(f"{prefix}.events", "Every event of the log, keyed by the customer that it is about.", [*events, "Settled"]),
        "commands": _channel(f"{prefix}.commands", "Commands, in the order of each key.", list(commands)),
        "receipts": _channel(f"{prefix}.receipts", "What became of each command, under the key that it came with.", list(answers)),
        "refused": _channel(
            f"{prefix}.commands.refused", "What could not be read as a command, byte for byte, with the reason.", ["Unreadable"]
        ),
    }
    return {
        "asyncapi": ASYNCAPI,
        "info": {"title": "Daybook", "version": version, "description": DESCRIPTION},
        "defaultContentType": JSON,
        "channels": channels,
        "operations": {
            "shipEvents": _operation("send", "events", "Ship the log's events."),
            "takeCommands": {
                **_operation("receive", "commands", "Take commands."),
                "reply": {"channel": {"$ref": "#/channels/receipts"}},
            },
            "answerCommands": _operation("send", "receipts", "Answer commands."),
            "setAsideUnreadable": _operation("send", "refused", "Set aside what is no command."),
        },
        "components": {
            "messages": {**events, "Settled": _settled(), **commands, **answers, "Unreadable": _unreadable()},
            "messageTraits": _traits(),
            "schemas": {**shared, "Envelope": ENVELOPE_SCHEMA, "Receipt": RECEIPT, "Problem": PROBLEM_SCHEMA},
        },
    }


def _channel(address: str, description: str, messages: list[str]) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _operation(action: str, channel: str, summary: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _event(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.type,
        "title": name_of(event),
        "summary": said_by(event),
        "traits": [{"$ref": "#/components/messageTraits/event"}],
        "headers": {"type": "object", "properties": {"ce_type": {"const": event.type}}},
        "payload": payload_of(event),
    }


def _traits() -> dict[str, Any]:
    key = {"type": "string", "format": "uuid", "description": "The customer, or the record where there is none."}
    said = {name: {"type": "string", "description": says} for name, says in EVENT_HEADERS.items()}
    return {
        "event": {
            "contentType": JSON,
            "headers": {"type": "object", "required": sorted(said.keys() - OPTIONAL_HEADERS), "properties": said},
            "bindings": {"kafka": {"key": key}},
        },
        "command": {
            "contentType": JSON,
            "headers": {
                "type": "object",
                "required": ["ce_id", "ce_source", "ce_specversion", "ce_type"],
                "properties": {**COMMAND_HEADERS},
            },
            "correlationId": {"location": "$message.header#/ce_id"},
        },
    }


def _settled() -> dict[str, Any]:
    headers = {name: {"type": "string", "description": EVENT_HEADERS[name]} for name in MARK_HEADERS}
    headers["ce_type"] = {"const": "daybook.settled"}
    return {
        "name": "daybook.settled",
        "title": "Settled",
        "summary": "Says how far the topic is complete, in partitions where nothing else does; it has no value.",
        "headers": {"type": "object", "required": sorted(headers), "properties": headers},
        "payload": {"type": "null"},
    }


def _command(command: RegisteredCommand, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": command.name,
        "title": _title(command.name),
        "summary": command.summary,
        "traits": [{"$ref": "#/components/messageTraits/command"}],
        "headers": {"type": "object", "properties": {"ce_type": {"const": command.name}}},
        "payload": body,
    }


def _answer(name: str, schema_name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "title": schema["title"],
        "summary": schema["description"],
        "contentType": JSON,
        "headers": {
            "type": "object",
            "required": ["ce_id", "ce_source", "ce_specversion", "ce_subject", "ce_type"],
            "properties": {
                "ce_specversion": {"const": "1.0"},
                "ce_id": {"type": "string"},
                "ce_source": {"const": "daybook"},
                "ce_type": {"const": name},
                "ce_subject": {"type": "string", "description": "The id of the command that this answers."},
            },
        },
        "payload": {"$ref": REF + schema_name},
        "correlationId": {"location": "$message.header#/ce_subject"},
    }


def _unreadable() -> dict[str, Any]:
    return {
        "name": "unreadable",
        "title": "Unreadable",
        "summary": "A message as it came, key, headers and value, with why it is no command.",
        "headers": {
            "type": "object",
            "required": ["daybook_code", "daybook_reason", "daybook_offset", "daybook_partition"],
            "properties": {
                "daybook_code": {"type": "string", "description": "A stable code."},
                "daybook_reason": {"type": "string"},
                "daybook_partition": {"type": "string", "description": "Where it lay."},
                "daybook_offset": {"type": "string"},
            },
        },
        "payload": {"description": "Any bytes."},
    }


def _title(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
