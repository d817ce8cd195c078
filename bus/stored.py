"""Events exactly as they are stored, as the bytes that an audit hashes: read beside the log, without decoding and without changing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Error, connect
from typing import Any, Final, LiteralString, Protocol, cast

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
_ENDS: Final[LiteralString] = (
    "SELECT COALESCE(MAX(position), 0), (SELECT COALESCE(MAX(position), 0) FROM {events}) FROM {receipts} WHERE events > 0"
)
_BREAKS: Final[LiteralString] = """
    SELECT covered, position - events, position FROM (
        SELECT position, events, LAG(position, 1, CAST(0 AS bigint)) OVER (ORDER BY position) AS covered FROM {receipts} WHERE events > 0
    ) AS receipt WHERE position - events <> covered ORDER BY position LIMIT 100
"""


@dataclass(frozen=True, slots=True)
class Covered:
    """How the receipts of all commands cover the log: each stands for the events up to its position, so they follow on each other."""

    breaks: Sequence[tuple[int, int, int]]
    """Where one does not: the end of the receipts before, the position before its first event, its last position; at most a hundred."""
    end: int
    head: int
    """The last position that a receipt names, and that of the log, both of one moment."""


class StoredEvents(Protocol):
    """A log's stored events. Everything raises LogUnavailable when they cannot be read."""

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

    def covered(self) -> Covered:
        """How the receipts cover the log."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


class SQLiteStored:
    """The stored events of a log in a file."""

    def __init__(self, path: Path) -> None:
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

    def covered(self) -> Covered:
        """How the receipts cover the log."""
        breaks = self._rows(_BREAKS.format(receipts="receipts"))
        return Covered(breaks, *self._rows(_ENDS.format(events="stored_events", receipts="receipts"))[0])

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _rows(self, sql: str, *parameters: object) -> list[Any]:
        try:
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
        sql: LiteralString = _UNBROKEN.replace("{events}", "daybook.stored_events").replace("{after}", "%(after)s::bigint")
        return self._rows(sql, {"after": after})[0][0]

    def covered(self) -> Covered:
        """How the receipts cover the log."""
        breaks: LiteralString = _BREAKS.replace("{receipts}", "daybook.receipts")
        ends: LiteralString = _ENDS.replace("{receipts}", "daybook.receipts").replace("{events}", "daybook.stored_events")
        return Covered(self._rows(breaks), *self._rows(ends)[0])

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _rows(self, sql: LiteralString, *parameters: object) -> list[Any]:
        bound = parameters[0] if parameters and isinstance(parameters[0], Mapping) else parameters
        try:
            with self._connection.cursor(binary=True) as cursor:
                return cursor.execute(SQL(sql), cast("Any", bound)).fetchall()
        except psycopg.Error as error:
            raise translation(error) from error


def open_stored(place: str | Path) -> StoredEvents:
    """The stored events of the log at a path (SQLite file) or `postgresql://…` address, which must be there. Raises LogUnavailable."""
    address = str(place)
    if address.startswith(("postgresql://", "postgres://")):
        return PostgresStored(address)
    return SQLiteStored(Path(address))
