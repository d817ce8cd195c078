"""The weighted pipeline: what the open deals are worth, stage by stage, times how likely it is that deals there are won."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from domain.values import in_ten_thousandths
from readmodels.asking import Facts

FOLDS: Final = ("opportunities", "pipelines", "stages")
"""The facts that are asked."""
PER_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted:
    """The open deals of one open stage; `weighted_value` is `open_value` times `probability` (per cent), rounded half-even to 0.0001."""

    stage: str
    label: str
    probability: int
    open_deals: int
    open_value: Decimal
    weighted_value: Decimal


_STAGES: Final = """
WITH deals AS (
    SELECT stage, count(*) AS open_deals, sum(base_amount) AS open_value
    FROM opportunities WHERE pipeline_id = $pipeline_id AND status = 'open' GROUP BY stage
)
SELECT s.stage, s.label, s.probability, coalesce(d.open_deals, 0) AS open_deals, coalesce(d.open_value, 0) AS open_value
FROM stages s JOIN pipelines p USING (pipeline_id) LEFT JOIN deals d USING (stage)
WHERE s.pipeline_id = $pipeline_id AND s.status = 'open' AND (NOT s.retired OR d.open_deals > 0)
ORDER BY list_position(p.stages, s.stage)
"""


def weighted(facts: Facts, pipeline_id: str) -> list[Weighted]:
    """The open stages of a pipeline in their order; a retired one is there while deals are in it."""
    return [
        Weighted(**row, weighted_value=in_ten_thousandths(Decimal(row["open_value"]) * row["probability"] * PER_CENT))
        for row in facts.rows(_STAGES, {"pipeline_id": pipeline_id})
    ]
