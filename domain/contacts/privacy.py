"""What a contact may ask for as a person: to be forgotten, to be left in peace, and to see what is held about them."""

from datetime import date

from domain.contacts.contact import PERSONAL, Contact, lose_primary
from domain.contacts.events import ContactAccessExported, ContactErased, ContactRestricted, ContactRestrictionLifted
from domain.event import Event
from domain.persons import not_erased


def erase(contact: Contact, *, reason: str | None, legal_basis: str, requested_on: date | None) -> list[Event]:
    """Forget whatever identifies the contact, for ever; it is nobody's primary contact then."""
    if contact.erased:
        return []
    forgotten = tuple(sorted(name for name in PERSONAL if getattr(contact.details, name) is not None))
    erased = ContactErased(**contact.keys, reason=reason, legal_basis=legal_basis, requested_on=requested_on, forgotten=forgotten)
    return [*lose_primary(contact, successor=None), erased]


def restrict(contact: Contact, *, reason: str | None, legal_basis: str, requested_on: date | None) -> list[Event]:
    """Keep the contact's record, and use it for nothing new."""
    not_erased(erased=contact.erased)
    if contact.restricted:
        return []
    return [ContactRestricted(**contact.keys, reason=reason, legal_basis=legal_basis, requested_on=requested_on)]


def lift_restriction(contact: Contact, *, reason: str | None) -> list[Event]:
    """Let the contact's record be used again."""
    if contact.restricted_at is None:
        return []
    return [ContactRestrictionLifted(**contact.keys, reason=reason, restricted_at=contact.restricted_at)]


def export_access(contact: Contact, *, requested_on: date | None, events: int, upto: int) -> list[Event]:
    """Note that everything held about the contact was handed out."""
    return [ContactAccessExported(**contact.keys, requested_on=requested_on, events=events, upto=upto)]
