"""What the fields of an event class hold, read off its annotations."""

import types
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from domain.event import Event, PersonalMark
from readmodels.layout import Kind

KINDS: Mapping[object, Kind] = {
    str: Kind.TEXT,
    UUID: Kind.ID,
    int: Kind.INTEGER,
    bool: Kind.BOOLEAN,
    Decimal: Kind.DECIMAL,
    datetime: Kind.INSTANT,
    date: Kind.DATE,
}

ENVELOPE: Mapping[str, Kind] = {
    "position": Kind.INTEGER,
    "stream_id": Kind.ID,
    "version": Kind.INTEGER,
    "id": Kind.ID,
    "type": Kind.TEXT,
    "occurred_at": Kind.INSTANT,
    "recorded_at": Kind.INSTANT,
    "actor": Kind.TEXT,
    "source": Kind.TEXT,
    "command_id": Kind.TEXT,
    "correlation_id": Kind.TEXT,
    "causation_id": Kind.TEXT,
    "irregular": Kind.TEXTS,
}
"""The parts of the envelope that folds may use."""


class BadFold(ValueError):
    """A fold's declaration contradicts itself or its events."""


@dataclass(frozen=True, slots=True)
class FieldShape:
    """What one field of an event holds."""

    kind: Kind
    personal: bool


@cache
def shape(event: type[Event]) -> Mapping[str, FieldShape]:
    """Every stored field of `event` with what it holds. Raises BadFold for a type that no column can hold."""
    hints = get_type_hints(event, include_extras=True)
    return {field.name: _field_shape(event, field.name, hints[field.name]) for field in fields(event)}


def _field_shape(event: type[Event], name: str, hint: Any) -> FieldShape:
    personal = False
    if get_origin(hint) in (Union, types.UnionType):
        options = [option for option in get_args(hint) if option is not type(None)]
        if len(options) != 1:
            raise BadFold(f"{event.__name__}.{name}: a column cannot hold {hint}")
        hint = options[0]
    if get_origin(hint) is Annotated:
        personal = any(isinstance(mark, PersonalMark) for mark in get_args(hint)[1:])
        hint = get_args(hint)[0]
    if get_origin(hint) is tuple:
        return FieldShape(Kind.TEXTS, personal)
    if hint not in KINDS:
        raise BadFold(f"{event.__name__}.{name}: a column cannot hold {hint}")
    return FieldShape(KINDS[hint], personal)
