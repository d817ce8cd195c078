"""What storage libraries raise, told in our own terms."""

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import psycopg
from eventsourcing import persistence

from bus.errors import ConcurrencyConflict, LogFull, LogUnavailable
from domain.errors import DaybookError

_SQLITE = {
    sqlite3.SQLITE_BUSY: ("log.locked", "another process has kept the log locked for too long"),
    sqlite3.SQLITE_LOCKED: ("log.locked", "another process has kept the log locked for too long"),
    sqlite3.SQLITE_READONLY: ("log.unavailable", "the log's file may not be written"),
}
_CONFLICTS = {
    "stored_events": ("conflict.version", "a stream is not at the expected version"),
    "claims": ("conflict.claim", "what was claimed belongs to another record already"),
    "receipts": ("conflict.command", "a command with this id has been accepted before"),
}


@contextmanager
def translated() -> Generator[None]:
    """Raises ConcurrencyConflict or LogUnavailable instead of what the storage libraries raise."""
    try:
        yield
    except (sqlite3.Error, psycopg.Error, persistence.PersistenceError, persistence.ConnectionPoolClosedError) as error:
        raise translation(error) from error


def translation(error: BaseException) -> DaybookError:
    """The error of ours that says what a storage library's error means."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, sqlite3.IntegrityError | psycopg.IntegrityError | persistence.IntegrityError):
            return _conflict(str(cause))
        if isinstance(cause, sqlite3.Error) and (code := getattr(cause, "sqlite_errorcode", None)) is not None:
            if code & 0xFF == sqlite3.SQLITE_FULL:
                return LogFull(f"the disk is full ({cause})")
            slug, meaning = _SQLITE.get(code & 0xFF, ("log.unavailable", "the log could not be read or written"))
            return LogUnavailable(slug, f"{meaning} ({cause})")
        if isinstance(cause, psycopg.errors.LockNotAvailable):
            return LogUnavailable("log.locked", f"another process has kept the log locked for too long ({cause})")
        if isinstance(cause, psycopg.errors.DiskFull):
            return LogFull(f"the disk is full ({cause})")
        if isinstance(cause, persistence.ConnectionPoolClosedError):
            return LogUnavailable("log.closed", "the log was closed")
    return LogUnavailable("log.unavailable", f"the log could not be read or written ({error})")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _conflict(message: str) -> ConcurrencyConflict:
    for table, (code, meaning) in _CONFLICTS.items():
        if table in message:
            return ConcurrencyConflict(code, meaning)
    return ConcurrencyConflict("conflict.version", message)
