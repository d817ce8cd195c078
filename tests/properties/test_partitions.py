"""The law of workers: however partitions are shared, delivered again or delivered late, the lookups are what the log says."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.envelope import StoredEvent
from domain.opportunities.events import OpportunityOpened
from projections.engine import Engine
from projections.versions import start
from readmodels.layout import State
from tests.conftest import SOAK
from tests.projections.feed import MemoryFeed, wild_event, wild_history
from tests.projections.tables import at_the_beginning, cells, engines
from tests.projections.topic import Member, Topic

histories = st.builds(wild_history, st.integers(0, 2**32), st.integers(1, 80), ids=st.integers(1, 6))


def serving(engine: Engine) -> dict[str, int]:
    return {version.fold: version.position for version in engine.tables.versions() if version.state is State.SERVING}


def shipped(events: Sequence[StoredEvent], count: int, chance: random.Random) -> Topic:
    topic, rest = Topic(count), list(events)
    while rest:
        size = chance.randrange(1, 12)
        topic.ship(rest[:size])
        rest = rest[size:]
    return topic


def stormy(lookups: Engine, topic: Topic, chance: random.Random, *, steps: int) -> None:
    """Three workers take partitions from each other at random, begin anywhere, and some go on with what is not theirs any more."""
    members = [Member(lookups, topic, fresh=chance.choice([0.0, 3600.0])) for _ in range(3)]
    reached = 0
    for _ in range(steps):
        member = chance.choice(members)
        match chance.randrange(6):
            case 0:
                part = chance.randrange(topic.count)
                for other in members:
                    if chance.random() < 0.8:  # otherwise it does not know yet
                        other.offsets.pop(part, None)
                member.assigned(part, chance.randrange(len(topic.records[part]) + 1))
            case 1:
                member.again()
            case _:
                member.step(chance.randrange(1, 6))
        told = min(serving(lookups).values())
        assert told >= reached, "positions go forward only"
        reached = told
    for part in range(topic.count):
        members[0].assigned(part, chance.randrange(len(topic.records[part]) + 1))
    for part in range(topic.count):
        members[0].assigned(part, topic.offset(part, members[0].partitions.lacking(part)))
    while members[0].step(7):
        pass


@given(histories, st.integers(1, 4), st.randoms(use_true_random=False))
@settings(max_examples=150 if SOAK else 8)
def test_any_delivery_to_any_workers_equals_the_fold_of_the_log(events: list[StoredEvent], count: int, chance: random.Random) -> None:
    base = chance.choice([0, chance.randrange(len(events) + 1)])
    feed = MemoryFeed(events[:base])
    with engines(MemoryFeed(events)) as embedded, engines(feed) as scaled:
        start(embedded[0].feed, embedded)
        start(feed, scaled)
        stormy(scaled[0], shipped(events, count, chance), chance, steps=30)
        assert set(serving(scaled[0]).values()) == {events[-1].position}
        assert {fold: cells(scaled[0], fold) for fold in scaled[0].plans} == {fold: cells(embedded[0], fold) for fold in embedded[0].plans}


@pytest.mark.parametrize("seed", range(20 if SOAK else 1))
def test_the_same_in_postgresql(postgres_url: str, seed: int) -> None:
    chance = random.Random(seed)
    events = wild_history(seed, 300, ids=8)
    with engines(MemoryFeed(events)) as embedded, engines(MemoryFeed(events[:50]), lookups_url=postgres_url) as scaled:
        start(embedded[0].feed, embedded)
        start(scaled[0].feed, scaled)
        stormy(scaled[0], shipped(events, 5, chance), chance, steps=60)
        assert set(serving(scaled[0]).values()) == {events[-1].position}
        assert {fold: cells(scaled[0], fold) for fold in scaled[0].plans} == {fold: cells(embedded[0], fold) for fold in embedded[0].plans}


def test_workers_who_write_the_same_rows_at_the_same_time_lose_nothing(postgres_url: str) -> None:
    events = wild_history(11, 4_000, ids=12)
    topic = shipped(events, 4, random.Random(1))
    with engines(MemoryFeed(events)) as embedded, engines(MemoryFeed(), lookups_url=postgres_url) as scaled:
        start(embedded[0].feed, embedded)
        at_the_beginning(scaled)

        def fold(seed: int) -> None:
            chance = random.Random(seed)
            member = Member(scaled[0], topic, fresh=0.05)
            for part in {seed, (seed + 1) % 4}:  # each partition has two workers who believe that it is theirs
                member.assigned(part, 0)
            while member.step(chance.randrange(20, 200)):
                pass

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(fold, range(4)))
        assert set(serving(scaled[0]).values()) == {events[-1].position}
        assert {fold: cells(scaled[0], fold) for fold in scaled[0].plans} == {fold: cells(embedded[0], fold) for fold in embedded[0].plans}


@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
@pytest.mark.parametrize("field", [("amount", "twelve"), ("move_no", 2**63)])
def test_a_fold_that_fails_stops_in_its_partition_and_goes_on_when_it_is_mended(
    request: pytest.FixtureRequest, where: str, field: tuple[str, object]
) -> None:
    url = request.getfixturevalue("postgres_url") if where == "postgresql" else None
    good = wild_event(random.Random(1), 120, OpportunityOpened)
    events = wild_history(7, 300)
    events[119] = replace(good, data={**good.data, field[0]: field[1]})
    topic = Topic(3)
    topic.ship(events)
    with engines(MemoryFeed(), lookups_url=url) as scaled, engines(MemoryFeed()) as embedded:
        lookups = scaled[0]
        at_the_beginning(scaled)
        member = Member(lookups, topic, fresh=0.0)
        for part in range(3):
            member.assigned(part, 0)
        while member.step(50):
            pass
        stopped = [health for health in lookups.health() if health.error]
        assert [(health.fold, health.error_position) for health in stopped] == [("opportunities", 120)]
        assert stopped[0].position < 120
        assert "parameters" not in (stopped[0].error or "")
        assert {health.position for health in lookups.health() if not health.error} == {300}

        mended = [*events[:119], good, *events[120:]]
        topic = Topic(3)
        topic.ship(mended)
        with lookups.tables.writing() as writer:
            writer.resume("opportunities", stopped[0].number)
        member.topic = topic
        for part in range(3):
            member.assigned(part, topic.offset(part, member.partitions.lacking(part)))
        while member.step(50):
            pass
        embedded[0].feed = MemoryFeed(mended)
        start(embedded[0].feed, embedded)
        assert {health.position for health in lookups.health()} == {300}
        assert cells(lookups, "opportunities") == cells(embedded[0], "opportunities")


def test_what_came_before_is_asked_for_when_it_is_lacking() -> None:
    events = wild_history(3, 60)
    topic = Topic(2)
    topic.ship(events[:30])
    topic.ship(events[30:])
    with engines(MemoryFeed()) as scaled:
        at_the_beginning(scaled)
        member = Member(scaled[0], topic)
        late = topic.batch(1, topic.offset(1, 30), 99)
        assert late is not None
        assert member.partitions.apply([late]) == {1: 0}
        assert set(serving(scaled[0]).values()) == {0}
