"""The lives of service requests: opened, sorted, taken, answered, waited on, handed on, resolved, sometimes reopened, closed."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from api.demo import interactions, surveys
from api.demo.agenda import Life
from api.demo.company import DESK, INSTRUMENTS, SECOND_LEVEL, Colleague
from api.demo.records import Customer, Person
from api.demo.texts import text
from api.demo.world import World

Resolution = Generator[datetime, None, float]
"""A life that ends in how content the customer is, on the scale of CSAT."""


@dataclass(frozen=True, slots=True)
class Category:
    """What a request is about: how often, for how many working hours, and how content it leaves people."""

    share: float
    hours: float
    content: float
    results: tuple[str, ...]


CATEGORIES: Mapping[str, Category] = {
    "fault": Category(31, 9.0, 4.47, ("repaired", "replaced under warranty", "fixed by update", "no fault found")),
    "question": Category(25, 2.6, 4.86, ("explained", "sent the manual", "shown on the phone")),
    "billing": Category(15, 4.5, 4.47, ("invoice corrected", "credit note", "explained")),
    "delivery": Category(14, 6.0, 4.43, ("delivered", "new date agreed", "missing part sent")),
    "complaint": Category(7, 11.0, 3.45, ("apology and credit note", "instrument exchanged", "visit agreed")),
    "change": Category(8, 3.5, 4.82, ("done", "done with the next delivery")),
}
SHARES: Mapping[str, float] = {name: category.share for name, category in CATEGORIES.items()}
CHANNELS: Mapping[str, float] = {"email": 42, "phone": 27, "web": 15, "chat": 13, "social": 3}
DOORS: Mapping[str, str] = {"email": "key:mailbox", "web": "key:web-form", "chat": "key:chat", "social": "key:social-desk"}
"""Who opens what comes by each channel; by phone it is the agent."""
PRIORITIES: Mapping[str, Mapping[str, float]] = {
    "fault": {"urgent": 14, "high": 30, "normal": 52, "low": 4},
    "complaint": {"urgent": 12, "high": 48, "normal": 40},
    "delivery": {"high": 20, "normal": 70, "low": 10},
}
USUAL_PRIORITIES: Mapping[str, float] = {"high": 6, "normal": 66, "low": 28}
ANSWER_HOURS: Mapping[str, float] = {"urgent": 0.4, "high": 1.1, "normal": 2.2, "low": 4.0}
WAITS_ON: Mapping[str, float] = {"customer": 0.15, "third_party": 0.06}


@dataclass(slots=True, eq=False)
class Request:
    """A request, as the simulation knows it."""

    id: UUID
    customer: Customer
    contact: Person | None
    channel: str
    category: str
    priority: str
    agent: Colleague
    """Who has it, or will take it."""
    troubles: float = 0.0
    """What went wrong on the way, in points of CSAT."""

    @property
    def by_phone(self) -> bool:
        """Whether an agent was there from the first moment."""
        return self.channel == "phone"


def day_of_service(world: World, day: date) -> int:
    """How many requests come on a day: about two a year from each customer who has bought."""
    return world.chance.count(len(world.buyers) * 2.1 / 365 * world.seasons.service(day))


def request_life(world: World, customer: Customer) -> Life:
    """A request from its opening to its close."""
    if customer.archived or customer.lifecycle == "churned":
        return
    is_sorted = world.chance.happens(0.55)
    request = _opened(world, customer, world.chance.weighted(SHARES), is_sorted=is_sorted)
    customer.open_requests += 1
    if world.chance.happens(0.018):
        world.begin(_asked_twice(world, request), world.now + timedelta(hours=world.chance.between(1, 30)))
    yield from _is_given(world, request, is_sorted=is_sorted)
    yield from _is_answered(world, request)
    yield from _is_worked_on(world, request)
    content = yield from _is_resolved(world, request)
    while world.chance.happens(max(0.015, 0.062 - 0.13 * (request.agent.skill - 1))) and not customer.archived:
        yield from _is_reopened(world, request)
        content = yield from _is_resolved(world, request)
    customer.mood = 0.8 * customer.mood + 0.3 * (content - 4.2)
    customer.open_requests -= 1
    yield world.now + timedelta(days=world.chance.between(4, 6))
    world.ask("close_request", "rule:close-after-days", {"request_id": request.id})


def _opened(world: World, customer: Customer, category: str, *, is_sorted: bool) -> Request:
    """A request comes in; by telephone or chosen from a list it is in the right category at once, otherwise in none."""
    chance, language = world.chance, customer.country.language
    contact = chance.one_of(customer.contacts) if customer.contacts else None
    agent = world.company.agent(DESK, language, chance)
    request = Request(world.new_id(), customer, contact, chance.weighted(CHANNELS), category, _priority(world, category), agent)
    product, code = chance.one_of(customer.products or INSTRUMENTS), f"{chance.one_of('EFRT')}{chance.whole(100, 9999)}"
    said = {
        "request_id": request.id,
        "customer_id": customer.id,
        "contact_id": contact.id if contact else None,
        "subject": text(chance, language, "request", category, product=product, code=code),
        "description": text(chance, language, "request", "description") if chance.happens(0.6) else None,
        "channel": request.channel,
        "category": category if is_sorted or request.by_phone else "general",
        "priority": request.priority if is_sorted or request.by_phone else "normal",
        "product": product,
        "agent": agent.id if request.by_phone else None,
        "team": DESK,
    }
    world.ask("open_request", agent if request.by_phone else DOORS[request.channel], said)
    customer.requests += 1
    return request


def _priority(world: World, category: str) -> str:
    return world.chance.weighted(PRIORITIES.get(category, USUAL_PRIORITIES))


def _step(request: Request, **said: Any) -> dict[str, Any]:
    return {"request_id": request.id, **said}


def _is_given(world: World, request: Request, *, is_sorted: bool) -> Life:
    """Somebody at the desk takes it, or is given it by a colleague, and puts it into its category."""
    agent = request.agent
    if not request.by_phone:
        hours = world.chance.around(0.35 * ANSWER_HOURS[request.priority], 0.6) * agent.pace
        yield agent.hours.hours_later(world.now, hours, world.chance)
        if world.chance.happens(0.3):
            giver = world.company.agent(DESK, "", world.chance)
            world.ask("assign_request", giver, _step(request, agent=agent.id, team=DESK))
        else:
            world.ask("take_request", agent, _step(request, agent=agent.id))
        if not is_sorted:
            yield agent.hours.hours_later(world.now, 0.05, world.chance)
            world.ask("triage_request", agent, _step(request, category=request.category, priority=request.priority))


def _is_answered(world: World, request: Request) -> Life:
    """The first answer: at once on the phone, otherwise within hours."""
    if not request.by_phone:
        hours = world.chance.around(ANSWER_HOURS[request.priority], 0.7) * request.agent.pace
        yield request.agent.hours.hours_later(world.now, hours, world.chance)
        world.ask("record_reply", request.agent, _step(request, direction="to_customer"))
    else:
        world.ask("record_first_response", request.agent, _step(request))
        if world.chance.happens(0.6):
            call = interactions.took_place(world, request.customer, "service", by=request.agent, kind="call", request=request.id)
            world.begin(call)
    request.troubles += 0.05 * request.agent.pace


def _is_worked_on(world: World, request: Request) -> Life:
    """Handed on, escalated, waited on: each happens to some."""
    complaint = request.category == "complaint"
    if world.chance.happens(0.22 if complaint else 0.05):
        yield from _is_escalated(world, request)
    elif world.chance.happens(0.07):
        yield request.agent.hours.hours_later(world.now, world.chance.after(2), world.chance)
        _handed_over(world, request, DESK, "end of shift")
    for on, share in WAITS_ON.items():
        if world.chance.happens(share):
            yield from _waits(world, request, on)
    if world.chance.happens(0.06) and request.customer.deals:
        link = _step(request, opportunity_id=request.customer.deals[-1], relation="related")
        world.ask("link_request", request.agent, link)
    if world.chance.happens(0.25):
        yield request.agent.hours.hours_later(world.now, world.chance.after(1.5), world.chance)
        world.begin(interactions.took_place(world, request.customer, "service", by=request.agent, request=request.id))


def _is_escalated(world: World, request: Request) -> Life:
    yield request.agent.hours.hours_later(world.now, world.chance.after(3), world.chance)
    reason = world.chance.one_of(("customer insists", "needs the laboratory", "target in danger"))
    world.ask("escalate_request", request.agent, _step(request, reason=reason))
    request.troubles += 0.25
    if world.chance.happens(0.75):
        _handed_over(world, request, SECOND_LEVEL, reason)


def _handed_over(world: World, request: Request, team: str, reason: str) -> None:
    giver = request.agent
    request.agent = world.company.agent(team, request.customer.country.language, world.chance, but=giver)
    world.ask("hand_over_request", giver, _step(request, agent=request.agent.id, team=team, reason=reason))
    request.troubles += 0.1


def _waits(world: World, request: Request, on: str) -> Life:
    """We ask something and the clock stops: until the customer answers, or somebody looks again."""
    yield request.agent.hours.hours_later(world.now, world.chance.around(1.2, 0.6), world.chance)
    if on == "customer":
        world.ask("record_reply", request.agent, _step(request, direction="to_customer"))
    reason = world.chance.one_of(
        ("serial number", "photograph", "log file") if on == "customer" else ("spare part", "carrier", "laboratory")
    )
    world.ask("pause_request", request.agent, _step(request, waiting_on=on, reason=reason))
    if on == "customer" and world.chance.happens(0.85):
        yield request.customer.country.hours.days_later(world.now, world.chance.around(1.1, 0.8), world.chance)
        world.ask("record_reply", DOORS.get(request.channel, DOORS["email"]), _step(request, direction="from_customer"))
    else:
        yield request.agent.hours.days_later(world.now, world.chance.between(2, 7), world.chance)
        world.ask("resume_request", request.agent, _step(request))
    request.troubles += 0.1


def _is_resolved(world: World, request: Request) -> Resolution:
    """Worked on until it is resolved; how content the customer is, on the scale of CSAT. Then we ask."""
    category = CATEGORIES[request.category]
    hours = world.chance.around(category.hours, 0.7) * request.agent.pace
    yield request.agent.hours.hours_later(world.now, hours, world.chance)
    world.ask("resolve_request", request.agent, _step(request, result=world.chance.one_of(category.results)))
    slow = 0.25 * max(0.0, hours / category.hours - 1.5)
    mood = 1.7 * (request.agent.skill - 1) + 0.2 * request.customer.mood
    content = world.chance.normal(category.content + mood - slow - request.troubles, 0.8)
    kind = "ces" if request.category in ("question", "change") and world.chance.happens(0.3) else "csat"
    if world.chance.happens(0.7):
        world.begin(surveys.after_request(world, request.customer, request.id, request.contact, content, kind=kind))
    return content


def _is_reopened(world: World, request: Request) -> Life:
    yield request.customer.country.hours.days_later(world.now, world.chance.between(0.4, 3.5), world.chance)
    reason = world.chance.one_of(("happened again", "not what was asked", "part does not fit"))
    world.ask("reopen_request", DOORS.get(request.channel, DOORS["email"]), _step(request, reason=reason))
    world.notable["reopened"] = (request.id, request.customer.name)
    request.troubles += 0.7
    yield request.agent.hours.hours_later(world.now, world.chance.after(1.5), world.chance)
    world.ask("record_reply", request.agent, _step(request, direction="to_customer"))


def _asked_twice(world: World, first: Request) -> Life:
    """The customer asks the same by another channel, and the two become one."""
    if first.customer.archived:
        return
    again = _opened(world, first.customer, first.category, is_sorted=True)
    first.customer.open_requests += 1
    agent = again.agent
    yield agent.hours.hours_later(world.now, world.chance.around(1.0, 0.5), world.chance)
    first.customer.open_requests -= 1
    world.ask("link_request", agent, {"request_id": again.id, "linked_request_id": first.id, "relation": "duplicates"})
    world.ask("merge_request", agent, {"request_id": again.id, "into_request_id": first.id})
