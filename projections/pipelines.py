"""Pipelines and their stages: small dimensions, in both homes."""

from typing import Final

from domain.pipelines.events import (
    PipelineDefined,
    PipelineRenamed,
    StageAdded,
    StageMoved,
    StageRenamed,
    StageRetired,
    StageTermsChanged,
)
from projections.fold import BOTH, Fold
from projections.rules import first, latest, latest_of
from projections.values import OCCURRED_AT, POSITION, Const

PIPELINES: Final = Fold(
    "pipelines",
    homes=BOTH,
    key="pipeline_id",
    columns={
        "name": latest("name", PipelineDefined, PipelineRenamed),
        "defined_at": first(OCCURRED_AT, PipelineDefined),
        "external_source": first("external_source", PipelineDefined),
        "external_id": first("external_id", PipelineDefined),
    },
)

STAGES: Final = Fold(
    "stages",
    homes=BOTH,
    key=("pipeline_id", "stage"),
    columns={
        "label": latest_of({StageAdded: "stage", StageRenamed: "label"}),
        "status": latest("status", StageAdded),
        "probability": latest("probability", StageAdded, StageTermsChanged),
        "rotting_days": latest("rotting_days", StageAdded, StageTermsChanged),
        "retired": latest_of({StageAdded: Const(value=False), StageRetired: Const(value=True)}),
        "deals_go_to": latest_of({StageAdded: Const(None), StageRetired: "deals_go_to"}),
        "added_at": first(OCCURRED_AT, StageAdded),
    },
)

STAGE_PLACEMENTS: Final = Fold(
    "stage_placements",
    homes=BOTH,
    key={"position": POSITION},
    columns={
        "pipeline_id": first("pipeline_id", StageAdded, StageMoved),
        "stage": first("stage", StageAdded, StageMoved),
        "place": first("place", StageAdded, StageMoved),
        "previous_place": first("previous_place", StageMoved),
        "occurred_at": first(OCCURRED_AT, StageAdded, StageMoved),
    },
    indexes=[["pipeline_id"]],
)
"""Each time a stage was put into a place: taken out of `previous_place` (None when it is new) and put in at `place`, which
shifts those behind it. Done in the order of positions this gives the order of stages, now or as of any moment."""

FOLDS: Final = (PIPELINES, STAGES, STAGE_PLACEMENTS)
