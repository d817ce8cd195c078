"""The log in a SQLite file: the library's recorder with positions that are never used twice, and the rows of a transaction."""

import sqlite3
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import Any, Final
from uuid import UUID

import orjson
from eventsourcing.persistence import Notification, OperationalError, StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteTransaction,
)

from bus.stamp import Stamp
from bus.transaction import EventRow, PlaceRow, ReceiptRow

STAMP: Final = Stamp(b"DBLG", 1, "log")
_READ_SECONDS: Final = 30
_WRITE_SECONDS: Final = 60.0
_WRITE_EVERY: Final = 0.003
"""Seconds between attempts to become the only writer: short, so that the gaps that a busy process leaves are found."""
_MOST_READERS: Final = 256
_CHECKPOINT_PAGES: Final = 4000
"""Pages of the write-ahead log after which a commit also brings it into the file."""

_TABLES: Final = (
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
_MEMBERS: Final = "(SELECT value FROM json_each(?))"
_LAST: Final = 2**63 - 1
_SELECT: Final = "SELECT position, originator_id, originator_version, topic, state FROM stored_events"
_SELECT_RECEIPTS: Final = f"""
    SELECT command_id, fingerprint, stream_id, version, position, events, (
        SELECT group_concat(id) FROM (
            SELECT substr(state, 8, 36) AS id FROM stored_events
            WHERE position > receipts.position - receipts.events AND position <= receipts.position ORDER BY position
        )
    )
    FROM receipts WHERE command_id IN {_MEMBERS}
"""
_INSERT_EVENT: Final = "INSERT INTO stored_events (position, originator_id, originator_version, topic, state) VALUES (?, ?, ?, ?, ?)"


class Writing(SQLiteTransaction):
    """A transaction that is the only writing one from its first statement on, so that what it reads stays true."""

    def __enter__(self) -> SQLiteCursor:
        cursor = self.connection.cursor()
        give_up_at = time.monotonic() + _WRITE_SECONDS
        cursor.execute("PRAGMA busy_timeout = 0")
        while True:
            try:
                cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                    raise OperationalError(error) from error
                time.sleep(_WRITE_EVERY)
            else:
                return cursor


class Connection(SQLiteConnection):
    """A connection whose committing transactions are `Writing` ones."""

    @contextmanager
    def transaction(self, *, commit: bool) -> Generator[SQLiteCursor]:
        """A transaction that is committed in the end if `commit`, else rolled back."""
        with (Writing if commit else SQLiteTransaction)(self, commit=commit) as cursor:
            yield cursor


class Pool(SQLiteConnectionPool):
    """Makes connections whose commits are on the disk before they return."""

    def _create_connection(self) -> SQLiteConnection:
        with super()._create_connection().cursor() as cursor:
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            return Connection(cursor.connection, max_age=self.max_age)


class Datastore(SQLiteDatastore):
    """One writer at a time in this process, and readers that never wait for it."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        # Before the first connection is made, for that sets the file's journal mode.
        STAMP.check_file(path)
        self.pool = Pool(db_name=path, lock_timeout=_READ_SECONDS, pool_size=8, max_overflow=_MOST_READERS, pool_timeout=_READ_SECONDS)
        self._only_writer = Lock()

    @contextmanager
    def get_connection(self, *, commit: bool) -> Generator[SQLiteConnection]:
        """A connection; for the only writer if `commit`. The pool's own interlocking, where readers queue behind writers, stays off."""
        with self._only_writer if commit else nullcontext():
            connection = self.pool.get_connection()
            try:
                yield connection
            finally:
                self.pool.put_connection(connection)


class Recorder(SQLiteApplicationRecorder):
    """The library's recorder on our tables: readable state, positions in the order of commits that are never used twice."""

    datastore: Datastore

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore)
        self.select_events_statement = (
            "SELECT originator_id, originator_version, topic, CAST(state AS BLOB) AS state FROM stored_events WHERE originator_id = ? "
        )
        self.select_max_notification_id_statement = "SELECT MAX(position) FROM stored_events"

    def construct_create_table_statements(self) -> list[str]:
        """Events, receipts, claims and links."""
        return list(_TABLES)

    def _create_table(self, c: SQLiteCursor) -> None:
        super()._create_table(c)
        STAMP.put(c.sqlite_cursor.connection)

    def _insert_events(self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int]:
        head = _head(c.sqlite_cursor)
        positions = range(head + 1, head + 1 + len(stored_events))
        c.executemany(
            _INSERT_EVENT,
            [
                (position, str(event.originator_id), event.originator_version, event.topic, event.state.decode())
                for position, event in zip(positions, stored_events, strict=True)
            ],
        )
        return list(positions)

    def select_events(
        self, originator_id: UUID | str, *, gt: int | None = None, lte: int | None = None, desc: bool = False, limit: int | None = None
    ) -> Sequence[StoredEvent]:
        """A stream's events; ids are kept as text of 36 characters."""
        return super().select_events(str(originator_id), gt=gt, lte=lte, desc=desc, limit=limit)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Events in the order of their positions, from `start` to `stop`."""
        first = 0 if start is None else start if inclusive_of_start else start + 1
        last = _LAST if stop is None else stop
        chosen = f"AND topic IN {_MEMBERS}" if topics else ""
        sql = (
            "SELECT position, originator_id, originator_version, topic, CAST(state AS BLOB) AS state FROM stored_events "
            f"WHERE position BETWEEN ? AND ? {chosen} ORDER BY position LIMIT ?"
        )
        parameters = (first, last, *((_many(topics),) if topics else ()), limit)
        with self.datastore.transaction(commit=False) as cursor:
            cursor.execute(sql, parameters)
            return [Notification(self.convert_originator_id(row[1]), row[2], row[3], row[4], id=row[0]) for row in cursor.fetchall()]

    def head(self) -> int:
        """The last position, 0 when there is none."""
        return self._select("SELECT COALESCE(MAX(position), 0) FROM stored_events", ())[0][0]

    def after(self, position: int, upto: int, limit: int) -> list[tuple[int, str, int, str, str]]:
        """The rows of events after `position` up to `upto`, at most `limit`."""
        return self._select(f"{_SELECT} WHERE position > ? AND position <= ? ORDER BY position LIMIT ?", (position, upto, limit))

    def stream(self, stream_id: str) -> list[tuple[int, str, int, str, str]]:
        """The rows of a stream's events in their order."""
        return self._select(f"{_SELECT} WHERE originator_id = ? ORDER BY originator_version", (stream_id,))

    def _select(self, sql: str, parameters: Sequence[object]) -> list[Any]:
        with self.datastore.get_connection(commit=False) as connection, connection.cursor() as cursor:
            cursor.row_factory = None
            return cursor.execute(sql, parameters).fetchall()


