"""Commands on customers: register them, know them better, take them through their life with us, archive and restore them.

In commands that change some of several fields, a field left out stays as it is and null clears it.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from commands.changes import said
from commands.command import Command, CustomerRef, ExternalRef, LongText, ShortText, UserId
from commands.context import Context
from commands.normalise import Country, Email, Language, Phone, TimeZone, Website, phone_or_none
from commands.records import CUSTOMER
from commands.registry import handles
from domain.customers import customer
from domain.customers.custom_fields import FieldKind, canonical
from domain.customers.customer import Customer, Kind, Lifecycle
from domain.customers.profile import MOST_TAGS, Tier
from domain.event import Event
from domain.values import ExternalId

Tag = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"^[^\x00-\x1f\x7f]*$")]
Tags = Annotated[tuple[Tag, ...], Field(max_length=MOST_TAGS)]
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class RegisterCustomer(Command):
    """Make a company or a person known as a customer, with whatever is known of it already."""

    customer_id: CustomerRef | None = None
    kind: Kind = "company"
    name: ShortText
    lifecycle: Lifecycle = "lead"
    owner_id: UserId | None = None
    team: ShortText | None = None
    parent_id: CustomerRef | None = None
    email: Email | None = None
    phone: Phone | None = None
    phone_region: Country | None = None
    """Where a phone number without country code is from; the address's country unless given."""
    website: Website | None = None
    tier: Tier | None = None
    industry: ShortText | None = None
    size: ShortText | None = None
    tags: Tags = ()
    street: ShortText | None = None
    postal_code: ShortText | None = None
    city: ShortText | None = None
    region: ShortText | None = None
    country: Country | None = None


class RenameCustomer(Command):
    """Give a customer another name."""

    customer_id: CustomerRef
    name: ShortText


class ChangeCustomerContactDetails(Command):
    """Change what a customer is reached by: e-mail, phone, website."""

    customer_id: CustomerRef
    email: Email | None = None
    phone: Phone | None = None
    phone_region: Country | None = None
    """Where a phone number without country code is from; the customer's country unless given."""
    website: Website | None = None


class ClassifyCustomer(Command):
    """Change how a customer is classed: tier, industry, size, tags (all of them)."""

    customer_id: CustomerRef
    tier: Tier | None = None
    industry: ShortText | None = None
    size: ShortText | None = None
    tags: Tags | None = None


class ChangeCustomerLifecycle(Command):
    """Take a customer into another part of its life: from lead to prospect to active, to dormant or churned, and won back."""

    customer_id: CustomerRef
    lifecycle: Lifecycle
    reason: ShortText | None = None


class AssignCustomer(Command):
    """Give a customer to another owner or team."""

    customer_id: CustomerRef
    owner_id: UserId | None = None
    team: ShortText | None = None


class SetCustomerParent(Command):
    """Put a customer under another one, or under none (null)."""

    customer_id: CustomerRef
    parent_id: CustomerRef | None


class ChangeCustomerAddress(Command):
    """Change where a customer is."""

    customer_id: CustomerRef
    street: ShortText | None = None
    postal_code: ShortText | None = None
    city: ShortText | None = None
    region: ShortText | None = None
    country: Country | None = None


class NoteCustomerPreferences(Command):
    """Note how a customer likes to be dealt with: language, channel, time zone, and what else there is to know."""

    customer_id: CustomerRef
    language: Language | None = None
    channel: Literal["email", "phone", "post", "chat", "social", "visit"] | None = None
    time_zone: TimeZone | None = None
    note: LongText | None = None


class SetCustomerField(Command):
    """Give a custom field of a customer a value, or clear it (null)."""

    customer_id: CustomerRef
    field: FieldName
    kind: FieldKind | None = None
    """What kind of value it has; the field's own kind, or text for a new field, unless given."""
    value: LongText | None
    personal: bool = False
    """Whether the value says something about a person, and so is encrypted and kept from analysts."""


class LinkCustomerExternalId(Command):
    """Note what another system calls a customer; the customer can be named by it from then on."""

    customer_id: CustomerRef
    external: ExternalRef


class ArchiveCustomer(Command):
    """Put a customer away; it takes no business until it is restored."""

    customer_id: CustomerRef
    reason: ShortText | None = None


class RestoreCustomer(Command):
    """Let an archived customer take business again."""

    customer_id: CustomerRef
    reason: ShortText | None = None


