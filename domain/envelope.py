"""An event as it lies in the log: its data with who, when, by which door and because of what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.event import Event


@dataclass(slots=True, kw_only=True)
class Cause:
    """Who asked, by which door, and because of what; the same for all events of one command."""

    actor: str
    """`user:…`, `key:…` or `rule:…`."""
    source: str
    """The door: `api`, `cli`, `kafka`, `import:<batch>`."""
    command_id: str
    correlation_id: str | None = None
    causation_id: str | None = None


@dataclass(slots=True, kw_only=True)
class NewEvent:
    """An event that was decided and is to be appended as `version` of `stream_id`."""

    id: UUID
    stream_id: UUID
    version: int
    """Counts from 1 in each stream."""
    occurred_at: datetime
    recorded_at: datetime
    cause: Cause
    irregular: tuple[str, ...]
    """Codes of the rules that a reported fact breaks; empty for what was asked."""
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event read from the log, upcast to today's shape; all values are as JSON has them.

    Times are UTC text in one fixed form (`2026-03-01T09:30:00.000000Z`, so text order is time order), ids are text,
    decimals are text in plain notation, personal fields are ciphertext.
    """

    position: int
    stream_id: str
    version: int
    id: str
    type: str
    occurred_at: str
    recorded_at: str
    actor: str
    source: str
    command_id: str
    correlation_id: str | None = None
    causation_id: str | None = None
    irregular: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
