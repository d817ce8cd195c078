"""Whether the made-up company would be taken for a real one: its figures lie where such companies' figures lie."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise
from statistics import mean, median
from uuid import UUID

import pytest

from domain.customers.events import CustomerAddressChanged, CustomerClassified, CustomerLifecycleChanged
from domain.opportunities.events import (
    MoveEvent,
    OpportunityAmountChanged,
    OpportunityAssigned,
    OpportunityCloseDateMoved,
    OpportunityEvent,
    OpportunityLost,
    OpportunityOpened,
    OpportunityReopened,
    OpportunityStageChanged,
    OpportunityWon,
)
from domain.pipelines.events import PipelineDefined, StageRetired
from domain.requests.events import (
    RequestEscalated,
    RequestEvent,
    RequestFirstResponded,
    RequestHandedOver,
    RequestOpened,
    RequestReopened,
    RequestResolved,
    RequestTargetBreached,
    RequestTargetMet,
    RequestWaiting,
)
from domain.surveys.events import SurveyAnswerAmended, SurveyAnswered, SurveyEvent, SurveyExpired, SurveySent
from tests.api.demo.conftest import History

DAY = timedelta(days=1)
STAGES = ("Inquiry", "Qualified", "Demonstration", "Proposal", "Negotiation", "Won")


@pytest.fixture(scope="module")
def pipelines(history: History) -> dict[str, UUID]:
    return {event.name: event.pipeline_id for event in history.of(PipelineDefined)}


def moves_of(history: History, pipeline_id: UUID) -> list[MoveEvent]:
    return [event for event in history.of(MoveEvent) if event.pipeline_id == pipeline_id]


def win_rate(moves: Iterable[MoveEvent]) -> float:
    last = {event.opportunity_id: type(event) for event in moves}
    closed = Counter(last.values())
    return closed[OpportunityWon] / (closed[OpportunityWon] + closed[OpportunityLost])


def test_a_quarter_of_new_business_is_won_and_most_renewals_are(history: History, pipelines: dict[str, UUID]) -> None:
    assert 0.20 <= win_rate(moves_of(history, pipelines["New business"])) <= 0.30
    assert 0.75 <= win_rate(moves_of(history, pipelines["Renewals"])) <= 0.95


def test_the_funnel_narrows_from_stage_to_stage(history: History, pipelines: dict[str, UUID]) -> None:
    reached: dict[str, set[UUID]] = defaultdict(set)
    for event in history.of(OpportunityEvent):
        if event.pipeline_id == pipelines["New business"]:
            if isinstance(event, OpportunityOpened):
                reached[event.stage].add(event.opportunity_id)
            elif isinstance(event, MoveEvent):
                reached[event.to_stage].add(event.opportunity_id)
    numbers = [len(reached[stage]) for stage in STAGES]
    assert numbers == sorted(numbers, reverse=True)
    assert all(0.6 < later / earlier < 0.97 for earlier, later in pairwise(numbers))
    assert numbers[0] > 1_000


def test_deals_stay_in_stages_for_days_and_weeks(history: History, pipelines: dict[str, UUID]) -> None:
    stays: dict[str, list[float]] = defaultdict(list)
    for stored in history.stored_of(MoveEvent):
        event = stored.event
        assert isinstance(event, MoveEvent)
        if event.pipeline_id == pipelines["New business"] and not isinstance(event, OpportunityReopened):
            stays[event.from_stage].append((stored.occurred_at - event.entered_from_stage_at) / DAY)
    medians = {stage: median(days) for stage, days in stays.items()}
    assert all(2 < days < 25 for days in medians.values()), medians
    assert max(map(max, stays.values())) > 60


def test_won_deals_take_about_two_months(history: History, pipelines: dict[str, UUID]) -> None:
    days = [
        (stored.occurred_at - stored.event.opened_at) / DAY
        for stored in history.stored_of(OpportunityWon)
        if isinstance(stored.event, OpportunityWon) and stored.event.pipeline_id == pipelines["New business"]
    ]
    assert 40 < median(days) < 80


def test_some_deals_go_back_come_into_a_stage_again_or_are_reopened(history: History) -> None:
    back = [event for event in history.of(OpportunityStageChanged) if event.backward]
    visits = Counter((event.opportunity_id, event.to_stage) for event in history.of(OpportunityStageChanged))
    assert len(back) > 80
    assert max(visits.values()) > 1
    assert Counter(event.previous_status for event in history.of(OpportunityReopened)).keys() == {"won", "lost"}


def test_a_stage_is_retired_midway_its_deals_move_on_and_none_comes_into_it_again(history: History) -> None:
    (retired,) = history.of(StageRetired)
    assert retired.deals_moved >= 3
    place = next(place for place, stored in enumerate(history.stored) if stored.event is retired)
    assert 0.3 < place / len(history.stored) < 0.6
    later = [stored.event for stored in history.stored[place:] if isinstance(stored.event, MoveEvent)]
    assert all(event.to_stage != retired.stage for event in later)
    earlier = [stored.event for stored in history.stored[:place] if isinstance(stored.event, OpportunityStageChanged)]
    assert sum(event.to_stage == retired.stage for event in earlier) > 50


def test_every_loss_has_a_reason_and_no_reason_stands_out_alone(history: History) -> None:
    reasons = Counter(event.reason for event in history.of(OpportunityLost))
    assert None not in reasons
    assert len(reasons) >= 8
    assert reasons.most_common(1)[0][1] < 0.3 * reasons.total()
    assert all(event.competitor for event in history.of(OpportunityLost) if event.reason == "competitor")


def test_close_dates_are_pushed_more_often_than_pulled(history: History) -> None:
    directions = Counter(event.direction for event in history.of(OpportunityCloseDateMoved))
    assert directions["pushed"] > 3 * directions["pulled"] > 60


def test_amounts_go_up_and_down(history: History) -> None:
    changes = [event.base_change for event in history.of(OpportunityAmountChanged)]
    assert sum(change > 0 for change in changes) > 300
    assert sum(change < 0 for change in changes) > 150


def test_somebody_leaves_and_deals_get_other_owners(history: History) -> None:
    by_operations = [stored for stored in history.stored_of(OpportunityAssigned) if stored.cause.actor == "user:sales.operations"]
    assert len({stored.recorded_at.date() for stored in by_operations}) <= 3
    assert len(history.of(OpportunityAssigned)) > len(by_operations) > 5


def test_some_sellers_win_more_than_others(history: History, pipelines: dict[str, UUID]) -> None:
    closed: dict[str, list[bool]] = defaultdict(list)
    for event in moves_of(history, pipelines["New business"]):
        if isinstance(event, OpportunityWon | OpportunityLost):
            closed[event.owner_id].append(isinstance(event, OpportunityWon))
    rates = [mean(won) for won in closed.values() if len(won) > 40]
    assert max(rates) - min(rates) > 0.08


def test_customers_come_from_many_countries_industries_and_tiers(history: History) -> None:
    countries = Counter(event.country for event in history.of(CustomerAddressChanged))
    assert len(countries) == 10
    assert countries["DE"] > countries["CN"] > countries["JP"] > 10
    classified = history.of(CustomerClassified)
    assert len({event.industry for event in classified} - {None}) == 8
    tiers = Counter(event.tier for event in classified)
    assert tiers["C"] > tiers["B"] > tiers["A"] > 50
    assert len({event.currency for event in history.of(OpportunityOpened)}) >= 6


def test_customers_go_through_all_parts_of_life(history: History) -> None:
    changes = Counter(event.lifecycle for event in history.of(CustomerLifecycleChanged))
    assert set(changes) == {"prospect", "active", "dormant", "churned", "won_back"}


def survey_scores(history: History, kind: str) -> list[SurveyAnswered | SurveyAnswerAmended]:
    """Each survey's answer as it stands."""
    last: dict[UUID, SurveyAnswered | SurveyAnswerAmended] = {}
    for event in history.of(SurveyEvent):
        if event.kind == kind and isinstance(event, SurveyAnswered | SurveyAnswerAmended):
            last[event.survey_id] = event
    return list(last.values())


