"""What can have happened to a contact."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from domain.event import Event, PersonalText


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactEvent(Event):
    """The keys of every contact event; `customer_id` is the customer it is at after the event."""

    stream: ClassVar[str] = "contact_id"
    person: ClassVar[tuple[str, ...]] = ("contact_id",)
    contact_id: UUID
    customer_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactAdded(ContactEvent):
    """A person became known at a customer."""

    type: ClassVar[str] = "contact.added"
    name: PersonalText
    email: PersonalText | None
    phone: PersonalText | None
    """E.164, as `+4930123456`."""
    title: str | None
    role: str | None
    external_source: str | None
    external_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactDetailsChanged(ContactEvent):
    """What is known of a contact is now this, all of it; None where there is none."""

    type: ClassVar[str] = "contact.details_changed"
    name: PersonalText
    email: PersonalText | None
    phone: PersonalText | None
    title: str | None
    role: str | None
    previous_title: str | None
    previous_role: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactMoved(ContactEvent):
    """A contact went from one customer to another."""

    type: ClassVar[str] = "contact.moved"
    previous_customer_id: UUID
    was_primary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactMadePrimary(ContactEvent):
    """A contact became the one whom the customer is reached through first."""

    type: ClassVar[str] = "contact.made_primary"
    primary_contact_id: UUID
    """The customer's primary contact after the event: this one."""
    previous_primary_contact_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPrimaryLost(ContactEvent):
    """A contact is no longer the primary one of `customer_id`: another is, or it moved or left."""

    type: ClassVar[str] = "contact.primary_lost"
    primary_contact_id: UUID | None
    """The customer's primary contact after the event; None when it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactLeft(ContactEvent):
    """A contact is no longer at the customer."""

    type: ClassVar[str] = "contact.left"
    was_primary: bool
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRestored(ContactEvent):
    """A contact who had left is at the customer again."""

    type: ClassVar[str] = "contact.restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactErased(ContactEvent):
    """Whatever identified the contact was forgotten, everywhere and for ever; this is the proof, and says nothing personal."""

    type: ClassVar[str] = "contact.erased"
    erases: ClassVar[bool] = True
    reason: str | None
    legal_basis: str
    """See `domain.persons.ErasureBasis`."""
    requested_on: date | None
    forgotten: tuple[str, ...]
    """The personal fields of the record that had a value; texts of requests, interactions and surveys went with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRestricted(ContactEvent):
    """The contact's record is kept, and used for nothing new."""

    type: ClassVar[str] = "contact.restricted"
    reason: str | None
    legal_basis: str
    """See `domain.persons.RestrictionBasis`."""
    requested_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRestrictionLifted(ContactEvent):
    """The contact's record may be used again."""

    type: ClassVar[str] = "contact.restriction_lifted"
    reason: str | None
    restricted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactAccessExported(ContactEvent):
    """Everything that was held about the contact was handed out."""

    type: ClassVar[str] = "contact.access_exported"
    requested_on: date | None
    events: int
    """How many events were handed out."""
    upto: int
    """The last position that was looked at."""


EVENTS = (
    ContactAdded,
    ContactDetailsChanged,
    ContactMoved,
    ContactMadePrimary,
    ContactPrimaryLost,
    ContactLeft,
    ContactRestored,
    ContactErased,
    ContactRestricted,
    ContactRestrictionLifted,
    ContactAccessExported,
)
