"""Contacts: the people at customers."""

from typing import Final

from domain.contacts.events import (
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
from projections.fold import Fold, Home
from projections.rules import Column, first, latest, latest_of
from projections.values import OCCURRED_AT, Const

YES, NO, NOTHING = Const(value=True), Const(value=False), Const(None)


def _personal(name: str) -> Column:
    """What identifies the person, until they are erased."""
    return latest(name, ContactAdded, ContactDetailsChanged) | latest(NOTHING, ContactErased)


CONTACTS: Final = Fold(
    "contacts",
    homes=[Home.LOOKUPS],
    key="contact_id",
    columns={
        "customer_id": latest("customer_id", ContactAdded, ContactMoved),
        "since": latest(OCCURRED_AT, ContactAdded, ContactMoved),
        "name": _personal("name"),
        "email": _personal("email"),
        "phone": _personal("phone"),
        "title": latest("title", ContactAdded, ContactDetailsChanged),
        "role": latest("role", ContactAdded, ContactDetailsChanged),
        "is_primary": latest_of({ContactAdded: NO, ContactMoved: NO, ContactMadePrimary: YES, ContactPrimaryLost: NO}),
        "left_at": latest_of({ContactAdded: NOTHING, ContactLeft: OCCURRED_AT, ContactRestored: NOTHING}),
        "left_reason": latest_of({ContactAdded: NOTHING, ContactLeft: "reason", ContactRestored: NOTHING}),
        "added_at": first(OCCURRED_AT, ContactAdded),
        "restricted_at": latest_of({ContactRestricted: OCCURRED_AT, ContactRestrictionLifted: NOTHING, ContactErased: NOTHING}),
        "erased_at": first(OCCURRED_AT, ContactErased),
        "external_source": first("external_source", ContactAdded),
        "external_id": first("external_id", ContactAdded),
    },
    indexes=[["customer_id"]],
)
"""A person at a customer, `since` when; `left_at` is empty unless they are gone. Nothing that identifies them is left once they are erased."""

FOLDS: Final = (CONTACTS,)
