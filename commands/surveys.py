"""Commands on surveys: send, remind, answer, amend, let them expire, and record an answer whose sending nobody recorded."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from commands.command import Command, ContactRef, CustomerRef, Instant, InteractionRef, LongText, RequestRef, ShortText, SurveyRef, UserId
from commands.context import Context
from commands.persons import present
from commands.records import CONTACT, CUSTOMER, INTERACTION, REQUEST, SURVEY
from commands.registry import handles
from domain.contacts.contact import Contact
from domain.customers.customer import Customer
from domain.errors import RuleViolation
from domain.persons import not_restricted
from domain.surveys import survey
from domain.surveys.survey import Subject
from domain.values import happened

Score = Annotated[int, Field(ge=0, le=10)]
"""The widest scale; each kind is held to its own."""
COPIED = ("order_ref", "agent", "team", "category", "channel", "product")
"""What a command may say itself instead of having it copied."""


class SurveyMessage(Command):
    """Whom a survey asks and what about. What is left out is copied from the request or interaction that it is about."""

    survey_id: SurveyRef | None = None
    kind: Literal["csat", "nps", "ces"]
    customer_id: CustomerRef | None = None
    """May be left out where a request or an interaction says whose it is."""
    contact_id: ContactRef | None = None
    request_id: RequestRef | None = None
    interaction_id: InteractionRef | None = None
    order_ref: ShortText | None = None
    agent: UserId | None = None
    team: ShortText | None = None
    category: ShortText | None = None
    channel: ShortText | None = None
    product: ShortText | None = None


class SendSurvey(SurveyMessage):
    """Ask a customer for a score: CSAT 1 to 5, NPS 0 to 10 or CES 1 to 7."""


class RecordSurveyAnswer(SurveyMessage):
    """Record an answer together with the survey that was sent for it, which nobody recorded at the time."""

    score: Score
    comment: LongText | None = None
    sent_at: Instant | None = None
    """When it was sent, if that is known; otherwise when it was answered."""


class RemindOfSurvey(Command):
    """Remind a customer of a survey that is not answered."""

    survey_id: SurveyRef


class AnswerSurvey(Command):
    """Take the customer's one answer to a survey."""

    survey_id: SurveyRef
    score: Score
    comment: LongText | None = None


class AmendSurveyAnswer(Command):
    """Change the answer to a survey; without a comment the earlier one stays."""

    survey_id: SurveyRef
    score: Score
    comment: LongText | None = None


class ExpireSurvey(Command):
    """Take no more answers to a survey."""

    survey_id: SurveyRef


def _copied(cmd: SurveyMessage, ctx: Context) -> Subject | None:
    """What a survey copies from the request or interaction that it is about."""
    if cmd.request_id is not None:
        request = ctx.find(REQUEST, cmd.request_id)
        return Subject(
            customer_id=request.customer_id,
            contact_id=request.contact_id,
            request_id=request.id,
            agent=request.agent,
            team=request.team,
            category=request.category,
            channel=request.channel,
            product=request.product,
        )
    if cmd.interaction_id is not None:
        held = ctx.find(INTERACTION, cmd.interaction_id)
        facts = held.facts
        return Subject(
            customer_id=held.customer_id,
            contact_id=facts.contact_id,
            interaction_id=held.id,
            agent=facts.owner_id,
            team=facts.team,
            channel=facts.kind,
        )
    return None


def _send(cmd: SurveyMessage, ctx: Context, *, sent_at: datetime) -> UUID:
    survey_id = ctx.new(SURVEY, cmd.survey_id)
    copied = _copied(cmd, ctx)
    asked = cmd.customer_id if cmd.customer_id is not None else copied and copied.customer_id
    if asked is None:
        raise RuleViolation("survey.no_customer", "say in `customer_id` whom the survey asks")
    customer = present(ctx, CUSTOMER, asked)
    said: dict[str, Any] = {name: getattr(cmd, name) for name in COPIED if getattr(cmd, name) is not None}
    if cmd.interaction_id is not None:
        said["interaction_id"] = ctx.id(INTERACTION, cmd.interaction_id)
    if cmd.contact_id is not None:
        said["contact_id"] = ctx.id(CONTACT, cmd.contact_id)
    subject = replace(copied or Subject(customer_id=customer.id), customer_id=customer.id, **said)
    contact = present(ctx, CONTACT, subject.contact_id) if subject.contact_id else None
    events = survey.send(
        ctx.get(SURVEY, survey_id),
        ctx.rules,
        survey_id=survey_id,
        kind=cmd.kind,
        subject=subject,
        customer_archived=customer.archived,
        contact_customer_id=contact.customer_id if contact else None,
        subject_customer_id=copied.customer_id if copied else None,
        sent_at=sent_at,
        external=ctx.external(cmd.survey_id),
    )
    ctx.record(SURVEY, survey_id, events)
    return survey_id


def _asked(ctx: Context, subject: Subject) -> Customer | Contact:
    """Who was asked, and was not erased since. Raises RuleViolation `person.erased`."""
    customer = present(ctx, CUSTOMER, subject.customer_id)
    return customer if subject.contact_id is None else present(ctx, CONTACT, subject.contact_id)


def _hold_unrestricted(ctx: Context, subject: Subject) -> None:
    not_restricted(ctx.rules, restricted=_asked(ctx, subject).restricted)


@handles
def send_survey(cmd: SendSurvey, ctx: Context) -> None:
    survey_id = _send(cmd, ctx, sent_at=ctx.at)
    _hold_unrestricted(ctx, ctx.find(SURVEY, survey_id).subject)


@handles
def record_survey_answer(cmd: RecordSurveyAnswer, ctx: Context) -> None:
    survey_id = _send(cmd, ctx, sent_at=happened(cmd.sent_at, now=ctx.now) if cmd.sent_at else ctx.at)
    sent = ctx.find(SURVEY, survey_id)
    ctx.record(SURVEY, survey_id, survey.answer(sent, ctx.rules, score=cmd.score, comment=cmd.comment, at=ctx.at))


@handles
def remind_of_survey(cmd: RemindOfSurvey, ctx: Context) -> None:
    sent = ctx.find(SURVEY, cmd.survey_id)
    _hold_unrestricted(ctx, sent.subject)
    ctx.record(SURVEY, sent.id, survey.remind(sent, ctx.rules, at=ctx.at))


@handles
def answer_survey(cmd: AnswerSurvey, ctx: Context) -> None:
    sent = ctx.find(SURVEY, cmd.survey_id)
    _asked(ctx, sent.subject)
    ctx.record(SURVEY, sent.id, survey.answer(sent, ctx.rules, score=cmd.score, comment=cmd.comment, at=ctx.at))


@handles
def amend_survey_answer(cmd: AmendSurveyAnswer, ctx: Context) -> None:
    sent = ctx.find(SURVEY, cmd.survey_id)
    _asked(ctx, sent.subject)
    ctx.record(SURVEY, sent.id, survey.amend(sent, ctx.rules, score=cmd.score, comment=cmd.comment, at=ctx.at))


@handles
def expire_survey(cmd: ExpireSurvey, ctx: Context) -> None:
    sent = ctx.find(SURVEY, cmd.survey_id)
    ctx.record(SURVEY, sent.id, survey.expire(sent, ctx.rules, at=ctx.at))
