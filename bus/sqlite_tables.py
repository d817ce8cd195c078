"""The tables of a log in a SQLite file, and what a writing transaction reads from and inserts into them."""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final, cast

import orjson

from bus.transaction import EventRow, PlaceRow, ReceiptRow

TABLES: Final = (
    """
    CREATE TABLE IF NOT EXISTS stored_events (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        originator_id TEXT NOT NULL,
        originator_version INTEGER NOT NULL,
        topic TEXT NOT NULL,
        state TEXT NOT NULL,
        UNIQUE (originator_id, originator_version)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS receipts (
        command_id TEXT PRIMARY KEY,
        fingerprint BLOB NOT NULL,
        stream_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        position INTEGER NOT NULL,
        events INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE TABLE IF NOT EXISTS claims (kind TEXT, key TEXT, stream_id TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS links (id INTEGER PRIMARY KEY, kind TEXT, key TEXT, stream_id TEXT, UNIQUE (kind, key, stream_id))",
)
MEMBERS: Final = "(SELECT value FROM json_each(?))"
_TOGETHER: Final = 40
"""Rows in one statement."""
_SELECT_RECEIPTS: Final = f"""
    SELECT command_id, fingerprint, stream_id, version, position, events, (
        SELECT group_concat(id) FROM (
            SELECT substr(state, 8, 36) AS id FROM stored_events
            WHERE position > receipts.position - receipts.events AND position <= receipts.position ORDER BY position
        )
    )
    FROM receipts WHERE command_id IN {MEMBERS}
"""


def head_of(cursor: sqlite3.Cursor) -> int:
    """The last position ever given out, 0 when there is none."""
    row = cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = 'stored_events'").fetchone()
    return row[0] if row else 0


def many(values: Sequence[str | int]) -> str:
    """Values for `MEMBERS`."""
    return orjson.dumps(values).decode()


class SQLiteRows:
    """The tables within a writing transaction."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        cursor.row_factory = None
        self._cursor = cursor

    def head(self) -> int:
        """The last position, 0 when there is none."""
        return head_of(self._cursor)

    def streams_since(self, position: int) -> Iterable[str]:
        """The streams with events after `position`."""
        return (stream for (stream,) in self._select("SELECT DISTINCT originator_id FROM stored_events WHERE position > ?", position))

    def events(self, streams: Sequence[str]) -> Iterable[tuple[str, str, str]]:
        """Stream, type and state of those streams' events, ordered by version within each stream."""
        sql = f"SELECT originator_id, topic, state FROM stored_events WHERE originator_id IN {MEMBERS} ORDER BY originator_id, originator_version"
        return self._select(sql, many(streams))

    def of_types(self, types: Sequence[str], after: int) -> Iterable[tuple[str, str, str]]:
        """Stream, type and state of the events of those types after a position, in order."""
        sql = f"SELECT originator_id, topic, state FROM stored_events WHERE position > ? AND topic IN {MEMBERS} ORDER BY position"
        return self._select(sql, after, many(types))

    def versions(self, streams: Sequence[str]) -> Iterable[tuple[str, int]]:
        """The version of each of those streams that has events."""
        sql = "SELECT value, (SELECT MAX(originator_version) FROM stored_events WHERE originator_id = value) FROM json_each(?)"
        return ((stream, version) for stream, version in self._select(sql, many(streams)) if version is not None)

    def receipts(self, command_ids: Sequence[str]) -> Iterable[tuple[ReceiptRow, Sequence[str]]]:
        """The receipts of those commands with the ids of their events."""
        for *row, ids in self._select(_SELECT_RECEIPTS, many(command_ids)):
            yield cast("ReceiptRow", tuple(row)), ids.split(",") if ids else ()

    def claims(self, kind: str, keys: Sequence[str]) -> Iterable[tuple[str, str]]:
        """Key and stream of the claims of that kind."""
        return self._select(f"SELECT key, stream_id FROM claims WHERE kind = ? AND key IN {MEMBERS}", kind, many(keys))

    def links(self, kind: str, key: str) -> Iterable[str]:
        """The streams linked to (kind, key), oldest first."""
        sql = "SELECT stream_id FROM links WHERE kind = ? AND key = ? ORDER BY id"
        return (stream for (stream,) in self._select(sql, kind, key))

    def schema_version(self) -> int:
        """Which version the tables are in."""
        return self._select("PRAGMA user_version")[0][0]

    def mark(self, schema_version: int) -> None:
        """Say that the tables are in this version now."""
        self._cursor.execute(f"PRAGMA user_version = {schema_version:d}")

    def all_claims(self) -> Iterable[PlaceRow]:
        """Every claim."""
        return self._select("SELECT kind, key, stream_id FROM claims")

    def replace_claims(self, claims: Sequence[PlaceRow]) -> None:
        """Have these claims in the place of all."""
        self._cursor.execute("DELETE FROM claims")
        self._cursor.executemany("INSERT INTO claims VALUES (?, ?, ?)", claims)

    def insert(
        self, events: Sequence[EventRow], receipts: Sequence[ReceiptRow], claims: Sequence[PlaceRow], links: Sequence[PlaceRow]
    ) -> None:
        """Insert all; a link that exists is left as it is."""
        self._insert_many("INSERT INTO stored_events (position, originator_id, originator_version, topic, state)", events)
        self._insert_many("INSERT INTO receipts", receipts)
        self._cursor.executemany("INSERT INTO claims VALUES (?, ?, ?)", claims)
        self._cursor.executemany("INSERT OR IGNORE INTO links (kind, key, stream_id) VALUES (?, ?, ?)", links)

    def _insert_many(self, into: str, rows: Sequence[Sequence[object]]) -> None:
        """By `_TOGETHER` rows in a statement, which costs a third less than one by one."""
        whole = len(rows) - len(rows) % _TOGETHER
        if rows:
            row_of_marks = f"({', '.join('?' * len(rows[0]))})"
            together = f"{into} VALUES {', '.join([row_of_marks] * _TOGETHER)}"
            for start in range(0, whole, _TOGETHER):
                self._cursor.execute(together, [*chain.from_iterable(rows[start : start + _TOGETHER])])
            self._cursor.executemany(f"{into} VALUES {row_of_marks}", rows[whole:])

    def _select(self, sql: str, *parameters: object) -> list[Any]:
        return self._cursor.execute(sql, parameters).fetchall()
