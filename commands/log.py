"""The port through which commands reach the log; `bus` fulfils it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.commit import ERASED, Claim, Commit, Link, StoredReceipt
from domain.event import Event

__all__ = ["ERASED", "Claim", "Commit", "EventLog", "Link", "LogTransaction", "StoredReceipt"]


class LogTransaction(Protocol):
    """The log while we are its only writer; leaving the context commits durably, an exception rolls back."""

    @property
    def head(self) -> int:
        """The last position, 0 for an empty log."""
        ...

    def streams_since(self, position: int) -> set[UUID]:
        """The streams that have events after `position`."""
        ...

    def load(self, stream_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[tuple[Event, datetime]]]:
        """Each stream's events in order with their occurred_at (personal fields as ciphertext); streams without events are left out."""
        ...

    def receipts(self, command_ids: Sequence[str]) -> Mapping[str, StoredReceipt]:
        """The receipts of those of the commands that have been accepted before."""
        ...

    def claimed(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], UUID]:
        """Who holds each (kind, key); unclaimed ones are left out."""
        ...

    def linked(self, kind: str, key: str) -> Sequence[UUID]:
        """The streams linked to (kind, key), oldest first."""
        ...

    def append(self, commits: Sequence[Commit]) -> Sequence[int]:
        """Write all commits; the position of each one's last event (the head where it has none).

        Raises ConcurrencyConflict when a stream is not at the version before, or a claim or command id is taken.
        """
        ...


class EventLog(Protocol):
    """A log that can be appended to."""

    def transaction(self) -> AbstractContextManager[LogTransaction]:
        """Become the only writer; waits for others."""
        ...
