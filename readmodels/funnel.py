"""The pipeline funnel: how far deals came, where they were lost, where they are now, and how long they took.

Two views. The **cohort** view takes the deals that were *opened* in the period and follows them to today; each deal counts
once per stage however often it re-entered. The **activity** view counts what *moved* in the period, whenever the deals
were opened. The formulas are in docs/figures.md.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from readmodels.asking import Facts


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

    pipeline_id: str
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

    `reached` counts deals that came at least this far (open stages), or were there (won and lost stages); `visited` those
    that really were in the stage; `converted` those that came further; `lost_from` those lost from here and still lost;
    `now_in` those that are here now. `back_moves` counts moves from here to an earlier stage, each time it happened.
    """

    group: str | None
    stage: str
    label: str
    status: str
    reached: int
    visited: int
    converted: int
    lost_from: int
    now_in: int
    value: Decimal
    now_value: Decimal
    step_rate: float | None
    overall_rate: float | None
    median_days: float | None
    p90_days: float | None
    back_moves: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """The answer: stages in pipeline order within each group, and what all of its deals came to."""

    view: View
    by: By
    stages: list[StageRow]
    totals: list["Totals"] = field(default_factory=list["Totals"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """One group's deals: won ÷ (won + lost) is the win rate; median days run from opening to closing."""

    group: str | None
    deals: int
    open: int
    won: int
    lost: int
    won_value: Decimal
    win_rate: float | None
    median_days_to_close: float | None


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
_PERIODS: Final = {By.MONTH: "strftime({at}, '%Y-%m')", By.QUARTER: "year({at}) || '-Q' || quarter({at})", By.YEAR: "year({at})::VARCHAR"}

_STAGES: Final = """
ladder AS (
    SELECT s.stage, s.label, s.status, list_position(p.stages, s.stage) AS place
    FROM stages s JOIN pipelines p USING (pipeline_id)
    WHERE s.pipeline_id = $pipeline
)
"""

_COHORT: Final = """
WITH {stages},
deals AS (
    SELECT DISTINCT o.opportunity_id, {group} AS grp, o.status, o.stage, o.base_amount, o.opened_at, o.closed_at, o.move_no
    FROM opportunities o {joins}
    WHERE o.pipeline_id = $pipeline {filters}
      AND ($since IS NULL OR o.opened_at >= $since) AND ($until IS NULL OR o.opened_at < $until)
),
visits AS (
    SELECT d.grp, v.opportunity_id, v.move_no, v.stage, s.status, s.place, v.left_backward, v.left_at,
           greatest(0, epoch(v.left_at) - epoch(v.entered_at)) / 86400 AS days
    FROM stage_visits v JOIN deals d USING (opportunity_id) JOIN ladder s USING (stage)
),
furthest AS (
    SELECT grp, opportunity_id, coalesce(max(place) FILTER (status = 'open'), 0) AS place, bool_or(status = 'won') AS won
    FROM visits GROUP BY ALL
),
per_deal AS (
    SELECT grp, opportunity_id, stage, sum(days) FILTER (left_at IS NOT NULL) AS days,
           count(*) FILTER (left_at IS NOT NULL AND left_backward) AS back_moves
    FROM visits GROUP BY ALL
),
lost AS (
    SELECT d.grp, v.stage, count(*) AS deals
    FROM deals d JOIN stage_visits v ON v.opportunity_id = d.opportunity_id AND v.move_no = d.move_no - 1
    WHERE d.status = 'lost' GROUP BY ALL
),
groups AS (SELECT DISTINCT grp FROM deals),
reach AS (
    SELECT g.grp, s.stage, s.label, s.status, s.place,
           count(f.opportunity_id) FILTER (s.status = 'open' AND (f.place >= s.place OR f.won)) AS passed,
           count(f.opportunity_id) FILTER (s.status = 'open' AND (f.place > s.place OR f.won)) AS further,
           sum(d.base_amount) FILTER (s.status = 'open' AND (f.place >= s.place OR f.won)) AS passed_value,
           count(d.opportunity_id) FILTER (d.stage = s.stage) AS now_in,
           sum(d.base_amount) FILTER (d.stage = s.stage) AS now_value,
           count(d.opportunity_id) AS deals
    FROM groups g CROSS JOIN ladder s
    JOIN deals d ON d.grp IS NOT DISTINCT FROM g.grp
    JOIN furthest f ON f.opportunity_id = d.opportunity_id AND f.grp IS NOT DISTINCT FROM d.grp
    GROUP BY ALL
),
times AS (
    SELECT v.grp, v.stage, count(*) AS visited, quantile_cont(v.days, 0.5) AS median_days, quantile_cont(v.days, 0.9) AS p90_days,
           sum(v.back_moves) AS back_moves, sum(d.base_amount) AS visited_value
    FROM per_deal v JOIN deals d ON d.opportunity_id = v.opportunity_id AND d.grp IS NOT DISTINCT FROM v.grp
    GROUP BY ALL
)
SELECT r.grp::VARCHAR AS "group", r.stage, r.label, r.status,
       CASE WHEN r.status = 'open' THEN r.passed ELSE coalesce(t.visited, 0) END AS reached,
       coalesce(t.visited, 0) AS visited,
       CASE WHEN r.status = 'open' THEN r.further ELSE 0 END AS converted,
       coalesce(l.deals, 0) AS lost_from, r.now_in,
       coalesce(CASE WHEN r.status = 'open' THEN r.passed_value ELSE t.visited_value END, 0) AS value,
       coalesce(r.now_value, 0) AS now_value,
       CASE WHEN r.status = 'open' AND r.passed > 0 THEN r.further / r.passed END AS step_rate,
       CASE WHEN r.deals > 0 THEN reached / r.deals END AS overall_rate,
       t.median_days, t.p90_days, coalesce(t.back_moves, 0)::BIGINT AS back_moves
FROM reach r
LEFT JOIN times t ON t.stage = r.stage AND t.grp IS NOT DISTINCT FROM r.grp
LEFT JOIN lost l ON l.stage = r.stage AND l.grp IS NOT DISTINCT FROM r.grp
ORDER BY r.grp NULLS LAST, r.place
"""

_ACTIVITY: Final = """
WITH {stages},
moves AS (
    SELECT v.opportunity_id, v.move_no, v.stage, s.status, v.entry_base_amount AS base_amount, v.entered_at, v.left_at, v.to_stage, v.left_backward,
           {entered_group} AS entered_grp, {left_group} AS left_grp,
           ($since IS NULL OR v.entered_at >= $since) AND ($until IS NULL OR v.entered_at < $until) AS came,
           v.left_at IS NOT NULL AND ($since IS NULL OR v.left_at >= $since) AND ($until IS NULL OR v.left_at < $until) AS went,
           o.stage = v.stage AND o.move_no = v.move_no AS still_here, o.base_amount AS worth_now
    FROM stage_visits v JOIN opportunities o USING (opportunity_id) JOIN ladder s ON s.stage = v.stage {joins}
    WHERE o.pipeline_id = $pipeline {filters}
),
entries AS (
    SELECT entered_grp AS grp, stage, opportunity_id, max_by(base_amount, move_no) AS base_amount, bool_or(still_here) AS still_here,
           max_by(worth_now, move_no) AS worth_now
    FROM moves WHERE came GROUP BY ALL
),
exits AS (
    SELECT left_grp AS grp, m.stage, opportunity_id,
           max_by(CASE WHEN s.status = 'lost' THEN 'lost' WHEN left_backward THEN 'back' ELSE 'on' END, move_no) AS how,
           count(*) FILTER (left_backward) AS back_moves,
           sum(greatest(0, epoch(left_at) - epoch(entered_at))) / 86400 AS days
    FROM moves m JOIN ladder s ON s.stage = m.to_stage WHERE went GROUP BY ALL
),
groups AS (SELECT grp FROM entries UNION SELECT grp FROM exits),
came AS (
    SELECT grp, stage, count(*) AS deals, sum(base_amount) AS value, count(*) FILTER (still_here) AS now_in,
           sum(worth_now) FILTER (still_here) AS now_value
    FROM entries GROUP BY ALL
),
went AS (
    SELECT grp, stage, count(*) AS deals, count(*) FILTER (how = 'on') AS onward, count(*) FILTER (how = 'lost') AS lost,
           sum(back_moves) AS back_moves, quantile_cont(days, 0.5) AS median_days, quantile_cont(days, 0.9) AS p90_days
    FROM exits GROUP BY ALL
)
SELECT g.grp::VARCHAR AS "group", s.stage, s.label, s.status,
       coalesce(c.deals, 0) AS reached, coalesce(c.deals, 0) AS visited, coalesce(w.onward, 0) AS converted,
       coalesce(w.lost, 0) AS lost_from, coalesce(c.now_in, 0) AS now_in,
       coalesce(c.value, 0) AS value, coalesce(c.now_value, 0) AS now_value,
       CASE WHEN s.status = 'open' AND w.deals > 0 THEN w.onward / w.deals END AS step_rate, NULL AS overall_rate,
       w.median_days, w.p90_days, coalesce(w.back_moves, 0)::BIGINT AS back_moves
FROM groups g CROSS JOIN ladder s
LEFT JOIN came c ON c.stage = s.stage AND c.grp IS NOT DISTINCT FROM g.grp
LEFT JOIN went w ON w.stage = s.stage AND w.grp IS NOT DISTINCT FROM g.grp
ORDER BY g.grp NULLS LAST, s.place
"""

_TOTALS: Final = """
WITH deals AS (
    SELECT DISTINCT o.opportunity_id, {group} AS grp, o.status, o.base_amount, o.opened_at, o.closed_at
    FROM opportunities o {joins}
    WHERE o.pipeline_id = $pipeline {filters}
      AND ($since IS NULL OR {at} >= $since) AND ($until IS NULL OR {at} < $until)
)
SELECT grp::VARCHAR AS "group", count(*) AS deals, count(*) FILTER (status = 'open') AS open,
       count(*) FILTER (status = 'won') AS won, count(*) FILTER (status = 'lost') AS lost,
       coalesce(sum(base_amount) FILTER (status = 'won'), 0) AS won_value,
       CASE WHEN won + lost > 0 THEN won / (won + lost) END AS win_rate,
       quantile_cont(greatest(0, epoch(closed_at) - epoch(opened_at)) / 86400, 0.5) FILTER (status <> 'open') AS median_days_to_close
FROM deals GROUP BY ALL ORDER BY grp NULLS LAST
"""


def funnel(facts: Facts, question: Question) -> Funnel:
    """The funnel of one pipeline."""
    cohort = question.view is View.COHORT
    pieces = {
        "stages": _STAGES,
        "joins": _joins(question),
        "filters": _filters(question),
        "at": "o.opened_at" if cohort else "o.closed_at",
        "group": _group(question.by, "o.opened_at" if cohort else "o.closed_at"),
        "entered_group": _group(question.by, "v.entered_at"),
        "left_group": _group(question.by, "v.left_at"),
    }
    parameters = {"pipeline": question.pipeline_id, "since": question.since, "until": question.until, **_given(question)}
    stages = facts.rows((_COHORT if cohort else _ACTIVITY).format(**pieces), parameters)
    totals = facts.rows(_TOTALS.format(**pieces), parameters)
    return Funnel(view=question.view, by=question.by, stages=[StageRow(**row) for row in stages], totals=[Totals(**row) for row in totals])


def _group(by: By, at: str) -> str:
    return _PERIODS[by].format(at=at) if by in _PERIODS else _GROUPS[by]


_FILTERS: Final = {
    "owner_id": "o.owner_id = $owner_id",
    "team": "o.team = $team",
    "segment": "c.industry = $segment",
    "source": "o.lead_source = $source",
    "product": "EXISTS (FROM opportunity_lines f WHERE f.opportunity_id = o.opportunity_id AND f.product = $product AND NOT f.removed)",
}


def _given(question: Question) -> dict[str, Any]:
    return {name: value for name in _FILTERS if (value := getattr(question, name)) is not None}


def _filters(question: Question) -> str:
    return "".join(f" AND {_FILTERS[name]}" for name in _given(question))


def _joins(question: Question) -> str:
    joins = ""
    if question.by in (By.SEGMENT, By.TIER) or question.segment is not None:
        joins += " LEFT JOIN customers c ON c.customer_id = o.customer_id"
    if question.by is By.PRODUCT:
        joins += " JOIN opportunity_lines l ON l.opportunity_id = o.opportunity_id AND NOT l.removed"
    return joins
