"""What the feed says was before an event is what the event itself carries of it, and does not depend on how the log is read."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from api.demo.fill import fill
from api.settings import load_settings
from api.wiring import Books, open_books
from domain.catalogue import BY_TYPE
from domain.envelope import StoredEvent
from replay.changes.attributes import CALLED, GAINS, IMPLIED, OCCASION, OCCASION_OF, PARTS, Sealed
from replay.changes.tracking import Change, Changes, step
from tests.commands.orders import order
from tests.readmodels.folding import company
from tests.readmodels.histories import History, histories

OTHERWISE = {"previous_close_on": "expected_close_on"}
NOT_OF_THE_RECORD = {"previous_move_no", "previous_place", "previous_primary_contact_id"}
"""Values that were before, of what is no attribute of the record."""
IN_PARTS = {
    "customer.custom_field_set": ("custom_field.{field}", {"previous_value": ""}),
    "opportunity.line_changed": (
        "line.{line_id}.",
        {"previous_quantity": "quantity", "previous_unit_price": "unit_price", "previous_base_total": "base_total"},
    ),
    "opportunity.contact_linked": ("contact.{contact_id}.role", {"previous_role": ""}),
    "request.target_set": ("target.{kind}.", {"previous_due_at": "due_at"}),
    "pipeline.stage_renamed": ("stage.{stage}.", {"previous_label": "label"}),
    "pipeline.stage_terms_changed": (
        "stage.{stage}.",
        {"previous_probability": "probability", "previous_rotting_days": "rotting_days"},
    ),
}


def carried(event: StoredEvent) -> Iterator[tuple[str, Any]]:
    """The attributes that an event itself says what they were before it."""
    part, names = IN_PARTS.get(event.type, ("", {}))
    for name, value in event.data.items():
        if name in names:
            yield part.format(**event.data) + names[name], value
        elif (event.type, name) == ("opportunity.forecast_category_set", "previous_category"):
            yield "forecast_category", value
        elif name.startswith("previous_") and name not in NOT_OF_THE_RECORD:
            yield OTHERWISE.get(name, name.removeprefix("previous_")), value
        elif name in ("from_stage", "from_agent", "from_team"):
            yield name.removeprefix("from_"), value


def held_against(events: list[StoredEvent], decrypt: Callable[[str], str | None]) -> int:
    """How many carried values were compared; each must be what was folded."""
    records: dict[str, dict[str, Any]] = {}
    compared = 0
    for event in events:
        attributes = records.setdefault(event.stream_id, {})
        for name, value in carried(event):
            folded = attributes.get(name)
            if event.type == "customer.custom_field_set" and isinstance(folded, Sealed):
                continue
            readable = (decrypt(folded), decrypt(value)) if isinstance(folded, Sealed) and value is not None else (folded, value)
            assert readable[0] == readable[1], (event, name, folded)
            compared += 1
        step(attributes, event)
    return compared


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """A company that lived for a while."""
    with open_books(load_settings({}, data=tmp_path_factory.mktemp("changes") / "data")) as opened:
        fill(opened.log, events=4_000, seed=5, until=datetime(2026, 11, 20, 15, tzinfo=UTC), base_currency="EUR")
        yield opened


@pytest.fixture(scope="module")
def events(books: Books) -> list[StoredEvent]:
    return books.log.read(0, 100_000)


def test_what_was_before_is_what_the_events_carry_of_it(books: Books, events: list[StoredEvent]) -> None:
    assert held_against(events, books.vault.decrypt) > 2_000


@settings(max_examples=8)
@given(histories)
def test_so_it_is_in_histories_without_rhyme_or_reason(history: History) -> None:
    with company() as firm:
        firm.books.dispatcher.execute(history.orders("h"))
        assert held_against(firm.events, firm.books.vault.decrypt) >= 0


def test_a_reader_is_told_the_same_however_it_reads(books: Books, events: list[StoredEvent]) -> None:
    records: dict[str, dict[str, Any]] = {}
    expected = {event.position: step(records.setdefault(event.stream_id, {}), event) for event in events}
    moments = random.Random(9)
    for _ in range(6):
        share = moments.choice([1.0, 0.5, 0.1])
        wanted = [event for event in events[moments.randrange(len(events)) :] if moments.random() < share]
        changes = Changes(books.log, most=moments.choice([0, 5, 1000]))
        told: list[Change] = []
        start = 0
        while start < len(wanted):
            size = moments.randint(1, 300)
            told += changes.of(wanted[start : start + size])
            start += size
        assert told == [expected[event.position] for event in wanted]


def test_an_attribute_is_told_only_when_it_changes() -> None:
    with company() as firm:
        (customer,) = firm.give(order("register_customer", name="Kwik-E-Mart", owner_id="apu"))
        about = {"customer_id": customer.stream_id}
        firm.give(
            order("classify_customer", **about, tier="B", industry="Retail"),
            order("classify_customer", **about, tier="A", industry="Retail"),
            order("archive_customer", **about),
        )
        told = Changes(firm.books.log).of(firm.events)
    assert [(change.before, change.after) for change in told[1:]] == [
        ({"tier": None, "industry": None}, {"tier": "B", "industry": "Retail"}),
        ({"tier": "B"}, {"tier": "A"}),
        ({"archived": False}, {"archived": True}),
    ]


def test_the_declarations_name_events_and_fields_that_there_are() -> None:
    fields = {kind: set(event.__dataclass_fields__) for kind, event in BY_TYPE.items()}
    every = set().union(*fields.values())
    assert every >= OCCASION
    assert {kind for kind, names in OCCASION_OF.items() if kind not in fields} == set()
    assert {(kind, name) for kind, name in CALLED if name not in fields[kind]} == set()
    assert {*PARTS, *GAINS, *IMPLIED} <= set(fields)
