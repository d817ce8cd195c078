"""What a deal is worth, how sure it is and when it is expected to close: its amount, its product lines, its forecast."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain.errors import NotFound, RuleViolation
from domain.event import Event
from domain.opportunities.events import (
    OpportunityAmountChanged,
    OpportunityCloseDateMoved,
    OpportunityForecastCategorySet,
    OpportunityLineAdded,
    OpportunityLineChanged,
    OpportunityLineRemoved,
)
from domain.opportunities.opportunity import Line, Opportunity
from domain.rules import Rules
from domain.values import Money

MOST_LINES = 200


def change_amount(deal: Opportunity, rules: Rules, *, worth: Money) -> list[Event]:
    """Change what an open deal is worth."""
    rules.hold(not deal.closed, "opportunity.closed", f"the amount of a {deal.status} opportunity is settled; reopen it first")
    rules.hold(not deal.lines, "opportunity.amount_from_lines", "the amount is the sum of the product lines; change those")
    not_negative(rules, worth)
    return amount_changed(deal, worth)


def not_negative(rules: Rules, worth: Money) -> None:
    """Hold that a deal is worth zero or more."""
    rules.hold(worth.amount >= 0, "amount.negative", "a deal's amount is zero or more")


def amount_changed(deal: Opportunity, worth: Money) -> list[Event]:
    """What makes the deal worth that, if it is not."""
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
    return amount_changed(deal, Money(total, deal.worth.currency, base))


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
