"""A customer's life: registered, known better over time, taken from lead to active and perhaps lost and won back, archived and restored.

An archived customer takes no business. What concerns who it is and who looks after it (name, contact details, address,
external ids, owner) can still be put right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

from domain.changes import tells_news
from domain.customers.custom_fields import CustomField
from domain.customers.events import (
    CustomerAccessExported,
    CustomerAddressChanged,
    CustomerArchived,
    CustomerAssigned,
    CustomerClassified,
    CustomerContactDetailsChanged,
    CustomerCustomFieldSet,
    CustomerErased,
    CustomerExternalIdLinked,
    CustomerLifecycleChanged,
    CustomerParentSet,
    CustomerPreferencesNoted,
    CustomerRegistered,
    CustomerRenamed,
    CustomerRestored,
    CustomerRestricted,
    CustomerRestrictionLifted,
)
from domain.customers.profile import (
    NONE_NOTED,
    NOWHERE,
    PERSONAL,
    UNCLASSIFIED,
    UNREACHABLE,
    Address,
    Classification,
    ContactDetails,
    Preferences,
)
from domain.errors import CorruptHistory, RuleViolation
from domain.event import Event
from domain.persons import not_erased
from domain.rules import Rules
from domain.values import ExternalId

Kind = Literal["company", "person"]
Lifecycle = Literal["lead", "prospect", "active", "dormant", "churned", "won_back"]
COMPANY: Kind = "company"

NEXT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "lead": frozenset({"prospect", "active", "dormant"}),
        "prospect": frozenset({"active", "dormant"}),
        "active": frozenset({"dormant", "churned"}),
        "dormant": frozenset({"prospect", "active", "churned"}),
        "churned": frozenset({"won_back"}),
        "won_back": frozenset({"active", "dormant", "churned"}),
    }
)
"""Where a customer may go from each part of its life. Only who is churned can be won back, and back is the only way from there."""

MOST_CUSTOM_FIELDS = 200
MOST_EXTERNAL_IDS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """What decisions need to know of a customer.

    Personal texts come encrypted from the log: they are only carried on, never looked into or compared.
    """

    id: UUID
    kind: str
    name: str | None
    person_name: str | None
    lifecycle: str
    entered_at: datetime
    """When it came into this part of its life."""
    owner_id: str | None
    team: str | None
    parent_id: UUID | None = None
    classification: Classification = UNCLASSIFIED
    contact_details: ContactDetails = UNREACHABLE
    address: Address = NOWHERE
    preferences: Preferences = NONE_NOTED
    custom_fields: dict[str, CustomField] = field(default_factory=dict[str, CustomField])
    external_ids: frozenset[ExternalId] = frozenset()
    archived_at: datetime | None = None
    erased: bool = False
    restricted_at: datetime | None = None

    @property
    def restricted(self) -> bool:
        """Whether the record must not be used now."""
        return self.restricted_at is not None

    @property
    def archived(self) -> bool:
        """Whether it takes no business now."""
        return self.archived_at is not None

    @property
    def keys(self) -> dict[str, Any]:
        """The keys that every event of this customer carries."""
        return {"customer_id": self.id, "owner_id": self.owner_id, "team": self.team}


def known(customer: Customer | None) -> Customer:
    """The customer, which must have been registered. Raises CorruptHistory."""
    if customer is None:
        raise CorruptHistory("history.no_start", "the customer's history does not begin with its registration")
    return customer


def evolve(customer: Customer | None, event: Event, at: datetime) -> Customer:
    """The customer after `event`, which happened `at`."""
    match event:
        case CustomerRegistered():
            return _registered(event, at)
        case CustomerLifecycleChanged():
            return replace(known(customer), lifecycle=event.lifecycle, entered_at=at)
        case CustomerAssigned():
            return replace(known(customer), owner_id=event.owner_id, team=event.team)
        case CustomerParentSet():
            return replace(known(customer), parent_id=event.parent_id)
        case CustomerArchived():
            return replace(known(customer), archived_at=at)
        case CustomerRestored():
            return replace(known(customer), archived_at=None)
        case _:
            return _better_known(known(customer), event, at)


def _better_known(customer: Customer, event: Event, at: datetime) -> Customer:
    match event:
        case CustomerRenamed():
            return replace(customer, name=event.name, person_name=event.person_name)
        case CustomerContactDetailsChanged():
            return replace(customer, contact_details=ContactDetails.of(event))
        case CustomerPreferencesNoted():
            return replace(customer, preferences=Preferences.of(event))
        case CustomerClassified():
            return replace(customer, classification=Classification.of(event))
        case CustomerAddressChanged():
            return replace(customer, address=Address.of(event))
        case CustomerCustomFieldSet():
            return _with_field(customer, event)
        case CustomerExternalIdLinked():
            return replace(customer, external_ids=customer.external_ids | {ExternalId(event.external_source, event.external_id)})
        case _:
            return _person(customer, event, at)


def _person(customer: Customer, event: Event, at: datetime) -> Customer:
    match event:
        case CustomerErased():
            return _forgotten(customer)
        case CustomerRestricted():
            return replace(customer, restricted_at=at)
        case CustomerRestrictionLifted():
            return replace(customer, restricted_at=None)
        case CustomerAccessExported():
            return customer
        case _:
            raise CorruptHistory("history.foreign_event", f"{event.type} is not a customer event")


def _forgotten(customer: Customer) -> Customer:
    return replace(
        customer,
        person_name=None,
        contact_details=UNREACHABLE,
        address=replace(customer.address, street=None, postal_code=None, city=None),
        preferences=replace(customer.preferences, note=None),
        erased=True,
        restricted_at=None,
    )


def _registered(event: CustomerRegistered, at: datetime) -> Customer:
    external = event.external_source is not None and event.external_id is not None
    return Customer(
        id=event.customer_id,
        kind=event.kind,
        name=event.name,
        person_name=event.person_name,
        lifecycle=event.lifecycle,
        entered_at=at,
        owner_id=event.owner_id,
        team=event.team,
        external_ids=frozenset({ExternalId(str(event.external_source), str(event.external_id))}) if external else frozenset(),
    )


def _with_field(customer: Customer, event: CustomerCustomFieldSet) -> Customer:
    fields = {name: value for name, value in customer.custom_fields.items() if name != event.field}
    if event.value is not None or event.personal_value is not None:
        fields[event.field] = CustomField(event.kind, event.value)
    return replace(customer, custom_fields=fields)


def _in_business(customer: Customer, rules: Rules) -> None:
    takes_business(rules, archived=customer.archived)


def takes_business(rules: Rules, *, archived: bool) -> None:
    """Hold that a customer is not archived; every record that is business with a customer asks this."""
    rules.hold(not archived, "customer.archived", "the customer is archived and takes no business; restore it first")


def register(
    customer: Customer | None,
    *,
    customer_id: UUID,
    kind: Kind,
    name: str,
    lifecycle: Lifecycle,
    owner_id: str | None,
    team: str | None,
    external: ExternalId | None,
) -> list[Event]:
    """Make a customer known, wherever in its life it is."""
    if customer is not None:
        raise RuleViolation("customer.exists", "a customer with this id exists already")
    return [
        CustomerRegistered(
            customer_id=customer_id,
            owner_id=owner_id,
            team=team,
            kind=kind,
            **_named(kind, name),
            lifecycle=lifecycle,
            external_source=external.source if external else None,
            external_id=external.id if external else None,
        )
    ]


def _named(kind: str, name: str) -> dict[str, Any]:
    company = kind == COMPANY
    return {"name": name if company else None, "person_name": None if company else name}


def rename(customer: Customer, *, name: str) -> list[Event]:
    """Give the customer another name; a person's is recorded even if it is the same, for it cannot be compared."""
    not_erased(erased=customer.erased)
    if customer.name == name:
        return []
    named, before, personal_before = _named(customer.kind, name), customer.name, customer.person_name
    return [CustomerRenamed(**customer.keys, **named, previous_name=before, previous_person_name=personal_before)]