def test_csat_is_about_four_point_two(history: History) -> None:
    assert 4.1 <= mean(answer.score for answer in survey_scores(history, "csat")) <= 4.3


def test_csat_differs_by_agent_and_by_category(history: History) -> None:
    by_agent: dict[str | None, list[int]] = defaultdict(list)
    by_category: dict[str | None, list[int]] = defaultdict(list)
    for answer in survey_scores(history, "csat"):
        by_agent[answer.agent].append(answer.score)
        by_category[answer.category].append(answer.score)
    agents = [mean(scores) for scores in by_agent.values() if len(scores) >= 20]
    assert len(agents) >= 5
    assert max(agents) - min(agents) > 0.3
    assert mean(by_category["question"]) - mean(by_category["complaint"]) > 0.7


def test_nps_lies_between_20_and_50(history: History) -> None:
    scores = [answer.score for answer in survey_scores(history, "nps")]
    promoters, detractors = sum(score >= 9 for score in scores), sum(score <= 6 for score in scores)
    assert 20 <= 100 * (promoters - detractors) / len(scores) <= 50
    assert detractors > 30


def test_a_third_or_so_answers_a_few_amend_and_the_rest_expires(history: History) -> None:
    sent, answered, expired = (len(history.of(kind)) for kind in (SurveySent, SurveyAnswered, SurveyExpired))
    assert 0.3 < answered / sent < 0.5
    assert 0.02 < len(history.of(SurveyAnswerAmended)) / answered < 0.06
    assert answered + expired > 0.93 * sent
    assert {event.kind for event in history.of(SurveySent)} == {"csat", "nps", "ces"}


