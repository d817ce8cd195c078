"""The lookup tables: a row per entity in SQLite or PostgreSQL, read through views that have the folds' names."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson
import pyarrow as pa
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Executable,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.pool import ConnectionPoolEntry

from readmodels.columns import SHOWN, STORED
from readmodels.layout import Kind, Layout, Moved, State, Version
from readmodels.loading import WORTH_A_PROCESS, Loader, PostgresLoader, sqlite_loader

Row = tuple[Any, ...]

KEYS_AT_ONCE = 500
BUSY_SECONDS = 30.0
WRITER_LOCK = 0x6461_7962_6F6F_6B01
"""The advisory lock that makes writers of a PostgreSQL database take turns, as SQLite does by itself."""


class SQLiteFile(NamedTuple):
    """Where lookups lie without a server."""

    path: Path
    worth_a_process: int


class PostgresSchema(NamedTuple):
    """Where lookups lie in PostgreSQL."""

    url: str
    schema: str


Place = SQLiteFile | PostgresSchema


class LookupStore:
    """The lookup database. Writers take turns; readers see whole batches with the position that they belong to."""

    def __init__(self, engine: Engine, layouts: Iterable[Layout], place: Place) -> None:
        self.engine = engine
        self._place = place
        self.layouts: Mapping[str, Layout] = {layout.name: layout for layout in layouts}
        self._metadata = MetaData()
        self._views = {name: _table(self._metadata, name, layout, shown=True) for name, layout in self.layouts.items()}
        self._folds = Table(
            "folds",
            MetaData(),
            Column("fold", Text(), primary_key=True),
            Column("number", BigInteger(), primary_key=True, autoincrement=False),
            Column("state", Text(), nullable=False),
            Column("fingerprint", Text(), nullable=False),
            Column("position", BigInteger(), nullable=False),
            Column("error_position", BigInteger()),
            Column("error", Text()),
        )
        self._prepared = Prepared(self._folds, engine.dialect.name)
        with self.writing() as writer:
            self._folds.create(writer.connection, checkfirst=True)

    @classmethod
    def sqlite(cls, path: Path, layouts: Iterable[Layout], *, worth_a_process: int = WORTH_A_PROCESS) -> Self:
        """Lookups in an SQLite file; made if it is not there. From `worth_a_process` events on, another process loads new versions."""
        engine = create_engine(
            f"sqlite:///{path}",
            connect_args={"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False},
            json_serializer=_json,
            json_deserializer=orjson.loads,
            hide_parameters=True,
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return cls(engine, layouts, SQLiteFile(path, worth_a_process))

    @classmethod
    def postgres(cls, url: str, layouts: Iterable[Layout], *, schema: str = "lookups") -> Self:
        """Lookups in a schema of a PostgreSQL database (`postgresql://…`); the schema is made if it is not there."""
        engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            connect_args={"options": f"-csearch_path={schema} -ctimezone=UTC"},
            json_serializer=_json,
            json_deserializer=orjson.loads,
            hide_parameters=True,
        )
        with engine.begin() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(WRITER_LOCK)))
            connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
        return cls(engine, layouts, PostgresSchema(url, schema))

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    @property
    def dialect(self) -> str:
        """Which database: `sqlite` or `postgresql`."""
        return self.engine.dialect.name

    def table(self, name: str) -> Table:
        """The read model `name` for SQLAlchemy queries: its serving version, whichever that is. Raises KeyError."""
        return self._views[name]

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A connection whose queries all see the same state."""
        options: dict[str, Any] = {}
        if self.engine.dialect.name == "postgresql":
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self.engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Generator["LookupWriter"]:
        """Become the only writer; leaving the context commits, an exception rolls back."""
        with self.engine.connect().execution_options(writing=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(WRITER_LOCK)))
            yield LookupWriter(connection, self._folds, self._prepared)

    @contextmanager
    def trying(self) -> Generator["LookupWriter"]:
        """A transaction of a writer that is rolled back in the end, whatever was done in it."""
        with self.engine.connect().execution_options(writing=True) as connection:
            transaction = connection.begin()
            try:
                yield LookupWriter(connection, self._folds, self._prepared)
            finally:
                transaction.rollback()

    @contextmanager
    def loading(self, events: int) -> Generator[Loader]:
        """Whoever loads new versions' tables within the context, with the rows that about so many events make."""
        if isinstance(self._place, PostgresSchema):
            yield PostgresLoader(self._place.url, self._place.schema)
        elif events < self._place.worth_a_process:
            yield Turns(self)
        else:
            with sqlite_loader(self._place.path, BUSY_SECONDS) as loader:
                yield loader

    def versions(self) -> list[Version]:
        """Every version of every table."""
        with self.reading() as connection:
            return LookupWriter(connection, self._folds, self._prepared).versions()


