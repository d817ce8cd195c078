"""All events by type, as relations that SQL can fold: the past as far back as it goes, whole or as it was seen at some moment."""

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Final

import duckdb
import pyarrow as pa

from domain.catalogue import EVENTS
from domain.event import Event
from projections.archive import Archive, Stretch, filed
from projections.bulk import by_type
from projections.feed import Feed
from projections.gathering import Range, logged, unfiled
from projections.sql import quoted, relation_of, typed
from projections.tail import Tail
from projections.values import OCCURRED_AT, POSITION, RECORDED_AT, Envelope, Field, Value

CLOCKS: Final = (POSITION, OCCURRED_AT, RECORDED_AT)
"""What every relation has, so that events can be chosen by it."""


class History:
    """Every event there is, typed, for questions that go through all of them: from the archive's files, and the rest from the log."""

    def __init__(self, feed: Feed, archive: Archive | None = None) -> None:
        self.feed = feed
        self._archive = archive
        self._tail = Tail(feed, EVENTS)

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
        with self._archive.reading(upto, wanted.keys()) if self._archive else nullcontext([]) as stretches:
            made = _Relations(connection, wanted, upto, only)
            try:
                made.file(stretches)
                self._log(made, unfiled(stretches, upto))
                yield made.put_together()
            finally:
                made.drop()

    def _log(self, made: "_Relations", ranges: Sequence[Range]) -> None:
        """Add what is not in files: what is newest from memory where it is there."""
        for after, upto, types in ranges:
            kept = self._tail.between(after, upto) if self._archive and types is None else None
            if kept is None:
                made.store(logged(self.feed, [(after, upto, types)]))
                continue
            tables, awkward = kept
            made.keep(tables, after)
            if awkward & made.wanted.keys():
                made.store(logged(self.feed, [(after, upto, awkward)]))


class _Relations:
    """The relations of one question on their way; each type's events may lie in files, in memory and in a table of their own."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, wanted: Mapping[str, tuple[type[Event], set[Value]]], upto: int, only: str | None
    ) -> None:
        self.wanted = wanted
        self._connection = connection
        self._upto = upto
        self._only = only
        self._parts: dict[str, list[str]] = {}
        self._tables: set[str] = set()
        self._views: list[str] = []

    def file(self, stretches: Sequence[Stretch]) -> None:
        """Add what is in the archive's files."""
        last = None if all(stretch.whole for stretch in stretches) else self._upto
        for event_type, (_, values) in self.wanted.items():
            if files := [stretch.files[event_type] for stretch in stretches if event_type in stretch.files]:
                self._add(event_type, f"({filed(values, files, upto=last)})")

    def keep(self, tables: Mapping[str, pa.Table], after: int) -> None:
        """Add tables with all values as columns; copied, for DuckDB cannot join with Arrow's tables in every way that it plans."""
        for event_type in self.wanted.keys() & tables.keys():
            name = f"kept {event_type} after {after}"
            where = f" WHERE position > {after} AND position <= {self._upto}{f' AND {self._only}' if self._only else ''}"
            self._connection.register("kept_events", tables[event_type])
            try:
                self._connection.execute(
                    f"CREATE TEMP TABLE {quoted(name)} AS SELECT {', '.join(self._columns(event_type))} FROM kept_events{where}"
                )
            finally:
                self._connection.unregister("kept_events")
            self._tables.add(name)
            self._parts.setdefault(event_type, []).append(f"SELECT * FROM temp.{quoted(name)}")

    def store(self, events: Iterable[tuple[int, int, pa.Table]]) -> None:
        """Type events of the log into tables."""
        where = f" WHERE {self._only}" if self._only else ""
        for _after, _upto, some in events:
            for event_type, table in by_type(some):
                if event_type in self.wanted:
                    self._store(event_type, table, f"SELECT * FROM ({typed(*self.wanted[event_type], 'incoming_events')}){where}")

    def _store(self, event_type: str, table: pa.Table, select: str) -> None:
        name = f"logged {event_type}"
        begun = name in self._tables
        self._connection.register("incoming_events", table)
        try:
            self._connection.execute(
                f"INSERT INTO temp.{quoted(name)} {select}" if begun else f"CREATE TEMP TABLE {quoted(name)} AS {select}"
            )
        finally:
            self._connection.unregister("incoming_events")
        if not begun:
            self._tables.add(name)
            self._add(event_type, f"temp.{quoted(name)}")

    def _add(self, event_type: str, source: str) -> None:
        where = f" WHERE {self._only}" if self._only else ""
        self._parts.setdefault(event_type, []).append(f"SELECT {', '.join(self._columns(event_type))} FROM {source}{where}")

    def _columns(self, event_type: str) -> list[str]:
        return ["position", *sorted(_name(value) for value in self.wanted[event_type][1] if _name(value))]

    def put_together(self) -> frozenset[str]:
        """Make the relations, and say of which types there are any."""
        for event_type, parts in self._parts.items():
            self._connection.execute(f"CREATE TEMP VIEW {relation_of(event_type)} AS {' UNION ALL '.join(parts)}")
            self._views.append(event_type)
        return frozenset(self._views)

    def drop(self) -> None:
        """Leave nothing behind."""
        for event_type in self._views:
            self._connection.execute(f"DROP VIEW IF EXISTS temp.{relation_of(event_type)}")
        for name in self._tables:
            self._connection.execute(f"DROP TABLE IF EXISTS temp.{quoted(name)}")


def _name(value: Value) -> str:
    """The column of a value; empty for what is in every relation or in none."""
    match value:
        case Field(name):
            return quoted("d_" + name)
        case Envelope(name) if name not in ("position", "type"):
            return quoted("e_" + name)
        case _:
            return ""
