"""Events exactly as they are stored in a SQLite log, with nothing but the standard library, so that a process that hashes them starts quickly."""

from collections.abc import Iterator
from pathlib import Path
from sqlite3 import connect
from threading import Lock
from typing import Any, Final, LiteralString

Entry = tuple[int, bytes]
"""A position, and what stands there: position, stream, version, type and stored state, as five lines of UTF-8."""

TEXT: Final = (
    "CAST(position || char(10) || originator_id || char(10) || originator_version || char(10) || topic || char(10) || state AS BLOB)"
)
UNBROKEN: Final[LiteralString] = """
    SELECT COALESCE(MAX(position), {after}) FROM (
        SELECT position, ROW_NUMBER() OVER (ORDER BY position) AS place FROM {events} WHERE position > {after}
    ) AS event WHERE position = {after} + place
"""
RECEIPTS: Final[LiteralString] = "SELECT position - events, position FROM {receipts} WHERE events > 0 ORDER BY position"
RECEIPTS_AT_ONCE: Final = 4096


class SQLiteEvents:
    """What `bus.stored` tells of, for the one thread or process that asks; raises what sqlite3 raises."""

    def __init__(self, path: Path) -> None:
        self._turn = Lock()
        self._connection = connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)

    def head(self) -> int:
        """The last position, 0 when there is none."""
        return self._rows("SELECT COALESCE(MAX(position), 0) FROM stored_events")[0][0]

    def outside(self) -> list[int]:
        """Positions below 1."""
        return [position for (position,) in self._rows("SELECT position FROM stored_events WHERE position < 1 ORDER BY position LIMIT 100")]

    def entries(self, after: int, upto: int) -> list[Entry]:
        """What stands after position `after` up to `upto`."""
        return self._rows(f"SELECT position, {TEXT} FROM stored_events WHERE position > ? AND position <= ? ORDER BY position", after, upto)

    def texts(self, after: int, upto: int) -> list[tuple[bytes]]:
        """The same without positions."""
        return self._rows(f"SELECT {TEXT} FROM stored_events WHERE position > ? AND position <= ? ORDER BY position", after, upto)

    def mentioning(self, text: str) -> list[int]:
        """The positions whose stored state holds this text."""
        return [position for (position,) in self._rows("SELECT position FROM stored_events WHERE instr(state, ?) ORDER BY position", text)]

    def unbroken(self, after: int) -> int:
        """The last position up to which none is missing after `after`."""
        return self._rows(UNBROKEN.format(events="stored_events", after="?1"), after)[0][0]

    def receipts(self) -> Iterator[list[tuple[int, int]]]:
        """Which events each receipt stands for."""
        rows = self._connection.execute(RECEIPTS.format(receipts="receipts"))
        while some := rows.fetchmany(RECEIPTS_AT_ONCE):
            yield some

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _rows(self, sql: str, *parameters: object) -> list[Any]:
        with self._turn:
            return self._connection.execute(sql, parameters).fetchall()
