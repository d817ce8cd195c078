"""The log in PostgreSQL: the library's recorder with positions given out under its table lock, and the rows of a transaction."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final, LiteralString

import pyarrow as pa
from adbc_driver_postgresql import dbapi
from eventsourcing.persistence import Notification
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import Connection, Cursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, TupleRow, tuple_row
from psycopg.sql import SQL, Composed

from bus import arrow
from bus.errors import ForeignLog, LogUnavailable
from bus.transaction import EventRow, PlaceRow, ReceiptRow

SCHEMA: Final = "daybook"
SCHEMA_VERSION: Final = 1
_LOCK_SECONDS: Final = 60
_ADVISORY_LOCK: Final = int.from_bytes(b"DBLG", "big")
_LAST: Final = 2**63 - 1
WORTH_A_CONNECTION: Final = 10_000
"""Events from which on a connection that speaks Arrow is worth opening."""
BY_INDEX: Final[tuple[LiteralString, ...]] = ("SET enable_seqscan = off", "SET enable_bitmapscan = off")

_TABLES: Final[tuple[LiteralString, ...]] = (
    "CREATE SCHEMA daybook",
    "CREATE TABLE daybook.log (schema_version integer NOT NULL)",
    """
    CREATE TABLE daybook.stored_events (
        position bigint PRIMARY KEY,
        originator_id uuid NOT NULL,
        originator_version integer NOT NULL,
        topic text NOT NULL,
        state bytea NOT NULL,
        UNIQUE (originator_id, originator_version)
    )
    """,
    """
    CREATE TABLE daybook.receipts (
        command_id text PRIMARY KEY,
        fingerprint bytea NOT NULL,
        stream_id uuid NOT NULL,
        version integer NOT NULL,
        position bigint NOT NULL,
        events integer NOT NULL
    )
    """,
    "CREATE TABLE daybook.claims (kind text, key text, stream_id uuid NOT NULL, PRIMARY KEY (kind, key))",
    """
    CREATE TABLE daybook.links (
        id bigint GENERATED ALWAYS AS IDENTITY, kind text, key text, stream_id uuid, UNIQUE (kind, key, stream_id)
    )
    """,
)
_SELECT: Final = SQL(
    "SELECT position, originator_id::text, originator_version, topic, convert_from(state, 'UTF8') FROM daybook.stored_events"
)
_HEAD: Final = SQL("SELECT COALESCE(MAX(position), 0) FROM daybook.stored_events")


class Datastore(PostgresDatastore):
    """Connections by URL, all of its parameters kept; the library's insert function, which takes no lock, is never enabled."""

    def __init__(self, url: str) -> None:
        given = {name: value for name, value in conninfo_to_dict(url).items() if value is not None}
        super().__init__(
            dbname=str(given.pop("dbname", "")),
            host=str(given.pop("host", "")),
            port=str(given.pop("port", "")),
            user=str(given.pop("user", "")),
            password=str(given.pop("password", "")),
            pre_ping=True,
            pool_size=1,
            max_overflow=31,
            lock_timeout=_LOCK_SECONDS,
            schema=SCHEMA,
            enable_db_functions=False,
        )
        if isinstance(self.pool.kwargs, dict):
            self.pool.kwargs |= given
        self._only_writer = Lock()

    def after_connect_func(self) -> Callable[[Connection[Any]], None]:
        """All our questions go by an index; fresh statistics lag behind a log that grows fast, and would have it sort everything."""
        configure = super().after_connect_func()

        def go_by_index(connection: Connection[Any]) -> None:
            configure(connection)
            for setting in BY_INDEX:
                connection.execute(setting)

        return go_by_index

    @contextmanager
    def writing(self, lock_statements: Sequence[Any]) -> Generator[Connection[DictRow]]:
        """A transaction that is the only writing one, and committed durably in the end; the writers of this process share a connection."""
        with self._only_writer, self.get_connection() as connection, connection.transaction():
            with connection.pipeline():
                connection.execute("SET LOCAL synchronous_commit = on")
                for statement in lock_statements:
                    connection.execute(statement, prepare=False)
            yield connection


