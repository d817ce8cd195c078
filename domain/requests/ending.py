"""How a request's work ends and begins again: resolved, closed, reopened, merged into another."""

from typing import Any

from domain.errors import RuleViolation
from domain.event import Event
from domain.requests.events import RequestClosed, RequestMerged, RequestReopened, RequestResolved
from domain.requests.policy import RESOLUTION
from domain.requests.request import CLOSED, MERGED, OPEN, RESOLVED, Request, Step, after, check
from domain.requests.targets import end_wait, set_at_reopening, settle
from domain.rules import Rules


def at_work(request: Request, rules: Rules, step: Step) -> tuple[list[Event], Request]:
    """The request in the backlog, where `step` needs it.

    A step that is reported of a request that had been resolved, closed or merged means that it came back: it is
    reopened first. A step that is asked for is refused with `request.resolved`, `request.closed` or `request.merged`.
    """
    rules.hold(request.active, f"request.{request.status}", f"the request is {request.status}; reopen it first")
    if request.active:
        return [], request
    events = _reopened(request, step, step.unnamed, reason=None)
    return events, after(request, events, step.at)


def _reopened(request: Request, step: Step, name: dict[str, Any], *, reason: str | None) -> list[Event]:
    back = RequestReopened(**request.turned(OPEN), **name, reopen_no=request.reopenings + 1, reason=reason)
    return [back, *set_at_reopening(after(request, [back], step.at), step)]


def resolve(request: Request, rules: Rules, step: Step, *, result: str | None) -> list[Event]:
    """Say what came of it; the wait that is going on ends, and the resolution target is met or breached."""
    check(request, rules, step, turns=True)
    if request.status == RESOLVED and not rules.reporting and result in (None, request.result):
        return []
    rules.hold(result, "request.no_result", "say in `result` what came of the request")
    if request.status == RESOLVED:
        rules.hold(request.status != RESOLVED, "request.resolved", "the request is resolved already; reopen it first")
        return [_resolved(request, step, step.named, result)]
    back, request = at_work(request, rules, step)
    return [*back, *_ending(request, step, step.named, result)]


def _ending(request: Request, step: Step, name: dict[str, Any], result: str | None) -> list[Event]:
    resumed = end_wait(request, step)
    request = after(request, resumed, step.at)
    return [*resumed, *settle(request, step, RESOLUTION), _resolved(request, step, name, result)]


def _resolved(request: Request, step: Step, name: dict[str, Any], result: str | None) -> RequestResolved:
    fields = {**request.turned(RESOLVED), **name, **request.durations(step.at)}
    return RequestResolved(**fields, result=result, resolution_no=request.resolutions + 1)


def close(request: Request, rules: Rules, step: Step, *, result: str | None) -> list[Event]:
    """File the request away with its result; one that is not resolved yet is resolved by the result given here."""
    check(request, rules, step, turns=True)
    if request.status == CLOSED and not rules.reporting and result in (None, request.result):
        return []
    rules.hold(request.status not in (CLOSED, MERGED), f"request.{request.status}", f"the request is {request.status} already")
    rules.hold(result or request.result, "request.no_result", "no request is closed without a result; say in `result` what came of it")
    before: list[Event] = []
    if request.active:
        before = _ending(request, step, step.unnamed, result) if result else _dropped(request, step)
        request = after(request, before, step.at)
    fields = {**request.turned(CLOSED), **step.named, **request.durations(step.at)}
    return [*before, RequestClosed(**fields, result=result or request.result)]


def _dropped(request: Request, step: Step) -> list[Event]:
    """A reported close without any result: nothing was resolved, but waiting and the resolution target end here."""
    resumed = end_wait(request, step)
    return [*resumed, *settle(after(request, resumed, step.at), step, RESOLUTION)]


def reopen(request: Request, rules: Rules, step: Step, *, reason: str | None) -> list[Event]:
    """Bring a resolved, closed or merged request back to work, with a new resolution target."""
    check(request, rules, step, turns=True)
    if request.active and not rules.reporting:
        return []
    rules.hold(not request.active, "request.open", f"the request is {request.status}")
    resumed = end_wait(request, step)
    return [*resumed, *_reopened(after(request, resumed, step.at), step, step.named, reason=reason)]


def merge(request: Request, rules: Rules, step: Step, *, into: Request) -> list[Event]:
    """Let the request go on as another one of the same customer."""
    check(request, rules, step, turns=True)
    if into.id == request.id:
        raise RuleViolation("request.merged_into_itself", "a request is merged into another one, not into itself")
    if request.merged_into == into.id and not rules.reporting:
        return []
    rules.hold(request.status != MERGED, "request.merged", "the request is merged already; reopen it first")
    rules.hold(into.status != MERGED, "request.target_merged", "the other request is itself merged; merge into the one it went into")
    rules.hold(into.customer_id == request.customer_id, "request.other_customer", "the other request belongs to another customer")
    resumed = end_wait(request, step)
    request = after(request, resumed, step.at)
    return [*resumed, RequestMerged(**request.turned(MERGED), **step.named, into_request_id=into.id)]
