"""How customers come from one part of their life into the next."""

from api.demo.agenda import Life
from api.demo.company import Colleague
from api.demo.records import Customer
from api.demo.world import World
from domain.customers.customer import NEXT


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
