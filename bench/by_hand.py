"""Figures as of a moment in SQL over the files of the archive, as somebody would write them who knows the events: one case each.

`{seen}` is the condition that an event had happened by the moment, `{files}` the folder of the archive. Each gives the very rows that
Daybook answers, so that both do the same work; but these know what is asked, where Daybook's read models serve every question.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import isclose
from typing import Any, Final

_MOVES: Final = """
    CREATE OR REPLACE TEMP TABLE moves AS
    SELECT opportunity_id, position, occurred_at, move_no, NULL AS previous_move_no, stage, 'open' AS status, FALSE AS backward
    FROM read_parquet('{files}/opportunity.opened/*') WHERE {seen}
    UNION ALL
    SELECT opportunity_id, position, occurred_at, move_no, previous_move_no, to_stage, 'open', backward
    FROM read_parquet(['{files}/opportunity.stage_changed/*', '{files}/opportunity.reopened/*'], union_by_name = true) WHERE {seen}
    UNION ALL
    SELECT opportunity_id, position, occurred_at, move_no, previous_move_no, to_stage, 'won', backward
    FROM read_parquet('{files}/opportunity.won/*') WHERE {seen}
    UNION ALL
    SELECT opportunity_id, position, occurred_at, move_no, previous_move_no, to_stage, 'lost', backward
    FROM read_parquet('{files}/opportunity.lost/*') WHERE {seen}
"""
_DEALS: Final = """
    CREATE OR REPLACE TEMP TABLE deals AS
    WITH amounts AS (
        SELECT opportunity_id, arg_max(base_amount, position) AS base_amount
        FROM read_parquet('{files}/opportunity.amount_changed/*') WHERE {seen} GROUP BY opportunity_id
    ),
    last AS (SELECT opportunity_id, max(position) AS position FROM moves GROUP BY opportunity_id)
    SELECT opportunity_id, opened.pipeline_id, now.stage, now.status, coalesce(amounts.base_amount, opened.base_amount) AS worth,
           CASE WHEN now.status <> 'open' THEN greatest(0, epoch(now.occurred_at) - epoch(opened.occurred_at)) / 86400 END AS days
    FROM read_parquet('{files}/opportunity.opened/*') AS opened
    JOIN last USING (opportunity_id) JOIN moves AS now ON now.position = last.position LEFT JOIN amounts USING (opportunity_id)
    WHERE opened.{seen}
"""
_LADDER: Final = """
    ladder AS (
        SELECT pipeline_id, stage, coalesce(arg_max(label, position), stage) AS label, any_value(status) AS status,
               arg_max(type, position) FILTER (type <> 'pipeline.stage_renamed') = 'pipeline.stage_retired' AS retired
        FROM read_parquet(['{files}/pipeline.stage_added/*', '{files}/pipeline.stage_renamed/*', '{files}/pipeline.stage_retired/*'],
                          union_by_name = true)
        WHERE {seen} GROUP BY pipeline_id, stage
    ),
    orders AS (
        SELECT pipeline_id, arg_max(stages, position) AS stages
        FROM read_parquet(['{files}/pipeline.stage_added/*', '{files}/pipeline.stage_moved/*'], union_by_name = true)
        WHERE {seen} GROUP BY pipeline_id
    ),
    rungs AS (SELECT ladder.*, list_position(stages, stage) AS place FROM ladder JOIN orders USING (pipeline_id))
