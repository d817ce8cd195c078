"""What a source takes from an event, and on which condition."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.event import Event
from projections.shapes import ENVELOPE, BadFold, shape
from readmodels.layout import Kind

CONSTANTS: Mapping[type, Kind] = {bool: Kind.BOOLEAN, int: Kind.INTEGER, str: Kind.TEXT}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the event's data."""

    name: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """A part of the envelope."""

    name: str


@dataclass(frozen=True, slots=True)
class Const:
    """The same value for every event."""

    value: str | int | bool | None


Value = Field | Envelope | Const

POSITION: Final = Envelope("position")
EVENT_ID: Final = Envelope("id")
TYPE: Final = Envelope("type")
STREAM_ID: Final = Envelope("stream_id")
OCCURRED_AT: Final = Envelope("occurred_at")
RECORDED_AT: Final = Envelope("recorded_at")
ACTOR: Final = Envelope("actor")
SOURCE: Final = Envelope("source")
COMMAND_ID: Final = Envelope("command_id")
IRREGULAR: Final = Envelope("irregular")


@dataclass(frozen=True, slots=True)
class Condition:
    """The field's value is one of `among`; with `negated`, it is none of them (an empty field counts as None)."""

    field: str
    among: tuple[str | int | bool | None, ...]
    negated: bool = False


def when(field: str, *among: str | int | bool | None) -> Condition:
    """Only events whose `field` is one of `among`."""
    return Condition(field, among)


def unless(field: str, *among: str | int | bool | None) -> Condition:
    """Only events whose `field` is none of `among`."""
    return Condition(field, among, negated=True)


def kind_of(value: Value, event: type[Event]) -> Kind | None:
    """What `value` of an `event` holds; None for the constant None. Raises BadFold for an unknown field."""
    match value:
        case Field(name):
            if name not in shape(event):
                raise BadFold(f"{event.__name__} has no field “{name}”; it has {', '.join(shape(event))}")
            return shape(event)[name].kind
        case Envelope(name):
            if name not in ENVELOPE:
                raise BadFold(f"the envelope has no “{name}” to fold; it has {', '.join(ENVELOPE)}")
            return ENVELOPE[name]
        case Const(constant):
            return None if constant is None else CONSTANTS[type(constant)]


def personal(value: Value, event: type[Event]) -> bool:
    """Whether the value alone identifies a person."""
    return isinstance(value, Field) and shape(event)[value.name].personal


def excludes(one: tuple[Condition, ...], other: tuple[Condition, ...]) -> bool:
    """Whether no event can meet both: some field would have to be two things at once."""
    return any(_disjoint(a, b) for a in one for b in other if a.field == b.field)


def _disjoint(a: Condition, b: Condition) -> bool:
    if a.negated and b.negated:
        return False
    if a.negated or b.negated:
        narrow, wide = (b, a) if a.negated else (a, b)
        return set(narrow.among) <= set(wide.among)
    return not set(a.among) & set(b.among)
