"""The funnel agrees with going through the events one by one, whatever was reported."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import date
from itertools import count, product
from uuid import uuid4

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from domain.errors import NotFound
from readmodels.asking import Facts
from readmodels.funnel import By, Question, View, funnels
from tests.readmodels.deals import Told, expected, expected_totals, same, told
from tests.readmodels.folding import Company, company
from tests.readmodels.histories import Act, History, histories

numbers = count()
PERIODS = [(None, None), (date(2024, 3, 1), None), (date(2024, 2, 10), date(2024, 9, 1)), (None, date(2024, 1, 20))]
FILTERS = [{}, {"owner_id": "ana"}, {"team": "south"}, {"segment": "Retail"}, {"source": "web"}, {"product": "Alpha"}]


@pytest.fixture(scope="module")
def firm() -> Iterator[Company]:
    with company() as opened:
        yield opened


def pipeline_of(firm: Company, history: History) -> str:
    """Tell the history; the id of its pipeline."""
    tag = f"p{next(numbers)}"
    first, *others = history.orders(tag)
    [defined] = firm.books.dispatcher.execute([first])
    firm.try_all(others)
    return str(defined.stream_id)  # type: ignore[union-attr]


def check(facts: Facts, book: Told, question: Question) -> None:
    """The answer is what the events say, and no share is over one."""
    [answer] = funnels(facts, question)
    rows = {(row.group, row.stage): asdict(row) for row in answer.stages}
    wanted = expected(book, question)
    assert rows.keys() == wanted.keys(), question
    assert {key: list(same(rows[key], row)) for key, row in wanted.items() if list(same(rows[key], row))} == {}, question
    totals = {row.group: asdict(row) for row in answer.totals}
    wanted_totals = expected_totals(book, question)
    assert totals.keys() == wanted_totals.keys(), question
    assert [list(same(totals[key], row)) for key, row in wanted_totals.items() if list(same(totals[key], row))] == [], question
    for row in answer.stages:
        assert all(share is None or 0 <= share <= 1 for share in (row.step_rate, row.overall_rate))
        assert row.converted <= row.reached or question.view is View.ACTIVITY


@given(history=histories, pick=st.integers(0, len(PERIODS) * len(FILTERS) - 1))
@settings(max_examples=12, phases=[Phase.explicit, Phase.generate])  # no shrinking: each example is folded and asked 44 ways
def test_every_figure_is_what_the_events_say(firm: Company, history: History, pick: int) -> None:
    pipeline_id = pipeline_of(firm, history)
    book = told(event for event in firm.events)
    since, until = PERIODS[pick % len(PERIODS)]
    plain = Question(pipeline_id=pipeline_id)
    asked = replace(plain, since=since, until=until, **FILTERS[pick % len(FILTERS)])
    with firm.facts() as facts:
        for view, by in product(View, By):
            check(facts, book, replace(plain, view=view, by=by))
            check(facts, book, replace(asked, view=view, by=by))


def history(*acts: Act, stage: str = "Lead") -> History:
    """One deal of 10, opened in `stage` on 15 January 2024, and what happened to it; the stages in their usual order."""
    return History(["Lead", "Talk", "Offer", "Signed", "Renewed", "Dropped"], [(0, stage, 0, 0, "10")], list(acts))


def moved(hour: int, stage: str) -> Act:
    return Act(0, "move_opportunity", hour, (("to_stage", stage),))


def won(hour: int) -> Act:
    return Act(0, "win_opportunity", hour, (("stage", "Signed"),))


def lost(hour: int) -> Act:
    return Act(0, "lose_opportunity", hour, (("reason", "price"),))


def test_a_deal_that_comes_back_to_a_stage_counts_there_once(firm: Company) -> None:
    pipeline_id = pipeline_of(firm, history(moved(24, "Talk"), moved(48, "Lead"), moved(72, "Talk"), moved(96, "Offer")))
    with firm.facts() as facts:
        [answer] = funnels(facts, Question(pipeline_id=pipeline_id))
    rows = {row.stage: row for row in answer.stages}
    assert [rows[stage].reached for stage in ("Lead", "Talk", "Offer")] == [1, 1, 1]
    assert rows["Lead"].median_days == 2.0
    assert rows["Talk"].back_moves == 1


def test_a_lost_deal_stays_in_the_stages_that_it_reached_and_is_lost_from_its_last_one(firm: Company) -> None:
    pipeline_id = pipeline_of(firm, history(moved(24, "Talk"), lost(48)))
    with firm.facts() as facts:
        [answer] = funnels(facts, Question(pipeline_id=pipeline_id))
    rows = {row.stage: row for row in answer.stages}
    assert [(rows[s].reached, rows[s].lost_from, rows[s].now_in) for s in ("Lead", "Talk", "Dropped")] == [(1, 0, 0), (1, 1, 0), (1, 0, 1)]


def test_a_deal_that_skips_stages_on_its_way_to_being_won_has_come_through_them(firm: Company) -> None:
    pipeline_id = pipeline_of(firm, history(won(24)))
    with firm.facts() as facts:
        [answer] = funnels(facts, Question(pipeline_id=pipeline_id))
    rows = {row.stage: row for row in answer.stages}
    assert [(rows[s].reached, rows[s].visited) for s in ("Lead", "Talk", "Offer", "Signed")] == [(1, 1), (1, 0), (1, 0), (1, 1)]
    assert rows["Signed"].overall_rate == 1.0


def test_a_deal_reported_won_twice_is_won_once(firm: Company) -> None:
    pipeline_id = pipeline_of(firm, history(won(24), won(48)))
    with firm.facts() as facts:
        for view in View:
            [answer] = funnels(facts, Question(pipeline_id=pipeline_id, view=view))
            [totals] = answer.totals
            assert (totals.won, totals.won_value, totals.win_rate) == (1, 10, 1.0)


def test_a_pipeline_that_is_not_there_is_not_found(firm: Company) -> None:
    with firm.facts() as facts, pytest.raises(NotFound) as caught:
        funnels(facts, Question(pipeline_id=str(uuid4())))
    assert caught.value.code == "pipeline.unknown"


def test_without_a_pipeline_there_is_one_funnel_for_each(firm: Company) -> None:
    pipeline_of(firm, history())
    pipeline_of(firm, history())
    with firm.facts() as facts:
        assert len(funnels(facts, Question())) == facts.rows("SELECT count(*) AS n FROM pipelines", {})[0]["n"]
