"""Customer 360 is what folding that customer's events by hand gives."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from commands.order import Order
from domain.envelope import StoredEvent
from domain.errors import NotFound
from readmodels.asking import LookupReader, LookupSource
from readmodels.customers import CustomerReader
from readmodels.health import Signs, Verdict, health
from tests.commands.orders import order
from tests.readmodels.deals import moment, told
from tests.readmodels.folding import Company, company
from tests.readmodels.histories import at, ext

NOW = at(24 * 700)


def story(chance: random.Random, name: str, contacts: int = 4) -> Iterator[Order]:
    """A customer with contacts, deals, requests, interactions and surveys, reported in any order."""
    yield order(
        "register_customer", customer_id=ext(name), name=name, at=at(chance.randrange(100)), email=f"{name}@example.com", city="Ulm"
    )
    yield order("set_customer_field", customer_id=ext(name), field="colour", kind="text", value=chance.choice(["red", "blue"]))
    yield order("link_customer_external_id", customer_id=ext(name), external={"source": "shop", "id": f"shop-{name}"})
    for number in range(contacts):
        yield order(
            "add_contact",
            contact_id=ext(f"{name}-{number}"),
            customer_id=ext(name),
            name=f"Person {number}",
            email=f"p{number}@example.com",
        )
    for number in range(3):
        keys = {"opportunity_id": ext(f"{name}-{number}"), "customer_id": ext(name), "pipeline_id": ext("pipe")}
        yield order(
            "open_opportunity", at=at(chance.randrange(1000)), name="Deal", owner_id="ana", amount=str(chance.randrange(1000)), **keys
        )
        channel = chance.choice(["email", "phone"])
        yield order(
            "open_request",
            request_id=ext(f"{name}-{number}"),
            customer_id=ext(name),
            at=at(chance.randrange(1000)),
            subject=f"S{number}",
            channel=channel,
            category="bug",
        )
    for step in range(40):
        yield _step(chance, name, chance.randrange(3), step)


def _step(chance: random.Random, name: str, number: int, step: int) -> Order:
    which, hour = ext(f"{name}-{number}"), chance.randrange(1000, 16000)
    options: list[tuple[str, dict[str, Any]]] = [
        ("win_opportunity", {"opportunity_id": which}),
        ("lose_opportunity", {"opportunity_id": which, "reason": "price"}),
        ("reopen_opportunity", {"opportunity_id": which}),
        ("change_opportunity_amount", {"opportunity_id": which, "amount": str(chance.randrange(1000))}),
        ("pause_request", {"request_id": which, "waiting_on": "customer"}),
        ("resolve_request", {"request_id": which}),
        ("close_request", {"request_id": which}),
        ("reopen_request", {"request_id": which}),
        (
            "log_interaction",
            {
                "interaction_id": ext(f"{name}-i{step}"),
                "customer_id": ext(name),
                "kind": chance.choice(["call", "note", "email"]),
                "direction": chance.choice(["inbound", "outbound", "internal"]),
                "subject": f"i{step}",
            },
        ),
        ("retract_interaction", {"interaction_id": ext(f"{name}-i{chance.randrange(step + 1)}")}),
        (
            "record_survey_answer",
            {"customer_id": ext(name), "kind": chance.choice(["csat", "nps", "ces"]), "score": chance.randrange(1, 6)},
        ),
        ("note_contact_left", {"contact_id": which}),
        ("make_contact_primary", {"contact_id": which}),
    ]
    command, data = chance.choice(options)
    return order(command, at=at(hour), report=True, **data)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def firm(request: pytest.FixtureRequest) -> Iterator[Company]:
    url = request.getfixturevalue("postgres_server") if request.param == "postgres" else None
    stages = [{"name": "Lead"}, {"name": "Won", "status": "won"}, {"name": "Lost", "status": "lost"}]
    with company(url) as opened:
        opened.give(order("define_pipeline", pipeline_id=ext("pipe"), name="Pipe", stages=stages))
        for seed in range(12):
            opened.try_all(story(random.Random(seed), f"c{seed}"))
        yield opened


@pytest.fixture(params=["quick", "plain"])
def source(request: pytest.FixtureRequest, firm: Company) -> LookupSource:
    return firm.quick if request.param == "quick" else LookupReader(firm.lookup_store)


def read(firm: Company, source: LookupSource, name: str, now: datetime = NOW) -> dict[str, Any]:
    reader = CustomerReader(firm.lookup_store.table)
    with source.snapshot() as lookups:
        return reader.customer(lookups, reader.id_of(lookups, "test", name), decrypt=firm.books.vault.decrypt_all, now=now)[0]


def of_customer(firm: Company, customer_id: str) -> list[StoredEvent]:
    return [event for event in firm.events if event.data.get("customer_id") == customer_id]


@pytest.mark.parametrize("seed", range(12))
def test_it_is_what_the_customers_events_say(firm: Company, source: LookupSource, seed: int) -> None:
    found = read(firm, source, f"c{seed}")
    events = of_customer(firm, found["customer_id"])
    assert found["name"] == f"c{seed}"
    assert (found["email"], found["address"]["city"], found["erased"]) == (f"c{seed}@example.com", "Ulm", False)
    assert [(each["source"], each["id"]) for each in found["external_ids"]] == [("test", f"c{seed}"), ("shop", f"shop-c{seed}")]
    assert [field["value"] for field in found["custom_fields"]] == [
        e.data["value"] for e in events if e.type == "customer.custom_field_set"
    ][-1:]
    check_deals(found["deals"], events)
    check_requests(found["requests"], events)
    check_contacts(found["contacts"], events)
    check_interactions(found["interactions"], events)
    check_satisfaction(found["satisfaction"], events)


def check_deals(found: Any, events: list[StoredEvent]) -> None:
    deals = told(events).deals
    by_status = {status: [deal for deal in deals.values() if deal.status == status] for status in ("open", "won", "lost")}
    assert (found["count"], found["open"], found["won"], found["lost"]) == (len(deals), *(len(by_status[s]) for s in by_status))
    assert found["open_value"] == sum((deal.worth for deal in by_status["open"]), Decimal(0))
    assert found["won_revenue"] == sum((deal.worth for deal in by_status["won"]), Decimal(0))
    assert {each["opportunity_id"] for each in found["current"]} == {key for key, deal in deals.items() if deal.status == "open"}


def check_requests(found: Any, events: list[StoredEvent]) -> None:
    status = {event.data["request_id"]: event.data["status"] for event in events if event.type.startswith("request.")}
    backlog = {key for key, value in status.items() if value in ("open", "waiting")}
    assert (found["count"], found["open"]) == (len(status), len(backlog))
    assert {each["request_id"] for each in found["current"]} == backlog
    assert {each["request_id"] for each in found["past"]} == set(status) - backlog
    assert all(each["subject"].startswith("S") for each in (*found["current"], *found["past"]))
    assert found["reopenings"] == sum(event.type == "request.reopened" for event in events)
    for outcome in ("met", "breached"):
        assert found[f"targets_{outcome}"] == sum(event.type == f"request.target_{outcome}" for event in events)


def check_contacts(found: Any, events: list[StoredEvent]) -> None:
    there: dict[str, None] = {}
    primary = None
    for event in events:
        if event.type in ("contact.added", "contact.restored"):
            there[event.data["contact_id"]] = None
        elif event.type == "contact.left":
            del there[event.data["contact_id"]]
        elif event.type in ("contact.made_primary", "contact.primary_lost"):
            primary = event.data["primary_contact_id"]
    assert (found["count"], found["primary_contact_id"]) == (len(there), primary)
    assert {each["contact_id"] for each in found["people"]} == set(there)
    assert all(each["name"].startswith("Person") for each in found["people"])


def check_interactions(found: Any, events: list[StoredEvent]) -> None:
    held = {event.data["interaction_id"]: event for event in events if event.type.startswith("interaction.")}
    there = {key: event.data for key, event in held.items() if event.type != "interaction.retracted"}
    outward = [data["happened_at"] for data in there.values() if data["direction"] != "internal" and data["kind"] != "note"]
    latest = sorted(there, key=lambda key: there[key]["happened_at"], reverse=True)
    assert found["count"] == len(there)
    assert found["last_contact_at"] == max(outward, default=None)
    assert [each["interaction_id"] for each in found["recent"]] == latest[:5]


def check_satisfaction(found: Any, events: list[StoredEvent]) -> None:
    scores = {
        kind: [e.data["score"] for e in events if e.type == "survey.answered" and e.data["kind"] == kind] for kind in ("csat", "nps", "ces")
    }
    assert found["answered"] == found["sent"] == sum(map(len, scores.values()))
    csat, nps, ces = scores.values()
    assert found["csat"]["percent"] == (100 * sum(s >= 4 for s in csat) / len(csat) if csat else None)
    assert found["nps"]["score"] == (100 * (sum(s >= 9 for s in nps) - sum(s <= 6 for s in nps)) / len(nps) if nps else None)
    assert found["ces"]["mean"] == (sum(ces) / len(ces) if ces else None)


def test_both_readers_give_the_same(firm: Company) -> None:
    assert read(firm, firm.quick, "c1") == read(firm, LookupReader(firm.lookup_store), "c1")


def test_an_unknown_customer_is_not_found(firm: Company, source: LookupSource) -> None:
    reader = CustomerReader(firm.lookup_store.table)
    with source.snapshot() as lookups:
        for ask in (lambda: reader.id_of(lookups, "test", "nobody"), lambda: reader.customer(lookups, uuid4(), decrypt=list, now=NOW)):
            with pytest.raises(NotFound) as caught:
                ask()
            assert caught.value.code == "customer.unknown"


def test_a_forgotten_contact_reads_as_erased(firm: Company, source: LookupSource) -> None:
    name = f"forgotten-{uuid4()}"
    firm.give(
        order("register_customer", customer_id=ext(name), name=name),
        order("add_contact", contact_id=ext(name), customer_id=ext(name), name="Ann"),
    )
    [person] = read(firm, source, name)["contacts"]["people"]
    firm.books.vault.forget(UUID(person["contact_id"]))
    [person] = read(firm, source, name)["contacts"]["people"]
    assert (person["name"], person["erased"]) == (None, True)


def test_the_clock_of_a_waiting_request_stands(firm: Company, source: LookupSource) -> None:
    name = f"waiting-{uuid4()}"
    firm.give(
        order("register_customer", customer_id=ext(name), name=name),
        order(
            "open_request",
            request_id=ext(name),
            customer_id=ext(name),
            at=at(0),
            subject="?",
            channel="email",
            category="bug",
            priority="low",
        ),
        order("pause_request", request_id=ext(name), at=at(10), waiting_on="customer"),
    )
    for later in (at(11), at(1000)):
        [waiting] = read(firm, source, name, later)["requests"]["current"]
        assert (waiting["paused"], waiting["overdue"]) == (True, False)
        assert waiting["first_response"]["seconds_left"] == 14 * 3600


WELL = Signs(
    lifecycle="active",
    open_deals=1,
    last_contact_at=datetime(2026, 1, 1, tzinfo=UTC),
    registered_at=datetime(2025, 1, 1, tzinfo=UTC),
    open_requests=0,
    overdue_requests=0,
    targets_met=9,
    targets_breached=1,
    csat_percent=90.0,
    nps=50.0,
    ces_mean=6.0,
)
SOON = datetime(2026, 1, 31, tzinfo=UTC)


def test_a_customer_without_any_reason_is_well() -> None:
    assert health(WELL, SOON).verdict is Verdict.GOOD


@pytest.mark.parametrize(
    ("changed", "code", "verdict"),
    [
        ({"lifecycle": "churned"}, "lifecycle.churned", Verdict.RISK),
        ({"lifecycle": "dormant"}, "lifecycle.dormant", Verdict.WATCH),
        ({"last_contact_at": SOON - timedelta(days=91)}, "contact.quiet", Verdict.WATCH),
        ({"last_contact_at": SOON - timedelta(days=181)}, "contact.silent", Verdict.RISK),
        ({"last_contact_at": None}, "contact.none", Verdict.WATCH),
        ({"overdue_requests": 1, "open_requests": 1}, "requests.overdue", Verdict.RISK),
        ({"open_requests": 3}, "requests.many_open", Verdict.WATCH),
        ({"targets_breached": 4}, "targets.missed", Verdict.WATCH),
        ({"csat_percent": 74.9}, "satisfaction.csat", Verdict.WATCH),
        ({"csat_percent": 49.9}, "satisfaction.csat", Verdict.RISK),
        ({"nps": 19.0}, "satisfaction.nps", Verdict.WATCH),
        ({"nps": -1.0}, "satisfaction.nps", Verdict.RISK),
        ({"ces_mean": 3.9}, "satisfaction.ces", Verdict.RISK),
    ],
)
def test_each_reason_is_told_with_its_code(changed: dict[str, Any], code: str, verdict: Verdict) -> None:
    found = health(replace(WELL, **changed), SOON)
    assert (found.verdict, [reason.code for reason in found.reasons]) == (verdict, [code])


def test_a_customer_whom_nothing_goes_on_with_may_be_silent() -> None:
    assert health(replace(WELL, lifecycle="lead", open_deals=0, last_contact_at=None), SOON).verdict is Verdict.GOOD


def test_the_worst_reason_is_the_verdict() -> None:
    found = health(replace(WELL, lifecycle="dormant", overdue_requests=2), SOON)
    assert (found.verdict, len(found.reasons)) == (Verdict.RISK, 2)


def test_moments_of_the_story_are_moments() -> None:
    assert moment("2026-01-01T00:00:00.000000Z") == datetime(2026, 1, 1, tzinfo=UTC)
