"""Folding a whole log: slices of it by several workers at once, in any order, and what they made combined at the end.

That is right because rows combine in any order. What the archive has is folded straight from its files, the rest from the log. Each
worker gathers rows in tables of an in-memory database. One fold after the other is folded, so that the rows of the first are loaded
while the next are still being made.
"""

import os
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
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
from projections.bulk import Bulk, slices
from projections.feed import Feed
from projections.fold import Home
from projections.plan import Lane, Plan
from projections.rows import rows_of
from projections.sql import combined, quoted, relation_of

WORKERS: Final = max(1, min(4, os.cpu_count() or 1))
LEAST_SLICE: Final = 10_000
LOGGED_SLICE: Final = 100_000
"""Events of the log that are folded at once for all folds: bounds the memory."""
FILED_SLICE: Final = 2**19
"""Events of a fold in files that are folded at once: bounds the memory."""
ROWS_AT_ONCE: Final = 500_000
"""Partial rows that are combined at once: bounds the memory."""

Range = tuple[int, int, frozenset[str] | None]
"""The events after a position up to another, of some types or of all."""
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
    """One fold's rows on their way: `fill` takes those that are ready, `filled` is told that there are no more."""

    plan: Plan
    lanes: tuple[Lane, ...]
    fill: Fill
    filled: Callable[[], None]
    tables: dict[str, int] = field(default_factory=dict[str, int])
    """Where partial rows lie, and how many."""
    slices: int = 0
    """Of how many slices they are."""


@dataclass(frozen=True, slots=True, eq=False)
class Filed:
    """A slice of the archive: the files of each type of a fold, with how many events they have."""

    after: int
    upto: int
    last: int | None
    """The last position that is wanted, where files go on beyond it."""
    files: Mapping[str, Sequence[Path]]

    @property
    def events(self) -> int:
        """How many positions it goes over."""
        return self.upto - self.after


@dataclass(slots=True)
class Worker:
    """A connection with what has been made on it; used by one thread at a time."""

    connection: duckdb.DuckDBPyConnection
    bulk: Bulk
    name: str
    queries: dict[tuple[str, frozenset[str]], str | None] = field(default_factory=dict[tuple[str, frozenset[str]], str | None])