def _prepare_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY", "cache_size=-65536"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writing") else "BEGIN")


def _table(metadata: MetaData, name: str, layout: Layout, *, shown: bool) -> Table:
    kinds = SHOWN if shown else STORED
    wanted = [layout.column(column) for column in layout.shown] if shown else layout.columns
    key = () if shown else layout.key
    return Table(name, metadata, *(Column(column.name, kinds[column.kind](), primary_key=column.name in key) for column in wanted))


class LookupWriter:
    """What the one writer may do."""

    def __init__(self, connection: Connection, folds: Table, prepared: "Prepared") -> None:
        self.connection = connection
        self._folds = folds
        self._prepared = prepared

    def versions(self) -> list[Version]:
        """Every version of every table."""
        rows = self.connection.execute(select(self._folds).order_by(self._folds.c.fold, self._folds.c.number))
        return [Version(r.fold, r.number, State(r.state), r.fingerprint, r.position, r.error_position, r.error) for r in rows]

    def create(self, layout: Layout, version: Version) -> None:
        """Make the table of a new version and register it."""
        _physical(layout, version.number).create(self.connection)
        values = {name: getattr(version, name) for name in ("fold", "number", "state", "fingerprint", "position")}
        self.connection.execute(insert(self._folds).values(**values))

    def serve(self, layout: Layout, number: int) -> None:
        """Let the view show this version; the one that served is kept. Its secondary indexes are made now: after loading that is quicker."""
        self._index(layout, number)
        self.connection.execute(text(f'DROP VIEW IF EXISTS "{layout.name}"'))
        self.connection.execute(text(self._view(layout, number)))
        here, folds = self._folds.c, self._folds
        serving = (here.fold == layout.name) & (here.state == State.SERVING)
        self.connection.execute(update(folds).where(serving).values(state=State.KEPT))
        self.connection.execute(update(folds).where((here.fold == layout.name) & (here.number == number)).values(state=State.SERVING))

    def _index(self, layout: Layout, number: int) -> None:
        table = layout.physical(number)
        for place, columns in enumerate(layout.indexes, start=1):
            names = ", ".join(f'"{name}"' for name in columns)
            self.connection.execute(text(f'CREATE INDEX IF NOT EXISTS "ix_{table}__{place}" ON "{table}" ({names})'))

    def _view(self, layout: Layout, number: int) -> str:
        columns: list[str] = []
        for name in layout.shown:
            scaled = layout.column(name).kind is Kind.DECIMAL and self.connection.dialect.name == "postgresql"
            columns.append(f'("{name}"::numeric / 10000)::numeric(22, 4) AS "{name}"' if scaled else f'"{name}"')
        return f'CREATE VIEW "{layout.name}" AS SELECT {", ".join(columns)} FROM "{layout.physical(number)}"'

    def drop(self, fold: str, number: int) -> None:
        """Forget a version and its table."""
        self.connection.execute(text(f'DROP TABLE IF EXISTS "{fold}__{number}"'))
        self.connection.execute(delete(self._folds).where((self._folds.c.fold == fold) & (self._folds.c.number == number)))

    def advance(self, versions: Sequence[Version], position: int) -> None:
        """Move versions on from the positions that we read. Raises Moved when one is not there any more."""
        moves = [{"here": v.fold, "nr": v.number, "before": v.position, "after": position} for v in versions]
        if self.connection.execute(self._prepared.advance, moves).rowcount != len(versions):
            raise Moved(", ".join(version.fold for version in versions))

    def stop(self, version: Version, position: int, error: str) -> None:
        """Note that a version's fold failed on the event at `position`."""
        here = self._folds.c
        one = (here.fold == version.fold) & (here.number == version.number)
        self.connection.execute(update(self._folds).where(one).values(error_position=position, error=error))

    def resume(self, fold: str, number: int) -> None:
        """Forget a version's failure, so that it is tried again."""
        one = (self._folds.c.fold == fold) & (self._folds.c.number == number)
        self.connection.execute(update(self._folds).where(one).values(error_position=None, error=None))

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """What fails within leaves what was written before as it was."""
        with self.connection.begin_nested():
            yield

    def rows(self, layout: Layout, number: int, keys: Sequence[Row]) -> Iterator[Row]:
        """The rows with these keys, all columns, as canonical cells."""
        found = self._prepared.of(layout, number).select
        for start in range(0, len(keys), KEYS_AT_ONCE):
            some = keys[start : start + KEYS_AT_ONCE]
            wanted = [key[0] for key in some] if len(layout.key) == 1 else list(some)
            for row in self.connection.execute(found, {"keys": wanted}):
                yield tuple(row)

    def write(self, layout: Layout, number: int, rows: Sequence[Row]) -> None:
        """Put rows (all columns, canonical cells) in the place of those with the same keys."""
        if not rows:
            return
        made = self._prepared.of(layout, number)
        if made.sql is None:
            self.connection.execute(made.upsert, [dict(zip(layout.names, row, strict=True)) for row in rows])
        else:
            self.connection.exec_driver_sql(made.sql, _stored(layout, rows))

    def load(self, layout: Layout, number: int, rows: Sequence[Row]) -> None:
        """Add rows that are new (all columns, as SQLite stores them), fastest when sorted by key."""
        names = ", ".join(f'"{name}"' for name in layout.names)
        marks = ", ".join("?" * len(layout.names))
        self.connection.exec_driver_sql(f'INSERT INTO "{layout.physical(number)}" ({names}) VALUES ({marks})', rows)


