"""The funnel's questions in SQL on the facts; docs/figures.md says in words what they count."""

from typing import Final

LADDER: Final = """
ladder AS (
    SELECT s.stage, s.label, s.status, s.retired, list_position(p.stages, s.stage) AS place
    FROM stages s JOIN pipelines p USING (pipeline_id)
    WHERE s.pipeline_id = $pipeline
)
"""
"""The pipeline's stages with their places in its order."""

COHORT_DEALS: Final = """
WITH {ladder},
deals AS (
    SELECT o.opportunity_id, {opened_group} AS grp, o.status, o.stage, o.base_amount
    FROM opportunities o {joins}
    WHERE o.pipeline_id = $pipeline AND {opened_then} {filters}
),
visits AS (
    SELECT d.grp, d.opportunity_id, d.base_amount, d.status = 'lost' AS lost, v.move_no, v.stage, s.status, s.place, v.left_at, v.left_backward,
           greatest(0, epoch(v.left_at) - epoch(v.entered_at)) / 86400 AS days
    FROM stage_visits v JOIN deals d USING (opportunity_id) JOIN ladder s ON s.stage = v.stage
),
furthest AS (
    SELECT grp, opportunity_id, coalesce(max(place) FILTER (status = 'open'), 0) AS place, bool_or(status = 'won') AS won,
           max_by(stage, move_no) FILTER (status = 'open' AND lost) AS lost_from
    FROM visits GROUP BY ALL
),
stays AS (
    SELECT grp, opportunity_id, stage, any_value(base_amount) AS base_amount, sum(days) FILTER (left_at IS NOT NULL) AS days,
           count(*) FILTER (left_backward) AS back_moves
    FROM visits GROUP BY ALL
)
"""
"""The deals opened in the period, how far they came and where they stayed: one by one."""

COHORT: Final = f"""
{COHORT_DEALS},
alike AS (
    SELECT d.grp, d.stage, f.place, f.won, f.lost_from, count(*) AS deals, sum(d.base_amount) AS value
    FROM deals d JOIN furthest f ON f.opportunity_id = d.opportunity_id AND f.grp IS NOT DISTINCT FROM d.grp
    GROUP BY ALL
),
reach AS (
    SELECT a.grp, s.stage,
           sum(a.deals) AS deals,
           coalesce(sum(a.deals) FILTER (a.place >= s.place OR a.won), 0)::BIGINT AS passed,
           coalesce(sum(a.deals) FILTER (a.place > s.place OR a.won), 0)::BIGINT AS further,
           sum(a.value) FILTER (a.place >= s.place OR a.won) AS passed_value,
           coalesce(sum(a.deals) FILTER (a.lost_from = s.stage), 0)::BIGINT AS lost_from,
           coalesce(sum(a.deals) FILTER (a.stage = s.stage), 0)::BIGINT AS now_in,
           sum(a.value) FILTER (a.stage = s.stage) AS now_value
    FROM alike a CROSS JOIN ladder s
    GROUP BY ALL
),
been AS (
    SELECT grp, stage, count(*) AS visited, sum(base_amount) AS visited_value, quantile_cont(days, 0.5) AS median_days,
           quantile_cont(days, 0.9) AS p90_days, sum(back_moves) AS back_moves
    FROM stays GROUP BY ALL
)
SELECT r.grp::VARCHAR AS "group", s.stage, s.label, s.status, s.retired,
       CASE WHEN s.status = 'open' THEN r.passed ELSE coalesce(b.visited, 0) END AS reached,
       coalesce(b.visited, 0) AS visited,
       CASE WHEN s.status = 'open' THEN r.further ELSE 0 END AS converted,
       r.lost_from, r.now_in,
       coalesce(CASE WHEN s.status = 'open' THEN r.passed_value ELSE b.visited_value END, 0) AS value,
       coalesce(r.now_value, 0) AS now_value,
       CASE WHEN s.status = 'open' AND r.passed > 0 THEN r.further / r.passed END AS step_rate,
       reached / r.deals AS overall_rate,
       b.median_days, b.p90_days, coalesce(b.back_moves, 0)::BIGINT AS back_moves
FROM reach r JOIN ladder s ON s.stage = r.stage
LEFT JOIN been b ON b.stage = r.stage AND b.grp IS NOT DISTINCT FROM r.grp
WHERE NOT s.retired OR s.stage IN (SELECT stage FROM stays)
ORDER BY r.grp NULLS LAST, s.place
"""

