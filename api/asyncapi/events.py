"""What each event looks like as it travels: JSON Schemas read off the event classes."""

from collections.abc import Mapping
from inspect import getdoc
from typing import Any, Final, get_args

from api.openapi import REF
from bus.catalogue import hints
from domain.event import Event
from projections.shapes import ENVELOPE, shape
from readmodels.layout import Kind

INSTANT: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"
DECIMAL: Final = r"^-?\d+(\.\d+)?$"
TOKEN: Final = r"^~[a-z_]+~[A-Za-z0-9_-]+$"  # noqa: S105 - the spelling of a ciphertext

KINDS: Final[Mapping[Kind, Mapping[str, Any]]] = {
    Kind.TEXT: {"type": "string"},
    Kind.ID: {"type": "string", "format": "uuid"},
    Kind.INTEGER: {"type": "integer"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.DECIMAL: {"type": "string", "pattern": DECIMAL, "description": "An exact decimal, in plain notation."},
    Kind.INSTANT: {"type": "string", "format": "date-time", "pattern": INSTANT, "description": "In UTC, to the microsecond."},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.TEXTS: {"type": "array", "items": {"type": "string"}},
}

PERSONAL: Final[Mapping[str, Any]] = {
    "type": "string",
    "pattern": TOKEN,
    "description": "Identifies a person: encrypted under that person's key, which is done away with when the person is erased.",
}

ENVELOPE_SAYS: Final[Mapping[str, str]] = {
    "id": "The event's own id.",
    "occurred_at": "When it happened.",
    "recorded_at": "When Daybook was told.",
    "actor": "Who asked: `user:…`, `key:…` or `rule:…`.",
    "source": "The door: `api`, `cli`, `kafka`, `import:…`.",
    "command_id": "The command that it came of.",
    "correlation_id": "The trace that it belongs to.",
    "causation_id": "What made somebody ask.",
    "irregular": "Codes of the rules that a reported fact breaks.",
}
MAY_BE_NULL: Final = frozenset({"correlation_id", "causation_id"})


def name_of(event: type[Event]) -> str:
    """What an event's message is called in the document."""
    return event.__name__


def said_by(event: type[Event]) -> str:
    """What an event tells, in one sentence."""
    return (getdoc(event) or "").split("\n\n")[0].replace("\n", " ")


def payload_of(event: type[Event]) -> dict[str, Any]:
    """The schema of a message's value: who, when and why, and under `data` what the event says."""
    own = {"v": {"const": event.v, "description": "The version of this shape."}, "data": data_of(event)}
    return {"allOf": [{"$ref": REF + "Envelope"}, {"type": "object", "required": ["data", "v"], "properties": own}]}


def data_of(event: type[Event]) -> dict[str, Any]:
    """The schema of what an event says. A later version of the same shape may have more fields."""
    optional = {name for name, hint in hints(event).items() if type(None) in get_args(hint)}
    fields = {name: _nullable(PERSONAL if is_.personal else KINDS[is_.kind], name in optional) for name, is_ in shape(event).items()}
    return {"type": "object", "required": sorted(fields), "properties": fields}


def _nullable(described: Mapping[str, Any], optional: bool) -> dict[str, Any]:  # noqa: FBT001 - read with the name beside it
    return {**described, "type": [described["type"], "null"]} if optional else {**described}


ENVELOPE_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "What every event says of itself besides its data.",
    "required": sorted(ENVELOPE_SAYS),
    "properties": {
        name: {**_nullable(KINDS[ENVELOPE[name]], name in MAY_BE_NULL), "description": says} for name, says in ENVELOPE_SAYS.items()
    },
}
