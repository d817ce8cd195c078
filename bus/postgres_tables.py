"""The tables of a log in PostgreSQL, and what a writing transaction reads from and inserts into them."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, LiteralString, cast

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow, tuple_row
from psycopg.sql import SQL, Composed

from bus.transaction import EventRow, PlaceRow, ReceiptRow

TABLES: Final[tuple[LiteralString, ...]] = (
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
HEAD: Final = SQL("SELECT COALESCE(MAX(position), 0) FROM daybook.stored_events")


class PostgresRows:
    """The tables within a writing transaction."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._cursor: Cursor[TupleRow] = connection.cursor(row_factory=tuple_row)

    def head(self) -> int:
        """The last position, 0 when there is none."""
        return self._select(HEAD)[0][0]

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

    def of_types(self, types: Sequence[str], after: int) -> Iterable[tuple[str, str, str]]:
        """Stream, type and state of the events of those types after a position, in order."""
        query = SQL(
            "SELECT originator_id::text, topic, convert_from(state, 'UTF8') FROM daybook.stored_events "
            "WHERE position > %s AND topic = ANY(%s) ORDER BY position"
        )
        return self._select(query, after, list(types))

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
            yield cast("ReceiptRow", tuple(row)), ids.split(",") if ids else ()

    def claims(self, kind: str, keys: Sequence[str]) -> Iterable[tuple[str, str]]:
        """Key and stream of the claims of that kind."""
        return self._select(SQL("SELECT key, stream_id::text FROM daybook.claims WHERE kind = %s AND key = ANY(%s)"), kind, list(keys))

    def links(self, kind: str, key: str) -> Iterable[str]:
        """The streams linked to (kind, key), oldest first."""
        rows = self._select(SQL("SELECT stream_id::text FROM daybook.links WHERE kind = %s AND key = %s ORDER BY id"), kind, key)
        return (stream for (stream,) in rows)

    def schema_version(self) -> int:
        """Which version the tables are in."""
        return self._select(SQL("SELECT schema_version FROM daybook.log"))[0][0]

    def mark(self, schema_version: int) -> None:
        """Say that the tables are in this version now."""
        self._cursor.execute(SQL("UPDATE daybook.log SET schema_version = %s"), (schema_version,))

    def all_claims(self) -> Iterable[PlaceRow]:
        """Every claim."""
        return self._select(SQL("SELECT kind, key, stream_id::text FROM daybook.claims"))

    def replace_claims(self, claims: Sequence[PlaceRow]) -> None:
        """Have these claims in the place of all."""
        self._cursor.execute(SQL("DELETE FROM daybook.claims"))
        self._copy(SQL("daybook.claims"), claims)

    def insert(
        self, events: Sequence[EventRow], receipts: Sequence[ReceiptRow], claims: Sequence[PlaceRow], links: Sequence[PlaceRow]
    ) -> None:
        """Insert all; a link that exists is left as it is."""
        self._copy(SQL("daybook.stored_events"), [(*row, state.encode()) for *row, state in events])
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
