"""What is held about a person: every event that names them, with the texts that lie under their key; nobody else's texts."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from bus.catalogue import TODAY, personal_fields
from bus.cipher import parse, search_text
from bus.log import Log
from bus.stored import StoredEvents
from domain.envelope import StoredEvent
from domain.errors import NotFound, RuleViolation
from readmodels.opening import Decrypt
from readmodels.sentences import Language, sentence

FORMAT: Final = "daybook-person/1"
BEGINNINGS: Final = ("contact.added", "customer.registered")
_NOT_KNOWN: Final = ("contact_id", "customer_id", "kind", "reason", "legal_basis", "requested_on", "forgotten", "events", "upto")
"""Fields of a person's own events that say nothing about what the person is like."""


@dataclass(frozen=True, slots=True)
class Held:
    """The events about one person, in order, up to the position `upto`."""

    person: UUID
    kind: str
    """`contact` or `customer`."""
    events: Sequence[StoredEvent]
    upto: int

    @property
    def texts(self) -> Counter[tuple[str, str]]:
        """How many texts lie under the person's key, by event type and field."""
        return Counter((event.type, name) for event in self.events for name in own(event, self.person))

    @property
    def proof(self) -> StoredEvent | None:
        """The event that tells of the person's erasure; None before it."""
        return next((event for event in self.events if event.type == f"{self.kind}.erased"), None)


def own(event: StoredEvent, person: UUID) -> Iterator[str]:
    """The personal fields of an event that lie under the person's key."""
    for name in personal_fields(TODAY.known(event.type)):
        token = event.data.get(name)
        if token is not None and parse(token).person == person.bytes:
            yield name


def held(person: UUID, stored: StoredEvents, log: Log) -> Held:
    """Everything that is held about a person. Raises NotFound `person.unknown`, or RuleViolation `customer.not_a_person`."""
    upto = log.head()
    found = {*stored.mentioning(str(person)), *stored.mentioning(search_text(person))}
    events = [event for event in log.read_at(sorted(each for each in found if each <= upto)) if _about(event, person)]
    beginning = next((event for event in events if event.type in BEGINNINGS and event.stream_id == str(person)), None)
    if beginning is None:
        raise NotFound("person.unknown", f"there is no contact and no customer {person}")
    if beginning.data.get("kind") == "company":
        raise RuleViolation("customer.not_a_person", "a company is no person; its contacts are, each for themselves")
    return Held(person, beginning.type.partition(".")[0], events, upto)


def _about(event: StoredEvent, person: UUID) -> bool:
    name = str(person)
    return any(value == name or (isinstance(value, list) and name in value) for value in event.data.values()) or any(own(event, person))


def summary(about: Held) -> dict[str, Any]:
    """How much is held about a person: by kind of record, and which texts can be read only with the person's key."""
    records = {(event.type.partition(".")[0], event.stream_id) for event in about.events}
    texts = Counter[str]()
    for (event_type, name), count in about.texts.items():
        texts[f"{event_type.partition('.')[0]} {name.removeprefix('previous_').replace('_', ' ')}"] += count
    proof = about.proof
    return {
        "person_id": about.person,
        "kind": about.kind,
        "events": len(about.events),
        "records": [{"kind": kind, "count": count} for kind, count in sorted(Counter(kind for kind, _ in records).items())],
        "texts": [{"of": of, "count": count} for of, count in sorted(texts.items())],
        "first_at": min(event.occurred_at for event in about.events),
        "last_at": max(event.occurred_at for event in about.events),
        "erased_at": proof.occurred_at if proof else None,
        "position": about.upto,
    }


def dossier(about: Held, decrypt: Decrypt, *, language: Language) -> dict[str, Any]:
    """Everything that is held about a person, to be handed to them: what is known now, and each event with both clocks."""
    events = [dict(each) for each in _told(about, decrypt, language)]
    return {
        "format": FORMAT,
        "person_id": about.person,
        "kind": about.kind,
        "language": language,
        "upto": about.upto,
        "erased_at": about.proof.occurred_at if about.proof else None,
        "known": _known(about, events),
        "events": events,
    }


def _told(about: Held, decrypt: Decrypt, language: Language) -> Iterator[Mapping[str, Any]]:
    places = [(index, name) for index, event in enumerate(about.events) for name in own(event, about.person)]
    texts = decrypt([about.events[index].data[name] for index, name in places])
    readable: dict[int, dict[str, str | None]] = {}
    for (index, name), text in zip(places, texts, strict=True):
        readable.setdefault(index, {})[name] = text
    for index, event in enumerate(about.events):
        mine = readable.get(index, {})
        personal = [name for name in personal_fields(TODAY.known(event.type)) if event.data.get(name) is not None]
        others = [name for name in personal if name not in mine]
        erased = [name for name, text in mine.items() if text is None]
        data = {name: value for name, value in {**event.data, **mine}.items() if name not in others}
        yield {
            "position": event.position,
            "type": event.type,
            "record": {"kind": event.type.partition(".")[0], "id": event.stream_id},
            "says": sentence(event.type, {**data, **dict.fromkeys(others)}, language, erased=frozenset(erased)),
            "occurred_at": event.occurred_at,
            "recorded_at": event.recorded_at,
            "actor": event.actor,
            "source": event.source,
            "data": data,
            "erased": erased,
            "of_others": others,
        }


def _known(about: Held, events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is known of the person now, from the events of their own record."""
    known: dict[str, Any] = {}
    for event in events:
        if event["record"]["id"] != str(about.person):
            continue
        data: Mapping[str, Any] = event["data"]
        if event["type"] == "customer.custom_field_set":
            known[f"custom field {data['field']}"] = data["value"] if data["value"] is not None else data["personal_value"]
            continue
        known |= {name: value for name, value in data.items() if name not in _NOT_KNOWN and not name.startswith(("previous_", "was_"))}
    return {name: value for name, value in known.items() if value not in (None, [])}
