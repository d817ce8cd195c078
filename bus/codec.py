"""Events to and from the stored JSON: encoders written out per class from its type hints, decoding through pydantic.

The stored form is canonical, so that equal events are equal bytes and text order of times is time order: compact UTF-8
JSON in the order of the fields; times `2026-03-01T09:30:00.000000Z`, days `2026-03-01`, decimals as plain text, ids as
text of 36 characters.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final, Literal, Protocol, Union, cast, get_args, get_origin
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import TypeAdapter

from bus.catalogue import TODAY, Catalogue, hints, is_personal
from bus.cipher import NONCE_BYTES, Token, parse, seal
from bus.erasures import Erasure
from domain.envelope import NewEvent, StoredEvent
from domain.errors import CorruptHistory
from domain.event import Event

ID_AT = slice(7, 43)
"""Where the event's id lies in the stored text: it begins with `{"id":"`."""
VERSION_FROM = 49
"""Where the shape version begins in the stored text: after `","v":`."""

Keys = Mapping[bytes, AESGCM]
"""The keys of the persons that some events are about, by the 16 bytes of their ids."""


class KeyRing(Protocol):
    """Where keys come from; the vault fulfils it."""

    def keys(self, persons: set[bytes]) -> Keys:
        """A key for each person, made and durable by the time of return."""
        ...

    def decrypt_all(self, tokens: Sequence[str | None]) -> list[str | None]:
        """The texts in tokens; None where the person was forgotten."""
        ...

    def secret(self, purpose: str) -> bytes:
        """32 bytes for one purpose, the same for ever."""
        ...

    def erase(self, erasures: Sequence[Erasure]) -> None:
        """Do away with these persons' keys, for ever; done by the time of return, and doing it again does no harm."""
        ...

    def unerased(self, persons: Sequence[UUID]) -> list[UUID]:
        """Those of the persons whose erasure is not finished here."""
        ...


def instant(value: datetime) -> str:
    """The one form in which times are stored and compared: UTC, six digits of seconds, Z."""
    return value.astimezone(UTC).isoformat("T", "microseconds")[:26] + "Z"


def plain(value: Decimal) -> str:
    """A decimal without exponent."""
    return format(value, "f")


def texts(ids: Sequence[UUID]) -> list[str]:
    """Ids as text of 36 characters; all at once is several times faster than one by one."""
    return orjson.loads(orjson.dumps(list(ids), str))


def _quick(value: datetime) -> datetime | str:
    """The fast serializer writes times in our form by itself, but leaves out microseconds of zero and keeps other zones."""
    return value if value.microsecond and value.tzinfo is UTC else instant(value)


_BEFORE: Final = "previous_"
"""Fields that say what was, under the key of whom it was about."""

