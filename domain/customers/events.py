"""What can have happened to a customer."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from domain.event import Event, PersonalText


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerEvent(Event):
    """The keys of every customer event, as they are after it."""

    stream: ClassVar[str] = "customer_id"
    person: ClassVar[tuple[str, ...]] = ("customer_id",)
    customer_id: UUID
    owner_id: str | None
    team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRegistered(CustomerEvent):
    """A customer became known; what else is known of it follows as events of their own."""

    type: ClassVar[str] = "customer.registered"
    kind: str
    """`company` or `person`."""
    name: str | None
    """A company's name, which analysts may group by; None for a person."""
    person_name: PersonalText | None
    """A person's name; None for a company."""
    lifecycle: str
    external_source: str | None
    external_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRenamed(CustomerEvent):
    """A customer got another name, in the field of its kind."""

    type: ClassVar[str] = "customer.renamed"
    name: str | None
    person_name: PersonalText | None
    previous_name: str | None
    previous_person_name: PersonalText | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerContactDetailsChanged(CustomerEvent):
    """What a customer is reached by is now this, all of it; None where there is none."""

    type: ClassVar[str] = "customer.contact_details_changed"
    email: PersonalText | None
    phone: PersonalText | None
    """E.164, as `+4930123456`."""
    website: PersonalText | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerClassified(CustomerEvent):
    """How a customer is classed is now this, all of it."""

    type: ClassVar[str] = "customer.classified"
    tier: str | None
    """`A`, `B` or `C`."""
    industry: str | None
    size: str | None
    """A band of the company's own choosing, such as `11-50`."""
    tags: tuple[str, ...]
    """In alphabetical order, each once."""
    previous_tier: str | None
    previous_industry: str | None
    previous_size: str | None
    previous_tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerLifecycleChanged(CustomerEvent):
    """A customer came into another part of its life with us."""

    type: ClassVar[str] = "customer.lifecycle_changed"
    lifecycle: str
    previous_lifecycle: str
    entered_previous_at: datetime
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerAssigned(CustomerEvent):
    """A customer got another owner or team."""

    type: ClassVar[str] = "customer.assigned"
    previous_owner_id: str | None
    previous_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerParentSet(CustomerEvent):
    """A customer belongs to another one; None when it stands alone again."""

    type: ClassVar[str] = "customer.parent_set"
    parent_id: UUID | None
    previous_parent_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerAddressChanged(CustomerEvent):
    """Where a customer is, is now this, all of it; analysts see region and country."""

    type: ClassVar[str] = "customer.address_changed"
    street: PersonalText | None
    postal_code: PersonalText | None
    city: PersonalText | None
    region: str | None
    country: str | None
    """ISO 3166-1 alpha-2."""
    previous_region: str | None
    previous_country: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPreferencesNoted(CustomerEvent):
    """How a customer likes to be dealt with is now this, all of it."""

    type: ClassVar[str] = "customer.preferences_noted"
    language: str | None
    """BCP 47, such as `en` or `zh-Hans`."""
    channel: str | None
    time_zone: str | None
    """IANA name, such as `Asia/Shanghai`."""
    note: PersonalText | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerCustomFieldSet(CustomerEvent):
    """A field of the company's own has a value as canonical text; None when it was cleared."""

    type: ClassVar[str] = "customer.custom_field_set"
    field: str
    kind: str
    """`text`, `number` (plain decimal), `yes_no` (`yes` or `no`) or `date` (YYYY-MM-DD)."""
    value: str | None
    """The value when it is nobody's secret."""
    personal_value: PersonalText | None
    """The value when it says something about a person."""
    previous_value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerExternalIdLinked(CustomerEvent):
    """Another system's name for this customer became known."""

    type: ClassVar[str] = "customer.external_id_linked"
    external_source: str
    external_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerArchived(CustomerEvent):
    """A customer was put away and takes no business."""

    type: ClassVar[str] = "customer.archived"
    lifecycle: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRestored(CustomerEvent):
    """An archived customer takes business again."""

    type: ClassVar[str] = "customer.restored"
    lifecycle: str
    archived_at: datetime
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerErased(CustomerEvent):
    """Whatever identified the customer was forgotten, everywhere and for ever; this is the proof, and says nothing personal."""

    type: ClassVar[str] = "customer.erased"
    erases: ClassVar[bool] = True
    reason: str | None
    legal_basis: str
    """See `domain.persons.ErasureBasis`."""
    requested_on: date | None
    forgotten: tuple[str, ...]
    """The personal fields of the record that had a value; texts of requests, interactions and surveys went with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRestricted(CustomerEvent):
    """The customer's record is kept, and used for nothing new."""

    type: ClassVar[str] = "customer.restricted"
    reason: str | None
    legal_basis: str
    """See `domain.persons.RestrictionBasis`."""
    requested_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRestrictionLifted(CustomerEvent):
    """The customer's record may be used again."""

    type: ClassVar[str] = "customer.restriction_lifted"
    reason: str | None
    restricted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerAccessExported(CustomerEvent):
    """Everything that was held about the customer was handed out."""

    type: ClassVar[str] = "customer.access_exported"
    requested_on: date | None
    events: int
    """How many events were handed out."""
    upto: int
    """The last position that was looked at."""


EVENTS = (
    CustomerRegistered,
    CustomerRenamed,
    CustomerContactDetailsChanged,
    CustomerClassified,
    CustomerLifecycleChanged,
    CustomerAssigned,
    CustomerParentSet,
    CustomerAddressChanged,
    CustomerPreferencesNoted,
    CustomerCustomFieldSet,
    CustomerExternalIdLinked,
    CustomerArchived,
    CustomerRestored,
    CustomerErased,
    CustomerRestricted,
    CustomerRestrictionLifted,
    CustomerAccessExported,
)
