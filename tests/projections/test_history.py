"""The past as relations: every event once, typed, chosen by either clock."""

from collections.abc import Iterator

import duckdb
import pytest

from domain.opportunities.events import OpportunityOpened, OpportunityWon
from domain.surveys.events import SurveyAnswered
from projections.history import History
from projections.sql import relation_of
from projections.values import ACTOR, Field
from tests.projections.feed import MemoryFeed, wild_history

USED = {OpportunityOpened: [Field("amount"), Field("customer_id")], OpportunityWon: [ACTOR]}


@pytest.fixture
def feed() -> MemoryFeed:
    feed = MemoryFeed()
    feed.add(wild_history(7, 400))
    return feed


@pytest.fixture
def scratch() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def positions(scratch: duckdb.DuckDBPyConnection, event_type: str) -> list[int]:
    return [row[0] for row in scratch.execute(f"SELECT position FROM {relation_of(event_type)} ORDER BY position").fetchall()]


def test_each_type_is_there_up_to_the_position_asked(feed: MemoryFeed, scratch: duckdb.DuckDBPyConnection) -> None:
    with History(feed).relations(scratch, USED, upto=feed.events[300].position) as types:
        assert types == {event.type for event in feed.events if event.position <= feed.events[300].position} & {
            "opportunity.opened",
            "opportunity.won",
        }
        for event_type in types:
            assert positions(scratch, event_type) == [
                e.position for e in feed.events if e.type == event_type and e.position <= feed.events[300].position
            ]


def test_events_are_chosen_by_the_clocks(feed: MemoryFeed, scratch: duckdb.DuckDBPyConnection) -> None:
    moment = sorted(event.occurred_at for event in feed.events)[200]
    with History(feed).relations(scratch, USED, upto=feed.head(), only=f"e_occurred_at <= '{moment[:-1]}'::TIMESTAMP") as types:
        found = [position for event_type in types for position in positions(scratch, event_type)]
    wanted = [e.position for e in feed.events if e.type in ("opportunity.opened", "opportunity.won") and e.occurred_at <= moment]
    assert sorted(found) == wanted


def test_nothing_is_left_behind(feed: MemoryFeed, scratch: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(RuntimeError), History(feed).relations(scratch, {SurveyAnswered: [Field("score")]}, upto=feed.head()):
        raise RuntimeError
    assert scratch.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,)