def change_contact_details(customer: Customer, *, changes: Mapping[str, Any]) -> list[Event]:
    """Change some of the ContactDetails."""
    not_erased(erased=customer.erased)
    if not tells_news(customer.contact_details, changes, personal=PERSONAL):
        return []
    now = replace(customer.contact_details, **changes)
    return [CustomerContactDetailsChanged(**customer.keys, email=now.email, phone=now.phone, website=now.website)]


def classify(customer: Customer, rules: Rules, *, changes: Mapping[str, Any]) -> list[Event]:
    """Change some of the Classification."""
    not_erased(erased=customer.erased)
    before = customer.classification
    now = replace(before, **changes)
    now = replace(now, tags=tuple(sorted(set(now.tags))))
    if now == before:
        return []
    _in_business(customer, rules)
    return [
        CustomerClassified(
            **customer.keys,
            tier=now.tier,
            industry=now.industry,
            size=now.size,
            tags=now.tags,
            previous_tier=before.tier,
            previous_industry=before.industry,
            previous_size=before.size,
            previous_tags=before.tags,
        )
    ]


def change_lifecycle(customer: Customer, rules: Rules, *, to: Lifecycle, reason: str | None, at: datetime) -> list[Event]:
    """Take the customer into another part of its life."""
    before = customer.lifecycle
    if before == to:
        return []
    _in_business(customer, rules)
    allowed = ", ".join(sorted(NEXT[before]))
    rules.hold(to in NEXT[before], "customer.lifecycle_step", f"a customer goes from {before} to {allowed}, not to {to}")
    rules.hold(
        at >= customer.entered_at,
        "customer.out_of_order",
        f"the customer became {before} at {customer.entered_at.isoformat()}; it cannot have changed from that before",
    )
    return [
        CustomerLifecycleChanged(
            **customer.keys, lifecycle=to, previous_lifecycle=before, entered_previous_at=customer.entered_at, reason=reason
        )
    ]


