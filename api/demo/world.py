"""What every life in the simulation shares: time, chance, the company, its customers, and the clerk who puts it all into the log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from api.demo.agenda import Agenda, Life
from api.demo.chance import Chance
from api.demo.clerk import Clerk
from api.demo.company import Colleague, Company
from api.demo.places import IN_EURO, Country
from api.demo.records import Customer, Pipeline
from api.demo.seasons import Seasons
from commands.order import Order

SOURCE = "demo"
"""The door by which everything simulated came, so that nobody takes it for real."""


@dataclass(slots=True)
class World:
    """The simulated company and its surroundings; set up its pipelines before anything else."""

    chance: Chance
    agenda: Agenda
    clerk: Clerk
    company: Company
    seasons: Seasons
    base_currency: str
    size: float
    """How much of everything there is, against a company of the usual size."""
    new_business: Pipeline = field(init=False)
    renewals: Pipeline = field(init=False)
    customers: list[Customer] = field(default_factory=list[Customer])
    names: set[str] = field(default_factory=set[str])
    """Of customers."""
    buyers: list[Customer] = field(default_factory=list[Customer])
    """Customers who have bought, churned ones too."""
    orders: int = 0
    """How many were placed; they are numbered."""
    notable: dict[str, tuple[UUID, str]] = field(default_factory=dict[str, tuple[UUID, str]])
    """Records worth a look, by what is worth looking at: an id and a name."""

    @property
    def now(self) -> datetime:
        """The simulated time."""
        return self.agenda.now

    def begin(self, life: Life, at: datetime | None = None) -> None:
        """Let a life begin, now unless a moment is given."""
        self.agenda.begin(life, at)

    def new_id(self) -> UUID:
        """An id for a record that is made now."""
        return self.chance.id(self.now)

    def ask(self, name: str, by: Colleague | str, data: Mapping[str, Any], *, happened: datetime | None = None) -> None:
        """Send a command: `by` a colleague, or by the part of our software that is named. `happened` is for what is told late."""
        actor = f"user:{by.id}" if isinstance(by, Colleague) else by
        said = {key: _json(value) for key, value in data.items() if value is not None}
        self.clerk.send(Order(name=name, data=said, actor=actor, source=SOURCE, occurred_at=happened or self.now), self.now)

    def currency(self, country: Country) -> str:
        """What a customer from there pays in: its own money where we have a rate for it and for ours, otherwise our base currency."""
        return country.currency if self.base_currency in IN_EURO else self.base_currency

    def rate(self, currency: str) -> Decimal | None:
        """Today's rate of a currency in base currency; None for the base currency itself. It wanders with the seasons of two years."""
        if currency == self.base_currency:
            return None
        days = (self.now - datetime(2020, 1, 1, tzinfo=UTC)) / timedelta(days=1)
        wander = 1 + 0.04 * _triangle(days / 271 + len(currency) + ord(currency[0]) / 26)
        return Decimal(IN_EURO[currency] / IN_EURO[self.base_currency] * wander).quantize(Decimal("0.000001"))

    def price(self, euros: float, currency: str) -> Decimal:
        """A list price in a currency, rounded as prices are."""
        amount = euros / IN_EURO.get(currency, 1.0)
        step = 1 if amount < 1_000 else 10 if amount < 50_000 else 100
        return Decimal(max(1, round(amount / step)) * step)


def _triangle(turns: float) -> float:
    """A wave between -1 and 1."""
    return 1 - 4 * abs(turns % 1 - 0.5)


def _json(value: Any) -> Any:
    return str(value) if isinstance(value, UUID | Decimal) else value