@handles
def register_customer(cmd: RegisterCustomer, ctx: Context) -> None:
    customer_id = ctx.new(CUSTOMER, cmd.customer_id)
    registered = customer.register(
        ctx.get(CUSTOMER, customer_id),
        customer_id=customer_id,
        kind=cmd.kind,
        name=cmd.name,
        lifecycle=cmd.lifecycle,
        owner_id=cmd.owner_id,
        team=cmd.team,
        external=ctx.external(cmd.customer_id),
    )
    ctx.record(CUSTOMER, customer_id, registered)
    phone = phone_or_none(cmd.phone, region=cmd.phone_region or cmd.country)
    reach = {"email": cmd.email, "phone": phone, "website": cmd.website}
    classes = {"tier": cmd.tier, "industry": cmd.industry, "size": cmd.size, "tags": cmd.tags}
    place = {"street": cmd.street, "postal_code": cmd.postal_code, "city": cmd.city, "region": cmd.region, "country": cmd.country}
    _then(ctx, customer_id, lambda known: customer.change_contact_details(known, changes=reach))
    _then(ctx, customer_id, lambda known: customer.classify(known, ctx.rules, changes=classes))
    _then(ctx, customer_id, lambda known: customer.change_address(known, changes=place))
    if cmd.parent_id is not None:
        _put_under(ctx, customer_id, cmd.parent_id)


def _then(ctx: Context, customer_id: UUID, decide: Callable[[Customer], list[Event]]) -> None:
    ctx.record(CUSTOMER, customer_id, decide(ctx.find(CUSTOMER, customer_id)))


@handles
def rename_customer(cmd: RenameCustomer, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    ctx.record(CUSTOMER, known.id, customer.rename(known, name=cmd.name))


@handles
def change_customer_contact_details(cmd: ChangeCustomerContactDetails, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    changes = said(cmd, "email", "phone", "website")
    if "phone" in changes:
        changes["phone"] = phone_or_none(cmd.phone, region=cmd.phone_region or known.address.country)
    ctx.record(CUSTOMER, known.id, customer.change_contact_details(known, changes=changes))


@handles
def classify_customer(cmd: ClassifyCustomer, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    changes = said(cmd, "tier", "industry", "size")
    if "tags" in cmd.model_fields_set:
        changes["tags"] = cmd.tags or ()
    ctx.record(CUSTOMER, known.id, customer.classify(known, ctx.rules, changes=changes))


@handles
def change_customer_lifecycle(cmd: ChangeCustomerLifecycle, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    events = customer.change_lifecycle(known, ctx.rules, to=cmd.lifecycle, reason=cmd.reason, at=ctx.at)
    ctx.record(CUSTOMER, known.id, events)


@handles
def assign_customer(cmd: AssignCustomer, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    to: dict[str, Any] = {"owner_id": known.owner_id, "team": known.team, **said(cmd, "owner_id", "team")}
    ctx.record(CUSTOMER, known.id, customer.assign(known, **to))


@handles
def set_customer_parent(cmd: SetCustomerParent, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    if cmd.parent_id is not None:
        _put_under(ctx, known.id, cmd.parent_id)
    else:
        ctx.record(CUSTOMER, known.id, customer.set_parent(known, ctx.rules, parent_id=None, above_parent=()))


def _put_under(ctx: Context, customer_id: UUID, parent: UUID | ExternalRef) -> None:
    known, above = ctx.find(CUSTOMER, customer_id), ctx.find(CUSTOMER, parent)
    events = customer.set_parent(known, ctx.rules, parent_id=above.id, above_parent=_all_above(ctx, above))
    ctx.record(CUSTOMER, known.id, events)


def _all_above(ctx: Context, below: Customer) -> list[UUID]:
    """The customers above one, nearest first."""
    chain: list[UUID] = []
    parent_id = below.parent_id
    while parent_id is not None and parent_id not in chain:
        chain.append(parent_id)
        parent_id = ctx.find(CUSTOMER, parent_id).parent_id
    return chain


@handles
def change_customer_address(cmd: ChangeCustomerAddress, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    changes = said(cmd, "street", "postal_code", "city", "region", "country")
    ctx.record(CUSTOMER, known.id, customer.change_address(known, changes=changes))


@handles
def note_customer_preferences(cmd: NoteCustomerPreferences, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    changes = said(cmd, "language", "channel", "time_zone", "note")
    ctx.record(CUSTOMER, known.id, customer.note_preferences(known, ctx.rules, changes=changes))


@handles
def set_customer_field(cmd: SetCustomerField, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    before = known.custom_fields.get(cmd.field)
    kind = cmd.kind or (before.kind if before else "text")
    value = None if cmd.value is None else canonical(kind, cmd.value)
    events = customer.set_custom_field(known, ctx.rules, name=cmd.field, kind=kind, value=value, personal=cmd.personal)
    ctx.record(CUSTOMER, known.id, events)


@handles
def link_customer_external_id(cmd: LinkCustomerExternalId, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    external = ExternalId(cmd.external.source, cmd.external.id)
    ctx.claim_external(CUSTOMER, external, known.id)
    ctx.record(CUSTOMER, known.id, customer.link_external_id(known, external=external))


@handles
def archive_customer(cmd: ArchiveCustomer, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    ctx.record(CUSTOMER, known.id, customer.archive(known, reason=cmd.reason))


@handles
def restore_customer(cmd: RestoreCustomer, ctx: Context) -> None:
    known = ctx.find(CUSTOMER, cmd.customer_id)
    ctx.record(CUSTOMER, known.id, customer.restore(known, reason=cmd.reason))
