"""Folding a whole log: slices of it by several workers at once, in any order, and what they made combined at the end.

That is right because rows combine in any order. What the archive has is folded straight from its files, the rest from the log. Each
worker gathers rows in tables of an in-memory database.
"""

import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any, Final
from uuid import uuid4

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from projections.archive import Stretch, filed
from projections.bulk import SLICE, Bulk, slices
from projections.feed import Feed
from projections.plan import Lane, Plan
from projections.rows import rows_of
from projections.sql import combined, quoted, relation_of

WORKERS: Final = max(1, min(4, os.cpu_count() or 1))
LEAST_SLICE: Final = 10_000
FILED_SLICE: Final = 2**19
"""Events in files that are folded at once: bounds the memory."""
ROWS_AT_ONCE: Final = 500_000
"""Partial rows that are combined at once: bounds the memory."""

Fill = Callable[[duckdb.DuckDBPyConnection, str], None]
"""Told a connection and a relation of it: rows that are ready for a table."""


class SliceFailed(Exception):
    """The events after position `after` up to `upto` could not be folded; the cause is DuckDB's."""

    def __init__(self, after: int, upto: int) -> None:
        super().__init__(f"the events after position {after} up to {upto}")
        self.after = after
        self.upto = upto


@dataclass(slots=True, eq=False)
class Gathered:
    """One fold's rows on their way: `fill` takes those that are ready."""

    plan: Plan
    lanes: tuple[Lane, ...]
    fill: Fill
    tables: dict[str, int] = field(default_factory=dict[str, int])
    """Where partial rows lie, and how many."""


@dataclass(frozen=True, slots=True, eq=False)
class Filed:
    """A slice of the archive: the files of each type, with how many events they have."""

    after: int
    upto: int
    last: int | None
    """The last position that is wanted, where files go on beyond it."""
    files: Mapping[str, Sequence[Path]]
    rows: Mapping[str, int]

    @property
    def events(self) -> int:
        """How many events are in its files."""
        return sum(self.rows.values())


@dataclass(slots=True)
class Worker:
    """A connection with what has been made on it; used by one thread at a time."""

    connection: duckdb.DuckDBPyConnection
    bulk: Bulk
    name: str
    filed: Filed | None = None
    """The slice that its views are of."""
    queries: dict[tuple[str, frozenset[str]], str | None] = field(default_factory=dict[tuple[str, frozenset[str]], str | None])


