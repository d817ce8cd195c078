"""The lookup tables: a row per entity in SQLite or PostgreSQL, read through views that have the folds' names."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson
import pyarrow as pa
from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, event, func, select, text
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from readmodels.layout import Layout, Version
from readmodels.loading import WORTH_A_PROCESS, Loader, PostgresLoader, sqlite_loader
from readmodels.lookup_register import Register
from readmodels.lookup_statements import Prepared, as_json, table_of
from readmodels.lookup_writing import LookupWriter

BUSY_SECONDS = 30.0
WRITER_LOCK = 0x6461_7962_6F6F_6B01
"""The advisory lock that makes writers of a PostgreSQL database take turns, as SQLite does by itself."""
BUILDER_LOCK = WRITER_LOCK + 1
"""The advisory lock of whoever builds new versions there."""
KEEPALIVE = "-ctcp_keepalives_idle=5 -ctcp_keepalives_interval=2 -ctcp_keepalives_count=3"
"""PostgreSQL lets go of what a machine held that has vanished, instead of waiting for it for hours."""
SILENT_SECONDS = 15
"""So long PostgreSQL waits for the next word of whoever writes rows beside others; then it rolls back, so that they can go on."""
ROLLED_BACK = "25P03"
"""PostgreSQL's code for having done so."""


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
        self._views = {name: table_of(self._metadata, name, layout, shown=True) for name, layout in self.layouts.items()}
        self._register = Register()
        self._prepared = Prepared(engine.dialect.name)
        with self.writing() as writer:
            self._register.create(writer.connection)

    @classmethod
    def sqlite(cls, path: Path, layouts: Iterable[Layout], *, worth_a_process: int = WORTH_A_PROCESS) -> Self:
        """Lookups in an SQLite file; made if it is not there. From `worth_a_process` events on, another process loads new versions."""
        engine = create_engine(
            f"sqlite:///{path}",
            connect_args={"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False},
            json_serializer=as_json,
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
            connect_args={"options": f"-csearch_path={schema} -ctimezone=UTC {KEEPALIVE}"},
            json_serializer=as_json,
            json_deserializer=orjson.loads,
            hide_parameters=True,
        )
        event.listen(engine, "handle_error", _tell_silence)
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
    def writing(self) -> Generator[LookupWriter]:
        """Become the only writer; leaving the context commits, an exception rolls back."""
        with self.engine.connect().execution_options(writing=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(WRITER_LOCK)))
            yield LookupWriter(connection, self._register, self._prepared)

    @contextmanager
    def sharing(self) -> Generator[LookupWriter]:
        """Write rows and move partitions beside others who do so, but not while somebody is the only writer.

        What a crash of PostgreSQL loses of it is folded again, because positions go with their rows; so nobody waits for the disk.
        SQLite has one writer at a time.
        """
        with self.engine.connect().execution_options(writing=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(
                    f"SET LOCAL synchronous_commit = off; SET LOCAL idle_in_transaction_session_timeout = '{SILENT_SECONDS}s'; "
                    f"SELECT pg_advisory_xact_lock_shared({WRITER_LOCK})"
                )
            yield LookupWriter(connection, self._register, self._prepared)

    @contextmanager
    def building(self, *, wait: bool) -> Generator[bool]:
        """Be the only process that builds new versions, waiting for another or not; whether it is. A SQLite file has one process anyway."""
        if self.dialect != "postgresql":
            yield True
            return
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if wait:
                connection.execute(select(func.pg_advisory_lock(BUILDER_LOCK)))
            alone = wait or bool(connection.execute(select(func.pg_try_advisory_lock(BUILDER_LOCK))).scalar())
            try:
                yield alone
            finally:
                connection.invalidate()  # closing the connection frees the lock, even where it cannot be asked any more

    @contextmanager
    def trying(self) -> Generator[LookupWriter]:
        """A transaction of a writer that is rolled back in the end, whatever was done in it."""
        with self.engine.connect().execution_options(writing=True) as connection:
            transaction = connection.begin()
            try:
                yield LookupWriter(connection, self._register, self._prepared)
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
            return LookupWriter(connection, self._register, self._prepared).versions()


def _tell_silence(context: ExceptionContext) -> None:
    """A connection that PostgreSQL gave up, as it had heard nothing for too long, is lost like any other, and no error of ours."""
    if getattr(context.original_exception, "sqlstate", None) == ROLLED_BACK:
        context.is_disconnect = True
        raise OperationalError(context.statement, None, context.original_exception, hide_parameters=True)


def _prepare_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY", "cache_size=-65536"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writing") else "BEGIN")


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

    def index(self, layout: Layout, number: int) -> None:
        """Make indexes in one transaction: they are small."""
        with self._store.writing() as writer:
            writer.index(layout, number)