class SQLiteRows:
    """The tables within a writing transaction."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        cursor.row_factory = None
        self._cursor = cursor

    def head(self) -> int:
        """The last position, 0 when there is none."""
        return _head(self._cursor)

    def streams_since(self, position: int) -> Iterable[str]:
        """The streams with events after `position`."""
        return (stream for (stream,) in self._select("SELECT DISTINCT originator_id FROM stored_events WHERE position > ?", position))

    def events(self, streams: Sequence[str]) -> Iterable[tuple[str, str, str]]:
        """Stream, type and state of those streams' events, ordered by version within each stream."""
        sql = f"SELECT originator_id, topic, state FROM stored_events WHERE originator_id IN {_MEMBERS} ORDER BY originator_id, originator_version"
        return self._select(sql, _many(streams))

    def versions(self, streams: Sequence[str]) -> Iterable[tuple[str, int]]:
        """The version of each of those streams that has events."""
        sql = "SELECT value, (SELECT MAX(originator_version) FROM stored_events WHERE originator_id = value) FROM json_each(?)"
        return ((stream, version) for stream, version in self._select(sql, _many(streams)) if version is not None)

    def receipts(self, command_ids: Sequence[str]) -> Iterable[tuple[ReceiptRow, Sequence[str]]]:
        """The receipts of those commands with the ids of their events."""
        for *row, ids in self._select(_SELECT_RECEIPTS, _many(command_ids)):
            yield ReceiptRow(*row), ids.split(",") if ids else ()

    def claims(self, kind: str, keys: Sequence[str]) -> Iterable[tuple[str, str]]:
        """Key and stream of the claims of that kind."""
        return self._select(f"SELECT key, stream_id FROM claims WHERE kind = ? AND key IN {_MEMBERS}", kind, _many(keys))

    def links(self, kind: str, key: str) -> Iterable[str]:
        """The streams linked to (kind, key), oldest first."""
        sql = "SELECT stream_id FROM links WHERE kind = ? AND key = ? ORDER BY id"
        return (stream for (stream,) in self._select(sql, kind, key))

    def insert(
        self, events: Sequence[EventRow], receipts: Sequence[ReceiptRow], claims: Sequence[PlaceRow], links: Sequence[PlaceRow]
    ) -> None:
        """Insert all; a link that exists is left as it is."""
        self._cursor.executemany(_INSERT_EVENT, events)
        self._cursor.executemany("INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?)", receipts)
        self._cursor.executemany("INSERT INTO claims VALUES (?, ?, ?)", claims)
        self._cursor.executemany("INSERT OR IGNORE INTO links (kind, key, stream_id) VALUES (?, ?, ?)", links)

    def _select(self, sql: str, *parameters: object) -> list[Any]:
        return self._cursor.execute(sql, parameters).fetchall()


def _head(cursor: sqlite3.Cursor) -> int:
    row = cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = 'stored_events'").fetchone()
    return row[0] if row else 0


def _many(values: Sequence[str]) -> str:
    return orjson.dumps(values).decode()
