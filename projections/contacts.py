"""Contacts: the people at customers."""

from typing import Final

from domain.contacts.events import (
    ContactAdded,
    ContactDetailsChanged,
    ContactLeft,
    ContactMadePrimary,
    ContactMoved,
    ContactPrimaryLost,
    ContactRestored,
)
from projections.fold import Fold, Home
from projections.rules import first, latest, latest_of
from projections.values import OCCURRED_AT, Const

YES, NO, NOTHING = Const(value=True), Const(value=False), Const(None)

CONTACTS: Final = Fold(
    "contacts",
    homes=[Home.LOOKUPS],
    key="contact_id",
    columns={
        "customer_id": latest("customer_id", ContactAdded, ContactMoved),
        "since": latest(OCCURRED_AT, ContactAdded, ContactMoved),
        "name": latest("name", ContactAdded, ContactDetailsChanged),
        "email": latest("email", ContactAdded, ContactDetailsChanged),
        "phone": latest("phone", ContactAdded, ContactDetailsChanged),
        "title": latest("title", ContactAdded, ContactDetailsChanged),
        "role": latest("role", ContactAdded, ContactDetailsChanged),
        "is_primary": latest_of({ContactAdded: NO, ContactMoved: NO, ContactMadePrimary: YES, ContactPrimaryLost: NO}),
        "left_at": latest_of({ContactAdded: NOTHING, ContactLeft: OCCURRED_AT, ContactRestored: NOTHING}),
        "left_reason": latest_of({ContactAdded: NOTHING, ContactLeft: "reason", ContactRestored: NOTHING}),
        "added_at": first(OCCURRED_AT, ContactAdded),
        "external_source": first("external_source", ContactAdded),
        "external_id": first("external_id", ContactAdded),
    },
    indexes=[["customer_id"]],
)
"""A person at a customer, `since` when; `left_at` is empty unless they are gone."""

FOLDS: Final = (CONTACTS,)
