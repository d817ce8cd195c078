"""The log in PostgreSQL: the library's recorder with positions given out under its table lock."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final, LiteralString

from eventsourcing.persistence import Notification
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import Connection, Cursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, tuple_row
from psycopg.sql import SQL, Composed, Literal

from bus.envelopes import ANY, Envelopes
from bus.errors import ForeignLog
from bus.network import patient
from bus.postgres_tables import HEAD, TABLES

SCHEMA: Final = "daybook"
SCHEMA_VERSION: Final = 2
_LOCK_SECONDS: Final = 60
SILENT_SECONDS = 30
"""So long PostgreSQL waits for the next word of a writer, whom all others wait for; then it rolls back."""
_ADVISORY_LOCK: Final = int.from_bytes(b"DBLG", "big")
_LAST: Final = 2**63 - 1
BY_INDEX: Final[tuple[LiteralString, ...]] = ("SET enable_seqscan = off", "SET enable_bitmapscan = off")

SELECT: Final = SQL(
    "SELECT position, originator_id::text, originator_version, topic, convert_from(state, 'UTF8') FROM daybook.stored_events"
)


class Datastore(PostgresDatastore):
    """Connections by URL, all of its parameters kept; the library's insert function, which takes no lock, is never enabled."""

    def __init__(self, url: str) -> None:
        given = {name: value for name, value in conninfo_to_dict(patient(url)).items() if value is not None}
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
                connection.execute(SQL("SET LOCAL idle_in_transaction_session_timeout = {}").format(1000 * SILENT_SECONDS))
                for statement in lock_statements:
                    connection.execute(statement, prepare=False)
            yield connection


class Recorder(PostgresApplicationRecorder):
    """The library's recorder on our tables: positions without gaps, in the order of commits, as they are given out under its lock."""

    datastore: Datastore

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore)
        kept = [statement for statement in self.sql_create_statements if "CREATE TYPE" in statement.as_string()]
        self.sql_create_statements = [*(SQL(table).format() for table in TABLES), *kept]
        self.insert_events_statement = SQL(
            "INSERT INTO daybook.stored_events (position, originator_id, originator_version, topic, state) "
            "SELECT ({head}) + place, originator_id, originator_version, topic, state "
            "FROM unnest(%s::daybook.stored_event_uuid[]) WITH ORDINALITY AS new (originator_id, originator_version, topic, state, place) "
            "RETURNING position AS notification_id"
        ).format(head=HEAD)
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

    def settled(self, name: str, value: str) -> str:
        """What is held to under a name: `value`, unless something else was when the first event was written."""
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))
            cursor.execute("CREATE TABLE IF NOT EXISTS daybook.settled (name text PRIMARY KEY, value text NOT NULL)")
            cursor.execute(
                SQL(
                    "INSERT INTO daybook.settled AS known VALUES (%s, %s) "
                    "ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE ({head}) = 0"
                ).format(head=HEAD),
                (name, value),
            )
            row = cursor.execute("SELECT value FROM daybook.settled WHERE name = %s", (name,)).fetchone()
        return str(row["value"]) if row else value

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
        return self._select(HEAD, ())[0][0]

    def after(self, position: int, upto: int, limit: int) -> list[tuple[int, str, int, str, str]]:
        """The rows of events after `position` up to `upto`, at most `limit`."""
        return self._select(SELECT + SQL(" WHERE position > %s AND position <= %s ORDER BY position LIMIT %s"), (position, upto, limit))

    def at(self, positions: Sequence[int]) -> list[tuple[int, str, int, str, str]]:
        """The rows of events at these positions, in no order."""
        return self._select(SELECT + SQL(" WHERE position = ANY(%s)"), (list(positions),))

    def chosen(
        self, position: int, upto: int, limit: int, topics: Sequence[str], text: str | None, envelopes: Envelopes = ANY
    ) -> list[tuple[int, str, int, str, str]]:
        """The same of these types only (any, where there are none), only those whose state or stream holds `text`, and of such envelopes."""
        by_type = SQL("AND topic = ANY(%s)") if topics else SQL("")
        by_text = SQL("AND (position(%s::bytea IN state) > 0 OR originator_id::text = %s)") if text is not None else SQL("")
        by_envelope, values = _by_envelope(envelopes)
        where = SQL(" WHERE position > %s AND position <= %s {by_type} {by_text} {by_envelope} ORDER BY position LIMIT %s")
        bound = (*((list(topics),) if topics else ()), *((text.encode(), text) if text is not None else ()), *values)
        query = SELECT + where.format(by_type=by_type, by_text=by_text, by_envelope=by_envelope)
        return self._select(query, (position, upto, *bound, limit))

    def counted(self, upto: int, topics: Sequence[str], envelopes: Envelopes) -> list[tuple[str, str, str, int]]:
        """Actor, source, type and how many, of the events up to a position that are of these types and envelopes."""
        by_type = SQL("AND topic = ANY(%s)") if topics else SQL("")
        by_envelope, values = _by_envelope(envelopes)
        query = SQL(
            "SELECT {actor}, {source}, topic, COUNT(*) FROM daybook.stored_events WHERE position <= %s {by_type} {by_envelope} GROUP BY 1, 2, 3"
        ).format(actor=_said("actor"), source=_said("source"), by_type=by_type, by_envelope=by_envelope)
        return self._select(query, (upto, *((list(topics),) if topics else ()), *values))

    def streams(self, stream_ids: Sequence[str], upto: int) -> list[tuple[int, str, int, str, str]]:
        """The rows of several streams' events up to a position, each stream's in their order."""
        where = SQL(" WHERE originator_id = ANY(%s::uuid[]) AND position <= %s ORDER BY originator_id, originator_version")
        return self._select(SELECT + where, (list(stream_ids), upto))

    def stream(self, stream_id: str) -> list[tuple[int, str, int, str, str]]:
        """The rows of a stream's events in their order."""
        return self._select(SELECT + SQL(" WHERE originator_id = %s::uuid ORDER BY originator_version"), (stream_id,))

    def _select(self, query: SQL | Composed, parameters: Sequence[object]) -> list[Any]:
        with self.datastore.get_connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(query, parameters).fetchall()


def _said(name: str) -> Composed:
    """What the envelope says under a name."""
    return SQL("(convert_from(state, 'UTF8')::json ->> {name})").format(name=Literal(name))


def _by_envelope(envelopes: Envelopes) -> tuple[Composed, list[str]]:
    """What the WHERE says of envelopes, and the values in it."""
    conditions = envelopes.conditions()
    said = [SQL('AND {name} COLLATE "C" {holds} %s').format(name=_said(name), holds=SQL(holds)) for name, holds, _ in conditions]
    return SQL(" ").join(said), [value for *_, value in conditions]


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
