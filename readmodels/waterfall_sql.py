"""The waterfall's question in SQL on the facts; docs/figures.md says in words what it counts."""

from typing import Final

LATEST: Final = "arg_max({column}, position) {past} AS {column}"
"""A deal's state after some of its events: each column is what the one with the greatest position says, as everywhere."""
SEAT: Final = "CASE WHEN owner_id IS NOT NULL THEN struct_pack(owner_id := owner_id, team := team) END AS seat"

_PLACE: Final = """
    base_amount, status, pipeline_id IS NOT NULL AS opened, opened AND status = 'open' AS is_open,
    coalesce({window}, FALSE) AS in_window, coalesce({filters}, FALSE) AS chosen, {group} AS grp, is_open AND in_window AND chosen AS here
"""

ENTRIES: Final = f"""
WITH said AS (
    SELECT opportunity_id, position, {{clock}} AS moment, {{said}} FROM opportunity_changes WHERE $until IS NULL OR {{clock}} < $until
),
before AS (SELECT opportunity_id, {{state}} FROM said WHERE moment < $since GROUP BY opportunity_id),
after AS (SELECT opportunity_id, {{state}} FROM said GROUP BY opportunity_id),
moments AS (
    SELECT opportunity_id, position, moment, {{state_by_then}}
    FROM said WHERE opportunity_id IN (SELECT opportunity_id FROM said WHERE moment >= $since)
    WINDOW past AS (PARTITION BY opportunity_id ORDER BY moment, position ROWS UNBOUNDED PRECEDING)
),
places AS (SELECT opportunity_id, position, moment, {_PLACE} FROM moments),
steps AS (
    SELECT *, coalesce(lag(opened) OVER past, FALSE) AS was_opened, coalesce(lag(is_open) OVER past, FALSE) AS was_open,
           coalesce(lag(in_window) OVER past, FALSE) AS was_in_window, coalesce(lag(here) OVER past, FALSE) AS was_here,
           lag(grp) OVER past AS was_grp, lag(base_amount) OVER past AS was_amount
    FROM places
    WINDOW past AS (PARTITION BY opportunity_id ORDER BY moment, position)
    QUALIFY moment >= $since
),
entries AS (
    SELECT opportunity_id, NULL::BIGINT AS position, grp, 'opening' AS bar, base_amount AS value
    FROM (SELECT opportunity_id, {_PLACE} FROM before) WHERE here
    UNION ALL
    SELECT opportunity_id, position, was_grp, CASE WHEN NOT is_open THEN status WHEN NOT in_window THEN 'pushed_out' ELSE 'transferred_out' END,
           -was_amount
    FROM steps WHERE was_here AND (NOT here OR grp IS DISTINCT FROM was_grp)
    UNION ALL
    SELECT opportunity_id, position, grp,
           CASE WHEN NOT was_opened THEN 'new' WHEN NOT was_open THEN 'reopened' WHEN NOT was_in_window THEN 'pulled_in'
                ELSE 'transferred_in' END,
           base_amount
    FROM steps WHERE here AND (NOT was_here OR grp IS DISTINCT FROM was_grp)
    UNION ALL
    SELECT opportunity_id, position, grp, CASE WHEN base_amount > was_amount THEN 'up' ELSE 'down' END, base_amount - was_amount
    FROM steps WHERE here AND was_here AND grp IS NOT DISTINCT FROM was_grp AND base_amount <> was_amount
    UNION ALL
    SELECT opportunity_id, NULL, grp, 'closing', base_amount FROM (SELECT opportunity_id, {_PLACE} FROM after) WHERE here
)
"""
"""One row for each deal that was there at the beginning or is at the end, and one for each time that an event moved the pipeline."""

BARS: Final = f"""
{ENTRIES}
SELECT grp::VARCHAR AS "group", bar, sum(value) AS value, count(*) AS times, count(DISTINCT opportunity_id) AS deals
FROM entries GROUP BY ALL ORDER BY "group" NULLS LAST
"""

DEALS: Final = f"""
{ENTRIES},
found AS (
    SELECT opportunity_id, grp::VARCHAR AS "group", sum(value) AS value, count(*) AS times,
           coalesce(list(position ORDER BY position) FILTER (position IS NOT NULL), []) AS positions
    FROM entries WHERE bar = $bar AND {{of_group}} GROUP BY ALL
)
SELECT f.opportunity_id::VARCHAR AS opportunity_id, o.name, o.customer_id::VARCHAR AS customer_id, f."group", f.value, f.times, f.positions
FROM found f LEFT JOIN opportunities o USING (opportunity_id)
WHERE {{beyond}}
ORDER BY abs(f.value) DESC, f.opportunity_id, f."group" NULLS FIRST
LIMIT $limit
"""
