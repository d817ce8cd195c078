"""The newest events, typed once and kept in memory until the archive has them: every question about the past needs them."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

import duckdb
import pyarrow as pa

from domain.event import Event
from projections.bulk import by_type, slices
from projections.feed import Feed
from projections.shapes import ENVELOPE, shape
from projections.sql import typed
from projections.values import Envelope, Field

LONGEST: Final = 2**18
"""Events that are kept in memory at most."""
PIECES: Final = 16
"""Tables of one type, one for each time that the log had grown, that are left apart."""


@dataclass(slots=True)
class _Kept:
    """One type's events, each table with its last position."""

    tables: list[tuple[int, pa.Table]] = field(default_factory=list[tuple[int, pa.Table]])


class Tail:
    """Typed events after some position, in Arrow tables with all values as columns; for any number of threads."""

    def __init__(self, feed: Feed, events: Sequence[type[Event]]) -> None:
        self._feed = feed
        self._classes = {event.type: event for event in events}
        self._turn = Lock()
        self._kept: dict[str, _Kept] = {}
        self._after = self._upto = 0
        self._awkward: set[str] = set()

    def between(self, after: int, upto: int) -> tuple[Mapping[str, pa.Table], frozenset[str]] | None:
        """Tables by type that hold the events after `after` up to `upto`, and maybe later ones; None when those are too many to keep.

        Second, the types whose events cannot all be typed whole: their tables are left out.
        """
        if upto - after > LONGEST:
            return None
        with self._turn:
            self._move(after, upto)
            found = {
                event_type: pa.concat_tables([table for _, table in kept.tables]) for event_type, kept in self._kept.items() if kept.tables
            }
            return found, frozenset(self._awkward)

    def _move(self, after: int, upto: int) -> None:
        """Forget what nobody will ask for any more, and read what is new."""
        if not self._after <= after <= self._upto:
            self._kept, self._awkward, self._after, self._upto = {}, set(), after, after
        elif after > self._after:
            for kept in self._kept.values():
                kept.tables = [(last, table) for last, table in kept.tables if last > after]
            self._after = after
        if self._upto < upto:
            self._read(upto)

    def _read(self, upto: int) -> None:
        with duckdb.connect(":memory:", config={"threads": 1}) as connection, closing(slices(self._feed.arrow(self._upto, upto))) as tables:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET arrow_lossless_conversion = true")
            for events in tables:
                last: int = events.column("position")[-1].as_py()
                for event_type, stored in by_type(events):
                    if event_type not in self._awkward:
                        self._keep(connection, event_type, stored, last)
        self._upto = upto

    def _keep(self, connection: duckdb.DuckDBPyConnection, event_type: str, stored: pa.Table, last: int) -> None:
        event = self._classes[event_type]
        values = {Envelope(part) for part in ENVELOPE} | {Field(part) for part in shape(event)}
        connection.register("incoming_events", stored)
        try:
            made = connection.execute(typed(event, values, "incoming_events")).to_arrow_table()
        except duckdb.Error:
            self._awkward.add(event_type)
            self._kept.pop(event_type, None)
            return
        finally:
            connection.unregister("incoming_events")
        kept = self._kept.setdefault(event_type, _Kept())
        kept.tables.append((last, made))
        if len(kept.tables) > PIECES:
            kept.tables = [(last, pa.concat_tables([table for _, table in kept.tables]).combine_chunks())]
