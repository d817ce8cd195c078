"""Being the only process that publishes a log: a lock in its database, or beside its file. Whoever loses it has to stop."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

import psycopg

from bus.errors import PublisherRunning
from bus.failures import translated

ADVISORY_LOCK: Final = int.from_bytes(b"DBPB", "big")
CONNECT_SECONDS: Final = 10
KEEPALIVE: Final = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
"""PostgreSQL lets go of the lock of a machine that has vanished, so that another one can publish soon."""
RUNNING: Final = "another process publishes this log; stop it, or let it"


class PublisherLock(Protocol):
    """Held while a publisher runs."""

    def __enter__(self) -> Self:
        """Take it. Raises PublisherRunning `publisher.running` when another process has it."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let go of it."""
        ...

    def verify(self) -> None:
        """See that it is still held. Raises PublisherRunning `publisher.replaced` or LogUnavailable when it is not."""
        ...


class FileLock:
    """A lock on a file; the system frees it however the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Take it."""
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise PublisherRunning("publisher.running", RUNNING) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let go of it."""
        os.close(self._descriptor)

    def verify(self) -> None:
        """The file must still be the one that is locked: another one in its place could be locked by others."""
        try:
            there = os.stat(self._path)  # noqa: PTH116 - beside fstat
        except FileNotFoundError:
            there = None
        ours = os.fstat(self._descriptor)
        if there is None or (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            raise PublisherRunning("publisher.replaced", f"the lock file {self._path} was taken away")


class PostgresLock:
    """A lock that the database holds for a connection, for as long as that lasts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None

    def __enter__(self) -> Self:
        """Take it."""
        with translated():
            connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=CONNECT_SECONDS, keepalives_idle=5, keepalives_interval=2, options=KEEPALIVE
            )
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (ADVISORY_LOCK,)).fetchone()
        if row is None or not row[0]:
            connection.close()
            raise PublisherRunning("publisher.running", RUNNING)
        self._connection = connection
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let go of it."""
        if self._connection is not None:
            # The database notices only a moment later that a connection was closed.
            with suppress(psycopg.Error):
                self._connection.execute("SELECT pg_advisory_unlock(%s)", (ADVISORY_LOCK,))
            self._connection.close()

    def verify(self) -> None:
        """The connection must still be there: the lock goes with it."""
        with translated():
            if self._connection is not None:
                self._connection.execute("SELECT 1")


def publisher_lock(log_url: str | None, path: Path) -> PublisherLock:
    """The lock of the log at a `postgresql://…` address, or of one in a file, with the lock at a path beside it."""
    return PostgresLock(log_url) if log_url else FileLock(path)
