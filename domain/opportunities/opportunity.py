"""An opportunity's life: opened in a stage, moved (also back and again), worth changed, won or lost, perhaps reopened."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain.errors import CorruptHistory, NotFound, RuleViolation
from domain.event import Event
from domain.opportunities.events import (
    LineEvent,
    OpportunityAmountChanged,
    OpportunityAssigned,
    OpportunityCloseDateMoved,
    OpportunityCompetitorNoted,
    OpportunityContactLinked,
    OpportunityForecastCategorySet,
    OpportunityLineAdded,
    OpportunityLineChanged,
    OpportunityLineRemoved,
    OpportunityLost,
    OpportunityOpened,
    OpportunityReopened,
    OpportunityStageChanged,
    OpportunityWon,
)
from domain.pipelines.pipeline import LOST, OPEN, WON, Pipeline, Stage
from domain.rules import Rules
from domain.values import ExternalId, Money

FORECAST_CATEGORIES = ("pipeline", "best_case", "commit", "closed", "omitted")
MOST_LINES = 200


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


def open_deal(
    deal: Opportunity | None,
    rules: Rules,
    *,
    opportunity_id: UUID,
    customer_id: UUID,
    customer_archived: bool,
    pipeline: Pipeline,
    stage: str | None,
    name: str,
    owner_id: str,
    team: str | None,
    worth: Money,
    expected_close_on: date | None,
    lead_source: str | None,
    external: ExternalId | None,
) -> list[Event]:
    """Open a deal in `stage`, or in the pipeline's first open stage."""
    if deal is not None:
        raise RuleViolation("opportunity.exists", "an opportunity with this id exists already")
    rules.hold(not customer_archived, "customer.archived", "the customer is archived and takes no business; restore it first")
    first = pipeline.first(OPEN)
    entered = pipeline.stage(stage) if stage is not None else first
    if entered is None:
        raise RuleViolation("pipeline.no_open_stage", "the pipeline has no open stage")
    _takes_deals(rules, entered)
    rules.hold(entered.status == OPEN, "opportunity.opened_closed", "a deal opens in an open stage; open it, then win or lose it")
    _not_negative(rules, worth)
    return [
        OpportunityOpened(
            opportunity_id=opportunity_id,
            customer_id=customer_id,
            pipeline_id=pipeline.id,
            owner_id=owner_id,
            team=team,
            name=name,
            stage=entered.name,
            move_no=0,
            amount=worth.amount,
            currency=worth.currency,
            base_amount=worth.base_amount,
            expected_close_on=expected_close_on,
            lead_source=lead_source,
            external_source=external.source if external else None,
            external_id=external.id if external else None,
        )
    ]


def _takes_deals(rules: Rules, stage: Stage) -> None:
    rules.hold(not stage.retired, "stage.retired", f"stage “{stage.name}” is retired and takes no deals")


def _not_negative(rules: Rules, worth: Money) -> None:
    rules.hold(worth.amount >= 0, "amount.negative", "a deal's amount is zero or more")


def _move_fields(deal: Opportunity, rules: Rules, pipeline: Pipeline, to: Stage, at: datetime) -> dict[str, Any]:
    _takes_deals(rules, to)
    rules.hold(
        at >= deal.entered_at,
        "opportunity.out_of_order",
        f"the deal came into “{deal.stage}” at {deal.entered_at.isoformat()}; it cannot have left it before",
    )
    return {
        **deal.keys,
        "from_stage": deal.stage,
        "to_stage": to.name,
        "move_no": deal.move_no + 1,
        "previous_move_no": deal.move_no,
        "entered_from_stage_at": deal.entered_at,
        "backward": pipeline.place(to.name) < pipeline.place(deal.stage),
        "base_amount": deal.worth.base_amount,
    }


