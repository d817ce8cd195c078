"""Commands on opportunities: open, move, change, win, lose and reopen them."""

from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from commands.command import Amount, Command, ContactRef, Currency, CustomerRef, Day, OpportunityRef, PipelineRef, Rate, ShortText, UserId
from commands.context import Context
from commands.persons import present
from commands.pipelines import DEALS_OF_PIPELINE
from commands.records import CONTACT, CUSTOMER, OPPORTUNITY, PIPELINE
from commands.registry import handles
from domain.opportunities import moves, opportunity, worth
from domain.opportunities.opportunity import Line, Opportunity
from domain.persons import not_restricted
from domain.values import in_ten_thousandths

Quantity = Annotated[Decimal, Field(gt=Decimal(0), le=Decimal(1_000_000), max_digits=12, decimal_places=4)]


class OpenOpportunity(Command):
    """Open a deal with a customer in a stage of a pipeline (its first open stage unless given)."""

    opportunity_id: OpportunityRef | None = None
    customer_id: CustomerRef
    pipeline_id: PipelineRef
    name: ShortText
    stage: ShortText | None = None
    owner_id: UserId
    team: ShortText | None = None
    amount: Amount = Decimal(0)
    currency: Currency | None = None
    rate: Rate | None = None
    expected_close_on: Day | None = None
    lead_source: ShortText | None = None


class MoveOpportunity(Command):
    """Move an opportunity to another open stage of its pipeline, forwards or back."""

    opportunity_id: OpportunityRef
    to_stage: ShortText


class WinOpportunity(Command):
    """Win an opportunity, for its present amount or for the one given."""

    opportunity_id: OpportunityRef
    stage: ShortText | None = None
    amount: Amount | None = None
    currency: Currency | None = None
    rate: Rate | None = None


class LoseOpportunity(Command):
    """Lose an opportunity and say why."""

    opportunity_id: OpportunityRef
    stage: ShortText | None = None
    reason: ShortText | None = None
    competitor: ShortText | None = None


class ReopenOpportunity(Command):
    """Bring a won or lost opportunity back into an open stage (the one it was in last unless given)."""

    opportunity_id: OpportunityRef
    stage: ShortText | None = None
    reason: ShortText | None = None


class ChangeOpportunityAmount(Command):
    """Change what an open opportunity is worth."""

    opportunity_id: OpportunityRef
    amount: Amount
    currency: Currency | None = None
    rate: Rate | None = None


class MoveCloseDate(Command):
    """Expect an opportunity to close on another day."""

    opportunity_id: OpportunityRef
    expected_close_on: Day


class AddOpportunityLine(Command):
    """Add a product line; the opportunity's amount becomes the sum of its lines."""

    opportunity_id: OpportunityRef
    line_id: UUID | None = None
    product: ShortText
    quantity: Quantity = Decimal(1)
    unit_price: Amount
    rate: Rate | None = None


class ChangeOpportunityLine(Command):
    """Change the quantity or the price of a product line."""

    opportunity_id: OpportunityRef
    line_id: UUID
    quantity: Quantity
    unit_price: Amount
    rate: Rate | None = None


class RemoveOpportunityLine(Command):
    """Take a product line off an opportunity."""

    opportunity_id: OpportunityRef
    line_id: UUID


class SetForecastCategory(Command):
    """Say how sure an opportunity is."""

    opportunity_id: OpportunityRef
    category: Literal["pipeline", "best_case", "commit", "closed", "omitted"]


class AssignOpportunity(Command):
    """Give an opportunity to another owner or team."""

    opportunity_id: OpportunityRef
    owner_id: UserId
    team: ShortText | None = None


class LinkContactToOpportunity(Command):
    """Say which role a contact plays in an opportunity."""

    opportunity_id: OpportunityRef
    contact_id: ContactRef
    role: ShortText


class NoteCompetitor(Command):
    """Note that a competitor is in an opportunity."""

    opportunity_id: OpportunityRef
    competitor: ShortText


@handles
def open_opportunity(cmd: OpenOpportunity, ctx: Context) -> None:
    opportunity_id = ctx.new(OPPORTUNITY, cmd.opportunity_id)
    customer = present(ctx, CUSTOMER, cmd.customer_id)
    not_restricted(ctx.rules, restricted=customer.restricted)
    pipeline = ctx.find(PIPELINE, cmd.pipeline_id)
    events = moves.open_deal(
        ctx.get(OPPORTUNITY, opportunity_id),
        ctx.rules,
        opportunity_id=opportunity_id,
        customer_id=customer.id,
        customer_archived=customer.archived,
        pipeline=pipeline,
        stage=cmd.stage,
        name=cmd.name,
        owner_id=cmd.owner_id,
        team=cmd.team,
        worth=ctx.money(cmd.amount, cmd.currency, cmd.rate),
        expected_close_on=cmd.expected_close_on,
        lead_source=cmd.lead_source,
        external=ctx.external(cmd.opportunity_id),
    )
    ctx.link(DEALS_OF_PIPELINE, str(pipeline.id), opportunity_id)
    ctx.record(OPPORTUNITY, opportunity_id, events)


@handles
def move_opportunity(cmd: MoveOpportunity, ctx: Context) -> None:
    deal = ctx.find(OPPORTUNITY, cmd.opportunity_id)
    pipeline = ctx.find(PIPELINE, deal.pipeline_id)
    ctx.record(OPPORTUNITY, deal.id, moves.move(deal, ctx.rules, pipeline=pipeline, to=cmd.to_stage, at=ctx.at))


