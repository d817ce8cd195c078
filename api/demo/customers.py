"""The lives of customers: how they come to us, who works there, what becomes of them, and the small things that change."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from api.demo import interactions
from api.demo.agenda import Life
from api.demo.company import Colleague
from api.demo.names import Name, plain
from api.demo.places import BY_CODE, COUNTRIES, INDUSTRIES, SHARES, Country, trade
from api.demo.records import Customer, Person
from api.demo.world import World
from domain.customers.customer import NEXT

PERSONS = 0.10
"""The share of customers who are not companies: consultants, private laboratories, collectors."""
TIERS: Mapping[str, float] = {"A": 0.14, "B": 0.34, "C": 0.52}
SIZES: Mapping[str, tuple[str, ...]] = {"A": ("201-1000", "1000+"), "B": ("51-200", "201-1000"), "C": ("1-10", "11-50", "51-200")}
TAGS = ("newsletter", "reference customer", "audited", "framework agreement", "tender only", "export control")
JOBS: Mapping[str, float] = {
    "Head of laboratory": 24, "Purchasing manager": 20, "Quality manager": 18, "Plant engineer": 14, "Laboratory technician": 14, "Managing director": 10,
}  # fmt: skip
PRIMARY_JOBS = ("Head of laboratory", "Quality manager", "Managing director")
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
    world.begin(_changes(world, customer), world.now + timedelta(days=world.chance.between(40, 160)))
    return customer


def anywhere(world: World) -> Country:
    """A country, as likely as we have customers there."""
    return BY_CODE[world.chance.weighted(SHARES)]


def _invented(world: World, country: Country, lifecycle: str) -> Customer:
    chance = world.chance
    company = not chance.happens(PERSONS)
    industry = chance.one_of(tuple(INDUSTRIES))
    name = _company_name(world, country, industry) if company else country.naming.person(chance)
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


def _company_name(world: World, country: Country, industry: str) -> Name:
    city = world.chance.one_of(country.cities).name
    word, form = trade(industry, country), world.chance.one_of(country.forms)
    return country.naming.business(world.chance, city=city, trade=word, form=form)


def _parent(world: World, customer: Customer) -> str | None:
    """One in twenty companies belongs to one that we have known longer, so that there is no loop."""
    if not customer.company or not world.chance.happens(0.05):
        return None
    above = next((other for other in reversed(world.customers) if other.industry == customer.industry and other.tier == "A"), None)
    return str(above.id) if above is not None and not above.archived else None


def _gets_known(world: World, customer: Customer) -> Life:
    """In the first weeks we get to know people and preferences."""
    if customer.company:
        add_person(world, customer)
        for _ in range(world.chance.count({"A": 2.2, "B": 1.1, "C": 0.35}[customer.tier])):
            yield customer.owner.hours.days_later(world.now, world.chance.after(12), world.chance)
            add_person(world, customer)
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


def add_person(world: World, customer: Customer) -> None:
    """Somebody at a company becomes known to us, the first one as its primary contact."""
    if customer.archived:
        return
    name = customer.country.naming.person(world.chance)
    first = not customer.contacts
    job = world.chance.one_of(PRIMARY_JOBS) if first else world.chance.weighted(JOBS)
    person = Person(world.new_id(), name.written, customer)
    customer.people.append(person)
    said = {
        "contact_id": person.id,
        "customer_id": customer.id,
        "name": name.written,
        "email": _address(name, customer),
        "phone": customer.country.phone_number(world.chance) if world.chance.happens(0.5) else None,
        "title": job,
        "primary": first or None,
    }
    world.ask("add_contact", customer.owner, said)


def _address(name: Name, customer: Customer) -> str:
    return f"{'.'.join(plain(part) for part in name.spelled.split('.'))}@{customer.domain}"


def becomes(world: World, customer: Customer, lifecycle: str, *, by: Colleague | str, reason: str | None = None) -> None:
    """The customer comes into another part of its life, if there is a way from where it is."""
    if lifecycle == "active" and customer.lifecycle == "churned":
        lifecycle = "won_back"
    if customer.archived or lifecycle not in NEXT[customer.lifecycle]:
        return
    world.ask("change_customer_lifecycle", by, {"customer_id": customer.id, "lifecycle": lifecycle, "reason": reason})
    customer.lifecycle, customer.since = lifecycle, world.now


def cools_off(world: World, customer: Customer) -> Life:
    """After a lost deal: a prospect that does not come back within some months is dormant."""
    yield customer.owner.hours.days_later(world.now, world.chance.between(70, 170), world.chance)
    if customer.open_deals == 0 and customer.lifecycle in ("lead", "prospect"):
        becomes(world, customer, "dormant", by="rule:no-deal-for-months", reason="no deal since the last one was lost")


def _changes(world: World, customer: Customer) -> Life:
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
    changes: Mapping[Callable[[World, Customer], None], float] = {
        _checks_in: 0 if customer.lifecycle in ("lead", "dormant", "churned") else 40,
        _person_changes: 16,
        _person_goes: 8,
        add_person: 7 if customer.company else 0,
        _is_classed_anew: 12,
        _field_is_set: 10,
        _moves_house: 3,
        _is_renamed: 2 if customer.company else 0,
    }
    world.chance.weighted(changes)(world, customer)


def _checks_in(world: World, customer: Customer) -> None:
    world.begin(interactions.took_place(world, customer, "account", by=customer.owner))


def _person_changes(world: World, customer: Customer) -> None:
    if not customer.contacts:
        return
    person = world.chance.one_of(customer.contacts)
    title = {"contact_id": person.id, "title": world.chance.weighted(JOBS)}
    world.ask("change_contact_details", customer.owner, title)


def _person_goes(world: World, customer: Customer) -> None:
    """Somebody leaves: one in three turns up at another customer, and one in ten of the others comes back."""
    if len(customer.contacts) < 2:
        return
    person = world.chance.one_of(customer.contacts)
    elsewhere = world.chance.one_of(world.customers)
    if world.chance.happens(0.33) and elsewhere.company and not elsewhere.archived and elsewhere is not customer:
        world.ask("move_contact", customer.owner, {"contact_id": person.id, "customer_id": elsewhere.id})
        customer.people.remove(person)
        elsewhere.people.append(person)
        person.customer = elsewhere
        return
    world.ask("note_contact_left", customer.owner, {"contact_id": person.id, "reason": world.chance.one_of(("retired", "changed jobs", None))})
    person.left = True
    world.begin(_after_leaving(world, customer, person))


def _after_leaving(world: World, customer: Customer, person: Person) -> Life:
    """The customer names a new primary contact; sometimes the person returns."""
    yield customer.owner.hours.days_later(world.now, world.chance.after(9), world.chance)
    if customer.contacts and not customer.archived:
        world.ask("make_contact_primary", customer.owner, {"contact_id": customer.contacts[0].id})
    if world.chance.happens(0.1):
        yield customer.owner.hours.days_later(world.now, world.chance.between(30, 120), world.chance)
        if not customer.archived:
            world.ask("restore_contact", customer.owner, {"contact_id": person.id})
            person.left = False


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
    form = world.chance.one_of(customer.country.forms)
    if form not in customer.name and customer.industry is not None:
        customer.name = _company_name(world, customer.country, customer.industry).written
        world.ask("rename_customer", customer.owner, {"customer_id": customer.id, "name": customer.name})