def move(deal: Opportunity, rules: Rules, *, pipeline: Pipeline, to: str, at: datetime) -> list[Event]:
    """Move the deal to another open stage; to the stage it is in changes nothing."""
    stage = pipeline.stage(to)
    if deal.stage == to and not deal.closed:
        return []
    if stage.status == WON:
        raise RuleViolation("opportunity.move_closes", f"“{to}” means won; win the opportunity instead")
    if stage.status == LOST:
        raise RuleViolation("opportunity.move_closes", f"“{to}” means lost; lose the opportunity instead")
    rules.hold(not deal.closed, "opportunity.closed", f"a {deal.status} opportunity does not move; reopen it first")
    if deal.closed:
        return [OpportunityReopened(**_move_fields(deal, rules, pipeline, stage, at), previous_status=deal.status, reason=None)]
    return [OpportunityStageChanged(**_move_fields(deal, rules, pipeline, stage, at))]


def win(deal: Opportunity, rules: Rules, *, pipeline: Pipeline, stage: str | None, worth: Money | None, at: datetime) -> list[Event]:
    """Win the deal, for its present worth or for `worth`."""
    rules.hold(not deal.closed, "opportunity.closed", f"the opportunity is {deal.status} already; reopen it first")
    to = _closing_stage(pipeline, stage, WON)
    repriced = _amount_changed(deal, worth) if worth is not None else []
    deal = replace(deal, worth=worth) if worth is not None else deal
    _not_negative(rules, deal.worth)
    fields = _move_fields(deal, rules, pipeline, to, at)
    return [*repriced, OpportunityWon(**fields, opened_at=deal.opened_at, previous_status=deal.status)]


def lose(
    deal: Opportunity,
    rules: Rules,
    *,
    pipeline: Pipeline,
    stage: str | None,
    reason: str | None,
    competitor: str | None,
    at: datetime,
) -> list[Event]:
    """Lose the deal; a reason is asked for."""
    rules.hold(not deal.closed, "opportunity.closed", f"the opportunity is {deal.status} already; reopen it first")
    rules.hold(reason, "opportunity.no_reason", "say in `reason` why the deal was lost")
    fields = _move_fields(deal, rules, pipeline, _closing_stage(pipeline, stage, LOST), at)
    lost = OpportunityLost(**fields, opened_at=deal.opened_at, previous_status=deal.status, reason=reason, competitor=competitor)
    return [lost]


def _closing_stage(pipeline: Pipeline, name: str | None, status: str) -> Stage:
    stage = pipeline.stage(name) if name is not None else pipeline.first(status)
    if stage is None or stage.status != status:
        raise RuleViolation("pipeline.no_closing_stage", f"pipeline “{pipeline.name}” has no such stage with status {status}")
    return stage


def reopen(deal: Opportunity, rules: Rules, *, pipeline: Pipeline, stage: str | None, reason: str | None, at: datetime) -> list[Event]:
    """Bring a closed deal back into `stage`, or into the open stage it was in last."""
    rules.hold(deal.closed, "opportunity.open", "the opportunity is open; move it instead")
    to = pipeline.stage(stage or deal.open_stage)
    if to.status != OPEN:
        raise RuleViolation("opportunity.reopened_closed", f"“{to.name}” is not an open stage")
    return [OpportunityReopened(**_move_fields(deal, rules, pipeline, to, at), previous_status=deal.status, reason=reason)]


def change_amount(deal: Opportunity, rules: Rules, *, worth: Money) -> list[Event]:
    """Change what an open deal is worth."""
    rules.hold(not deal.closed, "opportunity.closed", f"the amount of a {deal.status} opportunity is settled; reopen it first")
    rules.hold(not deal.lines, "opportunity.amount_from_lines", "the amount is the sum of the product lines; change those")
    _not_negative(rules, worth)
    return _amount_changed(deal, worth)


def _amount_changed(deal: Opportunity, worth: Money) -> list[Event]:
    if worth == deal.worth:
        return []
    return [
        OpportunityAmountChanged(
            **deal.keys,
            amount=worth.amount,
            currency=worth.currency,
            base_amount=worth.base_amount,
            previous_amount=deal.worth.amount,
            previous_currency=deal.worth.currency,
            previous_base_amount=deal.worth.base_amount,
            base_change=worth.base_amount - deal.worth.base_amount,
            status=deal.status,
        )
    ]


