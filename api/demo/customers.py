"""How customers come to us, and how we get to know them in the first weeks."""

from collections.abc import Mapping
from datetime import timedelta

from api.demo import customer_changes, people
from api.demo.agenda import Life
from api.demo.company import TAGS, TIERS
from api.demo.names import Name
from api.demo.places import BY_CODE, INDUSTRIES, SHARES, Country
from api.demo.records import Customer
from api.demo.world import World

PERSONS = 0.10
"""The share of customers who are not companies: consultants, private laboratories, collectors."""
SIZES: Mapping[str, tuple[str, ...]] = {"A": ("201-1000", "1000+"), "B": ("51-200", "201-1000"), "C": ("1-10", "11-50", "51-200")}
PREFERENCES = ("email", "email", "phone", "phone", "visit", "chat")
KNOWN_FROM_BEFORE = "address-book"
"""The name of the system that the customers of the first days were kept in."""


def registered(world: World, country: Country, lifecycle: str, *, number: int | None = None) -> Customer:
    """A new customer from a country; `number` is what it was called by in the system before this one."""
    customer = _invented(world, country, lifecycle)
    known = {
        "customer_id": customer.id,
        "kind": "company" if customer.company else "person",
        "name": customer.name,
        "lifecycle": lifecycle,
        "owner_id": customer.owner.id,
        "team": customer.owner.team,
        "parent_id": _parent(world, customer),
        "email": f"info@{customer.domain}" if customer.company else f"{customer.domain.removesuffix('.example')}@mail.example",
        "phone": country.phone_number(world.chance) if world.chance.happens(0.8) else None,
        "website": f"https://www.{customer.domain}" if customer.company else None,
        "tier": customer.tier,
        "industry": customer.industry,
        "size": world.chance.one_of(SIZES[customer.tier]) if customer.company else None,
        "tags": [world.chance.one_of(TAGS)] if world.chance.happens(0.2) else None,
        **country.address(world.chance),
    }
    world.ask("register_customer", customer.owner, known)
    if number is not None:
        external = {"source": KNOWN_FROM_BEFORE, "id": f"K{number:05}"}
        world.ask("link_customer_external_id", customer.owner, {"customer_id": customer.id, "external": external})
    world.customers.append(customer)
    world.begin(_gets_known(world, customer))
    world.begin(customer_changes.changes(world, customer), world.now + timedelta(days=world.chance.between(40, 160)))
    return customer


def anywhere(world: World) -> Country:
    """A country, as likely as we have customers there."""
    return BY_CODE[world.chance.weighted(SHARES)]


def _invented(world: World, country: Country, lifecycle: str) -> Customer:
    chance = world.chance
    company = not chance.happens(PERSONS)
    industry = chance.one_of(tuple(INDUSTRIES))
    name = _new_name(world, country, industry if company else None)
    return Customer(
        id=world.new_id(),
        name=name.written,
        company=company,
        country=country,
        industry=industry if company else None,
        tier=chance.weighted(TIERS) if company else "C",
        domain=f"{name.spelled}.example",
        owner=world.company.seller(country.team, chance),
        lifecycle=lifecycle,
        since=world.now,
        mood=chance.normal(0.0, 0.5),
    )


def _new_name(world: World, country: Country, industry: str | None) -> Name:
    """A company's name, or a person's without an industry; one that nobody has yet, with a number if none comes to mind."""
    named = (country.company_name(world.chance, industry) if industry else country.naming.person(world.chance) for _ in range(8))
    name = next(named)
    while name.written in world.names:
        name = next(named, None) or Name(f"{name.written} {len(world.names)}", f"{name.spelled}-{len(world.names)}")
    world.names.add(name.written)
    return name


def _parent(world: World, customer: Customer) -> str | None:
    """One in twenty companies belongs to one that we have known longer, so that there is no loop."""
    if not customer.company or not world.chance.happens(0.05):
        return None
    above = next((other for other in reversed(world.customers) if other.industry == customer.industry and other.tier == "A"), None)
    return str(above.id) if above is not None and not above.archived else None


def _gets_known(world: World, customer: Customer) -> Life:
    """In the first weeks we get to know people and preferences."""
    if customer.company:
        people.come(world, customer)
        for _ in range(world.chance.count({"A": 2.2, "B": 1.1, "C": 0.35}[customer.tier])):
            yield customer.owner.hours.days_later(world.now, world.chance.after(12), world.chance)
            people.come(world, customer)
    if world.chance.happens(0.4):
        yield customer.owner.hours.days_later(world.now, world.chance.after(10), world.chance)
        likes = {
            "customer_id": customer.id,
            "language": customer.country.language,
            "channel": world.chance.one_of(PREFERENCES),
            "time_zone": customer.country.zone,
        }
        if not customer.archived:
            world.ask("note_customer_preferences", customer.owner, likes)
