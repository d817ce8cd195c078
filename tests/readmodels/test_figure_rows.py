"""The rows behind every number of the funnel and of satisfaction come to that number."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from domain.errors import NotFound
from readmodels import funnel, funnel_rows, satisfaction, satisfaction_rows
from readmodels.figure_rows import Found, place
from tests.commands.orders import order
from tests.readmodels.folding import Company, company
from tests.readmodels.histories import History, ext, histories

numbers = count()
PERIODS = [(None, None), (date(2024, 3, 1), None), (date(2024, 2, 10), date(2024, 9, 1))]
FILTERS: list[dict[str, Any]] = [{}, {"owner_id": "ana"}, {"segment": "Retail"}, {"product": "Alpha"}]


@pytest.fixture(scope="module")
def firm() -> Iterator[Company]:
    with company() as opened:
        yield opened


def same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return abs(Decimal(one) - Decimal(other)) < Decimal("1e-9") if isinstance(one, float) or isinstance(other, float) else one == other


def check(shown: Any, found: Found) -> None:
    assert same(shown, found.comes_to), (shown, found)
    assert len(found.rows) == found.all
    if found.rule == "sum":
        assert sum(row["value"] for row in found.rows) == shown
    elif found.rule == "mean" and found.rows:
        assert same(float(sum(row["value"] for row in found.rows)) / found.all, shown)


@given(
    history=histories,
    view=st.sampled_from(list(funnel.View)),
    by=st.sampled_from(list(funnel.By)),
    period=st.sampled_from(PERIODS),
    chosen=st.sampled_from(FILTERS),
)
@settings(max_examples=6, phases=[Phase.explicit, Phase.generate])
def test_the_deals_behind_every_number_of_a_funnel_come_to_it(
    firm: Company, history: History, view: funnel.View, by: funnel.By, period: tuple[date | None, date | None], chosen: dict[str, Any]
) -> None:
    tag = f"p{next(numbers)}"
    first, *others = history.orders(tag)
    [defined] = firm.books.dispatcher.execute([first])
    firm.try_all(others)
    pipeline_id = str(defined.stream_id)  # type: ignore[union-attr]
    question = funnel.Question(pipeline_id=pipeline_id, view=view, by=by, since=period[0], until=period[1], **chosen)
    with firm.facts() as facts:
        [answer] = funnel.funnels(facts, question)
        bars = [*answer.stages[:4], *answer.totals[:2]]
        for bar in bars:
            stage = bar.stage if isinstance(bar, funnel.StageRow) else None
            has = [number for number in funnel_rows.Number if hasattr(bar, number)]
            for number in has:
                check(getattr(bar, number), funnel_rows.deals_behind(facts, question, stage, bar.group, number, limit=1_000))
            assert funnel_rows.number_shown(facts, question, stage, bar.group, has[0]) == getattr(bar, has[0])


@pytest.fixture(scope="module")
def surveyed(firm: Company) -> Company:
    firm.give(
        order("register_customer", customer_id=ext("c1"), name="One", industry="Retail"),
        order("register_customer", customer_id=ext("c2"), name="Two"),
    )
    for number in range(40):
        survey, kind = ext(f"s{number}"), ("csat", "nps", "ces")[number % 3]
        firm.give(order("send_survey", survey_id=survey, customer_id=ext(f"c{number % 2 + 1}"), kind=kind, agent=f"a{number % 4}"))
        if number % 5:
            firm.give(
                order("answer_survey", survey_id=survey, score={"csat": 1 + number % 5, "nps": number % 11, "ces": 1 + number % 7}[kind])
            )
    return firm


@pytest.mark.parametrize("survey", satisfaction.Survey)
@pytest.mark.parametrize("by", [satisfaction.By.NOTHING, satisfaction.By.AGENT, satisfaction.By.SEGMENT, satisfaction.By.MONTH])
def test_the_surveys_behind_every_number_of_satisfaction_come_to_it(
    surveyed: Company, survey: satisfaction.Survey, by: satisfaction.By
) -> None:
    question = satisfaction.Question(survey=survey, by=by)
    with surveyed.facts() as facts:
        for group in satisfaction.satisfaction(facts, question).groups:
            for number in satisfaction_rows.Number:
                for score in group.distribution if number is satisfaction_rows.Number.DISTRIBUTION else [None]:
                    shown = satisfaction_rows.number_shown(facts, question, group.group, number, score)
                    check(shown, satisfaction_rows.surveys_behind(facts, question, group.group, number, score, limit=1_000))


def test_pages_of_rows_put_together_are_all_of_them(surveyed: Company) -> None:
    question, seen, after = satisfaction.Question(survey=satisfaction.Survey.NPS), list[str](), None
    with surveyed.facts() as facts:
        while rows := satisfaction_rows.surveys_behind(
            facts, question, None, satisfaction_rows.Number.FIGURE, None, limit=3, after=after
        ).rows:
            seen += [row["id"] for row in rows]
            after = place(rows[-1])
        whole = satisfaction_rows.surveys_behind(facts, question, None, satisfaction_rows.Number.FIGURE, None, limit=100)
    assert seen == [row["id"] for row in whole.rows]
    assert len(seen) == whole.all


def test_a_bar_that_the_figure_has_not_is_refused(surveyed: Company) -> None:
    with surveyed.facts() as facts:
        with pytest.raises(NotFound, match="group nobody"):
            satisfaction_rows.number_shown(facts, satisfaction.Question(), "nobody", satisfaction_rows.Number.SENT, None)
        with pytest.raises(NotFound, match="give one as `score`"):
            satisfaction_rows.number_shown(facts, satisfaction.Question(), None, satisfaction_rows.Number.DISTRIBUTION, 99)
        with pytest.raises(NotFound, match="opened is a number of the totals"):
            funnel_rows.number_shown(facts, funnel.Question(), "Lead", None, funnel_rows.Number.OPENED)
