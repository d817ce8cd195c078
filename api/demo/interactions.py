"""What passes between our people and customers: calls, mails, meetings, visits; entered at once or days later, corrected, taken back."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from api.demo.agenda import Life
from api.demo.company import CAMPAIGNS, INSTRUMENTS, Colleague
from api.demo.records import Customer
from api.demo.texts import text
from api.demo.world import World

KINDS: Mapping[str, Mapping[str, float]] = {
    "inquiry": {"call": 40, "email": 45, "social": 8, "chat": 7},
    "needs": {"call": 45, "email": 25, "meeting": 25, "visit": 5},
    "demo": {"meeting": 55, "visit": 25, "call": 20},
    "offer": {"email": 50, "call": 40, "meeting": 10},
    "negotiation": {"call": 45, "email": 30, "meeting": 25},
    "renewal": {"call": 50, "email": 45, "meeting": 5},
    "account": {"call": 40, "email": 22, "visit": 14, "meeting": 14, "note": 10},
    "service": {"call": 70, "email": 30},
}
"""How people talk about what."""
MINUTES: Mapping[str, float] = {"call": 11, "meeting": 55, "visit": 120, "chat": 9}
ENTERED_LATE: Mapping[str, float] = {"call": 0.14, "meeting": 0.30, "visit": 0.45, "email": 0.02}
"""How often each is entered days after it took place: who travels, types later."""


def took_place(
    world: World,
    customer: Customer,
    topic: str,
    *,
    by: Colleague,
    kind: str | None = None,
    product: str | None = None,
    deal: UUID | None = None,
    request: UUID | None = None,
) -> Life:
    """Something passes between a colleague and a customer now, and is entered now or some days later."""
    kind = kind or world.chance.weighted(KINDS[topic])
    happened: datetime | None = None
    if world.chance.happens(ENTERED_LATE.get(kind, 0.0)):
        happened = world.now
        yield by.hours.days_later(world.now, world.chance.between(1, 5), world.chance)
    if customer.archived:
        return
    by = customer.owner if by.left else by
    interaction_id = world.new_id()
    said = _what_is_said(world, customer, topic, kind, by, product or world.chance.one_of(INSTRUMENTS))
    belongs = {"interaction_id": interaction_id, "customer_id": customer.id, "opportunity_id": deal, "request_id": request}
    world.ask("log_interaction", by, {**belongs, **said}, happened=happened)
    if happened is not None and kind == "call":
        world.notable["late call"] = (customer.id, customer.name)
    yield from _second_thoughts(world, customer, interaction_id, kind, by)


def _what_is_said(world: World, customer: Customer, topic: str, kind: str, by: Colleague, product: str) -> dict[str, Any]:
    chance = world.chance
    contact = chance.one_of(customer.contacts) if customer.contacts and chance.happens(0.9) else None
    others = (
        [person.name for person in chance.some_of(customer.contacts, 3) if person is not contact] if kind in ("meeting", "visit") else []
    )
    inbound = chance.happens(0.75 if topic == "inquiry" else 0.3)
    return {
        "kind": kind,
        "direction": "internal" if kind == "note" else "inbound" if inbound else "outbound",
        "duration_seconds": int(chance.around(MINUTES[kind], 0.5) * 60) if kind in MINUTES else None,
        "subject": f"{product} · {customer.name}"[:200],
        "summary": text(chance, customer.country.language, "talk", topic, product=product) if chance.happens(0.85) else None,
        "participants": others or None,
        "contact_id": contact.id if contact else None,
        "campaign": chance.one_of(CAMPAIGNS) if topic in ("inquiry", "account") and chance.happens(0.15) else None,
        "owner_id": by.id,
        "team": by.team,
    }


def _second_thoughts(world: World, customer: Customer, interaction_id: UUID, kind: str, by: Colleague) -> Life:
    """One in thirty entries is put right, one in a hundred is taken back."""
    fate = world.chance.between(0, 1)
    if fate > 0.045:
        return
    yield by.hours.hours_later(world.now, world.chance.after(6), world.chance)
    if fate < 0.01:
        reason = world.chance.one_of(("entered twice", "belongs to another customer"))
        world.ask("retract_interaction", by, {"interaction_id": interaction_id, "reason": reason})
    elif kind in MINUTES:
        minutes = world.chance.around(MINUTES[kind], 0.5)
        right = {"interaction_id": interaction_id, "duration_seconds": int(minutes * 60), "reason": "duration was wrong"}
        world.ask("correct_interaction", by, right)
    else:
        summary = text(world.chance, customer.country.language, "talk", "account", product="")
        world.ask("correct_interaction", by, {"interaction_id": interaction_id, "summary": summary, "reason": "wrong text"})


def during(world: World, customer: Customer, topic: str, *, by: Colleague, number: float, days: float, product: str, deal: UUID) -> None:
    """Spread about `number` interactions over the coming days."""
    for _ in range(world.chance.count(number)):
        moment = by.hours.days_later(world.now, world.chance.between(0.0, max(days - 1.0, 0.05)), world.chance)
        moment = min(moment, world.now + timedelta(days=days))
        world.begin(took_place(world, customer, topic, by=by, product=product, deal=deal), moment)
