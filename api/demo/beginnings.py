"""How the two years begin and go: customers of the years before, new ones day by day, requests day by day, a colleague who leaves."""

from datetime import UTC, date, datetime, time, timedelta

from api.demo import customers, deals, pipelines, requests, surveys
from api.demo.agenda import Life
from api.demo.company import INSTRUMENTS, YEARLY, Colleague
from api.demo.pipelines import ADMINISTRATOR
from api.demo.places import COUNTRIES, EUROPE, Country
from api.demo.records import Customer
from api.demo.world import World

KNOWN_BEFORE = 170
"""Customers of the years before, in a company of the usual size."""
INQUIRIES_A_DAY = 1.12


def begin(world: World) -> None:
    """Set the pipelines up and let everything begin."""
    world.new_business = pipelines.defined(world, "New business", pipelines.new_business(), won="Won", lost="Lost")
    world.renewals = pipelines.defined(world, "Renewals", pipelines.renewals(), won="Renewed", lost="Not renewed")
    world.begin(pipelines.changes(world))
    _address_book(world, max(len(COUNTRIES), round(KNOWN_BEFORE * world.size)))
    world.begin(_days(world))
    world.begin(_somebody_leaves(world))


def _address_book(world: World, number: int) -> None:
    """In the first working days the customers of the years before are entered, in the order of their numbers."""
    for place in range(number):
        country = COUNTRIES[place] if place < len(COUNTRIES) else customers.anywhere(world)
        at = country.hours.hours_later(world.now, 30 * place / number, world.chance)
        world.begin(_known_before(world, country, place + 1), at)


def _known_before(world: World, country: Country, number: int) -> Life:
    """A customer that had bought before: with its terms, perhaps with a deal under way."""
    customer = customers.registered(world, country, "active", number=number)
    customer.bought = True
    customer.products = sorted({*world.chance.some_of(INSTRUMENTS, 1), *world.chance.some_of(YEARLY, world.chance.whole(0, 2))})
    world.buyers.append(customer)
    world.begin(surveys.relationship(world, customer), world.now + timedelta(days=world.chance.between(20, 200)))
    terms = [(name, world.chance.whole(1, 2)) for name in customer.products if name in YEARLY]
    if terms:
        world.begin(deals.renewal(world, customer, terms), world.now + timedelta(days=world.chance.between(5, 360)))
    if world.chance.happens(0.22):
        yield world.now
        yield from deals.brought_over(world, customer)


def _days(world: World) -> Life:
    """Each morning the day's inquiries and requests are drawn; they come in at their hours."""
    while True:
        day = world.now.date()
        for _ in range(world.chance.count(INQUIRIES_A_DAY * world.size * world.seasons.new_business(day))):
            world.begin(deals.inquiry(world), _in_daytime(world, world.chance.one_of(COUNTRIES), day))
        for _ in range(requests.day_of_service(world, day)):
            customer = world.chance.one_of(world.buyers)
            world.begin(requests.request_life(world, customer), _in_daytime(world, customer.country, day))
        yield datetime.combine(day + timedelta(days=1), time(), UTC)


def _in_daytime(world: World, country: Country, day: date) -> datetime:
    """Most often in the morning or the afternoon there, seldom in the evening; not before now."""
    hour = min(max(world.chance.normal(10.2 if world.chance.happens(0.55) else 14.8, 1.7), 6.2), 21.5)
    return datetime.combine(day, time(), country.hours.zone).astimezone(UTC) + timedelta(seconds=int(hour * 3600))


def _somebody_leaves(world: World) -> Life:
    """Midway through the second year somebody in sales leaves; customers and open deals go to colleagues within two days."""
    day = world.seasons.part(0.63)
    yield datetime.combine(day, time(9, 20), UTC)
    leaver = world.company.sellers[EUROPE][-1]
    leaver.left = True
    theirs: list[Customer] = [customer for customer in world.customers if customer.owner is leaver]
    pause = timedelta(hours=6) / max(len(theirs), 1)
    for customer in theirs:
        _goes_to(world, customer, world.company.seller(EUROPE, world.chance))
        yield world.now + pause


def _goes_to(world: World, customer: Customer, heir: Colleague) -> None:
    leaver, customer.owner = customer.owner, heir
    world.ask("assign_customer", ADMINISTRATOR, {"customer_id": customer.id, "owner_id": heir.id, "team": heir.team})
    for pipeline in (world.new_business, world.renewals):
        for deal in pipeline.deals.values():
            if deal.customer is customer and deal.owner is leaver:
                deal.owner = heir
                world.ask("assign_opportunity", ADMINISTRATOR, {"opportunity_id": deal.id, "owner_id": heir.id, "team": heir.team})