def assign(customer: Customer, *, owner_id: str | None, team: str | None) -> list[Event]:
    """Give the customer to another owner or team, or to nobody."""
    if (customer.owner_id, customer.team) == (owner_id, team):
        return []
    previous_owner_id, previous_team = customer.owner_id, customer.team
    keys = replace(customer, owner_id=owner_id, team=team).keys
    return [CustomerAssigned(**keys, previous_owner_id=previous_owner_id, previous_team=previous_team)]


def set_parent(customer: Customer, rules: Rules, *, parent_id: UUID | None, above_parent: Sequence[UUID]) -> list[Event]:
    """Put the customer under another one (None: under none); `above_parent` are the customers above that one."""
    if customer.parent_id == parent_id:
        return []
    if customer.id == parent_id or customer.id in above_parent:
        raise RuleViolation("customer.parent_loop", "the parent belongs to this customer itself; a customer cannot be above itself")
    _in_business(customer, rules)
    return [CustomerParentSet(**customer.keys, parent_id=parent_id, previous_parent_id=customer.parent_id)]


def change_address(customer: Customer, *, changes: Mapping[str, Any]) -> list[Event]:
    """Change some of the Address."""
    not_erased(erased=customer.erased)
    before = customer.address
    if not tells_news(before, changes, personal=PERSONAL):
        return []
    now = replace(before, **changes)
    return [
        CustomerAddressChanged(
            **customer.keys,
            street=now.street,
            postal_code=now.postal_code,
            city=now.city,
            region=now.region,
            country=now.country,
            previous_region=before.region,
            previous_country=before.country,
        )
    ]


def note_preferences(customer: Customer, rules: Rules, *, changes: Mapping[str, Any]) -> list[Event]:
    """Change some of the Preferences."""
    not_erased(erased=customer.erased)
    if not tells_news(customer.preferences, changes, personal=PERSONAL):
        return []
    _in_business(customer, rules)
    now = replace(customer.preferences, **changes)
    noted = CustomerPreferencesNoted(**customer.keys, language=now.language, channel=now.channel, time_zone=now.time_zone, note=now.note)
    return [noted]


def set_custom_field(customer: Customer, rules: Rules, *, name: str, kind: str, value: str | None, personal: bool) -> list[Event]:
    """Give a custom field a canonical value, or clear it with None; a personal one is recorded even if it is the same."""
    not_erased(erased=customer.erased)
    before = customer.custom_fields.get(name)
    plain = None if personal else value
    if before == (CustomField(kind, plain) if plain is not None else None) and (plain is not None or value is None):
        return []
    _in_business(customer, rules)
    rules.hold(
        before is None or before.kind == kind or value is None,
        "custom_field.kind",
        f"“{name}” is a {before.kind if before else kind} field; clear it before it becomes another kind",
    )
    if before is None and len(customer.custom_fields) >= MOST_CUSTOM_FIELDS:
        raise RuleViolation("customer.too_many_custom_fields", f"a customer has at most {MOST_CUSTOM_FIELDS} custom fields")
    return [
        CustomerCustomFieldSet(
            **customer.keys,
            field=name,
            kind=kind,
            value=plain,
            personal_value=value if personal else None,
            previous_value=before.value if before else None,
        )
    ]


def link_external_id(customer: Customer, *, external: ExternalId) -> list[Event]:
    """Note what another system calls this customer."""
    not_erased(erased=customer.erased)
    if external in customer.external_ids:
        return []
    if len(customer.external_ids) >= MOST_EXTERNAL_IDS:
        raise RuleViolation("customer.too_many_external_ids", f"a customer has at most {MOST_EXTERNAL_IDS} external ids")
    return [CustomerExternalIdLinked(**customer.keys, external_source=external.source, external_id=external.id)]


def archive(customer: Customer, *, reason: str | None) -> list[Event]:
    """Put the customer away: it takes no business from now on."""
    if customer.archived:
        return []
    return [CustomerArchived(**customer.keys, lifecycle=customer.lifecycle, reason=reason)]


def restore(customer: Customer, *, reason: str | None) -> list[Event]:
    """Let an archived customer take business again."""
    if customer.archived_at is None:
        return []
    not_erased(erased=customer.erased)
    return [CustomerRestored(**customer.keys, lifecycle=customer.lifecycle, archived_at=customer.archived_at, reason=reason)]
