"""The AsyncAPI document keeps to the standard, and events are what it says they are."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given

from api.asyncapi import document
from api.version import VERSION
from bus.codec import Codec, person_of
from commands.catalogue import COMMANDS
from domain.catalogue import EVENTS
from domain.envelope import NewEvent
from tests.strategies import new_events

DOCUMENT = document(VERSION)
STANDARD = Path(__file__).parents[1] / "vendored" / "asyncapi" / "3.0.0.json"
MESSAGES: dict[str, Any] = {message["name"]: message for message in DOCUMENT["components"]["messages"].values()}
PAYLOADS = {
    name: jsonschema_rs.validator_for({**message["payload"], "components": DOCUMENT["components"]}, validate_formats=True)
    for name, message in MESSAGES.items()
}
CODEC = Codec()


def as_it_travels(new: NewEvent) -> dict[str, Any]:
    person = person_of(new.event)
    return json.loads(CODEC.encode(new, {person: AESGCM(bytes(32))} if person else {}))


def wrong(document: dict[str, Any]) -> list[str]:
    schema = jsonschema_rs.validator_for(json.loads(STANDARD.read_text()))
    return [error.message[:300] for error in schema.iter_errors(document)]


def test_the_document_keeps_to_the_standard() -> None:
    assert wrong(DOCUMENT) == []


@pytest.mark.parametrize("part", ["channels", "operations", "components"])
def test_a_document_that_does_not_keep_to_it_is_found(part: str) -> None:
    assert wrong({**DOCUMENT, part: [DOCUMENT[part]]})


def test_every_event_and_every_command_is_in_it() -> None:
    assert {event.type for event in EVENTS} | set(COMMANDS) <= MESSAGES.keys()


def test_what_channels_and_messages_refer_to_is_there() -> None:
    def look_up(reference: str) -> Any:
        found: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        return found

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            return [part["$ref"]] if isinstance(part.get("$ref"), str) else [each for value in part.values() for each in references(value)]
        return [each for value in part for each in references(value)] if isinstance(part, list) else []

    found = references(DOCUMENT)
    assert len(found) > len(EVENTS) + len(COMMANDS)
    assert all(look_up(reference) for reference in found)


@given(new_events())
def test_every_event_is_what_the_document_says(new: NewEvent) -> None:
    PAYLOADS[new.event.type].validate(as_it_travels(new))


@given(new_events())
def test_an_event_that_lacks_a_field_is_not(new: NewEvent) -> None:
    event = as_it_travels(new)
    del event["data"][new.event.stream]
    assert not PAYLOADS[new.event.type].is_valid(event)
