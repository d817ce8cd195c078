"""The log: the events of all records in one order, in a SQLite file or in PostgreSQL, with the feed that hands them out."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock
from typing import Final, Protocol
from uuid import UUID

import pyarrow as pa

from bus import arrow, bulk, postgres, sqlite
from bus.catalogue import TODAY, Catalogue
from bus.codec import Codec, KeyRing
from bus.envelopes import ANY, Count, Envelopes
from bus.erasures import Erasure
from bus.failures import translated
from bus.postgres_tables import PostgresRows
from bus.sqlite_tables import SQLiteRows
from bus.stored_text import StoredText
from bus.transaction import Rows, Transaction
from bus.waiting import Bell
from domain.envelope import StoredEvent

LAST: Final = 2**63 - 1


class Recorder(Protocol):
    """What both databases' recorders offer to the feed; a row is position, stream, version, type, state."""

    def head(self) -> int: ...
    def after(self, position: int, upto: int, limit: int) -> list[tuple[int, str, int, str, str]]: ...
    def at(self, positions: Sequence[int]) -> list[tuple[int, str, int, str, str]]: ...
    def chosen(
        self, position: int, upto: int, limit: int, topics: Sequence[str], text: str | None, envelopes: Envelopes
    ) -> list[tuple[int, str, int, str, str]]: ...
    def counted(self, upto: int, topics: Sequence[str], envelopes: Envelopes) -> list[tuple[str, str, str, int]]: ...
    def stream(self, stream_id: str) -> list[tuple[int, str, int, str, str]]: ...
    def streams(self, stream_ids: Sequence[str], upto: int) -> list[tuple[int, str, int, str, str]]: ...


class Log(ABC):
    """Fulfils `commands.log.EventLog` and offers the feed; for any number of threads.

    Everything raises LogUnavailable when the database cannot be reached, read or written, and whatever reads events
    raises UnknownEventType or CorruptHistory rather than skip one.
    """

    def __init__(self, recorder: Recorder, keys: KeyRing, catalogue: Catalogue) -> None:
        self._recorder = recorder
        self._keys = keys
        self._codec = Codec(catalogue)
        self._bell = Bell(self.head)
        self._erasing = Lock()
        self._owed: dict[UUID, Erasure] = {}
        self._seen = 0
        """Erasures by events up to here are finished, or owed."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Rows]:
        """The tables within a transaction that is the only writing one; committed durably when left without an exception."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the database; those who wait are woken."""

    @contextmanager
    def transaction(self) -> Generator[Transaction]:
        """Become the only writer; waits for others. Leaving the context commits durably, an exception rolls back."""
        with translated(), self._writing() as rows:
            transaction = Transaction(rows, self._codec, self._keys)
            elsewhere = self._unfinished(transaction) if transaction.head > self._seen else []
            yield transaction
        self._bell.ring(transaction.head)
        self._settle([*elsewhere, *transaction.erased], transaction.head)

    def erased(self) -> list[UUID]:
        """Everybody of whom an event tells that they were erased."""
        with translated(), self._writing() as rows:
            return Transaction(rows, self._codec, self._keys).erased_ever()

    def _unfinished(self, transaction: Transaction) -> list[Erasure]:
        """Erasures by other processes that may have been killed before they finished them."""
        erasures = transaction.erased_since(self._seen)
        unfinished = set(self._keys.unerased([erasure.person for erasure in erasures])) if erasures else set[UUID]()
        return [erasure for erasure in erasures if erasure.person in unfinished]

    def _settle(self, erasures: Sequence[Erasure], head: int) -> None:
        """Do away with the keys of whoever was erased, before anybody is told that it is done; what fails stays owed."""
        with self._erasing:
            self._owed.update({erasure.person: erasure for erasure in erasures})
            self._seen = max(self._seen, head)
            if self._owed:
                self._keys.erase(list(self._owed.values()))
                self._owed.clear()

    def _begin(self) -> None:
        """Bring the tables up to date, and finish erasures that a process that was killed, or a restored copy of the keys, left unfinished."""
        with translated(), self._writing() as rows:
            transaction = Transaction(rows, self._codec, self._keys)
            transaction.hide_claims()
            unfinished = transaction.erasures_of(self._keys.unerased(transaction.erased_ever()))
        self._settle(unfinished, transaction.head)

    def settled(self, name: str, value: str) -> str:  # noqa: ARG002 - a log in a file lies beside what is settled
        """What every process that opens this log holds to under a name: `value`, unless it was something else when there were events."""
        return value

    def head(self) -> int:
        """The last position, 0 for an empty log."""
        with translated():
            return self._recorder.head()

    def read(self, after: int, limit: int) -> list[StoredEvent]:
        """At most `limit` events after position `after`, in order; there are never any to come at or before the last one returned."""
        with translated():
            rows = self._recorder.after(after, LAST, limit)
        return [self._codec.stored(*row) for row in rows]

    def read_texts(self, after: int, limit: int) -> list[StoredText]:
        """The same as the texts that are stored, brought up to today's shape where they are older."""
        with translated():
            rows = self._recorder.after(after, LAST, limit)
        return [
            StoredText(position, stream, version, kind, self._codec.text(kind, state)) for position, stream, version, kind, state in rows
        ]

    def read_at(self, positions: Sequence[int]) -> list[StoredEvent]:
        """The events at these positions, in the order in which they are named."""
        with translated():
            rows = {row[0]: row for row in self._recorder.at(positions)}
        return [self._codec.stored(*rows[position]) for position in positions]

    def choose(
        self,
        after: int,
        upto: int,
        limit: int,
        *,
        types: Sequence[str] = (),
        mentioning: str | None = None,
        envelopes: Envelopes = ANY,
    ) -> list[StoredEvent]:
        """At most `limit` of the events after position `after` up to `upto` that are of `types` (any, where there are none).

        With `mentioning` only those whose stored text holds this text, or whose stream it is the id of; with `envelopes` only such.
        """
        with translated():
            rows = self._recorder.chosen(after, upto, limit, types, mentioning, envelopes)
        return [self._codec.stored(*row) for row in rows]

    def count(self, upto: int, *, types: Sequence[str] = (), envelopes: Envelopes = ANY) -> list[Count]:
        """How many events up to position `upto` everybody recorded, by which door and of which type; of `types` (any, where there are none)."""
        with translated():
            return [Count(*row) for row in self._recorder.counted(upto, types, envelopes)]

    def read_streams(self, stream_ids: Sequence[str], upto: int) -> list[StoredEvent]:
        """Several streams' events up to position `upto`, each stream's in order."""
        with translated():
            rows = self._recorder.streams(stream_ids, upto)
        return [self._codec.stored(*row) for row in rows]

    def read_stream(self, stream_id: UUID) -> list[StoredEvent]:
        """A stream's events in order; none when there is no such stream."""
        with translated():
            rows = self._recorder.stream(str(stream_id))
        return [self._codec.stored(*row) for row in rows]

    def wait(self, after: int, timeout: float) -> bool:
        """Whether there are events after position `after`, as soon as there are or after `timeout` seconds.

        Appends of this process wake at once, those of others are noticed within about 20 ms.
        """
        return self._bell.wait(after, timeout)

    def arrow(self, after: int, upto: int) -> pa.RecordBatchReader:
        """The events after position `after` up to `upto` as batches of `bus.arrow.SCHEMA`, in order and in today's shapes."""
        return arrow.reader(self._batches(after, upto), self._codec)

    def _batches(self, after: int, upto: int) -> Iterator[pa.RecordBatch]:
        while after < upto:
            with translated():
                rows = self._recorder.after(after, upto, arrow.BATCH_ROWS)
            if not rows:
                return
            yield arrow.batch_of(rows)
            after = rows[-1][0]