def share(history: History, kind: type[RequestEvent]) -> float:
    """The share of requests to which it happened."""
    return len({event.request_id for event in history.of(kind)}) / len(history.of(RequestOpened))


def test_a_fifth_of_the_requests_waits_and_few_are_reopened_escalated_or_handed_over(history: History) -> None:
    assert 0.15 <= share(history, RequestWaiting) <= 0.25
    assert 0.05 <= share(history, RequestReopened) <= 0.08
    assert 0.04 <= share(history, RequestEscalated) <= 0.10
    assert 0.07 <= share(history, RequestHandedOver) <= 0.16


def test_requests_are_answered_in_hours_and_resolved_in_days_most_of_them_in_time(history: History) -> None:
    assert 1 < median(event.gross_seconds / 3600 for event in history.of(RequestFirstResponded)) < 6
    assert 0.8 < median(event.gross_seconds / 86400 for event in history.of(RequestResolved)) < 3
    met, breached = len(history.of(RequestTargetMet)), len(history.of(RequestTargetBreached))
    assert 0.6 < met / (met + breached) < 0.9


def test_complaints_are_a_category_of_their_own(history: History) -> None:
    categories = Counter(event.category for event in history.of(RequestResolved))
    assert 0.04 < categories["complaint"] / categories.total() < 0.11


def opened_in(history: History, year: int, *months: int) -> int:
    """How many deals were opened in some months of a year."""
    return sum(
        (stored.recorded_at.year, stored.recorded_at.month) in {(year, month) for month in months}
        for stored in history.stored_of(OpportunityOpened)
    )


def test_business_grows_and_has_its_seasons(history: History) -> None:
    assert opened_in(history, 2026, *range(1, 11)) > 1.15 * opened_in(history, 2025, *range(1, 11))
    assert opened_in(history, 2026, 8) < 0.75 * opened_in(history, 2026, 9, 10) / 2


def test_people_work_by_day_and_from_monday_to_friday(history: History) -> None:
    by_people = [stored for stored in history.stored if stored.cause.actor.startswith("user:")]
    weekdays = Counter(stored.recorded_at.weekday() for stored in by_people)
    assert weekdays[5] + weekdays[6] < 0.02 * len(by_people)
    assert all(0.12 < weekdays[day] / len(by_people) < 0.26 for day in range(5))
    hours = Counter(stored.recorded_at.hour for stored in by_people)
    assert sum(hours[hour] for hour in range(6, 18)) > 0.7 * len(by_people)
