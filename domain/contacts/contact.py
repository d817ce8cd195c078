"""A contact's life: added at one customer, moved to another, made the primary one there, left and restored, perhaps erased.

A contact is at exactly one customer, and a customer has at most one primary contact. Who is primary is told in pairs: when another
contact is made primary, the one before loses it in the same append; moving or leaving loses it too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.changes import tells_news
from domain.contacts.events import (
    ContactAccessExported,
    ContactAdded,
    ContactDetailsChanged,
    ContactErased,
    ContactLeft,
    ContactMadePrimary,
    ContactMoved,
    ContactPrimaryLost,
    ContactRestored,
    ContactRestricted,
    ContactRestrictionLifted,
)
from domain.customers.customer import takes_business
from domain.errors import CorruptHistory, RuleViolation
from domain.event import Event
from domain.persons import not_erased, not_restricted
from domain.rules import Rules
from domain.values import ExternalId


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What is known of a contact; e-mail and phone are normalised already."""

    name: str
    """Empty once the contact was erased."""
    email: str | None = None
    phone: str | None = None
    title: str | None = None
    role: str | None = None

    @classmethod
    def of(cls, event: ContactAdded | ContactDetailsChanged) -> "Details":
        """As the event tells them."""
        return cls(name=event.name, email=event.email, phone=event.phone, title=event.title, role=event.role)


PERSONAL = frozenset({"name", "email", "phone"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What decisions need to know of a contact; personal texts come encrypted from the log and are only carried on."""

    id: UUID
    customer_id: UUID
    details: Details
    primary: bool = False
    left: bool = False
    erased: bool = False
    restricted_at: datetime | None = None

    @property
    def restricted(self) -> bool:
        """Whether the record must not be used now."""
        return self.restricted_at is not None

    @property
    def keys(self) -> dict[str, Any]:
        """The keys that every event of this contact carries."""
        return {"contact_id": self.id, "customer_id": self.customer_id}


def known(contact: Contact | None) -> Contact:
    """The contact, which must have been added. Raises CorruptHistory."""
    if contact is None:
        raise CorruptHistory("history.no_start", "the contact's history does not begin with its being added")
    return contact


def evolve(contact: Contact | None, event: Event, at: datetime) -> Contact:
    """The contact after `event`, which happened `at`."""
    match event:
        case ContactAdded():
            return Contact(id=event.contact_id, customer_id=event.customer_id, details=Details.of(event))
        case ContactDetailsChanged():
            return replace(known(contact), details=Details.of(event))
        case ContactMoved():
            return replace(known(contact), customer_id=event.customer_id, primary=False, left=False)
        case ContactMadePrimary():
            return replace(known(contact), primary=True)
        case ContactPrimaryLost():
            return replace(known(contact), primary=False)
        case ContactLeft():
            return replace(known(contact), primary=False, left=True)
        case ContactRestored():
            return replace(known(contact), left=False)
        case _:
            return _person(known(contact), event, at)


def _person(contact: Contact, event: Event, at: datetime) -> Contact:
    match event:
        case ContactErased():
            forgotten = replace(contact.details, name="", email=None, phone=None)
            return replace(contact, details=forgotten, primary=False, erased=True, restricted_at=None)
        case ContactRestricted():
            return replace(contact, restricted_at=at)
        case ContactRestrictionLifted():
            return replace(contact, restricted_at=None)
        case ContactAccessExported():
            return contact
        case _:
            raise CorruptHistory("history.foreign_event", f"{event.type} is not a contact event")


def add(
    contact: Contact | None,
    rules: Rules,
    *,
    contact_id: UUID,
    customer_id: UUID,
    customer_archived: bool,
    details: Details,
    external: ExternalId | None,
) -> list[Event]:
    """Make a person known at a customer."""
    if contact is not None:
        raise RuleViolation("contact.exists", "a contact with this id exists already")
    takes_business(rules, archived=customer_archived)
    return [
        ContactAdded(
            contact_id=contact_id,
            customer_id=customer_id,
            name=details.name,
            email=details.email,
            phone=details.phone,
            title=details.title,
            role=details.role,
            external_source=external.source if external else None,
            external_id=external.id if external else None,
        )
    ]


def change_details(contact: Contact, *, changes: Mapping[str, Any]) -> list[Event]:
    """Change some of the Details."""
    not_erased(erased=contact.erased)
    before = contact.details
    if not tells_news(before, changes, personal=PERSONAL):
        return []
    now = replace(before, **changes)
    return [
        ContactDetailsChanged(
            **contact.keys,
            name=now.name,
            email=now.email,
            phone=now.phone,
            title=now.title,
            role=now.role,
            previous_title=before.title,
            previous_role=before.role,
        )
    ]


def _present(contact: Contact, rules: Rules) -> list[Event]:
    """Hold that the contact has not left; what is reported of one who had, tells that they were back."""
    rules.hold(not contact.left, "contact.left", "the contact has left the customer; restore it first")
    return [ContactRestored(**contact.keys)] if contact.left else []


def move(contact: Contact, rules: Rules, *, to: UUID, customer_archived: bool) -> list[Event]:
    """Take the contact to another customer, where it is not primary; `customer_archived` is about that customer."""
    if contact.customer_id == to:
        return []
    not_erased(erased=contact.erased)
    back = _present(contact, rules)
    takes_business(rules, archived=customer_archived)
    moved = ContactMoved(contact_id=contact.id, customer_id=to, previous_customer_id=contact.customer_id, was_primary=contact.primary)
    return [*back, *lose_primary(contact, successor=None), moved]


def make_primary(contact: Contact, rules: Rules, *, present: UUID | None, customer_archived: bool) -> list[Event]:
    """Make the contact the primary one of its customer in place of `present`, who loses it in the same append."""
    if contact.primary:
        return []
    not_erased(erased=contact.erased)
    not_restricted(rules, restricted=contact.restricted)
    back = _present(contact, rules)
    takes_business(rules, archived=customer_archived)
    made = ContactMadePrimary(**contact.keys, primary_contact_id=contact.id, previous_primary_contact_id=present)
    return [*back, made]


def lose_primary(contact: Contact, *, successor: UUID | None) -> list[Event]:
    """Let the contact be primary no longer; `successor` is who is instead."""
    if not contact.primary:
        return []
    return [ContactPrimaryLost(**contact.keys, primary_contact_id=successor)]


def leave(contact: Contact, *, reason: str | None) -> list[Event]:
    """Note that the contact is no longer at the customer."""
    if contact.left:
        return []
    return [*lose_primary(contact, successor=None), ContactLeft(**contact.keys, was_primary=contact.primary, reason=reason)]


def restore(contact: Contact, rules: Rules, *, customer_archived: bool) -> list[Event]:
    """Note that the contact who had left is at the customer again, not as its primary one."""
    if not contact.left:
        return []
    not_erased(erased=contact.erased)
    takes_business(rules, archived=customer_archived)
    return [ContactRestored(**contact.keys)]
