"""A deal's way through its pipeline: opened, moved forwards and back, won, lost, reopened."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from domain.errors import RuleViolation
from domain.event import Event
from domain.opportunities.events import OpportunityLost, OpportunityOpened, OpportunityReopened, OpportunityStageChanged, OpportunityWon
from domain.opportunities.opportunity import Opportunity
from domain.opportunities.worth import amount_changed, not_negative
from domain.pipelines.pipeline import LOST, OPEN, WON, Pipeline, Stage
from domain.rules import Rules
from domain.values import ExternalId, Money


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
    not_negative(rules, worth)
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
    repriced = amount_changed(deal, worth) if worth is not None else []
    deal = replace(deal, worth=worth) if worth is not None else deal
    not_negative(rules, deal.worth)
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
