"""The people who work at customers: they come, get other jobs, leave or go elsewhere, and some return."""

from collections.abc import Mapping

from api.demo.agenda import Life
from api.demo.names import Name, plain
from api.demo.records import Customer, Person
from api.demo.world import World

JOBS: Mapping[str, float] = {
    "Head of laboratory": 24, "Purchasing manager": 20, "Quality manager": 18, "Plant engineer": 14, "Laboratory technician": 14, "Managing director": 10,
}  # fmt: skip
PRIMARY_JOBS = ("Head of laboratory", "Quality manager", "Managing director")


def come(world: World, customer: Customer) -> None:
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


def change(world: World, customer: Customer) -> None:
    """Somebody gets another job at the customer."""
    if not customer.contacts:
        return
    person = world.chance.one_of(customer.contacts)
    title = {"contact_id": person.id, "title": world.chance.weighted(JOBS)}
    world.ask("change_contact_details", customer.owner, title)


def go(world: World, customer: Customer) -> None:
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
    world.ask(
        "note_contact_left", customer.owner, {"contact_id": person.id, "reason": world.chance.one_of(("retired", "changed jobs", None))}
    )
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
