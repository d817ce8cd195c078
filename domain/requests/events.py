"""What can have happened to a service request."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.event import Event, PersonalText


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEvent(Event):
    """The keys of every request event, as they are after it."""

    stream: ClassVar[str] = "request_id"
    person: ClassVar[tuple[str, ...]] = ("contact_id", "customer_id")
    request_id: UUID
    customer_id: UUID
    contact_id: UUID | None
    agent: str | None
    """Whom it is assigned to, as a user id."""
    team: str | None
    category: str
    priority: str
    """`low`, `normal`, `high` or `urgent`."""
    channel: str
    status: str
    """`open`, `waiting`, `resolved`, `closed` or `merged`."""
    by: str | None
    """Who took this step, where that is not the envelope's actor (an import names the agent here)."""
    activity: str | None
    """The source system's own name for the step; only on reported events, and only on the one event that is the step itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOpened(RequestEvent):
    """A customer asked for something; the targets follow as events of their own."""

    type: ClassVar[str] = "request.opened"
    subject: PersonalText
    description: PersonalText | None
    product: str | None
    order_ref: str | None
    open_change: int
    """Always 1: see StatusEvent."""
    external_source: str | None
    external_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTriaged(RequestEvent):
    """A request was put into `category` with `priority`; a repeated judgement changes nothing but is told."""

    type: ClassVar[str] = "request.triaged"
    previous_category: str
    previous_priority: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentEvent(RequestEvent):
    """The request went from one agent or team to `agent` and `team`, who may be the same; assignments count from 1."""

    from_agent: str | None
    from_team: str | None
    assignment_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAssigned(AssignmentEvent):
    """Somebody gave the request to an agent or a team."""

    type: ClassVar[str] = "request.assigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTaken(AssignmentEvent):
    """An agent took the request in charge."""

    type: ClassVar[str] = "request.taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHandedOver(AssignmentEvent):
    """The agent who had the request gave it to another agent or team."""

    type: ClassVar[str] = "request.handed_over"
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFirstResponded(RequestEvent):
    """The customer got a first answer; a reported second “first” answer has `response_no` 2."""

    type: ClassVar[str] = "request.first_responded"
    response_no: int
    opened_at: datetime
    waited_seconds: int
    """Seconds of waiting up to then."""
    gross_seconds: int
    """From the opening."""
    net_seconds: int
    """From the opening, without the waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReplied(RequestEvent):
    """A message went to the customer or came from them; what it says is an interaction's affair."""

    type: ClassVar[str] = "request.replied"
    direction: str
    """`to_customer` or `from_customer`."""
    reply_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEvent(RequestEvent):
    """A step that says which status the request is in, the same one perhaps (a reported repetition)."""

    previous_status: str
    open_change: int
    """1 if the request came back into the backlog (open or waiting), -1 if it left it, otherwise 0; the sum is always right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestWaiting(StatusEvent):
    """The clock was stopped: we wait on the customer or a third party."""

    type: ClassVar[str] = "request.waiting"
    waiting_on: str
    """`customer` or `third_party`."""
    reason: str | None
    waiting_since: datetime
    """When this wait began: this event, or an earlier one that it repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestResumed(StatusEvent):
    """The clock runs again."""

    type: ClassVar[str] = "request.resumed"
    waiting_on: str | None
    waiting_since: datetime
    waited_seconds: int
    """Length of this wait; 0 when a resumption is reported of a request that was not waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEscalated(RequestEvent):
    """The request was raised to a higher level, from 1; 0 is not escalated."""

    type: ClassVar[str] = "request.escalated"
    level: int
    previous_level: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTargetSet(RequestEvent):
    """A service target was set or set anew."""

    type: ClassVar[str] = "request.target_set"
    kind: str
    """`first_response` or `resolution`."""
    due_at: datetime
    previous_due_at: datetime | None
    started_at: datetime
    """From when the target counts: the opening, or the last reopening."""
    pushed_seconds: int
    """Waiting that the due time allows for."""
    policy: str
    cause: str
    """`opening`, `triage`, `waiting` or `reopening`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettled(RequestEvent):
    """A target's outcome."""

    kind: str
    due_at: datetime
    started_at: datetime
    margin_seconds: int
    """Seconds that were left; negative when late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTargetMet(TargetSettled):
    """The target was reached in time."""

    type: ClassVar[str] = "request.target_met"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTargetBreached(TargetSettled):
    """The target was reached later than due."""

    type: ClassVar[str] = "request.target_breached"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndEvent(StatusEvent):
    """The work ended (once more, perhaps); durations are in seconds from the opening."""

    result: str | None
    opened_at: datetime
    waited_seconds: int
    """All waiting so far."""
    gross_seconds: int
    net_seconds: int
    """`gross_seconds` without the waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestResolved(EndEvent):
    """The request was answered; resolutions count from 1."""

    type: ClassVar[str] = "request.resolved"
    resolution_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReopened(StatusEvent):
    """A resolved, closed or merged request came back to work; reopenings count from 1."""

    type: ClassVar[str] = "request.reopened"
    reopen_no: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestClosed(EndEvent):
    """The request was filed away."""

    type: ClassVar[str] = "request.closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMerged(StatusEvent):
    """The request goes on as another one."""

    type: ClassVar[str] = "request.merged"
    into_request_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLinked(RequestEvent):
    """The request has to do with another record."""

    type: ClassVar[str] = "request.linked"
    linked_kind: str
    """`request`, `opportunity` or `interaction`."""
    linked_id: UUID
    relation: str
    """`related`, `duplicates`, `caused_by` or `follows`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestActivityNoted(RequestEvent):
    """A step of the source system that no other event stands for; `activity` names it."""

    type: ClassVar[str] = "request.activity_noted"


EVENTS = (
    RequestOpened,
    RequestTriaged,
    RequestAssigned,
    RequestTaken,
    RequestHandedOver,
    RequestFirstResponded,
    RequestReplied,
    RequestWaiting,
    RequestResumed,
    RequestEscalated,
    RequestTargetSet,
    RequestTargetMet,
    RequestTargetBreached,
    RequestResolved,
    RequestReopened,
    RequestClosed,
    RequestMerged,
    RequestLinked,
    RequestActivityNoted,
)
