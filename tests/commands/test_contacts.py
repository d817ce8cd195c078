"""Commands on contacts, through the dispatcher."""

from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.dispatch import Dispatcher
from commands.order import Order
from domain.contacts.events import (
    EVENTS,
    ContactAdded,
    ContactDetailsChanged,
    ContactLeft,
    ContactMadePrimary,
    ContactMoved,
    ContactPrimaryLost,
    ContactRestored,
)
from domain.event import Event
from tests.commands.orders import CUSTOMER, Desk, ext, order

OTHER = order("register_customer", customer_id=ext("other"), kind="company", name="Other", country="GB")


def added(who: str, customer: str = "acme", /, **data: Any) -> Order:
    return order("add_contact", contact_id=ext(who), customer_id=ext(customer), name=who.title(), **data)


def said(command: str, who: str, /, **data: Any) -> Order:
    return order(command, contact_id=ext(who), **data)


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.give(CUSTOMER, OTHER)
    return desk


def last(desk: Desk) -> Event:
    return desk.log.events[-1].event


def primary_of(desk: Desk) -> dict[UUID, set[UUID]]:
    """Every customer's primary contacts, counted from the events alone."""
    primary: dict[UUID, set[UUID]] = {}
    for stored in desk.log.events:
        match stored.event:
            case ContactMadePrimary() as made:
                primary.setdefault(made.customer_id, set()).add(made.contact_id)
            case ContactPrimaryLost() as lost:
                primary[lost.customer_id].discard(lost.contact_id)
            case _:
                pass
    return primary


def test_email_and_phone_are_normalised(desk: Desk) -> None:
    desk.give(added("ann", email="Ann.Lee@EXAMPLE.com", phone="(020) 7946 0123", phone_region="GB", title="CEO"))
    event = last(desk)
    assert isinstance(event, ContactAdded)
    assert (event.email, event.phone, event.title) == ("Ann.Lee@example.com", "+442079460123", "CEO")


def test_a_phone_number_without_country_code_is_one_of_the_customers_country(desk: Desk) -> None:
    desk.give(added("ann", "other", phone="020 7946 0123 ext. 12"))
    event = last(desk)
    assert isinstance(event, ContactAdded)
    assert event.phone == "+442079460123;ext=12"
    assert desk.refuse(added("bob", "acme", phone="020 7946 0123")) == "phone.invalid"
    desk.give(said("change_contact_details", "ann", phone="020 7946 0999"))
    event = last(desk)
    assert isinstance(event, ContactDetailsChanged)
    assert event.phone == "+442079460999"


def test_an_email_that_cannot_be_one_is_refused_even_by_report(desk: Desk) -> None:
    assert desk.refuse(added("ann", email="ann(at)example.com")) == "command.invalid"
    assert desk.refuse(added("ann", report=True, email="ann(at)example.com")) == "command.invalid"


def test_a_contact_is_added_at_a_customer_that_exists_and_is_not_archived(desk: Desk) -> None:
    assert desk.refuse(added("ann", "nobody")) == "customer.unknown"
    desk.give(order("archive_customer", customer_id=ext("acme")))
    assert desk.refuse(added("ann")) == "customer.archived"
    desk.give(added("ann", report=True))
    assert desk.log.events[-1].irregular == ("customer.archived",)


def test_a_contact_is_added_once(desk: Desk) -> None:
    desk.give(added("ann"))
    assert desk.refuse(added("ann")) == "contact.exists"


def test_changing_one_detail_leaves_the_others(desk: Desk) -> None:
    desk.give(added("ann", email="ann@example.com", title="CEO"), said("change_contact_details", "ann", name=None, role="buyer"))
    event = last(desk)
    assert isinstance(event, ContactDetailsChanged)
    assert (event.name, event.email) == ("Ann", "ann@example.com")
    assert (event.title, event.role) == ("CEO", "buyer")
    desk.give(said("change_contact_details", "ann", email=None, name="Ann Lee"))
    event = last(desk)
    assert isinstance(event, ContactDetailsChanged)
    assert event.email is None
    assert event.name == "Ann Lee"


def test_texts_that_come_back_encrypted_are_carried_on_unread(desk: Desk) -> None:
    desk.give(added("ann", email="ann@example.com"))
    desk.dispatcher = Dispatcher(desk.log, base_currency="EUR")  # one that remembers nothing
    desk.give(said("change_contact_details", "ann", role="buyer"))
    event = last(desk)
    assert isinstance(event, ContactDetailsChanged)
    assert str(event.email).startswith("~email~")


def test_a_customer_has_one_primary_contact_whoever_is_made_so(desk: Desk) -> None:
    desk.give(added("ann", primary=True), added("bob", primary=True))
    lost, made = (stored.event for stored in desk.log.events[-2:])
    assert isinstance(lost, ContactPrimaryLost)
    assert isinstance(made, ContactMadePrimary)
    assert lost.primary_contact_id == made.primary_contact_id == made.contact_id
    assert made.previous_primary_contact_id == lost.contact_id
    desk.give(said("make_contact_primary", "ann"), said("make_contact_primary", "bob"), said("make_contact_primary", "ann"))
    assert [len(contacts) for contacts in primary_of(desk).values()] == [1]


