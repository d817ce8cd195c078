"""Where wrapped keys lie: a SQLite file of their own, or a schema of their own in PostgreSQL; apart from the log and its backups."""

import sqlite3
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg

from bus.erasures import ErasureList
from bus.errors import LogUnavailable
from bus.network import patient
from bus.stamp import Stamp
from bus.vault import KeyStore, Vault

_STAMP: Final = Stamp(b"DBKY", 1, "key store")
_BUSY_SECONDS: Final = 30.0
_CHUNK: Final = 500
_LOOK_AGAIN: Final = 0.01
_SEARCHED: Final = 8
"""Deleted keys that are searched for in the file; for more of them it is written anew at once."""
_ADVISORY_LOCK: Final = int.from_bytes(_STAMP.letters, "big")


def open_vault(place: str | Path, master: bytes, *, erasures: ErasureList | None = None) -> Vault:
    """The vault at a path (SQLite file) or `postgresql://…` address, begun when there is none, without the keys of whoever is on the list.

    Raises WrongMasterKey, ForeignLog or LogUnavailable.
    """
    address = str(place)
    store: KeyStore = PostgresKeyStore(address) if address.startswith(("postgresql://", "postgres://")) else SQLiteKeyStore(address)
    try:
        return Vault(store, master, erasures=erasures)
    except BaseException:
        store.close()
        raise


@contextmanager
def _available() -> Generator[None]:
    try:
        yield
    except (sqlite3.Error, psycopg.Error) as error:
        raise LogUnavailable("keys.unavailable", f"the keys of persons could not be read or written ({error})") from error


