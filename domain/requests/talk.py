"""What passes between us and the customer on a request: answers, and waiting for one."""

from typing import Any

from domain.errors import RuleViolation
from domain.event import Event
from domain.requests.ending import at_work
from domain.requests.events import RequestFirstResponded, RequestReplied, RequestResumed, RequestWaiting
from domain.requests.policy import FIRST_RESPONSE
from domain.requests.request import OPEN, WAITING, Request, Step, check
from domain.requests.targets import end_wait, settle
from domain.rules import Rules

CUSTOMER, THIRD_PARTY = "customer", "third_party"
WAITED_ON = (CUSTOMER, THIRD_PARTY)
TO_CUSTOMER, FROM_CUSTOMER = "to_customer", "from_customer"
DIRECTIONS = (TO_CUSTOMER, FROM_CUSTOMER)


def respond(request: Request, rules: Rules, step: Step) -> list[Event]:
    """Give the first answer, by whatever means; its target is met or breached."""
    check(request, rules, step)
    if request.responses and not rules.reporting:
        return []
    rules.hold(not request.responses, "request.responded", "the customer had a first response already")
    return _responded(request, step, named=True)


def _responded(request: Request, step: Step, *, named: bool) -> list[Event]:
    fields = {**request.keys, **(step.named if named else step.unnamed), **request.durations(step.at)}
    responded = RequestFirstResponded(**fields, response_no=request.responses + 1)
    return [responded, *settle(request, step, FIRST_RESPONSE)]


def reply(request: Request, rules: Rules, step: Step, *, direction: str) -> list[Event]:
    """Note a message to or from the customer: our first one is the first response, theirs ends a wait for them."""
    check(request, rules, step)
    if direction not in DIRECTIONS:
        raise RuleViolation("request.direction", f"a reply goes {' or '.join(DIRECTIONS)}")
    before: list[Event] = []
    if direction == TO_CUSTOMER and not request.responses:
        before = _responded(request, step, named=False)
    replied = RequestReplied(**request.keys, **step.named, direction=direction, reply_no=request.replies + 1)
    if direction == FROM_CUSTOMER and request.waiting_on == CUSTOMER and step.at >= request.status_since:
        return [replied, *end_wait(request, step)]
    return [*before, replied]


def wait(request: Request, rules: Rules, step: Step, *, on: str, reason: str | None) -> list[Event]:
    """Stop the clock until the customer or a third party does something; a wait that is going on goes on from its beginning."""
    check(request, rules, step, turns=True)
    if on not in WAITED_ON:
        raise RuleViolation("request.waiting_on", f"a request waits on {' or '.join(WAITED_ON)}")
    if request.waiting_on == on and reason in (None, request.waiting_reason) and not rules.reporting:
        return []
    back, request = at_work(request, rules, step)
    since = request.waiting_since or step.at
    return [*back, RequestWaiting(**request.turned(WAITING), **step.named, waiting_on=on, reason=reason, waiting_since=since)]


def resume(request: Request, rules: Rules, step: Step) -> list[Event]:
    """Let the clock run again and push what is due by the time waited."""
    check(request, rules, step, turns=True)
    if request.status == OPEN and not rules.reporting:
        return []
    rules.hold(request.status != OPEN, "request.not_waiting", "the request is not waiting")
    back, request = at_work(request, rules, step)
    resumed = end_wait(request, step, named=True)
    if not resumed:
        nothing: dict[str, Any] = {"waiting_on": None, "waiting_since": step.at, "waited_seconds": 0}
        resumed = [RequestResumed(**request.turned(OPEN), **step.named, **nothing)]
    return [*back, *resumed]
