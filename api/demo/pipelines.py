"""The two pipelines of the company, and how they change over two years: new business and renewals."""

from datetime import datetime, timedelta

from api.demo.agenda import Life
from api.demo.records import Pipeline, Stage
from api.demo.world import World

INQUIRY, QUALIFIED, DEMO, PROPOSAL, REVIEW, NEGOTIATION = (
    "Inquiry",
    "Qualified",
    "Demonstration",
    "Proposal",
    "Security review",
    "Negotiation",
)
ADMINISTRATOR = "user:sales.operations"
UPCOMING, CONTACTED, OFFERED = "Coming up", "Contacted", "Offer sent"


def new_business() -> list[Stage]:
    """The stages that new business goes through at the beginning."""
    return [
        Stage(INQUIRY, 10, 3.5, 0.72, "inquiry", 0.9, 14),
        Stage(QUALIFIED, 20, 8.0, 0.73, "needs", 1.3, 30),
        Stage(DEMO, 35, 11.0, 0.80, "demo", 1.0, 35),
        Stage(PROPOSAL, 50, 13.0, 0.78, "offer", 1.3, 45),
        Stage(REVIEW, 65, 9.0, 0.93, "offer", 0.5, 30),
        Stage(NEGOTIATION, 75, 9.0, 0.85, "negotiation", 1.2, 30),
    ]


def renewals() -> list[Stage]:
    """The stages that renewals go through."""
    return [
        Stage(UPCOMING, 70, 24.0, 0.985, "renewal", 0.1, 60),
        Stage(CONTACTED, 80, 16.0, 0.95, "renewal", 0.9, 45),
        Stage(OFFERED, 90, 12.0, 0.93, "renewal", 0.7, 30),
    ]


def defined(world: World, name: str, stages: list[Stage], *, won: str, lost: str) -> Pipeline:
    """Set a pipeline up."""
    pipeline = Pipeline(world.new_id(), name, won, lost, stages)
    opened = [{"name": stage.name, "probability": stage.probability, "rotting_days": stage.rotting_days} for stage in stages]
    closed = [{"name": won, "status": "won"}, {"name": lost, "status": "lost"}]
    world.ask("define_pipeline", ADMINISTRATOR, {"pipeline_id": pipeline.id, "name": name, "stages": [*opened, *closed]})
    return pipeline


def changes(world: World) -> Life:
    """What sales operations changes in two years: order, labels, odds and names, and midway the security review ends."""
    new, renewing = world.new_business, world.renewals
    yield _morning(world, 0.12)
    world.ask("move_stage", ADMINISTRATOR, {"pipeline_id": new.id, "stage": new.lost, "place": len(new.stages)})
    yield _morning(world, 0.27)
    world.ask("rename_stage", ADMINISTRATOR, {"pipeline_id": new.id, "stage": DEMO, "label": "Demonstration / trial"})
    yield _morning(world, 0.34)
    world.ask("change_stage_terms", ADMINISTRATOR, {"pipeline_id": new.id, "stage": NEGOTIATION, "probability": 80, "rotting_days": 25})
    yield _morning(world, 0.45)
    world.ask("rename_pipeline", ADMINISTRATOR, {"pipeline_id": renewing.id, "name": "Renewals and extensions"})
    yield _morning(world, 0.52)
    _end_review(world, new)


def _morning(world: World, share: float) -> datetime:
    day = world.seasons.part(share)
    return max(world.now, datetime(day.year, day.month, day.day, 7, 30, tzinfo=world.now.tzinfo)) + timedelta(
        minutes=world.chance.whole(0, 40)
    )


def _end_review(world: World, pipeline: Pipeline) -> None:
    """The security review becomes part of the negotiation: the stage is retired, and the deals in it go there."""
    world.ask("retire_stage", ADMINISTRATOR, {"pipeline_id": pipeline.id, "stage": REVIEW, "deals_go_to": NEGOTIATION})
    negotiation = next(stage for stage in pipeline.stages if stage.name == NEGOTIATION)
    pipeline.stages = [stage for stage in pipeline.stages if stage.name != REVIEW]
    for deal in pipeline.deals.values():
        if deal.stage.name == REVIEW:
            deal.stage, deal.entered_at = negotiation, world.now
