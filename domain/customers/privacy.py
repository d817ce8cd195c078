"""What a customer who is a person may ask for: to be forgotten, to be left in peace, and to see what is held about them."""

from datetime import date

from domain.customers.customer import COMPANY, Customer
from domain.customers.events import (
    CustomerAccessExported,
    CustomerCustomFieldSet,
    CustomerErased,
    CustomerRestricted,
    CustomerRestrictionLifted,
)
from domain.customers.profile import PERSONAL
from domain.errors import RuleViolation
from domain.event import Event
from domain.persons import not_erased


def _person_only(customer: Customer) -> None:
    if customer.kind == COMPANY:
        raise RuleViolation("customer.not_a_person", "a company is no person; its contacts are, each for themselves")


def erase(customer: Customer, *, reason: str | None, legal_basis: str, requested_on: date | None) -> list[Event]:
    """Forget whatever identifies the customer, who is a person, for ever; its personal custom fields are cleared."""
    _person_only(customer)
    if customer.erased:
        return []
    secret = [(name, known) for name, known in sorted(customer.custom_fields.items()) if known.value is None]
    cleared = [
        CustomerCustomFieldSet(**customer.keys, field=name, kind=known.kind, value=None, personal_value=None, previous_value=None)
        for name, known in secret
    ]
    groups = ((customer, ("person_name",)), *((group, sorted(PERSONAL)) for group in _groups(customer)))
    named = [name for group, names in groups for name in names if getattr(group, name, None) is not None]
    forgotten = (*named, *(f"custom field {name}" for name, _ in secret))
    erased = CustomerErased(**customer.keys, reason=reason, legal_basis=legal_basis, requested_on=requested_on, forgotten=forgotten)
    return [*cleared, erased]


def _groups(customer: Customer) -> tuple[object, ...]:
    return customer.contact_details, customer.address, customer.preferences


def restrict(customer: Customer, *, reason: str | None, legal_basis: str, requested_on: date | None) -> list[Event]:
    """Keep the record of the customer, who is a person, and use it for nothing new."""
    _person_only(customer)
    not_erased(erased=customer.erased)
    if customer.restricted:
        return []
    return [CustomerRestricted(**customer.keys, reason=reason, legal_basis=legal_basis, requested_on=requested_on)]


def lift_restriction(customer: Customer, *, reason: str | None) -> list[Event]:
    """Let the customer's record be used again."""
    if customer.restricted_at is None:
        return []
    return [CustomerRestrictionLifted(**customer.keys, reason=reason, restricted_at=customer.restricted_at)]


def export_access(customer: Customer, *, requested_on: date | None, events: int, upto: int) -> list[Event]:
    """Note that everything held about the customer, who is a person, was handed out."""
    _person_only(customer)
    return [CustomerAccessExported(**customer.keys, requested_on=requested_on, events=events, upto=upto)]