ACTIVITY_DEALS: Final = """
WITH {ladder},
moves AS (
    SELECT v.opportunity_id, v.move_no, v.stage, v.entry_base_amount AS base_amount, v.to_status, v.left_backward,
           greatest(0, epoch(v.left_at) - epoch(v.entered_at)) / 86400 AS days,
           {entered_group} AS entered_grp, {left_group} AS left_grp, {entered_then} AS came, {left_then} AS went,
           o.move_no = v.move_no AS still_here, o.base_amount AS worth_now
    FROM stage_visits v JOIN opportunities o USING (opportunity_id) {joins}
    WHERE o.pipeline_id = $pipeline {filters}
),
entries AS (
    SELECT entered_grp AS grp, stage, opportunity_id, max_by(base_amount, move_no) AS base_amount, bool_or(still_here) AS still_here,
           any_value(worth_now) AS worth_now
    FROM moves WHERE came GROUP BY ALL
),
exits AS (
    SELECT left_grp AS grp, stage, opportunity_id,
           max_by(CASE WHEN to_status = 'lost' THEN 'lost' WHEN left_backward THEN 'back' ELSE 'on' END, move_no) AS how,
           count(*) FILTER (left_backward) AS back_moves, sum(days) AS days
    FROM moves WHERE went GROUP BY ALL
)
"""
"""What came into stages in the period and what left them: one by one."""

ACTIVITY: Final = f"""
{ACTIVITY_DEALS},
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
SELECT g.grp::VARCHAR AS "group", s.stage, s.label, s.status, s.retired,
       coalesce(c.deals, 0) AS reached, coalesce(c.deals, 0) AS visited,
       CASE WHEN s.status = 'open' THEN coalesce(w.onward, 0) ELSE 0 END AS converted,
       CASE WHEN s.status = 'open' THEN coalesce(w.lost, 0) ELSE 0 END AS lost_from,
       coalesce(c.now_in, 0) AS now_in, coalesce(c.value, 0) AS value, coalesce(c.now_value, 0) AS now_value,
       CASE WHEN s.status = 'open' AND w.deals > 0 THEN w.onward / w.deals END AS step_rate, NULL::DOUBLE AS overall_rate,
       w.median_days, w.p90_days, coalesce(w.back_moves, 0)::BIGINT AS back_moves
FROM groups g CROSS JOIN ladder s
LEFT JOIN came c ON c.stage = s.stage AND c.grp IS NOT DISTINCT FROM g.grp
LEFT JOIN went w ON w.stage = s.stage AND w.grp IS NOT DISTINCT FROM g.grp
WHERE NOT s.retired OR s.stage IN (SELECT stage FROM moves WHERE came OR went)
ORDER BY g.grp NULLS LAST, s.place
"""

TOTALS_DEALS: Final = """
WITH deals AS (
    SELECT o.opportunity_id, o.status, o.base_amount, greatest(0, epoch(o.closed_at) - epoch(o.opened_at)) / 86400 AS days,
           {opened_group} AS opened_grp, {opened_then} AS opened_then,
           {closed_group} AS closed_grp, o.status <> 'open' AND {closed_then} AS closed_then
    FROM opportunities o {joins}
    WHERE o.pipeline_id = $pipeline {filters}
)
"""
"""The deals opened or closed in the period: one by one."""

TOTALS: Final = f"""
{TOTALS_DEALS},
opened AS (
    SELECT opened_grp AS grp, count(*) AS opened, count(*) FILTER (status = 'open') AS still_open,
           sum(base_amount) FILTER (status = 'open') AS open_value
    FROM deals WHERE opened_then GROUP BY ALL
),
closed AS (
    SELECT closed_grp AS grp, count(*) FILTER (status = 'won') AS won, count(*) FILTER (status = 'lost') AS lost, count(*) AS closed,
           sum(base_amount) FILTER (status = 'won') AS won_value, sum(base_amount) FILTER (status = 'lost') AS lost_value,
           quantile_cont(days, 0.5) AS to_close, quantile_cont(days, 0.5) FILTER (status = 'won') AS to_win,
           quantile_cont(days, 0.5) FILTER (status = 'lost') AS to_lose
    FROM deals WHERE closed_then GROUP BY ALL
),
groups AS (SELECT grp FROM opened UNION SELECT grp FROM closed)
SELECT g.grp::VARCHAR AS "group", coalesce(o.opened, 0) AS opened, coalesce(o.still_open, 0) AS open,
       coalesce(c.won, 0) AS won, coalesce(c.lost, 0) AS lost,
       coalesce(o.open_value, 0) AS open_value, coalesce(c.won_value, 0) AS won_value, coalesce(c.lost_value, 0) AS lost_value,
       c.won / c.closed AS win_rate,
       c.to_close AS median_days_to_close, c.to_win AS median_days_to_win, c.to_lose AS median_days_to_lose
FROM groups g
LEFT JOIN opened o ON o.grp IS NOT DISTINCT FROM g.grp
LEFT JOIN closed c ON c.grp IS NOT DISTINCT FROM g.grp
ORDER BY g.grp NULLS LAST
"""
