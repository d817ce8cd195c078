"""Bulk folding: slices of the log typed in DuckDB, each event type parsed once for all folds."""

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, Queue
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from projections.plan import Lane, Plan
from projections.sql import relation_of, typed, used_values
from projections.values import Envelope

SLICE: Final = 200_000
"""Positions that are folded at once: bounds the memory, and is large enough for DuckDB to be busy."""
CHUNK: Final = 4_096
"""Rows of one Arrow batch: what one thread takes at a time."""

Target = tuple[Plan, Sequence[Lane]]


def slices(reader: pa.RecordBatchReader, size: int = SLICE) -> Generator[pa.Table]:
    """The events as tables of about `size` rows; the next one is read while the one before is being folded."""
    ready: Queue[pa.Table | BaseException | None] = Queue(maxsize=1)
    enough = threading.Event()

    def read() -> None:
        try:
            for table in _tables(reader, size):
                if enough.is_set():
                    return
                ready.put(table)
            ready.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where the tables are taken
            ready.put(error)

    thread = threading.Thread(target=read, name="read-slices", daemon=True)
    thread.start()
    try:
        while (table := ready.get()) is not None:
            if isinstance(table, BaseException):
                raise table
            yield table
    finally:
        enough.set()
        with suppress(Empty):
            ready.get_nowait()
        thread.join()


def _tables(reader: pa.RecordBatchReader, size: int) -> Iterator[pa.Table]:
    batches: list[pa.RecordBatch] = []
    rows = 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        if rows >= size:
            yield pa.Table.from_batches(batches, reader.schema)
            batches, rows = [], 0
    if batches:
        yield pa.Table.from_batches(batches, reader.schema)


class Bulk:
    """Folds slices on one DuckDB connection for a set of folds; its relations are temporary."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, targets: Iterable[Target]) -> None:
        self._connection = connection
        self._targets = tuple(targets)
        self.used = {event.type: (event, values) for event, values in used_values(self._targets).items()}

    @contextmanager
    def typed(self, events: pa.Table) -> Generator[frozenset[str]]:
        """Within the context, the events of each type are there as typed relations; gives the types.

        Raises duckdb.Error when an event is not of its type's shape.
        """
        made: list[str] = []
        try:
            for event_type, table in by_type(events):
                if event_type in self.used:
                    self._type(event_type, table)
                    made.append(event_type)
            yield frozenset(made)
        finally:
            with suppress(duckdb.TransactionException):  # in a transaction that has failed; rolling back drops them
                for event_type in made:
                    self._connection.execute(f"DROP TABLE IF EXISTS temp.{relation_of(event_type)}")

    def _type(self, event_type: str, table: pa.Table) -> None:
        event, values = self.used[event_type]
        self._connection.register("incoming_events", table)
        try:
            select = typed(event, values | {Envelope("position")}, "incoming_events")
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {relation_of(event_type)} AS {select}")
        finally:
            self._connection.unregister("incoming_events")


def by_type(events: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The events of each type, cut into pieces that several threads can take."""
    compute: Any = pc  # its functions are made while it is imported
    types: Any = compute.dictionary_encode(events.column("type")).combine_chunks()
    counts: dict[int, int] = {entry["values"]: entry["counts"] for entry in compute.value_counts(types.indices).to_pylist()}
    names: list[str] = types.dictionary.to_pylist()
    events = events.select(["position", "stream_id", "version", "state"]).take(compute.sort_indices(types.indices))
    start = 0
    for code, event_type in enumerate(names):
        length = counts.get(code, 0)
        piece = events.slice(start, length).combine_chunks()
        yield event_type, pa.Table.from_batches(piece.to_batches(max_chunksize=CHUNK), schema=piece.schema)
        start += length
