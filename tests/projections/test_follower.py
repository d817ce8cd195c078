"""A follower keeps tables up to date by itself, and readers can wait for their own write."""

import random
from collections.abc import Iterator

import pytest
from sqlalchemy.exc import OperationalError

from domain.contacts.events import ContactAdded
from projections.engine import Engine
from projections.follower import Follower
from tests.projections.feed import MemoryFeed, wild_event, wild_history
from tests.projections.tables import at_the_beginning, engines


@pytest.fixture
def feed() -> MemoryFeed:
    return MemoryFeed(wild_history(1, 20))


@pytest.fixture
def both(feed: MemoryFeed) -> Iterator[list[Engine]]:
    with engines(feed) as made:
        at_the_beginning(made)
        yield made


def test_a_reader_sees_its_own_write_after_waiting_for_it(both: list[Engine], feed: MemoryFeed) -> None:
    followers = [Follower(engine, gather=gather) for engine, gather in zip(both, (0.0, 0.05), strict=True)]
    for follower in followers:
        follower.start()
    try:
        for position in range(21, 26):
            feed.add([wild_event(random.Random(position), position, ContactAdded)])
            assert all(follower.wait_for(position, 10) for follower in followers)
            assert all(engine.position >= position for engine in both)
    finally:
        for follower in followers:
            follower.stop()


def test_waiting_for_what_has_not_happened_ends_after_the_time_given(both: list[Engine], feed: MemoryFeed) -> None:
    follower = Follower(both[0])
    follower.start()
    try:
        assert follower.wait_for(feed.head(), 10)
        assert not follower.wait_for(feed.head() + 1, 0.05)
    finally:
        follower.stop()


def test_an_outage_of_the_store_is_told_and_survived(both: list[Engine], feed: MemoryFeed) -> None:
    class Breaking(MemoryFeed):
        broken = True

        def head(self) -> int:
            if self.broken:
                raise OperationalError("the disk", None, Exception("is full"))
            return super().head()

    trouble = Breaking(feed.events)
    both[0].feed = trouble
    follower = Follower(both[0])
    follower.start()
    try:
        assert not follower.wait_for(20, 0.3)
        assert "is full" in (follower.trouble or "")
        trouble.broken = False
        assert follower.wait_for(20, 10)
        assert follower.trouble is None
    finally:
        follower.stop()
