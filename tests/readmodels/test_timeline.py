"""A timeline is complete and without gaps, in either order, page by page, in both languages."""

import random
from collections.abc import Iterator
from itertools import product
from uuid import uuid4

import pytest

from bus.catalogue import TODAY, personal_fields
from domain.envelope import StoredEvent
from domain.errors import NotFound
from readmodels.timeline import Order, Question, Wording, place, timeline, told
from tests.commands.orders import order
from tests.readmodels.folding import Company, company
from tests.readmodels.histories import ext
from tests.readmodels.test_customers import story


@pytest.fixture(scope="module")
def firm() -> Iterator[Company]:
    stages = [{"name": "Lead"}, {"name": "Won", "status": "won"}, {"name": "Lost", "status": "lost"}]
    with company() as opened:
        opened.give(order("define_pipeline", pipeline_id=ext("pipe"), name="Pipe", stages=stages))
        for seed in range(3):
            opened.try_all(story(random.Random(seed), f"c{seed}"))
        opened.give(order("move_contact", contact_id=ext("c0-3"), customer_id=ext("c1")))
        yield opened


def customers(firm: Company) -> dict[str, str]:
    """Their ids by their external ids."""
    return {event.data["external_id"]: event.data["customer_id"] for event in firm.events if event.type == "customer.registered"}


def of_customer(firm: Company, customer_id: str) -> list[StoredEvent]:
    return [event for event in firm.events if customer_id in (event.data.get("customer_id"), event.data.get("previous_customer_id"))]


def paged(firm: Company, question: Question, limit: int) -> list[int]:
    """The positions of all pages of a timeline."""
    found: list[int] = []
    after = None
    with firm.facts() as facts:
        while rows := timeline(facts, question, limit=limit, after=after):
            found += [row["position"] for row in rows]
            after = place(question, rows[-1])
    return found


@pytest.mark.parametrize(("name", "order_", "limit"), [*product(["c0", "c1", "c2"], Order, [1, 7, 500])])
def test_every_event_of_the_customer_is_there_once_in_order(firm: Company, name: str, order_: Order, limit: int) -> None:
    customer_id = customers(firm)[name]
    clock = (lambda event: (event.occurred_at, event.position)) if order_.by_happening else (lambda event: event.position)
    wanted = sorted(of_customer(firm, customer_id), key=clock, reverse=order_.descending)
    assert paged(firm, Question(customer_id=customer_id, order=order_), limit) == [event.position for event in wanted]


@pytest.mark.parametrize("kinds", [("opportunity",), ("request.opened", "interaction"), ("survey.answered",)])
def test_it_can_be_narrowed_to_kinds_of_records_and_events(firm: Company, kinds: tuple[str, ...]) -> None:
    customer_id = customers(firm)["c1"]
    events = [event for event in of_customer(firm, customer_id) if event.type in kinds or event.type.partition(".")[0] in kinds]
    assert events
    assert paged(firm, Question(customer_id=customer_id, kinds=kinds, order=Order.RECORDED), 3) == [event.position for event in events]


def test_a_contact_that_went_over_is_in_both_timelines(firm: Company) -> None:
    for name in ("c0", "c1"):
        assert len(paged(firm, Question(customer_id=customers(firm)[name], kinds=("contact.moved",)), 5)) == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_event_is_a_sentence_with_readable_fields_and_both_clocks(firm: Company, language: str) -> None:
    by_position = {event.position: event for event in firm.events}
    wording = Wording(language, lambda kind: personal_fields(TODAY.known(kind)), firm.books.vault.decrypt_all)  # type: ignore[arg-type]
    with firm.facts() as facts:
        positions = [row["position"] for row in timeline(facts, Question(customer_id=customers(firm)["c0"]), limit=500)]
    rows = told(firm.books.log.read_at(positions), wording)
    assert [row["position"] for row in rows] == positions
    for row in rows:
        event = by_position[row["position"]]
        assert (row["occurred_at"], row["recorded_at"]) == (event.occurred_at, event.recorded_at)
        assert (row["actor"], row["source"], row["command_id"]) == (event.actor, event.source, event.command_id)
        assert tuple(row["irregular"]) == event.irregular
        assert row["record"] == {"kind": event.type.partition(".")[0], "id": event.stream_id}
        assert row["says"]
        assert "~" not in row["says"]
        assert not any(isinstance(value, str) and value.startswith("~") for value in row["data"].values())


def test_what_broke_a_rule_is_marked(firm: Company) -> None:
    with firm.facts() as facts:
        [rows] = [facts.rows("SELECT DISTINCT unnest(irregular) AS code FROM timeline", {})]
    assert {row["code"] for row in rows} >= {"opportunity.closed"}


def test_an_unknown_customer_is_not_found(firm: Company) -> None:
    with firm.facts() as facts, pytest.raises(NotFound) as caught:
        timeline(facts, Question(customer_id=str(uuid4())), limit=1)
    assert caught.value.code == "customer.unknown"
