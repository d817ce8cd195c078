"""What goes into the dispatcher and what comes out: orders, receipts and refusals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson

from commands.command import Command
from domain.errors import DaybookError


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One command as it came through a door. `data` is JSON, not yet validated; without a `command_id` it gets a fresh one."""

    name: str
    data: Mapping[str, Any]
    actor: str
    source: str
    command: Command | None = None
    """What `data` was found to say, where a door has looked already."""
    command_id: str | None = None
    occurred_at: datetime | None = None
    report: bool = False
    """Whether it states what already happened (import door only)."""
    expected_version: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None

    def fingerprint(self, key: bytes) -> bytes:
        """16 bytes over what the command says, the same however its JSON was laid out."""
        said = [self.name, self.data, self.occurred_at, self.report]
        return blake2b(orjson.dumps(said, default=str, option=orjson.OPT_SORT_KEYS), digest_size=16, key=key).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """An accepted command: where its events are. `position` is its last event's, or the head if it changed nothing."""

    command_id: str
    stream_id: UUID
    version: int
    position: int
    event_ids: tuple[UUID, ...]
    repeated: bool = False
    """Whether this command id had been accepted before, so that nothing was done again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that was not accepted and left no trace."""

    command_id: str | None
    error: DaybookError


Outcome = Receipt | Refusal


@dataclass(frozen=True, slots=True)
class Job:
    """Orders that came together; `atomic` ones are applied all or not at all."""

    orders: Sequence[Order]
    atomic: bool = False
