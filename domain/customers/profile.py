"""What is known of a customer beside its name, in the groups in which it is replaced: each group is said whole."""

from dataclasses import dataclass
from typing import Literal

Tier = Literal["A", "B", "C"]
MOST_TAGS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactDetails:
    """What a customer is reached by; None where there is none."""

    email: str | None = None
    phone: str | None = None
    website: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """How a customer is classed; tags in alphabetical order, each once."""

    tier: str | None = None
    industry: str | None = None
    size: str | None = None
    tags: tuple[str, ...] = ()


UNCLASSIFIED = Classification()


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a customer is; `country` is ISO 3166-1 alpha-2."""

    street: str | None = None
    postal_code: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """How a customer likes to be dealt with."""

    language: str | None = None
    channel: str | None = None
    time_zone: str | None = None
    note: str | None = None
