"""The deals behind one number of a funnel; they add up to it."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from domain.errors import NotFound
from readmodels.asking import Facts
from readmodels.figure_rows import Found, Measure, Rule, Told, rows_behind
from readmodels.funnel import Question, StageRow, Totals, View, parameters_of, pieces_of, pipelines, stage_rows, total_rows
from readmodels.funnel_sql import ACTIVITY_DEALS, COHORT_DEALS, TOTALS_DEALS


class Number(StrEnum):
    """The numbers that a funnel has: of a stage up to `back_moves`, of a group's totals from `opened` on."""

    REACHED = "reached"
    VISITED = "visited"
    CONVERTED = "converted"
    LOST_FROM = "lost_from"
    NOW_IN = "now_in"
    VALUE = "value"
    NOW_VALUE = "now_value"
    STEP_RATE = "step_rate"
    OVERALL_RATE = "overall_rate"
    MEDIAN_DAYS = "median_days"
    P90_DAYS = "p90_days"
    BACK_MOVES = "back_moves"
    OPENED = "opened"
    OPEN = "open"
    WON = "won"
    LOST = "lost"
    OPEN_VALUE = "open_value"
    WON_VALUE = "won_value"
    LOST_VALUE = "lost_value"
    WIN_RATE = "win_rate"
    MEDIAN_DAYS_TO_CLOSE = "median_days_to_close"
    MEDIAN_DAYS_TO_WIN = "median_days_to_win"
    MEDIAN_DAYS_TO_LOSE = "median_days_to_lose"


_SAME_GROUP: Final = "grp::VARCHAR IS NOT DISTINCT FROM $group"

_COHORT: Final = f"""
{COHORT_DEALS},
bars AS (
    SELECT d.opportunity_id AS id, d.base_amount AS worth, d.base_amount AS worth_now, t.days,
           coalesce(t.back_moves, 0) AS back_moves, s.status = 'open' AS is_open,
           CASE WHEN s.status = 'open' THEN f.place >= s.place OR f.won ELSE t.stage IS NOT NULL END AS reached,
           t.stage IS NOT NULL AS visited, s.status = 'open' AND (f.place > s.place OR f.won) AS converted,
           coalesce(f.lost_from = s.stage, FALSE) AS lost_here, d.stage = s.stage AS here, s.status = 'open' AND (f.place >= s.place OR f.won) AS in_step
    FROM deals d JOIN ladder s ON s.stage = $stage
    JOIN furthest f ON f.opportunity_id = d.opportunity_id AND f.grp IS NOT DISTINCT FROM d.grp
    LEFT JOIN stays t ON t.opportunity_id = d.opportunity_id AND t.grp IS NOT DISTINCT FROM d.grp AND t.stage = s.stage
    WHERE d.{_SAME_GROUP}
)
"""

_ACTIVITY: Final = f"""
{ACTIVITY_DEALS},
bars AS (
    SELECT coalesce(e.opportunity_id, x.opportunity_id) AS id, e.base_amount AS worth, e.worth_now, x.days, coalesce(x.back_moves, 0) AS back_moves,
           s.status = 'open' AS is_open, e.opportunity_id IS NOT NULL AS reached, e.opportunity_id IS NOT NULL AS visited,
           s.status = 'open' AND coalesce(x.how = 'on', FALSE) AS converted, s.status = 'open' AND coalesce(x.how = 'lost', FALSE) AS lost_here,
           coalesce(e.still_here, FALSE) AS here, s.status = 'open' AND x.opportunity_id IS NOT NULL AS in_step
    FROM (SELECT * FROM entries WHERE stage = $stage AND {_SAME_GROUP}) e
    FULL JOIN (SELECT * FROM exits WHERE stage = $stage AND {_SAME_GROUP}) x ON x.opportunity_id = e.opportunity_id
    JOIN ladder s ON s.stage = $stage
)
"""

_TOTALS: Final = f"""
{TOTALS_DEALS},
bars AS (
    SELECT opportunity_id AS id, base_amount AS worth, days, status, opened_then AND opened_{_SAME_GROUP} AS opened,
           closed_then AND closed_{_SAME_GROUP} AS closed
    FROM deals
)
"""