def move_close_date(deal: Opportunity, rules: Rules, *, to: date) -> list[Event]:
    """Expect the deal to close on another day."""
    rules.hold(not deal.closed, "opportunity.closed", f"a {deal.status} opportunity has closed; reopen it first")
    before = deal.expected_close_on
    if before == to:
        return []
    direction = "set" if before is None else "pushed" if to > before else "pulled"
    return [
        OpportunityCloseDateMoved(
            **deal.keys, expected_close_on=to, previous_close_on=before, direction=direction, base_amount=deal.worth.base_amount
        )
    ]


def _line_fields(line_id: UUID, line: Line) -> dict[str, Any]:
    return {
        "line_id": line_id,
        "product": line.product,
        "quantity": line.quantity,
        "unit_price": line.unit_price,
        "total": line.total,
        "base_total": line.base_total,
    }


def _with_lines(deal: Opportunity, lines: dict[UUID, Line]) -> list[Event]:
    if not lines:
        return []
    total = sum((line.total for line in lines.values()), Decimal(0))
    base = sum((line.base_total for line in lines.values()), Decimal(0))
    return _amount_changed(deal, Money(total, deal.worth.currency, base))


def _lines_open(deal: Opportunity, rules: Rules) -> None:
    rules.hold(not deal.closed, "opportunity.closed", f"the lines of a {deal.status} opportunity are settled; reopen it first")


def line_of(deal: Opportunity, line_id: UUID) -> Line:
    """A product line of the deal. Raises NotFound `line.unknown`."""
    if line_id not in deal.lines:
        raise NotFound("line.unknown", "the opportunity has no such product line")
    return deal.lines[line_id]


def add_line(deal: Opportunity, rules: Rules, *, line_id: UUID, line: Line) -> list[Event]:
    """Add a product line; the deal's amount becomes the sum of its lines."""
    _lines_open(deal, rules)
    if line_id in deal.lines:
        raise RuleViolation("line.exists", "the opportunity has a product line with this id already")
    if len(deal.lines) >= MOST_LINES:
        raise RuleViolation("opportunity.too_many_lines", f"an opportunity has at most {MOST_LINES} product lines")
    added = OpportunityLineAdded(**deal.keys, **_line_fields(line_id, line))
    return [added, *_with_lines(deal, {**deal.lines, line_id: line})]


def change_line(deal: Opportunity, rules: Rules, *, line_id: UUID, line: Line) -> list[Event]:
    """Change a product line's quantity or price."""
    _lines_open(deal, rules)
    before = line_of(deal, line_id)
    if line == before:
        return []
    changed = OpportunityLineChanged(
        **deal.keys,
        **_line_fields(line_id, line),
        previous_quantity=before.quantity,
        previous_unit_price=before.unit_price,
        previous_base_total=before.base_total,
    )
    return [changed, *_with_lines(deal, {**deal.lines, line_id: line})]


def remove_line(deal: Opportunity, rules: Rules, *, line_id: UUID) -> list[Event]:
    """Take a product line off; the last one leaves the amount as it is."""
    _lines_open(deal, rules)
    removed = OpportunityLineRemoved(**deal.keys, **_line_fields(line_id, line_of(deal, line_id)))
    return [removed, *_with_lines(deal, {key: line for key, line in deal.lines.items() if key != line_id})]


def set_forecast_category(deal: Opportunity, rules: Rules, *, category: str) -> list[Event]:
    """Say how sure the deal is."""
    rules.hold(not deal.closed, "opportunity.closed", f"a {deal.status} opportunity is not forecast; reopen it first")
    if deal.forecast_category == category:
        return []
    return [OpportunityForecastCategorySet(**deal.keys, category=category, previous_category=deal.forecast_category)]


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
