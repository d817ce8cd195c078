"""Every event that can be comes back from its stored form as it was, and nothing personal is readable there."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.catalogue import Catalogue, personal_fields
from bus.cipher import Token, parse, seal, unseal
from bus.codec import ID_AT, VERSION_FROM, Codec
from domain.catalogue import EVENTS
from domain.contacts.events import ContactAdded
from domain.envelope import Cause, NewEvent
from domain.errors import CorruptHistory
from domain.event import Event, PersonalText
from tests.strategies import any_event, events, new_events

CODEC = Codec()
KEY = AESGCM(bytes(32))


class OneKey(Mapping[bytes, AESGCM]):
    """The same key for everybody."""

    def __getitem__(self, person: bytes) -> AESGCM:
        return KEY

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


def readable(event: Event) -> dict[str, Any]:
    """The fields of an event that was read, personal ones decrypted."""
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    return {name: unseal(KEY, parse(value)) if isinstance(value, Token) else value for name, value in values.items()}


@pytest.mark.parametrize("event_class", EVENTS, ids=lambda event_class: event_class.type)
@settings(max_examples=settings().max_examples // 4)
@given(data=st.data())
def test_every_event_comes_back_as_it_was(event_class: type[Event], data: st.DataObject) -> None:
    new = data.draw(new_events(events(event_class)))
    event, at = CODEC.decode(event_class.type, CODEC.encode(new, OneKey()))
    assert type(event) is event_class
    assert readable(event) == {field.name: getattr(new.event, field.name) for field in fields(new.event)}
    assert at == new.occurred_at


@given(new_events())
def test_the_stored_form_is_one_that_any_program_reads(new: NewEvent) -> None:
    text = CODEC.encode(new, OneKey())
    stored = json.loads(text)
    assert list(stored) == [
        "id", "v", "occurred_at", "recorded_at", "actor", "source", "command_id", "correlation_id", "causation_id", "irregular", "data",
    ]  # fmt: skip
    assert list(stored["data"]) == [field.name for field in fields(new.event)]
    assert text[ID_AT] == str(new.id)
    assert text[VERSION_FROM:].startswith(f"{new.event.v},")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", stored["occurred_at"])


@given(new_events())
def test_stored_values_read_without_decoding_are_the_same(new: NewEvent) -> None:
    text = CODEC.encode(new, OneKey())
    event = CODEC.stored(7, str(new.stream_id), 1, new.event.type, text)
    assert (event.position, event.stream_id, event.type, event.data) == (7, str(new.stream_id), new.event.type, json.loads(text)["data"])
    assert (event.actor, event.source, event.command_id) == (new.cause.actor, new.cause.source, new.cause.command_id)
    assert (event.correlation_id, event.causation_id, event.irregular) == (new.cause.correlation_id, new.cause.causation_id, new.irregular)
    assert datetime.fromisoformat(event.recorded_at) == new.recorded_at


@given(new_events(any_event.filter(lambda event: personal_fields(type(event)) != ())), st.uuids())
def test_personal_texts_are_not_readable_in_the_stored_form(new: NewEvent, word: UUID) -> None:
    names = [name for name in personal_fields(type(new.event)) if getattr(new.event, name) is not None]
    secret = f"{word.hex} Grünwald"
    text = CODEC.encode(replace(new, event=replace(new.event, **dict.fromkeys(names, secret))), OneKey())
    data = json.loads(text)["data"]
    assert word.hex not in text
    assert "Grünwald" not in text
    assert all(data[name].startswith(f"~{name}~") and unseal(KEY, parse(data[name])) == secret for name in names)


def stored_values(**values: object) -> dict[str, Any]:
    """What is stored of an event with these values."""
    event = Everything(
        **{"everything_id": uuid4(), "at": NOON, "on": NOON.date(), "worth": Decimal(1), "maybe": None, "many": (), **values}
    )
    new = NewEvent(id=uuid4(), stream_id=uuid4(), version=1, occurred_at=NOON, recorded_at=NOON, cause=CAUSE, irregular=(), event=event)
    data: dict[str, Any] = json.loads(EVERYTHING.encode(new, {}))["data"]
    return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything(Event):
    type: ClassVar[str] = "everything.happened"
    stream: ClassVar[str] = "everything_id"
    everything_id: UUID
    at: datetime
    on: date
    worth: Decimal
    maybe: Decimal | None
    many: tuple[datetime, ...]


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CAUSE = Cause(actor="user:test", source="api", command_id="1")
EVERYTHING = Codec(Catalogue([Everything]))


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "2026-03-01T12:00:00.000000Z"),
        (NOON.replace(microsecond=1), "2026-03-01T12:00:00.000001Z"),
        (NOON.replace(microsecond=120_000), "2026-03-01T12:00:00.120000Z"),
        (datetime(2026, 3, 1, 14, 0, 0, 5, tzinfo=timezone(timedelta(hours=2))), "2026-03-01T12:00:00.000005Z"),
        (datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2))), "2026-03-01T12:00:00.000000Z"),
    ],
)
def test_times_have_one_form_so_that_their_texts_sort_as_they_do(moment: datetime, text: str) -> None:
    stored = stored_values(at=moment, many=(moment, moment))
    assert (stored["at"], stored["many"]) == (text, [text, text])


@pytest.mark.parametrize(
    ("worth", "text"),
    [("1E+3", "1000"), ("0.0000001", "0.0000001"), ("-12.50", "-12.50"), ("0E-4", "0.0000"), ("1000000000000", "1000000000000")],
)
def test_decimals_are_plain_text(worth: str, text: str) -> None:
    assert stored_values(worth=Decimal(worth), maybe=Decimal(worth))["worth"] == text
    assert stored_values(maybe=Decimal(worth))["maybe"] == text
    assert stored_values(maybe=None)["maybe"] is None


def test_an_event_with_personal_texts_but_nobody_they_are_about_is_refused() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Overheard(Event):
        type: ClassVar[str] = "something.overheard"
        stream: ClassVar[str] = "place_id"
        person: ClassVar[tuple[str, ...]] = ("speaker_id",)
        place_id: UUID
        speaker_id: UUID | None
        words: PersonalText

    codec = Codec(Catalogue([Overheard]))
    event = Overheard(place_id=uuid4(), speaker_id=None, words="psst")
    new = NewEvent(id=uuid4(), stream_id=uuid4(), version=1, occurred_at=NOON, recorded_at=NOON, cause=CAUSE, irregular=(), event=event)
    with pytest.raises(CorruptHistory, match="names no person"):
        codec.encode(new, OneKey())
    assert codec.persons([new]) == set()


def test_a_class_with_personal_texts_must_say_whose() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Nobody(Event):
        type: ClassVar[str] = "nobody.named"
        stream: ClassVar[str] = "place_id"
        place_id: UUID
        words: PersonalText

    with pytest.raises(TypeError, match="whose"):
        Codec(Catalogue([Nobody]))


def test_a_class_with_a_kind_of_value_that_has_no_stored_form_is_refused() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Weighed(Event):
        type: ClassVar[str] = "thing.weighed"
        stream: ClassVar[str] = "thing_id"
        thing_id: UUID
        weight: float

    with pytest.raises(TypeError, match="weight"):
        Codec(Catalogue([Weighed]))


@pytest.mark.parametrize(
    "state", ["", "{}", "[]", "null", '{"v":1}', '{"id":"x","v":1,"data":{}}', '{"id":"x","v":1,"occurred_at":"soon","data":{}}']
)
def test_what_is_no_event_is_never_skipped_in_silence(state: str) -> None:
    with pytest.raises(CorruptHistory):
        EVERYTHING.decode("everything.happened", state)
    with pytest.raises(CorruptHistory):
        EVERYTHING.stored(1, "x", 1, "everything.happened", state)


PERSON, EVENT = uuid4().bytes, uuid4().bytes


def token(text: str = "Ada", *, field: str = "name") -> str:
    return seal(KEY, field, text, person=PERSON, event=EVENT, nonce=bytes(12))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_token_holds_its_text_and_says_whose_it_is(text: str) -> None:
    parts = parse(token(text))
    assert (parts.field, parts.person, parts.event) == ("name", PERSON, EVENT)
    assert unseal(KEY, parts) == text


def test_a_token_is_bound_to_its_field_event_person_and_key() -> None:
    good = parse(token())
    other = uuid4().bytes
    for altered in (
        good._replace(field="email"),
        good._replace(event=other),
        good._replace(person=other),
        good._replace(nonce=bytes(range(12))),
    ):
        with pytest.raises(CorruptHistory, match="does not fit"):
            unseal(KEY, altered)
    with pytest.raises(CorruptHistory, match="does not fit"):
        unseal(AESGCM(bytes(range(32))), good)


@pytest.mark.parametrize("text", ["", "Ada", "~name~", "~name~AAAA", "~name", "~name~????", "x~name~" + "A" * 120, "~a~b~" + "A" * 120])
def test_what_is_no_token_is_told_apart(text: str) -> None:
    with pytest.raises(CorruptHistory, match="not a ciphertext token"):
        parse(text)


@given(new_events(events(ContactAdded, name=st.just(token()))))
def test_a_callers_text_that_looks_like_a_token_is_encrypted_like_any_other(new: NewEvent) -> None:
    stored = json.loads(CODEC.encode(new, OneKey()))["data"]["name"]
    assert stored != token()
    assert unseal(KEY, parse(stored)) == token()


@given(new_events(events(ContactAdded, name=st.just(Token(token())))))
def test_a_token_that_came_out_of_the_log_is_carried_on_as_it_is(new: NewEvent) -> None:
    assert json.loads(CODEC.encode(new, OneKey()))["data"]["name"] == token()
