"""What can have happened to a survey: one question put to one customer."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.event import Event, PersonalText


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyEvent(Event):
    """The keys of every survey event; what it is about was copied when it was sent, so figures can be broken down by it."""

    stream: ClassVar[str] = "survey_id"
    person: ClassVar[tuple[str, ...]] = ("contact_id", "customer_id")
    survey_id: UUID
    customer_id: UUID
    contact_id: UUID | None
    kind: str
    """`csat` (1 to 5), `nps` (0 to 10) or `ces` (1 to 7)."""
    about: str
    """`relationship`, `request`, `order` or `interaction`."""
    request_id: UUID | None
    interaction_id: UUID | None
    order_ref: str | None
    agent: str | None
    team: str | None
    category: str | None
    channel: str | None
    product: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveySent(SurveyEvent):
    """The question was put."""

    type: ClassVar[str] = "survey.sent"
    sent_at: datetime
    """When the event happened, or earlier where only the answer was reported and this event came with it."""
    external_source: str | None
    external_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyReminded(SurveyEvent):
    """The customer was reminded; reminders count from 1."""

    type: ClassVar[str] = "survey.reminded"
    reminder_no: int
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyAnswered(SurveyEvent):
    """The customer answered, once."""

    type: ClassVar[str] = "survey.answered"
    score: int
    comment: PersonalText | None
    sent_at: datetime
    reminders: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyAnswerAmended(SurveyEvent):
    """The one answer was changed."""

    type: ClassVar[str] = "survey.answer_amended"
    score: int
    previous_score: int
    score_change: int
    comment: PersonalText | None
    """The new comment; None leaves the earlier one as it is."""
    sent_at: datetime
    answered_at: datetime
    """When it was first answered."""
    amendment_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyExpired(SurveyEvent):
    """The survey takes no more answers."""

    type: ClassVar[str] = "survey.expired"
    sent_at: datetime
    reminders: int
    answered: bool
    """Whether there is an answer; only a reported expiry can find one."""


EVENTS = (SurveySent, SurveyReminded, SurveyAnswered, SurveyAnswerAmended, SurveyExpired)
