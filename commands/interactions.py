"""Commands on interactions: log what took place, correct it, retract it."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from commands.changes import said
from commands.command import (
    Command,
    ContactRef,
    CustomerRef,
    Instant,
    InteractionRef,
    LongText,
    OpportunityRef,
    RequestRef,
    ShortText,
    UserId,
)
from commands.context import Context
from commands.persons import present
from commands.records import CONTACT, CUSTOMER, INTERACTION, OPPORTUNITY, REQUEST
from commands.registry import handles
from domain.interactions import interaction
from domain.interactions.interaction import LONGEST_SECONDS, MOST_PARTICIPANTS, PERSONAL, Belonging, Direction, Facts, Kind, taking_part
from domain.values import happened

Participant = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Participants = Annotated[tuple[Participant, ...], Field(max_length=MOST_PARTICIPANTS)]
Moment = Annotated[Instant, Field(ge=datetime(1900, 1, 1, tzinfo=UTC))]
Seconds = Annotated[int, Field(ge=0, le=LONGEST_SECONDS)]


class LogInteraction(Command):
    """Log a call, e-mail, meeting, visit, chat, social contact or note; if it was earlier, say when in `occurred_at`."""

    interaction_id: InteractionRef | None = None
    customer_id: CustomerRef
    kind: Kind
    direction: Direction
    duration_seconds: Seconds | None = None
    subject: ShortText | None = None
    summary: LongText | None = None
    participants: Participants = ()
    contact_id: ContactRef | None = None
    opportunity_id: OpportunityRef | None = None
    request_id: RequestRef | None = None
    campaign: ShortText | None = None
    owner_id: UserId | None = None
    """Who of us took part; the customer's owner unless given."""
    team: ShortText | None = None
    """The team of who took part; the customer's team where `owner_id` is left out too."""


class CorrectInteraction(Command):
    """Say what a logged interaction really was; a field left out stays as it is and null clears it. What was logged is kept."""

    interaction_id: InteractionRef
    reason: ShortText | None = None
    kind: Kind | None = None
    """Another kind; null leaves it as it is."""
    direction: Direction | None = None
    """Another direction; null leaves it as it is."""
    happened_at: Moment | None = None
    """When it really took place; null leaves it as it is."""
    duration_seconds: Seconds | None = None
    subject: ShortText | None = None
    summary: LongText | None = None
    participants: Participants | None = None
    contact_id: ContactRef | None = None
    opportunity_id: OpportunityRef | None = None
    request_id: RequestRef | None = None
    campaign: ShortText | None = None
    owner_id: UserId | None = None
    team: ShortText | None = None


class RetractInteraction(Command):
    """Take back an interaction that was logged in error."""

    interaction_id: InteractionRef
    reason: ShortText | None = None


@handles
def log_interaction(cmd: LogInteraction, ctx: Context) -> None:
    interaction_id = ctx.new(INTERACTION, cmd.interaction_id)
    customer = present(ctx, CUSTOMER, cmd.customer_id)
    belonging, about = _named_records(cmd, ctx)
    facts = Facts(
        kind=cmd.kind,
        direction=cmd.direction,
        happened_at=ctx.at,
        duration_seconds=cmd.duration_seconds,
        campaign=cmd.campaign,
        owner_id=cmd.owner_id or customer.owner_id,
        team=cmd.team or (customer.team if cmd.owner_id is None else None),
        subject=cmd.subject,
        summary=cmd.summary,
        **taking_part(cmd.participants),
        **about,
    )
    events = interaction.log(
        ctx.get(INTERACTION, interaction_id),
        ctx.rules,
        interaction_id=interaction_id,
        customer_id=customer.id,
        customer_archived=customer.archived,
        facts=facts,
        belonging=belonging,
        external=ctx.external(cmd.interaction_id),
    )
    ctx.record(INTERACTION, interaction_id, events)


def _named_records(cmd: LogInteraction | CorrectInteraction, ctx: Context) -> tuple[Belonging, dict[str, Any]]:
    """The records that the command names: whose each is, and their ids by field."""
    contact = None if cmd.contact_id is None else present(ctx, CONTACT, cmd.contact_id)
    deal = None if cmd.opportunity_id is None else ctx.find(OPPORTUNITY, cmd.opportunity_id)
    request = None if cmd.request_id is None else ctx.find(REQUEST, cmd.request_id)
    belonging = Belonging(
        contact=contact.customer_id if contact else None,
        opportunity=deal.customer_id if deal else None,
        request=request.customer_id if request else None,
    )
    ids = {
        "contact_id": contact.id if contact else None,
        "opportunity_id": deal.id if deal else None,
        "request_id": request.id if request else None,
    }
    return belonging, ids


@handles
def correct_interaction(cmd: CorrectInteraction, ctx: Context) -> None:
    known = ctx.find(INTERACTION, cmd.interaction_id)
    belonging, about = _named_records(cmd, ctx)
    changes = said(cmd, "duration_seconds", "subject", "summary", "campaign", "owner_id", "team")
    changes.update({name: value for name in ("kind", "direction") if (value := getattr(cmd, name)) is not None})
    changes.update({name: value for name, value in about.items() if name in cmd.model_fields_set})
    if changes.get("contact_id", known.facts.contact_id) != known.facts.contact_id:
        known = ctx.sealed(INTERACTION, known.id) or known
    if cmd.happened_at is not None:
        changes["happened_at"] = happened(cmd.happened_at, now=ctx.now)
    if "participants" in cmd.model_fields_set:
        changes.update(taking_part(cmd.participants or ()))
    if any(changes.get(name) for name in PERSONAL):
        _hold_present(ctx, changes.get("contact_id", known.facts.contact_id), known.customer_id)
    events = interaction.correct(known, ctx.rules, changes=changes, belonging=belonging, reason=cmd.reason)
    ctx.record(INTERACTION, known.id, events)


def _hold_present(ctx: Context, contact_id: UUID | None, customer_id: UUID) -> None:
    """Hold that whoever the texts are about was not erased."""
    if contact_id is None:
        present(ctx, CUSTOMER, customer_id)
    else:
        present(ctx, CONTACT, contact_id)


@handles
def retract_interaction(cmd: RetractInteraction, ctx: Context) -> None:
    known = ctx.find(INTERACTION, cmd.interaction_id)
    ctx.record(INTERACTION, known.id, interaction.retract(known, reason=cmd.reason))