class SQLiteLog(Log):
    """A log in a file, begun when there is none. Raises ForeignLog for a file that is no log or a newer one."""

    def __init__(self, path: str | Path, vault: KeyRing, *, catalogue: Catalogue = TODAY) -> None:
        self._path = str(path)
        with translated():
            self._datastore = sqlite.Datastore(self._path)
        recorder = sqlite.Recorder(self._datastore)
        super().__init__(recorder, vault, catalogue)
        try:
            with translated():
                recorder.create_table()
            self._begin()
        except BaseException:
            self._datastore.close()
            raise

    @contextmanager
    def _writing(self) -> Generator[SQLiteRows]:
        with self._datastore.transaction(commit=True) as cursor:
            yield SQLiteRows(cursor.sqlite_cursor)

    def _batches(self, after: int, upto: int) -> Iterator[pa.RecordBatch]:
        upto = min(upto, self.head())
        if upto - after < bulk.WORTH_A_PROCESS:
            return super()._batches(after, upto)
        return bulk.from_sqlite(self._path, after, upto)

    def close(self) -> None:
        """Let go of the file; those who wait are woken."""
        self._bell.silence()
        self._datastore.close()


class PostgresLog(Log):
    """A log in the schema `daybook` of a database, begun when there is none. Raises ForeignLog when that schema is another's or newer."""

    def __init__(self, url: str, vault: KeyRing, *, catalogue: Catalogue = TODAY) -> None:
        self._url = url
        self._datastore = postgres.Datastore(url)
        try:
            with translated():
                self._rows = postgres.Recorder(self._datastore)
                self._rows.create_table()
        except BaseException:
            self._datastore.close()
            raise
        super().__init__(self._rows, vault, catalogue)
        try:
            self._begin()
        except BaseException:
            self._datastore.close()
            raise

    @contextmanager
    def _writing(self) -> Generator[PostgresRows]:
        with self._datastore.writing(self._rows.lock_table_statements) as connection:
            yield PostgresRows(connection)

    def _batches(self, after: int, upto: int) -> Iterator[pa.RecordBatch]:
        if upto - after < bulk.WORTH_A_CONNECTION:
            return super()._batches(after, upto)
        return bulk.from_postgres(self._url, after, upto)

    def settled(self, name: str, value: str) -> str:
        """What every process that opens this log holds to under a name: `value`, unless it was something else when there were events."""
        with translated():
            return self._rows.settled(name, value)

    def close(self) -> None:
        """Let go of the connections; those who wait are woken."""
        self._bell.silence()
        self._datastore.close()


def open_log(place: str | Path, vault: KeyRing, *, catalogue: Catalogue = TODAY) -> Log:
    """The log at a path (SQLite file) or `postgresql://…` address, begun when there is none. Raises ForeignLog or LogUnavailable."""
    address = str(place)
    if address.startswith(("postgresql://", "postgres://")):
        return PostgresLog(address, vault, catalogue=catalogue)
    return SQLiteLog(address, vault, catalogue=catalogue)