_OF_STAGES: Final[Mapping[Number, Measure]] = {
    Number.REACHED: Measure(Rule.SUM, "reached", "1"),
    Number.VISITED: Measure(Rule.SUM, "visited", "1"),
    Number.CONVERTED: Measure(Rule.SUM, "converted", "1"),
    Number.LOST_FROM: Measure(Rule.SUM, "lost_here", "1"),
    Number.NOW_IN: Measure(Rule.SUM, "here", "1"),
    Number.VALUE: Measure(Rule.SUM, "reached", "worth"),
    Number.NOW_VALUE: Measure(Rule.SUM, "here", "worth_now"),
    Number.STEP_RATE: Measure(Rule.MEAN, "in_step", "converted::INTEGER"),
    Number.OVERALL_RATE: Measure(Rule.MEAN, "TRUE", "reached::INTEGER"),
    Number.MEDIAN_DAYS: Measure(Rule.MEDIAN, "days IS NOT NULL", "days"),
    Number.P90_DAYS: Measure(Rule.P90, "days IS NOT NULL", "days"),
    Number.BACK_MOVES: Measure(Rule.SUM, "back_moves > 0", "back_moves"),
}
_OF_TOTALS: Final[Mapping[Number, Measure]] = {
    Number.OPENED: Measure(Rule.SUM, "opened", "1"),
    Number.OPEN: Measure(Rule.SUM, "opened AND status = 'open'", "1"),
    Number.WON: Measure(Rule.SUM, "closed AND status = 'won'", "1"),
    Number.LOST: Measure(Rule.SUM, "closed AND status = 'lost'", "1"),
    Number.OPEN_VALUE: Measure(Rule.SUM, "opened AND status = 'open'", "worth"),
    Number.WON_VALUE: Measure(Rule.SUM, "closed AND status = 'won'", "worth"),
    Number.LOST_VALUE: Measure(Rule.SUM, "closed AND status = 'lost'", "worth"),
    Number.WIN_RATE: Measure(Rule.MEAN, "closed", "(status = 'won')::INTEGER"),
    Number.MEDIAN_DAYS_TO_CLOSE: Measure(Rule.MEDIAN, "closed", "days"),
    Number.MEDIAN_DAYS_TO_WIN: Measure(Rule.MEDIAN, "closed AND status = 'won'", "days"),
    Number.MEDIAN_DAYS_TO_LOSE: Measure(Rule.MEDIAN, "closed AND status = 'lost'", "days"),
}
_DEALS: Final = Told("opportunities", "opportunity_id", ("name", "customer_id::VARCHAR AS customer_id"))


def number_shown(facts: Facts, question: Question, stage: str | None, group: str | None, number: Number) -> Any:
    """What the funnel of one pipeline shows there; it may be left out where there is one only. Raises NotFound `pipeline.unknown` or `bar.unknown`."""
    measures = _OF_TOTALS if stage is None else _OF_STAGES
    if number not in measures:
        of = "a stage" if number in _OF_STAGES else "the totals, which have no stage,"
        raise NotFound(
            "bar.unknown", f"{number} is a number of {of}; {'the totals' if stage is None else 'a stage'} has {', '.join(measures)}"
        )
    bar = _bar(facts, question, stage, group)
    if bar is None:
        raise NotFound(
            "bar.unknown",
            f"that funnel has no bar of {f'stage {stage}' if stage else 'totals'} in {f'group {group}' if group else 'no group'}",
        )
    return getattr(bar, number.value)


def _bar(facts: Facts, question: Question, stage: str | None, group: str | None) -> StageRow | Totals | None:
    pipeline_id = _pipeline(facts, question)
    if stage is None:
        return next((bar for bar in total_rows(facts, question, pipeline_id) if bar.group == group), None)
    return next((bar for bar in stage_rows(facts, question, pipeline_id) if (bar.stage, bar.group) == (stage, group)), None)


def _pipeline(facts: Facts, question: Question) -> str:
    """The one pipeline that is asked for, or that there is. Raises NotFound `pipeline.unknown`."""
    found = pipelines(facts, question)
    if len(found) != 1:
        raise NotFound("pipeline.unknown", f"there are {len(found)} pipelines; say whose number it is")
    return found[0][0]


def deals_behind(
    facts: Facts,
    question: Question,
    stage: str | None,
    group: str | None,
    number: Number,
    *,
    limit: int,
    after: Sequence[Any] | None = None,
) -> Found:
    """The deals behind one number of the funnel of one pipeline: at most `limit`, the largest first, beyond a place."""
    measure = (_OF_TOTALS if stage is None else _OF_STAGES)[number]
    bars = _TOTALS if stage is None else _COHORT if question.view is View.COHORT else _ACTIVITY
    if number is Number.OVERALL_RATE and question.view is View.ACTIVITY:
        measure = Measure(Rule.MEAN, "FALSE", "NULL::INTEGER")
    given = parameters_of(question, _pipeline(facts, question)) | {"group": group} | ({} if stage is None else {"stage": stage})
    return rows_behind(facts, bars.format(**pieces_of(question)), measure, _DEALS, given, limit=limit, after=after)
