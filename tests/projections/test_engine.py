"""The engine applies each event once to each table, whatever the batches, and a fold that fails stops alone."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from domain.opportunities.events import OpportunityOpened
from projections.engine import Engine, Target
from projections.versions import start
from readmodels.layout import Moved
from tests.projections.feed import MemoryFeed, ident, wild_event, wild_history
from tests.projections.tables import at_the_beginning, contents, engines


@pytest.fixture
def feed() -> MemoryFeed:
    return MemoryFeed(wild_history(7, 300))


@pytest.fixture
def both(feed: MemoryFeed) -> Iterator[list[Engine]]:
    with engines(feed) as made:
        at_the_beginning(made)
        yield made


def test_what_was_applied_before_is_not_applied_again(both: list[Engine], feed: MemoryFeed) -> None:
    for engine in both:
        before = engine.targets()
        engine.catch_up()
        rows = contents(engine)
        with pytest.raises(Moved):
            engine.apply(before, feed.events, feed.head())
        assert engine.advance() is False
        assert contents(engine) == rows


def test_a_worker_that_was_overtaken_writes_nothing(both: list[Engine], feed: MemoryFeed) -> None:
    for engine in both:
        slow = engine.targets()
        engine.catch_up()
        rows = contents(engine)
        late = [Target(target.plan, replace(target.version, position=17)) for target in slow]
        with pytest.raises(Moved):
            engine.apply(late, feed.events[17:], feed.head())
        assert contents(engine) == rows


@pytest.mark.parametrize("bulk_lag", [1, 10_000])
def test_large_and_small_batches_give_the_same_tables(feed: MemoryFeed, bulk_lag: int) -> None:
    whole = MemoryFeed(feed.events)
    with engines(feed) as small, engines(whole, bulk_lag=bulk_lag) as large:
        feed.events = []
        for made in (small, large):
            at_the_beginning(made)
        for event in whole.events:
            feed.add([event])
            if random.Random(event.position).random() < 0.1:
                for engine in small:
                    engine.catch_up()
        for engine in (*small, *large):
            engine.catch_up()
        assert [contents(engine) for engine in small] == [contents(engine) for engine in large]
        assert {engine.position for engine in (*small, *large)} == {whole.head()}


@pytest.mark.parametrize("bulk_lag", [1, 10_000])
def test_a_fold_that_fails_on_an_event_stops_before_it_and_the_others_go_on(feed: MemoryFeed, bulk_lag: int) -> None:
    poison = wild_event(random.Random(1), 120, OpportunityOpened)
    feed.events[119] = replace(poison, data={**poison.data, "amount": "twelve"})
    with engines(feed, bulk_lag=bulk_lag) as both:
        at_the_beginning(both)
        for engine in both:
            engine.catch_up()
            stopped = [health for health in engine.health() if health.error]
            assert [(health.fold, health.position, health.error_position) for health in stopped] == [("opportunities", 119, 120)]
            assert "twelve" in (stopped[0].error or "")
            assert stopped[0].lag == 181
            assert {health.position for health in engine.health() if not health.error} == {300}


def test_a_first_start_over_such_an_event_folds_everything_else(feed: MemoryFeed) -> None:
    poison = wild_event(random.Random(1), 120, OpportunityOpened)
    feed.events[119] = replace(poison, data={**poison.data, "amount": "twelve"})
    with engines(feed) as both:
        start(feed, both)
        for engine in both:
            engine.catch_up()
            stopped = [(health.fold, health.position, health.error_position) for health in engine.health() if health.error]
            assert stopped == [("opportunities", 119, 120)]
            assert {health.position for health in engine.health() if not health.error} == {300}


def test_what_the_database_refuses_also_stops_only_the_fold_it_concerns(feed: MemoryFeed) -> None:
    huge = wild_event(random.Random(1), 301, OpportunityOpened)
    feed.add([replace(huge, data={**huge.data, "move_no": 2**63}), wild_event(random.Random(2), 302, OpportunityOpened)])
    with engines(feed) as both:
        at_the_beginning(both)
        for engine in both:
            engine.catch_up()
            stopped = {health.fold: (health.position, health.error_position) for health in engine.health() if health.error}
            assert stopped == dict.fromkeys({"opportunities", "stage_visits"} & set(engine.plans), (300, 301))
            assert {health.position for health in engine.health() if not health.error} == {302}


def test_a_stopped_fold_goes_on_after_a_restart_when_its_trouble_is_mended(feed: MemoryFeed, tmp_path: Path) -> None:
    good = wild_event(random.Random(1), 120, OpportunityOpened)
    feed.events[119] = replace(good, data={**good.data, "amount": "twelve"})
    with engines(feed, tmp_path) as both:
        at_the_beginning(both)
        for engine in both:
            engine.catch_up()
    feed.events[119] = good
    with engines(feed, tmp_path) as again, engines(feed) as fresh:
        start(feed, again)
        start(feed, fresh)
        for engine in again:
            engine.catch_up()
            assert not [health for health in engine.health() if health.error]
        assert [contents(engine)["opportunities"] for engine in again] == [contents(engine)["opportunities"] for engine in fresh]


def test_health_tells_how_each_fold_stands(both: list[Engine], feed: MemoryFeed) -> None:
    for engine in both:
        assert {(health.position, health.lag, health.number, health.state, health.stale) for health in engine.health()} == {
            (0, 300, 1, "serving", False)
        }
        engine.catch_up()
        assert {(health.position, health.lag) for health in engine.health()} == {(feed.head(), 0)}
        assert {health.fold for health in engine.health()} == set(engine.plans)


def test_positions_may_have_gaps(both: list[Engine], feed: MemoryFeed) -> None:
    feed.add([wild_event(random.Random(1), 500, OpportunityOpened)])
    for engine in both:
        engine.catch_up()
        assert engine.position == 500
        assert any(ident(1_000_500) in row for row in map(str, contents(engine).get("timeline", ()))) or engine.tables.home == "lookups"
