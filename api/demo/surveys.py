"""What customers say when they are asked: after a request, after an order, and twice a year about us as a whole."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from api.demo.agenda import Life
from api.demo.company import Colleague
from api.demo.records import Customer, Person
from api.demo.texts import text
from api.demo.world import World

ASKING = "rule:ask-customers"
SCALES: Mapping[str, tuple[int, int]] = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}
ANSWERED: Mapping[str, float] = {"csat": 0.46, "nps": 0.36, "ces": 0.40}
"""How many answer, with those who do after a reminder."""
REMINDED_AFTER, EXPIRES_AFTER = timedelta(days=5), timedelta(days=21)


def after_request(world: World, customer: Customer, request: UUID, person: Person | None, content: float, *, kind: str) -> Life:
    """CSAT or CES after a resolution; `content` is how content the customer is with it, on the scale of CSAT."""
    yield world.now + timedelta(hours=world.chance.between(2, 20))
    if person is None or (person.customer is customer and not person.left):
        felt = content if kind == "csat" else 1.35 * content
        yield from _survey(world, customer, kind, felt, {"request_id": request})


def about_order(world: World, customer: Customer, order: str, agent: Colleague) -> Life:
    """CSAT after a delivery, from every second customer; the score is as much the seller's as the instrument's."""
    yield world.now
    if world.chance.happens(0.5):
        felt = world.chance.normal(4.45 + 1.2 * (agent.skill - 1) + 0.3 * customer.mood, 0.75)
        about = {"order_ref": order, "agent": agent.id, "team": agent.team, "category": "order", "product": customer.products[0]}
        yield from _survey(world, customer, "csat", felt, about)


def relationship(world: World, customer: Customer) -> Life:
    """NPS about twice a year, as long as we have business with the customer."""
    while customer.lifecycle != "churned":
        if not customer.archived:
            felt = world.chance.normal(8.40 + 1.1 * customer.mood, 1.75)
            contact = {"contact_id": customer.contacts[0].id} if customer.contacts else {}
            world.begin(_survey(world, customer, "nps", felt, contact))
        yield customer.owner.hours.days_later(world.now, world.chance.between(165, 200), world.chance)


def _survey(world: World, customer: Customer, kind: str, felt: float, about: Mapping[str, Any]) -> Life:
    """Sent, perhaps reminded of, answered by some, or expired."""
    if customer.archived:
        return
    survey_id = world.new_id()
    sent = world.now
    world.ask("send_survey", ASKING, {"survey_id": survey_id, "kind": kind, "customer_id": customer.id, **about})
    answers = world.now + timedelta(hours=world.chance.after(70)) if world.chance.happens(ANSWERED[kind]) else None
    if answers is None or answers > sent + REMINDED_AFTER:
        yield sent + REMINDED_AFTER
        world.ask("remind_of_survey", ASKING, {"survey_id": survey_id})
    if answers is None or answers > sent + EXPIRES_AFTER:
        yield sent + EXPIRES_AFTER
        world.ask("expire_survey", ASKING, {"survey_id": survey_id})
        return
    yield _awake(customer, answers)
    yield from _answered(world, customer, survey_id, kind, felt)


def _awake(customer: Customer, moment: datetime) -> datetime:
    """Nobody answers at night."""
    hour = moment.astimezone(customer.country.hours.zone).hour
    return moment if hour >= 7 else moment + timedelta(hours=8 - hour)


def _answered(world: World, customer: Customer, survey_id: UUID, kind: str, felt: float) -> Life:
    low, high = SCALES[kind]
    score = max(low, min(high, round(felt)))
    comment = _comment(world, customer, (score - low) / (high - low)) if world.chance.happens(0.35) else None
    answer = {"survey_id": survey_id, "score": score, "comment": comment}
    world.ask("answer_survey", f"customer:{customer.id}", answer)
    if world.chance.happens(0.035):
        yield _awake(customer, world.now + timedelta(hours=world.chance.after(20)))
        amended = {"survey_id": survey_id, "score": max(low, score - 1) if score == high else score + 1}
        world.ask("amend_survey_answer", f"customer:{customer.id}", amended)
        world.notable["amended answer"] = (customer.id, customer.name)


def _comment(world: World, customer: Customer, share: float) -> str:
    tone = "good" if share > 0.72 else "fair" if share > 0.45 else "bad"
    return text(world.chance, customer.country.language, "comment", tone)