class Gathering:
    """Folds everything for all `folds` on cursors of `connection`, an in-memory DuckDB."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folds: Sequence[Gathered], *, workers: int = WORKERS) -> None:
        self._connection = connection
        self._folds = folds
        self._database = f"gathering_{uuid4().hex}"
        self._count = workers
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._lock = Lock()

    def run(self, feed: Feed, stretches: Sequence[Stretch], upto: int, progress: Callable[[int], None]) -> None:
        """Fold all events up to position `upto`, and hand the rows over. `progress` is told how many are done.

        Raises SliceFailed.
        """
        archived = grouped(stretches)
        ranges = unfiled(stretches, upto)
        alone = len(archived) == 1 and not ranges
        with self._workers(), ThreadPoolExecutor(self._count, "fold") as pool:
            running: dict[Future[None], float] = {}
            done = 0.0
            for each in archived:
                share = each.events / len(self._folds)
                for fold in sorted(self._folds, key=lambda fold: -_events_of(fold, each)):
                    running[pool.submit(self._filed, each, fold, alone=alone)] = share
            while len(running) > self._count:
                done += _finished(running)
                progress(int(done))
            with closing(logged(feed, ranges, max(LEAST_SLICE, min(SLICE, -(-upto // self._count))))) as tables:
                for after, end, table in tables:
                    running[pool.submit(self._slice, table, after, end)] = table.num_rows
                    while len(running) >= self._count:
                        done += _finished(running)
                        progress(int(done))
                while running:
                    done += _finished(running)
                    progress(int(done))
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

    def _filed(self, events: Filed, fold: Gathered, *, alone: bool) -> None:
        """Fold a slice of the archive for one fold; when it is `alone` its rows are ready."""
        try:
            with self._worker() as worker:
                _look_at(worker, events)
                query = rows_of(fold.plan, fold.lanes, events.rows)
                if query is None:
                    return
                if fold.plan.fold.per_event:
                    fold.fill(worker.connection, f"({query})")
                elif alone:
                    self._hand_over(worker, fold, query)
                else:
                    self._keep(worker, fold, query)
        except duckdb.Error as error:
            raise SliceFailed(events.after, events.upto) from error

    def _slice(self, events: pa.Table, after: int, upto: int) -> None:
        try:
            with self._worker() as worker:
                _look_at(worker, None)
                with worker.bulk.typed(events) as types:
                    for fold in self._folds:
                        self._gather(worker, fold, types)
        except duckdb.Error as error:
            raise SliceFailed(after, upto) from error

    def _gather(self, worker: Worker, fold: Gathered, types: frozenset[str]) -> None:
        known = (fold.plan.name, types)
        if known not in worker.queries:
            worker.queries[known] = rows_of(fold.plan, fold.lanes, types)
        query = worker.queries[known]
        if query is None:
            return
        if fold.plan.fold.per_event:
            fold.fill(worker.connection, f"({query})")
        else:
            self._keep(worker, fold, query)

    def _keep(self, worker: Worker, fold: Gathered, query: str) -> None:
        """Put partial rows by, in a table of the worker's own."""
        table = f"{self._database}.{quoted(f'{fold.plan.name} {worker.name}')}"
        verb = f"INSERT INTO {table}" if table in fold.tables else f"CREATE TABLE {table} AS"
        count = worker.connection.execute(f"{verb} {query}").fetchone()
        with self._lock:
            fold.tables[table] = fold.tables.get(table, 0) + (count[0] if count else 0)

    def _hand_over(self, worker: Worker, fold: Gathered, query: str) -> None:
        worker.connection.execute(f"CREATE OR REPLACE TEMP TABLE ready AS {query}")
        fold.fill(worker.connection, "ready")
        worker.connection.execute("DROP TABLE ready")

    def _finish(self, fold: Gathered) -> None:
        """Combine the rows of those keys that several slices have; others are ready as they are."""
        if not fold.tables:
            return
        keys = ", ".join(quoted(name) for name in fold.plan.layout.key)
        parts = -(-sum(fold.tables.values()) // ROWS_AT_ONCE)
        everything = " UNION ALL ".join(f"SELECT * FROM {table}" for table in fold.tables)
        with self._worker() as worker:
            for part in range(parts):
                where = f" WHERE hash({keys}) % {parts} = {part}" if parts > 1 else ""
                rows = f"(SELECT * FROM ({everything}){where})"
                worker.connection.execute(
                    f"CREATE OR REPLACE TEMP TABLE met AS SELECT {keys} FROM {rows} GROUP BY {keys} HAVING count(*) > 1"
                )
                together = combined(fold.plan, fold.lanes, f"(SELECT * FROM {rows} SEMI JOIN met USING ({keys}))")
                self._hand_over(worker, fold, f"SELECT * FROM {rows} ANTI JOIN met USING ({keys}) UNION ALL BY NAME {together}")
            worker.connection.execute("DROP TABLE IF EXISTS met")
            for table in fold.tables:
                worker.connection.execute(f"DROP TABLE {table}")


def _look_at(worker: Worker, events: Filed | None) -> None:
    """Let the worker's views show a slice of the archive; none when it is to fold events of the log."""
    if worker.filed is events:
        return
    if worker.filed is not None:
        for event_type in worker.filed.files:
            worker.connection.execute(f"DROP VIEW IF EXISTS temp.{relation_of(event_type)}")
    worker.filed = events
    if events is not None:
        for event_type, files in events.files.items():
            if event_type in worker.bulk.used:
                select = filed(worker.bulk.used[event_type][1], files, upto=events.last)
                worker.connection.execute(f"CREATE TEMP VIEW {relation_of(event_type)} AS {select}")


def grouped(stretches: Sequence[Stretch], size: int = FILED_SLICE) -> list[Filed]:
    """Stretches that follow each other put together into slices of about `size` events; what has no files is left out."""
    found: list[Filed] = []
    some: list[Stretch] = []
    for stretch in stretches:
        if some and sum(sum(each.rows.values()) for each in (*some, stretch)) > size:
            found.append(_one(some))
            some = []
        some.append(stretch)
    if some:
        found.append(_one(some))
    return [each for each in found if each.files]


def _one(stretches: Sequence[Stretch]) -> Filed:
    files: dict[str, list[Path]] = {}
    rows: dict[str, int] = {}
    for stretch in stretches:
        for event_type, file in stretch.files.items():
            files.setdefault(event_type, []).append(file)
            rows[event_type] = rows.get(event_type, 0) + stretch.rows[event_type]
    last = stretches[-1]
    return Filed(stretches[0].after, last.upto, None if last.whole else last.upto, files, rows)


Range = tuple[int, int, frozenset[str] | None]
"""The events after a position up to another, of some types or of all."""


def unfiled(stretches: Sequence[Stretch], upto: int) -> list[Range]:
    """What has to be read from the log."""
    end = stretches[-1].upto if stretches else 0
    holes: list[Range] = [(stretch.after, stretch.upto, stretch.unfiled) for stretch in stretches if stretch.unfiled]
    return [*holes, (end, upto, None)] if end < upto else holes


def logged(feed: Feed, ranges: Iterable[Range], size: int = SLICE) -> Generator[tuple[int, int, pa.Table]]:
    """The events of these ranges from the log, as tables of about `size` events with the range of positions that each is from."""
    compute: Any = pc
    for after, upto, types in ranges:
        with closing(slices(feed.arrow(after, upto), size)) as tables:
            for table in tables:
                end: int = table.column("position")[-1].as_py()
                wanted = table if types is None else table.filter(compute.is_in(table.column("type"), pa.array(sorted(types))))
                if wanted.num_rows:
                    yield after, end, wanted
                after = end  # noqa: PLW2901 - the next table begins there


def _events_of(fold: Gathered, events: Filed) -> int:
    return sum(rows for event_type, rows in events.rows.items() if event_type in fold.plan.routes)


def _finished(running: dict[Future[None], float]) -> float:
    """Wait for one job at least; how many events are done by those that ended. Raises what they raised."""
    ended, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in ended:
        future.result()
    return sum(running.pop(future) for future in ended)
