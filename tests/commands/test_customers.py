"""Commands on customers, through the dispatcher."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.catalogue import COMMANDS
from domain.customers.events import (
    EVENTS,
    CustomerAddressChanged,
    CustomerAssigned,
    CustomerClassified,
    CustomerContactDetailsChanged,
    CustomerCustomFieldSet,
    CustomerExternalIdLinked,
    CustomerParentSet,
    CustomerPreferencesNoted,
    CustomerRegistered,
)
from domain.event import Event
from tests.commands.orders import Desk, ext, order

FULL: dict[str, Any] = {
    "customer_id": ext("acme"),
    "name": "Acme",
    "owner_id": "ana",
    "team": "west",
    "lifecycle": "active",
    "email": "Office@ACME.com",
    "phone": "030 123456",
    "website": "Acme.com/about",
    "tier": "A",
    "industry": "retail",
    "size": "11-50",
    "tags": ["vip", "fair", "vip"],
    "street": "Ring 1",
    "postal_code": "10115",
    "city": "Berlin",
    "region": "BE",
    "country": "DE",
}


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.give(order("register_customer", customer_id=ext("holding"), name="Holding"), order("register_customer", **FULL))
    return desk


def acme(name: str, /, **data: Any) -> Any:
    return order(name, customer_id=ext("acme"), **data)


def last(desk: Desk) -> Event:
    return desk.log.events[-1].event


def test_registering_records_each_group_that_is_known_in_one_append(desk: Desk) -> None:
    registered, reached, classified, placed = (stored.event for stored in desk.log.events[1:])
    assert isinstance(registered, CustomerRegistered)
    assert (registered.name, registered.lifecycle, registered.owner_id, registered.team) == ("Acme", "active", "ana", "west")
    assert (registered.external_source, registered.external_id) == ("test", "acme")
    assert isinstance(reached, CustomerContactDetailsChanged)
    assert (reached.email, reached.phone, reached.website) == ("Office@acme.com", "+4930123456", "https://acme.com/about")
    assert isinstance(classified, CustomerClassified)
    assert (classified.tier, classified.tags) == ("A", ("fair", "vip"))
    assert isinstance(placed, CustomerAddressChanged)
    assert (placed.city, placed.country) == ("Berlin", "DE")


def test_registering_with_a_name_alone_is_one_event() -> None:
    desk = Desk()
    desk.give(order("register_customer", kind="person", name="Ann Lee"))
    (stored,) = desk.log.events
    assert isinstance(stored.event, CustomerRegistered)
    assert (stored.event.name, stored.event.person_name) == (None, "Ann Lee")


def test_registering_under_a_parent_puts_the_customer_there(desk: Desk) -> None:
    desk.give(order("register_customer", name="Branch", parent_id=ext("acme")))
    event = last(desk)
    assert isinstance(event, CustomerParentSet)
    assert event.parent_id == desk.log.events[1].stream_id


def test_an_external_id_names_one_customer_only(desk: Desk) -> None:
    assert desk.refuse(order("register_customer", **FULL)) == "customer.exists"
    assert desk.refuse(order("register_customer", report=True, **FULL)) == "customer.exists"


def test_a_customers_own_id_is_used_once() -> None:
    desk, own = Desk(), str(uuid4())
    desk.give(order("register_customer", customer_id=own, name="Acme"))
    assert desk.log.events[0].stream_id == UUID(own)
    assert desk.refuse(order("register_customer", customer_id=own, name="Acme")) == "customer.exists"


def test_a_linked_external_id_names_the_customer_from_then_on(desk: Desk) -> None:
    link = acme("link_customer_external_id", external={"source": "erp", "id": "4711"})
    desk.give(link, link)
    event = last(desk)
    assert isinstance(event, CustomerExternalIdLinked)
    desk.give(order("rename_customer", customer_id={"source": "erp", "id": "4711"}, name="Acme AG"))
    assert desk.log.events[-1].stream_id == desk.log.events[1].stream_id


def test_an_external_id_of_another_customer_is_not_linked(desk: Desk) -> None:
    code = desk.refuse(acme("link_customer_external_id", external=ext("holding")))
    assert code == "customer.external_id_taken"


def test_changing_the_phone_leaves_the_email_readable(desk: Desk) -> None:
    desk.give(acme("change_customer_contact_details", phone="030 654321"))
    event = last(desk)
    assert isinstance(event, CustomerContactDetailsChanged)
    assert event.phone == "+4930654321"
    assert event.email is not None
    assert event.website is not None


def test_null_clears_what_it_is_said_of(desk: Desk) -> None:
    desk.give(acme("change_customer_contact_details", website=None))
    event = last(desk)
    assert isinstance(event, CustomerContactDetailsChanged)
    assert event.website is None
    assert event.phone is not None
    desk.give(acme("classify_customer", tags=None, size=None))
    event = last(desk)
    assert isinstance(event, CustomerClassified)
    assert (event.tier, event.size, event.tags) == ("A", None, ())


def test_a_command_that_says_nothing_new_changes_nothing_but_is_accepted(desk: Desk) -> None:
    before = len(desk.log.events)
    desk.give(
        acme("rename_customer", name="Acme"),
        acme("change_customer_contact_details"),
        acme("classify_customer", tier="A"),
        acme("assign_customer", owner_id="ana"),
        acme("change_customer_lifecycle", lifecycle="active"),
        acme("set_customer_parent", parent_id=None),
        acme("change_customer_address", country="DE"),
        acme("note_customer_preferences"),
        acme("set_customer_field", field="seats", value=None),
        acme("restore_customer"),
    )
    assert len(desk.log.events) == before


def test_assigning_an_owner_leaves_the_team_and_null_takes_it_away(desk: Desk) -> None:
    desk.give(acme("assign_customer", owner_id="bo"))
    event = last(desk)
    assert isinstance(event, CustomerAssigned)
    assert (event.owner_id, event.team, event.previous_owner_id) == ("bo", "west", "ana")
    desk.give(acme("assign_customer", team=None))
    event = last(desk)
    assert isinstance(event, CustomerAssigned)
    assert (event.owner_id, event.team) == ("bo", None)


def test_a_chain_of_parents_never_closes(desk: Desk) -> None:
    desk.give(
        acme("set_customer_parent", parent_id=ext("holding")),
        order("register_customer", customer_id=ext("group"), name="Group"),
        order("set_customer_parent", customer_id=ext("holding"), parent_id=ext("group")),
    )
    for report in (False, True):
        loop = order("set_customer_parent", report=report, customer_id=ext("group"), parent_id=ext("acme"))
        assert desk.refuse(loop) == "customer.parent_loop"
    assert desk.refuse(acme("set_customer_parent", parent_id=ext("acme"))) == "customer.parent_loop"
    assert desk.refuse(acme("set_customer_parent", parent_id=ext("nobody"))) == "customer.unknown"


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.booleans()), max_size=20))
def test_whatever_is_asked_or_reported_no_customer_is_above_itself(steps: list[tuple[int, int, bool]]) -> None:
    desk = Desk()
    desk.give(*(order("register_customer", customer_id=ext(number), name="Acme") for number in range(5)))
    for low, high, report in steps:
        desk.dispatcher.execute([order("set_customer_parent", customer_id=ext(low), parent_id=ext(high), report=report)])
    above = {stored.event.customer_id: stored.event.parent_id for stored in desk.log.events if isinstance(stored.event, CustomerParentSet)}
    for start in above:
        seen, here = set[UUID | None](), above.get(start)
        while here is not None:
            assert here != start
            assert here not in seen
            seen.add(here)
            here = above.get(here)


def test_preferences_are_noted(desk: Desk) -> None:
    desk.give(acme("note_customer_preferences", language="zh-Hans", channel="phone", time_zone="Asia/Shanghai", note="after nine"))
    event = last(desk)
    assert isinstance(event, CustomerPreferencesNoted)
    assert (event.language, event.channel, event.time_zone, event.note) == ("zh-Hans", "phone", "Asia/Shanghai", "after nine")


def test_a_custom_field_keeps_its_kind_without_its_being_said_again(desk: Desk) -> None:
    desk.give(acme("set_customer_field", field="seats", kind="number", value="1E1"), acme("set_customer_field", field="seats", value="12"))
    event = last(desk)
    assert isinstance(event, CustomerCustomFieldSet)
    assert (event.kind, event.value, event.previous_value) == ("number", "12", "10")
    assert desk.refuse(acme("set_customer_field", field="seats", value="many")) == "custom_field.value"
    assert desk.refuse(acme("set_customer_field", field="seats", kind="text", value="many")) == "custom_field.kind"


def test_an_archived_customer_takes_no_business_until_it_is_restored(desk: Desk) -> None:
    desk.give(acme("archive_customer", reason="closed down"))
    assert desk.refuse(acme("change_customer_lifecycle", lifecycle="churned")) == "customer.archived"
    desk.give(acme("restore_customer"), acme("change_customer_lifecycle", lifecycle="churned"))


def test_a_reported_step_that_is_not_allowed_is_recorded_as_irregular(desk: Desk) -> None:
    assert desk.refuse(acme("change_customer_lifecycle", lifecycle="won_back")) == "customer.lifecycle_step"
    desk.give(acme("change_customer_lifecycle", report=True, lifecycle="won_back"))
    assert desk.log.events[-1].irregular == ("customer.lifecycle_step",)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("website", "javascript://alert(1)"),
        ("name", ""),
        ("name", "x" * 201),
        ("name", None),
        ("tier", "D"),
        ("tags", ["t"] * 51),
        ("tags", ["x" * 51]),
        ("country", "Germany"),
        ("lifecycle", "asleep"),
        ("kind", "alien"),
        ("shoe_size", 44),
    ],
)
def test_what_has_the_wrong_shape_is_refused_even_by_report(field: str, value: object) -> None:
    assert Desk().refuse(order("register_customer", report=True, **{"name": "Acme", field: value})) == "command.invalid"


def test_a_phone_number_that_no_telephone_can_have_is_refused() -> None:
    for number in ("12345", "+1 000 000 0000", "call me"):
        assert Desk().refuse(order("register_customer", name="Acme", phone=number)) == "phone.invalid"


def test_every_customer_event_is_reached_by_a_command(desk: Desk) -> None:
    desk.give(
        acme("rename_customer", name="Acme AG"),
        acme("change_customer_lifecycle", lifecycle="dormant"),
        acme("assign_customer", owner_id="bo"),
        acme("set_customer_parent", parent_id=ext("holding")),
        acme("note_customer_preferences", language="en"),
        acme("set_customer_field", field="seats", value="12"),
        acme("link_customer_external_id", external=ext("other")),
        acme("archive_customer"),
        acme("restore_customer"),
        order("register_customer", customer_id=ext("zoe"), kind="person", name="Zoe"),
        order("restrict_customer", customer_id=ext("zoe"), legal_basis="legal_claims"),
        order("lift_customer_restriction", customer_id=ext("zoe")),
        order("note_customer_export", customer_id=ext("zoe"), events=5, upto=9),
        order("erase_customer", customer_id=ext("zoe"), legal_basis="objection"),
    )
    assert {type(stored.event) for stored in desk.log.events} == set(EVENTS)


def test_every_command_says_what_it_does() -> None:
    ours = [command for command in COMMANDS.values() if command.target[1] in ("customer", "contact", "interaction")]
    assert len(ours) == 30
    assert all(command.summary.endswith(".") for command in ours)