"""
_STAGES: Final = f"""
    WITH {_LADDER},
    visits AS (
        SELECT came.opportunity_id, deals.pipeline_id, came.stage, came.move_no, rungs.status, rungs.place, went.position IS NOT NULL AS gone,
               went.backward, greatest(0, epoch(went.occurred_at) - epoch(came.occurred_at)) / 86400 AS days
        FROM moves AS came JOIN deals USING (opportunity_id)
        JOIN rungs ON rungs.pipeline_id = deals.pipeline_id AND rungs.stage = came.stage
        LEFT JOIN moves AS went ON went.opportunity_id = came.opportunity_id AND went.previous_move_no = came.move_no
    ),
    furthest AS (
        SELECT opportunity_id, coalesce(max(place) FILTER (status = 'open'), 0) AS place, bool_or(status = 'won') AS won,
               arg_max(stage, move_no) FILTER (status = 'open') AS last_open
        FROM visits GROUP BY opportunity_id
    ),
    kinds AS (
        SELECT pipeline_id, stage, place, won, CASE WHEN status = 'lost' THEN last_open END AS lost_from, count(*) AS deals, sum(worth) AS worth
        FROM deals JOIN furthest USING (opportunity_id) GROUP BY ALL
    ),
    reach AS (
        SELECT rungs.pipeline_id, rungs.stage, sum(deals) AS deals, sum(deals) FILTER (kinds.place >= rungs.place OR won) AS passed,
               sum(deals) FILTER (kinds.place > rungs.place OR won) AS further, sum(worth) FILTER (kinds.place >= rungs.place OR won) AS passed_worth,
               sum(deals) FILTER (lost_from = rungs.stage) AS lost_from, sum(deals) FILTER (kinds.stage = rungs.stage) AS now_in,
               sum(worth) FILTER (kinds.stage = rungs.stage) AS now_worth
        FROM rungs JOIN kinds ON kinds.pipeline_id = rungs.pipeline_id GROUP BY ALL
    ),
    stays AS (
        SELECT opportunity_id, stage, sum(days) FILTER (gone) AS days, count(*) FILTER (backward) AS back_moves
        FROM visits GROUP BY ALL
    ),
    been AS (
        SELECT pipeline_id, stays.stage, count(*) AS visited, sum(worth) AS worth, quantile_cont(stays.days, [0.5, 0.9]) AS days,
               sum(back_moves) AS back_moves
        FROM stays JOIN deals USING (opportunity_id) GROUP BY ALL
    )
    SELECT pipeline_id::VARCHAR, stage, label, status, retired, CASE WHEN status = 'open' THEN coalesce(passed, 0) ELSE coalesce(visited, 0) END AS reached,
           coalesce(visited, 0), CASE WHEN status = 'open' THEN coalesce(further, 0) ELSE 0 END, coalesce(lost_from, 0), coalesce(now_in, 0),
           coalesce(CASE WHEN status = 'open' THEN passed_worth ELSE been.worth END, 0), coalesce(now_worth, 0),
           CASE WHEN status = 'open' AND passed > 0 THEN further / passed END, reached / deals, been.days[1], been.days[2], coalesce(back_moves, 0)
    FROM rungs JOIN reach USING (pipeline_id, stage) LEFT JOIN been USING (pipeline_id, stage)
    WHERE NOT retired OR visited > 0 ORDER BY pipeline_id, place
"""
_TOTALS: Final = """
    SELECT pipeline_id::VARCHAR, count(*), count(*) FILTER (status = 'open'), count(*) FILTER (status = 'won'), count(*) FILTER (status = 'lost'),
           coalesce(sum(worth) FILTER (status = 'open'), 0), coalesce(sum(worth) FILTER (status = 'won'), 0),
           coalesce(sum(worth) FILTER (status = 'lost'), 0), count(*) FILTER (status = 'won') / count(*) FILTER (status <> 'open'),
           quantile_cont(days, 0.5), quantile_cont(days, 0.5) FILTER (status = 'won'), quantile_cont(days, 0.5) FILTER (status = 'lost')
    FROM deals GROUP BY pipeline_id ORDER BY pipeline_id
"""
_SATISFACTION: Final = """
    WITH sent AS (SELECT survey_id, sent_at FROM read_parquet('{files}/survey.sent/*') WHERE kind = 'csat' AND {seen}),
    answered AS (SELECT survey_id, sent_at, score FROM read_parquet('{files}/survey.answered/*') WHERE kind = 'csat' AND {seen}),
    amended AS (
        SELECT survey_id, arg_max(score, position) AS score FROM read_parquet('{files}/survey.answer_amended/*') WHERE {seen} GROUP BY survey_id
    ),
    surveys AS (
        SELECT coalesce(sent.sent_at, answered.sent_at) IS NOT NULL AS was_sent, answered.survey_id IS NOT NULL AS was_answered,
               coalesce(amended.score, answered.score) AS score
        FROM sent FULL JOIN answered USING (survey_id) LEFT JOIN amended ON amended.survey_id = answered.survey_id
    )
    SELECT count(*) FILTER (was_sent) AS sent, count(*) FILTER (was_sent AND was_answered) AS sent_and_answered, sent_and_answered / sent, count(*) FILTER (was_answered) AS answers,
           100.0 * count(*) FILTER (score >= 4) / answers, avg(score), list_transform(range(1, 6), lambda x: coalesce(histogram(score)[x], 0))
    FROM surveys
