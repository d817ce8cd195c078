"""How questions reach the facts and the lookups: ports, and what fulfils them through DuckDB and SQLAlchemy.

Each question is answered from one snapshot, whose position says up to which event the answer is true.
"""

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol

import duckdb
from sqlalchemy import BigInteger, Connection, Select, Table, Text, case, column, func, select, table

from readmodels.layout import State
from readmodels.lookups import LookupStore

Row = dict[str, Any]
Statement = Select[*tuple[Any, ...]]
"""Any SELECT."""

FOLDS: Final = table("folds", column("fold", Text), column("number", BigInteger), column("state", Text), column("position", BigInteger))
PARTITIONS: Final = table("partitions", column("fold", Text), column("number", BigInteger), column("position", BigInteger))
"""The register of versions, as far as readers need it; both stores have one."""


class Facts(Protocol):
    """One snapshot of the facts, to be asked in SQL."""

    def rows(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        """Run one SELECT with parameters by name (`$name`); rows as mappings from column to native value."""
        ...

    def position(self, *folds: str) -> int:
        """Up to which event all of `folds` are folded."""
        ...


class Lookups(Protocol):
    """One snapshot of the lookups, to be asked in SQLAlchemy's terms."""

    def table(self, name: str, /) -> Table:
        """The read model `name`."""
        ...

    def rows(self, statement: Statement, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Rows as mappings; instants, days and ids as canonical text, amounts as Decimal, lists as tuples."""
        ...

    def position(self, *folds: str) -> int:
        """Up to which event all of `folds` are folded."""
        ...


class FactSource(Protocol):
    """Where snapshots of the facts come from; the fact store fulfils it."""

    def cursor(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A read-only transaction of its own."""
        ...


class LookupSource(Protocol):
    """Where snapshots of the lookups come from."""

    @property
    def immediate(self) -> bool:
        """Whether a look-up takes far less than a millisecond, so that an event loop may do it itself."""
        ...

    def snapshot(self) -> AbstractContextManager[Lookups]:
        """A read-only transaction of its own."""
        ...

    def close(self) -> None:
        """Let go of connections of its own."""
        ...


class FactSnapshot:
    """Fulfils Facts over a DuckDB transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        """Run one SELECT."""
        found = self._connection.execute(sql, parameters)
        names = [described[0] for described in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def position(self, *folds: str) -> int:
        """Up to which event all of `folds` are folded."""
        sql = "SELECT min(position) AS position FROM folds WHERE state = $serving AND list_contains($folds, fold)"
        return self.rows(sql, {"serving": State.SERVING.value, "folds": list(folds)})[0]["position"] or 0


@contextmanager
def asked(source: FactSource) -> Generator[Facts]:
    """A snapshot of the facts."""
    with source.cursor() as connection:
        yield FactSnapshot(connection)


class LookupSnapshot:
    """Fulfils Lookups over a transaction of either database."""

    def __init__(self, store: LookupStore, connection: Connection) -> None:
        self.table = store.table
        self._connection = connection

    def rows(self, statement: Statement, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run one SELECT."""
        found = self._connection.execute(statement, parameters)
        names = [str(name) for name in found.keys()]  # noqa: SIM118 - a result is no mapping
        return [dict(zip(names, row, strict=True)) for row in found]

    def position(self, *folds: str) -> int:
        """Up to which event all of `folds` are folded."""
        here, parts = FOLDS.c, PARTITIONS.c
        by_partition = select(func.min(parts.position)).where(parts.fold == here.fold, parts.number == here.number).scalar_subquery()
        told = case((by_partition > here.position, by_partition), else_=here.position)
        least = select(func.min(told)).where(here.state == State.SERVING.value, here.fold.in_(folds))
        return self._connection.execute(least).scalar() or 0


class LookupReader:
    """Snapshots through SQLAlchemy, of either database."""

    immediate = False

    def __init__(self, store: LookupStore) -> None:
        self._store = store

    @contextmanager
    def snapshot(self) -> Generator[Lookups]:
        """A read-only transaction of its own."""
        with self._store.reading() as connection:
            yield LookupSnapshot(self._store, connection)

    def close(self) -> None:
        """All connections are the store's own."""
        return
