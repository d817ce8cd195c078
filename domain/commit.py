"""What an accepted command writes in one transaction, and what the log remembers of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.envelope import NewEvent


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


ERASED = ("person", "erased")
"""The kind and the key that the log itself links every erased person to."""


@dataclass(slots=True, kw_only=True)
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
