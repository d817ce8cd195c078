"""What is known of a customer beside its name, in the groups in which events tell it: each event tells its group whole."""

from dataclasses import dataclass
from typing import Literal

from domain.customers.events import CustomerAddressChanged, CustomerClassified, CustomerContactDetailsChanged, CustomerPreferencesNoted

Tier = Literal["A", "B", "C"]
MOST_TAGS = 50
PERSONAL = frozenset({"email", "phone", "website", "street", "postal_code", "city", "note"})
"""The fields of these groups that are personal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactDetails:
    """What a customer is reached by; None where there is none."""

    email: str | None = None
    phone: str | None = None
    website: str | None = None

    @classmethod
    def of(cls, event: CustomerContactDetailsChanged) -> "ContactDetails":
        """As the event tells them."""
        return cls(email=event.email, phone=event.phone, website=event.website)


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """How a customer is classed; tags in alphabetical order, each once."""

    tier: str | None = None
    industry: str | None = None
    size: str | None = None
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, event: CustomerClassified) -> "Classification":
        """As the event tells it."""
        return cls(tier=event.tier, industry=event.industry, size=event.size, tags=event.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a customer is; `country` is ISO 3166-1 alpha-2."""

    street: str | None = None
    postal_code: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None

    @classmethod
    def of(cls, event: CustomerAddressChanged) -> "Address":
        """As the event tells it."""
        return cls(street=event.street, postal_code=event.postal_code, city=event.city, region=event.region, country=event.country)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """How a customer likes to be dealt with."""

    language: str | None = None
    channel: str | None = None
    time_zone: str | None = None
    note: str | None = None

    @classmethod
    def of(cls, event: CustomerPreferencesNoted) -> "Preferences":
        """As the event tells them."""
        return cls(language=event.language, channel=event.channel, time_zone=event.time_zone, note=event.note)


UNREACHABLE = ContactDetails()
UNCLASSIFIED = Classification()
NOWHERE = Address()
NONE_NOTED = Preferences()
