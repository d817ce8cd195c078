"""Opportunities: the board's rows, their lines and people, and the stage visits that funnels count."""

from typing import Final

from domain.opportunities.events import (
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
from projections.fold import BOTH, Fold, Home
from projections.rules import Column, What, distinct, first, latest, latest_of, tally
from projections.values import OCCURRED_AT, POSITION, RECORDED_AT, TYPE, Condition, Const, when

MOVES: Final = (OpportunityStageChanged, OpportunityWon, OpportunityLost, OpportunityReopened)
OPEN, WON, LOST = Const("open"), Const("won"), Const("lost")
NOTHING: Final = Const(None)


IS_BACKWARD: Final = Condition("backward", (True,))


def _state(opened: What, moved: What, won: What, lost: What, reopened: What) -> Column:
    """What a deal's coming into a stage says; all such columns win together."""
    return latest_of(
        {
            OpportunityOpened: opened,
            OpportunityStageChanged: moved,
            OpportunityWon: won,
            OpportunityLost: lost,
            OpportunityReopened: reopened,
        }
    )


OPPORTUNITIES: Final = Fold(
    "opportunities",
    homes=BOTH,
    key="opportunity_id",
    columns={
        "customer_id": latest("customer_id", OpportunityOpened),
        "pipeline_id": latest("pipeline_id", OpportunityOpened),
        "name": latest("name", OpportunityOpened),
        "lead_source": latest("lead_source", OpportunityOpened),
        "external_source": latest("external_source", OpportunityOpened),
        "external_id": latest("external_id", OpportunityOpened),
        "opened_at": latest(OCCURRED_AT, OpportunityOpened),
        "opening_stage": latest("stage", OpportunityOpened),
        "owner_id": latest("owner_id", OpportunityOpened, OpportunityAssigned),
        "team": latest("team", OpportunityOpened, OpportunityAssigned),
        "stage": _state("stage", "to_stage", "to_stage", "to_stage", "to_stage"),
        "status": _state(OPEN, OPEN, WON, LOST, OPEN),
        "move_no": _state("move_no", "move_no", "move_no", "move_no", "move_no"),
        "entered_stage_at": _state(OCCURRED_AT, OCCURRED_AT, OCCURRED_AT, OCCURRED_AT, OCCURRED_AT),
        "closed_at": _state(NOTHING, NOTHING, OCCURRED_AT, OCCURRED_AT, NOTHING),
        "lost_reason": _state(NOTHING, NOTHING, NOTHING, "reason", NOTHING),
        "lost_to": _state(NOTHING, NOTHING, NOTHING, "competitor", NOTHING),
        "amount": latest("amount", OpportunityOpened, OpportunityAmountChanged),
        "currency": latest("currency", OpportunityOpened, OpportunityAmountChanged),
        "base_amount": latest("base_amount", OpportunityOpened, OpportunityAmountChanged),
        "expected_close_on": latest("expected_close_on", OpportunityOpened, OpportunityCloseDateMoved),
        "forecast_category": latest("category", OpportunityForecastCategorySet),
        "moves": tally(plus=MOVES),
        "back_moves": tally(plus=MOVES, when=IS_BACKWARD),
        "reopenings": tally(plus=[OpportunityReopened]),
        "close_date_pushes": tally(plus=[OpportunityCloseDateMoved], when=when("direction", "pushed")),
        "competitors": distinct("competitor", OpportunityCompetitorNoted),
    },
    indexes=[["customer_id"], ["owner_id"], ["pipeline_id", "stage"], ["status", "expected_close_on"]],
)
"""A deal as it is now. `closed_at`, `lost_reason` and `lost_to` (the competitor) are empty again once it is reopened."""

LINES = (OpportunityLineAdded, OpportunityLineChanged, OpportunityLineRemoved)

OPPORTUNITY_LINES: Final = Fold(
    "opportunity_lines",
    homes=BOTH,
    key=("opportunity_id", "line_id"),
    columns={
        "customer_id": latest("customer_id", *LINES),
        "product": latest("product", *LINES),
        "quantity": latest("quantity", *LINES),
        "unit_price": latest("unit_price", *LINES),
        "total": latest("total", *LINES),
        "base_total": latest("base_total", *LINES),
        "removed": latest_of(
            {
                OpportunityLineAdded: Const(value=False),
                OpportunityLineChanged: Const(value=False),
                OpportunityLineRemoved: Const(value=True),
            }
        ),
    },
)
"""A deal's product lines; a removed one keeps what it was."""

OPPORTUNITY_CONTACTS: Final = Fold(
    "opportunity_contacts",
    homes=[Home.LOOKUPS],
    key=("opportunity_id", "contact_id"),
    columns={
        "customer_id": latest("customer_id", OpportunityContactLinked),
        "role": latest("role", OpportunityContactLinked),
        "linked_at": first(OCCURRED_AT, OpportunityContactLinked),
    },
    indexes=[["contact_id"]],
)


def _leaving(stay: What, win: What, lose: What) -> Column:
    """What a move says of the visit that it ends: that of the previous move."""
    key = ("opportunity_id", "previous_move_no")
    return (
        latest(stay, OpportunityStageChanged, OpportunityReopened, key=key)
        | latest(win, OpportunityWon, key=key)
        | latest(lose, OpportunityLost, key=key)
    )


STAGE_VISITS: Final = Fold(
    "stage_visits",
    homes=[Home.FACTS],
    key=("opportunity_id", "move_no"),
    columns={
        "customer_id": latest("customer_id", OpportunityOpened, *MOVES),
        "pipeline_id": latest("pipeline_id", OpportunityOpened, *MOVES),
        "owner_id": latest("owner_id", OpportunityOpened, *MOVES),
        "team": latest("team", OpportunityOpened, *MOVES),
        "stage": _state("stage", "to_stage", "to_stage", "to_stage", "to_stage"),
        "status": _state(OPEN, OPEN, WON, LOST, OPEN),
        "from_stage": _state(NOTHING, "from_stage", "from_stage", "from_stage", "from_stage"),
        "entered_at": _state(OCCURRED_AT, OCCURRED_AT, OCCURRED_AT, OCCURRED_AT, OCCURRED_AT),
        "backward": _state(Const(value=False), "backward", "backward", "backward", "backward"),
        "reopening": _state(Const(value=False), Const(value=False), Const(value=False), Const(value=False), Const(value=True)),
        "entry_base_amount": _state("base_amount", "base_amount", "base_amount", "base_amount", "base_amount"),
        "left_at": _leaving(OCCURRED_AT, OCCURRED_AT, OCCURRED_AT),
        "to_stage": _leaving("to_stage", "to_stage", "to_stage"),
        "to_status": _leaving(OPEN, WON, LOST),
        "left_backward": _leaving("backward", "backward", "backward"),
        "exit_base_amount": _leaving("base_amount", "base_amount", "base_amount"),
    },
)
"""Each stay of a deal in a stage; a won or lost deal stays in its last stage. `status` is what the stage means for the
deal (open, won, lost), `to_…` and `left_…` say where it went and are empty while it stays. Owner and team are those at entry."""

CHANGES: Final = (OpportunityOpened, *MOVES, OpportunityAmountChanged, OpportunityAssigned, OpportunityCloseDateMoved)

OPPORTUNITY_CHANGES: Final = Fold(
    "opportunity_changes",
    homes=[Home.FACTS],
    key={"position": POSITION},
    columns={
        "opportunity_id": latest("opportunity_id", *CHANGES),
        "type": latest(TYPE, *CHANGES),
        "occurred_at": latest(OCCURRED_AT, *CHANGES),
        "recorded_at": latest(RECORDED_AT, *CHANGES),
        "pipeline_id": latest("pipeline_id", OpportunityOpened),
        "status": _state(OPEN, OPEN, WON, LOST, OPEN),
        "stage": _state("stage", "to_stage", "to_stage", "to_stage", "to_stage"),
        "base_amount": latest("base_amount", OpportunityOpened, OpportunityAmountChanged),
        "owner_id": latest("owner_id", OpportunityOpened, OpportunityAssigned),
        "team": latest("team", OpportunityOpened, OpportunityAssigned),
        "expected_close_on": latest("expected_close_on", OpportunityOpened, OpportunityCloseDateMoved),
    },
)
"""What each event says of a deal's place in the pipeline; columns that it does not speak of are empty. At any moment, a deal has in
each column what the event with the greatest position among those until then says: the same as `opportunities` as of that moment."""

FOLDS: Final = (OPPORTUNITIES, OPPORTUNITY_LINES, OPPORTUNITY_CONTACTS, STAGE_VISITS, OPPORTUNITY_CHANGES)
