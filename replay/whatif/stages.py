"""Deals' moves as they would have been with other stages, rewritten before they are folded.

A move between two stages that count as one is none: the stay goes on, and the next move leaves it. Whether a move went back is
judged anew where the order is another or stages were merged; elsewhere it stays as it was judged then.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import duckdb

from domain.event import Event
from domain.opportunities.events import (
    MoveEvent,
    OpportunityLost,
    OpportunityOpened,
    OpportunityReopened,
    OpportunityStageChanged,
    OpportunityWon,
)
from projections.sql import relation_of
from projections.values import Field, Value
from replay.whatif.ladders import Ladder

MOVES: Final[tuple[type[MoveEvent], ...]] = (OpportunityStageChanged, OpportunityWon, OpportunityLost, OpportunityReopened)
_OF_MOVES: Final = {
    Field(name)
    for name in (
        "opportunity_id",
        "pipeline_id",
        "from_stage",
        "to_stage",
        "move_no",
        "previous_move_no",
        "entered_from_stage_at",
        "backward",
    )
}
USED: Final[Mapping[type[Event], Collection[Value]]] = {
    OpportunityOpened: {Field(name) for name in ("opportunity_id", "pipeline_id", "stage", "move_no")},
    **dict.fromkeys(MOVES, _OF_MOVES),
}
"""What rewriting needs of each event."""

_STEP: Final = """
SELECT position, e_occurred_at, d_opportunity_id, d_move_no, {same} AS swallowed FROM temp.{relation} e {joins}
"""
_CHAIN: Final = """
CREATE OR REPLACE TEMP TABLE trial_chain AS
SELECT position, swallowed,
       CASE WHEN lag(swallowed) OVER way THEN max(d_move_no) FILTER (NOT swallowed) OVER before END AS previous_move_no,
       CASE WHEN lag(swallowed) OVER way THEN max_by(e_occurred_at, d_move_no) FILTER (NOT swallowed) OVER before END AS entered_at
FROM ({steps})
WINDOW way AS (PARTITION BY d_opportunity_id ORDER BY d_move_no, position),
       before AS (PARTITION BY d_opportunity_id ORDER BY d_move_no, position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
       deal AS (PARTITION BY d_opportunity_id)
QUALIFY count(*) FILTER (swallowed) OVER deal > 0
"""
_JOINS: Final = """
LEFT JOIN temp.trial_stages f ON f.pipeline_id = e.d_pipeline_id AND f.stage = e.d_from_stage
LEFT JOIN temp.trial_stages t ON t.pipeline_id = e.d_pipeline_id AND t.stage = e.d_to_stage
"""
_SWALLOWED: Final = "coalesce(e.d_from_stage <> e.d_to_stage AND f.counts_as = t.counts_as, FALSE)"
_MOVED: Final = f"""
SELECT e.* REPLACE (
    coalesce(f.counts_as, e.d_from_stage) AS d_from_stage, coalesce(t.counts_as, e.d_to_stage) AS d_to_stage,
    CASE WHEN f.judged OR t.judged THEN t.place < f.place ELSE e.d_backward END AS d_backward,
    coalesce(c.previous_move_no, e.d_previous_move_no) AS d_previous_move_no,
    coalesce(c.entered_at, e.d_entered_from_stage_at) AS d_entered_from_stage_at)
FROM temp.{{relation}} e {_JOINS} LEFT JOIN temp.trial_chain c ON c.position = e.position
WHERE NOT coalesce(c.swallowed, FALSE)
"""
_OPENED: Final = """
SELECT e.* REPLACE (coalesce(t.counts_as, e.d_stage) AS d_stage)
FROM temp.{relation} e LEFT JOIN temp.trial_stages t ON t.pipeline_id = e.d_pipeline_id AND t.stage = e.d_stage
"""


def rewritten(connection: duckdb.DuckDBPyConnection, ladders: Iterable[Ladder], types: Collection[str]) -> dict[str, str]:
    """By event type, the SELECT that has its events as they would have been; reads the typed relations of `connection`."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE trial_stages (pipeline_id UUID, stage VARCHAR, counts_as VARCHAR, place BIGINT, judged BOOLEAN)"
    )
    rows = [row for ladder in ladders for row in _rows(ladder)]
    if not rows:
        return {}
    connection.executemany("INSERT INTO temp.trial_stages VALUES (?, ?, ?, ?, ?)", rows)
    present = [event for event in (OpportunityOpened, *MOVES) if event.type in types]
    if not present:
        return {}
    connection.execute(_CHAIN.format(steps=" UNION ALL ".join(_step(event) for event in present)))
    return {event.type: (_OPENED if event is OpportunityOpened else _MOVED).format(relation=relation_of(event.type)) for event in present}


def _rows(ladder: Ladder) -> Iterable[tuple[str, str, str, int, bool]]:
    for stage, counts_as in ladder.counts_as.items():
        judged = ladder.reordered or counts_as in ladder.merged
        yield ladder.pipeline_id, stage, counts_as, ladder.names.index(counts_as), judged


def _step(event: type[Event]) -> str:
    moved = event is OpportunityStageChanged
    return _STEP.format(relation=relation_of(event.type), same=_SWALLOWED if moved else "FALSE", joins=_JOINS if moved else "")


def put_ladders(connection: duckdb.DuckDBPyConnection, ladders: Iterable[Ladder]) -> None:
    """Give the folded dimensions `pipelines` and `stages` the stages of the trial."""
    for ladder in ladders:
        connection.execute("UPDATE pipelines SET stages = ? WHERE pipeline_id = ?", [list(ladder.names), ladder.pipeline_id])
        connection.execute("DELETE FROM stages WHERE pipeline_id = ?", [ladder.pipeline_id])
        columns = ", ".join(ladder.stages[0])
        values = ", ".join("?" for _ in ladder.stages[0])
        connection.executemany(f"INSERT INTO stages ({columns}) VALUES ({values})", [list(stage.values()) for stage in ladder.stages])
