"""The log in a SQLite file: the library's recorder with positions that are never used twice."""

import sqlite3
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import Any, Final
from uuid import UUID

from eventsourcing.persistence import ConnectionPoolClosedError, Notification, OperationalError, StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteTransaction,
)

from bus.envelopes import ANY, Envelopes
from bus.sqlite_tables import MEMBERS, TABLES, head_of, many
from bus.stamp import Stamp

STAMP: Final = Stamp(b"DBLG", 2, "log")
_READ_SECONDS: Final = 30
_WRITE_SECONDS: Final = 60.0
_WRITE_EVERY: Final = 0.003
"""Seconds between attempts to become the only writer: short, so that the gaps that a busy process leaves are found."""
_MOST_READERS: Final = 256
_CHECKPOINT_PAGES: Final = 4000
"""Pages of the write-ahead log after which a commit also brings it into the file."""

_LAST: Final = 2**63 - 1
_SELECT: Final = "SELECT position, originator_id, originator_version, topic, state FROM stored_events"
_INSERT_EVENT: Final = "INSERT INTO stored_events (position, originator_id, originator_version, topic, state) VALUES (?, ?, ?, ?, ?)"


class Writing(SQLiteTransaction):
    """A transaction that is the only writing one from its first statement on, so that what it reads stays true."""

    def __enter__(self) -> SQLiteCursor:
        cursor = self.connection.cursor()
        give_up_at = time.monotonic() + _WRITE_SECONDS
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            while not self._begun(cursor, last=time.monotonic() > give_up_at):
                time.sleep(_WRITE_EVERY)
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {1000 * _READ_SECONDS}")
        return cursor

    @staticmethod
    def _begun(cursor: SQLiteCursor, *, last: bool) -> bool:
        try:
            cursor.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if last or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise OperationalError(error) from error
            return False
        return True


class Connection(SQLiteConnection):
    """A connection whose committing transactions are `Writing` ones."""

    @contextmanager
    def transaction(self, *, commit: bool) -> Generator[SQLiteCursor]:
        """A transaction that is committed in the end if `commit`, else rolled back."""
        with (Writing if commit else SQLiteTransaction)(self, commit=commit) as cursor:
            yield cursor


class Pool(SQLiteConnectionPool):
    """Makes connections whose commits are on the disk before they return, and closes none while a thread uses it."""

    _closing = False

    def _get_connection(self, timeout: float = 0.0) -> SQLiteConnection:
        with self._put_condition:
            if self._closing:
                raise ConnectionPoolClosedError("the log is closing")
            return super()._get_connection(timeout)

    def close(self) -> None:
        """Wait until no connection is in use, give out none meanwhile, and close them all.

        SQLite's connections can't be closed under a running statement: that ends the process.

        Raises:
            OperationalError: one is still in use after half a minute. The pool stays closing; try again.
        """
        self._closing = True
        with self._put_condition:
            if not self._put_condition.wait_for(lambda: not self._in_use, _READ_SECONDS):
                raise OperationalError("the log can't be closed: a connection has been in use for too long")
            super().close()

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
        return list(TABLES)

    def _create_table(self, c: SQLiteCursor) -> None:
        super()._create_table(c)
        STAMP.put(c.sqlite_cursor.connection)

    def _insert_events(self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int]:
        head = head_of(c.sqlite_cursor)
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
        chosen = f"AND topic IN {MEMBERS}" if topics else ""
        sql = (
            "SELECT position, originator_id, originator_version, topic, CAST(state AS BLOB) AS state FROM stored_events "
            f"WHERE position BETWEEN ? AND ? {chosen} ORDER BY position LIMIT ?"
        )
        parameters = (first, last, *((many(topics),) if topics else ()), limit)
        with self.datastore.transaction(commit=False) as cursor:
            cursor.execute(sql, parameters)
            return [Notification(self.convert_originator_id(row[1]), row[2], row[3], row[4], id=row[0]) for row in cursor.fetchall()]

    def head(self) -> int:
        """The last position, 0 when there is none."""
        return self._select("SELECT COALESCE(MAX(position), 0) FROM stored_events", ())[0][0]

    def after(self, position: int, upto: int, limit: int) -> list[tuple[int, str, int, str, str]]:
        """The rows of events after `position` up to `upto`, at most `limit`."""
        return self._select(f"{_SELECT} WHERE position > ? AND position <= ? ORDER BY position LIMIT ?", (position, upto, limit))

    def at(self, positions: Sequence[int]) -> list[tuple[int, str, int, str, str]]:
        """The rows of events at these positions, in no order."""
        return self._select(f"{_SELECT} WHERE position IN {MEMBERS}", (many(positions),))

    def chosen(
        self, position: int, upto: int, limit: int, topics: Sequence[str], text: str | None, envelopes: Envelopes = ANY
    ) -> list[tuple[int, str, int, str, str]]:
        """The same of these types only (any, where there are none), only those whose state or stream holds `text`, and of such envelopes."""
        by_type = f"AND topic IN {MEMBERS}" if topics else ""
        by_text = "AND (instr(state, ?) OR originator_id = ?)" if text is not None else ""
        by_envelope, values = _by_envelope(envelopes)
        sql = f"{_SELECT} WHERE position > ? AND position <= ? {by_type} {by_text} {by_envelope} ORDER BY position LIMIT ?"
        bound = (*((many(topics),) if topics else ()), *((text, text) if text is not None else ()), *values)
        return self._select(sql, (position, upto, *bound, limit))

    def counted(self, upto: int, topics: Sequence[str], envelopes: Envelopes) -> list[tuple[str, str, str, int]]:
        """Actor, source, type and how many, of the events up to a position that are of these types and envelopes."""
        by_type = f"AND topic IN {MEMBERS}" if topics else ""
        by_envelope, values = _by_envelope(envelopes)
        sql = (
            "SELECT json_extract(state, '$.actor'), json_extract(state, '$.source'), topic, COUNT(*) FROM stored_events "
            f"WHERE position <= ? {by_type} {by_envelope} GROUP BY 1, 2, 3"
        )
        return self._select(sql, (upto, *((many(topics),) if topics else ()), *values))

    def streams(self, stream_ids: Sequence[str], upto: int) -> list[tuple[int, str, int, str, str]]:
        """The rows of several streams' events up to a position, each stream's in their order."""
        sql = f"{_SELECT} WHERE originator_id IN {MEMBERS} AND position <= ? ORDER BY originator_id, originator_version"
        return self._select(sql, (many(stream_ids), upto))

    def stream(self, stream_id: str) -> list[tuple[int, str, int, str, str]]:
        """The rows of a stream's events in their order."""
        return self._select(f"{_SELECT} WHERE originator_id = ? ORDER BY originator_version", (stream_id,))

    def _select(self, sql: str, parameters: Sequence[object]) -> list[Any]:
        with self.datastore.get_connection(commit=False) as connection, connection.cursor() as cursor:
            cursor.row_factory = None
            return cursor.execute(sql, parameters).fetchall()


def _by_envelope(envelopes: Envelopes) -> tuple[str, list[str]]:
    """What the WHERE says of envelopes, and the values in it."""
    conditions = envelopes.conditions()
    return " ".join(f"AND json_extract(state, '$.{name}') {holds} ?" for name, holds, _ in conditions), [value for *_, value in conditions]
