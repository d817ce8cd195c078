"""How surveys are sent, answered once on their scale, amended and expire."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from domain.rules import Rules
from domain.surveys import survey
from domain.surveys.events import SurveyAnswerAmended, SurveyAnswered, SurveyExpired, SurveyReminded, SurveySent
from domain.surveys.survey import Subject, Survey, evolve
from tests.domain.given import AT, History, at, given

ID, CUSTOMER, OTHER, CONTACT, REQUEST = (UUID(int=number) for number in range(30, 35))
SUBJECT = Subject(
    customer_id=CUSTOMER,
    contact_id=CONTACT,
    request_id=REQUEST,
    agent="ana",
    team="desk",
    category="fault",
    channel="email",
    product="GTX",
)
KEYS: dict[str, Any] = {
    "survey_id": ID,
    "customer_id": CUSTOMER,
    "contact_id": CONTACT,
    "kind": "csat",
    "about": "request",
    "request_id": REQUEST,
    "interaction_id": None,
    "order_ref": None,
    "agent": "ana",
    "team": "desk",
    "category": "fault",
    "channel": "email",
    "product": "GTX",
}
SENT = SurveySent(**KEYS, sent_at=AT, external_source=None, external_id=None)
DAY = timedelta(days=1)
ANSWERED = at(AT + DAY, SurveyAnswered(**KEYS, score=4, comment="fine", sent_at=AT, reminders=0))
EXPIRED = at(AT + 30 * DAY, SurveyExpired(**KEYS, sent_at=AT, reminders=0, answered=False))


def sent(*more: Any) -> History:
    return given(evolve, SENT, *more)


def sending(**changes: Any) -> dict[str, Any]:
    values = {
        "survey_id": ID,
        "kind": "csat",
        "subject": SUBJECT,
        "customer_archived": False,
        "contact_customer_id": CUSTOMER,
        "subject_customer_id": CUSTOMER,
        "sent_at": AT,
        "external": None,
    }
    return {**values, **changes}


def test_a_survey_copies_what_it_is_about() -> None:
    given(evolve).asked(survey.send, **sending()).then(SENT)


@pytest.mark.parametrize(
    ("subject", "about"),
    [
        (Subject(customer_id=CUSTOMER), "relationship"),
        (Subject(customer_id=CUSTOMER, request_id=REQUEST), "request"),
        (Subject(customer_id=CUSTOMER, interaction_id=OTHER), "interaction"),
        (Subject(customer_id=CUSTOMER, order_ref="4711"), "order"),
    ],
)
def test_a_survey_is_about_the_relationship_or_one_thing(subject: Subject, about: str) -> None:
    given(evolve).asked(survey.send, **sending(subject=subject)).has(SurveySent, about=about)


def test_a_survey_about_two_things_is_refused_even_when_reported() -> None:
    given(evolve).reported(survey.send, **sending(subject=replace(SUBJECT, order_ref="4711"))).refused("survey.about")


def test_a_survey_is_sent_once_and_of_a_known_kind() -> None:
    sent().reported(survey.send, **sending()).refused("survey.exists")
    given(evolve).reported(survey.send, **sending(kind="stars")).refused("survey.kind")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"customer_archived": True}, "customer.archived"),
        ({"contact_customer_id": OTHER}, "contact.other_customer"),
        ({"subject_customer_id": OTHER}, "survey.other_customer"),
    ],
)
def test_a_survey_asks_whom_it_concerns(changes: dict[str, Any], code: str) -> None:
    given(evolve).asked(survey.send, **sending(**changes)).refused(code)
    given(evolve).reported(survey.send, **sending(**changes)).irregular(code)


@pytest.mark.parametrize(("kind", "low", "high"), [("csat", 1, 5), ("nps", 0, 10), ("ces", 1, 7)])
def test_the_scale_is_checked_always(kind: str, low: int, high: int) -> None:
    history = given(evolve, replace(SENT, kind=kind))
    for score in (low, high):
        history.asked(survey.answer, score=score, comment=None, at=AT + DAY).has(SurveyAnswered, score=score)
    for score in (low - 1, high + 1):
        history.reported(survey.answer, score=score, comment=None, at=AT + DAY).refused("survey.scale")
        history.reported(survey.amend, score=score, comment=None, at=AT + DAY).refused("survey.scale")


def test_a_survey_is_answered_once() -> None:
    assert isinstance(ANSWERED.event, SurveyAnswered)
    sent().asked(survey.answer, score=4, comment="fine", at=AT + DAY).then(ANSWERED.event)
    sent(ANSWERED).asked(survey.answer, score=4, comment=None, at=AT + 2 * DAY).nothing()
    sent(ANSWERED).asked(survey.answer, score=5, comment=None, at=AT + 2 * DAY).refused("survey.answered")


AMENDED = SurveyAnswerAmended(
    **KEYS, score=2, previous_score=4, score_change=-2, comment=None, sent_at=AT, answered_at=AT + DAY, amendment_no=1
)


def test_a_second_answer_that_is_reported_amends_the_first() -> None:
    outcome = sent(ANSWERED).reported(survey.answer, score=2, comment=None, at=AT + 2 * DAY).irregular("survey.answered")
    assert outcome.events == [AMENDED]


def test_an_answer_may_be_amended() -> None:
    sent(ANSWERED).asked(survey.amend, score=2, comment=None, at=AT + 2 * DAY).then(AMENDED)
    sent(ANSWERED).asked(survey.amend, score=4, comment=None, at=AT + 2 * DAY).nothing()
    sent(ANSWERED).asked(survey.amend, score=4, comment="well", at=AT + 2 * DAY).has(SurveyAnswerAmended, score_change=0, comment="well")
    sent(ANSWERED, AMENDED).asked(survey.amend, score=3, comment=None, at=AT + 2 * DAY).has(
        SurveyAnswerAmended, previous_score=2, score_change=1, answered_at=AT + DAY, amendment_no=2
    )


def test_what_is_not_answered_cannot_be_amended_but_a_reported_amendment_is_the_answer() -> None:
    sent().asked(survey.amend, score=2, comment=None, at=AT + DAY).refused("survey.unanswered")
    sent().reported(survey.amend, score=2, comment=None, at=AT + DAY).irregular("survey.unanswered").types("survey.answered")


def test_an_expired_survey_takes_no_answer_unless_it_is_reported() -> None:
    sent(EXPIRED).asked(survey.answer, score=4, comment=None, at=AT + 40 * DAY).refused("survey.expired")
    sent(EXPIRED).reported(survey.answer, score=4, comment=None, at=AT + 40 * DAY).irregular("survey.expired").types("survey.answered")
    sent(ANSWERED, EXPIRED).asked(survey.amend, score=5, comment=None, at=AT + 40 * DAY).refused("survey.expired")


def test_reminders_are_counted_and_end() -> None:
    reminded = [SurveyReminded(**KEYS, reminder_no=number, sent_at=AT) for number in range(1, survey.MOST_REMINDERS + 1)]
    sent().asked(survey.remind, at=AT + DAY).then(reminded[0])
    sent(reminded[0]).asked(survey.remind, at=AT + DAY).then(reminded[1])
    sent(reminded[0]).asked(survey.answer, score=4, comment=None, at=AT + DAY).has(SurveyAnswered, reminders=1)
    sent(*reminded).asked(survey.remind, at=AT + DAY).refused("survey.too_many_reminders")


def test_nobody_is_reminded_of_what_is_answered_or_expired() -> None:
    for history, code in ((sent(ANSWERED), "survey.answered"), (sent(EXPIRED), "survey.expired")):
        history.asked(survey.remind, at=AT + 40 * DAY).refused(code)
        history.reported(survey.remind, at=AT + 40 * DAY).irregular(code)


def test_a_survey_without_an_answer_expires_once() -> None:
    assert isinstance(EXPIRED.event, SurveyExpired)
    sent().asked(survey.expire, at=AT + 30 * DAY).then(EXPIRED.event)
    sent(EXPIRED).asked(survey.expire, at=AT + 31 * DAY).nothing()
    sent(EXPIRED).reported(survey.expire, at=AT + 31 * DAY).then(EXPIRED.event)
    sent(ANSWERED).asked(survey.expire, at=AT + 30 * DAY).refused("survey.answered")
    sent(ANSWERED).reported(survey.expire, at=AT + 30 * DAY).irregular("survey.answered").has(SurveyExpired, answered=True)


def test_nothing_is_said_before_it_was_asked() -> None:
    before = AT - DAY
    sent().asked(survey.answer, score=4, comment=None, at=before).refused("survey.out_of_order")
    sent().reported(survey.answer, score=4, comment=None, at=before).irregular("survey.out_of_order")
    sent().asked(survey.remind, at=before).refused("survey.out_of_order")
    sent().asked(survey.expire, at=before).refused("survey.out_of_order")
    sent(ANSWERED).asked(survey.amend, score=1, comment=None, at=AT).refused("survey.out_of_order")


SAID = st.fixed_dictionaries({"score": st.integers(1, 5), "comment": st.sampled_from([None, "so"])})
REPORTS = st.one_of(
    st.tuples(st.just(survey.remind), st.just({})),
    st.tuples(st.just(survey.answer), SAID),
    st.tuples(st.just(survey.amend), SAID),
    st.tuples(st.just(survey.expire), st.just({})),
)


@drawn(st.lists(st.tuples(REPORTS, st.integers(-9, 90)), max_size=20))
def test_any_reported_history_is_taken_has_one_answer_and_its_changes_add_up(steps: list[tuple[tuple[Any, dict[str, Any]], int]]) -> None:
    state: Survey = evolve(None, SENT, AT)
    answers, points = 0, 0
    for (decide, values), days in steps:
        when = AT + days * DAY
        decided = decide(state, Rules(reporting=True), **values, at=when)
        assert len(decided) == 1
        state = evolve(state, decided[0], when)
        answers += isinstance(decided[0], SurveyAnswered)
        points += getattr(decided[0], "score_change", getattr(decided[0], "score", 0))
    assert answers == (state.score is not None)
    assert points == (state.score or 0)
