"""A pipeline's life: it is defined with its stages; stages are added, renamed, moved, given other terms and retired."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domain.errors import CorruptHistory, NotFound, RuleViolation
from domain.event import Event
from domain.pipelines.events import (
    PipelineDefined,
    PipelineRenamed,
    StageAdded,
    StageMoved,
    StageRenamed,
    StageRetired,
    StageTermsChanged,
)
from domain.rules import Rules
from domain.values import ExternalId

OPEN, WON, LOST = "open", "won", "lost"
STATUSES = (OPEN, WON, LOST)
MOST_STAGES = 50


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: `name` is what deals and events know it by and never changes, `label` is what people read."""

    name: str
    label: str
    status: str
    probability: int
    rotting_days: int | None
    retired: bool = False


@dataclass(frozen=True, slots=True)
class StageTerms:
    """What a new stage is to be: status `open`, `won` or `lost`, probability in per cent, days after which a deal rots."""

    name: str
    status: str = OPEN
    probability: int = 0
    rotting_days: int | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What decisions need to know of a pipeline; `stages` in their order, retired ones included."""

    id: UUID
    name: str
    stages: tuple[Stage, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The stages' names in their order."""
        return tuple(stage.name for stage in self.stages)

    def stage(self, name: str) -> Stage:
        """The stage of that name, retired or not. Raises NotFound `stage.unknown`."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise NotFound("stage.unknown", f"pipeline “{self.name}” has no stage “{name}”; it has {', '.join(s.name for s in self.stages)}")

    def place(self, name: str) -> int:
        """How far along the stage is, from 0. Raises NotFound `stage.unknown`."""
        return self.stages.index(self.stage(name))

    def first(self, status: str) -> Stage | None:
        """The first stage with that status that still takes deals, if there is one."""
        return next((stage for stage in self.stages if stage.status == status and not stage.retired), None)


def known(pipeline: Pipeline | None) -> Pipeline:
    """The pipeline, which must have been defined. Raises CorruptHistory."""
    if pipeline is None:
        raise CorruptHistory("history.no_start", "the pipeline's history does not begin with its definition")
    return pipeline


def evolve(pipeline: Pipeline | None, event: Event, _at: datetime) -> Pipeline:
    """The pipeline after `event`; when it happened makes no difference."""
    match event:
        case PipelineDefined():
            return Pipeline(event.pipeline_id, event.name)
        case PipelineRenamed():
            return replace(known(pipeline), name=event.name)
        case StageAdded():
            stages = list(known(pipeline).stages)
            stages.insert(event.place, Stage(event.stage, event.stage, event.status, event.probability, event.rotting_days))
            return replace(known(pipeline), stages=tuple(stages))
        case StageRenamed():
            return _with_stage(known(pipeline), event.stage, label=event.label)
        case StageMoved():
            stages = list(known(pipeline).stages)
            stages.insert(event.place, stages.pop(event.previous_place))
            return replace(known(pipeline), stages=tuple(stages))
        case StageTermsChanged():
            return _with_stage(known(pipeline), event.stage, probability=event.probability, rotting_days=event.rotting_days)
        case StageRetired():
            return _with_stage(known(pipeline), event.stage, retired=True)
        case _:
            raise CorruptHistory("history.foreign_event", f"{event.type} is not a pipeline event")


def _with_stage(pipeline: Pipeline, name: str, **changes: object) -> Pipeline:
    stages = tuple(replace(stage, **changes) if stage.name == name else stage for stage in pipeline.stages)  # type: ignore[arg-type]
    return replace(pipeline, stages=stages)


def define(
    pipeline: Pipeline | None, *, pipeline_id: UUID, name: str, stages: Sequence[StageTerms], external: ExternalId | None
) -> list[Event]:
    """Set a pipeline up with its stages in order."""
    if pipeline is not None:
        raise RuleViolation("pipeline.exists", "a pipeline with this id exists already; add stages to it instead")
    if not any(stage.status == OPEN for stage in stages):
        raise RuleViolation("pipeline.no_open_stage", "a pipeline needs at least one stage with status open")
    if len({stage.name for stage in stages}) != len(stages):
        raise RuleViolation("stage.exists", "two stages have the same name")
    if len(stages) > MOST_STAGES:
        raise RuleViolation("pipeline.too_many_stages", f"a pipeline has at most {MOST_STAGES} stages")
    for stage in stages:
        _check_terms(stage.status, stage.probability)
    defined = PipelineDefined(
        pipeline_id=pipeline_id,
        name=name,
        external_source=external.source if external else None,
        external_id=external.id if external else None,
    )
    names = tuple(stage.name for stage in stages)
    return [defined, *(_added(pipeline_id, names[:place], stage, place) for place, stage in enumerate(stages))]


def _added(pipeline_id: UUID, others: tuple[str, ...], stage: StageTerms, place: int) -> StageAdded:
    return StageAdded(
        pipeline_id=pipeline_id,
        stage=stage.name,
        place=place,
        stages=(*others[:place], stage.name, *others[place:]),
        status=stage.status,
        probability=stage.probability,
        rotting_days=stage.rotting_days,
    )


def _check_terms(status: str, probability: int) -> None:
    if status == WON and probability != 100:
        raise RuleViolation("stage.probability", "a stage with status won has a probability of 100")
    if status == LOST and probability != 0:
        raise RuleViolation("stage.probability", "a stage with status lost has a probability of 0")


def rename(pipeline: Pipeline, *, name: str) -> list[Event]:
    """Give the pipeline another name."""
    if pipeline.name == name:
        return []
    return [PipelineRenamed(pipeline_id=pipeline.id, name=name, previous_name=pipeline.name)]


def add_stage(pipeline: Pipeline, *, stage: StageTerms, place: int | None) -> list[Event]:
    """Put a new stage at `place` (from 0; at the end of the open stages when None)."""
    if any(other.name == stage.name for other in pipeline.stages):
        raise RuleViolation("stage.exists", f"the pipeline has a stage “{stage.name}” already")
    if len(pipeline.stages) >= MOST_STAGES:
        raise RuleViolation("pipeline.too_many_stages", f"a pipeline has at most {MOST_STAGES} stages")
    _check_terms(stage.status, stage.probability)
    if place is None:
        place = sum(other.status == OPEN for other in pipeline.stages) if stage.status == OPEN else len(pipeline.stages)
    if place > len(pipeline.stages):
        raise RuleViolation("stage.place", f"places go from 0 to {len(pipeline.stages)}")
    return [_added(pipeline.id, pipeline.names, stage, place)]


def rename_stage(pipeline: Pipeline, *, stage: str, label: str) -> list[Event]:
    """Give a stage another label."""
    current = pipeline.stage(stage)
    if current.label == label:
        return []
    return [StageRenamed(pipeline_id=pipeline.id, stage=stage, label=label, previous_label=current.label)]


def move_stage(pipeline: Pipeline, *, stage: str, place: int) -> list[Event]:
    """Give a stage another place in the order."""
    previous = pipeline.place(stage)
    if place >= len(pipeline.stages):
        raise RuleViolation("stage.place", f"places go from 0 to {len(pipeline.stages) - 1}")
    if place == previous:
        return []
    others = tuple(name for name in pipeline.names if name != stage)
    order = (*others[:place], stage, *others[place:])
    return [StageMoved(pipeline_id=pipeline.id, stage=stage, place=place, previous_place=previous, stages=order)]


def change_stage_terms(pipeline: Pipeline, *, stage: str, probability: int, rotting_days: int | None) -> list[Event]:
    """Give a stage another probability (per cent) and rotting time (days, None for never)."""
    current = pipeline.stage(stage)
    _check_terms(current.status, probability)
    if (current.probability, current.rotting_days) == (probability, rotting_days):
        return []
    return [
        StageTermsChanged(
            pipeline_id=pipeline.id,
            stage=stage,
            probability=probability,
            rotting_days=rotting_days,
            previous_probability=current.probability,
            previous_rotting_days=current.rotting_days,
        )
    ]


def retire_stage(pipeline: Pipeline, rules: Rules, *, stage: str, deals_go_to: str | None, deals_in_it: int) -> list[Event]:
    """Take a stage out of use; `deals_in_it` deals are in it now and go to `deals_go_to`."""
    current = pipeline.stage(stage)
    if current.retired:
        return []
    if deals_go_to is not None:
        successor = pipeline.stage(deals_go_to)
        rules.hold(
            not successor.retired and successor.name != stage and successor.status == current.status,
            "stage.no_successor",
            f"deals can only go to another stage in use with status {current.status}",
        )
    rules.hold(
        deals_go_to is not None or deals_in_it == 0,
        "stage.in_use",
        f"{deals_in_it} deals are in “{stage}”; say in `deals_go_to` which stage takes them",
    )
    others = [other for other in pipeline.stages if other.status == OPEN and not other.retired and other.name != stage]
    rules.hold(current.status != OPEN or others, "pipeline.no_open_stage", "a pipeline needs at least one stage with status open")
    return [StageRetired(pipeline_id=pipeline.id, stage=stage, deals_go_to=deals_go_to, deals_moved=deals_in_it if deals_go_to else 0)]
