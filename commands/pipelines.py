"""Commands on pipelines: define them and change their stages."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from commands.command import Command, Percent, PipelineRef, ShortText
from commands.context import Context
from commands.records import OPPORTUNITY, PIPELINE
from commands.registry import handles
from domain.opportunities import moves
from domain.pipelines import pipeline
from domain.pipelines.pipeline import StageTerms

RottingDays = Annotated[int, Field(ge=1, le=3650)]
Place = Annotated[int, Field(ge=0, le=100)]
DEALS_OF_PIPELINE = "opportunity.pipeline"


class StageDefinition(BaseModel):
    """A stage: its name for ever, whether deals in it are open, won or lost, and how likely they are to be won."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: ShortText
    status: Literal["open", "won", "lost"] = "open"
    probability: Percent | None = None
    """Per cent; 100 for won and 0 for lost, 0 for open unless given."""
    rotting_days: RottingDays | None = None

    @property
    def terms(self) -> StageTerms:
        """As the domain wants it."""
        probability = self.probability if self.probability is not None else 100 if self.status == "won" else 0
        return StageTerms(self.name, self.status, probability, self.rotting_days)


class DefinePipeline(Command):
    """Set a pipeline up with its stages, in order."""

    pipeline_id: PipelineRef | None = None
    name: ShortText
    stages: Annotated[tuple[StageDefinition, ...], Field(min_length=1, max_length=50)]


class RenamePipeline(Command):
    """Give a pipeline another name."""

    pipeline_id: PipelineRef
    name: ShortText


class AddStage(Command):
    """Add a stage to a pipeline, at a place (from 0) or after the last of its kind."""

    pipeline_id: PipelineRef
    stage: StageDefinition
    place: Place | None = None


class RenameStage(Command):
    """Give a stage another label; events and commands go on using its name."""

    pipeline_id: PipelineRef
    stage: ShortText
    label: ShortText


class MoveStage(Command):
    """Give a stage another place (from 0) in its pipeline."""

    pipeline_id: PipelineRef
    stage: ShortText
    place: Place


class ChangeStageTerms(Command):
    """Change a stage's probability (per cent) and the days after which a deal in it rots."""

    pipeline_id: PipelineRef
    stage: ShortText
    probability: Percent
    rotting_days: RottingDays | None = None


class RetireStage(Command):
    """Take a stage out of use and say where the deals that are in it go."""

    pipeline_id: PipelineRef
    stage: ShortText
    deals_go_to: ShortText | None = None


@handles
def define_pipeline(cmd: DefinePipeline, ctx: Context) -> None:
    pipeline_id = ctx.new(PIPELINE, cmd.pipeline_id)
    stages = [stage.terms for stage in cmd.stages]
    events = pipeline.define(
        ctx.get(PIPELINE, pipeline_id), pipeline_id=pipeline_id, name=cmd.name, stages=stages, external=ctx.external(cmd.pipeline_id)
    )
    ctx.record(PIPELINE, pipeline_id, events)


@handles
def rename_pipeline(cmd: RenamePipeline, ctx: Context) -> None:
    line = ctx.find(PIPELINE, cmd.pipeline_id)
    ctx.record(PIPELINE, line.id, pipeline.rename(line, name=cmd.name))


@handles
def add_stage(cmd: AddStage, ctx: Context) -> None:
    line = ctx.find(PIPELINE, cmd.pipeline_id)
    ctx.record(PIPELINE, line.id, pipeline.add_stage(line, stage=cmd.stage.terms, place=cmd.place))


@handles
def rename_stage(cmd: RenameStage, ctx: Context) -> None:
    line = ctx.find(PIPELINE, cmd.pipeline_id)
    ctx.record(PIPELINE, line.id, pipeline.rename_stage(line, stage=cmd.stage, label=cmd.label))


@handles
def move_stage(cmd: MoveStage, ctx: Context) -> None:
    line = ctx.find(PIPELINE, cmd.pipeline_id)
    ctx.record(PIPELINE, line.id, pipeline.move_stage(line, stage=cmd.stage, place=cmd.place))


@handles
def change_stage_terms(cmd: ChangeStageTerms, ctx: Context) -> None:
    line = ctx.find(PIPELINE, cmd.pipeline_id)
    events = pipeline.change_stage_terms(line, stage=cmd.stage, probability=cmd.probability, rotting_days=cmd.rotting_days)
    ctx.record(PIPELINE, line.id, events)


@handles
def retire_stage(cmd: RetireStage, ctx: Context) -> None:
    line = ctx.find(PIPELINE, cmd.pipeline_id)
    deals = [ctx.get(OPPORTUNITY, stream_id) for stream_id in ctx.linked(DEALS_OF_PIPELINE, str(line.id))]
    in_it = [deal for deal in deals if deal is not None and deal.stage == cmd.stage and not deal.closed]
    events = pipeline.retire_stage(line, ctx.rules, stage=cmd.stage, deals_go_to=cmd.deals_go_to, deals_in_it=len(in_it))
    if events and cmd.deals_go_to is not None:
        for deal in in_it:
            ctx.record(OPPORTUNITY, deal.id, moves.move(deal, ctx.rules, pipeline=line, to=cmd.deals_go_to, at=ctx.at))
    ctx.record(PIPELINE, line.id, events)
