"""Who does what with a request: opening, triage, assignment, escalation, links and what else was noted of it."""

from typing import Any
from uuid import UUID

from domain.customers.customer import takes_business
from domain.errors import RuleViolation
from domain.event import Event
from domain.requests.ending import at_work
from domain.requests.events import (
    RequestActivityNoted,
    RequestAssigned,
    RequestEscalated,
    RequestHandedOver,
    RequestLinked,
    RequestOpened,
    RequestTaken,
    RequestTriaged,
)
from domain.requests.policy import PRIORITIES
from domain.requests.request import OPEN, Request, Step, after, check, evolve
from domain.requests.targets import end_wait, set_at_opening, set_at_triage
from domain.rules import Rules
from domain.values import ExternalId

LINKED_KINDS = ("request", "opportunity", "interaction")
RELATIONS = ("related", "duplicates", "caused_by", "follows")
HIGHEST_LEVEL = 9
MOST_LINKS = 200


def open_request(
    request: Request | None,
    rules: Rules,
    step: Step,
    *,
    request_id: UUID,
    customer_id: UUID,
    customer_archived: bool,
    contact_id: UUID | None,
    contact_customer_id: UUID | None,
    channel: str,
    category: str,
    priority: str,
    subject: str,
    description: str | None,
    product: str | None,
    order_ref: str | None,
    agent: str | None,
    team: str | None,
    external: ExternalId | None,
) -> list[Event]:
    """Open a request and promise its first response and resolution."""
    if request is not None:
        raise RuleViolation("request.exists", "a request with this id exists already")
    if step.activity is not None and not rules.reporting:
        raise RuleViolation("request.activity_asked", "`activity` is another system's name for a step; only an import states it")
    _check_priority(priority)
    takes_business(rules, archived=customer_archived)
    rules.hold(
        contact_id is None or contact_customer_id == customer_id,
        "contact.other_customer",
        "the contact belongs to another customer than the request",
    )
    opened = RequestOpened(
        request_id=request_id,
        customer_id=customer_id,
        contact_id=contact_id,
        agent=agent,
        team=team,
        category=category,
        priority=priority,
        channel=channel,
        status=OPEN,
        **step.named,
        subject=subject,
        description=description,
        product=product,
        order_ref=order_ref,
        open_change=1,
        external_source=external.source if external else None,
        external_id=external.id if external else None,
    )
    return [opened, *set_at_opening(evolve(None, opened, step.at), step)]


def _check_priority(priority: str) -> None:
    if priority not in PRIORITIES:
        raise RuleViolation("request.priority", f"a priority is one of {', '.join(PRIORITIES)}")


def triage(request: Request, rules: Rules, step: Step, *, category: str | None, priority: str | None) -> list[Event]:
    """Judge the request: its category and priority, None leaving either as it is; targets still to be reached follow."""
    check(request, rules, step)
    category, priority = category or request.category, priority or request.priority
    _check_priority(priority)
    if (category, priority) == (request.category, request.priority) and not rules.reporting:
        return []
    back, request = at_work(request, rules, step)
    judged: dict[str, Any] = {**request.keys, "category": category, "priority": priority, **step.named}
    triaged = RequestTriaged(**judged, previous_category=request.category, previous_priority=request.priority)
    return [*back, triaged, *set_at_triage(after(request, [triaged], step.at), step)]


def assign(request: Request, rules: Rules, step: Step, *, agent: str | None, team: str | None) -> list[Event]:
    """Give the request to an agent, a team or both; whoever is left out no longer has it."""
    check(request, rules, step)
    if agent is None and team is None:
        raise RuleViolation("request.no_assignee", "say in `agent` or `team` who gets the request")
    if (agent, team) == (request.agent, request.team) and not rules.reporting:
        return []
    back, request = at_work(request, rules, step)
    return [*back, RequestAssigned(**_assigned(request, step, agent, team))]


def take(request: Request, rules: Rules, step: Step, *, agent: str, team: str | None) -> list[Event]:
    """Take the request in charge, staying in its team unless another is named; whoever takes it works on it, so a wait ends."""
    check(request, rules, step)
    team = team or request.team
    back, request = at_work(request, rules, step)
    resumed = end_wait(request, step) if step.at >= request.status_since else []
    if (agent, team) == (request.agent, request.team) and not rules.reporting:
        return resumed
    request = after(request, resumed, step.at)
    return [*back, *resumed, RequestTaken(**_assigned(request, step, agent, team))]


def hand_over(request: Request, rules: Rules, step: Step, *, agent: str | None, team: str | None, reason: str | None) -> list[Event]:
    """Pass the request on from the agent who has it to another agent or team."""
    check(request, rules, step)
    if agent is None and team is None:
        raise RuleViolation("request.no_assignee", "say in `agent` or `team` who gets the request")
    if (agent, team) == (request.agent, request.team) and not rules.reporting:
        return []
    back, request = at_work(request, rules, step)
    rules.hold(request.agent, "request.unassigned", "nobody has the request, so nobody can hand it over; assign it instead")
    return [*back, RequestHandedOver(**_assigned(request, step, agent, team), reason=reason)]


def _assigned(request: Request, step: Step, agent: str | None, team: str | None) -> dict[str, Any]:
    before = {"from_agent": request.agent, "from_team": request.team, "assignment_no": request.assignments + 1}
    return {**request.keys, "agent": agent, "team": team, **step.named, **before}


def escalate(request: Request, rules: Rules, step: Step, *, level: int | None, reason: str | None) -> list[Event]:
    """Raise the request to a higher level, the next one unless it is said."""
    check(request, rules, step)
    level = level if level is not None else min(request.level + 1, HIGHEST_LEVEL)
    if not 1 <= level <= HIGHEST_LEVEL:
        raise RuleViolation("request.level", f"levels go from 1 to {HIGHEST_LEVEL}")
    if level == request.level and not rules.reporting:
        return []
    back, request = at_work(request, rules, step)
    rules.hold(level >= request.level, "request.level_lower", f"the request is at level {request.level}; an escalation goes up")
    return [*back, RequestEscalated(**request.keys, **step.named, level=level, previous_level=request.level, reason=reason)]


def link(request: Request, rules: Rules, step: Step, *, kind: str, linked_id: UUID, relation: str) -> list[Event]:
    """Say that the request has to do with another request, an opportunity or an interaction."""
    check(request, rules, step)
    if kind not in LINKED_KINDS or relation not in RELATIONS:
        raise RuleViolation("request.link", f"links go to {', '.join(LINKED_KINDS)}; relations are {', '.join(RELATIONS)}")
    if linked_id == request.id:
        raise RuleViolation("request.linked_to_itself", "a request is linked to another record, not to itself")
    new = (kind, linked_id, relation) not in request.links
    if not new and not rules.reporting:
        return []
    if new and len(request.links) >= MOST_LINKS:
        raise RuleViolation("request.too_many_links", f"a request has at most {MOST_LINKS} links")
    return [RequestLinked(**request.keys, **step.named, linked_kind=kind, linked_id=linked_id, relation=relation)]


def note_activity(request: Request, rules: Rules, step: Step) -> list[Event]:
    """Note a reported step that no other event stands for."""
    check(request, rules, step)
    if step.activity is None:
        raise RuleViolation("request.no_activity", "say in `activity` what the source system calls the step")
    return [RequestActivityNoted(**request.keys, **step.named)]
