"""Commands on interactions, through the dispatcher."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bus.cipher import Token
from commands.order import Order
from domain.event import Event
from domain.interactions.events import InteractionCorrected, InteractionLogged, InteractionRetracted
from tests.commands.orders import PIPELINE, Desk, deal, ext, order

CUSTOMER = order("register_customer", customer_id=ext("acme"), name="Acme", owner_id="ana", team="west")
OTHER = order("register_customer", customer_id=ext("other"), name="Other")
LONG_AGO = datetime(2025, 1, 7, 15, 0, tzinfo=UTC)


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.give(CUSTOMER, OTHER, PIPELINE, deal("deal"))
    desk.give(order("add_contact", contact_id=ext("ann"), customer_id=ext("acme"), name="Ann"))
    return desk


def call(**data: Any) -> Order:
    return order(
        "log_interaction", **{"interaction_id": ext("call"), "customer_id": ext("acme"), "kind": "call", "direction": "outbound", **data}
    )


def corrected(**data: Any) -> Order:
    return order("correct_interaction", interaction_id=ext("call"), **data)


def last(desk: Desk) -> Event:
    return desk.log.events[-1].event


def test_a_logged_call_names_everything_that_it_belongs_to(desk: Desk) -> None:
    about = {"contact_id": ext("ann"), "opportunity_id": ext("deal"), "campaign": "spring"}
    words = {"subject": "Offer", "summary": "They want two.", "participants": ["Ann Lee", "Bo"]}
    desk.give(call(**about, **words, duration_seconds=300))
    event = last(desk)
    assert isinstance(event, InteractionLogged)
    assert event.contact_id == desk.log.events[-2].stream_id
    assert event.opportunity_id == desk.log.events[-3].stream_id
    assert (event.campaign, event.duration_seconds) == ("spring", 300)
    assert (event.subject, event.summary, event.participants, event.participant_count) == ("Offer", "They want two.", "Ann Lee\nBo", 2)
    assert (event.external_source, event.external_id) == ("test", "call")


def test_the_customers_owner_took_part_unless_somebody_else_is_named(desk: Desk) -> None:
    desk.give(call())
    event = last(desk)
    assert isinstance(event, InteractionLogged)
    assert (event.owner_id, event.team) == ("ana", "west")
    desk.give(call(interaction_id=None, owner_id="bo"))
    event = last(desk)
    assert isinstance(event, InteractionLogged)
    assert (event.owner_id, event.team) == ("bo", None)


def test_a_late_entry_keeps_both_clocks(desk: Desk) -> None:
    desk.give(call(at=LONG_AGO))
    stored = desk.log.events[-1]
    assert isinstance(stored.event, InteractionLogged)
    assert stored.event.happened_at == stored.occurred_at == LONG_AGO
    assert stored.recorded_at > LONG_AGO + timedelta(days=365)


def test_an_interaction_is_logged_once(desk: Desk) -> None:
    desk.give(call())
    assert desk.refuse(call()) == "interaction.exists"


def test_what_an_interaction_names_must_exist_and_be_its_customers(desk: Desk) -> None:
    assert desk.refuse(call(contact_id=ext("nobody"))) == "contact.unknown"
    assert desk.refuse(call(report=True, opportunity_id=ext("nothing"))) == "opportunity.unknown"
    assert desk.refuse(call(customer_id=ext("other"), contact_id=ext("ann"))) == "contact.other_customer"
    assert desk.refuse(call(customer_id=ext("other"), opportunity_id=ext("deal"))) == "opportunity.other_customer"
    desk.give(call(report=True, customer_id=ext("other"), contact_id=ext("ann"), opportunity_id=ext("deal")))
    assert desk.log.events[-1].irregular == ("contact.other_customer", "opportunity.other_customer")


def test_nothing_is_logged_with_an_archived_customer_unless_it_is_reported(desk: Desk) -> None:
    desk.give(order("archive_customer", customer_id=ext("acme")))
    assert desk.refuse(call()) == "customer.archived"
    desk.give(call(report=True))
    assert desk.log.events[-1].irregular == ("customer.archived",)


def test_a_correction_changes_what_it_says_and_keeps_the_original(desk: Desk) -> None:
    desk.give(call(summary="wrong", participants=["Ann"], contact_id=ext("ann"), duration_seconds=300))
    original = last(desk)
    desk.give(
        corrected(summary="right", contact_id=None, participants=["Ann", "Bo"], happened_at="2025-01-07T16:00:00+01:00", reason="typo")
    )
    event = last(desk)
    assert isinstance(event, InteractionCorrected)
    assert event.summary == "right"
    assert isinstance(event.previous_summary, Token), "what was said of Ann stays encrypted for her, in memory too"
    assert (event.contact_id, event.duration_seconds, event.participant_count) == (None, 300, 2)
    assert event.happened_at == LONG_AGO
    assert event.reason == "typo"
    stream = desk.log.history(event.interaction_id)
    assert stream == [original, event]


def test_a_correction_with_the_same_contact_keeps_what_was_said_before(desk: Desk) -> None:
    desk.give(call(summary="wrong"), corrected(summary="right"))
    event = last(desk)
    assert isinstance(event, InteractionCorrected)
    assert (event.summary, event.previous_summary) == ("right", "wrong")


def test_a_correction_may_name_another_deal_of_the_customer_only(desk: Desk) -> None:
    desk.give(call(), call(interaction_id=ext("their"), customer_id=ext("other")))
    desk.give(corrected(opportunity_id=ext("deal")))
    event = last(desk)
    assert isinstance(event, InteractionCorrected)
    assert event.opportunity_id is not None
    stranger = order("correct_interaction", interaction_id=ext("their"), opportunity_id=ext("deal"))
    assert desk.refuse(stranger) == "opportunity.other_customer"


def test_a_correction_that_says_nothing_new_changes_nothing(desk: Desk) -> None:
    desk.give(call())
    before = len(desk.log.events)
    desk.give(corrected(), corrected(kind="call", direction=None, happened_at=None, participants=[]))
    assert len(desk.log.events) == before


def test_an_interaction_did_not_take_place_in_the_future(desk: Desk) -> None:
    desk.give(call())
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert desk.refuse(corrected(happened_at=tomorrow)) == "time.in_future"


@pytest.mark.parametrize("moment", ["2025-01-07T16:00:00", "0001-01-01T00:00:00+10:00", "yesterday"])
def test_a_moment_has_an_offset_and_is_not_absurd(desk: Desk, moment: str) -> None:
    desk.give(call())
    assert desk.refuse(corrected(happened_at=moment)) == "command.invalid"


def test_a_retracted_interaction_stays_in_the_log_and_is_not_corrected(desk: Desk) -> None:
    desk.give(call(duration_seconds=300), order("retract_interaction", interaction_id=ext("call"), reason="twice"))
    event = last(desk)
    assert isinstance(event, InteractionRetracted)
    assert (event.kind, event.duration_seconds, event.reason) == ("call", 300, "twice")
    assert desk.refuse(corrected(kind="note")) == "interaction.retracted"
    assert [type(each) for each in desk.log.history(event.interaction_id)] == [InteractionLogged, InteractionRetracted]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "telepathy"),
        ("direction", None),
        ("duration_seconds", -1),
        ("duration_seconds", 31 * 24 * 3600 + 1),
        ("subject", "x" * 201),
        ("summary", "x" * 20_001),
        ("participants", ["Ann"] * 101),
        ("participants", ["Ann\nBo"]),
    ],
)
def test_what_has_the_wrong_shape_is_refused_even_by_report(desk: Desk, field: str, value: object) -> None:
    assert desk.refuse(call(report=True, **{field: value})) == "command.invalid"
