"""Which types and shapes of events can be read: today's classes, and upcasters that bring older shapes up to them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from bus.errors import UnknownEventType
from domain import catalogue as domain_catalogue
from domain.event import Event, Personal

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the data (canonical JSON values) of one shape version into that of the next; may alter the dict it is given."""

UPCASTERS: Final[Mapping[tuple[str, int], Upcaster]] = MappingProxyType({})
"""By event type and the shape version that it takes; a stored event is never rewritten."""


def hints(event: type[Event]) -> dict[str, Any]:
    """The type hints of an event's fields, in the order of the fields, `Annotated` kept."""
    resolved = get_type_hints(event, include_extras=True)
    return {field.name: resolved[field.name] for field in fields(event)}


def is_personal(hint: object) -> bool:
    """Whether a field with this type hint is marked `Personal`."""
    if get_origin(hint) is Annotated:
        return Personal in get_args(hint)[1:]
    return any(is_personal(option) for option in get_args(hint))


def personal_fields(event: type[Event]) -> tuple[str, ...]:
    """The names of the fields that are stored encrypted."""
    return tuple(name for name, hint in hints(event).items() if is_personal(hint))


class Catalogue:
    """Today's event classes by type, and the way there from older shapes."""

    def __init__(self, events: Sequence[type[Event]], upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS) -> None:
        self.by_type: Mapping[str, type[Event]] = {event.type: event for event in events}
        if len(self.by_type) != len(events):
            raise ValueError("two event classes have the same type")
        self._upcasters = upcasters
        for event in events:
            missing = [v for v in range(1, event.v) if (event.type, v) not in upcasters]
            if missing:
                raise ValueError(f"{event.type} is at shape version {event.v} but has no upcaster from {missing}")

    def known(self, event_type: str) -> type[Event]:
        """Today's class of a type. Raises UnknownEventType `event.unknown_type`."""
        try:
            return self.by_type[event_type]
        except KeyError:
            message = f"the log holds events of type {event_type}, which this version of Daybook does not know; run a newer one"
            raise UnknownEventType("event.unknown_type", message) from None

    def upcast(self, event_type: str, version: int, data: dict[str, Any]) -> dict[str, Any]:
        """The data of a stored event in today's shape. Raises UnknownEventType."""
        today = self.known(event_type).v
        if version > today:
            message = f"the log holds {event_type} in shape {version}, this version of Daybook knows {today}; run a newer one"
            raise UnknownEventType("event.unknown_version", message)
        for step in range(version, today):
            data = self._upcasters[event_type, step](data)
        return data


TODAY: Final = Catalogue(domain_catalogue.EVENTS)
"""What this version of Daybook knows."""
