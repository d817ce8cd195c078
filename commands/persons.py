"""Commands on persons (contacts, and customers that are persons): erase them, restrict the use of what is held, note that it was handed out."""

from typing import Annotated, Any, TypeVar

from pydantic import Field

from commands.command import Command, ContactRef, CustomerRef, Day, Ref, ShortText
from commands.context import Context
from commands.records import CONTACT, CUSTOMER, Record
from commands.registry import handles
from domain.contacts import privacy as contacts
from domain.contacts.contact import Contact
from domain.customers import privacy as customers
from domain.customers.customer import Customer
from domain.persons import ErasureBasis, RestrictionBasis, not_erased

Count = Annotated[int, Field(ge=0, le=2**53)]
P = TypeVar("P", Contact, Customer)


class EraseContact(Command):
    """Forget a contact for ever: the key to everything personal about them is destroyed, and this proof of it stays."""

    contact_id: ContactRef
    legal_basis: ErasureBasis
    """Of Art. 17(1) GDPR."""
    reason: ShortText | None = None
    """In words that name nobody: they stay."""
    requested_on: Day | None = None


class EraseCustomer(Command):
    """Forget a customer who is a person for ever: the key to everything personal about them is destroyed, and this proof of it stays."""

    customer_id: CustomerRef
    legal_basis: ErasureBasis
    """Of Art. 17(1) GDPR."""
    reason: ShortText | None = None
    """In words that name nobody: they stay."""
    requested_on: Day | None = None


class RestrictContact(Command):
    """Keep what is held about a contact, and use it for nothing new: no surveys, no part in deals, not the primary contact."""

    contact_id: ContactRef
    legal_basis: RestrictionBasis
    """Of Art. 18(1) GDPR."""
    reason: ShortText | None = None
    requested_on: Day | None = None


class RestrictCustomer(Command):
    """Keep what is held about a customer who is a person, and use it for nothing new: no surveys, no new deals."""

    customer_id: CustomerRef
    legal_basis: RestrictionBasis
    """Of Art. 18(1) GDPR."""
    reason: ShortText | None = None
    requested_on: Day | None = None


class LiftContactRestriction(Command):
    """Let what is held about a contact be used again."""

    contact_id: ContactRef
    reason: ShortText | None = None


class LiftCustomerRestriction(Command):
    """Let what is held about a customer be used again."""

    customer_id: CustomerRef
    reason: ShortText | None = None


class NoteContactExport(Command):
    """Note that everything held about a contact was handed out (`daybook export-person` does)."""

    contact_id: ContactRef
    events: Count
    """How many events were handed out."""
    upto: Count
    """The last position that was looked at."""
    requested_on: Day | None = None


class NoteCustomerExport(Command):
    """Note that everything held about a customer who is a person was handed out (`daybook export-person` does)."""

    customer_id: CustomerRef
    events: Count
    """How many events were handed out."""
    upto: Count
    """The last position that was looked at."""
    requested_on: Day | None = None


@handles
def erase_contact(cmd: EraseContact, ctx: Context) -> None:
    known = ctx.find(CONTACT, cmd.contact_id)
    ctx.record(CONTACT, known.id, contacts.erase(known, **_why(cmd)))


@handles
def erase_customer(cmd: EraseCustomer, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    ctx.record(CUSTOMER, known.id, customers.erase(known, **_why(cmd)))


@handles
def restrict_contact(cmd: RestrictContact, ctx: Context) -> None:
    known = ctx.find(CONTACT, cmd.contact_id)
    ctx.record(CONTACT, known.id, contacts.restrict(known, **_why(cmd)))


@handles
def restrict_customer(cmd: RestrictCustomer, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    ctx.record(CUSTOMER, known.id, customers.restrict(known, **_why(cmd)))


@handles
def lift_contact_restriction(cmd: LiftContactRestriction, ctx: Context) -> None:
    known = ctx.find(CONTACT, cmd.contact_id)
    ctx.record(CONTACT, known.id, contacts.lift_restriction(known, reason=cmd.reason))


@handles
def lift_customer_restriction(cmd: LiftCustomerRestriction, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    ctx.record(CUSTOMER, known.id, customers.lift_restriction(known, reason=cmd.reason))


@handles
def note_contact_export(cmd: NoteContactExport, ctx: Context) -> None:
    known = ctx.find(CONTACT, cmd.contact_id)
    exported = contacts.export_access(known, requested_on=cmd.requested_on, events=cmd.events, upto=cmd.upto)
    ctx.record(CONTACT, known.id, exported)


@handles
def note_customer_export(cmd: NoteCustomerExport, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    exported = customers.export_access(known, requested_on=cmd.requested_on, events=cmd.events, upto=cmd.upto)
    ctx.record(CUSTOMER, known.id, exported)


def _why(cmd: EraseContact | EraseCustomer | RestrictContact | RestrictCustomer) -> dict[str, Any]:
    return {"reason": cmd.reason, "legal_basis": cmd.legal_basis, "requested_on": cmd.requested_on}


def present(ctx: Context, record: Record[P], ref: Ref) -> P:
    """A contact or customer about whom something new is told. Raises RuleViolation `person.erased`."""
    known = ctx.find(record, ref)
    not_erased(erased=known.erased)
    return known
