"""How rows that events made come into the tables of each home: combined with what is there already."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from typing import Any, Final, Protocol, cast

import duckdb
import pyarrow as pa
from sqlalchemy.exc import InterfaceError, OperationalError

from projections.evaluate import combine
from projections.fold import Home
from projections.loadable import loadable
from projections.merging import changes
from projections.plan import Lane, Plan, Rows
from projections.sql import canonical, combined, native, quoted
from readmodels.facts import FactStore, FactWriter
from readmodels.layout import Kind, Layout, Version
from readmodels.loading import Loader, LoadFailed, rows_at_once
from readmodels.lookups import LookupStore, LookupWriter

ARROW: Final[Mapping[Kind, pa.DataType]] = {
    Kind.TEXT: pa.string(),
    Kind.ID: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DECIMAL: pa.int64(),
    Kind.INSTANT: pa.string(),
    Kind.DATE: pa.string(),
    Kind.TEXTS: pa.list_(pa.string()),
}
"""Canonical cells in Arrow."""

ROWS_AT_ONCE: Final = 20_000
"""Rows that are combined at once with those in a table: bounds the memory."""


COLLISION: Final = "40"
"""What PostgreSQL's codes for deadlocks and failures to serialize begin with."""
FILL_ROWS: Final = 2**16
"""Rows that come over to the facts at once."""


class Writer(Protocol):
    """What both stores' writers do alike."""

    def versions(self) -> list[Version]: ...
    def create(self, layout: Layout, version: Version) -> None: ...
    def serve(self, layout: Layout, number: int) -> None: ...
    def drop(self, fold: str, number: int) -> None: ...
    def advance(self, versions: Sequence[Version], position: int) -> None: ...
    def stop(self, version: Version, position: int, error: str) -> None: ...
    def resume(self, fold: str, number: int) -> None: ...


class Tables(Protocol):
    """The tables of one home."""

    @property
    def home(self) -> Home: ...

    @property
    def shared(self) -> bool:
        """Whether workers in other processes move these tables on; then they are not to be moved on as a whole once they serve."""
        ...

    @property
    def outages(self) -> tuple[type[Exception], ...]:
        """Errors that are the store's, not a fold's: worth another try later."""
        ...

    def versions(self) -> list[Version]: ...

    def writing(self) -> AbstractContextManager[Any]:
        """Become the only writer; gives a Writer."""
        ...

    def building(self, *, wait: bool) -> AbstractContextManager[bool]:
        """Be the only process that builds new versions, waiting for another or not; whether it is."""
        ...

    def put(self, writer: Any, plan: Plan, number: int, rows: Rows) -> None:
        """Combine `rows`, which events made, with those in the table."""
        ...

    def put_relation(self, writer: Any, plan: Plan, number: int, scratch: duckdb.DuckDBPyConnection, relation: str) -> None:
        """The same for rows in a DuckDB relation of `scratch`, one per key, with the columns of this home."""
        ...

    def scratch(self, writer: Any = None) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A DuckDB connection for temporary tables; the writer's own where this home's tables are to be put from it."""
        ...

    def filling(self, events: int) -> AbstractContextManager[None]:
        """New versions are filled within this context, by about so many events."""
        ...

    def fill(self, plan: Plan, version: Version, scratch: duckdb.DuckDBPyConnection, relation: str) -> None:
        """Load rows into a new version's table, in transactions of its own; by any thread."""
        ...

    def comparing(self) -> AbstractContextManager["Difference"]:
        """Versions as they are now are compared within this context, while others go on writing."""
        ...


Difference = Callable[[Layout, int, int], int]
"""How many rows two versions of a table do not have in common."""


