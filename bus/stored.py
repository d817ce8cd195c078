"""Events exactly as they are stored, as the bytes that an audit hashes: read beside the log, without decoding and without changing it."""

from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Error, connect
from threading import Lock
from typing import Any, Final, LiteralString, Protocol

import psycopg
from psycopg.sql import SQL

from bus.failures import translation

Entry = tuple[int, bytes]
"""A position, and what stands there: position, stream, version, type and stored state, as five lines of UTF-8."""

_SQLITE_TEXT: Final = (
    "CAST(position || char(10) || originator_id || char(10) || originator_version || char(10) || topic || char(10) || state AS BLOB)"
)
_POSTGRES_TEXT: Final[LiteralString] = (
    "convert_to(position || E'\\n' || originator_id || E'\\n' || originator_version || E'\\n' || topic || E'\\n', 'UTF8') || state"
)
_UNBROKEN: Final[LiteralString] = """
    SELECT COALESCE(MAX(position), {after}) FROM (
        SELECT position, ROW_NUMBER() OVER (ORDER BY position) AS place FROM {events} WHERE position > {after}
    ) AS event WHERE position = {after} + place
"""
_RECEIPTS: Final[LiteralString] = "SELECT position - events, position FROM {receipts} WHERE events > 0 ORDER BY position"


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

    def receipts(self) -> Iterator[tuple[int, int]]:
        """For each receipt that stands for events, in order: the position before its first event, and that of its last."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


class SQLiteStored:
    """The stored events of a log in a file."""

    def __init__(self, path: Path) -> None:
        self._turn = Lock()
        try:
            self._connection = connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
        except Error as error:
            raise translation(error) from error

    def head(self) -> int:
        """The last position, 0 when there is none."""
        return self._rows("SELECT COALESCE(MAX(position), 0) FROM stored_events")[0][0]

    def outside(self) -> list[int]:
        """Positions below 1."""
        return [position for (position,) in self._rows("SELECT position FROM stored_events WHERE position < 1 ORDER BY position LIMIT 100")]

    def entries(self, after: int, upto: int) -> list[Entry]:
        """What stands after position `after` up to `upto`."""
        return self._rows(
            f"SELECT position, {_SQLITE_TEXT} FROM stored_events WHERE position > ? AND position <= ? ORDER BY position", after, upto
        )

    def texts(self, after: int, upto: int) -> list[tuple[bytes]]:
        """The same without positions."""
        return self._rows(f"SELECT {_SQLITE_TEXT} FROM stored_events WHERE position > ? AND position <= ? ORDER BY position", after, upto)

    def mentioning(self, text: str) -> list[int]:
        """The positions whose stored state holds this text."""
        return [position for (position,) in self._rows("SELECT position FROM stored_events WHERE instr(state, ?) ORDER BY position", text)]

    def unbroken(self, after: int) -> int:
        """The last position up to which none is missing after `after`."""
        return self._rows(_UNBROKEN.format(events="stored_events", after="?1"), after)[0][0]

    def receipts(self) -> Iterator[tuple[int, int]]:
        """Which events each receipt stands for."""
        try:
            yield from self._connection.execute(_RECEIPTS.format(receipts="receipts"))
        except Error as error:
            raise translation(error) from error

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _rows(self, sql: str, *parameters: object) -> list[Any]:
        try:
            with self._turn:
                return self._connection.execute(sql, parameters).fetchall()
        except Error as error:
            raise translation(error) from error


class PostgresStored:
    """The stored events of a log in PostgreSQL."""

    def __init__(self, url: str) -> None:
        try:
            self._connection = psycopg.connect(url, autocommit=True, options="-c default_transaction_read_only=on")
        except psycopg.Error as error:
            raise translation(error) from error

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
        sql: LiteralString = _UNBROKEN.replace("{events}", "daybook.stored_events").replace("{after}", "%s::bigint")
        return self._rows(sql, after, after, after)[0][0]

    def receipts(self) -> Iterator[tuple[int, int]]:
        """Which events each receipt stands for."""
        sql: LiteralString = _RECEIPTS.replace("{receipts}", "daybook.receipts")
        try:
            with self._connection.transaction(), self._connection.cursor("receipts", binary=True) as cursor:
                cursor.itersize = 10_000
                yield from cursor.execute(SQL(sql))
        except psycopg.Error as error:
            raise translation(error) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _rows(self, sql: LiteralString, *parameters: object) -> list[Any]:
        try:
            with self._connection.cursor(binary=True) as cursor:
                return cursor.execute(SQL(sql), parameters).fetchall()
        except psycopg.Error as error:
            raise translation(error) from error


def open_stored(place: str | Path) -> StoredEvents:
    """The stored events of the log at a path (SQLite file) or `postgresql://…` address, which must be there. Raises LogUnavailable."""
    address = str(place)
    if address.startswith(("postgresql://", "postgres://")):
        return PostgresStored(address)
    return SQLiteStored(Path(address))
