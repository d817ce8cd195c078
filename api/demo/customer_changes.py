"""What changes at customers every few months: news, new people, other classes, other addresses; silence, and being put away."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from api.demo import interactions, people
from api.demo.agenda import Life
from api.demo.company import TAGS, TIERS
from api.demo.lifecycles import becomes
from api.demo.records import Customer
from api.demo.world import World


def changes(world: World, customer: Customer) -> Life:
    """What changes at a customer every few months, until it is put away for good."""
    while True:
        if customer.archived:
            yield customer.owner.hours.days_later(world.now, world.chance.between(20, 90), world.chance)
            if not world.chance.happens(0.2):
                return
            world.ask("restore_customer", customer.owner, {"customer_id": customer.id, "reason": "asked for an offer again"})
            customer.archived = False
        _settles(world, customer)
        if not customer.archived:
            _one_change(world, customer)
        yield customer.owner.hours.days_later(world.now, world.chance.between(60, 260), world.chance)


def _settles(world: World, customer: Customer) -> None:
    """A customer without business goes to sleep, and one that has slept for long is put away."""
    if customer.open_deals or customer.open_requests:
        return
    quiet = customer.last_deal_at is None or world.now - customer.last_deal_at > timedelta(days=240)
    if customer.lifecycle in ("active", "won_back") and quiet and world.chance.happens(0.35):
        becomes(world, customer, "dormant", by=customer.owner, reason="no business for months")
    elif customer.lifecycle in ("dormant", "churned") and world.chance.happens(0.22):
        reason = world.chance.one_of(("out of business", "entered twice", "does not want to be contacted", "moved away"))
        world.ask("archive_customer", customer.owner, {"customer_id": customer.id, "reason": reason})
        customer.archived = True


def _one_change(world: World, customer: Customer) -> None:
    weights: Mapping[Callable[[World, Customer], None], float] = {
        _checks_in: 0 if customer.lifecycle in ("lead", "dormant", "churned") else 40,
        people.change: 16,
        people.go: 8,
        people.come: 7 if customer.company else 0,
        _is_classed_anew: 12,
        _field_is_set: 10,
        _moves_house: 3,
        _is_renamed: 2 if customer.company else 0,
    }
    world.chance.weighted(weights)(world, customer)


def _checks_in(world: World, customer: Customer) -> None:
    world.begin(interactions.took_place(world, customer, "account", by=customer.owner))


def _is_classed_anew(world: World, customer: Customer) -> None:
    tags = sorted(world.chance.some_of(TAGS, world.chance.whole(0, 3)))
    customer.tier = world.chance.weighted(TIERS) if world.chance.happens(0.3) and customer.company else customer.tier
    world.ask("classify_customer", customer.owner, {"customer_id": customer.id, "tier": customer.tier, "tags": tags})


def _field_is_set(world: World, customer: Customer) -> None:
    fields: tuple[tuple[str, str, str], ...] = (
        ("instruments_in_use", "number", str(world.chance.whole(1, 60))),
        ("audit_due", "date", (world.now + timedelta(days=world.chance.whole(20, 400))).date().isoformat()),
        ("framework_agreement", "yes_no", world.chance.one_of(("yes", "no"))),
        ("cost_centre", "text", f"{world.chance.whole(1000, 9999)}"),
    )
    name, kind, value = world.chance.one_of(fields)
    world.ask("set_customer_field", customer.owner, {"customer_id": customer.id, "field": name, "kind": kind, "value": value})


def _moves_house(world: World, customer: Customer) -> None:
    world.ask("change_customer_address", customer.owner, {"customer_id": customer.id, **customer.country.address(world.chance)})


def _is_renamed(world: World, customer: Customer) -> None:
    if customer.industry is not None:
        customer.name = customer.country.company_name(world.chance, customer.industry).written
        world.ask("rename_customer", customer.owner, {"customer_id": customer.id, "name": customer.name})
