"""An opportunity's life: opened in a stage, moved (also back and again), worth changed, won or lost, perhaps reopened."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain.errors import CorruptHistory
from domain.event import Event
from domain.opportunities.events import (
    LineEvent,
    OpportunityAmountChanged,
    OpportunityAssigned,
    OpportunityCloseDateMoved,
    OpportunityCompetitorNoted,
    OpportunityContactLinked,
    OpportunityForecastCategorySet,
    OpportunityLineRemoved,
    OpportunityLost,
    OpportunityOpened,
    OpportunityReopened,
    OpportunityStageChanged,
    OpportunityWon,
)
from domain.pipelines.pipeline import LOST, OPEN, WON
from domain.rules import Rules
from domain.values import Money


@dataclass(frozen=True, slots=True)
class Line:
    """One product line; money in the deal's currency, `base_total` in base currency."""

    product: str
    quantity: Decimal
    unit_price: Decimal
    total: Decimal
    base_total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity:
    """What decisions need to know of a deal. `entered_at` is when it came into its stage."""

    id: UUID
    customer_id: UUID
    pipeline_id: UUID
    owner_id: str
    team: str | None
    stage: str
    open_stage: str
    """The last open stage it was in, where a reopened deal goes back to."""
    status: str
    move_no: int
    opened_at: datetime
    entered_at: datetime
    worth: Money
    expected_close_on: date | None = None
    forecast_category: str | None = None
    lines: dict[UUID, Line] = field(default_factory=dict[UUID, Line])
    roles: dict[UUID, str] = field(default_factory=dict[UUID, str])
    competitors: frozenset[str] = frozenset()

    @property
    def closed(self) -> bool:
        """Whether it is won or lost now."""
        return self.status != OPEN

    @property
    def keys(self) -> dict[str, Any]:
        """The keys that every event of this deal carries."""
        return {
            "opportunity_id": self.id,
            "customer_id": self.customer_id,
            "pipeline_id": self.pipeline_id,
            "owner_id": self.owner_id,
            "team": self.team,
        }


def known(deal: Opportunity | None) -> Opportunity:
    """The deal, which must have been opened. Raises CorruptHistory."""
    if deal is None:
        raise CorruptHistory("history.no_start", "the opportunity's history does not begin with its opening")
    return deal


def evolve(deal: Opportunity | None, event: Event, at: datetime) -> Opportunity:
    """The deal after `event`, which happened `at`."""
    match event:
        case OpportunityOpened():
            return Opportunity(
                id=event.opportunity_id,
                customer_id=event.customer_id,
                pipeline_id=event.pipeline_id,
                owner_id=event.owner_id,
                team=event.team,
                stage=event.stage,
                open_stage=event.stage,
                status=OPEN,
                move_no=event.move_no,
                opened_at=at,
                entered_at=at,
                worth=Money(event.amount, event.currency, event.base_amount),
                expected_close_on=event.expected_close_on,
            )
        case OpportunityStageChanged() | OpportunityReopened():
            return replace(known(deal), stage=event.to_stage, open_stage=event.to_stage, status=OPEN, move_no=event.move_no, entered_at=at)
        case OpportunityWon():
            return replace(known(deal), stage=event.to_stage, status=WON, move_no=event.move_no, entered_at=at)
        case OpportunityLost():
            return replace(known(deal), stage=event.to_stage, status=LOST, move_no=event.move_no, entered_at=at)
        case OpportunityAmountChanged():
            return replace(known(deal), worth=Money(event.amount, event.currency, event.base_amount))
        case OpportunityCloseDateMoved():
            return replace(known(deal), expected_close_on=event.expected_close_on)
        case OpportunityLineRemoved():
            return replace(known(deal), lines={k: v for k, v in known(deal).lines.items() if k != event.line_id})
        case LineEvent():
            line = Line(event.product, event.quantity, event.unit_price, event.total, event.base_total)
            return replace(known(deal), lines={**known(deal).lines, event.line_id: line})
        case OpportunityForecastCategorySet():
            return replace(known(deal), forecast_category=event.category)
        case OpportunityAssigned():
            return replace(known(deal), owner_id=event.owner_id, team=event.team)
        case OpportunityContactLinked():
            return replace(known(deal), roles={**known(deal).roles, event.contact_id: event.role})
        case OpportunityCompetitorNoted():
            return replace(known(deal), competitors=known(deal).competitors | {event.competitor})
        case _:
            raise CorruptHistory("history.foreign_event", f"{event.type} is not an opportunity event")


def assign(deal: Opportunity, *, owner_id: str, team: str | None) -> list[Event]:
    """Give the deal to another owner or team."""
    if (deal.owner_id, deal.team) == (owner_id, team):
        return []
    keys = replace(deal, owner_id=owner_id, team=team).keys
    return [OpportunityAssigned(**keys, previous_owner_id=deal.owner_id, previous_team=deal.team)]


def link_contact(deal: Opportunity, rules: Rules, *, contact_id: UUID, contact_customer_id: UUID, role: str) -> list[Event]:
    """Say which role a contact plays in the deal."""
    rules.hold(
        contact_customer_id == deal.customer_id, "contact.other_customer", "the contact belongs to another customer than the opportunity"
    )
    before = deal.roles.get(contact_id)
    if before == role:
        return []
    return [OpportunityContactLinked(**deal.keys, contact_id=contact_id, role=role, previous_role=before)]


def note_competitor(deal: Opportunity, *, competitor: str) -> list[Event]:
    """Note that a competitor is in the deal."""
    if competitor in deal.competitors:
        return []
    return [OpportunityCompetitorNoted(**deal.keys, competitor=competitor)]
