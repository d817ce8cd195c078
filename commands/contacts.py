"""Commands on contacts: add people to customers, keep what is known of them right, say who is primary, where they went, and that they are back.

In commands that change some of several fields, a field left out stays as it is and null clears it.
"""

from uuid import UUID

from commands.changes import said
from commands.command import Command, ContactRef, CustomerRef, ShortText
from commands.context import Context
from commands.normalise import Country, Email, Phone, phone_or_none
from commands.persons import present
from commands.records import CONTACT, CUSTOMER
from commands.registry import handles
from domain.contacts import contact
from domain.contacts.contact import Contact, Details

PRIMARY_OF_CUSTOMER = "contact.primary"
"""Links every contact that was ever made primary to the customer it was made so at; its state says whether it still is."""


class AddContact(Command):
    """Make a person known at a customer."""

    contact_id: ContactRef | None = None
    customer_id: CustomerRef
    name: ShortText
    email: Email | None = None
    phone: Phone | None = None
    phone_region: Country | None = None
    """Where a phone number without country code is from; the customer's country unless given."""
    title: ShortText | None = None
    role: ShortText | None = None
    primary: bool = False
    """Whether the customer is reached through this contact first."""


class ChangeContactDetails(Command):
    """Change what is known of a contact."""

    contact_id: ContactRef
    name: ShortText | None = None
    """Another name; a contact always has one, so null leaves it as it is."""
    email: Email | None = None
    phone: Phone | None = None
    phone_region: Country | None = None
    """Where a phone number without country code is from; the customer's country unless given."""
    title: ShortText | None = None
    role: ShortText | None = None


class MoveContact(Command):
    """Take a contact to another customer; it is not the primary contact there."""

    contact_id: ContactRef
    customer_id: CustomerRef


class MakeContactPrimary(Command):
    """Make a contact the one whom its customer is reached through first; whoever was before is no longer."""

    contact_id: ContactRef


class NoteContactLeft(Command):
    """Note that a contact is no longer at its customer."""

    contact_id: ContactRef
    reason: ShortText | None = None


class RestoreContact(Command):
    """Note that a contact who had left is at its customer again."""

    contact_id: ContactRef


@handles
def add_contact(cmd: AddContact, ctx: Context) -> None:
    contact_id = ctx.new(CONTACT, cmd.contact_id)
    customer = present(ctx, CUSTOMER, cmd.customer_id)
    phone = phone_or_none(cmd.phone, region=cmd.phone_region or customer.address.country)
    added = contact.add(
        ctx.get(CONTACT, contact_id),
        ctx.rules,
        contact_id=contact_id,
        customer_id=customer.id,
        customer_archived=customer.archived,
        details=Details(name=cmd.name, email=cmd.email, phone=phone, title=cmd.title, role=cmd.role),
        external=ctx.external(cmd.contact_id),
    )
    ctx.record(CONTACT, contact_id, added)
    if cmd.primary:
        _make_primary(ctx, contact_id)


@handles
def change_contact_details(cmd: ChangeContactDetails, ctx: Context) -> None:
    known = ctx.find(CONTACT, cmd.contact_id)
    changes = said(cmd, "email", "phone", "title", "role")
    if cmd.name is not None:
        changes["name"] = cmd.name
    if "phone" in changes:
        region = cmd.phone_region or ctx.find(CUSTOMER, known.customer_id).address.country
        changes["phone"] = phone_or_none(cmd.phone, region=region)
    ctx.record(CONTACT, known.id, contact.change_details(known, changes=changes))


@handles
def move_contact(cmd: MoveContact, ctx: Context) -> None:
    known = ctx.find(CONTACT, cmd.contact_id)
    to = present(ctx, CUSTOMER, cmd.customer_id)
    ctx.record(CONTACT, known.id, contact.move(known, ctx.rules, to=to.id, customer_archived=to.archived))


@handles
def make_contact_primary(cmd: MakeContactPrimary, ctx: Context) -> None:
    _make_primary(ctx, ctx.id(CONTACT, cmd.contact_id))


def _make_primary(ctx: Context, contact_id: UUID) -> None:
    known = ctx.find(CONTACT, contact_id)
    present = _primary_of(ctx, known.customer_id)
    archived = ctx.find(CUSTOMER, known.customer_id).archived
    events = contact.make_primary(known, ctx.rules, present=present.id if present else None, customer_archived=archived)
    if not events:
        return
    if present is not None:
        ctx.record(CONTACT, present.id, contact.lose_primary(present, successor=known.id))
    ctx.record(CONTACT, known.id, events)
    ctx.link(PRIMARY_OF_CUSTOMER, str(known.customer_id), known.id)


def _primary_of(ctx: Context, customer_id: UUID) -> Contact | None:
    """The customer's primary contact: of those who ever were, the one who is."""
    for contact_id in dict.fromkeys(ctx.linked(PRIMARY_OF_CUSTOMER, str(customer_id))):
        known = ctx.get(CONTACT, contact_id)
        if known is not None and known.primary and known.customer_id == customer_id:
            return known
    return None


@handles
def note_contact_left(cmd: NoteContactLeft, ctx: Context) -> None:
    known = ctx.find(CONTACT, cmd.contact_id)
    ctx.record(CONTACT, known.id, contact.leave(known, reason=cmd.reason))


@handles
def restore_contact(cmd: RestoreContact, ctx: Context) -> None:
    known = ctx.find(CONTACT, cmd.contact_id)
    archived = ctx.find(CUSTOMER, known.customer_id).archived
    ctx.record(CONTACT, known.id, contact.restore(known, ctx.rules, customer_archived=archived))