class Turns:
    """Loads SQLite tables in this process; right for rows that are not worth another one."""

    def __init__(self, store: LookupStore) -> None:
        self._store = store

    def load(self, layout: Layout, number: int, rows: pa.RecordBatchReader) -> None:
        """Add rows, a transaction for each batch."""
        for batch in rows:
            if batch.num_rows:
                columns: list[list[Any]] = list(batch.to_pydict().values())
                with self._store.writing() as writer:
                    writer.load(layout, number, list(zip(*columns, strict=True)))


def _stored(layout: Layout, rows: Sequence[Row]) -> Sequence[Row]:
    """Canonical cells as a driver takes them: several texts as JSON."""
    texts = [place for place, column in enumerate(layout.columns) if column.kind is Kind.TEXTS]
    return [_with_json(row, texts) for row in rows] if texts else rows


def _with_json(row: Row, places: Sequence[int]) -> Row:
    cells = list(row)
    for place in places:
        if cells[place] is not None:
            cells[place] = _json(cells[place])
    return tuple(cells)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


class Statements(NamedTuple):
    """What is asked of one table with every batch."""

    select: Select[Any]
    upsert: Executable
    sql: str | None
    """The upsert as SQLite's driver takes it, who stores canonical cells as they are; None for other databases."""


class Prepared:
    """Statements that are made once, because making one takes longer than running it."""

    def __init__(self, folds: Table, dialect: str) -> None:
        here = folds.c
        same = (here.fold == bindparam("here")) & (here.number == bindparam("nr")) & (here.position == bindparam("before"))
        self.advance = update(folds).where(same, here.error.is_(None)).values(position=bindparam("after"))
        self._insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        self._of: dict[str, tuple[Layout, Statements]] = {}

    def of(self, layout: Layout, number: int) -> Statements:
        """The statements for one version's table."""
        name = layout.physical(number)
        known = self._of.get(name)
        if known is None or known[0] is not layout:
            known = self._of[name] = (layout, self._made(_physical(layout, number), layout))
        return known[1]

    def _made(self, table: Table, layout: Layout) -> Statements:
        columns = [table.c[name] for name in layout.key]
        of = columns[0] if len(columns) == 1 else tuple_(*columns)
        upsert = self._insert(table)
        changes = {column.name: upsert.excluded[column.name] for column in layout.cells}
        upsert = upsert.on_conflict_do_update(index_elements=list(layout.key), set_=changes)
        sql = str(upsert.compile(dialect=sqlite.dialect())) if self._insert is sqlite.insert else None
        return Statements(select(table).where(of.in_(bindparam("keys", expanding=True))), upsert, sql)


def _physical(layout: Layout, number: int) -> Table:
    """The table that holds a version."""
    return _table(MetaData(), layout.physical(number), layout, shown=False)
