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
from projections.values import OCCURRED_AT, Const

PIPELINES: Final = Fold(
    "pipelines",
    homes=BOTH,
    key="pipeline_id",
    columns={
        "name": latest("name", PipelineDefined, PipelineRenamed),
        "stages": latest("stages", StageAdded, StageMoved),
        "defined_at": first(OCCURRED_AT, PipelineDefined),
        "external_source": first("external_source", PipelineDefined),
        "external_id": first("external_id", PipelineDefined),
    },
)
"""`stages` are the names of all its stages, retired ones too, in their order."""

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

FOLDS: Final = (PIPELINES, STAGES)
