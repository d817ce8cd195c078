"""Satisfaction figures agree with going through the answers one by one."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from commands.order import Order
from domain.envelope import StoredEvent
from readmodels.comments import COLUMNS, ORDER, comments
from readmodels.satisfaction import SCALES, By, Group, Question, Survey, satisfaction
from tests.commands.orders import order
from tests.readmodels.deals import moment, within
from tests.readmodels.folding import Company, company
from tests.readmodels.histories import at, ext, hours

ABOUT = {
    "agent": ["ana", "bo", None],
    "team": ["north", None],
    "category": ["bug", None],
    "channel": ["mail", "web"],
    "product": ["Alpha", None],
}
CUSTOMERS = {"0": ("A", "Retail"), "1": (None, "Retail"), "2": ("B", None)}
PERIODS = [(None, None), (date(2024, 3, 1), None), (date(2024, 2, 10), date(2024, 9, 1)), (None, date(2024, 1, 20))]
FILTERS = [{}, {"agent": "ana"}, {"team": "north"}, {"segment": "Retail"}, {"category": "bug"}, {"channel": "web"}, {"product": "Alpha"}]


@dataclass(frozen=True)
class Asked:
    """A survey that was sent, and the scores (0 to 10, brought to its scale) that were given; hours after the start."""

    kind: Survey
    customer: str
    about: tuple[tuple[str, str | None], ...]
    sent: int
    answers: tuple[tuple[int, int, str | None], ...]

    def orders(self, name: str) -> Iterator[Order]:
        about = {key: value for key, value in self.about if value is not None}
        keys = {"survey_id": ext(name), "customer_id": ext(self.customer), "kind": self.kind.value}
        yield order("send_survey", at=at(self.sent), report=True, **keys, **about)
        scale = SCALES[self.kind]
        for hour, score, comment in self.answers:
            said = {"score": scale[score % len(scale)], **({"comment": comment} if comment else {})}
            yield order("answer_survey", at=at(hour), report=True, survey_id=ext(name), **said)


answers = st.lists(st.tuples(hours, st.integers(0, 10), st.sampled_from(["fine", None])), max_size=3).map(tuple)
surveys = st.builds(
    Asked,
    kind=st.sampled_from(Survey),
    customer=st.sampled_from(list(CUSTOMERS)),
    about=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in ABOUT.items()}).map(lambda said: tuple(said.items())),
    sent=hours,
    answers=answers,
)


@pytest.fixture(scope="module")
def firm() -> Iterator[Company]:
    with company() as opened:
        opened.give(
            *(
                order("register_customer", customer_id=ext(name), name=name, tier=tier, industry=industry)
                for name, (tier, industry) in CUSTOMERS.items()
            )
        )
        yield opened


@dataclass
class Told:
    """A survey as its events tell it."""

    data: Any
    sent: datetime
    answered: datetime | None = None
    score: int | None = None


def told(events: list[StoredEvent]) -> list[Told]:
    found: dict[str, Told] = {}
    for event in events:
        if event.type == "survey.sent":
            found[event.data["survey_id"]] = Told(event.data, moment(event.data["sent_at"]))
        elif event.type.startswith("survey.answer"):
            survey = found[event.data["survey_id"]]
            survey.answered = survey.answered or moment(event.occurred_at)
            survey.score = event.data["score"]
    return list(found.values())


def classes(events: list[StoredEvent]) -> dict[str, tuple[str | None, str | None]]:
    """Tier and industry by customer."""
    return {
        event.data["customer_id"]: (event.data["tier"], event.data["industry"]) for event in events if event.type == "customer.classified"
    }


def group_of(by: By, survey: Told, at: datetime, classed: dict[str, tuple[str | None, str | None]]) -> str | None:
    tier, industry = classed.get(survey.data["customer_id"], (None, None))
    year, week, _ = at.isocalendar()
    return {
        By.NOTHING: None,
        By.WEEK: f"{year}-W{week:02}",
        By.MONTH: f"{at:%Y-%m}",
        By.QUARTER: f"{at.year}-Q{(at.month + 2) // 3}",
        By.YEAR: str(at.year),
        By.SEGMENT: industry,
        By.TIER: tier,
    }.get(by) or survey.data.get(by.value)


FIGURES = {
    Survey.CSAT: lambda scores: 100 * sum(score in (4, 5) for score in scores) / len(scores),
    Survey.NPS: lambda scores: 100 * (sum(score in (9, 10) for score in scores) - sum(score < 7 for score in scores)) / len(scores),
    Survey.CES: lambda scores: sum(scores) / len(scores),
}


def expected(events: list[StoredEvent], question: Question) -> list[Group]:
    classed = classes(events)
    sent: dict[str | None, list[Told]] = {}
    answered: dict[str | None, list[int]] = {}
    for survey in told(events):
        filters = {name: getattr(question, name) for name in ("agent", "team", "category", "channel", "product")}
        if survey.data["kind"] != question.survey or any(value not in (None, survey.data[name]) for name, value in filters.items()):
            continue
        if question.segment not in (None, classed.get(survey.data["customer_id"], (None, None))[1]):
            continue
        if within(question, survey.sent):  # type: ignore[arg-type]
            sent.setdefault(group_of(question.by, survey, survey.sent, classed), []).append(survey)
        if survey.answered and survey.score is not None and within(question, survey.answered):  # type: ignore[arg-type]
            answered.setdefault(group_of(question.by, survey, survey.answered, classed), []).append(survey.score)
    names = sorted({*sent, *answered}, key=lambda name: (name is None, name))
    return [_group(name, question.survey, sent.get(name, []), answered.get(name, [])) for name in names]


def _group(name: str | None, survey: Survey, sent: list[Told], scores: list[int]) -> Group:
    replied = sum(each.answered is not None for each in sent)
    return Group(
        group=name,
        sent=len(sent),
        sent_and_answered=replied,
        response_rate=replied / len(sent) if sent else None,
        answers=len(scores),
        figure=pytest.approx(FIGURES[survey](scores)) if scores else None,
        mean=pytest.approx(sum(scores) / len(scores)) if scores else None,
        distribution={score: Counter(scores)[score] for score in SCALES[survey]},
    )


@given(told=st.lists(surveys, min_size=1, max_size=15), pick=st.integers(0, len(PERIODS) * len(FILTERS) - 1))
@settings(max_examples=12, phases=[Phase.explicit, Phase.generate])  # no shrinking: each example is folded and asked 72 ways
def test_every_figure_is_what_the_answers_say(firm: Company, told: list[Asked], pick: int) -> None:
    tag = f"s{len(firm.events)}"
    firm.try_all([each for number, survey in enumerate(told) for each in survey.orders(f"{tag}-{number}")])
    events = firm.events
    since, until = PERIODS[pick % len(PERIODS)]
    with firm.facts() as facts:
        for kind, by in product(Survey, By):
            plain = Question(survey=kind, by=by)
            for question in (plain, replace(plain, since=since, until=until, **FILTERS[pick % len(FILTERS)])):
                found = satisfaction(facts, question).groups
                assert found == expected(events, question), question
                assert all(group.figure is None or -100 <= group.figure <= 100 for group in found)


def test_comments_come_latest_first_page_by_page(firm: Company) -> None:
    said = [
        order("record_survey_answer", at=at(hour), customer_id=ext("0"), kind="nps", score=7, comment=f"no. {hour}") for hour in range(7)
    ]
    firm.give(*said)
    with firm.lookups() as lookups:
        question = Question(survey=Survey.NPS, until=(at(0) + timedelta(days=400)).date())
        everything = comments(lookups, question, limit=500)
        paged: list[Any] = []
        while page := comments(lookups, question, limit=2, after=[paged[-1][name] for name in ORDER] if paged else None):
            paged += page
    assert paged == everything
    assert [row["answered_at"] for row in paged] == sorted((row["answered_at"] for row in paged), reverse=True)
    assert set(paged[0]) == set(COLUMNS)
    opened = firm.books.vault.decrypt_all([row["comment"] for row in paged])
    assert {f"no. {hour}" for hour in range(7)} <= set(opened)
