"""What can have happened to a pipeline."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineEvent(Event):
    """The fields of every pipeline event."""

    stream: ClassVar[str] = "pipeline_id"
    pipeline_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDefined(PipelineEvent):
    """A pipeline was set up; its stages follow as events of their own."""

    type: ClassVar[str] = "pipeline.defined"
    name: str
    external_source: str | None
    external_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRenamed(PipelineEvent):
    """The pipeline got another name."""

    type: ClassVar[str] = "pipeline.renamed"
    name: str
    previous_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageAdded(PipelineEvent):
    """A stage was put at `place` (from 0); later stages moved one further."""

    type: ClassVar[str] = "pipeline.stage_added"
    stage: str
    place: int
    stages: tuple[str, ...]
    """All stages of the pipeline in their order afterwards."""
    status: str
    probability: int
    """Per cent, 0 to 100."""
    rotting_days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRenamed(PipelineEvent):
    """A stage got another label; `stage` stays the name that events and deals know it by."""

    type: ClassVar[str] = "pipeline.stage_renamed"
    stage: str
    label: str
    previous_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMoved(PipelineEvent):
    """A stage changed its place in the order."""

    type: ClassVar[str] = "pipeline.stage_moved"
    stage: str
    place: int
    previous_place: int
    stages: tuple[str, ...]
    """All stages of the pipeline in their order afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTermsChanged(PipelineEvent):
    """A stage's probability or rotting time changed."""

    type: ClassVar[str] = "pipeline.stage_terms_changed"
    stage: str
    probability: int
    rotting_days: int | None
    previous_probability: int
    previous_rotting_days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRetired(PipelineEvent):
    """A stage takes no more deals; those that were in it went to `deals_go_to`."""

    type: ClassVar[str] = "pipeline.stage_retired"
    stage: str
    deals_go_to: str | None
    deals_moved: int


EVENTS = (PipelineDefined, PipelineRenamed, StageAdded, StageRenamed, StageMoved, StageTermsChanged, StageRetired)
