"""What may be written to the lookups within one transaction."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text

from readmodels.layout import Kind, Layout, Move, Version
from readmodels.lookup_register import Register
from readmodels.lookup_statements import Prepared, as_json, physical

Row = tuple[Any, ...]

KEYS_AT_ONCE = 500
ROWS_AT_ONCE = 2_000


class LookupWriter:
    """What the one writer may do."""

    def __init__(self, connection: Connection, register: Register, prepared: Prepared) -> None:
        self.connection = connection
        self._register = register
        self._prepared = prepared

    def versions(self) -> list[Version]:
        """Every version of every table."""
        return self._register.versions(self.connection)

    def create(self, layout: Layout, version: Version) -> None:
        """Make the table of a new version and register it."""
        physical(layout, version.number).create(self.connection)
        self._register.add(self.connection, version)

    def serve(self, layout: Layout, number: int) -> None:
        """Let the view show this version; the one that served is kept."""
        self.index(layout, number)
        self.connection.execute(text(f'DROP VIEW IF EXISTS "{layout.name}"'))
        self.connection.execute(text(self._view(layout, number)))
        self._register.serve(self.connection, layout.name, number)

    def index(self, layout: Layout, number: int) -> None:
        """Make a version's secondary indexes, where they are not there yet."""
        for statement in layout.indexing(number):
            self.connection.execute(text(statement))

    def _view(self, layout: Layout, number: int) -> str:
        columns: list[str] = []
        for name in layout.shown:
            scaled = layout.column(name).kind is Kind.DECIMAL and self.connection.dialect.name == "postgresql"
            columns.append(f'("{name}"::numeric / 10000)::numeric(22, 4) AS "{name}"' if scaled else f'"{name}"')
        return f'CREATE VIEW "{layout.name}" AS SELECT {", ".join(columns)} FROM "{layout.physical(number)}"'

    def drop(self, fold: str, number: int) -> None:
        """Forget a version and its table."""
        self.connection.execute(text(f'DROP TABLE IF EXISTS "{fold}__{number}"'))
        self._register.remove(self.connection, fold, number)

    def divide(self, version: Version, partitions: int) -> None:
        """Let a version go on from where it is in that many partitions, each by itself."""
        self._register.divide(self.connection, version, partitions)

    def advance(self, versions: Sequence[Version], position: int) -> None:
        """Move versions on as a whole from the positions that we read. Raises Moved when one is not there any more."""
        self._register.advance(self.connection, versions, position)

    def move(self, moves: Sequence[Move]) -> None:
        """Move partitions of versions on from the positions that we read. Raises Moved when one is not there any more."""
        self._register.move(self.connection, moves)

    def stop(self, version: Version, position: int, error: str) -> None:
        """Note that a version's fold failed on the event at `position`."""
        self._register.note(self.connection, version.fold, version.number, position, error)

    def resume(self, fold: str, number: int) -> None:
        """Forget a version's failure, so that it is tried again."""
        self._register.note(self.connection, fold, number, None, None)

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

    def merge(self, layout: Layout, number: int, changes: Mapping[str, str], rows: Sequence[Row]) -> None:
        """Combine rows (all columns, canonical cells) with those that have the same keys, as `changes` say; in PostgreSQL only."""
        sql = self._prepared.merge(layout, number, changes)
        names = layout.names
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = [dict(zip(names, row, strict=True)) for row in rows[start : start + ROWS_AT_ONCE]]
            self.connection.exec_driver_sql(sql, (as_json(some),))

    def load(self, layout: Layout, number: int, rows: Sequence[Row]) -> None:
        """Add rows that are new (all columns, as SQLite stores them), fastest when sorted by key."""
        names = ", ".join(f'"{name}"' for name in layout.names)
        marks = ", ".join("?" * len(layout.names))
        self.connection.exec_driver_sql(f'INSERT INTO "{layout.physical(number)}" ({names}) VALUES ({marks})', rows)


def _stored(layout: Layout, rows: Sequence[Row]) -> Sequence[Row]:
    """Canonical cells as a driver takes them: several texts as JSON."""
    texts = [place for place, column in enumerate(layout.columns) if column.kind is Kind.TEXTS]
    return [_with_json(row, texts) for row in rows] if texts else rows


def _with_json(row: Row, places: Sequence[int]) -> Row:
    cells = list(row)
    for place in places:
        if cells[place] is not None:
            cells[place] = as_json(cells[place])
    return tuple(cells)
