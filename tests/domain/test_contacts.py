"""What may happen to a contact, and what may not."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from domain.contacts.contact import Details, add, change_details, evolve, leave, lose_primary, make_primary, move, restore
from domain.contacts.events import (
    ContactAdded,
    ContactDetailsChanged,
    ContactLeft,
    ContactMadePrimary,
    ContactMoved,
    ContactPrimaryLost,
    ContactRestored,
)
from domain.errors import CorruptHistory
from domain.event import Event
from domain.values import ExternalId
from tests.domain.given import History, given

ANN, BOB, ACME, OTHER = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
KEYS: dict[str, Any] = {"contact_id": ANN, "customer_id": ACME}
ADDED = ContactAdded(**KEYS, name="Ann Lee", email="~mail", phone=None, title="CEO", role=None, external_source="hub", external_id="9")
PRIMARY = ContactMadePrimary(**KEYS, primary_contact_id=ANN, previous_primary_contact_id=None)
LOST = ContactPrimaryLost(**KEYS, primary_contact_id=None)
LEFT = ContactLeft(**KEYS, was_primary=False, reason=None)
RESTORED = ContactRestored(**KEYS)
MOVED = ContactMoved(contact_id=ANN, customer_id=OTHER, previous_customer_id=ACME, was_primary=False)
NEW: dict[str, Any] = {
    **KEYS,
    "details": Details(name="Ann Lee", email="~mail", title="CEO"),
    "external": ExternalId("hub", "9"),
}


def contact(*told: Event) -> History:
    return given(evolve, ADDED, *told)


def test_a_contact_is_added_at_a_customer_once() -> None:
    given(evolve).asked(add, **NEW, customer_archived=False).then(ADDED)
    contact().asked(add, **NEW, customer_archived=False).refused("contact.exists")


def test_no_contact_is_added_at_an_archived_customer_unless_it_is_reported() -> None:
    given(evolve).asked(add, **NEW, customer_archived=True).refused("customer.archived")
    given(evolve).reported(add, **NEW, customer_archived=True).irregular("customer.archived").types("contact.added")


def test_changing_one_detail_carries_the_others_on() -> None:
    changed = ContactDetailsChanged(
        **KEYS, name="Ann Lee", email="~mail", phone=None, title="Chair", role=None, previous_title="CEO", previous_role=None
    )
    contact().when(change_details, changes={"title": "Chair"}).then(changed)


@pytest.mark.parametrize("changes", [{}, {"title": "CEO"}, {"phone": None, "role": None}])
def test_details_that_are_so_already_change_nothing(changes: dict[str, Any]) -> None:
    contact().when(change_details, changes=changes).nothing()


def test_a_personal_detail_is_recorded_even_if_it_is_the_same() -> None:
    contact().when(change_details, changes={"email": "~mail"}).types("contact.details_changed")


def test_a_contact_moves_to_another_customer_and_the_first_one_is_carried() -> None:
    contact().asked(move, to=OTHER, customer_archived=False).then(MOVED)


def test_a_contact_is_at_exactly_one_customer() -> None:
    moved = contact(MOVED)
    assert moved.state.customer_id == OTHER
    moved.asked(move, to=OTHER, customer_archived=False).nothing()


def test_a_primary_contact_that_moves_is_primary_no_longer() -> None:
    contact(PRIMARY).asked(move, to=OTHER, customer_archived=False).then(LOST, replace(MOVED, was_primary=True))
    assert not contact(PRIMARY, LOST, replace(MOVED, was_primary=True)).state.primary


def test_a_contact_does_not_move_to_an_archived_customer_unless_it_is_reported() -> None:
    contact().asked(move, to=OTHER, customer_archived=True).refused("customer.archived")
    contact().reported(move, to=OTHER, customer_archived=True).irregular("customer.archived").types("contact.moved")


def test_a_contact_who_has_left_does_not_move_and_a_report_tells_that_they_were_back() -> None:
    contact(LEFT).asked(move, to=OTHER, customer_archived=False).refused("contact.left")
    told = contact(LEFT).reported(move, to=OTHER, customer_archived=False)
    told.irregular("contact.left").types("contact.restored", "contact.moved")


def test_a_contact_is_made_primary_in_place_of_another() -> None:
    made = ContactMadePrimary(**KEYS, primary_contact_id=ANN, previous_primary_contact_id=BOB)
    contact().asked(make_primary, present=BOB, customer_archived=False).then(made)


def test_the_primary_contact_is_not_made_primary_again() -> None:
    contact(PRIMARY).asked(make_primary, present=ANN, customer_archived=False).nothing()


def test_who_loses_primary_says_who_is_primary_instead() -> None:
    contact(PRIMARY).when(lose_primary, successor=BOB).then(ContactPrimaryLost(**KEYS, primary_contact_id=BOB))
    contact(PRIMARY, LOST).when(lose_primary, successor=BOB).nothing()


def test_a_contact_who_has_left_is_not_made_primary_and_a_report_tells_that_they_were_back() -> None:
    contact(LEFT).asked(make_primary, present=None, customer_archived=False).refused("contact.left")
    told = contact(LEFT).reported(make_primary, present=None, customer_archived=False)
    told.irregular("contact.left").types("contact.restored", "contact.made_primary")


def test_an_archived_customer_gets_no_primary_contact_unless_it_is_reported() -> None:
    contact().asked(make_primary, present=None, customer_archived=True).refused("customer.archived")
    contact().reported(make_primary, present=None, customer_archived=True).irregular("customer.archived")


def test_a_contact_leaves_once() -> None:
    contact().when(leave, reason="retired").then(replace(LEFT, reason="retired"))
    contact(LEFT).when(leave, reason="retired").nothing()


def test_a_primary_contact_who_leaves_is_primary_no_longer() -> None:
    contact(PRIMARY).when(leave, reason=None).then(LOST, replace(LEFT, was_primary=True))


def test_a_contact_who_left_is_restored_once_and_not_as_primary() -> None:
    back = contact(PRIMARY, LOST, replace(LEFT, was_primary=True))
    back.asked(restore, customer_archived=False).then(RESTORED)
    assert not contact(PRIMARY, LOST, LEFT, RESTORED).state.primary
    contact(LEFT, RESTORED).asked(restore, customer_archived=False).nothing()


def test_no_contact_is_restored_at_an_archived_customer_unless_it_is_reported() -> None:
    contact(LEFT).asked(restore, customer_archived=True).refused("customer.archived")
    contact(LEFT).reported(restore, customer_archived=True).irregular("customer.archived").types("contact.restored")


def test_details_of_a_contact_who_left_can_still_be_put_right() -> None:
    contact(LEFT).when(change_details, changes={"title": "Retired"}).types("contact.details_changed")


def test_a_history_without_its_beginning_is_corrupt() -> None:
    with pytest.raises(CorruptHistory) as found:
        given(evolve, LEFT)
    assert found.value.code == "history.no_start"