_Seal = Callable[[str, str], str]
"""Makes the token of a field's text."""
_Values = Callable[[Event, _Seal], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Shape:
    """How one event class is stored and read."""

    event: type[Event]
    values: _Values
    """The values of an event's fields for the serializer, personal ones sealed."""
    personal: tuple[str, ...]
    adapter: TypeAdapter[Any]


def _kind(hint: Any) -> tuple[object, bool, bool]:
    """The plain type in a type hint, whether it may be None, and whether it is a tuple of that type."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) is Literal:
        return str, False, False
    if get_origin(hint) is tuple:
        return _kind(get_args(hint)[0])[0], False, True
    options = get_args(hint)
    if type(None) in options:
        kind, _, many = _kind(Union[tuple(option for option in options if option is not type(None))])  # noqa: UP007 - built at run time
        return kind, True, many
    return hint, False, False


_CONVERSIONS: Final[Mapping[object, str]] = {
    datetime: "quick({})",
    Decimal: "plain({})",
    date: "{}",
    UUID: "{}",
    str: "{}",
    int: "{}",
    bool: "{}",
}


def _expression(name: str, hint: Any) -> str:
    """The Python expression that turns field `name` of `event` into what the serializer takes."""
    kind, optional, many = _kind(hint)
    if kind not in _CONVERSIONS or (many and is_personal(hint)):
        raise TypeError(f"field {name}: events hold no {hint}")
    field = f"event.{name}"
    if is_personal(hint):
        value = f"seal({name!r}, {field})"
    elif many:
        value = f"[{_CONVERSIONS[kind].format('each')} for each in {field}]"
    else:
        value = _CONVERSIONS[kind].format(field)
    return f"None if {field} is None else {value}" if optional and value != field else value


def _nothing_to_seal(field: str, text: str) -> str:
    raise TypeError(f"a field {field} without the mark of a personal one cannot be sealed: {len(text)} characters")


def _sealing(event: Event, event_id: bytes, keys: Keys) -> _Seal:
    person = person_of(event)

    def seal_field(field: str, text: str) -> str:
        if type(text) is Token:
            return text
        if person is None:
            raise CorruptHistory("event.no_person", f"{event.type} has a personal {field} but names no person")
        return seal(keys[person], field, text, person=person, event=event_id, nonce=os.urandom(NONCE_BYTES))

    return seal_field


def person_of(event: Event) -> bytes | None:
    """The 16 bytes of the id of the person whose personal fields these are."""
    for name in event.person:
        person = cast("UUID | None", getattr(event, name))
        if person is not None:
            return person.bytes
    return None


@cache
def _shape(event: type[Event]) -> Shape:
    fields = hints(event)
    body = ", ".join(f"{name!r}: {_expression(name, hint)}" for name, hint in fields.items())
    values = cast("_Values", eval(f"lambda event, seal: {{{body}}}", {"quick": _quick, "plain": plain}))  # noqa: S307 - as dataclasses do: written from our own type hints, and twice as fast as a loop over fields
    personal = tuple(name for name, hint in fields.items() if is_personal(hint))
    if personal and not event.person:
        raise TypeError(f"{event.__name__} has personal fields but does not say whose")
    return Shape(event, values, personal, TypeAdapter(event))


class Codec:
    """Encodes and decodes the events of a catalogue; without state, for any number of threads."""

    def __init__(self, catalogue: Catalogue = TODAY) -> None:
        self.catalogue = catalogue
        self._shapes: Mapping[type[Event], Shape] = {event: _shape(event) for event in catalogue.by_type.values()}
        self.erasing = tuple(event.type for event in catalogue.by_type.values() if event.erases)
        """The types of events that tell of an erasure."""
        self._with_personal = frozenset(event for event, shape in self._shapes.items() if shape.personal)

    def carried(self, event: Event) -> dict[str, Token]:
        """The personal fields of an event that carry on another person's text as what is true now of this event's person."""
        if len(event.person) == 1 or type(event) not in self._with_personal:
            return {}
        tokens = {name: getattr(event, name) for name in self._shapes[type(event)].personal if not name.startswith(_BEFORE)}
        person = person_of(event)
        return {name: token for name, token in tokens.items() if type(token) is Token and parse(token).person != person}

    def persons(self, events: Sequence[NewEvent]) -> set[bytes]:
        """Whose keys are needed to encode these events."""
        found: set[bytes] = set()
        for new in events:
            event = new.event
            if type(event) in self._with_personal and (person := person_of(event)):
                found.add(person)
        return found

    def encode(self, new: NewEvent, keys: Keys) -> str:
        """The stored text; `keys` must hold the event's person if it has personal fields."""
        cause, event = new.cause, new.event
        sealing = _sealing(event, new.id.bytes, keys) if type(event) in self._with_personal else _nothing_to_seal
        stored = {
            "id": new.id,
            "v": event.v,
            "occurred_at": _quick(new.occurred_at),
            "recorded_at": _quick(new.recorded_at),
            "actor": cause.actor,
            "source": cause.source,
            "command_id": cause.command_id,
            "correlation_id": cause.correlation_id,
            "causation_id": cause.causation_id,
            "irregular": new.irregular,
            "data": self._shapes[type(event)].values(event, sealing),
        }
        return orjson.dumps(stored, None, orjson.OPT_UTC_Z).decode()

    def decode(self, event_type: str, state: str | bytes) -> tuple[Event, datetime]:
        """The event in today's shape, personal fields as tokens, and when it happened. Raises UnknownEventType, CorruptHistory."""
        stored = self._parsed(event_type, state)
        shape = self._shapes[self.catalogue.by_type[event_type]]
        try:
            event = cast("Event", shape.adapter.validate_python(stored["data"]))
            at = datetime.fromisoformat(stored["occurred_at"])
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptHistory("event.malformed", f"a stored {event_type} does not have the shape it says: {error}") from error
        for name in shape.personal:
            token = getattr(event, name)
            if token is not None:
                object.__setattr__(event, name, Token(token))
        return event, at

    def stored(self, position: int, stream_id: str, version: int, event_type: str, state: str | bytes) -> StoredEvent:
        """The event with its envelope in today's shape, values as JSON has them. Raises UnknownEventType, CorruptHistory."""
        stored = self._parsed(event_type, state)
        try:
            return StoredEvent(
                position=position,
                stream_id=stream_id,
                version=version,
                id=stored["id"],
                type=event_type,
                occurred_at=stored["occurred_at"],
                recorded_at=stored["recorded_at"],
                actor=stored["actor"],
                source=stored["source"],
                command_id=stored["command_id"],
                correlation_id=stored["correlation_id"],
                causation_id=stored["causation_id"],
                irregular=tuple(stored["irregular"]),
                data=stored["data"],
            )
        except KeyError as error:
            raise CorruptHistory("event.malformed", f"the event at position {position} lacks {error}") from error

    def text(self, event_type: str, state: str) -> str:
        """The same, where only a text of an older shape is decoded for it. Raises UnknownEventType, CorruptHistory."""
        today = self.catalogue.known(event_type).v
        return state if state.startswith(f"{today},", VERSION_FROM) else self.upcast(event_type, state)

    def upcast(self, event_type: str, state: str | bytes) -> str:
        """The stored text brought up to today's shape. Raises UnknownEventType, CorruptHistory."""
        return orjson.dumps(self._parsed(event_type, state)).decode()

    def _parsed(self, event_type: str, state: str | bytes) -> dict[str, Any]:
        try:
            stored = orjson.loads(state)
            version, data = stored["v"], stored["data"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise CorruptHistory("event.malformed", f"a stored {event_type} is not an event: {error}") from error
        today = self.catalogue.known(event_type).v
        if version != today:
            stored["data"] = self.catalogue.upcast(event_type, version, data)
            stored["v"] = today
        return stored
