"""Copies of what the log and the keys are stored in, each of one moment, taken while others read and write."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, LiteralString
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg

from bus.errors import LogUnavailable
from bus.failures import translated
from domain.errors import DaybookError

Progress = Callable[[int, int], None]
"""Told how many bytes of how many are copied."""

_PAGES: Final = 2048
"""Pages that are copied at a time."""
_COUNTS: Final[Mapping[str, LiteralString]] = {
    "events": "SELECT count(*) FROM {}stored_events",
    "receipts": "SELECT count(*) FROM {}receipts",
    "claims": "SELECT count(*) FROM {}claims",
    "links": "SELECT count(*) FROM {}links",
}
_HEAD: Final[LiteralString] = "SELECT COALESCE(MAX(position), 0) FROM {}stored_events"
_SAID: Final = 2000
"""Characters of what a tool said that are passed on."""


class ToolFailed(DaybookError):
    """A tool of PostgreSQL is not there (`backup.tool_missing`) or did not do what it should (`backup.tool_failed`)."""


def copy_file(source: Path, target: Path, progress: Progress | None = None) -> None:
    """Copy a SQLite database as it is now to a file that is not there yet; nobody waits for that, and what is written meanwhile is not in it.

    The copy is durable and one file, with no write-ahead log. Raises LogUnavailable.
    """

    def copied(_status: int, remaining: int, total: int) -> None:
        if progress is not None:
            progress((total - remaining) * size, total * size)

    with (
        translated(),
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=30)) as there,
        closing(sqlite3.connect(target, isolation_level=None)) as here,
    ):
        # The read transaction holds the moment; without it the copy would begin again with every write of another process.
        there.execute("BEGIN")
        size = there.execute("PRAGMA page_size").fetchone()[0]
        there.execute("SELECT count(*) FROM sqlite_master").fetchone()
        there.backup(here, pages=_PAGES, progress=copied)
        there.execute("ROLLBACK")
        here.execute("PRAGMA journal_mode = DELETE").fetchone()
    sync(target)


def counted(file: Path) -> tuple[int, dict[str, int]]:
    """The last position of a log that lies in a file, and how many of each there are. Raises LogUnavailable."""
    with translated(), closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:

        def one(question: str) -> int:
            return connection.execute(question.format("")).fetchone()[0]

        return one(_HEAD), {name: one(question) for name, question in _COUNTS.items()}


def unharmed(file: Path) -> str | None:
    """What SQLite finds wrong within a file; None when it is whole."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return str(error)
    return None if found == "ok" else found


def counted_there(url: str) -> tuple[int, dict[str, int]]:
    """The same of a log in PostgreSQL."""
    with translated(), psycopg.connect(url, autocommit=True) as connection:
        return _counted_in(connection)


def _counted_in(connection: psycopg.Connection) -> tuple[int, dict[str, int]]:
    def one(question: LiteralString) -> int:
        row: Any = connection.execute(question.replace("{}", "daybook.")).fetchone()
        return row[0]

    return one(_HEAD), {name: one(question) for name, question in _COUNTS.items()}


class Tools:
    """The programs of PostgreSQL that copy a database, in `folder` or else on PATH."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def dump_log(self, url: str, target: Path) -> tuple[int, dict[str, int]]:
        """Copy the schema `daybook` as it is at one moment; its last position and how many of each there are then. Raises ToolFailed."""
        with _snapshot(url) as (connection, snapshot):
            found = _counted_in(connection)
            self._dump(url, target, "daybook", "--snapshot", snapshot)
        return found

    def dump_keys(self, url: str, target: Path) -> None:
        """Copy the schema `daybook_keys`. Raises ToolFailed."""
        self._dump(url, target, "daybook_keys")

    def dump_webhooks(self, url: str, target: Path) -> None:
        """Copy the schema `webhooks`. Raises ToolFailed."""
        self._dump(url, target, "webhooks")

    def _dump(self, url: str, target: Path, schema: str, *more: str) -> None:
        form = ("--format", "custom", "--no-owner", "--no-privileges", "--schema", schema, "--file", str(target))
        self._run("pg_dump", url, *form, *more)
        sync(target)

    def restore(self, source: Path, url: str) -> None:
        """Put what was copied into a database that does not have that schema, all or nothing. Raises ToolFailed."""
        self._run("pg_restore", url, "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", str(source))

    def readable(self, source: Path) -> bool:
        """Whether what was copied can be put back, as far as its table of contents tells. Raises ToolFailed `backup.tool_missing`."""
        program = self._program("pg_restore")
        done = subprocess.run([program, "--list", str(source)], stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603 - found by its name, given no shell
        return done.returncode == 0

    def _program(self, name: str) -> str:
        program = shutil.which(name, path=str(self._folder) if self._folder else None)
        if program is None:
            where = f"in {self._folder}" if self._folder else "on PATH"
            raise ToolFailed("backup.tool_missing", f"{name} is not {where}; install PostgreSQL's client, or set DAYBOOK_POSTGRES_TOOLS")
        return program

    def _run(self, name: str, url: str, *arguments: str) -> None:
        """Run a tool; the password goes by its environment, where no other user sees it."""
        program = self._program(name)
        address, password = without_password(url)
        environment = {**os.environ, **({"PGPASSWORD": password} if password else {})}
        command = [program, "--dbname", address, *arguments]
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603 - found by its name, given no shell
        if done.returncode:
            raise ToolFailed("backup.tool_failed", f"{name} ended with {done.returncode}: {done.stderr.strip()[-_SAID:]}")


@contextmanager
def _snapshot(url: str) -> Generator[tuple[psycopg.Connection, str]]:
    with translated(), psycopg.connect(url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        yield connection, str(row[0]) if row else ""


def has_schema(url: str, schema: str) -> bool:
    """Whether a database has a schema of that name. Raises LogUnavailable."""
    with translated(), psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT to_regnamespace(%s) IS NOT NULL", (schema,)).fetchone()
        return bool(row and row[0])


def keys_there(url: str) -> int:
    """How many persons have a key in PostgreSQL. Raises LogUnavailable."""
    with translated(), psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM daybook_keys.persons WHERE wrapped IS NOT NULL").fetchone()
        return int(row[0]) if row else 0


def keys_in(file: Path) -> int:
    """How many persons have a key in a file. Raises LogUnavailable."""
    with translated(), closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT count(*) FROM persons WHERE wrapped IS NOT NULL").fetchone()[0]


def without_password(url: str) -> tuple[str, str | None]:
    """An address as it may be seen, and the password that was in it."""
    parts = urlsplit(url)
    if parts.password is None:
        return url, None
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}@{host}")), unquote(parts.password)


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LogUnavailable("log.unavailable", f"{path} could not be written ({error.strerror})") from error


def is_address(place: str | Path) -> bool:
    """Whether this is the address of a database, not a file."""
    return str(place).startswith(("postgresql://", "postgres://"))
