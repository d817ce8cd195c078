"""A service request's life: opened, triaged, given to agents, answered, made to wait and resumed, resolved, closed, perhaps reopened.

This module holds its state. The decisions are beside it: `work` (who does what), `talk` (answers and waiting),
`ending` (resolved, closed, reopened, merged); `targets` keeps the promised times.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.errors import CorruptHistory, RuleViolation
from domain.event import Event
from domain.requests.events import (
    AssignmentEvent,
    RequestActivityNoted,
    RequestClosed,
    RequestEscalated,
    RequestFirstResponded,
    RequestLinked,
    RequestMerged,
    RequestOpened,
    RequestReopened,
    RequestReplied,
    RequestResolved,
    RequestResumed,
    RequestTargetSet,
    RequestTriaged,
    RequestWaiting,
    StatusEvent,
    TargetSettled,
)
from domain.rules import Rules

OPEN, WAITING, RESOLVED, CLOSED, MERGED = "open", "waiting", "resolved", "closed", "merged"
STATUSES = (OPEN, WAITING, RESOLVED, CLOSED, MERGED)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Step:
    """The circumstances of one step: when it happened, who took it, and the source system's own name for it (reported only)."""

    at: datetime
    by: str | None = None
    activity: str | None = None

    @property
    def named(self) -> dict[str, Any]:
        """The fields of the event that is the step itself."""
        return {"by": self.by, "activity": self.activity}

    @property
    def unnamed(self) -> dict[str, Any]:
        """The fields of an event that only follows from the step."""
        return {"by": self.by, "activity": None}


