"""Fills a log with two years of a made-up company, through real commands: `fill`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from api.demo import beginnings
from api.demo.agenda import Agenda
from api.demo.chance import Chance
from api.demo.company import Company
from api.demo.seasons import Seasons
from api.demo.world import Clerk, World
from commands.log import EventLog

DAYS = 730
USUAL_EVENTS = 50_000
EVENTS_OF_USUAL_SIZE = 42_000
"""How many events a company of the usual size makes in two years, as measured over several seeds."""

Progress = Callable[[int, int], None]
"""Told now and then how many events there are and about how many there will be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notable:
    """A record worth a look."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What was made between two moments."""

    since: datetime
    until: datetime
    commands: int
    events: int
    customers: int
    notable: Mapping[str, Notable]
    """Records worth a look: `busiest customer`, `late call` and `amended answer` (customers), `came back` (a deal that went
    backwards), `reopened` (a request). In a very small company some may be missing."""


def fill(
    log: EventLog,
    *,
    events: int = USUAL_EVENTS,
    seed: int = 2024,
    until: datetime | None = None,
    progress: Progress | None = None,
    base_currency: str = "EUR",
) -> Summary:
    """Let a company live for two years that end `until` (now unless given), with about so many events.

    The same seed and the same end make the same history, ids of records included; only ids of events and commands differ.
    Expects a log without a previous demonstration. Raises SimulationRefused when a command is not accepted.
    """
    until = (until or datetime.now(UTC)).astimezone(UTC)
    world = _world(log, events / EVENTS_OF_USUAL_SIZE, seed, until, base_currency)
    beginnings.begin(world)
    while world.now < until:
        world.agenda.run(min(until, world.now + timedelta(days=1)))
        if progress is not None:
            progress(world.clerk.events, events)
    world.clerk.finish()
    return _summary(world, until)


def _world(log: EventLog, size: float, seed: int, until: datetime, base_currency: str) -> World:
    start = _start(until)
    chance = Chance(seed)
    return World(
        chance=chance,
        agenda=Agenda(start),
        clerk=Clerk(log, base_currency=base_currency),
        company=Company.of_size(size, chance),
        seasons=Seasons(start.date(), DAYS),
        base_currency=base_currency,
        size=size,
    )


def _start(until: datetime) -> datetime:
    return until.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)


def _summary(world: World, until: datetime) -> Summary:
    in_business = [customer for customer in world.customers if not customer.archived]
    busiest = max(in_business, key=lambda customer: customer.requests + 2 * len(customer.deals))
    notable = {"busiest customer": (busiest.id, busiest.name), **world.notable}
    return Summary(
        since=_start(until),
        until=until,
        commands=world.clerk.orders,
        events=world.clerk.events,
        customers=len(world.customers),
        notable={what: Notable(id=record_id, name=name) for what, (record_id, name) in notable.items()},
    )
