"""Other stages: the figures are those that the same business would have had in a pipeline with these stages."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from itertools import count
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from domain.errors import NotFound
from projections import history as past
from readmodels.asking import asked
from readmodels.funnel import Question, funnels
from readmodels.weighted import weighted
from replay.moments import Moment
from replay.past import Pasts, whole
from replay.whatif.errors import TrialRefused
from replay.whatif.trial import StageChange, Trial
from replay.whatif.trying import STAGE_FIGURES, try_out
from tests.commands.orders import order
from tests.readmodels.folding import Company, company
from tests.readmodels.histories import STAGES, Act, History, ext, histories
from tests.replay.whatif.trials import NOW, apart, as_promised_now, comparison, facts_of, new_of, old_of, tried

numbers = count()
MERGES = [{}, {"Talk": "Offer"}, {"Lead": "Offer", "Renewed": "Signed"}, {"Talk": "Open", "Offer": "Open"}, {"Talk": "Chat"}]
PLAIN = ["Lead", "Talk", "Offer", "Signed", "Renewed", "Dropped"]


@pytest.fixture(scope="module")
def firm() -> Iterator[Company]:
    stages = [{"name": stage, "status": STAGES[stage]} for stage in PLAIN]
    with company() as opened:
        opened.give(order("define_pipeline", pipeline_id=ext("tried"), name="tried", stages=stages))
        yield opened


def tell(firm: Company, history: History) -> str:
    """Tell the history; the name of its pipeline."""
    tag = f"p{next(numbers)}"
    firm.try_all(history.orders(tag))
    return tag


def without_retiring(history: History) -> History:
    return replace(history, acts=[act for act in history.acts if act.name != "retire_stage"])


def with_stages(history: History, count_as: Mapping[str, str], stages: list[str]) -> History:
    """The same business in a pipeline with other stages."""
    openings = [(hour, count_as.get(stage, stage), *others) for hour, stage, *others in history.openings]
    return History(stages, openings, [_with_stage(act, count_as) for act in history.acts])  # type: ignore[arg-type]


def _with_stage(act: Act, count_as: Mapping[str, str]) -> Act:
    said = tuple((name, count_as.get(value, value) if name in ("stage", "to_stage") else value) for name, value in act.said)
    return replace(act, said=said)


def there_and_back(tag: str) -> list[StageChange]:
    """A mapping and its inverse."""
    there, back = {"Talk": "X", "Offer": "Y"}, {"X": "Talk", "Y": "Offer"}
    return [StageChange(pipeline=tag, count_as=there), StageChange(pipeline=tag, count_as=back)]


@given(history=histories)
@settings(max_examples=10, phases=[Phase.explicit, Phase.generate])
def test_a_trial_that_changes_nothing_gives_todays_figures_and_touches_nothing(firm: Company, history: History) -> None:
    tag = tell(firm, history)
    before = facts_of(firm)
    here = StageChange(pipeline=tag)
    swapped_twice = [StageChange(pipeline=tag, count_as={"Lead": "Offer", "Offer": "Lead"})] * 2
    for stages in ([here], there_and_back(tag), swapped_twice):
        outcome = tried(firm, Trial(stages=stages, promises=as_promised_now()))
        assert apart(outcome) == []
        assert {each.name for each in outcome.comparisons} == {"funnel", "weighted", "targets"}
    assert facts_of(firm) == before


@given(history=histories)
@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_a_trial_can_be_made_of_what_was_known_at_another_moment(firm: Company, history: History) -> None:
    tag = tell(firm, history)
    told = [event for event in firm.events if event.type.startswith("opportunity.")]
    moment = Moment(known_at=datetime.fromisoformat(told[-1 - len(history.acts) // 2].recorded_at))
    trial = Trial(stages=there_and_back(tag), promises=as_promised_now())
    every = past.History(firm.books.log)
    with closing(Pasts(every)) as pasts, pasts.facts(moment, whole(trial.reads)) as store, asked(store) as today:
        outcome = try_out(trial, today, every, seconds=60, now=NOW, only=moment.condition)
    assert apart(outcome) == []
    assert {each.name for each in outcome.comparisons} == {"funnel", "weighted", "targets"}


@given(
    history=histories.map(without_retiring),
    merge=st.sampled_from(MERGES),
    order_by=st.none() | st.randoms(use_true_random=False),
)
@settings(max_examples=30, phases=[Phase.explicit, Phase.generate])
def test_the_figures_are_those_of_the_same_business_in_such_a_pipeline(
    firm: Company, history: History, merge: dict[str, str], order_by: Random | None
) -> None:
    tag = tell(firm, history)
    names = _kept(history.stages, merge)
    if order_by is not None:
        order_by.shuffle(names)
    statuses = {merge.get(stage, stage): status for stage, status in STAGES.items()}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.readmodels.histories.STAGES", statuses)
        other = tell(firm, with_stages(history, merge, names))
    change = StageChange(pipeline=tag, count_as=merge, order=names if order_by is not None else None)
    found = comparison(firm, Trial(stages=[change]), "funnel", tag)
    with firm.facts() as facts:
        [other_id] = [
            row["id"] for row in facts.rows("SELECT pipeline_id::VARCHAR AS id FROM pipelines WHERE name = $name", {"name": other})
        ]
        [wanted] = funnels(facts, Question(pipeline_id=other_id))
    assert new_of(found) == {(row.stage,): {name: getattr(row, name) for name in STAGE_FIGURES} for row in wanted.stages}


def _kept(stages: list[str], merge: Mapping[str, str]) -> list[str]:
    """The stages that are left, where they stand: one with the name of its group there, or the first of the group."""
    kept: list[str] = []
    for stage in stages:
        name = merge.get(stage, stage)
        first = next(other for other in stages if merge.get(other, other) == name)
        if stage == (name if name in stages else first):
            kept.append(name)
    return kept


def deal(*acts: Act) -> History:
    return History(PLAIN, [(0, "Lead", 0, 0, "10")], list(acts))


def moved(hour: int, stage: str) -> Act:
    return Act(0, "move_opportunity", hour, (("to_stage", stage),))


def test_a_move_within_a_merged_stage_is_none_and_the_stay_goes_on(firm: Company) -> None:
    tag = tell(firm, deal(moved(24, "Talk"), moved(48, "Offer"), moved(72, "Talk"), moved(96, "Lead")))
    found = comparison(firm, Trial(stages=[StageChange(pipeline=tag, count_as={"Talk": "Offer"})]), "funnel", tag)
    offer = new_of(found)["Offer",]
    assert offer is not None
    assert (offer["visited"], offer["median_days"], offer["back_moves"]) == (1, 3.0, 1)
    assert ("Talk",) not in new_of(found)
    assert old_of(found)["Talk",]["back_moves"] == 1  # type: ignore[index]


def test_probabilities_make_another_weighted_pipeline(firm: Company) -> None:
    stages = [{"name": "Lead", "probability": 10}, {"name": "Offer", "probability": 50}, {"name": "Won", "status": "won"}]
    keys = {"customer_id": ext("weigher"), "pipeline_id": ext("weighed")}
    firm.give(
        order("define_pipeline", pipeline_id=ext("weighed"), name="Weighed", stages=stages),
        order("register_customer", customer_id=ext("weigher"), name="Weigher"),
        *(
            order("open_opportunity", opportunity_id=ext(f"w{amount}"), **keys, stage=stage, name="Deal", amount=amount, owner_id="ana")
            for stage, amount in (("Lead", "100"), ("Offer", "30"), ("Offer", "10.10"))
        ),
    )
    change = StageChange(pipeline="Weighed", probability={"Offer": 75})
    found = comparison(firm, Trial(stages=[change]), "weighted", "Weighed")
    rows = {row.key[0]: row for row in found.rows}
    assert [(str(row.old and row.old["weighted_value"]), str(row.new and row.new["weighted_value"])) for row in rows.values()] == [
        ("10.0000", "10.0000"),
        ("20.0500", "30.0750"),
        ("30.0500", "40.0750"),
    ]
    assert str(rows["all"].difference["weighted_value"]) == "10.0250"
    with firm.facts() as facts:
        assert [
            row.probability
            for row in weighted(facts, facts.rows("SELECT pipeline_id AS id FROM pipelines WHERE name = 'Weighed'", {})[0]["id"])
        ] == [
            10,
            50,
        ]


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        (StageChange(pipeline="nowhere"), NotFound, "pipeline.unknown"),
        (StageChange(count_as={"Nothing": "Lead"}), NotFound, "stage.unknown"),
        (StageChange(pipeline="tried", count_as={"Nothing": "Lead"}), NotFound, "stage.unknown"),
        (StageChange(pipeline="tried", probability={"Nothing": 3}), NotFound, "stage.unknown"),
        (StageChange(pipeline="tried", count_as={"Offer": "Signed"}), TrialRefused, "whatif.stage_status"),
        (StageChange(pipeline="tried", order=["Lead"]), TrialRefused, "whatif.stage_order"),
        (StageChange(pipeline="tried", order=[*PLAIN, "Lead"]), TrialRefused, "whatif.stage_order"),
    ],
)
def test_what_does_not_fit_the_pipelines_is_refused(
    firm: Company, change: StageChange, error: type[NotFound | TrialRefused], code: str
) -> None:
    with pytest.raises(error) as caught:
        tried(firm, Trial(stages=[change]))
    assert caught.value.code == code
