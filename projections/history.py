"""All events by type, as relations that SQL can fold: the past as far back as it goes, whole or as it was seen at some moment."""

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from typing import Final

import duckdb
import pyarrow as pa

from domain.event import Event
from projections.bulk import by_type, slices
from projections.feed import Feed
from projections.sql import relation_of, typed
from projections.values import OCCURRED_AT, POSITION, RECORDED_AT, Value

CLOCKS: Final = (POSITION, OCCURRED_AT, RECORDED_AT)
"""What every relation has, so that events can be chosen by it."""


class History:
    """Every event there is, typed, for questions that go through all of them."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    @contextmanager
    def relations(
        self, connection: duckdb.DuckDBPyConnection, used: Mapping[type[Event], Collection[Value]], *, upto: int, only: str | None = None
    ) -> Generator[frozenset[str]]:
        """Within the context, `relation_of(type)` has the events of each type of `used` that occurred up to position `upto`.

        A relation has the `used` values as native columns (`d_` and the name of a field, `e_` and that of a part of the envelope)
        beside `position`, `e_occurred_at` and `e_recorded_at`. `only` is an SQL condition over these three. Gives the types
        that there are relations for. `connection` must be an in-memory DuckDB of the caller's own, used by no other thread meanwhile.

        Raises duckdb.Error when an event is not of its type's shape.
        """
        wanted = {event.type: (event, {*values, *CLOCKS}) for event, values in used.items()}
        where = f" WHERE {only}" if only else ""
        made: set[str] = set()
        try:
            for events in slices(self.feed.arrow(0, upto)):
                for event_type, table in by_type(events):
                    if event_type in wanted:
                        select = f"SELECT * FROM ({typed(*wanted[event_type], 'incoming_events')}){where}"
                        _add(connection, event_type, table, select, begun=event_type in made)
                        made.add(event_type)
            yield frozenset(made)
        finally:
            for event_type in made:
                connection.execute(f"DROP TABLE IF EXISTS temp.{relation_of(event_type)}")


def _add(connection: duckdb.DuckDBPyConnection, event_type: str, table: pa.Table, select: str, *, begun: bool) -> None:
    connection.register("incoming_events", table)
    try:
        name = relation_of(event_type)
        connection.execute(f"INSERT INTO temp.{name} {select}" if begun else f"CREATE TEMP TABLE {name} AS {select}")
    finally:
        connection.unregister("incoming_events")
