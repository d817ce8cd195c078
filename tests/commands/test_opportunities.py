"""Every command on pipelines and opportunities, as a caller gives it."""

from decimal import Decimal

import pytest

from commands.order import Order
from tests.commands.orders import CUSTOMER, PIPELINE, Desk, deal, ext, order

LINE = "01900000-0000-7000-8000-00000000000a"


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.give(PIPELINE, CUSTOMER, deal(1, amount="100.00"))
    return desk


def about(name: str, **data: object) -> Order:
    return order(name, opportunity_id=ext(1), **data)


def last(desk: Desk) -> tuple[str, dict[str, object]]:
    """The type and the fields of the last event."""
    event = desk.log.events[-1].event
    return event.type, {name: getattr(event, name) for kind in type(event).__mro__ for name in getattr(kind, "__slots__", ())}


SAID = [
    (about("move_opportunity", to_stage="Offer"), "opportunity.stage_changed", {"from_stage": "Lead", "to_stage": "Offer", "move_no": 1}),
    (about("win_opportunity"), "opportunity.won", {"base_amount": Decimal("100.00"), "to_stage": "Won"}),
    (about("win_opportunity", amount="120.5"), "opportunity.won", {"base_amount": Decimal("120.5")}),
    (about("win_opportunity", amount="100", currency="USD", rate="0.9"), "opportunity.won", {"base_amount": Decimal(90)}),
    (about("lose_opportunity", reason="price", competitor="Acme"), "opportunity.lost", {"reason": "price", "competitor": "Acme"}),
    (about("change_opportunity_amount", amount="80"), "opportunity.amount_changed", {"base_change": Decimal(-20), "currency": "EUR"}),
    (about("move_close_date", expected_close_on="2026-08-01"), "opportunity.close_date_moved", {"direction": "set"}),
    (about("set_forecast_category", category="commit"), "opportunity.forecast_category_set", {"category": "commit"}),
    (about("assign_opportunity", owner_id="ben"), "opportunity.assigned", {"owner_id": "ben", "previous_owner_id": "ana"}),
    (about("note_competitor", competitor="Acme"), "opportunity.competitor_noted", {"competitor": "Acme"}),
    (
        about("add_opportunity_line", product="GTX", quantity="2", unit_price="19.99"),
        "opportunity.amount_changed",
        {"amount": Decimal("39.98"), "base_change": Decimal("-60.02")},
    ),
]


@pytest.mark.parametrize(("asked", "event_type", "fields"), SAID, ids=[asked.name for asked, _, _ in SAID])
def test_a_command_makes_its_event(desk: Desk, asked: Order, event_type: str, fields: dict[str, object]) -> None:
    desk.give(asked)
    found, said = last(desk)
    assert found == event_type
    assert {name: said[name] for name in fields} == fields


REFUSED = [
    (about("move_opportunity", to_stage="Nowhere"), "stage.unknown"),
    (about("lose_opportunity"), "opportunity.no_reason"),
    (about("change_opportunity_amount", amount="1", currency="USD"), "currency.rate_missing"),
    (about("change_opportunity_amount", amount="-1"), "amount.negative"),
    (about("change_opportunity_amount", amount="1.00001"), "command.invalid"),
    (about("reopen_opportunity"), "opportunity.open"),
    (about("change_opportunity_line", line_id=LINE, quantity=1, unit_price=1), "line.unknown"),
    (about("remove_opportunity_line", line_id=LINE), "line.unknown"),
    (about("link_contact_to_opportunity", contact_id=ext("nobody"), role="buyer"), "contact.unknown"),
    (about("set_forecast_category", category="hopeful"), "command.invalid"),
    (deal(2, customer_id=ext("nobody")), "customer.unknown"),
    (deal(2, pipeline_id=ext("nothing")), "pipeline.unknown"),
    (deal(2, amount="1e30"), "command.invalid"),
]


@pytest.mark.parametrize(("asked", "code"), REFUSED, ids=[f"{asked.name}: {code}" for asked, code in REFUSED])
def test_what_cannot_be_is_refused_with_its_code(desk: Desk, asked: Order, code: str) -> None:
    assert desk.refuse(asked) == code


def test_a_line_is_added_changed_and_removed(desk: Desk) -> None:
    desk.give(about("add_opportunity_line", line_id=LINE, product="GTX", quantity=2, unit_price="10"))
    desk.give(about("change_opportunity_line", line_id=LINE, quantity=3, unit_price="10"))
    assert last(desk)[1]["base_amount"] == Decimal(30)
    desk.give(about("remove_opportunity_line", line_id=LINE))
    assert last(desk)[0] == "opportunity.line_removed"


def test_a_lost_deal_is_reopened_where_it_was(desk: Desk) -> None:
    desk.give(about("move_opportunity", to_stage="Offer"), about("lose_opportunity", reason="price"), about("reopen_opportunity"))
    assert last(desk)[1]["to_stage"] == "Offer"


def test_a_contact_of_the_customer_plays_a_role(desk: Desk) -> None:
    desk.give(
        order("add_contact", contact_id=ext("ida"), customer_id=ext("acme"), name="Ida"),
        about("link_contact_to_opportunity", contact_id=ext("ida"), role="buyer"),
    )
    assert last(desk)[0] == "opportunity.contact_linked"


def test_an_archived_customer_takes_no_deal_until_it_is_restored(desk: Desk) -> None:
    desk.give(order("archive_customer", customer_id=ext("acme")))
    assert desk.refuse(deal(2)) == "customer.archived"
    desk.give(order("restore_customer", customer_id=ext("acme")), deal(2))


def test_a_pipeline_changes_its_stages(desk: Desk) -> None:
    sales = {"pipeline_id": ext("sales")}
    desk.give(
        order("add_stage", **sales, stage={"name": "Talk", "probability": 20, "rotting_days": 14}),
        order("rename_stage", **sales, stage="Talk", label="First talk"),
        order("move_stage", **sales, stage="Talk", place=0),
        order("change_stage_terms", **sales, stage="Talk", probability=30),
        order("rename_pipeline", **sales, name="B2B"),
        order("retire_stage", **sales, stage="Offer"),
    )
    types = [stored.event.type.removeprefix("pipeline.") for stored in desk.log.events[-6:]]
    assert types == ["stage_added", "stage_renamed", "stage_moved", "stage_terms_changed", "renamed", "stage_retired"]
    assert desk.refuse(order("rename_stage", **sales, stage="Gone", label="x")) == "stage.unknown"
    desk.give(deal(2))
    assert last(desk)[1]["stage"] == "Talk"
