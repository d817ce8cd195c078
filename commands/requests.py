"""Commands on service requests: open, triage, give, answer, wait, resolve, close, reopen, merge and link them."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from commands.command import Command, ContactRef, CustomerRef, InteractionRef, LongText, OpportunityRef, Ref, RequestRef, ShortText, UserId
from commands.context import Context
from commands.persons import present
from commands.records import CONTACT, CUSTOMER, INTERACTION, OPPORTUNITY, REQUEST, Record
from commands.registry import handles
from domain.errors import RuleViolation
from domain.requests import ending, talk, work
from domain.requests.request import Step

Priority = Literal["low", "normal", "high", "urgent"]
Level = Annotated[int, Field(ge=1, le=work.HIGHEST_LEVEL)]


class OpenRequest(Command):
    """Open a service request of a customer; its targets are set by its category and priority."""

    request_id: RequestRef | None = None
    customer_id: CustomerRef
    contact_id: ContactRef | None = None
    subject: ShortText
    description: LongText | None = None
    channel: ShortText
    category: ShortText = "general"
    """`complaint` has a stricter policy of its own."""
    priority: Priority = "normal"
    product: ShortText | None = None
    order_ref: ShortText | None = None
    agent: UserId | None = None
    team: ShortText | None = None
    by: UserId | None = None
    activity: ShortText | None = None


class RequestStep(Command):
    """What every further step of a request may say of itself."""

    request_id: RequestRef
    by: UserId | None = None
    """Who took the step, where that is not the caller."""
    activity: ShortText | None = None
    """The source system's own name for the step; only for reports."""


class TriageRequest(RequestStep):
    """Judge a request's category and priority; what is left out stays as it is."""

    category: ShortText | None = None
    priority: Priority | None = None


class AssignRequest(RequestStep):
    """Give a request to an agent, a team or both."""

    agent: UserId | None = None
    team: ShortText | None = None


class TakeRequest(RequestStep):
    """Take a request in charge; a wait that is going on ends."""

    agent: UserId
    team: ShortText | None = None


class HandOverRequest(RequestStep):
    """Pass a request on from the agent who has it to another agent or team."""

    agent: UserId | None = None
    team: ShortText | None = None
    reason: ShortText | None = None


class RecordFirstResponse(RequestStep):
    """Record that the customer got a first answer, by whatever means."""


class RecordReply(RequestStep):
    """Record a message to or from the customer; the first one to the customer is the first response."""

    direction: Literal["to_customer", "from_customer"]


class PauseRequest(RequestStep):
    """Stop a request's clock while it waits on the customer or a third party."""

    waiting_on: Literal["customer", "third_party"]
    reason: ShortText | None = None


class ResumeRequest(RequestStep):
    """Let a waiting request's clock run again; what is due moves by the time waited."""


class EscalateRequest(RequestStep):
    """Raise a request to a higher level (the next one unless given)."""

    level: Level | None = None
    reason: ShortText | None = None


class ResolveRequest(RequestStep):
    """Resolve a request and say what came of it."""

    result: ShortText | None = None


class CloseRequest(RequestStep):
    """Close a request; one that is not resolved yet is resolved with the result given here."""

    result: ShortText | None = None


class ReopenRequest(RequestStep):
    """Bring a resolved, closed or merged request back to work."""

    reason: ShortText | None = None


class MergeRequest(RequestStep):
    """Let a request go on as another one of the same customer."""

    into_request_id: RequestRef


class LinkRequest(RequestStep):
    """Say that a request has to do with another request, an opportunity or an interaction."""

    relation: Literal["related", "duplicates", "caused_by", "follows"] = "related"
    linked_request_id: RequestRef | None = None
    opportunity_id: OpportunityRef | None = None
    interaction_id: InteractionRef | None = None


class NoteRequestActivity(RequestStep):
    """Note a reported step of another system that no other command stands for; `activity` says what it was."""


def _step(cmd: OpenRequest | RequestStep, ctx: Context) -> Step:
    return Step(ctx.at, cmd.by, cmd.activity)


