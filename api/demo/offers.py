"""What deals are about and worth: baskets, prices, product lines, discounts, forecasts, and the day that they are expected to close."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from api.demo import lifecycles
from api.demo.agenda import Life
from api.demo.company import BY_NAME, COMPETITORS, PRODUCTS
from api.demo.pipelines import NEGOTIATION, PROPOSAL, QUALIFIED
from api.demo.records import Customer, Deal
from api.demo.world import World

ROLES = ("decision maker", "user", "purchaser", "technical evaluator")
TIER_SIZE: Mapping[str, int] = {"A": 3, "B": 2, "C": 1}


def basket_for(world: World, customer: Customer) -> list[tuple[str, int]]:
    """What it is about: one main product, and what goes with it; the larger the customer, the more."""
    size = TIER_SIZE[customer.tier]
    chosen = [world.chance.weighted({product.name: product.share for product in PRODUCTS})]
    chosen += [product.name for product in PRODUCTS if product.name not in chosen and world.chance.happens(product.share * 0.25 * size)]
    return [(name, min(world.chance.whole(1, BY_NAME[name].most), 4 * size + 1)) for name in chosen[:5]]


def worth(world: World, deal: Deal, factor: float = 1.0) -> dict[str, Any]:
    """What a deal would cost at list prices times `factor`, as commands want it."""
    euros = sum(BY_NAME[name].price * number for name, number in deal.basket)
    return {"amount": world.price(euros * factor, deal.currency), "currency": deal.currency, "rate": world.rate(deal.currency)}


def in_days(world: World, days: float) -> date:
    """A working day about so far away."""
    day = (world.now + timedelta(days=days)).date()
    return day + timedelta(days=(7 - day.weekday()) if day.weekday() > 4 else 0)


def morning_of(day: date) -> datetime:
    """When people look at what is due on a day."""
    return datetime.fromisoformat(f"{day.isoformat()}T08:10:00+00:00")


def watched(world: World, deal: Deal) -> Life:
    """When the day comes on which it should have closed, it is expected later."""
    while deal.open:
        if deal.close_on <= world.now.date():
            yield deal.owner.hours.hours_later(world.now, world.chance.after(3), world.chance)
            if not deal.open:
                return
            _expect(world, deal, in_days(world, world.chance.around(26, 0.5) + 4))
        yield morning_of(deal.close_on)


def _expect(world: World, deal: Deal, day: date) -> None:
    deal.close_on = day
    world.ask("move_close_date", deal.owner, {"opportunity_id": deal.id, "expected_close_on": day.isoformat()})


def entered(world: World, deal: Deal) -> None:
    """What is done about a deal when it comes into a stage: valued, priced, priced anew, forecast."""
    if deal.stage.name == QUALIFIED:
        _qualified(world, deal)
    elif deal.stage.name == PROPOSAL:
        _priced(world, deal)
    elif deal.stage.name == NEGOTIATION:
        _negotiated(world, deal)


def _qualified(world: World, deal: Deal) -> None:
    lifecycles.becomes(world, deal.customer, "prospect", by=deal.owner)
    if not deal.lines and world.chance.happens(0.5):
        better = worth(world, deal, world.chance.around(1.0, 0.15))
        world.ask("change_opportunity_amount", deal.owner, {"opportunity_id": deal.id, **better})
    for person, role in zip(world.chance.some_of(deal.customer.contacts, 2), world.chance.some_of(ROLES, 2), strict=False):
        world.ask("link_contact_to_opportunity", deal.owner, {"opportunity_id": deal.id, "contact_id": person.id, "role": role})
    if world.chance.happens(0.4):
        _forecast(world, deal, "pipeline")


def _forecast(world: World, deal: Deal, category: str) -> None:
    world.ask("set_forecast_category", deal.owner, {"opportunity_id": deal.id, "category": category})


def _priced(world: World, deal: Deal) -> None:
    """An offer has lines; they are changed when it is made again."""
    if deal.lines:
        _reprice(world, deal)
        return
    for name, number in deal.basket:
        add_line(world, deal, name, number)
    if world.chance.happens(0.35):
        deal.competitor = world.chance.one_of(COMPETITORS)
        world.ask("note_competitor", deal.owner, {"opportunity_id": deal.id, "competitor": deal.competitor})
    if world.chance.happens(0.6):
        _forecast(world, deal, "best_case")


def add_line(world: World, deal: Deal, name: str, number: int) -> None:
    """Put a product on the offer."""
    line_id = world.new_id()
    deal.lines.append((line_id, name, number))
    price = world.price(BY_NAME[name].price, deal.currency)
    said = {"opportunity_id": deal.id, "line_id": line_id, "product": name, "quantity": str(number), "unit_price": price}
    world.ask("add_opportunity_line", deal.owner, {**said, "rate": world.rate(deal.currency)})


def _reprice(world: World, deal: Deal) -> None:
    """A discount on one line, or another number of pieces."""
    place = world.chance.whole(0, len(deal.lines) - 1)
    line_id, name, number = deal.lines[place]
    if number > 1 and world.chance.happens(0.25):
        number -= 1
        deal.lines[place] = (line_id, name, number)
    price = world.price(BY_NAME[name].price * world.chance.between(0.84, 0.98), deal.currency)
    said = {"opportunity_id": deal.id, "line_id": line_id, "quantity": str(number), "unit_price": price, "rate": world.rate(deal.currency)}
    world.ask("change_opportunity_line", deal.owner, said)


def _negotiated(world: World, deal: Deal) -> None:
    if not deal.lines:
        _priced(world, deal)
    elif world.chance.happens(0.45):
        _reprice(world, deal)
    if len(deal.lines) > 1 and world.chance.happens(0.08):
        line_id, _, _ = deal.lines.pop()
        world.ask("remove_opportunity_line", deal.owner, {"opportunity_id": deal.id, "line_id": line_id})
    if world.chance.happens(0.6):
        _forecast(world, deal, "commit")
    if deal.close_on > world.now.date() + timedelta(days=25) and world.chance.happens(0.3):
        _expect(world, deal, in_days(world, world.chance.between(8, 20)))
