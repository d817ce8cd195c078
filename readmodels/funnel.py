"""The pipeline funnel: how far deals came, where they were lost, where they are now, and how long they took.

Two views. The **cohort** view takes the deals that were *opened* in the period and follows them to today; each deal counts
once per stage however often it re-entered. The **activity** view counts what *moved* in the period, whenever the deals
were opened. The formulas are in docs/figures.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from domain.errors import NotFound
from readmodels.asking import Facts
from readmodels.breakdown import PERIODS, within
from readmodels.funnel_sql import ACTIVITY, COHORT, LADDER, TOTALS

FOLDS: Final = ("customers", "opportunities", "opportunity_lines", "pipelines", "stage_visits", "stages")
"""The facts that are asked."""


class View(StrEnum):
    """Which deals a funnel counts."""

    COHORT = "cohort"
    ACTIVITY = "activity"


class By(StrEnum):
    """What a funnel can be broken down by."""

    NOTHING = "nothing"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    OWNER = "owner"
    TEAM = "team"
    SEGMENT = "segment"
    """The customer's industry."""
    TIER = "tier"
    SOURCE = "source"
    PRODUCT = "product"
    """A deal counts once for each product among its lines."""
    OUTCOME = "outcome"
    """What the deals are now: open, won or lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which funnel is asked for: days are UTC, from `since` up to but without `until`; filters that are None take all."""

    pipeline_id: str | None = None
    """None for every pipeline's."""
    view: View = View.COHORT
    by: By = By.NOTHING
    since: date | None = None
    until: date | None = None
    owner_id: str | None = None
    team: str | None = None
    segment: str | None = None
    source: str | None = None
    product: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """One stage of one group. Rates are shares from 0 to 1, None where nothing could be counted; days are 24 hours.

    In the cohort view `reached` counts deals that came at least this far (open stages) or were there (won and lost stages),
    `visited` those that really were in the stage, `converted` those that came further, `lost_from` the lost ones whose last
    open stage this was, `now_in` those that are here now, `value` what the deals that reached it are worth now.

    In the activity view `reached` and `visited` count deals that came into the stage in the period, `converted` and
    `lost_from` deals whose last leaving of it in the period was onwards or to a loss, `now_in` those of the reached ones that
    are still here since, `value` what the deals were worth when they came.

    `back_moves` counts moves from here to an earlier stage, each time it happened.
    """

    group: str | None
    stage: str
    label: str
    status: str
    retired: bool
    reached: int
    visited: int
    converted: int
    lost_from: int
    now_in: int
    value: Decimal
    now_value: Decimal
    step_rate: float | None
    overall_rate: float | None
    """Of the group's deals, those that reached the stage; only in the cohort view."""
    median_days: float | None
    p90_days: float | None
    back_moves: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What one group's deals came to; `win_rate` is won ÷ (won + lost), days run from opening to closing.

    In the cohort view all are deals opened in the period, by what they are now. In the activity view `opened` (and which of
    those are `open` now) were opened in the period, `won` and `lost` were closed in it and have stayed so.
    """

    group: str | None
    opened: int
    open: int
    won: int
    lost: int
    open_value: Decimal
    won_value: Decimal
    lost_value: Decimal
    win_rate: float | None
    median_days_to_close: float | None
    median_days_to_win: float | None
    median_days_to_lose: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """One pipeline's answer: stages in pipeline order within each group, and what all of the group's deals came to."""

    pipeline_id: str
    name: str
    stages: list[StageRow]
    totals: list[Totals]


_GROUPS: Final = {
    By.NOTHING: "NULL",
    By.OWNER: "o.owner_id",
    By.TEAM: "o.team",
    By.SEGMENT: "c.industry",
    By.TIER: "c.tier",
    By.SOURCE: "o.lead_source",
    By.PRODUCT: "l.product",
    By.OUTCOME: "o.status",
}
_FILTERS: Final = {
    "owner_id": "o.owner_id = $owner_id",
    "team": "o.team = $team",
    "segment": "c.industry = $segment",
    "source": "o.lead_source = $source",
    "product": "EXISTS (FROM opportunity_lines f WHERE f.opportunity_id = o.opportunity_id AND f.product = $product AND NOT f.removed)",
}
_CUSTOMERS: Final = "LEFT JOIN customers c ON c.customer_id = o.customer_id"
_PRODUCTS: Final = """
LEFT JOIN (SELECT DISTINCT opportunity_id, product FROM opportunity_lines WHERE NOT removed) l ON l.opportunity_id = o.opportunity_id
"""
_PIPELINES: Final = """
SELECT pipeline_id::VARCHAR AS pipeline_id, name FROM pipelines WHERE $pipeline IS NULL OR pipeline_id = $pipeline ORDER BY name, pipeline_id
"""


_EVERY_DEAL: Final = ("pipeline_id", "opened_at", "closed_at", "stage", "status", "base_amount")
_EVERY_VISIT: Final = ("stage", "entered_at", "left_at", "left_backward")


def needs(question: Question) -> Mapping[str, Sequence[str]]:
    """The facts that this question asks, and which of their columns."""
    moving = question.view is View.ACTIVITY
    chosen = _group(question.by, "") + _filters(question)
    asked = [name for name in ("owner_id", "team", "lead_source") if f"o.{name}" in chosen]
    customers = "customers" in _joins(question)
    return {
        "opportunities": (*_EVERY_DEAL, *asked, *(("move_no",) if moving else ()), *(("customer_id",) if customers else ())),
        "pipelines": ("name", "stages"),
        "stage_visits": (*_EVERY_VISIT, *(("to_status", "entry_base_amount") if moving else ())),
        "stages": ("label", "status", "retired"),
        **({"customers": ("industry", "tier")} if customers else {}),
        **({"opportunity_lines": ("product", "removed")} if question.by is By.PRODUCT or question.product is not None else {}),
    }


def funnels(facts: Facts, question: Question) -> list[Funnel]:
    """The funnel of the pipeline asked for, or of every one by name. Raises NotFound `pipeline.unknown`."""
    return [_funnel(facts, question, pipeline_id, name) for pipeline_id, name in pipelines(facts, question)]


def pipelines(facts: Facts, question: Question) -> list[tuple[str, str]]:
    """The ids and names of the pipelines that are asked for. Raises NotFound `pipeline.unknown`."""
    found = facts.rows(_PIPELINES, {"pipeline": question.pipeline_id})
    if question.pipeline_id is not None and not found:
        raise NotFound("pipeline.unknown", f"there is no pipeline {question.pipeline_id}")
    return [(row["pipeline_id"], row["name"]) for row in found]


def _funnel(facts: Facts, question: Question, pipeline_id: str, name: str) -> Funnel:
    stages, totals = stage_rows(facts, question, pipeline_id), total_rows(facts, question, pipeline_id)
    return Funnel(pipeline_id=pipeline_id, name=name, stages=stages, totals=totals)


def stage_rows(facts: Facts, question: Question, pipeline_id: str) -> list[StageRow]:
    """The stages of one pipeline, by group."""
    sql = COHORT if question.view is View.COHORT else ACTIVITY
    return [StageRow(**row) for row in facts.rows(sql.format(**pieces_of(question)), parameters_of(question, pipeline_id))]


def total_rows(facts: Facts, question: Question, pipeline_id: str) -> list[Totals]:
    """What the deals of one pipeline came to, by group."""
    return [Totals(**row) for row in facts.rows(TOTALS.format(**pieces_of(question)), parameters_of(question, pipeline_id))]


def pieces_of(question: Question) -> dict[str, str]:
    """What the question puts into the SQL of `readmodels.funnel_sql`."""
    closed_at = "o.opened_at" if question.view is View.COHORT else "o.closed_at"
    return {
        "ladder": LADDER,
        "joins": _joins(question),
        "filters": _filters(question),
        **{f"{what}_group": _group(question.by, at) for what, at in (*_MOMENTS, ("closed", closed_at))},
        **{f"{what}_then": within(at) for what, at in (*_MOMENTS, ("closed", closed_at))},
    }


def parameters_of(question: Question, pipeline_id: str | None) -> dict[str, Any]:
    """The parameters of that SQL for one pipeline."""
    return {"pipeline": pipeline_id, "since": question.since, "until": question.until, **_given(question)}


_MOMENTS: Final = (("opened", "o.opened_at"), ("entered", "v.entered_at"), ("left", "v.left_at"))


def _group(by: By, at: str) -> str:
    return PERIODS[by].format(at=at) if by in PERIODS else _GROUPS[by]


def _given(question: Question) -> dict[str, Any]:
    return {name: value for name in _FILTERS if (value := getattr(question, name)) is not None}


def _filters(question: Question) -> str:
    return "".join(f" AND {_FILTERS[name]}" for name in _given(question))


def _joins(question: Question) -> str:
    about_customers = question.by in (By.SEGMENT, By.TIER) or question.segment is not None
    return (_CUSTOMERS if about_customers else "") + (_PRODUCTS if question.by is By.PRODUCT else "")
