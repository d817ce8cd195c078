"""Events exactly as they are stored, as the bytes that an audit hashes: read beside the log, without decoding and without changing it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, LiteralString, Protocol

import psycopg
from psycopg.sql import SQL

from bus.failures import translated
from bus.network import patient
from bus.stored_sqlite import RECEIPTS, RECEIPTS_AT_ONCE, UNBROKEN, Entry, SQLiteEvents

_POSTGRES_TEXT: Final[LiteralString] = (
    "convert_to(position || E'\\n' || originator_id || E'\\n' || originator_version || E'\\n' || topic || E'\\n', 'UTF8') || state"
)


class StoredEvents(Protocol):
    """A log's stored events, for any number of threads (`receipts` for one). Everything raises LogUnavailable when they cannot be read."""

    def head(self) -> int:
        """The last position, 0 when there is none."""
        ...

    def outside(self) -> list[int]:
        """Positions below 1, where nothing may stand; at most a hundred."""
        ...

    def entries(self, after: int, upto: int) -> list[Entry]:
        """What stands after position `after` up to `upto`, in order."""
        ...

    def texts(self, after: int, upto: int) -> list[tuple[bytes]]:
        """The same without positions; as many as there are positions only when none is missing."""
        ...

    def mentioning(self, text: str) -> list[int]:
        """The positions whose stored state holds this text, in order."""
        ...

    def unbroken(self, after: int) -> int:
        """The last position up to which none is missing after `after`."""
        ...

    def receipts(self) -> Iterator[list[tuple[int, int]]]:
        """For each receipt that stands for events, in order: the position before its first event, and that of its last; by thousands."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


class SQLiteStored(SQLiteEvents):
    """The stored events of a log in a file."""

    def __init__(self, path: Path) -> None:
        with translated():
            super().__init__(path)

    def receipts(self) -> Iterator[list[tuple[int, int]]]:
        """Which events each receipt stands for."""
        with translated():
            yield from super().receipts()

    def _rows(self, sql: str, *parameters: object) -> list[Any]:
        with translated():
            return super()._rows(sql, *parameters)


class PostgresStored:
    """The stored events of a log in PostgreSQL. A lost connection is opened again with the next call, after close too."""

    def __init__(self, url: str) -> None:
        self._url = patient(url)
        with translated():
            self._connection = self._connected()

    def _connected(self) -> psycopg.Connection:
        return psycopg.connect(self._url, autocommit=True, options="-c default_transaction_read_only=on")

    def _open(self) -> psycopg.Connection:
        if self._connection.closed:
            self._connection = self._connected()
        return self._connection

    def head(self) -> int:
        """The last position, 0 when there is none."""
        return self._rows("SELECT COALESCE(MAX(position), 0) FROM daybook.stored_events")[0][0]

    def outside(self) -> list[int]:
        """Positions below 1."""
        sql: LiteralString = "SELECT position FROM daybook.stored_events WHERE position < 1 ORDER BY position LIMIT 100"
        return [position for (position,) in self._rows(sql)]

    def entries(self, after: int, upto: int) -> list[Entry]:
        """What stands after position `after` up to `upto`."""
        where: LiteralString = "FROM daybook.stored_events WHERE position > %s AND position <= %s ORDER BY position"
        return self._rows(f"SELECT position, {_POSTGRES_TEXT} {where}", after, upto)

    def texts(self, after: int, upto: int) -> list[tuple[bytes]]:
        """The same without positions."""
        where: LiteralString = "FROM daybook.stored_events WHERE position > %s AND position <= %s ORDER BY position"
        return self._rows(f"SELECT {_POSTGRES_TEXT} {where}", after, upto)

    def mentioning(self, text: str) -> list[int]:
        """The positions whose stored state holds this text."""
        sql: LiteralString = "SELECT position FROM daybook.stored_events WHERE position(%s::bytea IN state) > 0 ORDER BY position"
        return [position for (position,) in self._rows(sql, text.encode())]

    def unbroken(self, after: int) -> int:
        """The last position up to which none is missing after `after`."""
        sql: LiteralString = UNBROKEN.replace("{events}", "daybook.stored_events").replace("{after}", "%s::bigint")
        return self._rows(sql, after, after, after)[0][0]

    def receipts(self) -> Iterator[list[tuple[int, int]]]:
        """Which events each receipt stands for."""
        sql: LiteralString = RECEIPTS.replace("{receipts}", "daybook.receipts")
        with translated():
            connection = self._open()
            with connection.transaction(), connection.cursor("receipts", binary=True) as cursor:
                cursor.execute(SQL(sql))
                while some := cursor.fetchmany(RECEIPTS_AT_ONCE):
                    yield some

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _rows(self, sql: LiteralString, *parameters: object) -> list[Any]:
        with translated(), self._open().cursor(binary=True) as cursor:
            return cursor.execute(SQL(sql), parameters).fetchall()


def open_stored(place: str | Path) -> StoredEvents:
    """The stored events of the log at a path (SQLite file) or `postgresql://…` address, which must be there. Raises LogUnavailable."""
    address = str(place)
    if address.startswith(("postgresql://", "postgres://")):
        return PostgresStored(address)
    return SQLiteStored(Path(address))
