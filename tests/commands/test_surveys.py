"""Commands on surveys: from a message to events, through the dispatcher."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from commands.order import Order
from domain.surveys.events import EVENTS, SurveyAnswered, SurveyEvent, SurveySent
from tests.commands.orders import CUSTOMER, Desk, ext, order

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
DAY = timedelta(days=1)
REQUEST: dict[str, Any] = {"category": "fault", "channel": "email", "product": "GTX", "agent": "ana", "team": "desk"}


def sent(number: object, **data: Any) -> Order:
    return order("send_survey", at=START, **{"survey_id": ext(number), "kind": "csat", "customer_id": ext("acme"), **data})


def step(name: str, number: object, days: int, *, report: bool = False, **data: Any) -> Order:
    return order(name, at=START + days * DAY, report=report, survey_id=ext(number), **data)


def told(desk: Desk) -> list[SurveyEvent]:
    return [stored.event for stored in desk.log.events if isinstance(stored.event, SurveyEvent)]


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.give(
        CUSTOMER,
        order("register_customer", customer_id=ext("zeta"), kind="company", name="Zeta"),
        order("add_contact", contact_id=ext("kim"), customer_id=ext("acme"), name="Kim"),
        order("open_request", request_id=ext("r"), at=START, customer_id=ext("acme"), contact_id=ext("kim"), subject="It broke", **REQUEST),
        order("log_interaction", interaction_id=ext("call"), at=START, customer_id=ext("acme"), kind="call", direction="inbound"),
    )
    return desk


def test_every_event_of_a_survey_is_reached_by_a_command(desk: Desk) -> None:
    desk.give(
        sent(1),
        step("remind_of_survey", 1, 3),
        step("answer_survey", 1, 4, score=3, comment="so so"),
        step("amend_survey_answer", 1, 5, score=5),
        sent(2),
        step("expire_survey", 2, 30),
    )
    assert {event.type for event in told(desk)} == {event.type for event in EVENTS}


def test_a_survey_about_a_request_copies_it_as_it_is(desk: Desk) -> None:
    desk.give(sent(1, request_id=ext("r")), order("take_request", request_id=ext("r"), agent="ben"), sent(2, request_id=ext("r")))
    first, second = told(desk)
    assert first.about == "request"
    assert {name: getattr(first, name) for name in REQUEST} == REQUEST
    assert first.contact_id is not None
    assert second.agent == "ben"


def test_the_request_says_whom_to_ask_and_the_message_may_say_the_rest_otherwise(desk: Desk) -> None:
    desk.give(order("send_survey", kind="nps", request_id=ext("r"), agent="cleo"))
    (survey,) = told(desk)
    assert (survey.agent, survey.category) == ("cleo", "fault")
    assert desk.refuse(order("send_survey", kind="nps")) == "survey.no_customer"


def test_a_survey_about_an_interaction_copies_its_kind_as_the_channel(desk: Desk) -> None:
    desk.give(sent(1, interaction_id=ext("call")))
    assert (told(desk)[0].about, told(desk)[0].channel) == ("interaction", "call")


def test_an_answer_without_a_recorded_sending_brings_it_along(desk: Desk) -> None:
    data: dict[str, Any] = {"survey_id": ext("review"), "kind": "csat", "customer_id": ext("acme"), "order_ref": "4711"}
    sent_at = (START - 3 * DAY).isoformat()
    desk.give(order("record_survey_answer", at=START, report=True, score=1, comment="late", sent_at=sent_at, **data))
    asked, answered = told(desk)
    assert isinstance(asked, SurveySent)
    assert isinstance(answered, SurveyAnswered)
    assert asked.sent_at == answered.sent_at == START - 3 * DAY
    assert (answered.score, answered.about, answered.order_ref) == (1, "order", "4711")
    assert desk.refuse(order("record_survey_answer", report=True, score=1, **data)) == "survey.exists"


@pytest.mark.parametrize(
    ("refused", "code"),
    [
        (step("answer_survey", 9, 1, score=3), "survey.unknown"),
        (order("answer_survey", survey_id=str(UUID(int=9)), score=3, report=True), "survey.unknown"),
        (step("answer_survey", 1, 1, score=6, report=True), "survey.scale"),
        (step("answer_survey", 1, 1, score=11), "command.invalid"),
        (step("amend_survey_answer", 1, 1, score=3), "survey.unanswered"),
        (step("answer_survey", 1, -1, score=3), "survey.out_of_order"),
        (sent(1), "survey.exists"),
        (sent(2, kind="stars"), "command.invalid"),
        (sent(2, customer_id=ext("zeta"), request_id=ext("r"), contact_id=None), "contact.other_customer"),
        (sent(2, customer_id=ext("zeta"), interaction_id=ext("call")), "survey.other_customer"),
        (sent(2, request_id=ext("r"), interaction_id=ext("call")), "survey.about"),
        (order("record_survey_answer", kind="csat", customer_id=ext("acme"), score=0, report=True), "survey.scale"),
        (order("record_survey_answer", kind="csat", customer_id=ext("acme"), score=3, sent_at="2999-01-01T00:00:00Z"), "time.in_future"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_code(desk: Desk, refused: Order, code: str) -> None:
    desk.give(sent(1))
    assert desk.refuse(refused) == code


def test_an_expired_survey_takes_a_reported_answer_and_says_that_it_is_irregular(desk: Desk) -> None:
    desk.give(sent(1), step("expire_survey", 1, 30), step("answer_survey", 1, 31, report=True, score=4))
    assert desk.log.events[-1].irregular == ("survey.expired",)


def test_an_archived_customer_is_not_surveyed(desk: Desk) -> None:
    desk.give(order("archive_customer", customer_id=ext("acme")))
    assert desk.refuse(sent(1)) == "customer.archived"