class Gathering:
    """Folds everything for all `folds` on cursors of `connection`, an in-memory DuckDB."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folds: Sequence[Gathered], *, workers: int = WORKERS) -> None:
        self._connection = connection
        self._folds = sorted(folds, key=_weight, reverse=True)
        self._database = f"gathering_{uuid4().hex}"
        self._count = workers
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._lock = Lock()

    def run(self, feed: Feed, stretches: Sequence[Stretch], upto: int, progress: Callable[[int], None]) -> None:
        """Fold all events up to position `upto`, and hand the rows over. `progress` is told how many are done.

        Raises SliceFailed.
        """
        with self._workers(), _pool(self._count, "fold") as folding, _pool(1, "load") as loading:
            done = self._log(folding, feed, unfiled(stretches, upto), upto, progress)
            running: dict[Future[None], tuple[Gathered, float]] = {}
            left: dict[Gathered, int] = {}
            for fold in self._folds:
                filed_slices = grouped(stretches, fold.plan.routes)
                left[fold] = len(filed_slices)
                for each in filed_slices:
                    running[folding.submit(self._filed, each, fold)] = fold, each.events / len(self._folds)
                if not filed_slices:
                    running[loading.submit(self._finish, fold)] = fold, 0
            while running:
                for future in _ended(running):
                    fold, events = running.pop(future)
                    done += events
                    left[fold] -= 1
                    if not left[fold]:  # once they are loaded too, less than nothing is left
                        running[loading.submit(self._finish, fold)] = fold, 0
                progress(min(upto, int(done)))

    def _log(self, pool: Executor, feed: Feed, ranges: Sequence[Range], upto: int, progress: Callable[[int], None]) -> float:
        """Fold what is only in the log, each slice for all folds; how many events those are."""
        running: dict[Future[None], int] = {}
        done = 0
        with closing(logged(feed, ranges, max(LEAST_SLICE, min(LOGGED_SLICE, -(-upto // self._count))))) as tables:
            for after, end, table in tables:
                running[pool.submit(self._slice, table, after, end)] = table.num_rows
                while len(running) >= self._count:
                    done += sum(running.pop(future) for future in _ended(running))
                    progress(done)
            while running:
                done += sum(running.pop(future) for future in _ended(running))
                progress(done)
        return done

    @contextmanager
    def _workers(self) -> Generator[None]:
        self._connection.execute(f"ATTACH ':memory:' AS {self._database}")
        with ExitStack() as stack:
            stack.callback(self._connection.execute, f"DETACH {self._database}")
            for number in range(self._count + 1):  # one more, for what is being loaded
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

    def _filed(self, events: Filed, fold: Gathered) -> None:
        """Fold a slice of the archive for one fold."""
        try:
            with self._worker() as worker:
                if query := rows_of(fold.plan, fold.lanes, events.files):
                    self._take(worker, fold, f"WITH {_views(worker.bulk, events)} {query}")
        except duckdb.Error as error:
            raise SliceFailed(events.after, events.upto) from error

    def _slice(self, events: pa.Table, after: int, upto: int) -> None:
        try:
            with self._worker() as worker, worker.bulk.typed(events) as types:
                for fold in self._folds:
                    known = (fold.plan.name, types)
                    if known not in worker.queries:
                        worker.queries[known] = rows_of(fold.plan, fold.lanes, types)
                    if query := worker.queries[known]:
                        self._take(worker, fold, query)
        except duckdb.Error as error:
            raise SliceFailed(after, upto) from error

    def _take(self, worker: Worker, fold: Gathered, query: str) -> None:
        """Rows of events are ready as they are; partial rows are put by, in a table of the worker's own."""
        if fold.plan.fold.per_event:
            fold.fill(worker.connection, f"({query})")
            return
        table = f"{self._database}.{quoted(f'{fold.plan.name} {worker.name}')}"
        verb = f"INSERT INTO {table}" if table in fold.tables else f"CREATE TABLE {table} AS"
        count = worker.connection.execute(f"{verb} {query}").fetchone()
        with self._lock:
            fold.tables[table] = fold.tables.get(table, 0) + (count[0] if count else 0)
            fold.slices += 1

    def _finish(self, fold: Gathered) -> None:
        """Hand over what was put by: as it is when it is of one slice."""
        with self._worker() as worker:
            if fold.slices > 1:
                self._combine(worker, fold)
            else:
                for table in fold.tables:
                    fold.fill(worker.connection, table)
            for table in fold.tables:
                worker.connection.execute(f"DROP TABLE {table}")
            fold.filled()

    def _combine(self, worker: Worker, fold: Gathered) -> None:
        """Combine the rows of those keys that several slices have; others are ready as they are."""
        keys = ", ".join(quoted(name) for name in fold.plan.layout.key)
        parts = -(-sum(fold.tables.values()) // ROWS_AT_ONCE)
        everything = " UNION ALL ".join(f"SELECT * FROM {table}" for table in fold.tables)
        for part in range(parts):
            where = f" WHERE hash({keys}) % {parts} = {part}" if parts > 1 else ""
            rows = f"(SELECT * FROM ({everything}){where})"
            worker.connection.execute(f"CREATE OR REPLACE TEMP TABLE met AS SELECT {keys} FROM {rows} GROUP BY {keys} HAVING count(*) > 1")
            together = combined(fold.plan, fold.lanes, f"(SELECT * FROM {rows} SEMI JOIN met USING ({keys}))")
            alone = f"SELECT * FROM {rows} ANTI JOIN met USING ({keys})"
            worker.connection.execute(f"CREATE OR REPLACE TEMP TABLE ready AS {alone} UNION ALL BY NAME {together}")
            fold.fill(worker.connection, "ready")
        for name in ("met", "ready"):
            worker.connection.execute(f"DROP TABLE IF EXISTS {name}")


def _weight(fold: Gathered) -> tuple[bool, int]:
    """What is loaded into lookups is folded first, wide rows before narrow ones: a process of its own is busy with them meanwhile."""
    return Home.LOOKUPS in fold.plan.fold.homes, len(fold.plan.layout.columns)


def _views(bulk: Bulk, events: Filed) -> str:
    """The typed events of a slice of the archive under the names that folds know them by."""
    views = {event_type: filed(bulk.used[event_type][1], files, upto=events.last) for event_type, files in events.files.items()}
    return ", ".join(f"{relation_of(event_type)} AS NOT MATERIALIZED ({select})" for event_type, select in views.items())


def grouped(stretches: Sequence[Stretch], types: Collection[str], size: int = FILED_SLICE) -> list[Filed]:
    """Stretches that follow each other put together into slices of about `size` events of `types`; what has no files is left out."""
    found: list[Filed] = []
    some: list[Stretch] = []
    rows = 0
    for stretch in stretches:
        more = sum(count for event_type, count in stretch.rows.items() if event_type in types)
        if some and rows + more > size:
            found.append(_one(some, types))
            some, rows = [], 0
        some.append(stretch)
        rows += more
    if some:
        found.append(_one(some, types))
    return [each for each in found if each.files]


def _one(stretches: Sequence[Stretch], types: Collection[str]) -> Filed:
    files: dict[str, list[Path]] = {}
    for stretch in stretches:
        for event_type, file in stretch.files.items():
            if event_type in types:
                files.setdefault(event_type, []).append(file)
    last = stretches[-1]
    return Filed(stretches[0].after, last.upto, None if last.whole else last.upto, files)


def unfiled(stretches: Sequence[Stretch], upto: int) -> list[Range]:
    """What has to be read from the log."""
    end = stretches[-1].upto if stretches else 0
    holes: list[Range] = [(stretch.after, stretch.upto, stretch.unfiled) for stretch in stretches if stretch.unfiled]
    return [*holes, (end, upto, None)] if end < upto else holes


def logged(feed: Feed, ranges: Iterable[Range], size: int = LOGGED_SLICE) -> Generator[tuple[int, int, pa.Table]]:
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


@contextmanager
def _pool(workers: int, name: str) -> Generator[ThreadPoolExecutor]:
    """Threads that begin nothing more when one of them has failed."""
    pool = ThreadPoolExecutor(workers, name)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _ended(running: Collection[Future[None]]) -> set[Future[None]]:
    """Wait for one job at least; those that ended. Raises what they raised."""
    ended, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in ended:
        future.result()
    return ended
