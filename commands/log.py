"""The port through which commands reach the log; `bus` fulfils it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.envelope import NewEvent
from domain.event import Event


@dataclass(frozen=True, slots=True)
class Claim:
    """`key` of `kind` belongs to `stream_id` and to nobody else: uniqueness, held in the append's transaction."""

    kind: str
    key: str
    stream_id: UUID


@dataclass(frozen=True, slots=True)
class Link:
    """`stream_id` belongs to the group `key` of `kind`: an index for the few decisions about many records."""

    kind: str
    key: str
    stream_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Everything that one accepted command writes."""

    command_id: str
    fingerprint: bytes
    """16 bytes over the command's content, to tell a repetition from another command under the same id."""
    stream_id: UUID
    """The record the command was about."""
    version: int
    """That stream's version afterwards."""
    events: Sequence[NewEvent]
    claims: Sequence[Claim] = ()
    links: Sequence[Link] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReceipt:
    """What the log remembers of an accepted command, for ever."""

    fingerprint: bytes
    stream_id: UUID
    version: int
    position: int
    """Of its last event; for a command that changed nothing, the log's head at that time."""
    event_ids: tuple[UUID, ...]


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
