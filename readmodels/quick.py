"""Look-ups in SQLite without ceremony: prepared statements on a connection of each thread's own."""

import sqlite3
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

import orjson
from sqlalchemy import JSON, Boolean, Engine, Table, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeEngine

from readmodels.asking import LookupReader, Lookups, LookupSource, Row, Statement
from readmodels.columns import PLACES, Amount, Texts
from readmodels.layout import State
from readmodels.lookups import LookupStore

DIALECT: Final = sqlite.dialect(paramstyle="named")
STATEMENTS: Final = 512
"""Prepared statements that a connection keeps."""

Convert = Callable[[Any], Any]


class Prepared:
    """A statement as SQLite takes it, and how its cells become values."""

    __slots__ = ("_converts", "_given", "_names", "sql")

    def __init__(self, statement: Statement) -> None:
        compiled = statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
        self.sql = compiled.string
        self._given: Mapping[str, Any] = dict(compiled.params)
        self._names = [str(chosen.key) for chosen in statement.selected_columns]
        self._converts: Sequence[tuple[str, Convert]] = [
            (str(chosen.key), convert) for chosen in statement.selected_columns if (convert := _converter(chosen.type)) is not None
        ]

    def parameters(self, given: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """The statement's own values with the given ones."""
        return {**self._given, **given} if given else self._given

    def row(self, cells: Sequence[Any]) -> Row:
        """A row of cells as values by column."""
        row = dict(zip(self._names, cells))  # noqa: B905 - the statement has as many columns as it names
        for name, convert in self._converts:
            row[name] = convert(row[name])
        return row


def _converter(kind: TypeEngine[Any]) -> Convert | None:
    """What makes a value of a stored cell, as SQLAlchemy would; None where the cell is the value."""
    if isinstance(kind, Amount):
        return _amount
    if isinstance(kind, Texts):
        return _texts
    if isinstance(kind, Boolean):
        return _boolean
    return kind.dialect_impl(DIALECT).result_processor(DIALECT, None) if isinstance(kind, JSON) else None


def _amount(cell: int | None) -> Decimal | None:
    return None if cell is None else Decimal(cell).scaleb(-PLACES)


def _texts(cell: str | None) -> tuple[str, ...] | None:
    return None if cell is None else tuple(orjson.loads(cell))


def _boolean(cell: int | None) -> bool | None:
    return None if cell is None else cell != 0


class SQLiteSnapshot:
    """Fulfils Lookups over a connection in a read transaction."""

    def __init__(self, table: Callable[[str], Table], connection: sqlite3.Connection, prepared: dict[Statement, Prepared]) -> None:
        self.table = table
        self._connection = connection
        self._prepared = prepared

    def rows(self, statement: Statement, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run one SELECT, which is kept prepared: hand in the same object each time."""
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = self._prepared[statement] = Prepared(statement)
        found = self._connection.execute(prepared.sql, prepared.parameters(parameters))
        return [prepared.row(cells) for cells in found.fetchall()]

    def position(self, *folds: str) -> int:
        """Up to which event all of `folds` are folded."""
        marks = ", ".join("?" * len(folds))
        sql = f"SELECT min(position) FROM folds WHERE state = '{State.SERVING}' AND fold IN ({marks})"
        return self._connection.execute(sql, folds).fetchone()[0] or 0


class SQLiteReader:
    """Snapshots of the SQLite file at `path`, which writers may change meanwhile; for a fixed set of statements."""

    immediate = True

    def __init__(self, store: LookupStore, path: str) -> None:
        self._table = store.table
        self._path = path
        self._prepared: dict[Statement, Prepared] = {}
        self._own = threading.local()
        self._opened: list[sqlite3.Connection] = []
        event.listen(store.engine, "engine_disposed", self._on_disposed)

    @contextmanager
    def snapshot(self) -> Generator[Lookups]:
        """A read-only transaction of its own."""
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            yield SQLiteSnapshot(self._table, connection, self._prepared)
        finally:
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close all connections, as happens when the store is closed; nobody may be reading any more."""
        while self._opened:
            self._opened.pop().close()

    def _on_disposed(self, _engine: Engine) -> None:
        self.close()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS)
            connection.execute("PRAGMA query_only = ON")
            self._own.connection = connection
            self._opened.append(connection)
        return connection


def reader_of(store: LookupStore) -> LookupSource:
    """The quickest way to read a store."""
    url = store.engine.url
    if url.get_backend_name() == "sqlite" and url.database:
        return SQLiteReader(store, url.database)
    return LookupReader(store)
