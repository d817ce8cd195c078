"""How pipelines may be set up and changed."""

from uuid import UUID

from domain.pipelines import pipeline
from domain.pipelines.events import (
    PipelineDefined,
    PipelineRenamed,
    StageAdded,
    StageMoved,
    StageRenamed,
    StageRetired,
    StageTermsChanged,
)
from domain.pipelines.pipeline import StageTerms
from tests.domain.given import given

ID = UUID(int=1)
DEFINED = PipelineDefined(pipeline_id=ID, name="Sales", external_source=None, external_id=None)


def added(
    stage: str, place: int, status: str = "open", probability: int = 0, *, others: tuple[str, ...] = ("Lead", "Offer", "Won", "Lost")
) -> StageAdded:
    stages = (*others[:place], stage, *others[place:])
    return StageAdded(pipeline_id=ID, stage=stage, place=place, stages=stages, status=status, probability=probability, rotting_days=None)


SALES = (
    DEFINED,
    added("Lead", 0, others=()),
    added("Offer", 1, others=("Lead",)),
    added("Won", 2, "won", 100, others=("Lead", "Offer")),
    added("Lost", 3, "lost", others=("Lead", "Offer", "Won")),
)
TERMS = [StageTerms("Lead"), StageTerms("Offer"), StageTerms("Won", "won", 100), StageTerms("Lost", "lost")]


def test_a_pipeline_is_defined_with_its_stages_in_order() -> None:
    given(pipeline.evolve).when(pipeline.define, pipeline_id=ID, name="Sales", stages=TERMS, external=None).then(*SALES)


def test_a_pipeline_is_defined_once() -> None:
    given(pipeline.evolve, *SALES).when(pipeline.define, pipeline_id=ID, name="Sales", stages=TERMS, external=None).refused(
        "pipeline.exists"
    )


def test_a_pipeline_needs_an_open_stage() -> None:
    define = given(pipeline.evolve)
    define.when(pipeline.define, pipeline_id=ID, name="x", stages=TERMS[2:], external=None).refused("pipeline.no_open_stage")


def test_two_stages_never_share_a_name() -> None:
    stages = [StageTerms("Lead"), StageTerms("Lead")]
    given(pipeline.evolve).when(pipeline.define, pipeline_id=ID, name="x", stages=stages, external=None).refused("stage.exists")
    given(pipeline.evolve, *SALES).when(pipeline.add_stage, stage=StageTerms("Offer"), place=None).refused("stage.exists")


def test_a_stage_that_means_won_is_certain_and_one_that_means_lost_is_hopeless() -> None:
    for terms in (StageTerms("Won", "won", 90), StageTerms("Lost", "lost", 1)):
        given(pipeline.evolve, *SALES).when(pipeline.add_stage, stage=StageTerms("x", terms.status, terms.probability), place=0).refused(
            "stage.probability"
        )


def test_a_new_open_stage_goes_behind_the_open_ones_unless_a_place_is_given() -> None:
    given(pipeline.evolve, *SALES).when(pipeline.add_stage, stage=StageTerms("Talk"), place=None).then(added("Talk", 2))
    given(pipeline.evolve, *SALES).when(pipeline.add_stage, stage=StageTerms("Talk"), place=1).then(added("Talk", 1))
    given(pipeline.evolve, *SALES).when(pipeline.add_stage, stage=StageTerms("Talk"), place=5).refused("stage.place")


def test_renaming_a_stage_changes_its_label_and_not_the_name_that_deals_know() -> None:
    renamed = StageRenamed(pipeline_id=ID, stage="Offer", label="Proposal", previous_label="Offer")
    history = given(pipeline.evolve, *SALES)
    history.when(pipeline.rename_stage, stage="Offer", label="Proposal").then(renamed)
    after = given(pipeline.evolve, *SALES, renamed)
    after.when(pipeline.rename_stage, stage="Offer", label="Proposal").nothing()
    assert after.state.stage("Offer").label == "Proposal"


def test_moving_a_stage_changes_the_order() -> None:
    moved = StageMoved(pipeline_id=ID, stage="Offer", place=0, previous_place=1, stages=("Offer", "Lead", "Won", "Lost"))
    given(pipeline.evolve, *SALES).when(pipeline.move_stage, stage="Offer", place=0).then(moved)
    after = given(pipeline.evolve, *SALES, moved)
    assert [stage.name for stage in after.state.stages] == ["Offer", "Lead", "Won", "Lost"]
    after.when(pipeline.move_stage, stage="Offer", place=0).nothing()
    after.when(pipeline.move_stage, stage="Offer", place=4).refused("stage.place")
    after.when(pipeline.move_stage, stage="Nowhere", place=0).refused("stage.unknown")


def test_terms_change_with_what_they_were_before() -> None:
    changed = StageTermsChanged(
        pipeline_id=ID, stage="Offer", probability=40, rotting_days=30, previous_probability=0, previous_rotting_days=None
    )
    given(pipeline.evolve, *SALES).when(pipeline.change_stage_terms, stage="Offer", probability=40, rotting_days=30).then(changed)
    given(pipeline.evolve, *SALES, changed).when(pipeline.change_stage_terms, stage="Offer", probability=40, rotting_days=30).nothing()
    given(pipeline.evolve, *SALES).when(pipeline.change_stage_terms, stage="Won", probability=40, rotting_days=None).refused(
        "stage.probability"
    )


def test_retiring_a_stage_in_use_asks_where_its_deals_go() -> None:
    history = given(pipeline.evolve, *SALES)
    history.asked(pipeline.retire_stage, stage="Offer", deals_go_to=None, deals_in_it=2).refused("stage.in_use")
    retired = StageRetired(pipeline_id=ID, stage="Offer", deals_go_to="Lead", deals_moved=2)
    history.asked(pipeline.retire_stage, stage="Offer", deals_go_to="Lead", deals_in_it=2).then(retired)
    history.asked(pipeline.retire_stage, stage="Offer", deals_go_to="Won", deals_in_it=2).refused("stage.no_successor")
    given(pipeline.evolve, *SALES, retired).asked(pipeline.retire_stage, stage="Offer", deals_go_to="Lead", deals_in_it=0).nothing()


def test_an_unused_stage_retires_without_a_successor_but_never_the_last_open_one() -> None:
    retired = StageRetired(pipeline_id=ID, stage="Offer", deals_go_to=None, deals_moved=0)
    given(pipeline.evolve, *SALES).asked(pipeline.retire_stage, stage="Offer", deals_go_to=None, deals_in_it=0).then(retired)
    given(pipeline.evolve, *SALES, retired).asked(pipeline.retire_stage, stage="Lead", deals_go_to=None, deals_in_it=0).refused(
        "pipeline.no_open_stage"
    )


def test_a_retired_stage_stays_readable() -> None:
    retired = StageRetired(pipeline_id=ID, stage="Offer", deals_go_to=None, deals_moved=0)
    after = given(pipeline.evolve, *SALES, retired).state
    assert after.stage("Offer").retired
    assert after.place("Won") == 2


def test_a_pipeline_is_renamed_with_its_previous_name() -> None:
    renamed = PipelineRenamed(pipeline_id=ID, name="B2B", previous_name="Sales")
    given(pipeline.evolve, *SALES).when(pipeline.rename, name="B2B").then(renamed)
    given(pipeline.evolve, *SALES, renamed).when(pipeline.rename, name="B2B").nothing()
