"""A subscription to events, and what has become of what it was to be sent; times are seconds since 1970."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Whether a subscription is being delivered to."""

    ACTIVE = "active"
    PAUSED = "paused"
    """By somebody; nothing is lost, the position waits."""
    OFF = "off"
    """Switched off by what its receiver answered; `why` says what. It can be resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret that deliveries are signed with; sealed as it is stored."""

    number: int
    sealed: bytes
    made_at: float
    expires_at: float | None
    """From when on it signs no more; None for the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Who wants which events where, and how far that has come."""

    id: str
    url: str
    description: str | None
    wanted: Mapping[str, Any]
    """Which events: the words of the feed, as JSON has them."""
    ordered: bool
    """Whether an event is sent only after the one before it was delivered or given up."""
    state: State
    why: str | None
    made_at: float
    position: int
    """Every wanted event up to here was delivered, waits to be sent again, or was given up."""
    generation: int
    """Counts how often somebody moved the position; whoever delivers by an older one may not move it."""
    attempts: int
    delivered: int
    failures: int
    """Attempts that failed since the last that did not."""
    failing_since: float | None
    last_attempt_at: float | None
    last_success_at: float | None
    last_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An event that could not be delivered so far, or was given up; nothing of its content."""

    position: int
    event_id: str
    type: str
    attempts: int
    first_at: float
    last_at: float
    reason: str
    status: int | None
    excerpt: str | None
    """The beginning of what the receiver answered, sealed for whom the event is about."""
    due_at: float
    """When it is sent again; when it was given up, for one that was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to deliver an event, and what came of it."""

    position: int
    event_id: str
    type: str
    attempt: int
    """Counts from 1 for each event."""
    at: float
    milliseconds: int
    status: int | None
    """What the receiver answered; None when it did not."""
    reason: str
    """`delivered`, or why not."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt comes to: delivered, to be sent again, or given up."""

    attempt: Attempt
    failed: Failed | None = None
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """What is left to be sent again after outcomes were written down."""

    waiting: int
    next_due: float | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A subscription that this process delivers for, with the secrets to sign with and what waits."""

    subscription: Subscription
    secrets: Sequence[Secret]
    settled: Settled


@dataclass(frozen=True, slots=True)
class Counts:
    """How much waits and how much was given up."""

    waiting: int = 0
    dead: int = 0
    next_due: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """What a subscription begins with."""

    id: str
    url: str
    description: str | None
    wanted: Mapping[str, Any] = field(default_factory=dict[str, Any])
    ordered: bool = False
    after: int = 0
    sealed: bytes
