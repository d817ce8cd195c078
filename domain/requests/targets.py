"""A request's targets: promised times that are set, pushed by waiting, and met or breached."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from domain.event import Event
from domain.requests.events import RequestResumed, RequestTargetBreached, RequestTargetMet, RequestTargetSet
from domain.requests.policy import KINDS, RESOLUTION, policy_for
from domain.requests.request import OPEN, SECOND, Request, Step, Target, after


def set_at_opening(request: Request, step: Step) -> list[Event]:
    """Both targets, counted from the opening."""
    return [_set(request, step, kind, started_at=request.opened_at, pushed=0, cause="opening") for kind in KINDS]


def set_at_reopening(request: Request, step: Step) -> list[Event]:
    """A new resolution target, counted from the reopening."""
    return [_set(request, step, RESOLUTION, started_at=step.at, pushed=0, cause="reopening")]


def set_at_triage(request: Request, step: Step) -> list[Event]:
    """The targets still to be reached, if another category or priority makes them due at another time."""
    events = [
        _set(request, step, kind, started_at=target.started_at, pushed=target.pushed_seconds, cause="triage")
        for kind, target in _unsettled(request)
    ]
    return [event for event in events if event.due_at != event.previous_due_at]


def _unsettled(request: Request) -> Iterable[tuple[str, Target]]:
    return ((kind, target) for kind, target in request.targets.items() if not target.settled)


def _set(request: Request, step: Step, kind: str, *, started_at: datetime, pushed: int, cause: str) -> RequestTargetSet:
    policy = policy_for(request.category)
    before = request.targets.get(kind)
    return RequestTargetSet(
        **request.keys,
        **step.unnamed,
        kind=kind,
        due_at=started_at + policy.time(kind, request.priority) + timedelta(seconds=pushed),
        previous_due_at=before.due_at if before else None,
        started_at=started_at,
        pushed_seconds=pushed,
        policy=policy.name,
        cause=cause,
    )


def settle(request: Request, step: Step, kind: str) -> list[Event]:
    """The target's outcome, now that what it promised was done; breached when later than due. Nothing if settled before."""
    target = request.targets.get(kind)
    if target is None or target.settled:
        return []
    due = target.due_at + timedelta(seconds=request.waiting_until(step.at))
    outcome = RequestTargetMet if step.at <= due else RequestTargetBreached
    margin = (due - step.at) // SECOND
    return [outcome(**request.keys, **step.unnamed, kind=kind, due_at=due, started_at=target.started_at, margin_seconds=margin)]


def end_wait(request: Request, step: Step, *, named: bool = False) -> list[Event]:
    """End the wait that is going on and push what is due by its length; nothing when there is none.

    `named` when ending the wait is the step itself, not something that follows from another.
    """
    if request.waiting_since is None:
        return []
    waited = request.waiting_until(step.at)
    resumed = RequestResumed(
        **request.turned(OPEN),
        **(step.named if named else step.unnamed),
        waiting_on=request.waiting_on,
        waiting_since=request.waiting_since,
        waited_seconds=waited,
    )
    now = after(request, [resumed], step.at)
    if waited == 0:
        return [resumed]
    pushed = [
        _set(now, step, kind, started_at=target.started_at, pushed=target.pushed_seconds + waited, cause="waiting")
        for kind, target in _unsettled(now)
    ]
    return [resumed, *pushed]
