"""A survey's life: one question is sent, reminded of, answered once and perhaps amended, or it expires."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.customers.customer import takes_business
from domain.errors import CorruptHistory, RuleViolation
from domain.event import Event
from domain.rules import Rules
from domain.surveys.events import SurveyAnswerAmended, SurveyAnswered, SurveyExpired, SurveyReminded, SurveySent
from domain.values import ExternalId

CSAT, NPS, CES = "csat", "nps", "ces"
SCALES: Mapping[str, tuple[int, int]] = {CSAT: (1, 5), NPS: (0, 10), CES: (1, 7)}
"""The lowest and the highest score of each kind."""
RELATIONSHIP, REQUEST, ORDER, INTERACTION = "relationship", "request", "order", "interaction"
MOST_REMINDERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a survey asks and what about; figures are broken down by these, as they were when it was sent."""

    customer_id: UUID
    contact_id: UUID | None = None
    request_id: UUID | None = None
    interaction_id: UUID | None = None
    order_ref: str | None = None
    agent: str | None = None
    team: str | None = None
    category: str | None = None
    channel: str | None = None
    product: str | None = None

    @property
    def about(self) -> str:
        """`request`, `interaction`, `order`, or `relationship` when it is about none of them."""
        named = ((REQUEST, self.request_id), (INTERACTION, self.interaction_id), (ORDER, self.order_ref))
        return next((about for about, value in named if value is not None), RELATIONSHIP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What decisions need to know of a survey."""

    id: UUID
    kind: str
    subject: Subject
    sent_at: datetime
    reminders: int = 0
    score: int | None = None
    answered_at: datetime | None = None
    amendments: int = 0
    expired: bool = False

    @property
    def keys(self) -> dict[str, Any]:
        """The keys that every event of this survey carries."""
        return _keys(self.id, self.kind, self.subject)


def _keys(survey_id: UUID, kind: str, subject: Subject) -> dict[str, Any]:
    return {"survey_id": survey_id, "kind": kind, "about": subject.about, **{name: getattr(subject, name) for name in _COPIED}}


_COPIED = tuple(field.name for field in fields(Subject))


def known(survey: Survey | None) -> Survey:
    """The survey, which must have been sent. Raises CorruptHistory."""
    if survey is None:
        raise CorruptHistory("history.no_start", "the survey's history does not begin with its sending")
    return survey


def evolve(survey: Survey | None, event: Event, at: datetime) -> Survey:
    """The survey after `event`, which happened `at`."""
    match event:
        case SurveySent():
            subject = Subject(**{name: getattr(event, name) for name in _COPIED})
            return Survey(id=event.survey_id, kind=event.kind, subject=subject, sent_at=event.sent_at)
        case SurveyReminded():
            return replace(known(survey), reminders=event.reminder_no)
        case SurveyAnswered():
            return replace(known(survey), score=event.score, answered_at=at)
        case SurveyAnswerAmended():
            return replace(known(survey), score=event.score, amendments=event.amendment_no)
        case SurveyExpired():
            return replace(known(survey), expired=True)
        case _:
            raise CorruptHistory("history.foreign_event", f"{event.type} is not a survey event")


def _check_score(kind: str, score: int) -> None:
    low, high = SCALES[kind]
    if not low <= score <= high:
        raise RuleViolation("survey.scale", f"{kind.upper()} scores go from {low} to {high}")


def send(
    survey: Survey | None,
    rules: Rules,
    *,
    survey_id: UUID,
    kind: str,
    subject: Subject,
    customer_archived: bool,
    contact_customer_id: UUID | None,
    subject_customer_id: UUID | None,
    sent_at: datetime,
    external: ExternalId | None,
) -> list[Event]:
    """Put a question to a customer; `subject_customer_id` is whose the request or interaction is that it is about."""
    if survey is not None:
        raise RuleViolation("survey.exists", "a survey with this id exists already")
    if kind not in SCALES:
        raise RuleViolation("survey.kind", f"a survey is one of {', '.join(SCALES)}")
    if sum(value is not None for value in (subject.request_id, subject.interaction_id, subject.order_ref)) > 1:
        raise RuleViolation("survey.about", "a survey is about one thing: a request, an interaction or an order")
    takes_business(rules, archived=customer_archived)
    rules.hold(
        subject.contact_id is None or contact_customer_id == subject.customer_id,
        "contact.other_customer",
        "the contact belongs to another customer than the survey",
    )
    rules.hold(
        subject_customer_id in (None, subject.customer_id),
        "survey.other_customer",
        f"the {subject.about} that the survey is about belongs to another customer",
    )
    return [
        SurveySent(
            **_keys(survey_id, kind, subject),
            sent_at=sent_at,
            external_source=external.source if external else None,
            external_id=external.id if external else None,
        )
    ]


def remind(survey: Survey, rules: Rules, *, at: datetime) -> list[Event]:
    """Remind the customer of the question."""
    _in_order(rules, survey.sent_at, at)
    rules.hold(survey.score is None, "survey.answered", "the survey is answered; there is nothing to be reminded of")
    rules.hold(not survey.expired, "survey.expired", "the survey has expired; send another one")
    rules.hold(survey.reminders < MOST_REMINDERS, "survey.too_many_reminders", f"nobody is reminded more than {MOST_REMINDERS} times")
    return [SurveyReminded(**survey.keys, reminder_no=survey.reminders + 1, sent_at=survey.sent_at)]


def answer(survey: Survey, rules: Rules, *, score: int, comment: str | None, at: datetime) -> list[Event]:
    """Take the customer's one answer; a second one that is reported amends the first."""
    _check_score(survey.kind, score)
    if survey.score == score and comment is None and not rules.reporting:
        return []
    rules.hold(survey.score is None, "survey.answered", "the survey is answered already; amend the answer instead")
    rules.hold(not survey.expired, "survey.expired", "the survey has expired and takes no answer")
    return _said(survey, rules, score=score, comment=comment, at=at)


def amend(survey: Survey, rules: Rules, *, score: int, comment: str | None, at: datetime) -> list[Event]:
    """Change the answer; without a comment the earlier comment stays. An amendment reported before any answer is the answer."""
    _check_score(survey.kind, score)
    if survey.score == score and comment is None and not rules.reporting:
        return []
    rules.hold(survey.score is not None, "survey.unanswered", "there is no answer to amend yet; answer the survey")
    rules.hold(not survey.expired, "survey.expired", "the survey has expired and its answer stands")
    return _said(survey, rules, score=score, comment=comment, at=at)


def _said(survey: Survey, rules: Rules, *, score: int, comment: str | None, at: datetime) -> list[Event]:
    _in_order(rules, survey.answered_at or survey.sent_at, at)
    if survey.score is None or survey.answered_at is None:
        return [SurveyAnswered(**survey.keys, score=score, comment=comment, sent_at=survey.sent_at, reminders=survey.reminders)]
    amended = SurveyAnswerAmended(
        **survey.keys,
        score=score,
        previous_score=survey.score,
        score_change=score - survey.score,
        comment=comment,
        sent_at=survey.sent_at,
        answered_at=survey.answered_at,
        amendment_no=survey.amendments + 1,
    )
    return [amended]


def _in_order(rules: Rules, since: datetime, at: datetime) -> None:
    rules.hold(at >= since, "survey.out_of_order", f"the survey was sent or answered at {since.isoformat()}, later")


def expire(survey: Survey, rules: Rules, *, at: datetime) -> list[Event]:
    """Take no more answers."""
    if survey.expired and not rules.reporting:
        return []
    _in_order(rules, survey.sent_at, at)
    rules.hold(survey.score is None, "survey.answered", "the survey is answered; it does not expire")
    answered = survey.score is not None
    return [SurveyExpired(**survey.keys, sent_at=survey.sent_at, reminders=survey.reminders, answered=answered)]
