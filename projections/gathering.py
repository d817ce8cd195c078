"""Folding a whole log: slices of it by several workers at once, in any order, and what they made combined at the end.

That is right because rows combine in any order; each worker gathers rows in tables of its own in an in-memory database.
"""

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Final
from uuid import uuid4

import duckdb
import pyarrow as pa

from projections.bulk import SLICE, Bulk, slices
from projections.plan import Lane, Plan
from projections.sql import clusters, combined, narrow, quoted, widened

WORKERS: Final = max(1, min(4, os.cpu_count() or 1))
LEAST_SLICE: Final = 10_000
ROWS_AT_ONCE: Final = 2_000_000
"""Partial rows that are combined at once: bounds the memory."""

Fill = Callable[[duckdb.DuckDBPyConnection, str], None]
"""Told a connection and a relation of it: rows that are ready for a table."""


class SliceFailed(Exception):
    """The events after position `after` up to `upto` could not be folded; the cause is DuckDB's."""

    def __init__(self, after: int, upto: int) -> None:
        super().__init__(f"the events after position {after} up to {upto}")
        self.after = after
        self.upto = upto


@dataclass(slots=True)
class Gathered:
    """One fold's rows on their way: `fill` takes those that are ready."""

    plan: Plan
    lanes: tuple[Lane, ...]
    fill: Fill
    tables: dict[str, tuple[Lane, ...]] = field(default_factory=dict[str, tuple[Lane, ...]])
    """Where partial rows lie, and which lanes each table has."""
    rows: int = 0


@dataclass(slots=True)
class Worker:
    """A connection with what has been made on it; used by one thread at a time."""

    connection: duckdb.DuckDBPyConnection
    bulk: Bulk
    name: str
    queries: dict[tuple[str, int, frozenset[str]], str | None] = field(default_factory=dict[tuple[str, int, frozenset[str]], str | None])


class Gathering:
    """Folds one reader's events for all `folds` on cursors of `connection`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folds: Sequence[Gathered], *, workers: int = WORKERS) -> None:
        self._connection = connection
        self._folds = folds
        self._database = f"gathering_{uuid4().hex}"
        self._count = workers
        self._idle: SimpleQueue[Worker] = SimpleQueue()

    def run(self, events: pa.RecordBatchReader, upto: int, progress: Callable[[int], None]) -> None:
        """Fold all events, which end at position `upto`, and hand the rows over. `progress` is told how many are done.

        Raises SliceFailed.
        """
        with self._workers(), ThreadPoolExecutor(self._count, "fold") as pool:
            size = max(LEAST_SLICE, min(SLICE, -(-upto // self._count)))
            running: dict[Future[None], int] = {}
            after = done = 0
            with closing(slices(events, size)) as tables:
                for table in tables:
                    end: int = table.column("position")[-1].as_py()
                    running[pool.submit(self._slice, table, after, end)] = table.num_rows
                    after = end
                    while len(running) >= self._count:
                        done += _finished(running)
                        progress(done)
                while running:
                    done += _finished(running)
                    progress(done)
            for future in [pool.submit(self._finish, fold) for fold in self._folds]:
                future.result()

    @contextmanager
    def _workers(self) -> Generator[None]:
        self._connection.execute(f"ATTACH ':memory:' AS {self._database}")
        with ExitStack() as stack:
            stack.callback(self._connection.execute, f"DETACH {self._database}")
            for number in range(self._count):
                cursor = stack.enter_context(closing(self._connection.cursor()))
                self._idle.put(Worker(cursor, Bulk(cursor, [(fold.plan, fold.lanes) for fold in self._folds]), str(number)))
            yield

    @contextmanager
    def _worker(self) -> Generator[Worker]:
        worker = self._idle.get()
        try:
            yield worker
        finally:
            self._idle.put(worker)

    def _slice(self, events: pa.Table, after: int, upto: int) -> None:
        try:
            with self._worker() as worker, worker.bulk.typed(events) as types:
                for fold in self._folds:
                    self._gather(worker, fold, types)
        except duckdb.Error as error:
            raise SliceFailed(after, upto) from error

    def _gather(self, worker: Worker, fold: Gathered, types: frozenset[str]) -> None:
        for number, cluster in enumerate(clusters(fold.plan, fold.lanes)):
            known = (fold.plan.name, number, types)
            if known not in worker.queries:
                worker.queries[known] = narrow(fold.plan, cluster, types)
            query = worker.queries[known]
            if query is None:
                continue
            if fold.plan.fold.per_event:
                fold.fill(worker.connection, f"({query})")
                continue
            table = f"{self._database}.{quoted(f'{fold.plan.name} {number} {worker.name}')}"
            verb = f"INSERT INTO {table}" if table in fold.tables else f"CREATE TABLE {table} AS"
            count = worker.connection.execute(f"{verb} {query}").fetchone()
            fold.tables[table] = cluster
            fold.rows += count[0] if count else 0

    def _finish(self, fold: Gathered) -> None:
        if not fold.tables:
            return
        keys = ", ".join(quoted(name) for name in fold.plan.layout.key)
        parts = -(-fold.rows // ROWS_AT_ONCE)
        with self._worker() as worker:
            for part in range(parts):
                where = f" WHERE hash({keys}) % {parts} = {part}" if parts > 1 else ""
                rows = [widened(fold.plan, fold.lanes, lanes, table) + where for table, lanes in fold.tables.items()]
                together = combined(fold.plan, fold.lanes, f"({' UNION ALL '.join(rows)})")
                worker.connection.execute(f"CREATE OR REPLACE TEMP TABLE ready AS {together}")
                fold.fill(worker.connection, "ready")
            for table in fold.tables:
                worker.connection.execute(f"DROP TABLE {table}")


def _finished(running: dict[Future[None], int]) -> int:
    """Wait for one slice at least; how many events are done by those that ended. Raises what they raised."""
    ended, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in ended:
        future.result()
    return sum(running.pop(future) for future in ended)