@dataclass(frozen=True, slots=True)
class Target:
    """A promised time. `pushed_seconds` of waiting are allowed for in `due_at`."""

    started_at: datetime
    due_at: datetime
    pushed_seconds: int
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What decisions need to know of a request, and what a survey about it copies."""

    id: UUID
    customer_id: UUID
    contact_id: UUID | None
    agent: str | None
    team: str | None
    category: str
    priority: str
    channel: str
    product: str | None
    order_ref: str | None
    status: str
    opened_at: datetime
    status_since: datetime
    waiting_on: str | None = None
    waiting_reason: str | None = None
    waiting_since: datetime | None = None
    waited_seconds: int = 0
    """Of all waits that have ended."""
    level: int = 0
    assignments: int = 0
    responses: int = 0
    replies: int = 0
    resolutions: int = 0
    reopenings: int = 0
    result: str | None = None
    merged_into: UUID | None = None
    targets: dict[str, Target] = field(default_factory=dict[str, Target])
    links: frozenset[tuple[str, UUID, str]] = frozenset()

    @property
    def active(self) -> bool:
        """Whether it is in the backlog: open or waiting."""
        return self.status in (OPEN, WAITING)

    @property
    def keys(self) -> dict[str, Any]:
        """The keys that every event of this request carries."""
        return {
            "request_id": self.id,
            "customer_id": self.customer_id,
            "contact_id": self.contact_id,
            "agent": self.agent,
            "team": self.team,
            "category": self.category,
            "priority": self.priority,
            "channel": self.channel,
            "status": self.status,
        }

    def turned(self, status: str) -> dict[str, Any]:
        """The keys of an event that brings the request into `status`, with the status before and what that does to the backlog."""
        change = int(status in (OPEN, WAITING)) - int(self.active)
        return {**self.keys, "status": status, "previous_status": self.status, "open_change": change}

    def waiting_until(self, at: datetime) -> int:
        """Seconds of the wait that is going on; 0 when there is none."""
        return max(0, (at - self.waiting_since) // SECOND) if self.waiting_since else 0

    def durations(self, at: datetime) -> dict[str, Any]:
        """Seconds from the opening to `at`: gross, waited, and net of the waiting."""
        gross = (at - self.opened_at) // SECOND
        waited = self.waited_seconds + self.waiting_until(at)
        return {"opened_at": self.opened_at, "waited_seconds": waited, "gross_seconds": gross, "net_seconds": gross - waited}


def known(request: Request | None) -> Request:
    """The request, which must have been opened. Raises CorruptHistory."""
    if request is None:
        raise CorruptHistory("history.no_start", "the request's history does not begin with its opening")
    return request


def evolve(request: Request | None, event: Event, at: datetime) -> Request:
    """The request after `event`, which happened `at`."""
    match event:
        case RequestOpened():
            return _opened(event, at)
        case StatusEvent():
            return _turned(known(request), event, at)
        case RequestTriaged():
            return replace(known(request), category=event.category, priority=event.priority)
        case AssignmentEvent():
            return replace(known(request), agent=event.agent, team=event.team, assignments=event.assignment_no)
        case RequestFirstResponded():
            return replace(known(request), responses=event.response_no)
        case RequestReplied():
            return replace(known(request), replies=event.reply_no)
        case RequestEscalated():
            return replace(known(request), level=event.level)
        case RequestTargetSet() | TargetSettled():
            return _promised(known(request), event)
        case RequestLinked():
            return replace(known(request), links=known(request).links | {(event.linked_kind, event.linked_id, event.relation)})
        case _:
            return _unchanged(known(request), event)


def _turned(request: Request, event: StatusEvent, at: datetime) -> Request:
    turned: dict[str, Any] = {**_NOT_WAITING, "status": event.status, "status_since": at}
    match event:
        case RequestWaiting():
            turned |= {"waiting_on": event.waiting_on, "waiting_reason": event.reason, "waiting_since": event.waiting_since}
        case RequestResumed():
            turned["waited_seconds"] = request.waited_seconds + event.waited_seconds
        case RequestResolved():
            turned |= {"result": event.result, "resolutions": event.resolution_no}
        case RequestClosed():
            turned["result"] = event.result
        case RequestReopened():
            turned |= {"result": None, "merged_into": None, "reopenings": event.reopen_no}
        case RequestMerged():
            turned["merged_into"] = event.into_request_id
        case _:
            raise CorruptHistory("history.foreign_event", f"{event.type} does not turn a request")
    return replace(request, **turned)


_NOT_WAITING: dict[str, Any] = {"waiting_on": None, "waiting_reason": None, "waiting_since": None}


def _opened(event: RequestOpened, at: datetime) -> Request:
    return Request(
        id=event.request_id,
        customer_id=event.customer_id,
        contact_id=event.contact_id,
        agent=event.agent,
        team=event.team,
        category=event.category,
        priority=event.priority,
        channel=event.channel,
        product=event.product,
        order_ref=event.order_ref,
        status=OPEN,
        opened_at=at,
        status_since=at,
    )


def _promised(request: Request, event: RequestTargetSet | TargetSettled) -> Request:
    if isinstance(event, RequestTargetSet):
        target = Target(event.started_at, event.due_at, event.pushed_seconds)
    else:
        before = request.targets.get(event.kind)
        target = Target(event.started_at, event.due_at, before.pushed_seconds if before else 0, settled=True)
    return replace(request, targets={**request.targets, event.kind: target})


def _unchanged(request: Request, event: Event) -> Request:
    if not isinstance(event, RequestActivityNoted):
        raise CorruptHistory("history.foreign_event", f"{event.type} is not a request event")
    return request


def after(request: Request, events: Sequence[Event], at: datetime) -> Request:
    """The request after several events that happened `at`."""
    for event in events:
        request = evolve(request, event, at)
    return request


def check(request: Request, rules: Rules, step: Step, *, turns: bool = False) -> None:
    """Hold a step to the clock: not before the opening and, when it turns the status, not before the status it turns.

    Raises RuleViolation `request.activity_asked` when a command that is no report names a source system's step.
    """
    if step.activity is not None and not rules.reporting:
        raise RuleViolation("request.activity_asked", "`activity` is another system's name for a step; only an import states it")
    rules.hold(step.at >= request.opened_at, "request.before_opening", f"the request was opened at {request.opened_at.isoformat()}, later")
    if turns:
        since = request.status_since
        rules.hold(step.at >= since, "request.out_of_order", f"the request has been {request.status} since {since.isoformat()}, later")
