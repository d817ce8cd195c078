"""The waterfall reconciles to the cent and says what the events say, whatever was reported, by either clock."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count, pairwise
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from api.demo.fill import fill
from domain.envelope import StoredEvent
from domain.errors import NotFound
from projections import history as past
from readmodels.asking import Facts, asked
from readmodels.waterfall import COMING, GOING, Bar, By, Clock, Question, Waterfall, deals_behind, place, quarter_of, waterfalls
from replay.moments import Moment
from replay.past import Pasts, whole
from tests.readmodels.folding import Company, company
from tests.readmodels.histories import START, Act, History, at, histories
from tests.readmodels.waterfalls import Entry, entries

numbers = count()
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
MOMENTS = [LONG_AGO, START, at(24 * 30), at(24 * 120), at(24 * 250), at(24 * 400)]
FILTERS: list[dict[str, Any]] = [
    {},
    {"owner_id": "ana"},
    {"team": "south"},
    {"closing_from": date(2024, 4, 1), "closing_until": date(2024, 7, 1)},
    {"closing_until": date(2024, 12, 1), "owner_id": "bo"},
]


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


def reconciles(answer: Waterfall) -> bool:
    """Whether the bars before the closing add up to it, in value and in number."""
    *others, closing = answer.steps
    number = sum(step.times for step in others if step.bar in COMING) - sum(step.times for step in others if step.bar in GOING)
    return sum(step.value for step in others) == closing.value == others[-1].level and number == closing.times


def check(facts: Facts, events: Sequence[StoredEvent], question: Question) -> None:
    """The answer reconciles, is what the events say, and is what the deals behind its bars add up to."""
    wanted = entries(events, question)
    answers = waterfalls(facts, question)
    assert all(reconciles(answer) for answer in answers), question
    found = {(answer.group, step.bar): (step.value, step.times, step.deals) for answer in answers for step in answer.steps if step.times}
    assert found == added_up(wanted), question
    assert {answer.group for answer in answers} == {entry.group for entry in wanted} | ({None} if question.by is By.NOTHING else set())


def added_up(wanted: Sequence[Entry]) -> dict[tuple[str | None, Bar], tuple[Decimal, int, int]]:
    bars: dict[tuple[str | None, Bar], list[Entry]] = {}
    for entry in wanted:
        bars.setdefault((entry.group, entry.bar), []).append(entry)
    return {bar: (sum((e.value for e in of), Decimal(0)), len(of), len({e.deal for e in of})) for bar, of in bars.items()}


def check_deals(facts: Facts, events: Sequence[StoredEvent], question: Question) -> None:
    wanted = entries(events, question)
    for bar in Bar:
        deals = deals_behind(facts, question, bar)
        told = {(deal.opportunity_id, deal.group): (deal.value, deal.times, deal.positions) for deal in deals}
        assert len(told) == len(deals)
        behind: dict[tuple[str, str | None], list[Entry]] = {}
        for entry in (entry for entry in wanted if entry.bar is bar):
            behind.setdefault((entry.deal, entry.group), []).append(entry)
        assert told == {
            key: (sum((e.value for e in of), Decimal(0)), len(of), sorted(e.position for e in of if e.position is not None))
            for key, of in behind.items()
        }


@given(history=histories, moments=st.tuples(st.sampled_from(MOMENTS), st.sampled_from([*MOMENTS, None])), narrow=st.sampled_from(FILTERS))
@settings(max_examples=25, phases=[Phase.explicit, Phase.generate])  # no shrinking: each example is folded and asked 12 ways
def test_every_waterfall_is_what_the_events_say(
    firm: Company, history: History, moments: tuple[datetime, datetime | None], narrow: dict[str, Any]
) -> None:
    pipeline_id = pipeline_of(firm, history)
    events = firm.events
    since, until = moments
    mine = [event for event in events if event.data.get("pipeline_id") == pipeline_id and event.type.startswith("opportunity.")]
    told_at = [datetime.fromisoformat(event.recorded_at) for event in mine]
    with firm.facts() as facts:
        for by in By:
            asked = Question(since=since, until=until, by=by, **narrow)
            check(facts, events, asked)
            check(facts, mine, replace(asked, pipeline_id=pipeline_id))
            middle = told_at[len(told_at) // 2]
            check(facts, mine, replace(asked, pipeline_id=pipeline_id, clock=Clock.RECORDED, since=middle, until=None))
        check_deals(facts, mine, Question(since=since, until=until, by=By.TEAM, pipeline_id=pipeline_id, **narrow))


@given(history=histories, since=st.sampled_from(MOMENTS[1:]))
@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_the_opening_is_what_the_deals_are_as_of_the_instant_before(firm: Company, history: History, since: datetime) -> None:
    pipeline_of(firm, history)
    moment = Moment(as_of=since - timedelta(microseconds=1))
    with firm.facts() as facts:
        [answer] = waterfalls(facts, Question(since=since))
    with (
        closing(Pasts(past.History(firm.books.log))) as pasts,
        pasts.facts(moment, whole(["opportunities"])) as store,
        asked(store) as facts,
    ):
        sql = "SELECT coalesce(sum(base_amount), 0) AS value, count(*) AS deals FROM opportunities WHERE opened_at IS NOT NULL AND status = 'open'"
        [then] = facts.rows(sql, {})
    assert (answer.steps[0].value, answer.steps[0].deals) == (then["value"], then["deals"])


@given(history=histories, narrow=st.sampled_from(FILTERS))
@settings(max_examples=10, phases=[Phase.explicit, Phase.generate])
def test_two_periods_in_a_row_add_up_to_both_together(firm: Company, history: History, narrow: dict[str, Any]) -> None:
    pipeline_id = pipeline_of(firm, history)
    first, middle, last = MOMENTS[0], MOMENTS[3], MOMENTS[5]
    asked = Question(since=first, until=last, pipeline_id=pipeline_id, **narrow)
    with firm.facts() as facts:
        [whole], [one], [two] = (
            waterfalls(facts, replace(asked, since=a, until=b)) for a, b in ((first, last), (first, middle), (middle, last))
        )
    assert one.steps[-1].value == two.steps[0].value
    between: Counter[Bar] = Counter()
    for step in (*one.steps[1:-1], *two.steps[1:-1]):
        between[step.bar] += step.value  # type: ignore[assignment]
    assert {step.bar: step.value for step in whole.steps[1:-1]} == {step.bar: between[step.bar] for step in whole.steps[1:-1]}


def test_every_quarter_of_the_made_up_company_reconciles_and_follows_on_the_one_before() -> None:
    quarters = [datetime(2025 + month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in range(0, 24, 3)]
    with company() as firm:
        fill(firm.books.log, events=5_000, seed=2024, until=datetime(2026, 11, 20, 15, tzinfo=UTC), base_currency="EUR")
        firm.fold()
        events = firm.events
        with firm.facts() as facts:
            closings: list[Decimal] = []
            for since, until in pairwise(quarters):
                window = {"closing_from": since.date(), "closing_until": until.date()}
                for by in By:
                    check(facts, events, Question(since=since, until=until, by=by))
                    check(facts, events, Question(since=since, until=until, by=by, **window))
                [whole] = waterfalls(facts, Question(since=since, until=until))
                assert closings[-1:] in ([], [whole.steps[0].value])
                closings.append(whole.steps[-1].value)
            assert any(closings)


def history(*acts: Act) -> History:
    """A deal of 10, opened by ana (north) on 15 January 2024, and what happened to it; the stages in their usual order."""
    return History(["Lead", "Talk", "Offer", "Signed", "Renewed", "Dropped"], [(0, "Lead", 0, 0, "10")], list(acts))


def act(name: str, days: int, **said: Any) -> Act:
    return Act(0, name, 24 * days, tuple(said.items()))


def bars(firm: Company, pipeline_id: str, **asked: Any) -> dict[str | None, dict[str, Decimal]]:
    """By group, the bars that are not zero."""
    question = Question(**{"since": LONG_AGO, "pipeline_id": pipeline_id, **asked})
    with firm.facts() as facts:
        return {answer.group: {step.bar.value: step.value for step in answer.steps if step.times} for answer in waterfalls(facts, question)}


def test_a_deal_opened_and_won_within_the_period_is_new_and_won(firm: Company) -> None:
    told = pipeline_of(firm, history(act("win_opportunity", 5, stage="Signed", amount="12")))
    assert bars(firm, told) == {None: {"new": 10, "up": 2, "won": -12}}


def test_a_reopened_deal_comes_back_with_what_it_is_worth_by_then(firm: Company) -> None:
    told = pipeline_of(
        firm,
        history(
            act("lose_opportunity", 5, reason="price"),
            act("change_opportunity_amount", 6, amount="30"),
            act("reopen_opportunity", 7),
        ),
    )
    assert bars(firm, told) == {None: {"new": 10, "lost": -10, "reopened": 30, "closing": 30}}


def test_a_deal_reported_won_twice_leaves_the_pipeline_once(firm: Company) -> None:
    told = pipeline_of(firm, history(act("win_opportunity", 5, stage="Signed"), act("win_opportunity", 9, stage="Signed")))
    assert bars(firm, told) == {None: {"new": 10, "won": -10}}


def test_what_a_deal_does_before_the_period_is_in_the_opening(firm: Company) -> None:
    told = pipeline_of(firm, history(act("change_opportunity_amount", 5, amount="30"), act("win_opportunity", 20, stage="Signed")))
    assert bars(firm, told, since=at(24 * 10)) == {None: {"opening": 30, "won": -30}}
    assert bars(firm, told, since=at(24 * 10), until=at(24 * 20)) == {None: {"opening": 30, "closing": 30}}


def test_a_deal_that_changes_hands_is_transferred_between_groups_and_nothing_in_total(firm: Company) -> None:
    told = pipeline_of(firm, history(act("assign_opportunity", 5, person=("bo", "south"))))
    assert bars(firm, told) == {None: {"new": 10, "closing": 10}}
    assert bars(firm, told, by=By.OWNER) == {"ana": {"new": 10, "transferred_out": -10}, "bo": {"transferred_in": 10, "closing": 10}}
    assert bars(firm, told, owner_id="bo") == {None: {"transferred_in": 10, "closing": 10}}
    assert bars(firm, told, by=By.PIPELINE) == {told: {"new": 10, "closing": 10}}


def test_close_dates_pull_deals_into_the_window_and_push_them_out_of_it(firm: Company) -> None:
    told = pipeline_of(
        firm,
        history(
            act("move_close_date", 2, expected_close_on="2024-05-31"),
            act("move_close_date", 3, expected_close_on="2024-06-30"),
            act("change_opportunity_amount", 4, amount="11"),
            act("move_close_date", 5, expected_close_on="2024-07-01"),
        ),
    )
    window = {"closing_from": date(2024, 4, 1), "closing_until": date(2024, 7, 1)}
    assert bars(firm, told, **window) == {None: {"pulled_in": 10, "up": 1, "pushed_out": -11}}
    assert bars(firm, told) == {None: {"new": 10, "up": 1, "closing": 11}}


def test_what_is_reported_late_counts_when_it_happened_or_when_it_was_told(firm: Company) -> None:
    told = pipeline_of(firm, history(act("change_opportunity_amount", 20, amount="30"), act("change_opportunity_amount", 10, amount="20")))
    assert bars(firm, told, until=at(24 * 15)) == {None: {"new": 10, "up": 10, "closing": 20}}
    assert bars(firm, told, clock=Clock.RECORDED) == {None: {"new": 10, "up": 20, "down": -10, "closing": 20}}
    assert bars(firm, told, clock=Clock.RECORDED, until=at(24 * 15)) == {None: {}}


def test_deals_are_paged_without_gaps(firm: Company) -> None:
    openings = [(number, "Lead", 0, 0, "10") for number in range(7)]
    told = pipeline_of(firm, History(["Lead", "Talk", "Offer", "Signed", "Renewed", "Dropped"], openings, []))
    question = Question(since=LONG_AGO, pipeline_id=told)
    with firm.facts() as facts:
        whole = deals_behind(facts, question, Bar.NEW)
        paged = deals_behind(facts, question, Bar.NEW, limit=3)
        while more := deals_behind(facts, question, Bar.NEW, limit=3, after=place(paged[-1])):
            paged += more
        assert paged == whole
        assert [deal.name for deal in whole] == ["Deal"] * 7
        assert deals_behind(facts, question, Bar.NEW, groups=[None]) == whole
        assert deals_behind(facts, question, Bar.NEW, groups=["ana"]) == []


def test_a_pipeline_that_is_not_there_is_not_found(firm: Company) -> None:
    with firm.facts() as facts, pytest.raises(NotFound) as caught:
        waterfalls(facts, Question(since=LONG_AGO, pipeline_id=str(uuid4())))
    assert caught.value.code == "pipeline.unknown"


def test_a_quarter_begins_on_its_first_day_in_utc() -> None:
    offset = timedelta(hours=2)
    assert quarter_of(datetime(2026, 11, 22, 19, tzinfo=UTC)) == datetime(2026, 10, 1, tzinfo=UTC)
    assert quarter_of(datetime(2026, 4, 1, 1, tzinfo=UTC) - offset) == datetime(2026, 1, 1, tzinfo=UTC)