@handles
def open_request(cmd: OpenRequest, ctx: Context) -> None:
    request_id = ctx.new(REQUEST, cmd.request_id)
    customer = present(ctx, CUSTOMER, cmd.customer_id)
    contact = present(ctx, CONTACT, cmd.contact_id) if cmd.contact_id is not None else None
    events = work.open_request(
        ctx.get(REQUEST, request_id),
        ctx.rules,
        _step(cmd, ctx),
        request_id=request_id,
        customer_id=customer.id,
        customer_archived=customer.archived,
        contact_id=contact.id if contact else None,
        contact_customer_id=contact.customer_id if contact else None,
        channel=cmd.channel,
        category=cmd.category,
        priority=cmd.priority,
        subject=cmd.subject,
        description=cmd.description,
        product=cmd.product,
        order_ref=cmd.order_ref,
        agent=cmd.agent,
        team=cmd.team,
        external=ctx.external(cmd.request_id),
    )
    ctx.record(REQUEST, request_id, events)


@handles
def triage_request(cmd: TriageRequest, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    ctx.record(REQUEST, request.id, work.triage(request, ctx.rules, _step(cmd, ctx), category=cmd.category, priority=cmd.priority))


@handles
def assign_request(cmd: AssignRequest, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    ctx.record(REQUEST, request.id, work.assign(request, ctx.rules, _step(cmd, ctx), agent=cmd.agent, team=cmd.team))


@handles
def take_request(cmd: TakeRequest, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    ctx.record(REQUEST, request.id, work.take(request, ctx.rules, _step(cmd, ctx), agent=cmd.agent, team=cmd.team))


@handles
def hand_over_request(cmd: HandOverRequest, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    events = work.hand_over(request, ctx.rules, _step(cmd, ctx), agent=cmd.agent, team=cmd.team, reason=cmd.reason)
    ctx.record(REQUEST, request.id, events)


@handles
def record_first_response(cmd: RecordFirstResponse, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    ctx.record(REQUEST, request.id, talk.respond(request, ctx.rules, _step(cmd, ctx)))


@handles
def record_reply(cmd: RecordReply, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    ctx.record(REQUEST, request.id, talk.reply(request, ctx.rules, _step(cmd, ctx), direction=cmd.direction))


@handles
def pause_request(cmd: PauseRequest, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    ctx.record(REQUEST, request.id, talk.wait(request, ctx.rules, _step(cmd, ctx), on=cmd.waiting_on, reason=cmd.reason))


@handles
def resume_request(cmd: ResumeRequest, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    ctx.record(REQUEST, request.id, talk.resume(request, ctx.rules, _step(cmd, ctx)))


@handles
def escalate_request(cmd: EscalateRequest, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    ctx.record(REQUEST, request.id, work.escalate(request, ctx.rules, _step(cmd, ctx), level=cmd.level, reason=cmd.reason))


@handles
def resolve_request(cmd: ResolveRequest, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    ctx.record(REQUEST, request.id, ending.resolve(request, ctx.rules, _step(cmd, ctx), result=cmd.result))


@handles
def close_request(cmd: CloseRequest, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    ctx.record(REQUEST, request.id, ending.close(request, ctx.rules, _step(cmd, ctx), result=cmd.result))


@handles
def reopen_request(cmd: ReopenRequest, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    ctx.record(REQUEST, request.id, ending.reopen(request, ctx.rules, _step(cmd, ctx), reason=cmd.reason))


@handles
def merge_request(cmd: MergeRequest, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    into = ctx.find(REQUEST, cmd.into_request_id)
    ctx.record(REQUEST, request.id, ending.merge(request, ctx.rules, _step(cmd, ctx), into=into))


def _linked(cmd: LinkRequest, ctx: Context) -> tuple[str, UUID]:
    fields: tuple[tuple[Record[Any], Ref | None], ...] = (
        (REQUEST, cmd.linked_request_id),
        (OPPORTUNITY, cmd.opportunity_id),
        (INTERACTION, cmd.interaction_id),
    )
    named: list[tuple[Record[Any], Ref]] = [(record, ref) for record, ref in fields if ref is not None]
    if len(named) != 1:
        raise RuleViolation("request.one_link", "name one record to link to: linked_request_id, opportunity_id or interaction_id")
    ((record, ref),) = named
    return record.kind, ctx.find(record, ref).id


@handles
def link_request(cmd: LinkRequest, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    kind, linked_id = _linked(cmd, ctx)
    events = work.link(request, ctx.rules, _step(cmd, ctx), kind=kind, linked_id=linked_id, relation=cmd.relation)
    ctx.record(REQUEST, request.id, events)


@handles
def note_request_activity(cmd: NoteRequestActivity, ctx: Context) -> None:
    request = ctx.find(REQUEST, cmd.request_id)
    ctx.record(REQUEST, request.id, work.note_activity(request, ctx.rules, _step(cmd, ctx)))
