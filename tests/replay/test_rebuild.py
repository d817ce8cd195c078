"""Rebuilding read models from the log while they serve."""

import threading
from collections.abc import Iterator

import pytest

from domain.errors import NotFound
from projections.engine import Engine
from projections.fold import Home
from projections.follower import Follower
from projections.versions import start
from readmodels.layout import State
from replay.rebuild import rebuild, verify
from tests.projections.feed import MemoryFeed, wild_history
from tests.projections.tables import contents, engines


@pytest.fixture
def feed() -> MemoryFeed:
    return MemoryFeed(wild_history(11, 400))


@pytest.fixture
def both(feed: MemoryFeed) -> Iterator[list[Engine]]:
    with engines(feed) as made:
        start(feed, made)
        yield made


def test_a_rebuild_gives_the_same_rows_in_new_tables(both: list[Engine], feed: MemoryFeed) -> None:
    before = [contents(engine) for engine in both]
    rebuilt = rebuild(feed, both)
    assert {name for engine in both for name in engine.plans} == {each.fold for each in rebuilt}
    assert [contents(engine) for engine in both] == before
    for engine in both:
        assert {(version.number, version.state) for version in engine.tables.versions()} == {(1, State.KEPT), (2, State.SERVING)}


@pytest.mark.parametrize("seed", range(3))
def test_a_process_that_loads_gives_the_same_rows(seed: int) -> None:
    feed = MemoryFeed(wild_history(seed, 1_000))
    with engines(feed) as here, engines(feed, worth_a_process=0) as there:
        start(feed, here)
        start(feed, there)
        assert contents(here[0]) == contents(there[0])
        assert {each.rows_apart for each in verify(feed, there)} == {0}


def test_only_the_named_folds_are_rebuilt(both: list[Engine], feed: MemoryFeed) -> None:
    assert [(each.fold, each.homes) for each in rebuild(feed, both, ["requests"])] == [("requests", (Home.FACTS, Home.LOOKUPS))]
    assert {version.fold for engine in both for version in engine.tables.versions() if version.number == 2} == {"requests"}


def test_an_unknown_name_is_refused(both: list[Engine], feed: MemoryFeed) -> None:
    with pytest.raises(NotFound) as refusal:
        rebuild(feed, both, ["request"])
    assert refusal.value.code == "fold.unknown"


def test_progress_is_told_up_to_the_end(both: list[Engine], feed: MemoryFeed) -> None:
    told: list[tuple[int, int]] = []
    rebuild(feed, both, ["requests"], lambda done, of: told.append((done, of)))
    assert told[-1] == (400, 400)


def test_a_rebuild_while_events_come_in_and_are_served_misses_none(both: list[Engine], feed: MemoryFeed) -> None:
    followers = [Follower(engine) for engine in both]
    more = wild_history(12, 300, after=400)

    def append() -> None:
        for start_at in range(0, 300, 10):
            feed.add(more[start_at : start_at + 10])
            assert followers[0].wait_for(more[start_at].position, 30)

    for follower in followers:
        follower.start()
    try:
        writer = threading.Thread(target=append)
        writer.start()
        rebuild(feed, both)
        writer.join()
        assert all(follower.wait_for(700, 30) for follower in followers)
    finally:
        for follower in followers:
            follower.stop()
    with engines(feed) as fresh:
        start(feed, fresh)
        assert [contents(engine) for engine in both] == [contents(engine) for engine in fresh]


def test_verifying_finds_no_difference_and_leaves_nothing_behind(both: list[Engine], feed: MemoryFeed) -> None:
    found = verify(feed, both)
    assert {(each.rows_apart, each.position) for each in found} == {(0, 400)}
    assert len(found) == sum(len(engine.plans) for engine in both)
    assert {version.number for engine in both for version in engine.tables.versions()} == {1}


def test_verifying_tells_how_many_rows_are_apart_where_a_table_was_tampered_with(both: list[Engine], feed: MemoryFeed) -> None:
    with both[0].tables.writing() as writer:
        writer.connection.exec_driver_sql(
            "UPDATE customer_360__1 SET won_revenue = won_revenue + 1 WHERE customer_id = (SELECT min(customer_id) FROM customer_360__1)"
        )
    with both[1].tables.writing() as writer:
        writer.connection.execute("DELETE FROM timeline__1 WHERE position = (SELECT min(position) FROM timeline__1)")
    apart = {(each.home, each.fold): each.rows_apart for each in verify(feed, both) if each.rows_apart}
    assert apart == {(Home.LOOKUPS, "customer_360"): 2, (Home.FACTS, "timeline"): 1}