def test_making_the_primary_contact_primary_changes_nothing(desk: Desk) -> None:
    desk.give(added("ann", primary=True))
    before = len(desk.log.events)
    desk.give(said("make_contact_primary", "ann"))
    assert len(desk.log.events) == before


def test_who_moves_or_leaves_is_primary_no_longer_and_the_place_is_free(desk: Desk) -> None:
    desk.give(
        added("ann", primary=True),
        said("move_contact", "ann", customer_id=ext("other")),
        added("bob", primary=True),
        said("note_contact_left", "bob"),
        added("cid", primary=True),
    )
    event = last(desk)
    assert isinstance(event, ContactMadePrimary)
    assert event.previous_primary_contact_id is None
    desk.give(said("make_contact_primary", "ann"))
    assert [len(contacts) for contacts in primary_of(desk).values()] == [1, 1]


def test_who_comes_back_to_a_customer_may_be_primary_there_again(desk: Desk) -> None:
    desk.give(
        added("ann", primary=True),
        said("move_contact", "ann", customer_id=ext("other")),
        said("move_contact", "ann", customer_id=ext("acme")),
        said("make_contact_primary", "ann"),
        added("bob", primary=True),
    )
    assert [len(contacts) for contacts in primary_of(desk).values()] == [1]


def test_moving_says_where_the_contact_was(desk: Desk) -> None:
    desk.give(added("ann"), said("move_contact", "ann", customer_id=ext("other")))
    event = last(desk)
    assert isinstance(event, ContactMoved)
    assert (event.previous_customer_id, event.customer_id) == (desk.log.events[0].stream_id, desk.log.events[1].stream_id)
    assert desk.refuse(said("move_contact", "ann", customer_id=ext("nobody"))) == "customer.unknown"


def test_who_left_is_not_made_primary_until_restored(desk: Desk) -> None:
    desk.give(added("ann"), said("note_contact_left", "ann", reason="retired"))
    assert desk.refuse(said("make_contact_primary", "ann")) == "contact.left"
    desk.give(said("restore_contact", "ann"), said("make_contact_primary", "ann"))


STEPS = st.tuples(
    st.sampled_from(["make_contact_primary", "note_contact_left", "restore_contact", "to acme", "to other"]),
    st.sampled_from(["ann", "bob", "cid"]),
    st.booleans(),
)


def step(kind: str, who: str, *, report: bool) -> Order:
    if kind.startswith("to "):
        return said("move_contact", who, customer_id=ext(kind.removeprefix("to ")), report=report)
    return said(kind, who, report=report)


@given(steps=st.lists(STEPS, max_size=25), in_one_batch=st.booleans())
def test_whatever_is_asked_or_reported_a_customer_has_one_primary_contact_at_most_and_counts_add_up(
    *, steps: list[tuple[str, str, bool]], in_one_batch: bool
) -> None:
    desk = Desk()
    desk.give(CUSTOMER, OTHER, added("ann", primary=True), added("bob"), added("cid", "other"))
    orders = [step(kind, who, report=report) for kind, who, report in steps]
    for batch in [orders] if in_one_batch else [[each] for each in orders]:
        desk.dispatcher.execute(batch)
    assert all(len(contacts) <= 1 for contacts in primary_of(desk).values())
    present: Counter[UUID] = Counter()
    for stored in desk.log.events:
        match stored.event:
            case ContactAdded() | ContactRestored() as came:
                present[came.customer_id] += 1
            case ContactLeft() as went:
                present[went.customer_id] -= 1
            case ContactMoved() as moved:
                present[moved.previous_customer_id] -= 1
                present[moved.customer_id] += 1
            case _:
                pass
        assert all(0 <= number <= 3 for number in present.values())


def test_an_opportunity_takes_a_contact_of_its_customer_only(desk: Desk) -> None:
    desk.give(
        added("ann", "other"),
        order("define_pipeline", pipeline_id=ext("p"), name="P", stages=[{"name": "Lead"}]),
        order("open_opportunity", opportunity_id=ext("d"), customer_id=ext("acme"), pipeline_id=ext("p"), name="D", owner_id="ana"),
    )
    link = order("link_contact_to_opportunity", opportunity_id=ext("d"), contact_id=ext("ann"), role="buyer")
    assert desk.refuse(link) == "contact.other_customer"


def test_every_contact_event_is_reached_by_a_command(desk: Desk) -> None:
    desk.give(
        added("ann", primary=True),
        said("change_contact_details", "ann", title="CEO"),
        said("move_contact", "ann", customer_id=ext("other")),
        said("note_contact_left", "ann"),
        said("restore_contact", "ann"),
        said("restrict_contact", "ann", legal_basis="legal_claims"),
        said("lift_contact_restriction", "ann"),
        said("note_contact_export", "ann", events=5, upto=9),
        said("erase_contact", "ann", legal_basis="objection"),
    )
    assert {type(stored.event) for stored in desk.log.events if isinstance(stored.event, EVENTS)} == set(EVENTS)