"""
_WATERFALL: Final = """
    WITH changes AS (
        SELECT opportunity_id, position, occurred_at, 'open' AS status, base_amount FROM read_parquet('{files}/opportunity.opened/*') WHERE {seen}
        UNION ALL SELECT opportunity_id, position, occurred_at, NULL, base_amount FROM read_parquet('{files}/opportunity.amount_changed/*') WHERE {seen}
        UNION ALL SELECT opportunity_id, position, occurred_at, 'open', NULL
        FROM read_parquet(['{files}/opportunity.stage_changed/*', '{files}/opportunity.reopened/*'], union_by_name = true) WHERE {seen}
        UNION ALL SELECT opportunity_id, position, occurred_at, 'won', NULL FROM read_parquet('{files}/opportunity.won/*') WHERE {seen}
        UNION ALL SELECT opportunity_id, position, occurred_at, 'lost', NULL FROM read_parquet('{files}/opportunity.lost/*') WHERE {seen}
    ),
    states AS (
        SELECT opportunity_id, occurred_at, arg_max(status, position) OVER past AS status, arg_max(base_amount, position) OVER past AS worth,
               row_number() OVER past AS nth, lead(position) OVER deal IS NULL AS last
        FROM changes
        WINDOW deal AS (PARTITION BY opportunity_id ORDER BY occurred_at, position),
               past AS (PARTITION BY opportunity_id ORDER BY occurred_at, position ROWS UNBOUNDED PRECEDING)
    ),
    steps AS (
        SELECT *, lag(status) OVER deal AS old_status, lag(worth) OVER deal AS old_worth,
               coalesce(lead(occurred_at) OVER deal >= TIMESTAMP '{since}', TRUE) AND occurred_at < TIMESTAMP '{since}' AS opening
        FROM states WINDOW deal AS (PARTITION BY opportunity_id ORDER BY nth)
    ),
    entries AS (
        SELECT opportunity_id, 'opening' AS bar, worth AS value FROM steps WHERE opening AND status = 'open'
        UNION ALL SELECT opportunity_id, 'closing', worth FROM steps WHERE last AND status = 'open'
        UNION ALL
        SELECT opportunity_id, CASE WHEN old_status IS NULL THEN 'new' WHEN old_status <> 'open' THEN 'reopened' WHEN status <> 'open' THEN status
                                    WHEN worth > old_worth THEN 'up' ELSE 'down' END,
               CASE WHEN status <> 'open' THEN -old_worth WHEN old_status = 'open' THEN worth - old_worth ELSE worth END
        FROM steps
        WHERE occurred_at >= TIMESTAMP '{since}' AND (status = 'open' OR old_status = 'open') AND (status IS DISTINCT FROM old_status OR worth <> old_worth)
    )
    SELECT bar, sum(value), count(*), count(DISTINCT opportunity_id) FROM entries GROUP BY bar ORDER BY bar
"""

BY_HAND: Final = {"funnel": (_MOVES, _DEALS, _STAGES, _TOTALS), "satisfaction": (_SATISFACTION,), "waterfall": (_WATERFALL,)}
"""Statements by figure; all but those that create something give rows."""


def _funnel(answer: Any) -> list[tuple[Any, ...]]:
    funnels = sorted(answer["funnels"], key=lambda funnel: funnel["pipeline_id"])
    stages = [(funnel["pipeline_id"], *_values(stage)) for funnel in funnels for stage in funnel["stages"]]
    return stages + [(funnel["pipeline_id"], *_values(totals)) for funnel in funnels for totals in funnel["totals"]]


def _satisfied(answer: Any) -> list[tuple[Any, ...]]:
    return [(*_values(group)[:-1], list(group["distribution"].values())) for group in answer["groups"]]


def _bars(answer: Any) -> list[tuple[Any, ...]]:
    steps = [step for each in answer["waterfalls"] for step in each["steps"] if step["times"]]
    return sorted((step["bar"], step["value"], step["times"], step["deals"]) for step in steps)


def _values(row: Mapping[str, Any]) -> list[Any]:
    return [value for name, value in row.items() if name != "group"]


TOLD: Final[Mapping[str, Callable[[Any], list[tuple[Any, ...]]]]] = {"funnel": _funnel, "satisfaction": _satisfied, "waterfall": _bars}
"""The same rows out of what Daybook answers."""


def alike(told: Sequence[Sequence[Any]], rows: Sequence[Sequence[Any]]) -> bool:
    """Whether both are the same: amounts to the cent and counts exactly, rates and days but for rounding in their last digits."""
    return len(told) == len(rows) and all(
        len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True)) for one, other in zip(told, rows, strict=True)
    )


def _same(told: Any, value: Any) -> bool:
    if isinstance(value, float) and told is not None:
        return isclose(told, value, rel_tol=1e-9)
    return bool(told == value or (isinstance(value, Decimal) and told is not None and Decimal(told) == value))
