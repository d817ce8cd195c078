"""What the simulation promises of any history it makes: size, order, repeatability, both clocks, nothing refused."""

from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from api.demo.clerk import Clerk, SimulationRefused
from api.demo.fill import fill
from bus.keystore import open_vault
from bus.log import open_log
from commands.order import Order
from domain.catalogue import EVENTS
from domain.customers.events import CustomerContactDetailsChanged, CustomerRegistered
from domain.interactions.events import InteractionLogged
from domain.opportunities.events import OpportunityOpened
from domain.requests.events import RequestActivityNoted
from tests.api.demo.conftest import UNTIL, History, lived
from tests.memory_log import MemoryLog

SMALL = 3_000
ONLY_REPORTED = {RequestActivityNoted}
NOBODY_ASKED = {
    event for event in EVENTS if event.type.partition(".")[2] in ("erased", "restricted", "restriction_lifted", "access_exported")
}
"""In two years, nobody of the made-up company asked to be forgotten, restricted or told what is held."""


def said(history: History) -> list[object]:
    return [
        (stored.stream_id, stored.version, stored.occurred_at, stored.recorded_at, stored.cause.actor, stored.event)
        for stored in history.stored
    ]


def test_there_are_about_as_many_events_as_asked_for(history: History) -> None:
    assert 45_000 < history.summary.events == len(history.stored) < 55_000


def test_every_kind_of_event_happens_that_can_be_asked_for(history: History) -> None:
    happened = {type(stored.event) for stored in history.stored}
    assert set(EVENTS) - happened == ONLY_REPORTED | NOBODY_ASKED


def test_no_command_breaks_a_rule(history: History) -> None:
    assert all(stored.irregular == () for stored in history.stored)


def test_a_refused_command_is_a_mistake_that_stops_the_simulation() -> None:
    clerk = Clerk(MemoryLog(), base_currency="EUR")
    clerk.send(Order(name="archive_customer", data={"customer_id": str(UUID(int=1))}, actor="user:a", source="demo"), UNTIL)
    with pytest.raises(SimulationRefused, match=r"customer\.unknown"):
        clerk.finish()


def test_everything_came_by_the_door_of_the_demonstration(history: History) -> None:
    assert {stored.cause.source for stored in history.stored} == {"demo"}


def test_events_are_recorded_in_order_and_within_the_two_years(history: History) -> None:
    times = [stored.recorded_at for stored in history.stored]
    assert times == sorted(times)
    assert history.summary.since <= times[0]
    assert times[-1] < history.summary.until == UNTIL
    assert times[-1] > UNTIL - timedelta(days=1)


def test_what_happened_was_never_recorded_before_it_happened(history: History) -> None:
    assert all(stored.occurred_at <= stored.recorded_at for stored in history.stored)


def test_some_interactions_are_entered_days_late_with_both_times(history: History) -> None:
    logged = history.stored_of(InteractionLogged)
    late = [stored for stored in logged if stored.recorded_at - stored.occurred_at > timedelta(days=1)]
    assert 0.08 < len(late) / len(logged) < 0.25
    kinds = Counter(stored.event.kind for stored in late if isinstance(stored.event, InteractionLogged))
    assert kinds["call"] > 100


def test_the_same_seed_and_end_make_the_same_history_under_the_same_ids() -> None:
    one, two = lived(SMALL), lived(SMALL)
    assert said(one) == said(two)
    assert one.summary == two.summary


def test_another_seed_makes_another_history() -> None:
    assert said(lived(SMALL, seed=1))[:50] != said(lived(SMALL, seed=2))[:50]


def test_a_later_end_on_the_same_day_only_adds_to_the_history() -> None:
    shorter, longer = said(lived(SMALL, until=UNTIL - timedelta(hours=7))), said(lived(SMALL, until=UNTIL))
    assert longer[: len(shorter)] == shorter


def test_progress_is_told_with_the_number_of_events_so_far() -> None:
    told: list[tuple[int, int]] = []
    summary = fill(MemoryLog(), events=SMALL, until=UNTIL, progress=lambda done, of: told.append((done, of)))
    assert len(told) > 700
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {of for _, of in told} == {SMALL}
    assert told[-1][0] <= summary.events


@pytest.mark.parametrize("base_currency", ["USD", "CNY", "ZAR"])
def test_amounts_are_kept_in_whatever_base_currency_is_wanted(base_currency: str) -> None:
    opened = lived(SMALL, base_currency=base_currency).of(OpportunityOpened)
    own = [deal for deal in opened if deal.currency == base_currency]
    assert all(deal.amount == deal.base_amount for deal in own)
    assert (len(own) == len(opened)) == (base_currency == "ZAR")


def test_nobody_real_can_be_reached_at_the_addresses_and_numbers(history: History) -> None:
    reach = history.of(CustomerContactDetailsChanged)
    assert all(each.email is None or each.email.endswith(".example") for each in reach)
    assert all(each.website is None or each.website.endswith(".example") for each in reach)
    fiction = ("+4930231259", "+3319900", "+44207946", "+46846500", "+161755501")
    assert all(each.phone is None or each.phone.startswith(fiction) for each in reach)


def test_customers_are_named_in_many_languages(history: History) -> None:
    registered = history.of(CustomerRegistered)
    names = [each.name or each.person_name or "" for each in registered]
    assert sum(any("一" <= letter <= "鿿" for letter in name) for name in names) > 80
    assert sum("GmbH" in name for name in names) > 80
    assert len(set(names)) > 0.99 * len(names)
    assert 0.05 < sum(each.kind == "person" for each in registered) / len(registered) < 0.16


def test_a_log_in_a_file_keeps_the_history_at_its_own_times(tmp_path: Path) -> None:
    with closing(open_vault(str(tmp_path / "keys.db"), bytes(32))) as vault, closing(open_log(str(tmp_path / "log.db"), vault)) as log:
        summary = fill(log, events=SMALL, until=UNTIL)
        stored = log.read(0, summary.events + 1)
    assert len(stored) == summary.events
    assert stored[0].recorded_at < (summary.since + timedelta(days=4)).isoformat()
    assert [each.recorded_at for each in stored] == sorted(each.recorded_at for each in stored)
    assert len({each.recorded_at for each in stored}) > 0.4 * len(stored)
    assert {notable.id for notable in summary.notable.values()} <= {UUID(each.stream_id) for each in stored}


def test_the_two_years_end_now_unless_said_otherwise() -> None:
    log = MemoryLog()
    before = datetime.now(UTC)
    assert before <= fill(log, events=300).until <= datetime.now(UTC)
    assert log.events[-1].recorded_at <= datetime.now(UTC)
