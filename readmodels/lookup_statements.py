"""How lookup tables are made up, and the statements that are asked of them with every batch."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Column, Executable, MetaData, Select, Table, bindparam, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from readmodels.columns import SHOWN, STORED
from readmodels.layout import Layout


def table_of(metadata: MetaData, name: str, layout: Layout, *, shown: bool) -> Table:
    """The table of a layout as it is stored, or its view as readers see it."""
    kinds = SHOWN if shown else STORED
    wanted = [layout.column(column) for column in layout.shown] if shown else layout.columns
    key = () if shown else layout.key
    return Table(name, metadata, *(Column(column.name, kinds[column.kind](), primary_key=column.name in key) for column in wanted))


def physical(layout: Layout, number: int) -> Table:
    """The table that holds a version."""
    return table_of(MetaData(), layout.physical(number), layout, shown=False)


def as_json(value: Any) -> str:
    """A value as the JSON that databases keep."""
    return orjson.dumps(value).decode()


class Statements(NamedTuple):
    """What is asked of one table with every batch."""

    select: Select[Any]
    upsert: Executable
    sql: str | None
    """The upsert as SQLite's driver takes it, who stores canonical cells as they are; None for other databases."""


class Prepared:
    """Statements that are made once, because making one takes longer than running it."""

    def __init__(self, dialect: str) -> None:
        self._insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        self._of: dict[str, tuple[Layout, Statements]] = {}
        self._merges: dict[str, tuple[Mapping[str, str], str]] = {}

    def of(self, layout: Layout, number: int) -> Statements:
        """The statements for one version's table."""
        name = layout.physical(number)
        known = self._of.get(name)
        if known is None or known[0] is not layout:
            known = self._of[name] = (layout, self._made(physical(layout, number), layout))
        return known[1]

    def _made(self, table: Table, layout: Layout) -> Statements:
        columns = [table.c[name] for name in layout.key]
        of = columns[0] if len(columns) == 1 else tuple_(*columns)
        upsert = self._insert(table)
        changes = {column.name: upsert.excluded[column.name] for column in layout.cells}
        upsert = upsert.on_conflict_do_update(index_elements=list(layout.key), set_=changes)
        sql = str(upsert.compile(dialect=sqlite.dialect())) if self._insert is sqlite.insert else None
        return Statements(select(table).where(of.in_(bindparam("keys", expanding=True))), upsert, sql)

    def merge(self, layout: Layout, number: int, changes: Mapping[str, str]) -> str:
        """The statement that combines rows, given as one JSON list, with those of a PostgreSQL table, without reading any of them first.

        `changes` say what becomes of each column, in terms of the rows `old` and `excluded`, which is the new one.
        """
        name = layout.physical(number)
        known = self._merges.get(name)
        if known is None or known[0] is not changes:
            known = self._merges[name] = (changes, _merge(layout, name, changes))
        return known[1]


def _merge(layout: Layout, table: str, changes: Mapping[str, str]) -> str:
    names = ", ".join(f'"{name}"' for name in layout.names)
    keys = ", ".join(f'"{name}"' for name in layout.key)
    sets = ", ".join(f'"{name}" = {change}' for name, change in changes.items())
    return (
        f'INSERT INTO "{table}" AS old ({names}) SELECT {names} FROM json_populate_recordset(NULL::"{table}", %s::json) '
        f"ON CONFLICT ({keys}) DO UPDATE SET {sets}"
    )