@handles
def win_opportunity(cmd: WinOpportunity, ctx: Context) -> None:
    deal = ctx.find(OPPORTUNITY, cmd.opportunity_id)
    pipeline = ctx.find(PIPELINE, deal.pipeline_id)
    money = None if cmd.amount is None else ctx.money(cmd.amount, cmd.currency or deal.worth.currency, cmd.rate)
    ctx.record(OPPORTUNITY, deal.id, moves.win(deal, ctx.rules, pipeline=pipeline, stage=cmd.stage, worth=money, at=ctx.at))


@handles
def lose_opportunity(cmd: LoseOpportunity, ctx: Context) -> None:
    deal = ctx.find(OPPORTUNITY, cmd.opportunity_id)
    pipeline = ctx.find(PIPELINE, deal.pipeline_id)
    events = moves.lose(deal, ctx.rules, pipeline=pipeline, stage=cmd.stage, reason=cmd.reason, competitor=cmd.competitor, at=ctx.at)
    ctx.record(OPPORTUNITY, deal.id, events)


@handles
def reopen_opportunity(cmd: ReopenOpportunity, ctx: Context) -> None:
    deal = ctx.find(OPPORTUNITY, cmd.opportunity_id)
    pipeline = ctx.find(PIPELINE, deal.pipeline_id)
    ctx.record(OPPORTUNITY, deal.id, moves.reopen(deal, ctx.rules, pipeline=pipeline, stage=cmd.stage, reason=cmd.reason, at=ctx.at))


@handles
def change_opportunity_amount(cmd: ChangeOpportunityAmount, ctx: Context) -> None:
    deal = ctx.find(OPPORTUNITY, cmd.opportunity_id)
    money = ctx.money(cmd.amount, cmd.currency or deal.worth.currency, cmd.rate)
    ctx.record(OPPORTUNITY, deal.id, worth.change_amount(deal, ctx.rules, worth=money))


@handles
def move_close_date(cmd: MoveCloseDate, ctx: Context) -> None:
    deal = ctx.find(OPPORTUNITY, cmd.opportunity_id)
    ctx.record(OPPORTUNITY, deal.id, worth.move_close_date(deal, ctx.rules, to=cmd.expected_close_on))


def _line(deal: Opportunity, ctx: Context, *, product: str, quantity: Decimal, unit_price: Decimal, rate: Decimal | None) -> Line:
    total = ctx.money(in_ten_thousandths(quantity * unit_price), deal.worth.currency, rate)
    return Line(product, quantity, unit_price, total.amount, total.base_amount)


@handles
def add_opportunity_line(cmd: AddOpportunityLine, ctx: Context) -> None:
    deal = ctx.find(OPPORTUNITY, cmd.opportunity_id)
    line = _line(deal, ctx, product=cmd.product, quantity=cmd.quantity, unit_price=cmd.unit_price, rate=cmd.rate)
    ctx.record(OPPORTUNITY, deal.id, worth.add_line(deal, ctx.rules, line_id=cmd.line_id or ctx.new_id(), line=line))


@handles
def change_opportunity_line(cmd: ChangeOpportunityLine, ctx: Context) -> None:
    deal = ctx.find(OPPORTUNITY, cmd.opportunity_id)
    before = worth.line_of(deal, cmd.line_id)
    line = _line(deal, ctx, product=before.product, quantity=cmd.quantity, unit_price=cmd.unit_price, rate=cmd.rate)
    ctx.record(OPPORTUNITY, deal.id, worth.change_line(deal, ctx.rules, line_id=cmd.line_id, line=line))


@handles
def remove_opportunity_line(cmd: RemoveOpportunityLine, ctx: Context) -> None:
    deal = ctx.find(OPPORTUNITY, cmd.opportunity_id)
    ctx.record(OPPORTUNITY, deal.id, worth.remove_line(deal, ctx.rules, line_id=cmd.line_id))


@handles
def set_forecast_category(cmd: SetForecastCategory, ctx: Context) -> None:
    deal = ctx.find(OPPORTUNITY, cmd.opportunity_id)
    ctx.record(OPPORTUNITY, deal.id, worth.set_forecast_category(deal, ctx.rules, category=cmd.category))


@handles
def assign_opportunity(cmd: AssignOpportunity, ctx: Context) -> None:
    deal = ctx.find(OPPORTUNITY, cmd.opportunity_id)
    ctx.record(OPPORTUNITY, deal.id, opportunity.assign(deal, owner_id=cmd.owner_id, team=cmd.team))


@handles
def link_contact_to_opportunity(cmd: LinkContactToOpportunity, ctx: Context) -> None:
    deal = ctx.find(OPPORTUNITY, cmd.opportunity_id)
    contact = present(ctx, CONTACT, cmd.contact_id)
    not_restricted(ctx.rules, restricted=contact.restricted)
    events = opportunity.link_contact(deal, ctx.rules, contact_id=contact.id, contact_customer_id=contact.customer_id, role=cmd.role)
    ctx.record(OPPORTUNITY, deal.id, events)


@handles
def note_competitor(cmd: NoteCompetitor, ctx: Context) -> None:
    deal = ctx.find(OPPORTUNITY, cmd.opportunity_id)
    ctx.record(OPPORTUNITY, deal.id, opportunity.note_competitor(deal, competitor=cmd.competitor))
