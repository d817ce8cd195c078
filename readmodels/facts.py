"""The fact tables: rows per event, interval or dimension in DuckDB, read through views that have the folds' names."""

import os
import re
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from domain.errors import DaybookError
from readmodels.layout import Kind, Layout, Moved, State, Version

NATIVE: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "VARCHAR",
    Kind.ID: "UUID",
    Kind.INTEGER: "BIGINT",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.DECIMAL: "DECIMAL(18,4)",
    Kind.INSTANT: "TIMESTAMP",
    Kind.DATE: "DATE",
    Kind.TEXTS: "VARCHAR[]",
}
"""How DuckDB has the kinds of cells; instants are in UTC."""

BATCH_ROWS: Final = 10_000
HALF_OF_THE_CORES: Final = max(1, (os.cpu_count() or 1) // 2)
"""Threads of one statement. Several statements run side by side anyway, and folding is made of many small ones, which take half as
much again of the processor when each is spread over all cores."""

_REGISTER: Final = """
    CREATE TABLE IF NOT EXISTS folds (
        fold VARCHAR NOT NULL, number BIGINT NOT NULL, state VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL, position BIGINT NOT NULL,
        error_position BIGINT, error VARCHAR
    )
"""

_READY: Final = (
    "SET TimeZone = 'UTC'",
    # Texts are stored as they are or by dictionary: finding shorter codes for them takes longer than all the rest of a rebuild.
    "SET disabled_compression_methods = 'fsst,dict_fsst'",
    _REGISTER,
    "SET python_enable_replacements = false",
)
_SHUT: Final = (
    "SET enable_external_file_cache = false",  # what was read from files before is forgotten, and which files those were
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


class FactsInUse(DaybookError):
    """Another process has the fact file open; DuckDB allows one."""


class QueryRefused(DaybookError):
    """A user's query is not one SELECT, is wrong, or took too long."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a user's query gave: at most as many rows as were allowed."""

    table: pa.Table
    truncated: bool


class FactStore:
    """One process's DuckDB replica of the facts. Any number of threads may read while one folds.

    No SQL on it can reach files or the network or change its configuration.
    """

    def __init__(
        self,
        path: Path | None,
        layouts: Iterable[Layout],
        *,
        memory_limit: str = "640MB",
        threads: int | None = None,
        spill: Path | None = None,
        begin: Callable[["FactWriter"], None] | None = None,
    ) -> None:
        """Open the file at `path`, made if it is not there; None keeps the facts in memory, what there is no room for in `spill`.

        `begin` fills it before it is shut off, when files can be read still and nobody else has it. Raises FactsInUse.
        """
        self.layouts: Mapping[str, Layout] = {layout.name: layout for layout in layouts}
        config: dict[str, str | bool | int | float | list[str]] = {"memory_limit": memory_limit, "preserve_insertion_order": False}
        if path is not None:
            config["temp_directory"] = f"{path}.tmp"
        elif spill is not None:
            config["temp_directory"] = str(spill)
        config["threads"] = threads or HALF_OF_THE_CORES
        self._path = path
        self._config = config
        self._closed = False
        self._opening = threading.Lock()
        self._writing = threading.RLock()
        self._connection = _opened(path, config, begin)

    def close(self) -> None:
        """Write everything into the file and let go of it."""
        self._closed = True
        self._connection.close()

    def _begun(self, statement: str) -> duckdb.DuckDBPyConnection:
        """A connection that has done `statement`.

        DuckDB gives a database up for good when the disk is full while it brings its write-ahead log into the file, though
        everything committed is safe. The file is then opened anew; that comes to nothing as long as others still read by the
        old one, and there is no room yet.
        """
        with self._opening:
            try:
                return _connected(self._connection, statement)
            except (duckdb.FatalException, duckdb.ConnectionException):
                if self._path is None or self._closed:
                    raise
            self._connection.close()
            try:
                self._connection = _opened(self._path, self._config)
                return _connected(self._connection, statement)
            except duckdb.FatalException as error:
                raise duckdb.IOException(str(error)) from error

    @contextmanager
    def cursor(self) -> Generator[duckdb.DuckDBPyConnection]:
        """A read-only transaction of its own: all its queries see the same state."""
        cursor = self._begun("BEGIN TRANSACTION READ ONLY")
        try:
            yield cursor
            cursor.execute("COMMIT")
        finally:
            cursor.close()

    def query(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[tuple[Any, ...]]:
        """The rows of our own SELECT."""
        with self.cursor() as cursor:
            return cursor.execute(sql, parameters).fetchall()

    def select(self, sql: str, parameters: Sequence[object] = (), *, seconds: float, rows: int) -> Selection:
        """The first `rows` rows of a user's SELECT, within `seconds`.

        Raises QueryRefused `sql.not_a_select`, `sql.wrong` (with DuckDB's message) or `sql.too_slow`.
        """
        with self.cursor() as cursor:
            _check_select(cursor, sql)
            clock = threading.Timer(seconds, cursor.interrupt)
            clock.start()
            try:
                return _read(cursor.execute(sql, parameters).to_arrow_reader(BATCH_ROWS), rows)
            except duckdb.InterruptException:
                raise QueryRefused("sql.too_slow", f"the query took longer than {seconds:g} seconds") from None
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                if "INTERRUPT" in str(error):
                    raise QueryRefused("sql.too_slow", f"the query took longer than {seconds:g} seconds") from None
                raise QueryRefused("sql.wrong", str(error)) from None
            finally:
                clock.cancel()

    def named_in(self, sql: str) -> set[str]:
        """The read models that a user's SELECT names; none where it is wrong, which running it will tell."""
        with self.cursor() as cursor:
            try:
                tables = cursor.get_table_names(sql)  # with views taken apart: the versions that serve
                return {name for table in tables if (name := table.lower().partition("__")[0]) in self.layouts}
            except duckdb.Error:
                return set()

    @contextmanager
    def writing(self) -> Generator["FactWriter"]:
        """Become the only writer; leaving the context commits, an exception rolls back.

        Raises Moved when another one has written meanwhile, duckdb.IOException when nothing can be written now.
        """
        with self._writing:
            cursor = self._begun("BEGIN TRANSACTION")
            try:
                yield FactWriter(cursor)
                cursor.execute("COMMIT")
            except duckdb.TransactionException as error:
                if "conflict" in str(error).lower():
                    raise Moved(str(error)) from error
                raise duckdb.IOException(str(error)) from error
            except duckdb.FatalException as error:
                raise duckdb.IOException(str(error)) from error
            finally:
                cursor.close()

    @contextmanager
    def trying(self) -> Generator["FactWriter"]:
        """A transaction of a writer that is rolled back in the end, whatever was done in it."""
        with self._writing:
            cursor = self._begun("BEGIN TRANSACTION")
            try:
                yield FactWriter(cursor)
            finally:
                cursor.close()

    def scratch(self) -> duckdb.DuckDBPyConnection:
        """A connection for temporary tables; they vanish when it is closed."""
        return self._begun("SELECT 1")

    def versions(self) -> list[Version]:
        """Every version of every table."""
        with self.cursor() as cursor:
            return FactWriter(cursor).versions()


def _connected(connection: duckdb.DuckDBPyConnection, statement: str) -> duckdb.DuckDBPyConnection:
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
    except BaseException:
        cursor.close()
        raise
    return cursor


def _opened(
    path: Path | None, config: dict[str, str | bool | int | float | list[str]], begin: Callable[["FactWriter"], None] | None = None
) -> duckdb.DuckDBPyConnection:
    """The database, made ready: with the register of versions, and shut off from files and the network."""
    connection = _open(path, config)
    try:
        _set(connection, _READY)
        if begin is not None:
            begin(FactWriter(connection))
        _set(connection, _SHUT)
    except BaseException:
        connection.close()
        raise
    return connection


def _set(connection: duckdb.DuckDBPyConnection, statements: Sequence[str]) -> None:
    for statement in statements:
        with suppress(duckdb.InvalidInputException):  # the settings are locked already when this process opened the file before
            connection.execute(statement)


def _open(path: Path | None, config: dict[str, str | bool | int | float | list[str]]) -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(str(path) if path is not None else ":memory:", config=config)
    except duckdb.IOException as error:
        if "lock" not in str(error):
            raise
        holder = re.search(r"\(PID (\d+)\)", str(error))
        who = f"process {holder[1]}" if holder else "another process"
        raise FactsInUse("facts.in_use", f"{who} has {path} open; ask it instead, or stop it") from error


def _check_select(cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
    try:
        statements = cursor.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryRefused("sql.wrong", str(error)) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryRefused("sql.not_a_select", "give one SELECT; nothing else is done here")


def _read(reader: pa.RecordBatchReader, limit: int) -> Selection:
    batches: list[pa.RecordBatch] = []
    left = limit
    for batch in reader:
        batches.append(batch.slice(0, left))
        if batch.num_rows > left:
            return Selection(pa.Table.from_batches(batches, reader.schema), truncated=True)
        left -= batch.num_rows
    return Selection(pa.Table.from_batches(batches, reader.schema), truncated=False)


class FactWriter:
    """What the one writer may do."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def versions(self) -> list[Version]:
        """Every version of every table."""
        rows = self.connection.execute(
            "SELECT fold, number, state, fingerprint, position, error_position, error FROM folds ORDER BY fold, number"
        )
        return [Version(row[0], row[1], State(row[2]), *row[3:]) for row in rows.fetchall()]

    def create(self, layout: Layout, version: Version) -> None:
        """Make the table of a new version and register it."""
        columns = ", ".join(f'"{column.name}" {NATIVE[column.kind]}' for column in layout.columns)
        self.connection.execute(f'CREATE TABLE "{layout.physical(version.number)}" ({columns})')
        self.connection.execute(
            "INSERT INTO folds VALUES (?, ?, ?, ?, ?, NULL, NULL)",
            [version.fold, version.number, version.state.value, version.fingerprint, version.position],
        )

    def load(self, layout: Layout, number: int, relation: str) -> None:
        """Add the rows of a relation of this connection to a table, which has none with their keys."""
        columns = ", ".join(f'"{name}"' for name in layout.names)
        self.connection.execute(f'INSERT INTO "{layout.physical(number)}" ({columns}) SELECT {columns} FROM {relation}')

    def serve(self, layout: Layout, number: int) -> None:
        """Let the view show this version; the one that served is kept."""
        columns = ", ".join(f'"{name}"' for name in layout.shown)
        self.connection.execute(f'CREATE OR REPLACE VIEW "{layout.name}" AS SELECT {columns} FROM "{layout.physical(number)}"')
        self.connection.execute("UPDATE folds SET state = 'kept' WHERE fold = ? AND state = 'serving'", [layout.name])
        self.connection.execute("UPDATE folds SET state = 'serving' WHERE fold = ? AND number = ?", [layout.name, number])

    def drop(self, fold: str, number: int) -> None:
        """Forget a version and its table."""
        self.connection.execute(f'DROP TABLE IF EXISTS "{fold}__{number}"')
        self.connection.execute("DELETE FROM folds WHERE fold = ? AND number = ?", [fold, number])

    def advance(self, versions: Sequence[Version], position: int) -> None:
        """Move versions on from the positions that we read. Raises Moved when one is not there any more."""
        here = ", ".join("(?, ?, ?)" for _ in versions)
        same = f"(fold, number, position) IN ({here}) AND error IS NULL"
        values = [position, *(value for version in versions for value in (version.fold, version.number, version.position))]
        changed = self.connection.execute(f"UPDATE folds SET position = ? WHERE {same}", values).fetchone()
        if changed is None or changed[0] != len(versions):
            raise Moved(", ".join(version.fold for version in versions))

    def stop(self, version: Version, position: int, error: str) -> None:
        """Note that a version's fold failed on the event at `position`."""
        values = [position, error, version.fold, version.number]
        self.connection.execute("UPDATE folds SET error_position = ?, error = ? WHERE fold = ? AND number = ?", values)

    def resume(self, fold: str, number: int) -> None:
        """Forget a version's failure, so that it is tried again."""
        one = "WHERE fold = ? AND number = ?"
        self.connection.execute(f"UPDATE folds SET error_position = NULL, error = NULL {one}", [fold, number])