class Recorder(PostgresApplicationRecorder):
    """The library's recorder on our tables: positions without gaps, in the order of commits, as they are given out under its lock."""

    datastore: Datastore

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore)
        kept = [statement for statement in self.sql_create_statements if "CREATE TYPE" in statement.as_string()]
        self.sql_create_statements = [*(SQL(table).format() for table in _TABLES), *kept]
        self.insert_events_statement = SQL(
            "INSERT INTO daybook.stored_events (position, originator_id, originator_version, topic, state) "
            "SELECT ({head}) + place, originator_id, originator_version, topic, state "
            "FROM unnest(%s::daybook.stored_event_uuid[]) WITH ORDINALITY AS new (originator_id, originator_version, topic, state, place) "
            "RETURNING position AS notification_id"
        ).format(head=_HEAD)
        self.max_notification_id_statement = SQL("SELECT MAX(position) FROM daybook.stored_events").format()

    def create_table(self) -> None:
        """Make the tables where there are none. Raises ForeignLog when the schema is another's or newer."""
        with self.datastore.transaction(commit=True) as cursor:
            # Of several processes that begin a log at the same time, one makes the tables.
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))
            if not _is_begun(cursor):
                for statement in self.sql_create_statements:
                    cursor.execute(statement, prepare=False)
                cursor.execute("INSERT INTO daybook.log VALUES (%s)", (SCHEMA_VERSION,))
        self.datastore.register_type_adapters()

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
        chosen = SQL("AND topic = ANY(%s)") if topics else SQL("")
        query = SQL(
            "SELECT originator_id, originator_version, topic, state, position FROM daybook.stored_events "
            "WHERE position BETWEEN %s AND %s {chosen} ORDER BY position LIMIT %s"
        ).format(chosen=chosen)
        parameters = (first, last, *((list(topics),) if topics else ()), limit)
        return [Notification(*row[:3], state=bytes(row[3]), id=row[4]) for row in self._select(query, parameters)]

    def head(self) -> int:
        """The last position, 0 when there is none."""
        return self._select(_HEAD, ())[0][0]

    def after(self, position: int, upto: int, limit: int) -> list[tuple[int, str, int, str, str]]:
        """The rows of events after `position` up to `upto`, at most `limit`."""
        return self._select(_SELECT + SQL(" WHERE position > %s AND position <= %s ORDER BY position LIMIT %s"), (position, upto, limit))

    def stream(self, stream_id: str) -> list[tuple[int, str, int, str, str]]:
        """The rows of a stream's events in their order."""
        return self._select(_SELECT + SQL(" WHERE originator_id = %s::uuid ORDER BY originator_version"), (stream_id,))

    def _select(self, query: SQL | Composed, parameters: Sequence[object]) -> list[Any]:
        with self.datastore.get_connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(query, parameters).fetchall()


def _is_begun(cursor: Cursor[DictRow]) -> bool:
    """Whether the log is there already."""
    question = "SELECT to_regnamespace('daybook') IS NOT NULL AS schema, to_regclass('daybook.log') IS NOT NULL AS log"
    found = cursor.execute(question).fetchone() or {}
    if not found["schema"]:
        return False
    row = cursor.execute("SELECT schema_version FROM daybook.log").fetchone() if found["log"] else None
    if row is None:
        raise ForeignLog("log.foreign", "this database has a schema “daybook” that holds no log; give another database")
    if row["schema_version"] > SCHEMA_VERSION:
        raise ForeignLog("log.newer", "this log was written by a newer version of Daybook; run that one")
    return True


def batches(url: str, after: int, upto: int) -> Iterator[pa.RecordBatch]:
    """The events after position `after` up to `upto` in order, over a connection of its own that speaks Arrow. Raises LogUnavailable."""
    try:
        with dbapi.connect(url) as connection, connection.cursor() as cursor:
            for setting in BY_INDEX:
                cursor.execute(setting)
            cursor.execute(f"{_SELECT.as_string()} WHERE position > {after} AND position <= {upto} ORDER BY position")
            for batch in cursor.fetch_record_batch():
                yield pa.RecordBatch.from_arrays(batch.columns, schema=arrow.SCHEMA)
    except dbapi.Error as error:
        raise LogUnavailable("log.unavailable", f"the log could not be read in bulk ({error})") from error


