"""Commands on persons, through the dispatcher: erased ones are told nothing about any more, restricted ones are left in peace."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from commands.order import Order
from domain.contacts.events import ContactErased, ContactMadePrimary, ContactPrimaryLost
from domain.customers.events import CustomerCustomFieldSet, CustomerErased
from tests.commands.orders import CUSTOMER, PIPELINE, Desk, deal, ext, order

ANN: dict[str, Any] = {"contact_id": ext("ann")}
ZOE: dict[str, Any] = {"customer_id": ext("zoe")}
ERASE_ANN = order("erase_contact", **ANN, legal_basis="consent_withdrawn", requested_on="2026-03-01", reason="asked by letter")
ERASE_ZOE = order("erase_customer", **ZOE, legal_basis="objection")
LOGGED: dict[str, Any] = {"kind": "call", "direction": "inbound"}


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.give(
        CUSTOMER,
        PIPELINE,
        order("add_contact", **ANN, customer_id=ext("acme"), name="Ann", email="ann@example.org", title="Buyer", primary=True),
        order("register_customer", **ZOE, kind="person", name="Zoe", email="zoe@example.org", street="Elm Street 1", country="DE"),
        order("set_customer_field", **ZOE, field="blood_group", value="0-", personal=True),
        order("set_customer_field", **ZOE, field="seats", value="12"),
        order("open_request", request_id=ext("r"), customer_id=ext("acme"), **ANN, subject="Broken", channel="email"),
        order("log_interaction", interaction_id=ext("i"), customer_id=ext("acme"), **ANN, **LOGGED, summary="She called"),
        order("send_survey", survey_id=ext("s"), request_id=ext("r"), kind="csat"),
        order("send_survey", survey_id=ext("z"), **ZOE, kind="nps"),
        deal("d"),
    )
    return desk


def stream(desk: Desk, asked: Order) -> UUID:
    return desk.give(asked)[0].stream_id


def test_the_proof_says_why_when_and_which_fields_but_nothing_personal(desk: Desk) -> None:
    ann = stream(desk, ERASE_ANN)
    proof = desk.log.history(ann)[-1]
    assert isinstance(proof, ContactErased)
    assert (proof.legal_basis, proof.reason, proof.requested_on) == ("consent_withdrawn", "asked by letter", date(2026, 3, 1))
    assert proof.forgotten == ("email", "name")
    assert proof.erases


def test_an_erased_contact_is_nobodys_primary_contact(desk: Desk) -> None:
    history = desk.log.history(stream(desk, ERASE_ANN))
    assert [type(event) for event in history[-3:]] == [ContactMadePrimary, ContactPrimaryLost, ContactErased]


def test_an_erased_customers_personal_fields_are_cleared_others_stay(desk: Desk) -> None:
    history = desk.log.history(stream(desk, ERASE_ZOE))
    cleared, proof = history[-2:]
    assert isinstance(cleared, CustomerCustomFieldSet)
    assert (cleared.field, cleared.value, cleared.personal_value) == ("blood_group", None, None)
    assert isinstance(proof, CustomerErased)
    assert proof.forgotten == ("person_name", "email", "street", "custom field blood_group")


@pytest.mark.parametrize("again", [ERASE_ANN, ERASE_ZOE])
def test_erasing_twice_changes_nothing(desk: Desk, again: Order) -> None:
    desk.give(again)
    assert desk.give(again)[0].event_ids == ()


def test_a_company_is_no_person(desk: Desk) -> None:
    acme: dict[str, Any] = {"customer_id": ext("acme")}
    asked: list[tuple[str, dict[str, Any]]] = [
        ("erase_customer", {"legal_basis": "objection"}),
        ("restrict_customer", {"legal_basis": "legal_claims"}),
        ("note_customer_export", {"events": 1, "upto": 1}),
    ]
    for command, data in asked:
        assert desk.refuse(order(command, **acme, **data)) == "customer.not_a_person"


def test_who_is_not_known_cannot_be_erased(desk: Desk) -> None:
    assert desk.refuse(order("erase_contact", contact_id=ext("nobody"), legal_basis="objection")) == "contact.unknown"
    assert desk.refuse(order("erase_customer", customer_id=ext("nobody"), legal_basis="objection")) == "customer.unknown"


OF_ANN = [
    order("change_contact_details", **ANN, email="ann@elsewhere.org"),
    order("change_contact_details", **ANN, title="Chief Buyer"),
    order("make_contact_primary", **ANN),
    order("restrict_contact", **ANN, legal_basis="legal_claims"),
    order("move_contact", **ANN, customer_id=ext("zoe")),
    order("open_request", customer_id=ext("acme"), **ANN, subject="Again", channel="email"),
    order("log_interaction", customer_id=ext("acme"), **ANN, **LOGGED),
    order("correct_interaction", interaction_id=ext("i"), summary="She wrote"),
    order("send_survey", request_id=ext("r"), kind="ces"),
    order("record_survey_answer", request_id=ext("r"), kind="ces", score=3, comment="Good"),
    order("answer_survey", survey_id=ext("s"), score=5, comment="Good"),
    order("remind_of_survey", survey_id=ext("s")),
    order("link_contact_to_opportunity", opportunity_id=ext("d"), **ANN, role="buyer"),
]
OF_ZOE = [
    order("rename_customer", **ZOE, name="Zoe Z"),
    order("change_customer_contact_details", **ZOE, phone="+4930123456"),
    order("change_customer_address", **ZOE, city="Ulm"),
    order("note_customer_preferences", **ZOE, note="Likes tea"),
    order("set_customer_field", **ZOE, field="blood_group", value="A+", personal=True),
    order("classify_customer", **ZOE, tags=["left-handed"]),
    order("link_customer_external_id", **ZOE, external=ext("other")),
    order("add_contact", customer_id=ext("zoe"), name="Zoe's brother"),
    order("open_request", customer_id=ext("zoe"), subject="Again", channel="email"),
    order("log_interaction", customer_id=ext("zoe"), **LOGGED),
    order("send_survey", **ZOE, kind="csat"),
    order("answer_survey", survey_id=ext("z"), score=9),
    deal("e", customer_id=ext("zoe")),
]


@pytest.mark.parametrize("asked", OF_ANN, ids=lambda asked: asked.name)
def test_nothing_new_is_told_about_an_erased_contact(desk: Desk, asked: Order) -> None:
    desk.give(ERASE_ANN)
    assert desk.refuse(asked) == "person.erased"
    assert desk.refuse(order(asked.name, report=True, **asked.data)) == "person.erased"


@pytest.mark.parametrize("asked", OF_ZOE, ids=lambda asked: asked.name)
def test_nothing_new_is_told_about_an_erased_customer(desk: Desk, asked: Order) -> None:
    desk.give(ERASE_ZOE)
    assert desk.refuse(asked) == "person.erased"
    assert desk.refuse(order(asked.name, report=True, **asked.data)) == "person.erased"


def test_an_erased_persons_business_can_still_be_ended(desk: Desk) -> None:
    desk.give(ERASE_ANN, ERASE_ZOE)
    desk.give(
        order("resolve_request", request_id=ext("r"), result="done"),
        order("correct_interaction", interaction_id=ext("i"), duration_seconds=60),
        order("retract_interaction", interaction_id=ext("i")),
        order("note_contact_left", **ANN),
        order("archive_customer", **ZOE),
        order("note_contact_export", **ANN, events=0, upto=20),
    )


def test_a_restricted_contact_is_used_for_nothing_new_until_the_restriction_is_lifted(desk: Desk) -> None:
    desk.give(
        order("add_contact", contact_id=ext("bob"), customer_id=ext("acme"), name="Bob"),
        order("restrict_contact", contact_id=ext("bob"), legal_basis="accuracy_contested"),
    )
    uses = [
        order("make_contact_primary", contact_id=ext("bob")),
        order("link_contact_to_opportunity", opportunity_id=ext("d"), contact_id=ext("bob"), role="buyer"),
        order("send_survey", customer_id=ext("acme"), contact_id=ext("bob"), kind="csat"),
    ]
    assert [desk.refuse(use) for use in uses] == ["person.restricted"] * 3
    desk.give(order("change_contact_details", contact_id=ext("bob"), name="Robert"))
    desk.give(order("lift_contact_restriction", contact_id=ext("bob")), *uses)


def test_a_restricted_customer_is_asked_nothing_and_sold_nothing(desk: Desk) -> None:
    desk.give(order("restrict_customer", **ZOE, legal_basis="objection_pending"))
    assert desk.refuse(order("remind_of_survey", survey_id=ext("z"))) == "person.restricted"
    assert desk.refuse(deal("e", customer_id=ext("zoe"))) == "person.restricted"
    desk.give(order("answer_survey", survey_id=ext("z"), score=9))
    desk.give(order("open_opportunity", report=True, **deal("e", customer_id=ext("zoe")).data))
    assert desk.give(order("restrict_customer", **ZOE, legal_basis="objection_pending"))[0].event_ids == ()


def test_what_is_remembered_of_other_records_is_forgotten_with_the_person(desk: Desk) -> None:
    """Texts stay readable in memory after they were written; those of an erased person must not go into another's event."""
    desk.give(
        order("log_interaction", interaction_id=ext("j"), customer_id=ext("acme"), **ANN, **LOGGED, summary="About Ann"),
        order("add_contact", contact_id=ext("bob"), customer_id=ext("acme"), name="Bob"),
        ERASE_ANN,
        order("correct_interaction", interaction_id=ext("j"), contact_id=ext("bob")),
    )
    desk.give(order("correct_interaction", interaction_id=ext("j"), contact_id=ext("bob"), duration_seconds=5))
    corrected = desk.log.events[-1].event
    assert "About Ann" not in [getattr(corrected, name) for name in ("summary", "previous_summary")]
