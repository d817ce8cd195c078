"""What the simulation itself knows of customers, people, pipelines and deals, so that it only asks for what the rules allow."""

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from api.demo.company import Colleague
from api.demo.places import Country


@dataclass(slots=True, eq=False)
class Person:
    """A contact, as the simulation knows it."""

    id: UUID
    name: str
    customer: "Customer"
    left: bool = False


@dataclass(slots=True, eq=False)
class Customer:
    """A customer, as the simulation knows it."""

    id: UUID
    name: str
    company: bool
    country: Country
    industry: str | None
    tier: str
    domain: str
    owner: Colleague
    lifecycle: str
    since: datetime
    """When it came into this part of its life."""
    mood: float = 0.0
    """How content it is with us, 0 is average."""
    people: list[Person] = field(default_factory=list[Person])
    open_deals: int = 0
    open_requests: int = 0
    last_deal_at: datetime | None = None
    archived: bool = False
    products: list[str] = field(default_factory=list[str])
    """What it has bought."""
    requests: int = 0
    deals: list[UUID] = field(default_factory=list[UUID])
    bought: bool = False

    @property
    def contacts(self) -> list[Person]:
        """Who is there now."""
        return [person for person in self.people if not person.left]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage as it is lived: half of the deals stay shorter than `days`, and `onward` of them go on from it in the end."""

    name: str
    probability: int
    days: float
    onward: float
    topic: str
    talks: float
    """How many interactions there are on average while a deal is in it."""
    rotting_days: int


@dataclass(slots=True, eq=False)
class Deal:
    """An opportunity, as the simulation knows it."""

    id: UUID
    customer: Customer
    owner: Colleague
    pipeline: "Pipeline"
    stage: Stage
    entered_at: datetime
    close_on: date
    currency: str
    source: str
    basket: list[tuple[str, int]]
    """What it is about: products and how many of each."""
    lines: list[tuple[UUID, str, int]] = field(default_factory=list[tuple[UUID, str, int]])
    status: str = "open"
    """`open`, `won` or `lost`."""
    competitor: str | None = None

    @property
    def open(self) -> bool:
        """Whether it is neither won nor lost."""
        return self.status == "open"

    @property
    def product(self) -> str:
        """What it is mostly about."""
        return self.basket[0][0]


@dataclass(slots=True, eq=False)
class Pipeline:
    """A pipeline with the open stages that take deals now."""

    id: UUID
    name: str
    won: str
    lost: str
    stages: list[Stage]
    deals: dict[UUID, Deal] = field(default_factory=dict[UUID, Deal])
    """The deals that are open."""
