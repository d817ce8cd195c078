"""How deals may move, change and end."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain.errors import DaybookError
from domain.opportunities import moves, opportunity, worth
from domain.opportunities.events import (
    OpportunityAmountChanged,
    OpportunityAssigned,
    OpportunityCloseDateMoved,
    OpportunityEvent,
    OpportunityLineAdded,
    OpportunityLost,
    OpportunityOpened,
    OpportunityReopened,
    OpportunityStageChanged,
    OpportunityWon,
)
from domain.opportunities.opportunity import Line
from domain.pipelines import pipeline as pipelines
from domain.values import Money, money
from tests.domain.given import AT, at, given
from tests.domain.test_pipelines import SALES

PIPELINE = given(pipelines.evolve, *SALES).state
ID, CUSTOMER, CONTACT, LINE = UUID(int=10), UUID(int=11), UUID(int=12), UUID(int=13)
KEYS: dict[str, Any] = {"opportunity_id": ID, "customer_id": CUSTOMER, "pipeline_id": PIPELINE.id, "owner_id": "ana", "team": "west"}
HUNDRED = Money(Decimal(100), "EUR", Decimal(100))
OPENED = OpportunityOpened(
    **KEYS,
    name="Deal",
    stage="Lead",
    move_no=0,
    amount=Decimal(100),
    currency="EUR",
    base_amount=Decimal(100),
    expected_close_on=date(2026, 6, 1),
    lead_source=None,
    external_source=None,
    external_id=None,
)
LATER = AT + timedelta(days=3)


def moved(from_stage: str, to_stage: str, move_no: int, *, entered: Any = AT, backward: bool = False) -> dict[str, Any]:
    return {
        **KEYS,
        "from_stage": from_stage,
        "to_stage": to_stage,
        "move_no": move_no,
        "previous_move_no": move_no - 1,
        "entered_from_stage_at": entered,
        "backward": backward,
        "base_amount": Decimal(100),
    }


TO_OFFER = OpportunityStageChanged(**moved("Lead", "Offer", 1))
WON = OpportunityWon(**moved("Lead", "Won", 1), opened_at=AT, previous_status="open")
LOST = OpportunityLost(**moved("Lead", "Lost", 1), opened_at=AT, previous_status="open", reason="price", competitor=None)


def open_deal(**changes: Any) -> dict[str, Any]:
    return {
        "opportunity_id": ID,
        "customer_id": CUSTOMER,
        "customer_archived": False,
        "pipeline": PIPELINE,
        "stage": None,
        "name": "Deal",
        "owner_id": "ana",
        "team": "west",
        "worth": HUNDRED,
        "expected_close_on": date(2026, 6, 1),
        "lead_source": None,
        "external": None,
        **changes,
    }


def test_a_deal_opens_in_the_first_open_stage() -> None:
    given(opportunity.evolve).asked(moves.open_deal, **open_deal()).then(OPENED)
    given(opportunity.evolve, OPENED).asked(moves.open_deal, **open_deal()).refused("opportunity.exists")


def test_a_deal_opens_only_in_an_open_stage_of_its_pipeline() -> None:
    new = given(opportunity.evolve)
    new.asked(moves.open_deal, **open_deal(stage="Won")).refused("opportunity.opened_closed")
    new.asked(moves.open_deal, **open_deal(stage="Nowhere")).refused("stage.unknown")
    new.reported(moves.open_deal, **open_deal(stage="Nowhere")).refused("stage.unknown")


def test_an_archived_customer_takes_no_new_deal_though_one_may_be_reported() -> None:
    new = given(opportunity.evolve)
    new.asked(moves.open_deal, **open_deal(customer_archived=True)).refused("customer.archived")
    new.reported(moves.open_deal, **open_deal(customer_archived=True)).irregular("customer.archived")


def test_a_move_says_which_stage_was_left_and_since_when() -> None:
    given(opportunity.evolve, OPENED).asked(moves.move, pipeline=PIPELINE, to="Offer", at=LATER).then(TO_OFFER)


def test_a_move_back_is_allowed_and_said_to_be_one() -> None:
    back = OpportunityStageChanged(**moved("Offer", "Lead", 2, entered=LATER, backward=True))
    given(opportunity.evolve, OPENED, at(LATER, TO_OFFER)).asked(moves.move, pipeline=PIPELINE, to="Lead", at=LATER).then(back)


def test_a_move_to_the_stage_it_is_in_changes_nothing() -> None:
    given(opportunity.evolve, OPENED).asked(moves.move, pipeline=PIPELINE, to="Lead", at=LATER).nothing()


def test_moving_never_closes_a_deal() -> None:
    given(opportunity.evolve, OPENED).asked(moves.move, pipeline=PIPELINE, to="Won", at=LATER).refused("opportunity.move_closes")
    given(opportunity.evolve, OPENED).reported(moves.move, pipeline=PIPELINE, to="Lost", at=LATER).refused("opportunity.move_closes")


def test_a_closed_deal_does_not_move_and_a_reported_move_of_it_is_an_irregular_reopening() -> None:
    won = given(opportunity.evolve, OPENED, WON)
    won.asked(moves.move, pipeline=PIPELINE, to="Offer", at=LATER).refused("opportunity.closed")
    won.reported(moves.move, pipeline=PIPELINE, to="Offer", at=LATER).irregular("opportunity.closed").has(
        OpportunityReopened, to_stage="Offer", previous_status="won", move_no=2
    )


def test_a_move_before_the_last_one_is_refused_and_irregular_when_reported() -> None:
    deal = given(opportunity.evolve, at(LATER, OPENED))
    deal.asked(moves.move, pipeline=PIPELINE, to="Offer", at=AT).refused("opportunity.out_of_order")
    deal.reported(moves.move, pipeline=PIPELINE, to="Offer", at=AT).irregular("opportunity.out_of_order")


def test_a_retired_stage_takes_no_deals() -> None:
    retired = replace(PIPELINE, stages=tuple(replace(s, retired=s.name == "Offer") for s in PIPELINE.stages))
    given(opportunity.evolve, OPENED).asked(moves.move, pipeline=retired, to="Offer", at=LATER).refused("stage.retired")


def test_winning_for_another_amount_changes_the_amount_first() -> None:
    worth = Money(Decimal(120), "EUR", Decimal(120))
    outcome = given(opportunity.evolve, OPENED).asked(moves.win, pipeline=PIPELINE, stage=None, worth=worth, at=LATER)
    outcome.types("opportunity.amount_changed", "opportunity.won")
    outcome.has(OpportunityAmountChanged, base_change=Decimal(20)).has(OpportunityWon, base_amount=Decimal(120), from_stage="Lead")


def test_winning_keeps_the_amount_unless_another_is_given() -> None:
    given(opportunity.evolve, OPENED).asked(moves.win, pipeline=PIPELINE, stage=None, worth=None, at=LATER).then(WON)


def test_a_won_deal_is_not_won_again_unless_it_was_reported() -> None:
    won = given(opportunity.evolve, OPENED, WON)
    won.asked(moves.win, pipeline=PIPELINE, stage=None, worth=None, at=LATER).refused("opportunity.closed")
    won.reported(moves.win, pipeline=PIPELINE, stage=None, worth=None, at=LATER).irregular("opportunity.closed").has(
        OpportunityWon, previous_status="won"
    )


def test_losing_asks_for_a_reason() -> None:
    deal = given(opportunity.evolve, OPENED)
    values = {"pipeline": PIPELINE, "stage": None, "competitor": None, "at": LATER}
    deal.asked(moves.lose, **values, reason=None).refused("opportunity.no_reason")
    deal.asked(moves.lose, **values, reason="price").then(LOST)


def test_a_reopened_deal_goes_back_to_the_open_stage_it_was_in() -> None:
    lost = given(opportunity.evolve, OPENED, LOST)
    lost.asked(moves.reopen, pipeline=PIPELINE, stage=None, reason="they called", at=LATER).has(
        OpportunityReopened, to_stage="Lead", previous_status="lost", move_no=2
    )
    given(opportunity.evolve, OPENED).asked(moves.reopen, pipeline=PIPELINE, stage=None, reason=None, at=LATER).refused("opportunity.open")
    lost.asked(moves.reopen, pipeline=PIPELINE, stage="Won", reason=None, at=LATER).refused("opportunity.reopened_closed")


def test_the_amount_changes_by_a_known_difference_and_never_below_zero() -> None:
    deal = given(opportunity.evolve, OPENED)
    deal.asked(worth.change_amount, worth=Money(Decimal(90), "EUR", Decimal(90))).has(OpportunityAmountChanged, base_change=Decimal(-10))
    deal.asked(worth.change_amount, worth=HUNDRED).nothing()
    deal.asked(worth.change_amount, worth=Money(Decimal(-1), "EUR", Decimal(-1))).refused("amount.negative")
    given(opportunity.evolve, OPENED, WON).asked(worth.change_amount, worth=Money(Decimal(1), "EUR", Decimal(1))).refused(
        "opportunity.closed"
    )


def test_a_foreign_amount_needs_its_rate_and_keeps_both_amounts() -> None:
    assert money(Decimal(10), "USD", base_currency="EUR", rate=Decimal("0.9")) == Money(Decimal(10), "USD", Decimal(9))
    with pytest.raises(DaybookError, match="how many EUR one USD"):
        money(Decimal(10), "USD", base_currency="EUR", rate=None)
    with pytest.raises(DaybookError, match="base currency"):
        money(Decimal(10), "EUR", base_currency="EUR", rate=Decimal(2))


def test_a_close_date_is_pushed_later_or_pulled_earlier() -> None:
    deal = given(opportunity.evolve, OPENED)
    deal.asked(worth.move_close_date, to=date(2026, 7, 1)).has(OpportunityCloseDateMoved, direction="pushed")
    deal.asked(worth.move_close_date, to=date(2026, 5, 1)).has(OpportunityCloseDateMoved, direction="pulled")
    deal.asked(worth.move_close_date, to=date(2026, 6, 1)).nothing()


def line(product: str, quantity: int, price: int) -> Line:
    total = Decimal(quantity * price)
    return Line(product, Decimal(quantity), Decimal(price), total, total)


def test_with_product_lines_the_amount_is_their_sum() -> None:
    added = given(opportunity.evolve, OPENED).asked(worth.add_line, line_id=LINE, line=line("GTX", 2, 30))
    added.types("opportunity.line_added", "opportunity.amount_changed").has(OpportunityAmountChanged, base_amount=Decimal(60))
    deal = given(opportunity.evolve, OPENED, *added.events)
    deal.asked(worth.change_amount, worth=HUNDRED).refused("opportunity.amount_from_lines")
    deal.asked(worth.add_line, line_id=LINE, line=line("GTX", 1, 1)).refused("line.exists")
    deal.asked(worth.change_line, line_id=LINE, line=line("GTX", 3, 30)).has(OpportunityAmountChanged, base_amount=Decimal(90))
    deal.asked(worth.change_line, line_id=LINE, line=line("GTX", 2, 30)).nothing()
    deal.asked(worth.change_line, line_id=ID, line=line("GTX", 2, 30)).refused("line.unknown")
    deal.asked(worth.remove_line, line_id=LINE).types("opportunity.line_removed")
    assert isinstance(added.events[0], OpportunityLineAdded)


def test_assigning_says_who_had_it_before() -> None:
    deal = given(opportunity.evolve, OPENED)
    deal.when(opportunity.assign, owner_id="ben", team="east").then(
        OpportunityAssigned(**{**KEYS, "owner_id": "ben", "team": "east"}, previous_owner_id="ana", previous_team="west")
    )
    deal.when(opportunity.assign, owner_id="ana", team="west").nothing()


def test_only_a_contact_of_the_same_customer_plays_a_role() -> None:
    deal = given(opportunity.evolve, OPENED)
    values = {"contact_id": CONTACT, "role": "buyer"}
    deal.asked(opportunity.link_contact, **values, contact_customer_id=ID).refused("contact.other_customer")
    linked = deal.asked(opportunity.link_contact, **values, contact_customer_id=CUSTOMER).events
    given(opportunity.evolve, OPENED, *linked).asked(opportunity.link_contact, **values, contact_customer_id=CUSTOMER).nothing()


def test_forecast_category_and_competitors_are_noted_once() -> None:
    deal = given(opportunity.evolve, OPENED)
    category = deal.asked(worth.set_forecast_category, category="commit").types("opportunity.forecast_category_set").events
    given(opportunity.evolve, OPENED, *category).asked(worth.set_forecast_category, category="commit").nothing()
    noted = deal.when(opportunity.note_competitor, competitor="Acme").types("opportunity.competitor_noted").events
    given(opportunity.evolve, OPENED, *noted).when(opportunity.note_competitor, competitor="Acme").nothing()


def test_every_opportunity_event_carries_the_keys_its_readers_need() -> None:
    assert isinstance(WON, OpportunityEvent)
    assert {name: getattr(WON, name) for name in KEYS} == KEYS