class SQLiteKeyStore:
    """Keys in a file; deleted ones are overwritten in the file and its write-ahead log. Use it from one thread at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        with _available():
            self._connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                self._begin()
            except BaseException:
                self._connection.close()
                raise

    def _begin(self) -> None:
        connection = self._connection
        _STAMP.check(connection)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")
        with self._writing():
            connection.execute("CREATE TABLE IF NOT EXISTS persons (person BLOB PRIMARY KEY, wrapped BLOB) WITHOUT ROWID")
            connection.execute("CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
            connection.execute("INSERT OR IGNORE INTO facts VALUES ('deletions', 0)")
            _STAMP.put(connection)
        self._clean()

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        with _available():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def root(self, proposed: bytes) -> bytes:
        """The store's own wrapped secret; `proposed` becomes it in a new store."""
        with self._writing() as connection:
            connection.execute("INSERT OR IGNORE INTO facts VALUES ('root', ?)", (proposed,))
            return bytes(connection.execute("SELECT value FROM facts WHERE name = 'root'").fetchone()[0])

    def find(self, persons: Sequence[bytes]) -> Mapping[bytes, bytes | None]:
        """The wrapped keys of those persons that have or had one."""
        with _available():
            return self._find(persons)

    def _find(self, persons: Sequence[bytes]) -> dict[bytes, bytes | None]:
        found: dict[bytes, bytes | None] = {}
        for start in range(0, len(persons), _CHUNK):
            chunk = persons[start : start + _CHUNK]
            marks = ",".join("?" * len(chunk))
            found.update(self._connection.execute(f"SELECT person, wrapped FROM persons WHERE person IN ({marks})", chunk))
        return found

    def add(self, keys: Mapping[bytes, bytes]) -> Mapping[bytes, bytes | None]:
        """Store keys durably for persons that have none yet; what holds for each person now."""
        with self._writing() as connection:
            before = connection.total_changes
            connection.executemany("INSERT OR IGNORE INTO persons VALUES (?, ?)", keys.items())
            all_new = connection.total_changes - before == len(keys)
            return dict(keys) if all_new else self._find(list(keys))

    def delete(self, persons: Sequence[bytes]) -> None:
        """Overwrite the persons' keys in the file and its write-ahead log, and keep in mind that there shall be none again."""
        with _available():
            wrapped = [key for key in self._find(persons).values() if key is not None]
        with self._writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO persons VALUES (?, NULL)", [(person,) for person in persons])
            connection.execute("UPDATE facts SET value = value + ? WHERE name = 'deletions'", (len(persons),))
            connection.execute("INSERT OR REPLACE INTO facts VALUES ('unclean', 1)")
        with _available():
            self._clean(wrapped)

    def _clean(self, deleted: Sequence[bytes] = ()) -> None:
        """See to it that no copy of deleted keys is left: in the write-ahead log, or in what is free of pages that were split."""
        unclean = self._connection.execute("SELECT value FROM facts WHERE name = 'unclean'").fetchone()
        if unclean is None or unclean[0] == 0:
            return
        self._checkpoint()
        if not 0 < len(deleted) <= _SEARCHED or self._holds(deleted):
            self._connection.execute("VACUUM")
            self._checkpoint()
        self._connection.execute("UPDATE facts SET value = 0 WHERE name = 'unclean'")

    def _checkpoint(self) -> None:
        """Bring the write-ahead log into the file and empty it; waits for whoever reads, or does the same."""
        give_up_at = time.monotonic() + _BUSY_SECONDS
        while self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > give_up_at:
                raise sqlite3.OperationalError("another process keeps reading the keys")
            time.sleep(_LOOK_AGAIN)

    def _holds(self, keys: Sequence[bytes]) -> bool:
        """Whether the file holds any of these, anywhere."""
        with Path(self._path).open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as contents:
            return any(contents.find(key) >= 0 for key in keys)

    def deletions(self) -> int:
        """A number that grows with every deletion."""
        with _available():
            return int(self._connection.execute("SELECT value FROM facts WHERE name = 'deletions'").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class PostgresKeyStore:
    """Keys in the schema `daybook_keys`; use it from one thread at a time. A lost connection is opened again with the next call."""

    def __init__(self, url: str) -> None:
        self._url = patient(url)
        self._connection: psycopg.Connection | None = None
        with self._writing() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))
            connection.execute("CREATE SCHEMA IF NOT EXISTS daybook_keys")
            connection.execute("CREATE TABLE IF NOT EXISTS daybook_keys.persons (person bytea PRIMARY KEY, wrapped bytea)")
            connection.execute("CREATE TABLE IF NOT EXISTS daybook_keys.facts (name text PRIMARY KEY, secret bytea, number bigint)")
            connection.execute("INSERT INTO daybook_keys.facts VALUES ('deletions', NULL, 0) ON CONFLICT DO NOTHING")

    @contextmanager
    def _writing(self) -> Generator[psycopg.Connection]:
        with _available():
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(self._url)
            with self._connection.transaction():
                yield self._connection

    def root(self, proposed: bytes) -> bytes:
        """The store's own wrapped secret; `proposed` becomes it in a new store."""
        with self._writing() as connection:
            connection.execute("INSERT INTO daybook_keys.facts VALUES ('root', %s, 0) ON CONFLICT DO NOTHING", (proposed,))
            return bytes(self._fact(connection, "SELECT secret FROM daybook_keys.facts WHERE name = 'root'"))

    def find(self, persons: Sequence[bytes]) -> Mapping[bytes, bytes | None]:
        """The wrapped keys of those persons that have or had one."""
        with self._writing() as connection:
            return self._find(connection, persons)

    @staticmethod
    def _find(connection: psycopg.Connection, persons: Sequence[bytes]) -> dict[bytes, bytes | None]:
        rows = connection.execute("SELECT person, wrapped FROM daybook_keys.persons WHERE person = ANY(%s)", (list(persons),))
        return {bytes(person): None if wrapped is None else bytes(wrapped) for person, wrapped in rows}

    def add(self, keys: Mapping[bytes, bytes]) -> Mapping[bytes, bytes | None]:
        """Store keys durably for persons that have none yet; what holds for each person now."""
        with self._writing() as connection:
            connection.execute("SET LOCAL synchronous_commit = on")
            added = connection.execute(
                "INSERT INTO daybook_keys.persons SELECT * FROM unnest(%s::bytea[], %s::bytea[]) ON CONFLICT DO NOTHING",
                (list(keys), list(keys.values())),
            )
            return dict(keys) if added.rowcount == len(keys) else self._find(connection, list(keys))

    def delete(self, persons: Sequence[bytes]) -> None:
        """Delete the persons' keys, and keep in mind that there shall be none again; the table's files are written anew without them."""
        with self._writing() as connection:
            connection.execute("SET LOCAL synchronous_commit = on")
            connection.execute(
                "INSERT INTO daybook_keys.persons SELECT person, NULL FROM unnest(%s::bytea[]) AS erased (person) "
                "ON CONFLICT (person) DO UPDATE SET wrapped = NULL",
                (list(dict.fromkeys(persons)),),
            )
            connection.execute("UPDATE daybook_keys.facts SET number = number + %s WHERE name = 'deletions'", (len(persons),))
        with _available(), psycopg.connect(self._url, autocommit=True) as connection:
            # Whoever wants a key waits behind this; while a dump is being taken it gives up, and the erasure stays owed.
            connection.execute("SET lock_timeout = '5s'")
            connection.execute("VACUUM (FULL) daybook_keys.persons")

    def deletions(self) -> int:
        """A number that grows with every deletion."""
        with self._writing() as connection:
            return int(self._fact(connection, "SELECT number FROM daybook_keys.facts WHERE name = 'deletions'"))

    @staticmethod
    def _fact(connection: psycopg.Connection, query: LiteralString) -> Any:
        row = connection.execute(query).fetchone()
        return row[0] if row else None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