class LookupTables:
    """The lookups."""

    home = Home.LOOKUPS
    outages = (OperationalError, InterfaceError, LoadFailed)

    def __init__(self, store: LookupStore, *, shared: bool = False) -> None:
        self.store = store
        self.shared = shared
        self.building = store.building
        self.versions = store.versions
        self.writing = store.writing
        self.sharing = store.sharing
        self._loader: Loader | None = None

    def collided(self, error: Exception) -> bool:
        """Whether this came of others who wrote at the same time, so that trying again at once is right."""
        return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "").startswith(COLLISION)

    def put(self, writer: LookupWriter, plan: Plan, number: int, rows: Rows) -> None:
        """Combine `rows` with those in the table, in the order of their keys, so that nobody who does the same waits in a circle."""
        if not rows:
            return
        width = len(plan.layout.key)
        keys = sorted(rows)
        if self.store.dialect == "postgresql":
            writer.merge(plan.layout, number, changes(plan), [(*key, *rows[key]) for key in keys])
            return
        if not plan.fold.per_event:
            for row in writer.rows(plan.layout, number, keys):
                combine(plan, rows[row[:width]], list(row[width:]))
        writer.write(plan.layout, number, [(*key, *rows[key]) for key in keys])

    def put_relation(self, writer: LookupWriter, plan: Plan, number: int, scratch: duckdb.DuckDBPyConnection, relation: str) -> None:
        """Combine the rows of a DuckDB relation with those in the table, some thousands at a time."""
        width = len(plan.layout.key)
        found = scratch.execute(canonical(plan.layout, relation))
        while batch := found.fetchmany(ROWS_AT_ONCE):
            rows = (_plain(row) for row in batch)
            self.put(writer, plan, number, {tuple(row[:width]): row[width:] for row in rows})

    @contextmanager
    def scratch(self, writer: LookupWriter | None = None) -> Generator[duckdb.DuckDBPyConnection]:  # noqa: ARG002 - as the port has it
        """A DuckDB of its own in memory."""
        with duckdb.connect(":memory:", config={"preserve_insertion_order": False, "threads": 1}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection

    @contextmanager
    def filling(self, events: int) -> Generator[None]:
        """Many rows are loaded by a process that starts and ends with the context."""
        with self.store.loading(events) as loader:
            self._loader = loader
            try:
                yield
            finally:
                self._loader = None

    def fill(self, plan: Plan, version: Version, scratch: duckdb.DuckDBPyConnection, relation: str) -> None:
        """Load rows in the order of their keys."""
        if self._loader is None:
            raise RuntimeError("fill belongs within filling")
        layout = plan.layout
        order = ", ".join(quoted(name) for name in layout.key)
        found = scratch.execute(loadable(layout, f"(SELECT * FROM {relation} ORDER BY {order})", self.store.dialect))
        self._loader.load(layout, version.number, _with_booleans(found.to_arrow_reader(rows_at_once(layout))))

    def filled(self, plan: Plan, version: Version) -> None:
        """Make its indexes: after loading that is quicker."""
        if self._loader is None:
            raise RuntimeError("filled belongs within filling")
        self._loader.index(plan.layout, version.number)

    @contextmanager
    def comparing(self) -> Generator[Difference]:
        """Versions as they are now are compared, row by row with the same key."""
        equal = "IS NOT DISTINCT FROM" if self.store.dialect == "postgresql" else "IS"
        with self.store.reading() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM folds")  # a transaction sees the tables as they are when it first reads
            yield lambda layout, one, other: int(connection.exec_driver_sql(_apart(layout, one, other, equal)).scalar_one())


class FactTables:
    """The facts."""

    home = Home.FACTS
    shared = False
    outages = (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.InterruptException)

    def __init__(self, store: FactStore) -> None:
        self.store = store
        self.versions = store.versions
        self.writing = store.writing

    def building(self, *, wait: bool) -> AbstractContextManager[bool]:  # noqa: ARG002 - as the port has it
        """One process has the file open."""
        return nullcontext(True)  # noqa: FBT003 - it is the answer

    def put(self, writer: FactWriter, plan: Plan, number: int, rows: Rows) -> None:
        """Combine `rows` with those in the table."""
        if not rows:
            return
        writer.connection.register("incoming_rows", _arrow(plan, rows))
        try:
            self.put_relation(writer, plan, number, writer.connection, f"({native(plan.layout_in(Home.FACTS), 'incoming_rows')})")
        finally:
            writer.connection.unregister("incoming_rows")

    def put_relation(self, writer: FactWriter, plan: Plan, number: int, scratch: duckdb.DuckDBPyConnection, relation: str) -> None:
        """Combine the rows of a relation of the writer's own connection with those in the table."""
        layout = plan.layout_in(Home.FACTS)
        if plan.fold.per_event:
            writer.load(layout, number, relation)
            return
        table, columns = quoted(layout.physical(number)), ", ".join(quoted(name) for name in layout.names)
        keys = ", ".join(quoted(name) for name in layout.key)
        scratch.execute(f"CREATE OR REPLACE TEMP TABLE incoming AS SELECT {columns} FROM {relation}")
        both = f"(SELECT {columns} FROM incoming UNION ALL SELECT {columns} FROM {table} SEMI JOIN incoming USING ({keys}))"
        scratch.execute(f"CREATE OR REPLACE TEMP TABLE merged AS {combined(plan, plan.lanes_in(Home.FACTS), both)}")
        same = " AND ".join(f"{table}.{quoted(name)} = merged.{quoted(name)}" for name in layout.key)
        scratch.execute(f"DELETE FROM {table} USING merged WHERE {same}")
        writer.load(layout, number, "merged")

    @contextmanager
    def scratch(self, writer: FactWriter | None = None) -> Generator[duckdb.DuckDBPyConnection]:
        """A connection of the same DuckDB, under the same memory limit."""
        if writer is not None:
            yield writer.connection
            return
        connection = self.store.scratch()
        try:
            yield connection
        finally:
            connection.close()

    def filling(self, events: int) -> AbstractContextManager[None]:  # noqa: ARG002 - as the port has it
        """Nothing needs to be made ready."""
        return nullcontext()

    def fill(self, plan: Plan, version: Version, scratch: duckdb.DuckDBPyConnection, relation: str) -> None:
        """Load rows by one statement, while `scratch` is still making them."""
        layout = plan.layout_in(Home.FACTS)
        columns = ", ".join(quoted(name) for name in layout.names)
        with closing(self.store.scratch()) as connection:
            connection.register("ready_rows", scratch.execute(f"SELECT {columns} FROM {relation}").to_arrow_reader(FILL_ROWS))
            connection.execute(f"INSERT INTO {quoted(layout.physical(version.number))} ({columns}) SELECT {columns} FROM ready_rows")
            connection.unregister("ready_rows")

    @contextmanager
    def comparing(self) -> Generator[Difference]:
        """Versions as they are now are compared: by a hash over all rows, and one by one only where it is not the same."""
        with self.store.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM folds").fetchall()  # a transaction sees the tables as they are when it first reads

            def difference(layout: Layout, one: int, other: int) -> int:
                sums = [cursor.execute(_sum(layout, number)).fetchall() for number in (one, other)]
                if sums[0] == sums[1]:
                    return 0
                both = [cursor.execute(_except(layout, a, b)).fetchall()[0][0] for a, b in ((one, other), (other, one))]
                return sum(both) or abs(sums[0][0][0] - sums[1][0][0])

            yield difference


def _with_booleans(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The rows with booleans as databases take them; DuckDB gives them in bytes where it is told to give ids as they are."""
    schema = reader.schema
    types: list[pa.DataType] = schema.types
    bytewise = [place for place, kind in enumerate(types) if isinstance(kind, pa.Bool8Type)]
    if not bytewise:
        return reader
    for place in bytewise:
        schema = schema.set(place, schema.field(place).with_type(pa.bool_()))

    def batches() -> Generator[pa.RecordBatch]:
        for batch in reader:
            columns: list[Any] = [*cast("list[Any]", batch.columns)]
            for place in bytewise:
                columns[place] = columns[place].storage.cast(pa.bool_())
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _plain(row: tuple[Any, ...]) -> list[Any]:
    return [tuple(cast("list[str]", cell)) if isinstance(cell, list) else cell for cell in row]


def _apart(layout: Layout, one: int, other: int, equal: str) -> str:
    """Count the rows of both tables that are not the same in the other, by key."""
    tables = [quoted(layout.physical(number)) for number in (one, other)]
    keys = " AND ".join(f"a.{quoted(name)} = b.{quoted(name)}" for name in layout.key)
    same = " AND ".join(f"a.{quoted(column.name)} {equal} b.{quoted(column.name)}" for column in layout.cells)
    both = f"SELECT count(*) FROM {tables[0]} AS a JOIN {tables[1]} AS b ON {keys} WHERE {same}"
    return f"SELECT (SELECT count(*) FROM {tables[0]}) + (SELECT count(*) FROM {tables[1]}) - 2 * ({both})"


def _sum(layout: Layout, number: int) -> str:
    columns = ", ".join(quoted(name) for name in layout.names)
    return f"SELECT count(*), sum(hash({columns})::HUGEINT) FROM {quoted(layout.physical(number))}"


def _except(layout: Layout, one: int, other: int) -> str:
    columns = ", ".join(quoted(name) for name in layout.names)
    tables = [f"SELECT {columns} FROM {quoted(layout.physical(number))}" for number in (one, other)]
    return f"SELECT count(*) FROM ({tables[0]} EXCEPT {tables[1]}) AS only_one"


def _arrow(plan: Plan, rows: Rows) -> pa.Table:
    """The rows with this home's columns."""
    layout = plan.layout_in(Home.FACTS)
    place = {column.name: number for number, column in enumerate(plan.layout.columns)}
    columns = list(zip(*((*key, *cells) for key, cells in rows.items()), strict=True))
    arrays = [pa.array(columns[place[column.name]], ARROW[column.kind]) for column in layout.columns]
    return pa.table(arrays, names=list(layout.names))


def lanes_for(plan: Plan, homes: Sequence[Home]) -> tuple[Lane, ...]:
    """The lanes that a row needs to serve all `homes`."""
    return plan.lanes if Home.LOOKUPS in homes else plan.lanes_in(Home.FACTS)
