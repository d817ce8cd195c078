"""What may happen to a customer, and what may not."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.customers.custom_fields import canonical
from domain.customers.customer import (
    MOST_CUSTOM_FIELDS,
    MOST_EXTERNAL_IDS,
    NEXT,
    archive,
    assign,
    change_address,
    change_contact_details,
    change_lifecycle,
    classify,
    evolve,
    link_external_id,
    note_preferences,
    register,
    rename,
    restore,
    set_custom_field,
    set_parent,
)
from domain.customers.events import (
    CustomerAddressChanged,
    CustomerArchived,
    CustomerAssigned,
    CustomerClassified,
    CustomerContactDetailsChanged,
    CustomerCustomFieldSet,
    CustomerExternalIdLinked,
    CustomerLifecycleChanged,
    CustomerParentSet,
    CustomerPreferencesNoted,
    CustomerRegistered,
    CustomerRenamed,
    CustomerRestored,
)
from domain.errors import CorruptHistory, RuleViolation
from domain.event import Event
from domain.values import ExternalId
from tests.domain.given import AT, History, Told, at, given

ACME, HOLDING, GROUP = UUID(int=1), UUID(int=2), UUID(int=3)
KEYS: dict[str, Any] = {"customer_id": ACME, "owner_id": "moses.frase", "team": "west"}
LATER = AT + timedelta(days=3)

REGISTERED = CustomerRegistered(
    **KEYS, kind="company", name="Acme", person_name=None, lifecycle="lead", external_source=None, external_id=None
)
PERSON = CustomerRegistered(
    **KEYS, kind="person", name=None, person_name="Ann Lee", lifecycle="active", external_source="shop", external_id="7"
)
ARCHIVED = CustomerArchived(**KEYS, lifecycle="lead", reason=None)
RESTORED = CustomerRestored(**KEYS, lifecycle="lead", archived_at=AT, reason=None)
REACHED = CustomerContactDetailsChanged(**KEYS, email="~token", phone="~other", website=None)
BERLIN = CustomerAddressChanged(
    **KEYS, street="~token", postal_code="~p", city="~c", region="BE", country="DE", previous_region=None, previous_country=None
)


def customer(*told: Event | Told) -> History:
    return given(evolve, REGISTERED, *told)


def became(lifecycle: str) -> CustomerLifecycleChanged:
    return CustomerLifecycleChanged(**KEYS, lifecycle=lifecycle, previous_lifecycle="lead", entered_previous_at=AT, reason=None)


def field_set(name: str, kind: str, value: str | None, personal_value: str | None = None) -> CustomerCustomFieldSet:
    return CustomerCustomFieldSet(**KEYS, field=name, kind=kind, value=value, personal_value=personal_value, previous_value=None)


NEW: dict[str, Any] = {"customer_id": ACME, "owner_id": "moses.frase", "team": "west", "lifecycle": "lead", "external": None}


def test_a_company_is_registered_under_a_name_that_analysts_may_see() -> None:
    given(evolve).when(register, **NEW, kind="company", name="Acme").then(REGISTERED)


def test_a_persons_name_is_personal() -> None:
    values = {**NEW, "lifecycle": "active", "external": ExternalId("shop", "7")}
    given(evolve).when(register, **values, kind="person", name="Ann Lee").then(PERSON)


def test_a_customer_is_registered_once() -> None:
    customer().when(register, **NEW, kind="company", name="Acme").refused("customer.exists")


def test_renaming_keeps_the_previous_name() -> None:
    renamed = CustomerRenamed(**KEYS, name="Acme AG", person_name=None, previous_name="Acme", previous_person_name=None)
    customer().when(rename, name="Acme AG").then(renamed)


def test_a_company_that_has_the_name_already_is_not_renamed() -> None:
    customer().when(rename, name="Acme").nothing()


def test_a_persons_new_name_is_always_recorded_for_it_cannot_be_compared() -> None:
    renamed = CustomerRenamed(**KEYS, name=None, person_name="Ann Lee", previous_name=None, previous_person_name="Ann Lee")
    given(evolve, PERSON).when(rename, name="Ann Lee").then(renamed)


def test_changing_one_contact_detail_carries_the_others_on() -> None:
    changed = CustomerContactDetailsChanged(**KEYS, email="~token", phone="+4930123456", website=None)
    customer(REACHED).when(change_contact_details, changes={"phone": "+4930123456"}).then(changed)


def test_null_clears_a_contact_detail() -> None:
    changed = CustomerContactDetailsChanged(**KEYS, email=None, phone="~other", website=None)
    customer(REACHED).when(change_contact_details, changes={"email": None}).then(changed)


@pytest.mark.parametrize("changes", [{}, {"website": None}])
def test_clearing_a_contact_detail_that_is_not_there_changes_nothing(changes: dict[str, Any]) -> None:
    customer(REACHED).when(change_contact_details, changes=changes).nothing()


def test_a_contact_detail_that_is_said_again_is_recorded_whether_or_not_it_is_still_in_memory() -> None:
    customer(REACHED).when(change_contact_details, changes={"email": "~token"}).types("customer.contact_details_changed")


CLASSIFIED = CustomerClassified(
    **KEYS,
    tier="A",
    industry="retail",
    size=None,
    tags=("fair", "vip"),
    previous_tier=None,
    previous_industry=None,
    previous_size=None,
    previous_tags=(),
)


def test_tags_are_kept_in_order_and_once() -> None:
    changes = {"tier": "A", "industry": "retail", "tags": ("vip", "fair", "vip")}
    customer().asked(classify, changes=changes).then(CLASSIFIED)


def test_classifying_tells_the_whole_class_and_the_one_before() -> None:
    customer(CLASSIFIED).asked(classify, changes={"tier": "B"}).has(
        CustomerClassified, tier="B", industry="retail", tags=("fair", "vip"), previous_tier="A", previous_tags=("fair", "vip")
    )


def test_the_same_class_changes_nothing() -> None:
    customer(CLASSIFIED).asked(classify, changes={"tier": "A", "tags": ("vip", "fair")}).nothing()


def test_a_lifecycle_change_says_where_the_customer_was_and_since_when() -> None:
    changed = CustomerLifecycleChanged(**KEYS, lifecycle="prospect", previous_lifecycle="lead", entered_previous_at=AT, reason="fair")
    customer().asked(change_lifecycle, to="prospect", reason="fair", at=LATER).then(changed)


def test_the_lifecycle_a_customer_is_in_changes_nothing() -> None:
    customer().asked(change_lifecycle, to="lead", reason=None, at=LATER).nothing()


@pytest.mark.parametrize(("before", "to"), [(before, to) for before in NEXT for to in NEXT if to != before])
def test_a_lifecycle_step_is_taken_if_allowed_else_refused_and_recorded_as_irregular_when_reported(before: str, to: str) -> None:
    history = given(evolve, REGISTERED, became(before))
    if to in NEXT[before]:
        history.asked(change_lifecycle, to=to, reason=None, at=LATER).types("customer.lifecycle_changed")
    else:
        history.asked(change_lifecycle, to=to, reason=None, at=LATER).refused("customer.lifecycle_step")
        told = history.reported(change_lifecycle, to=to, reason=None, at=LATER)
        told.irregular("customer.lifecycle_step").has(CustomerLifecycleChanged, lifecycle=to, previous_lifecycle=before)


def test_only_a_churned_customer_is_won_back() -> None:
    assert [before for before, after in NEXT.items() if "won_back" in after] == ["churned"]


def test_a_customer_does_not_leave_a_lifecycle_before_it_came_into_it() -> None:
    history = customer(at(LATER, became("prospect")))
    history.asked(change_lifecycle, to="active", reason=None, at=AT).refused("customer.out_of_order")
    history.reported(change_lifecycle, to="active", reason=None, at=AT).irregular("customer.out_of_order").has(
        CustomerLifecycleChanged, entered_previous_at=LATER
    )


def test_assigning_carries_who_had_it_before() -> None:
    keys = {**KEYS, "owner_id": "ann", "team": None}
    customer().when(assign, owner_id="ann", team=None).then(CustomerAssigned(**keys, previous_owner_id="moses.frase", previous_team="west"))


def test_after_it_was_assigned_every_event_carries_the_new_owner() -> None:
    assigned = CustomerAssigned(customer_id=ACME, owner_id="ann", team=None, previous_owner_id="moses.frase", previous_team="west")
    customer(assigned).when(archive, reason=None).has(CustomerArchived, owner_id="ann", team=None)


def test_assigning_to_its_owner_changes_nothing() -> None:
    customer().when(assign, owner_id="moses.frase", team="west").nothing()


UNDER_HOLDING = CustomerParentSet(**KEYS, parent_id=HOLDING, previous_parent_id=None)


def test_a_customer_is_put_under_another_and_out_again() -> None:
    customer().asked(set_parent, parent_id=HOLDING, above_parent=[GROUP]).then(UNDER_HOLDING)
    alone = CustomerParentSet(**KEYS, parent_id=None, previous_parent_id=HOLDING)
    customer(UNDER_HOLDING).asked(set_parent, parent_id=None, above_parent=[]).then(alone)


def test_the_parent_it_has_changes_nothing() -> None:
    customer(UNDER_HOLDING).asked(set_parent, parent_id=HOLDING, above_parent=[GROUP]).nothing()


@pytest.mark.parametrize(("parent_id", "above"), [(ACME, []), (HOLDING, [ACME]), (HOLDING, [GROUP, ACME])])
def test_no_customer_is_above_itself_not_even_by_report(parent_id: UUID, above: list[UUID]) -> None:
    customer().asked(set_parent, parent_id=parent_id, above_parent=above).refused("customer.parent_loop")
    customer().reported(set_parent, parent_id=parent_id, above_parent=above).refused("customer.parent_loop")


def test_an_address_carries_the_region_it_was_in() -> None:
    moved = CustomerAddressChanged(
        **KEYS, street="Ring 1", postal_code="~p", city="Wien", region="9", country="AT", previous_region="BE", previous_country="DE"
    )
    changes = {"street": "Ring 1", "city": "Wien", "region": "9", "country": "AT"}
    customer(BERLIN).when(change_address, changes=changes).then(moved)


def test_the_country_it_is_in_changes_nothing() -> None:
    customer(BERLIN).when(change_address, changes={"country": "DE", "region": "BE"}).nothing()


def test_preferences_are_noted_one_by_one() -> None:
    noted = CustomerPreferencesNoted(**KEYS, language="de", channel=None, time_zone=None, note="~n")
    told = CustomerPreferencesNoted(**KEYS, language="de", channel="phone", time_zone=None, note="~n")
    customer(noted).asked(note_preferences, changes={"channel": "phone"}).then(told)
    customer(told).asked(note_preferences, changes={"channel": "phone", "language": "de"}).nothing()


def test_a_custom_field_carries_the_value_it_had() -> None:
    told = CustomerCustomFieldSet(**KEYS, field="seats", kind="number", value="20", personal_value=None, previous_value="12")
    customer(field_set("seats", "number", "12")).asked(set_custom_field, name="seats", kind="number", value="20", personal=False).then(told)


def test_the_value_a_custom_field_has_changes_nothing() -> None:
    values = {"name": "seats", "kind": "number", "value": "12", "personal": False}
    customer(field_set("seats", "number", "12")).asked(set_custom_field, **values).nothing()


def test_clearing_a_custom_field_that_has_no_value_changes_nothing() -> None:
    customer().asked(set_custom_field, name="seats", kind="number", value=None, personal=False).nothing()


def test_a_cleared_custom_field_may_become_another_kind() -> None:
    cleared = [field_set("seats", "number", "12"), field_set("seats", "number", None)]
    values = {"name": "seats", "kind": "text", "value": "many", "personal": False}
    customer(*cleared).asked(set_custom_field, **values).types("customer.custom_field_set")


def test_a_custom_field_with_a_value_keeps_its_kind() -> None:
    values = {"name": "seats", "kind": "text", "value": "many", "personal": False}
    customer(field_set("seats", "number", "12")).asked(set_custom_field, **values).refused("custom_field.kind")
    customer(field_set("seats", "number", "12")).reported(set_custom_field, **values).irregular("custom_field.kind")


def test_a_personal_custom_field_keeps_its_value_from_analysts() -> None:
    values = {"name": "hobby", "kind": "text", "value": "chess", "personal": True}
    customer().asked(set_custom_field, **values).has(CustomerCustomFieldSet, value=None, personal_value="chess")


def test_a_personal_custom_field_can_be_cleared() -> None:
    values = {"name": "hobby", "kind": "text", "value": None}
    for personal in (True, False):
        history = customer(field_set("hobby", "text", None, "~token"))
        history.asked(set_custom_field, **values, personal=personal).has(CustomerCustomFieldSet, value=None, personal_value=None)


def test_a_custom_field_that_becomes_personal_loses_its_plain_value() -> None:
    values = {"name": "hobby", "kind": "text", "value": "chess", "personal": True}
    told = customer(field_set("hobby", "text", "chess")).asked(set_custom_field, **values)
    told.has(CustomerCustomFieldSet, value=None, personal_value="chess", previous_value="chess")


def test_a_customer_has_a_limited_number_of_custom_fields() -> None:
    full = [field_set(f"f{n}", "text", "x") for n in range(MOST_CUSTOM_FIELDS)]
    values = {"kind": "text", "value": "y", "personal": False}
    customer(*full).asked(set_custom_field, name="one_more", **values).refused("customer.too_many_custom_fields")
    customer(*full).asked(set_custom_field, name="f0", **values).types("customer.custom_field_set")


@pytest.mark.parametrize(
    ("kind", "text", "spelled"),
    [
        ("text", "as is", "as is"),
        ("number", "1E3", "1000"),
        ("number", "-0.50", "-0.50"),
        ("yes_no", "TRUE", "yes"),
        ("yes_no", "no", "no"),
        ("date", "2026-03-01", "2026-03-01"),
        ("date", "20260301", "2026-03-01"),
    ],
)
def test_values_of_custom_fields_have_one_spelling(kind: str, text: str, spelled: str) -> None:
    assert canonical(kind, text) == spelled


@pytest.mark.parametrize(
    ("kind", "text"),
    [("number", "many"), ("number", "NaN"), ("number", "1E999999"), ("number", "1" * 40), ("yes_no", "maybe"), ("date", "1 March")],
)
def test_a_value_that_is_not_of_its_kind_is_refused(kind: str, text: str) -> None:
    with pytest.raises(RuleViolation) as refusal:
        canonical(kind, text)
    assert refusal.value.code == "custom_field.value"


def test_a_custom_field_of_no_known_kind_is_refused() -> None:
    with pytest.raises(RuleViolation) as refusal:
        canonical("colour", "red")
    assert refusal.value.code == "custom_field.kind"


def test_another_systems_id_is_linked_once() -> None:
    linked = CustomerExternalIdLinked(**KEYS, external_source="erp", external_id="4711")
    customer().when(link_external_id, external=ExternalId("erp", "4711")).then(linked)
    customer(linked).when(link_external_id, external=ExternalId("erp", "4711")).nothing()


def test_the_id_a_customer_was_registered_under_is_linked_already() -> None:
    given(evolve, PERSON).when(link_external_id, external=ExternalId("shop", "7")).nothing()


def test_a_customer_has_a_limited_number_of_external_ids() -> None:
    full = [CustomerExternalIdLinked(**KEYS, external_source="erp", external_id=str(n)) for n in range(MOST_EXTERNAL_IDS)]
    customer(*full).when(link_external_id, external=ExternalId("erp", "x")).refused("customer.too_many_external_ids")


def test_a_customer_is_archived_once_and_restored_once() -> None:
    customer().when(archive, reason="gone").then(CustomerArchived(**KEYS, lifecycle="lead", reason="gone"))
    customer(ARCHIVED).when(archive, reason="gone").nothing()
    customer(ARCHIVED).when(restore, reason=None).then(RESTORED)
    customer(ARCHIVED, RESTORED).when(restore, reason=None).nothing()


BUSINESS = [
    (classify, {"changes": {"tier": "A"}}),
    (change_lifecycle, {"to": "prospect", "reason": None, "at": LATER}),
    (set_parent, {"parent_id": HOLDING, "above_parent": []}),
    (note_preferences, {"changes": {"language": "en"}}),
    (set_custom_field, {"name": "seats", "kind": "number", "value": "1", "personal": False}),
]


@pytest.mark.parametrize(("decide", "values"), BUSINESS)
def test_an_archived_customer_takes_no_business_and_a_restored_one_does(decide: Any, values: dict[str, Any]) -> None:
    customer(ARCHIVED).asked(decide, **values).refused("customer.archived")
    customer(ARCHIVED).reported(decide, **values).irregular("customer.archived")
    assert customer(ARCHIVED, RESTORED).asked(decide, **values).events


@pytest.mark.parametrize(
    ("decide", "values"),
    [
        (rename, {"name": "Acme AG"}),
        (change_contact_details, {"changes": {"email": "a@example.com"}}),
        (change_address, {"changes": {"country": "AT"}}),
        (assign, {"owner_id": "ann", "team": None}),
        (link_external_id, {"external": ExternalId("erp", "1")}),
    ],
)
def test_an_archived_customer_can_still_be_put_right_and_handed_over(decide: Any, values: dict[str, Any]) -> None:
    assert customer(ARCHIVED).when(decide, **values).events


def test_a_history_without_its_beginning_is_corrupt() -> None:
    with pytest.raises(CorruptHistory) as found:
        given(evolve, ARCHIVED)
    assert found.value.code == "history.no_start"


class ForeignEvent(Event):
    """An event of another record."""

    type = "foreign.event"
    stream = "foreign_id"


def test_an_event_of_another_record_is_corrupt() -> None:
    with pytest.raises(CorruptHistory) as found:
        given(evolve, REGISTERED, ForeignEvent())
    assert found.value.code == "history.foreign_event"