class PostgresRows:
    """The tables within a writing transaction."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._cursor: Cursor[TupleRow] = connection.cursor(row_factory=tuple_row)

    def head(self) -> int:
        """The last position, 0 when there is none."""
        return self._select(_HEAD)[0][0]

    def streams_since(self, position: int) -> Iterable[str]:
        """The streams with events after `position`."""
        rows = self._select(SQL("SELECT DISTINCT originator_id::text FROM daybook.stored_events WHERE position > %s"), position)
        return (stream for (stream,) in rows)

    def events(self, streams: Sequence[str]) -> Iterable[tuple[str, str, str]]:
        """Stream, type and state of those streams' events, ordered by version within each stream."""
        query = SQL(
            "SELECT originator_id::text, topic, convert_from(state, 'UTF8') FROM daybook.stored_events "
            "WHERE originator_id = ANY(%s::uuid[]) ORDER BY originator_id, originator_version"
        )
        return self._select(query, list(streams))

    def versions(self, streams: Sequence[str]) -> Iterable[tuple[str, int]]:
        """The version of each of those streams that has events."""
        query = SQL(
            "SELECT stream::text, (SELECT MAX(originator_version) FROM daybook.stored_events WHERE originator_id = stream) "
            "FROM unnest(%s::uuid[]) AS asked (stream)"
        )
        return ((stream, version) for stream, version in self._select(query, list(streams)) if version is not None)

    def receipts(self, command_ids: Sequence[str]) -> Iterable[tuple[ReceiptRow, Sequence[str]]]:
        """The receipts of those commands with the ids of their events."""
        query = SQL(
            "SELECT command_id, fingerprint, stream_id::text, version, position, events, ("
            "  SELECT string_agg(substr(convert_from(state, 'UTF8'), 8, 36), ',' ORDER BY position) FROM daybook.stored_events AS event"
            "  WHERE event.position > receipt.position - receipt.events AND event.position <= receipt.position"
            ") FROM daybook.receipts AS receipt WHERE command_id = ANY(%s)"
        )
        for *row, ids in self._select(query, list(command_ids)):
            yield ReceiptRow(*row), ids.split(",") if ids else ()

    def claims(self, kind: str, keys: Sequence[str]) -> Iterable[tuple[str, str]]:
        """Key and stream of the claims of that kind."""
        return self._select(SQL("SELECT key, stream_id::text FROM daybook.claims WHERE kind = %s AND key = ANY(%s)"), kind, list(keys))

    def links(self, kind: str, key: str) -> Iterable[str]:
        """The streams linked to (kind, key), oldest first."""
        rows = self._select(SQL("SELECT stream_id::text FROM daybook.links WHERE kind = %s AND key = %s ORDER BY id"), kind, key)
        return (stream for (stream,) in rows)

    def insert(
        self, events: Sequence[EventRow], receipts: Sequence[ReceiptRow], claims: Sequence[PlaceRow], links: Sequence[PlaceRow]
    ) -> None:
        """Insert all; a link that exists is left as it is."""
        self._copy(SQL("daybook.stored_events"), [(*row[:4], row.state.encode()) for row in events])
        self._copy(SQL("daybook.receipts"), receipts)
        self._copy(SQL("daybook.claims"), claims)
        if links:
            query = SQL(
                "INSERT INTO daybook.links (kind, key, stream_id) SELECT kind, key, stream FROM unnest(%s::text[], %s::text[], %s::uuid[]) "
                "WITH ORDINALITY AS new (kind, key, stream, place) ORDER BY place ON CONFLICT DO NOTHING"
            )
            self._cursor.execute(query, [list(column) for column in zip(*links, strict=True)])

    def _copy(self, table: SQL, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            with self._cursor.copy(SQL("COPY {} FROM STDIN").format(table)) as copy:
                for row in rows:
                    copy.write_row(row)

    def _select(self, query: SQL | Composed, *parameters: object) -> list[Any]:
        return self._cursor.execute(query, parameters).fetchall()
