"""What can have happened to an opportunity."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from domain.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityEvent(Event):
    """The keys of every opportunity event, as they are after it."""

    stream: ClassVar[str] = "opportunity_id"
    opportunity_id: UUID
    customer_id: UUID
    pipeline_id: UUID
    owner_id: str
    team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityOpened(OpportunityEvent):
    """A deal was opened in a stage; that is its move 0."""

    type: ClassVar[str] = "opportunity.opened"
    name: str
    stage: str
    move_no: int
    amount: Decimal
    currency: str
    base_amount: Decimal
    expected_close_on: date | None
    lead_source: str | None
    external_source: str | None
    external_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveEvent(OpportunityEvent):
    """A deal left one stage for another; moves count from 0, the opening."""

    from_stage: str
    to_stage: str
    move_no: int
    previous_move_no: int
    entered_from_stage_at: datetime
    backward: bool
    """Whether `to_stage` came before `from_stage` in the pipeline as it was."""
    base_amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityStageChanged(MoveEvent):
    """A deal moved to another open stage."""

    type: ClassVar[str] = "opportunity.stage_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityWon(MoveEvent):
    """A deal was won for `base_amount`."""

    type: ClassVar[str] = "opportunity.won"
    opened_at: datetime
    previous_status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityLost(MoveEvent):
    """A deal was lost, worth `base_amount` at that time."""

    type: ClassVar[str] = "opportunity.lost"
    opened_at: datetime
    previous_status: str
    reason: str | None
    competitor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityReopened(MoveEvent):
    """A closed deal came back into an open stage."""

    type: ClassVar[str] = "opportunity.reopened"
    previous_status: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityAmountChanged(OpportunityEvent):
    """A deal's worth changed; `base_change` is by how much in base currency."""

    type: ClassVar[str] = "opportunity.amount_changed"
    amount: Decimal
    currency: str
    base_amount: Decimal
    previous_amount: Decimal
    previous_currency: str
    previous_base_amount: Decimal
    base_change: Decimal
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityCloseDateMoved(OpportunityEvent):
    """The day on which the deal is expected to close was set, pushed (later) or pulled (earlier)."""

    type: ClassVar[str] = "opportunity.close_date_moved"
    expected_close_on: date
    previous_close_on: date | None
    direction: str
    """`set`, `pushed` or `pulled`."""
    base_amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LineEvent(OpportunityEvent):
    """What a product line is after the event; amounts in the deal's currency and in base currency."""

    line_id: UUID
    product: str
    quantity: Decimal
    unit_price: Decimal
    total: Decimal
    base_total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityLineAdded(LineEvent):
    """A product line was added."""

    type: ClassVar[str] = "opportunity.line_added"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityLineChanged(LineEvent):
    """A product line's quantity or price changed."""

    type: ClassVar[str] = "opportunity.line_changed"
    previous_quantity: Decimal
    previous_unit_price: Decimal
    previous_base_total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityLineRemoved(LineEvent):
    """A product line was taken off; its fields say what it was."""

    type: ClassVar[str] = "opportunity.line_removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityForecastCategorySet(OpportunityEvent):
    """A deal was put into a forecast category."""

    type: ClassVar[str] = "opportunity.forecast_category_set"
    category: str
    previous_category: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityAssigned(OpportunityEvent):
    """A deal got another owner or team."""

    type: ClassVar[str] = "opportunity.assigned"
    previous_owner_id: str
    previous_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityContactLinked(OpportunityEvent):
    """A contact plays a role in the deal."""

    type: ClassVar[str] = "opportunity.contact_linked"
    contact_id: UUID
    role: str
    previous_role: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityCompetitorNoted(OpportunityEvent):
    """A competitor was seen in the deal."""

    type: ClassVar[str] = "opportunity.competitor_noted"
    competitor: str


EVENTS = (
    OpportunityOpened,
    OpportunityStageChanged,
    OpportunityWon,
    OpportunityLost,
    OpportunityReopened,
    OpportunityAmountChanged,
    OpportunityCloseDateMoved,
    OpportunityLineAdded,
    OpportunityLineChanged,
    OpportunityLineRemoved,
    OpportunityForecastCategorySet,
    OpportunityAssigned,
    OpportunityContactLinked,
    OpportunityCompetitorNoted,
)
