"""Loading the tables of new versions from Arrow: into SQLite by a process of its own, into PostgreSQL by binary COPY.

Why not SQLite in this process: the driver that loads so fast brings a SQLite of its own, and two copies of SQLite in one process
undo each other's locks, because a process that closes a file drops all locks it has on it. It also has the other core to itself.
"""

import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, Protocol

import pyarrow as pa
from adbc_driver_postgresql import dbapi

from readmodels.layout import Layout

WORTH_A_PROCESS: Final = 50_000
"""Events from which on the third of a second that a process takes to start is won back."""
CELLS_AT_ONCE: Final = 100_000
"""Cells that are loaded in one transaction, so that live writers get their turn."""
_PROGRAM: Final = Path(__file__).with_name("loading_program.py")


class LoadFailed(Exception):
    """The database did not take the rows; the message says why."""


class Loader(Protocol):
    """Whoever loads the tables of one build. May be used by several threads."""

    def load(self, layout: Layout, number: int, rows: pa.RecordBatchReader) -> None:
        """Add rows, which are new, to a version's table: all its columns as the database stores them, best in the order of their keys.

        Each batch may be a transaction of its own. Raises LoadFailed.
        """
        ...

    def index(self, layout: Layout, number: int) -> None:
        """Make the secondary indexes of a version's table, each in a transaction of its own. Raises LoadFailed."""
        ...


def rows_at_once(layout: Layout) -> int:
    """Rows of a batch that keeps other writers waiting no longer than they can stand."""
    return max(500, CELLS_AT_ONCE // len(layout.columns))


class SQLiteLoader:
    """Loads by a process, one table after the other."""

    def __init__(self, process: "subprocess.Popen[bytes]", to: IO[bytes], answers: IO[bytes], errors: IO[bytes]) -> None:
        self._process = process
        self._to = to
        self._answers = answers
        self._errors = errors
        self._turn = threading.Lock()
        self._failed = False

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def load(self, layout: Layout, number: int, rows: pa.RecordBatchReader) -> None:
        """Add rows, a transaction for each batch."""
        first = next(iter(rows), None)  # before its turn, so that what makes the rows works while another table is being loaded
        if first is None:
            return
        to: Any = self._to
        with self._turn:
            try:
                to.write(f"load {layout.physical(number)}\n".encode())
                with pa.ipc.new_stream(to, rows.schema) as stream:
                    stream.write_batch(first)
                    for batch in rows:
                        stream.write_batch(batch)
                to.flush()
            except OSError as error:
                raise self._failure() from error
            except BaseException:
                self._process.kill()  # it has a part of the rows and waits for more
                raise
            if not self._answers.readline():
                raise self._failure()

    def index(self, layout: Layout, number: int) -> None:
        """Have indexes made; does not wait for them, as `end` does."""
        with self._turn:
            try:
                for statement in layout.indexing(number):
                    self._to.write(f"run {statement}\n".encode())
                self._to.flush()
            except OSError as error:
                raise self._failure() from error

    def end(self) -> None:
        """Wait until everything is in the file. Raises LoadFailed for what nobody was told yet."""
        with suppress(OSError):  # its end tells why
            self._to.close()
        if not self._failed and self._process.wait():
            raise self._failure()

    def _failure(self) -> LoadFailed:
        self._failed = True
        said = self._errors.read().decode(errors="replace").strip()
        ended = self._process.wait()
        return LoadFailed(f"the lookups could not be loaded ({said.splitlines()[-1] if said else f'the process ended by {ended}'})")


@contextmanager
def sqlite_loader(path: Path, busy_seconds: float) -> Generator[SQLiteLoader]:
    """A process that loads tables of an SQLite file; it ends with the context. Raises LoadFailed."""
    command = [sys.executable, "-P", str(_PROGRAM), str(path), str(busy_seconds)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:  # noqa: S603 - our own program
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise LoadFailed("the process that loads the lookups has no pipes")
        try:
            loader = SQLiteLoader(process, process.stdin, process.stdout, process.stderr)
            yield loader
            loader.end()
        finally:
            process.kill()
            with suppress(OSError):  # what it did not take
                process.stdin.close()


class PostgresLoader:
    """Loads each table by one COPY over a connection of its own; others may write meanwhile, because nobody else knows the table."""

    def __init__(self, url: str, schema: str) -> None:
        self._url = url
        self._schema = schema

    def load(self, layout: Layout, number: int, rows: pa.RecordBatchReader) -> None:
        """Add rows in one transaction."""
        try:
            with dbapi.connect(self._url) as connection, connection.cursor() as cursor:
                cursor.adbc_ingest(layout.physical(number), rows, mode="append", db_schema_name=self._schema)
                connection.commit()
        except dbapi.Error as error:
            raise LoadFailed(f"the lookups could not be loaded ({error})") from error

    def index(self, layout: Layout, number: int) -> None:
        """Make indexes over a connection of its own."""
        try:
            with dbapi.connect(self._url) as connection, connection.cursor() as cursor:
                cursor.execute(f'SET search_path = "{self._schema}"')
                for statement in layout.indexing(number):
                    cursor.execute(statement)
                connection.commit()
        except dbapi.Error as error:
            raise LoadFailed(f"the lookups could not be indexed ({error})") from error
